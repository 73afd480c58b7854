"""Saves answers by group commit: every request that waits goes into one statement, and is answered after it.

One statement checks, locks and writes (exams/answers.py states the rule); nothing here is an ORM.
Sittings that are just being handed in are skipped, not waited for, and asked about again.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import OrderedDict
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import asyncpg
import structlog
from prometheus_client import Counter, Histogram

from exams.answers import Acknowledged, AnswerAct
from exams.models import SittingStatus
from training.errors import N_, AnpeiError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from web.clock import Clock

log = structlog.get_logger()
SAVED = Counter("anpei_answers_saved_total", "Answers committed")
BATCH = Histogram("anpei_answer_batch", "Requests per group commit", buckets=(1, 2, 5, 10, 20, 50, 100, 200, 500))

_STORE = """
WITH asked AS (
    SELECT a.id, a.token FROM unnest($1::uuid[], $2::bytea[]) AS a (id, token)
), held AS (
    SELECT s.id, s.deadline, s.item_count FROM asked JOIN sitting s ON s.id = asked.id
    WHERE s.status = 'OPEN' AND s.deadline > $9 AND s.device_token_hash = asked.token
    FOR SHARE OF s SKIP LOCKED
), stored AS (
    INSERT INTO answer_event (sitting_id, seq, position, choice, answered_at, link, saved_at)
    SELECT e.sitting_id, e.seq, e.position, e.choice, e.answered_at, e.link, $9
    FROM unnest($3::uuid[], $4::int[], $5::int[], $6::text[], $7::timestamptz[], $8::bytea[])
        AS e (sitting_id, seq, position, choice, answered_at, link)
    JOIN held ON held.id = e.sitting_id AND e.position <= held.item_count
    ON CONFLICT (sitting_id, seq) DO NOTHING
    RETURNING 1
)
SELECT held.id, held.deadline, held.item_count, (SELECT count(*) FROM stored) AS stored FROM held
"""
_STATES = """
SELECT s.id, s.status, s.deadline, s.item_count, s.device_token_hash = a.token AS is_holder, s.device_number
FROM unnest($1::uuid[], $2::bytea[]) AS a (id, token) JOIN sitting s ON s.id = a.id
"""
_COMPARE = """
SELECT e.sitting_id, e.seq, (v.position = e.position AND v.choice = e.choice) AS is_same
FROM unnest($1::uuid[], $2::int[], $3::int[], $4::text[]) AS e (sitting_id, seq, position, choice)
JOIN answer_event v ON v.sitting_id = e.sitting_id AND v.seq = e.seq
"""
_LATEST = "SELECT sitting_id, seq, position, choice FROM answer_event WHERE sitting_id = ANY($1::uuid[]) ORDER BY seq"

# The tables grow from empty to millions while one prepared plan lives: index look-ups are always right here.
_SESSION_SETTINGS = {
    "application_name": "anpei answers",
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}
_LOST = (asyncpg.InternalClientError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError, OSError, TimeoutError)
# Shutting down, starting, failing over, read-only during a fail-over, deadlock, cancelled, too many connections.
_PASSING = ("57P", "25006", "40", "53", "08")
_LONGEST_WAIT = 4.0
_TRIES_WHEN_LOCKED = 40
_NONE: tuple[int, ...] = ()


class Busy(AnpeiError):
    """The queue is full or the database is away; the outbox tries again."""

    message = N_("系统正忙，答案仍保存在本机，稍后会自动重新提交，请继续作答。")


@dataclass(eq=False, slots=True)
class _Request:
    sitting_id: UUID
    token_hash: bytes
    acts: Sequence[AnswerAct]
    done: asyncio.Future[Acknowledged]
    tries: int = 0


@dataclass(frozen=True, slots=True)
class _Found:
    """The state of a request's sitting."""

    status: SittingStatus | None
    device_number: int
    is_holder: bool
    total: int
    deadline: datetime | None


@dataclass(slots=True)
class _Tally:
    """Which positions of a sitting have an answer, as bits; `top` is the end of an unbroken run of numbers."""

    top: int = 0
    answered: int = 0

    def add(self, acts: Iterable[AnswerAct]) -> bool:
        """Count new acts; False if numbers are missing before them, so that the database must be asked."""
        for act in sorted(acts, key=lambda act: act.seq):
            if act.seq <= self.top:
                continue
            if act.seq != self.top + 1:
                return False
            self.top = act.seq
            self.note(act.position, act.choice)
        return True

    def note(self, position: int, choice: str) -> None:
        bit = 1 << position
        self.answered = self.answered | bit if choice else self.answered & ~bit


class _Tallies:
    """The tallies of the sittings seen last by this process."""

    def __init__(self, most: int = 50_000) -> None:
        self._known: OrderedDict[UUID, _Tally] = OrderedDict()
        self._most = most

    def of(self, sitting_id: UUID) -> _Tally:
        tally = self._known.get(sitting_id)
        if tally is None:
            tally = self._known[sitting_id] = _Tally()
            if len(self._known) > self._most:
                self._known.popitem(last=False)
        else:
            self._known.move_to_end(sitting_id)
        return tally

    def replace(self, rows: Iterable[tuple[UUID, int, int, str]], ids: Iterable[UUID]) -> None:
        fresh = {sitting_id: _Tally() for sitting_id in ids}
        numbers: dict[UUID, list[int]] = {sitting_id: [0] for sitting_id in fresh}
        for sitting_id, seq, position, choice in rows:
            fresh[sitting_id].note(position, choice)
            numbers[sitting_id].append(seq)
        for sitting_id, tally in fresh.items():
            seqs = numbers[sitting_id]
            # With a gap the run is not known to be unbroken: ask the database each time.
            tally.top = seqs[-1] if all(after == before + 1 for before, after in pairwise(seqs)) else -1
            self._known[sitting_id] = tally


@dataclass
class GroupWriter:
    """`exams.answers.AnswerWriter` on asyncpg. `start` it in the event loop that uses it, `stop` it there.

    `connections` statements run at a time; `most_waiting` requests wait before `Busy` is raised.
    """

    url: str
    clock: Clock
    connections: int = 2
    most_waiting: int = 4000
    most_acts: int = 1000
    _queue: list[_Request] = field(default_factory=list, init=False, repr=False)
    _wake: asyncio.Event = field(default_factory=asyncio.Event, init=False, repr=False)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list, init=False, repr=False)
    _tallies: _Tallies = field(default_factory=_Tallies, init=False, repr=False)
    _is_stopping: bool = field(default=False, init=False, repr=False)

    def start(self) -> None:
        """Begin to write; the connections are opened when first needed."""
        self._is_stopping = False
        self._tasks = [asyncio.create_task(self._write_for_ever()) for _ in range(self.connections)]

    async def stop(self) -> None:
        """Write what waits, then end."""
        self._is_stopping = True
        self._wake.set()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for request in self._queue:
            request.done.cancel()

    async def save(self, sitting_id: UUID, *, token_hash: bytes, acts: Sequence[AnswerAct]) -> Acknowledged:
        """Store the acts of one request; returns after the commit. Raises `Busy`."""
        return await self.ask(sitting_id, token_hash, acts)

    def ask(self, sitting_id: UUID, token_hash: bytes, acts: Sequence[AnswerAct]) -> asyncio.Future[Acknowledged]:
        """The same for a caller that is no coroutine."""
        if len(self._queue) >= self.most_waiting or self._is_stopping:
            raise Busy
        done: asyncio.Future[Acknowledged] = asyncio.get_running_loop().create_future()
        self._queue.append(_Request(sitting_id, token_hash, acts, done))
        self._wake.set()
        return done

    async def _write_for_ever(self) -> None:
        line = _Line(self.url)
        try:
            while True:
                while not self._queue:
                    if self._is_stopping:
                        return
                    self._wake.clear()
                    await self._wake.wait()
                await self._write(line, self._take())
        finally:
            await line.close()

    def _take(self) -> list[_Request]:
        """The next batch: whole requests in the order of their arrival, one per sitting."""
        batch: list[_Request] = []
        later: list[_Request] = []
        sittings: set[UUID] = set()
        acts = 0
        for place, request in enumerate(self._queue):
            if batch and acts + len(request.acts) > self.most_acts:
                later.extend(self._queue[place:])
                break
            if request.done.cancelled():
                continue
            if request.sitting_id in sittings:
                later.append(request)
                continue
            sittings.add(request.sitting_id)
            acts += len(request.acts)
            batch.append(request)
        self._queue = later
        return batch

    async def _write(self, line: _Line, batch: list[_Request]) -> None:
        BATCH.observe(len(batch))
        try:
            await self._write_twice(line, batch)
        except Busy as error:
            _refuse(batch, error)
        except Exception as error:
            log.error("answers_not_written", requests=len(batch), exc_info=error)
            if len(batch) == 1:
                _refuse(batch, Busy())
            for request in batch if len(batch) > 1 else ():
                await self._write(line, [request])

    async def _write_twice(self, line: _Line, batch: list[_Request]) -> None:
        """Once more on a new connection if the first was lost: repeating an event changes nothing."""
        for is_last in (False, True):
            try:
                async with asyncio.timeout(_LONGEST_WAIT):
                    await self._write_once(await line.connection(), batch)
                return
            except _LOST as error:
                line.drop()
                log.warning("answers_connection_lost", error=type(error).__name__)
            except asyncpg.PostgresError as error:
                line.drop()
                if not str(error.sqlstate).startswith(_PASSING):
                    raise
                log.warning("answers_database_away", sqlstate=error.sqlstate)
            if is_last:
                raise Busy
            await asyncio.sleep(0.05)

    async def _write_once(self, connection: Any, batch: list[_Request]) -> None:  # noqa: ANN401 - asyncpg has no types
        now = self.clock.now()
        columns = _columns(batch)
        held = {row[0]: row for row in await connection.fetch(_STORE, *columns, now)}
        open_ones = [request for request in batch if request.sitting_id in held]
        closed = [request for request in batch if request.sitting_id not in held]
        acts = sum(len(request.acts) for request in open_ones)
        stored = next(iter(held.values()))[3] if held else 0
        SAVED.inc(stored)
        if stored == acts and not closed:
            verdicts: dict[tuple[UUID, int], bool] = {}
        else:
            verdicts = {(row[0], row[1]): row[2] for row in await connection.fetch(_COMPARE, *columns[2:6])}
        found = None if stored == acts else verdicts
        await self._count(connection, open_ones, found)
        for request in open_ones:
            _, deadline, total, _ = held[request.sitting_id]
            self._answer(request, found, _Found(SittingStatus.OPEN, 0, True, total, deadline))
        if closed:
            await self._answer_closed(connection, closed, verdicts, now)

    async def _count(
        self,
        connection: Any,  # noqa: ANN401 - asyncpg has no types
        requests: list[_Request],
        verdicts: dict[tuple[UUID, int], bool] | None,
    ) -> None:
        broken = [
            request.sitting_id
            for request in requests
            if (verdicts is not None and not all(verdicts.get((request.sitting_id, act.seq)) for act in request.acts))
            or not self._tallies.of(request.sitting_id).add(request.acts)
        ]
        if broken:
            self._tallies.replace(await connection.fetch(_LATEST, broken), broken)

    async def _answer_closed(
        self,
        connection: Any,  # noqa: ANN401 - asyncpg has no types
        requests: list[_Request],
        verdicts: dict[tuple[UUID, int], bool],
        now: datetime,
    ) -> None:
        ids, tokens = [r.sitting_id for r in requests], [r.token_hash for r in requests]
        states = {row[0]: row for row in await connection.fetch(_STATES, ids, tokens)}
        for request in requests:
            state = states.get(request.sitting_id)
            if state is None:
                self._answer(request, {}, _Found(None, 0, False, 0, None))
                continue
            _, status, deadline, total, is_holder, device_number = state
            if status == "OPEN" and is_holder and deadline > now:
                self._ask_again(request)
                continue
            found = _Found(SittingStatus(status), device_number, bool(is_holder), total, deadline)
            self._answer(request, verdicts, found)

    def _ask_again(self, request: _Request) -> None:
        """The row was locked by a hand-in, or has just become open to this device."""
        request.tries += 1
        if request.tries > _TRIES_WHEN_LOCKED:
            _refuse([request], Busy())
            return
        loop = asyncio.get_running_loop()
        loop.call_later(0.005 * request.tries, self._put_back, request)

    def _put_back(self, request: _Request) -> None:
        self._queue.append(request)
        self._wake.set()

    def _answer(self, request: _Request, verdicts: dict[tuple[UUID, int], bool] | None, found: _Found) -> None:
        if request.done.done():
            return
        seqs = tuple(act.seq for act in request.acts)
        saved, clashing, unknown = seqs, _NONE, _NONE
        if verdicts is not None:
            kept = {seq: verdicts.get((request.sitting_id, seq)) for seq in seqs}
            saved, clashing, unknown = (tuple(seq for seq in seqs if kept[seq] is how) for how in (True, False, None))
        request.done.set_result(
            Acknowledged(
                saved=saved,
                clashing=clashing,
                unknown=unknown,
                status=found.status,
                device_number=found.device_number,
                is_holder=found.is_holder,
                answered=self._tallies.of(request.sitting_id).answered.bit_count(),
                total=found.total,
                deadline=found.deadline,
            )
        )


def _refuse(batch: Iterable[_Request], error: Busy) -> None:
    for request in batch:
        if not request.done.done():
            request.done.set_exception(error)


def _columns(batch: list[_Request]) -> tuple[list[Any], ...]:
    acts = [(request.sitting_id, act) for request in batch for act in request.acts]
    return (
        [request.sitting_id for request in batch],
        [request.token_hash for request in batch],
        [sitting_id for sitting_id, _ in acts],
        [act.seq for _, act in acts],
        [act.position for _, act in acts],
        [act.choice for _, act in acts],
        [act.answered_at for _, act in acts],
        [act.link for _, act in acts],
    )


class _Line:
    """One connection, opened when needed and again after it was lost."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: Any = None

    async def connection(self) -> Any:  # noqa: ANN401 - asyncpg has no types
        if self._connection is None or self._connection.is_closed():
            self._connection = await asyncpg.connect(
                self._url, server_settings=_SESSION_SETTINGS, statement_cache_size=16, timeout=_LONGEST_WAIT / 2
            )
        return self._connection

    def drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def close(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(Exception):
                await self._connection.close(timeout=1)
            self._connection = None

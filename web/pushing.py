"""Tells candidates' pages at once what is done to their sittings: server-sent events in front of the application.

`wrap` answers exactly `GET /sittings/{id}/events`. A stream holds no database connection, no task beside that of
its request, and no timer: one connection per process listens for every sitting, and one task sends the signs of
life, a few streams at a time. A page that cannot keep a stream asks `GET /api/v1/sittings/{id}` now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import re
import signal
import threading
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg
import msgspec
import structlog
from litestar import Request
from litestar.enums import ScopeType
from prometheus_client import Counter, Gauge

from exams.sittings import CHANNEL
from exams.standing import Standing, list_standings
from training.accounts import find_viewer
from web.api.bodies import sitting_notice_out
from web.auth import read_token
from web.observing import HEADERS
from web.settings import libpq_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import datetime

    from litestar.types import ASGIApp, Receive, Scope, Send

    from web.services import Services

log = structlog.get_logger()
STREAMS = Gauge("anpei_push_streams", "Pages that are told at once", multiprocess_mode="livesum")
TOLD = Counter("anpei_push_events_total", "States of a sitting that were pushed")

_PATH = re.compile(r"/sittings/([0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})/events")
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
    *((name.encode(), value.encode()) for name, value in HEADERS.items()),
]
_STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
_SIGN_OF_LIFE = b": \n\n"
# Each stream has its second in the round, so that the signs of life of thousands do not come at once.
_ROUND = 20
_STREAMS_OF_A_SITTING = 2
_AT_A_TIME = 500
_LONGEST_BACKOFF = 30.0
_encode = msgspec.json.Encoder().encode


@dataclass(eq=False)
class Stream:
    """One open response. What is told waits in `lines` while the network is slow."""

    sitting_id: UUID
    sign_in_id: UUID
    device_number: int
    send: Send
    slot: int
    lines: list[bytes] = field(default_factory=list)
    sender: asyncio.Task[None] | None = None
    shown: tuple[object, ...] = ()
    deadline: datetime | None = None
    is_ending: bool = False

    def tell(self, line: bytes, *, is_last: bool = False) -> None:
        """Have a line sent after those before it; the last one ends the response."""
        if self.is_ending:
            return
        self.is_ending = is_last
        self.lines.append(line)
        if self.sender is None:
            self.sender = asyncio.create_task(self._send_all())

    def keep_alive(self) -> None:
        """Show that we are there, unless something is on its way."""
        if self.sender is None:
            self.tell(_SIGN_OF_LIFE)

    async def _send_all(self) -> None:
        # A browser that has gone is noticed by whoever waits for the end of the request.
        with contextlib.suppress(OSError):
            while self.lines:
                body, self.lines = b"".join(self.lines), []
                # What ends the response is always sent with the last lines.
                await self.send({"type": "http.response.body", "body": body, "more_body": not self.is_ending})
        self.sender = None


class Streams:
    """The streams of this process, and the one connection that hears of their sittings.

    `start` it in the event loop that uses it, `stop` it there.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._of: dict[UUID, list[Stream]] = {}
        self._slots: list[set[Stream]] = [set() for _ in range(_ROUND)]
        self._count = 0
        self._heard: set[UUID] = set()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._is_listening = False
        self.is_stopping = False

    def start(self) -> None:
        """Begin to listen, and end every stream as soon as the process is asked to go."""
        self.is_stopping = False
        self._tasks = [
            asyncio.create_task(self._listen_for_ever()),
            asyncio.create_task(self._look_for_ever()),
            asyncio.create_task(self._keep_alive_for_ever()),
        ]
        _before_exit(asyncio.get_running_loop(), self.end_all)

    async def stop(self) -> None:
        """End the streams and let go of the connection."""
        self.end_all()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def end_all(self) -> None:
        """End every stream; their pages come back to whoever answers then."""
        self.is_stopping = True
        for stream in [stream for streams in self._of.values() for stream in streams]:
            stream.tell(b"", is_last=True)

    def add(self, stream: Stream) -> None:
        """Let a stream be told. Of too many for one sitting the oldest ends, told to wait before it asks again."""
        streams = self._of.setdefault(stream.sitting_id, [])
        streams.append(stream)
        self._slots[stream.slot].add(stream)
        STREAMS.inc()
        for oldest in streams[:-_STREAMS_OF_A_SITTING]:
            oldest.tell(b"retry: 30000\n\n", is_last=True)

    def remove(self, stream: Stream) -> None:
        """Forget a stream that has ended."""
        self._slots[stream.slot].discard(stream)
        streams = self._of.get(stream.sitting_id, [])
        if stream in streams:
            streams.remove(stream)
            STREAMS.dec()
        if not streams:
            self._of.pop(stream.sitting_id, None)

    def next_slot(self) -> int:
        """Where in the round the next stream has its turn."""
        self._count += 1
        return self._count % _ROUND

    def hear(self, sitting_ids: Iterable[UUID]) -> None:
        """Something was done to these sittings: those that are looked at here are read again."""
        self._heard.update(sitting_id for sitting_id in sitting_ids if sitting_id in self._of)
        if self._heard:
            self._wake.set()

    async def read(self, sitting_ids: list[UUID]) -> list[Standing]:
        """In a transaction of its own, which has ended when this returns."""
        async with self._services.sessions() as session, session.begin():
            return await list_standings(session, sitting_ids)

    async def _look_for_ever(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._heard:
                batch = [self._heard.pop() for _ in range(min(_AT_A_TIME, len(self._heard)))]
                try:
                    self._tell(await self.read(batch))
                except Exception as error:
                    # They are read again in their turn of the round.
                    log.warning("push_not_read", sittings=len(batch), error=type(error).__name__)

    def _tell(self, standings: list[Standing]) -> None:
        now = self._services.clock.now()
        for standing in standings:
            for stream in list(self._of.get(standing.sitting_id, ())):
                tell_standing(stream, standing, now=now)

    async def _keep_alive_for_ever(self) -> None:
        turn = 0
        while True:
            await asyncio.sleep(1)
            turn = (turn + 1) % _ROUND
            self.take_turn(turn)

    def take_turn(self, turn: int) -> None:
        """The signs of life of one second of the round, and the looks that nobody asks for."""
        now = self._services.clock.now()
        streams = list(self._slots[turn])
        for stream in streams:
            stream.keep_alive()
        # Nobody tells of time that is up; and without a line to the database nobody tells of anything.
        self.hear(
            stream.sitting_id
            for stream in streams
            if not self._is_listening or (stream.deadline is not None and stream.deadline <= now)
        )

    async def _listen_for_ever(self) -> None:
        backoff = 0.5
        while True:
            lost = asyncio.Event()
            try:
                connection = await asyncpg.connect(
                    libpq_url(self._services.settings.database_url), timeout=5,
                    server_settings={"application_name": "anpei pushes"},
                )  # fmt: skip
                try:
                    connection.add_termination_listener(lambda *_, lost=lost: lost.set())
                    await connection.add_listener(CHANNEL, self._on_notice)
                    self._is_listening, backoff = True, 0.5
                    # Whatever was told while nobody listened.
                    self.hear(list(self._of))
                    while not lost.is_set():
                        await _wait(lost, _ROUND)
                        # A server that has vanished without a word closes nothing.
                        await connection.execute("SELECT 1", timeout=5)
                finally:
                    self._is_listening = False
                    connection.terminate()
            except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
                log.warning("push_not_listening", error=type(error).__name__)
            await asyncio.sleep(backoff * random.uniform(0.5, 1))  # noqa: S311 - no secret
            backoff = min(backoff * 2, _LONGEST_BACKOFF)

    def _on_notice(self, _connection: object, _pid: int, _channel: str, payload: str) -> None:
        with contextlib.suppress(ValueError):
            self.hear([UUID(payload)])


async def _wait(event: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


def tell_standing(stream: Stream, standing: Standing, *, now: datetime) -> None:
    """Send the state to one page, if it has not been told the same before; the end of the sitting ends the stream."""
    shown = (standing.status_at(now), standing.deadline, standing.paused_at, standing.device_number,
             standing.is_released, standing.has_ended, standing.notice and standing.notice.at)  # fmt: skip
    if shown == stream.shown:
        return
    stream.shown = shown
    stream.deadline = None if standing.paused_at else standing.deadline
    TOLD.inc()
    stream.tell(b"event: state\ndata: " + _encode(_state(stream, standing, now)) + b"\n\n", is_last=standing.has_ended)


def _state(stream: Stream, standing: Standing, now: datetime) -> dict[str, Any]:
    notice = standing.notice
    is_holder = standing.sign_in_id == stream.sign_in_id or standing.device_number == stream.device_number
    return {
        "status": standing.status_at(now),
        "has_ended": standing.has_ended,
        "is_paused": standing.paused_at is not None,
        "deadline": standing.deadline,
        "seconds_left": standing.seconds_left(now),
        "device_number": standing.device_number,
        "is_released": standing.is_released,
        "is_holder": is_holder and not standing.is_released,
        "now": now,
        "notice": sitting_notice_out(notice) if notice else None,
    }


class Pushing:
    """An ASGI application around another."""

    def __init__(self, app: ASGIApp, streams: Streams, services: Services) -> None:
        self.app = app
        self.streams = streams
        self.services = services
        self._headers = [*_HEADERS, *([_STRICT_TRANSPORT] if services.settings.is_behind_tls else [])]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the one route, or pass on."""
        if scope["type"] == ScopeType.HTTP and scope["method"] == "GET" and (found := _PATH.fullmatch(scope["path"])):
            await self._answer(scope, receive, send, UUID(found[1]))
            return
        await self.app(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, sitting_id: UUID) -> None:
        if self.streams.is_stopping:
            await _refuse(send, HTTPStatus.SERVICE_UNAVAILABLE)
            return
        sign_in_id, standing = await self._look_up(scope, sitting_id)
        if sign_in_id is None or standing is None:
            await _refuse(send, HTTPStatus.UNAUTHORIZED if sign_in_id is None else HTTPStatus.NOT_FOUND)
            return
        if standing.has_ended:
            # An EventSource that is answered so does not ask again.
            await _refuse(send, HTTPStatus.NO_CONTENT)
            return
        stream = Stream(
            sitting_id=sitting_id, sign_in_id=sign_in_id, send=send,
            device_number=_device_number(scope) or standing.device_number,
            slot=self.streams.next_slot(),
        )  # fmt: skip
        await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": self._headers})
        # After a restart thousands come back: not all in one second.
        stream.tell(b"retry: %d\n\n" % random.randint(3000, 5000))  # noqa: S311 - no secret
        self.streams.add(stream)
        tell_standing(stream, standing, now=self.services.clock.now())
        try:
            # Read before it could be told of: whatever was done in between is looked for once more.
            self.streams.hear([sitting_id])
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            self.streams.remove(stream)
            if stream.sender is not None:
                stream.sender.cancel()

    async def _look_up(self, scope: Scope, sitting_id: UUID) -> tuple[UUID | None, Standing | None]:
        """The sign-in that asks, and the sitting if it is that person's own, read in a short transaction."""
        scope.setdefault("state", {})
        token = read_token(Request(scope))
        if not token:
            return None, None
        async with self.services.sessions() as session, session.begin():
            viewer = await find_viewer(session, token=token, now=self.services.clock.now())
            if viewer is None:
                return None, None
            found = [one for one in await list_standings(session, [sitting_id]) if one.person_id == viewer.person_id]
        return viewer.sign_in_id, found[0] if found else None


def _device_number(scope: Scope) -> int:
    """The device that the page was opened as, which it says itself; 0 if it says nothing.

    Then it is taken for the one that holds the sitting: somebody who signed in again in the same browser
    does, by the token of the page. That decides about words alone; an answer needs the token.
    """
    found = re.search(rb"(?:^|&)device=(\d{1,6})(?:&|$)", scope["query_string"])
    return int(found[1]) if found else 0


async def _refuse(send: Send, status: HTTPStatus) -> None:
    await send({"type": "http.response.start", "status": status, "headers": _HEADERS[1:]})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _before_exit(loop: asyncio.AbstractEventLoop, end: Callable[[], None]) -> None:
    """Call `end` at the signal itself: the server says goodbye to its application only after the last response."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)
        if not callable(before):
            continue

        def handle(sent: int, frame: Any, before: Callable[..., Any] = before) -> None:  # noqa: ANN401 - a frame
            loop.call_soon_threadsafe(end)
            before(sent, frame)

        signal.signal(number, handle)


def wrap(app: ASGIApp, streams: Streams, services: Services) -> Pushing:
    """The application with the streams in front."""
    return Pushing(app, streams, services)

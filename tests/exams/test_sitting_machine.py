"""Any interleaving of starts, answers, devices, pauses, crashes and ends, against an account kept in plain Python.

The account knows nothing of deadlines: it holds how much time a candidate has left, and spends it
while the clock runs. So a minute that is gained or lost anywhere shows.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.accommodations import Accommodations, grant_accommodations, set_candidate_accommodations
from exams.answers import AnswerAct, SittingPaused, device_token_hash, list_events, save_answers
from exams.handing_in import TooEarlyToLeave, close_overdue, hand_in, hand_in_by_site
from exams.models import AnswerEvent, ExamSession, LateAnswer, Score, ScoreState, Sitting, SittingStatus
from exams.sheets import get_sitting_state
from exams.sittings import (
    NotOpen,
    OnAnotherDevice,
    TimeIsUp,
    extend_sitting,
    pause_sitting,
    release_device,
    resume_paused,
    resume_sitting,
)
from exams.starting import NoAttemptsLeft, NotCheckedIn, start_enterprise_sitting, start_sitting
from exams.voiding import void_sitting
from tests.makers.receipts import KEYS
from tests.makers.sittings import KEY, make_checked_in, make_device, make_exam, right_choices
from training.errors import AnpeiError, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from uuid import UUID

    from exams.answers import Acknowledged
    from exams.sittings import Device, Entry
    from training.vault import Vault

START = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
NOTHING, MICRO, SECOND = timedelta(0), timedelta(microseconds=1), timedelta(seconds=1)
GRACE, LEAVE = timedelta(seconds=120), timedelta(minutes=30)
MINUTES = {False: 120, True: 60}
ATTEMPTS = 2
POSITIONS = st.integers(1, 50)
CHOICES = st.sampled_from(["T", "F", "A", "B", ""])
DEVICES = st.integers(0, 1)


@dataclass
class Act:
    """What a page sends, with the link it made."""

    position: int
    choice: str
    at: datetime
    link: bytes


@dataclass
class Account:
    """One sitting as it must be."""

    id: UUID
    started_at: datetime
    left: timedelta
    right: list[str]
    is_paused: bool = False
    paused_at: datetime | None = None
    up_at: datetime | None = None
    ended: SittingStatus | None = None
    ended_at: datetime | None = None
    is_scored: bool = False
    holder: int | None = 0
    tokens: dict[int, str] = field(default_factory=dict)
    saved: dict[int, Act] = field(default_factory=dict)
    late: set[tuple[int, int, str]] = field(default_factory=set)

    @property
    def status(self) -> SittingStatus:
        return self.ended or (SittingStatus.PAUSED if self.is_paused else SittingStatus.OPEN)

    @property
    def is_running(self) -> bool:
        return self.ended is None and not self.is_paused

    def spend(self, now: datetime, span: timedelta) -> None:
        """Time passes; only a clock that runs spends it."""
        if not self.is_running or self.up_at is not None:
            return
        spent = min(span, self.left)
        self.left -= spent
        if not self.left:
            self.up_at = now + spent

    def end(self, how: SittingStatus, now: datetime) -> None:
        # While the clock stands still it is never up, however late it is.
        self.ended, self.ended_at = how, self.up_at or now
        self.is_paused, self.paused_at, self.is_scored = False, None, how is not SittingStatus.VOID

    def chain(self) -> tuple[bytes, int, datetime]:
        """The link, the number and the time of the last of what is saved, worked out anew."""
        head = hashlib.sha256(f"anpei-chain-1\n{self.id}".encode()).digest()
        latest = self.started_at
        for seq in sorted(self.saved):
            act = self.saved[seq]
            head = link(head, seq, act.position, act.choice, act.at)
            latest = act.at
        return head, max(self.saved, default=0), max(latest, self.started_at)


def link(head: bytes, seq: int, position: int, choice: str, at: datetime) -> bytes:
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    line = f"{seq}\n{position}\n{choice}\n{since // timedelta(milliseconds=1)}"
    return hashlib.sha256(head + line.encode()).digest()


@dataclass(frozen=True)
class Happening:
    """What may happen next: a method of the machine, its arguments, when it can, and how often it does."""

    method: str
    arguments: dict[str, st.SearchStrategy[Any]]
    when: Callable[[Any], Any]
    often: int


HAPPENINGS: list[Happening] = []


def happens(
    *, when: Callable[[Any], Any] = lambda _: True, often: int = 4, **arguments: st.SearchStrategy[Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Hypothesis leaves whole rules out of most examples; here each has its chance in every one."""

    def add(method: Callable[..., None]) -> Callable[..., None]:
        HAPPENINGS.append(Happening(method.__name__, arguments, when, often))
        return method

    return add


class Crash(Exception):
    """The process dies before it commits."""


class Ground:
    """What every example begins with: a checked-in candidate, and one who is invited to an enterprise exam."""

    def __init__(self, url: str, vault: Vault) -> None:
        self.runner = asyncio.Runner()
        self.runner.run(self._lay(url, vault))

    async def _lay(self, url: str, vault: Vault) -> None:
        self.engine = create_async_engine(url, poolclass=NullPool)
        self.connection = await self.engine.connect()
        self.outer = await self.connection.begin()
        async with self.session() as session:
            who, booking = await make_checked_in(session, vault, now=START)
            exam_session = await session.get_one(ExamSession, booking.exam_session_id)
            exam_session.ends_at = START + timedelta(days=30)
            session.add(exam_session)
            self.booking_id, self.application_id = booking.id, booking.application_id
            self.site_id, self.candidate_id = exam_session.site_id, who.person.id
            self.devices: dict[bool, list[Device]] = {
                False: [await make_device(session, who, now=START) for _ in range(2)]
            }
            exam, employee = await make_exam(session, vault, now=START, attempts_allowed=ATTEMPTS)
            exam.closes_at = START + timedelta(days=30)
            session.add(exam)
            self.exam_id, self.organisation_id, self.employee_id = exam.id, exam.organisation_id, employee.person.id
            self.devices[True] = [await make_device(session, employee, now=START) for _ in range(2)]
            await session.commit()

    def session(self) -> AsyncSession:
        return AsyncSession(self.connection, join_transaction_mode="create_savepoint", expire_on_commit=False)

    def clear(self) -> None:
        async def close() -> None:
            await self.outer.rollback()
            await self.connection.close()
            await self.engine.dispose()

        self.runner.run(close())
        self.runner.close()


class Sittings(RuleBasedStateMachine):
    """The real operations beside the account."""

    ground: Ground
    happened: ClassVar[Counter[str]] = Counter()

    @initialize(
        is_enterprise=st.sampled_from([False, False, False, True]),
        percent=st.sampled_from([0, 0, 1, 25, 50]),
        has_begun=st.sampled_from([True, True, True, False]),
    )
    def begin(self, is_enterprise: bool, percent: int, has_begun: bool) -> None:
        self.is_enterprise = is_enterprise
        self.now = START
        self.extra_percent = 0
        self.past: list[Account] = []
        self.sitting: Account | None = None
        self.may_begin = True
        self.person_id = self.ground.employee_id if is_enterprise else self.ground.candidate_id
        self.actor_id = self.ground.employee_id
        self.devices = self.ground.devices[is_enterprise]
        self.savepoint = self._run(self._save())
        self._grant(percent)
        if has_begun:
            self.the_candidate_clicks_on_start(0)

    async def _save(self) -> Any:  # noqa: ANN401
        return await self.ground.connection.begin_nested()

    def teardown(self) -> None:
        if hasattr(self, "savepoint"):
            self._run(self.savepoint.rollback())

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401
        return self.ground.runner.run(work)

    def _do(self, operation: Any, **arguments: Any) -> Any:  # noqa: ANN401
        """One request: committed, or rolled back and the error's class given."""

        async def request() -> Any:  # noqa: ANN401
            async with self.ground.session() as session:
                try:
                    async with session.begin():
                        return await operation(session, **arguments, now=self.now)
                except AnpeiError as error:
                    return type(error)

        return self._run(request())

    def _crash(self, operation: Any, **arguments: Any) -> None:  # noqa: ANN401
        """One request whose process dies after its work and before its commit."""

        async def request() -> None:
            async with self.ground.session() as session:
                try:
                    async with session.begin():
                        await operation(session, **arguments, now=self.now)
                        raise Crash
                except (AnpeiError, Crash):
                    pass

        self._run(request())

    def _at_site(self, sitting: Account) -> dict[str, Any]:
        return {
            "sitting_id": sitting.id, "site_id": self.ground.site_id, "actor_id": self.actor_id, "reason": "停电",
        }  # fmt: skip

    def _note(self, what: str) -> None:
        self.happened[what] += 1

    @rule(data=st.data())
    def something_happens(self, data: st.DataObject) -> None:
        possible = [one for one in HAPPENINGS if one.when(self) for _ in range(one.often)]
        chosen = data.draw(st.sampled_from(possible), label="next")
        arguments = {name: data.draw(values, label=name) for name, values in chosen.arguments.items()}
        getattr(self, chosen.method)(**arguments)

    # Time

    @happens(seconds=st.sampled_from([1, 29, 59, 60, 119, 120, 300, 600, 1800]))
    def time_passes(self, seconds: int) -> None:
        self._pass(timedelta(seconds=seconds))

    @happens(
        when=lambda self: self.sitting and self.sitting.ended is None and self.sitting.left,
        often=2,
        off=st.sampled_from([-MICRO, NOTHING, SECOND, GRACE - MICRO, GRACE]),
    )
    def time_passes_until_the_end(self, off: timedelta) -> None:
        """Also while the clock stands still: it would be the end if it ran."""
        assert self.sitting
        self._pass(max(self.sitting.left + off, NOTHING))

    def _pass(self, span: timedelta) -> None:
        if self.sitting:
            self.sitting.spend(self.now, span)
        self.now += span

    # Beginning

    @happens(when=lambda self: self.sitting is None and not self.past, percent=st.sampled_from([0, 1, 25, 50]))
    def extra_time_is_granted(self, percent: int) -> None:
        self._grant(percent)

    def _grant(self, percent: int) -> None:
        granted = Accommodations(extra_percent=percent)
        if self.is_enterprise:
            self._do(
                set_candidate_accommodations, exam_id=self.ground.exam_id, person_id=self.person_id,
                organisation_id=self.ground.organisation_id, granted=granted, actor_id=self.actor_id,
            )  # fmt: skip
        else:
            self._do(
                grant_accommodations, application_id=self.ground.application_id, granted=granted,
                actor_id=self.actor_id,
            )  # fmt: skip
        self.extra_percent = percent

    def _start(self, device: int) -> tuple[Any, dict[str, Any]]:
        with_device = {"person_id": self.person_id, "device": self.devices[device], "seed": 7 + len(self.past)}
        if self.is_enterprise:
            return start_enterprise_sitting, {"exam_id": self.ground.exam_id, **with_device}
        return start_sitting, {"booking_id": self.ground.booking_id, **with_device}

    @happens(device=DEVICES)
    def the_candidate_clicks_on_start(self, device: int) -> None:
        operation, arguments = self._start(device)
        outcome = self._do(operation, **arguments)
        if self.sitting is not None and not (self.is_enterprise and self.sitting.ended):
            self._check_way_in(device, outcome)
        elif self.is_enterprise and len(self.past) + (self.sitting is not None) >= ATTEMPTS:
            assert outcome is NoAttemptsLeft
        elif not self.may_begin:
            assert outcome is NotCheckedIn
        else:
            self._open(device, outcome)

    def _open(self, device: int, entry: Entry) -> None:
        assert entry.is_new
        if self.sitting:
            self.past.append(self.sitting)
        allowance = timedelta(minutes=MINUTES[self.is_enterprise]) * (100 + self.extra_percent) / 100
        assert entry.deadline - entry.started_at == allowance
        right = self._run(self._right(entry.sitting_id))
        self.sitting = Account(entry.sitting_id, self.now, allowance, right, holder=device)
        self.sitting.tokens[device] = entry.device_token
        self._note("start")

    async def _right(self, sitting_id: UUID) -> list[str]:
        async with self.ground.session() as session:
            return await right_choices(session, sitting_id)

    @happens(when=lambda self: self.sitting, device=DEVICES)
    def a_device_comes_back(self, device: int) -> None:
        assert self.sitting
        outcome = self._do(
            resume_sitting, sitting_id=self.sitting.id, person_id=self.person_id, device=self.devices[device]
        )
        self._check_way_in(device, outcome)

    def _check_way_in(self, device: int, outcome: Any) -> None:  # noqa: ANN401
        sitting = self.sitting
        assert sitting
        if sitting.ended is None and device != sitting.holder and sitting.holder is not None and not self.is_enterprise:
            assert outcome is OnAnotherDevice
            return
        assert (outcome.sitting_id, outcome.is_new) == (sitting.id, False)
        assert outcome.took_over == (sitting.ended is None and device != sitting.holder)
        if sitting.ended is not None:
            assert (outcome.status, outcome.device_token, outcome.seconds_left) == (sitting.ended, "", 0)
            return
        if outcome.took_over:
            assert outcome.device_token not in sitting.tokens.values()
            sitting.holder, sitting.tokens[device] = device, outcome.device_token
            self._note("takeover")
        assert outcome.device_token == sitting.tokens[device]
        assert outcome.seconds_left == -(-sitting.left // SECOND)

    # Answers

    @happens(
        when=lambda self: self.sitting,
        often=12,
        device=DEVICES,
        acts=st.lists(st.tuples(st.integers(-3, 3), POSITIONS, CHOICES), min_size=1, max_size=5),
        is_lost=st.booleans(),
    )
    def answers_arrive(self, device: int, acts: list[tuple[int, int, str]], is_lost: bool) -> None:
        """Numbers around the last one: new ones, gaps, repeats, a higher one first, and others' content."""
        assert self.sitting
        head, last, _ = self.sitting.chain()
        sent: dict[int, Act] = {}
        for step, position, choice in acts:
            seq = max(last + 1 + step, 1)
            sent[seq] = Act(position, choice, self.now, link(head, seq, position, choice, self.now))
        self._send(device, sent, is_lost=is_lost)

    @happens(when=lambda self: self.sitting and self.sitting.saved, device=DEVICES, places=st.integers(1, 255))
    def a_lost_reply_is_asked_for_again(self, device: int, places: int) -> None:
        assert self.sitting
        again = [seq for place, seq in enumerate(sorted(self.sitting.saved)) if places >> (place % 8) & 1]
        self._send(device, {seq: self.sitting.saved[seq] for seq in again})

    @happens(
        when=lambda self: self.sitting and (self.sitting.up_at or self.sitting.ended),
        device=DEVICES,
        choices=st.lists(CHOICES, min_size=1, max_size=4),
        ago=st.sampled_from([MICRO, SECOND, NOTHING, -SECOND]),
        forged=st.sampled_from([None, None, 0, 1]),
    )
    def answers_made_around_the_deadline_arrive_late(
        self, device: int, choices: list[str], ago: timedelta, forged: int | None
    ) -> None:
        """An honest chain, one with a link that does not fit, and ones that claim to be made too late."""
        assert self.sitting
        end = self.sitting.up_at or self.sitting.ended_at or self.now
        head, last, latest = self.sitting.chain()
        at, sent = max(end - ago, latest) if ago > NOTHING else end - ago, {}
        for place, choice in enumerate(choices):
            seq = last + 1 + place
            head = link(head, seq, place + 1, choice, at) if forged != place else b"f" * 32
            sent[seq] = Act(place + 1, choice, at, head)
        self._send(device, sent)

    def _send(self, device: int, sent: dict[int, Act], *, is_lost: bool = False) -> None:
        sitting = self.sitting
        assert sitting
        if device not in sitting.tokens:
            return
        arguments = {
            "sitting_id": sitting.id, "token_hash": device_token_hash(sitting.tokens[device]), "key": KEY,
            "acts": [AnswerAct(seq, act.position, act.choice, act.at, act.link) for seq, act in sent.items()],
        }  # fmt: skip
        if is_lost:
            # Nobody was told that it is saved; the page sends it again and again.
            self._crash(save_answers, **arguments)
            self._note("crash")
        found: Acknowledged = self._do(save_answers, **arguments)
        assert found.is_holder == (device == sitting.holder)
        new = self._expected(device, sent)
        sitting.saved.update(new)
        assert set(found.saved) == {seq for seq, act in sent.items() if self._is_same(sitting.saved.get(seq), act)}
        left = {(seq, act.position, act.choice) for seq, act in sent.items() if seq not in found.saved}
        is_kept = device != sitting.holder or sitting.ended is not None or (sitting.is_running and not sitting.left)
        if is_kept:
            sitting.late |= left
            assert set(found.kept_late) == {seq for seq, _, _ in left}
        else:
            assert found.kept_late == ()

    def _expected(self, device: int, sent: dict[int, Act]) -> dict[int, Act]:
        """Which of the acts are to be saved now, of those whose number is free."""
        sitting = self.sitting
        assert sitting
        if device != sitting.holder or not sitting.is_running:
            return {}
        if sitting.left:
            self._note("answers")
            return {seq: act for seq, act in sent.items() if seq not in sitting.saved}
        assert sitting.up_at
        if self.now >= sitting.up_at + GRACE:
            return {}
        head, top, latest = sitting.chain()
        proven: dict[int, Act] = {}
        for seq in sorted(sent):
            act = sent[seq]
            if self._is_same(sitting.saved.get(seq), act):
                continue
            head = link(head, seq, act.position, act.choice, act.at)
            is_in_time = latest <= act.at < sitting.up_at and act.at <= self.now
            if seq != top + 1 or act.link != head or not is_in_time:
                break
            proven[seq], top, latest = act, seq, act.at
            self._note("late answers that count")
        return proven

    def _is_same(self, known: Act | None, act: Act) -> bool:
        return known is not None and (known.position, known.choice) == (act.position, act.choice)

    # The site

    @happens(when=lambda self: self.sitting)
    def the_site_releases_the_device(self) -> None:
        assert self.sitting
        outcome = self._do(release_device, **self._at_site(self.sitting))
        if self._is_refused(outcome):
            return
        self.sitting.holder = None
        self._note("release")

    @happens(when=lambda self: self.sitting, minutes=st.integers(1, 30))
    def the_site_gives_more_time(self, minutes: int) -> None:
        assert self.sitting
        outcome = self._do(extend_sitting, **self._at_site(self.sitting), minutes=minutes)
        if self._is_refused(outcome):
            return
        self.sitting.left += timedelta(minutes=minutes)
        self.sitting.up_at = None
        self._note("extension" if self.sitting.is_running else "extension in a pause")

    @happens(when=lambda self: self.sitting, dies=st.sampled_from([False, False, False, True]))
    def the_site_stops_the_clock(self, dies: bool) -> None:
        assert self.sitting
        if dies:
            self._crash(pause_sitting, **self._at_site(self.sitting))
            return
        outcome = self._do(pause_sitting, **self._at_site(self.sitting))
        if self._is_refused(outcome):
            return
        if self.sitting.is_running and not self.sitting.left:
            assert outcome is TimeIsUp
        elif self.sitting.is_running:
            self.sitting.is_paused, self.sitting.paused_at = True, self.now
            self._note("pause")

    @happens(
        when=lambda self: self.sitting and (self.sitting.is_paused or self.sitting.ended),
        dies=st.sampled_from([False, False, False, True]),
    )
    def the_site_lets_the_clock_run(self, dies: bool) -> None:
        assert self.sitting
        if dies:
            self._crash(resume_paused, **self._at_site(self.sitting))
            return
        outcome = self._do(resume_paused, **self._at_site(self.sitting))
        if self._is_refused(outcome):
            return
        if self.sitting.is_paused:
            self.sitting.is_paused, self.sitting.paused_at = False, None
            self._note("going on")

    def _is_refused(self, outcome: Any) -> bool:  # noqa: ANN401
        """No site has a say in an enterprise's exam, and none in what has ended."""
        assert self.sitting
        if self.is_enterprise:
            assert outcome is NotFound
        elif self.sitting.ended is not None:
            assert outcome is NotOpen
        return self.is_enterprise or self.sitting.ended is not None

    # Ends

    @happens(when=lambda self: self.sitting, often=1, dies=st.sampled_from([False, False, True]))
    def the_candidate_hands_in(self, dies: bool) -> None:
        sitting = self.sitting
        assert sitting
        arguments = {"sitting_id": sitting.id, "person_id": self.person_id, "countersign": KEYS.countersign}
        if dies:
            self._crash(hand_in, **arguments)
            return
        outcome = self._do(hand_in, **arguments)
        if sitting.ended is not None:
            assert outcome is sitting.ended
        elif sitting.is_paused:
            assert outcome is SittingPaused
        elif not sitting.left:
            assert outcome is SittingStatus.TIMED_OUT
            sitting.end(outcome, self.now)
        elif not self.is_enterprise and self.now < sitting.started_at + LEAVE:
            assert outcome is TooEarlyToLeave
        else:
            assert outcome is SittingStatus.HANDED_IN
            sitting.end(outcome, self.now)
            self._note("hand-in")

    @happens(when=lambda self: self.sitting and self.sitting.up_at, dies=st.sampled_from([False, False, True]))
    def the_worker_closes_what_is_over(self, dies: bool) -> None:
        assert self.sitting
        if dies:
            self._crash(close_overdue, countersign=KEYS.countersign)
            return
        is_due = self.sitting.is_running and self.sitting.up_at and self.now >= self.sitting.up_at + GRACE
        assert self._do(close_overdue, countersign=KEYS.countersign) == int(bool(is_due))
        if is_due:
            self.sitting.end(SittingStatus.TIMED_OUT, self.now)
            self._note("closed by the job")

    @happens(when=lambda self: self.sitting, often=1)
    def the_site_ends_it(self) -> None:
        assert self.sitting
        outcome = self._do(hand_in_by_site, **self._at_site(self.sitting), countersign=KEYS.countersign)
        if self.is_enterprise:
            assert outcome is NotFound
        elif self.sitting.ended is not None:
            assert outcome is self.sitting.ended
        else:
            assert outcome is SittingStatus.CLOSED_BY_SITE
            self.sitting.end(outcome, self.now)
            self._note("ended by the site")

    @happens(when=lambda self: self.sitting, often=1, again=st.booleans())
    def the_authority_voids_it(self, again: bool) -> None:
        sitting = self.sitting
        assert sitting
        outcome = self._do(
            void_sitting, sitting_id=sitting.id, actor_id=self.actor_id, reason="替考", may_sit_again=again
        )
        if self.is_enterprise:
            assert outcome is NotFound
            return
        assert outcome is None
        if sitting.ended is SittingStatus.VOID:
            return
        was_scored = sitting.is_scored
        if sitting.ended is None:
            sitting.end(SittingStatus.VOID, self.now)
        sitting.ended, sitting.is_scored = SittingStatus.VOID, was_scored
        self._note("void")
        # The clock of a voided sitting is nobody's any more; another may begin where the authority allows it.
        self.past.append(sitting)
        self.sitting, self.may_begin = None, again

    # What must hold whatever happened

    @invariant()
    def nothing_acknowledged_is_lost_or_altered_and_nothing_else_is_stored(self) -> None:
        for sitting in self._all():
            events, late = self._run(self._read_answers(sitting.id))
            assert {event.seq: (event.position, event.choice) for event in events} == {
                seq: (act.position, act.choice) for seq, act in sitting.saved.items()
            }
            assert {(one.seq, one.position, one.choice) for one in late} == sitting.late

    async def _read_answers(self, sitting_id: UUID) -> tuple[list[AnswerEvent], list[LateAnswer]]:
        async with self.ground.session() as session:
            late = (await session.exec(select(LateAnswer).where(LateAnswer.sitting_id == sitting_id))).all()
            return list(await list_events(session, sitting_id)), list(late)

    @invariant()
    def time_is_neither_gained_nor_lost(self) -> None:
        sitting = self.sitting if hasattr(self, "sitting") else None
        if sitting is None:
            return
        state = self._do(get_sitting_state, sitting_id=sitting.id, person_id=self.person_id)
        if sitting.ended is not None:
            assert (state.status, state.seconds_left, state.has_ended) == (sitting.ended, 0, True)
            return
        if sitting.up_at is not None:
            assert (state.deadline, state.seconds_left, state.status) == (sitting.up_at, 0, SittingStatus.TIMED_OUT)
            return
        assert state.deadline - (sitting.paused_at or self.now) == sitting.left
        assert (state.seconds_left, state.status) == (-(-sitting.left // SECOND), sitting.status)

    @invariant()
    def there_is_one_sitting_at_a_time_and_it_is_marked_by_what_was_acknowledged(self) -> None:
        if not hasattr(self, "sitting"):
            return
        rows = {sitting.id: (sitting, score) for sitting, score in self._run(self._read_sittings())}
        accounts = {sitting.id: sitting for sitting in self._all()}
        assert rows.keys() == accounts.keys()
        live = [sitting for sitting, _ in rows.values() if sitting.status in {"OPEN", "PAUSED"}]
        assert len(live) == sum(account.ended is None for account in accounts.values()) <= 1
        for sitting_id, account in accounts.items():
            sitting, score = rows[sitting_id]
            assert (sitting.status, sitting.submitted_at) == (account.status, account.ended_at)
            assert (score is not None) == account.is_scored
            if score is None:
                continue
            last = {account.saved[seq].position: account.saved[seq].choice for seq in sorted(account.saved)}
            points = sum(last.get(place, "") == key for place, key in enumerate(account.right, start=1))
            assert score.points * len(account.right) == points * score.total
            assert (score.state is ScoreState.VOID) == (account.ended is SittingStatus.VOID)

    async def _read_sittings(self) -> list[tuple[Sitting, Score | None]]:
        async with self.ground.session() as session:
            statement = (
                select(Sitting, Score)
                .outerjoin(Score, Score.sitting_id == Sitting.id)  # type: ignore[arg-type]
                .where(Sitting.person_id == self.person_id)
            )
            return list((await session.exec(statement)).all())

    def _all(self) -> list[Account]:
        if not hasattr(self, "past"):
            return []
        return [*self.past, *([self.sitting] if self.sitting else [])]


def test_nothing_is_lost_whatever_happens_in_whatever_order(database_url: str, vault: Vault) -> None:
    Sittings.ground = Ground(database_url, vault)
    few = settings(
        max_examples=4,
        stateful_step_count=35,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
    try:
        # Of many examples in one run Hypothesis makes most by copying from one another.
        for _ in range(7):
            run_state_machine_as_test(Sittings, settings=few)
    finally:
        Sittings.ground.clear()

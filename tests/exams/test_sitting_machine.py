"""Any interleaving of starts, answers, devices, extensions and ends: acknowledged = stored = marked."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.answers import AnswerAct, device_token_hash, list_events, save_answers
from exams.handing_in import TooEarlyToLeave, close_overdue, hand_in
from exams.models import Booking, ExamSession, Score, Sitting, SittingStatus
from exams.sheets import get_sitting_state
from exams.sittings import NotOpen, OnAnotherDevice, extend_sitting, release_device, resume_sitting
from exams.starting import start_sitting
from tests.makers.sittings import make_device, make_sitting, right_choices
from training.errors import AnpeiError

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from uuid import UUID

    from exams.sittings import Device
    from tests.makers.sittings import Sat
    from training.vault import Vault

START = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
MINUTES = 120
POSITIONS = st.integers(1, 100)
CHOICES = st.sampled_from(["T", "F", "A", "B", ""])


class Sittings(RuleBasedStateMachine):
    """The real operations against a model of plain numbers."""

    url: str
    vault: Vault

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.now = START
        self.granted = timedelta(0)
        self.acknowledged: dict[int, tuple[int, str]] = {}
        self.ended: SittingStatus | None = None
        self.ended_at = START
        self.run(self._open())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401
        return self.runner.run(work)

    async def _open(self) -> None:
        self.engine = create_async_engine(self.url, poolclass=NullPool)
        self.connection = await self.engine.connect()
        self.outer = await self.connection.begin()
        self.session = AsyncSession(self.connection, join_transaction_mode="create_savepoint", expire_on_commit=False)

    @initialize()
    def begin(self) -> None:
        self.run(self._begin())

    async def _begin(self) -> None:
        self.sat: Sat = await make_sitting(self.session, self.vault, now=self.now)
        self.right = await right_choices(self.session, self.sat.id)
        booking = await self.session.get_one(Booking, self.sat.booking_id)
        self.site_id: UUID = (await self.session.get_one(ExamSession, booking.exam_session_id)).site_id
        self.devices: list[Device] = [self.sat.device, await make_device(self.session, self.sat.who, now=self.now)]
        self.tokens: dict[int, str] = {0: self.sat.entry.device_token}
        self.holder: int | None = 0

    @property
    def deadline(self) -> datetime:
        return START + timedelta(minutes=MINUTES) + self.granted

    @property
    def takes_answers(self) -> bool:
        return self.ended is None and self.now < self.deadline

    def _try(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401
        async def inside() -> Any:  # noqa: ANN401
            try:
                async with self.session.begin_nested():
                    return await work
            except AnpeiError as error:
                return type(error)

        return self.run(inside())

    @rule(seconds=st.sampled_from([0, 1, 29, 60, 1799, 1800, 3600, 7199, 7200]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    def time_passes_until_just_before_the_end(self) -> None:
        self.now = max(self.now, self.deadline - timedelta(microseconds=1))

    @rule(
        device=st.integers(0, 1),
        acts=st.lists(st.tuples(st.integers(-3, 3), POSITIONS, CHOICES), min_size=1, max_size=5),
    )
    def answers_arrive(self, device: int, acts: list[tuple[int, int, str]]) -> None:
        """Numbers around the last one: new ones, gaps, repeats, late ones, and others' content."""
        last = max(self.acknowledged, default=0)
        sent = {max(last + 1 + step, 1): (place, choice) for step, place, choice in acts}
        self._send(device, sent)

    @precondition(lambda self: self.acknowledged)
    @rule(device=st.integers(0, 1), data=st.data())
    def a_lost_reply_is_asked_for_again(self, device: int, data: st.DataObject) -> None:
        seqs = data.draw(st.lists(st.sampled_from(sorted(self.acknowledged)), min_size=1, unique=True))
        self._send(device, {seq: self.acknowledged[seq] for seq in seqs})

    def _send(self, device: int, sent: dict[int, tuple[int, str]]) -> None:
        if device not in self.tokens:
            return
        found = self.run(
            save_answers(
                self.session, sitting_id=self.sat.id, token_hash=device_token_hash(self.tokens[device]),
                acts=[AnswerAct(seq, place, choice) for seq, (place, choice) in sent.items()], now=self.now,
            )
        )  # fmt: skip
        assert found.is_holder == ((self.ended is None and device == self.holder) or self._ended_on(device))
        expected = set()
        for seq, act in sent.items():
            known = self.acknowledged.get(seq)
            if known is None and device == self.holder and self.takes_answers:
                self.acknowledged[seq] = act
                expected.add(seq)
            elif known == act:
                expected.add(seq)
        assert set(found.saved) == expected

    def _ended_on(self, device: int) -> bool:
        return self.ended is not None and device == self.holder

    @rule(device=st.integers(0, 1))
    def a_device_comes_back(self, device: int) -> None:
        outcome = self._try(
            resume_sitting(
                self.session, sitting_id=self.sat.id, person_id=self.sat.who.person.id, device=self.devices[device],
                now=self.now,
            )
        )  # fmt: skip
        if self.ended is not None:
            assert outcome.status is self.ended
            assert outcome.device_token == ""
        elif self.holder == device:
            assert outcome.device_token == self.tokens[device]
            assert not outcome.took_over
        elif self.holder is None:
            assert outcome.took_over
            self.holder = device
            self.tokens[device] = outcome.device_token
        else:
            assert outcome is OnAnotherDevice
            return
        assert outcome.deadline == self.deadline

    @rule()
    def the_candidate_clicks_on_start_again(self) -> None:
        assert self.sat.booking_id
        if self.holder == 0 or self.ended:
            entry = self.run(
                start_sitting(
                    self.session, booking_id=self.sat.booking_id, person_id=self.sat.who.person.id,
                    device=self.devices[0], seed=77, now=self.now,
                )
            )  # fmt: skip
            assert (entry.sitting_id, entry.deadline, entry.is_new) == (self.sat.id, self.deadline, False)

    @rule()
    def the_site_releases_the_device(self) -> None:
        outcome = self._try(
            release_device(
                self.session, sitting_id=self.sat.id, site_id=self.site_id, actor_id=self.sat.who.person.id,
                reason="主机故障", now=self.now,
            )
        )  # fmt: skip
        if self.ended is not None:
            assert outcome is NotOpen
        else:
            self.holder = None

    @rule(minutes=st.integers(1, 30))
    def the_site_gives_more_time(self, minutes: int) -> None:
        outcome = self._try(
            extend_sitting(
                self.session, sitting_id=self.sat.id, site_id=self.site_id, actor_id=self.sat.who.person.id,
                minutes=minutes, reason="停电", now=self.now,
            )
        )  # fmt: skip
        if self.ended is not None:
            assert outcome is NotOpen
        else:
            self.granted += max(self.now - self.deadline, timedelta(0)) + timedelta(minutes=minutes)

    @rule()
    def the_candidate_hands_in(self) -> None:
        outcome = self._try(
            hand_in(self.session, sitting_id=self.sat.id, person_id=self.sat.who.person.id, now=self.now)
        )
        if self.ended is not None:
            assert outcome is self.ended
        elif self.now >= self.deadline:
            self._end(SittingStatus.TIMED_OUT, self.deadline)
        elif self.now < START + timedelta(minutes=30):
            assert outcome is TooEarlyToLeave
        else:
            assert outcome is SittingStatus.HANDED_IN
            self._end(SittingStatus.HANDED_IN, self.now)

    @rule()
    def the_worker_closes_what_is_over(self) -> None:
        closed = self.run(close_overdue(self.session, now=self.now))
        is_due = self.ended is None and self.now >= self.deadline
        assert closed == int(is_due)
        if is_due:
            self._end(SittingStatus.TIMED_OUT, self.deadline)

    def _end(self, status: SittingStatus, at: datetime) -> None:
        self.ended, self.ended_at = status, at

    @invariant()
    def what_was_acknowledged_is_stored(self) -> None:
        events = self.run(list_events(self.session, self.sat.id))
        assert {event.seq: (event.position, event.choice) for event in events} == self.acknowledged

    @invariant()
    def time_is_neither_gained_nor_lost(self) -> None:
        state = self.run(
            get_sitting_state(self.session, sitting_id=self.sat.id, person_id=self.sat.who.person.id, now=self.now)
        )
        assert state.deadline == self.deadline
        left = (self.deadline - self.now).total_seconds()
        assert self.ended or 0 <= state.seconds_left - max(left, 0) < 1

    @invariant()
    def what_was_acknowledged_is_marked(self) -> None:
        async def read() -> tuple[Sitting, Score | None]:
            statement = select(Sitting).where(Sitting.booking_id == self.sat.booking_id)
            sitting = (await self.session.exec(statement.execution_options(populate_existing=True))).one()
            score = (await self.session.exec(select(Score).where(Score.sitting_id == sitting.id))).one_or_none()
            return sitting, score

        sitting, score = self.run(read())
        if self.ended is None:
            assert sitting.status is SittingStatus.OPEN
            assert score is None
            return
        assert (sitting.status, sitting.submitted_at) == (self.ended, self.ended_at)
        latest: dict[int, str] = {}
        for seq in sorted(self.acknowledged):
            place, choice = self.acknowledged[seq]
            latest[place] = choice
        assert score
        assert score.points == sum(latest.get(place, "") == key for place, key in enumerate(self.right, start=1))

    def teardown(self) -> None:
        async def close() -> None:
            await self.session.close()
            await self.outer.rollback()
            await self.connection.close()
            await self.engine.dispose()

        self.run(close())
        self.runner.close()


def test_nothing_is_lost_whatever_happens_in_whatever_order(database_url: str, vault: Vault) -> None:
    Sittings.url, Sittings.vault = database_url, vault
    run_state_machine_as_test(
        Sittings,
        settings=settings(
            max_examples=8,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )

"""Seats: the rules one by one, a state machine over them, and two hundred people at once."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
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
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.applications import start_application
from exams.errors import (
    AlreadyBooked,
    BookingOver,
    ChangedAlready,
    NoAttemptLeft,
    NotAccepted,
    PartExpired,
    PartPassed,
    ResultAwaited,
    SessionClosed,
    SessionFull,
    TheoryFirst,
    TimesOverlap,
    TooLateToCancel,
    TooLateToChange,
)
from exams.models import (
    Application,
    ApplicationStatus,
    Booking,
    BookingStatus,
    ExamPart,
    ExamSession,
    PracticalResult,
    ScoreState,
)
from exams.scheduling import cancel_session
from exams.seating import book_seat, cancel_booking, change_booking, get_booking_for_token, lock_booking
from tests.makers.databases import copied_database
from tests.makers.exams import (
    fill_bank,
    make_accepted,
    make_booking,
    make_reviewer,
    make_room,
    make_session,
    make_site_head,
    make_submitted,
)
from tests.makers.people import make_person
from training.errors import AnpeiError, NotFound
from training.models import Person

if TYPE_CHECKING:
    from collections.abc import Coroutine
    from uuid import UUID

    from tests.makers.people import Known
    from training.vault import Vault


async def book(session: AsyncSession, exam_session: ExamSession, application: Application, now: datetime) -> Booking:
    return await book_seat(
        session, exam_session_id=exam_session.id, application_id=application.id, person_id=application.person_id,
        now=now,
    )  # fmt: skip


async def test_the_lowest_free_seat_is_taken_and_given_back(session: AsyncSession, vault: Vault, now: datetime) -> None:
    await fill_bank(session, vault, now=now)
    exam_session = await make_session(session, vault, now=now, seats=2)
    one, two, three = [await make_accepted(session, vault, now=now) for _ in range(3)]
    first = await book(session, exam_session, one, now)
    assert (await book(session, exam_session, one, now)).id == first.id
    assert (first.seat_no, (await book(session, exam_session, two, now)).seat_no) == (1, 2)
    with pytest.raises(SessionFull):
        await book(session, exam_session, three, now)
    for _ in range(2):
        await cancel_booking(session, booking_id=first.id, person_id=first.person_id, now=now)
    assert (await book(session, exam_session, three, now)).seat_no == 1


async def test_tickets_count_per_site_and_month(session: AsyncSession, vault: Vault, now: datetime) -> None:
    await fill_bank(session, vault, now=now)
    head, site = await make_site_head(session, vault, now=now)
    room = await make_room(session, site=site, head=head, now=now)
    november = await make_session(session, vault, now=now, room=room, head=head)
    december = await make_session(session, vault, now=now, room=room, head=head, in_hours=24 * 12)
    tickets = [
        (await make_booking(session, vault, now=now, exam_session=held)).ticket_no
        for held in (november, november, december)
    ]
    assert [ticket[:8] for ticket in tickets] == ["EX202611", "EX202611", "EX202612"]
    assert [ticket[-5:] for ticket in tickets] == ["00001", "00002", "00001"]
    assert {len(ticket) for ticket in tickets} == {16}


async def test_only_an_accepted_application_books(session: AsyncSession, vault: Vault, now: datetime) -> None:
    await fill_bank(session, vault, now=now)
    exam_session = await make_session(session, vault, now=now)
    waiting = await make_submitted(session, vault, now=now)
    with pytest.raises(NotAccepted):
        await book(session, exam_session, waiting, now)
    stranger = await make_accepted(session, vault, now=now)
    with pytest.raises(NotFound):
        await book_seat(
            session, exam_session_id=exam_session.id, application_id=stranger.id, person_id=waiting.person_id, now=now
        )


async def test_a_session_that_has_begun_takes_nobody(session: AsyncSession, vault: Vault, now: datetime) -> None:
    await fill_bank(session, vault, now=now)
    exam_session = await make_session(session, vault, now=now)
    application = await make_accepted(session, vault, now=now)
    with pytest.raises(SessionClosed):
        await book(session, exam_session, application, exam_session.starts_at)
    await book(session, exam_session, application, exam_session.starts_at - timedelta(seconds=1))


async def test_theory_comes_before_practical_and_counts_for_a_year(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    practical = await make_session(session, vault, now=now, part=ExamPart.PRACTICAL)
    application = await make_accepted(session, vault, now=now)
    with pytest.raises(TheoryFirst):
        await book(session, practical, application, now)
    application.theory_passed_on = (now - timedelta(days=400)).date()
    with pytest.raises(PartExpired):
        await book(session, practical, application, now)
    application.theory_passed_on = (now - timedelta(days=100)).date()
    booking = await book(session, practical, application, now)
    await cancel_booking(session, booking_id=booking.id, person_id=booking.person_id, now=now)
    application.practical_passed_on = now.date()
    with pytest.raises(PartPassed):
        await book(session, practical, application, now)


async def test_after_a_miss_one_resit_is_left(session: AsyncSession, vault: Vault, now: datetime) -> None:
    await fill_bank(session, vault, now=now)
    head, site = await make_site_head(session, vault, now=now)
    room = await make_room(session, site=site, head=head, now=now)
    held = [await make_session(session, vault, now=now, room=room, head=head, in_hours=24 * n) for n in (1, 2, 3)]
    application = await make_accepted(session, vault, now=now)
    for exam_session in held[:2]:
        booking = await book(session, exam_session, application, now)
        booking.status = BookingStatus.NO_SHOW
        session.add(booking)
        await session.flush()
    with pytest.raises(NoAttemptLeft, match="补考 1 次"):
        await book(session, held[2], application, now)
    again = await start_application(
        session,
        person_id=application.person_id,
        qualification_code="SO_1_2",
        has_valid_certificate=False,
        now=now,
    )
    assert application.status is ApplicationStatus.FAILED
    assert again.id != application.id


async def test_the_next_try_waits_for_the_last_result(session: AsyncSession, vault: Vault, now: datetime) -> None:
    head, site = await make_site_head(session, vault, now=now)
    room = await make_room(session, site=site, head=head, now=now, is_practical=True)
    first, second = [
        await make_session(session, vault, now=now, room=room, head=head, part=ExamPart.PRACTICAL, in_hours=24 * n)
        for n in (1, 2)
    ]
    application = await make_accepted(session, vault, now=now)
    application.theory_passed_on = now.date()
    booking = await book(session, first, application, now)
    booking.status = BookingStatus.DONE
    session.add(booking)
    await session.flush()
    with pytest.raises(ResultAwaited):
        await book(session, second, application, now)
    session.add(
        PracticalResult(
            booking_id=booking.id, application_id=application.id, tasks=[], score=Decimal(60), vetoed=False,
            passed=False, first_assessor_id=head.person.id, first_signed_at=now, state=ScoreState.RELEASED,
        )
    )  # fmt: skip
    await session.flush()
    assert (await book(session, second, application, now)).seat_no == 1


async def test_nobody_sits_two_exams_at_the_same_time(session: AsyncSession, vault: Vault, now: datetime) -> None:
    for code in ("SO_1_2", "PRINCIPAL"):
        await fill_bank(session, vault, code=code, now=now)
    who = await make_person(session, vault, now=now)
    one = await make_accepted(session, vault, now=now, who=who)
    two = await make_accepted(session, vault, now=now, who=who, code="PRINCIPAL")
    await book(session, await make_session(session, vault, now=now), one, now)
    clash = await make_session(session, vault, now=now, code="PRINCIPAL", in_hours=73)
    with pytest.raises(TimesOverlap):
        await book(session, clash, two, now)
    after = await make_session(session, vault, now=now, code="PRINCIPAL", in_hours=74)
    await book(session, after, two, now)


async def test_a_booking_is_changed_once_and_a_day_before(session: AsyncSession, vault: Vault, now: datetime) -> None:
    await fill_bank(session, vault, now=now)
    first, second, third = [await make_session(session, vault, now=now, in_hours=72 + 24 * n) for n in range(3)]
    booking = await make_booking(session, vault, now=now, exam_session=first)
    own = booking.person_id
    old_token = booking.ticket_token
    with pytest.raises(AlreadyBooked):
        await book_seat(
            session, exam_session_id=second.id, application_id=booking.application_id, person_id=own, now=now
        )
    with pytest.raises(TooLateToChange):
        await change_booking(
            session, booking_id=booking.id, exam_session_id=second.id, person_id=own,
            now=first.starts_at - timedelta(hours=24) + timedelta(seconds=1),
        )  # fmt: skip
    at = first.starts_at - timedelta(hours=24)
    for _ in range(2):
        moved = await change_booking(session, booking_id=booking.id, exam_session_id=second.id, person_id=own, now=at)
    assert (moved.exam_session_id, moved.changes) == (second.id, 1)
    assert (await get_booking_for_token(session, moved.ticket_token)).id == booking.id
    with pytest.raises(NotFound):
        await get_booking_for_token(session, old_token)
    with pytest.raises(ChangedAlready):
        await change_booking(session, booking_id=booking.id, exam_session_id=third.id, person_id=own, now=at)


async def test_nothing_is_cancelled_once_the_exam_begins(session: AsyncSession, vault: Vault, now: datetime) -> None:
    booking = await make_booking(session, vault, now=now)
    exam_session = await session.get(ExamSession, booking.exam_session_id)
    assert exam_session is not None
    with pytest.raises(TooLateToCancel):
        await cancel_booking(session, booking_id=booking.id, person_id=booking.person_id, now=exam_session.starts_at)
    other = await make_person(session, vault, now=now)
    with pytest.raises(NotFound):
        await lock_booking(session, booking.id, person_id=other.person.id)


@dataclass
class Candidate:
    application_id: UUID
    person_id: UUID
    held: tuple[UUID, int] | None = None  # (session, seat)
    booking_id: UUID | None = None
    changes: int = 0


@dataclass
class Scheduled:
    starts_at: datetime
    seats: int
    is_cancelled: bool = False
    taken: set[int] = field(default_factory=set)


class Seats(RuleBasedStateMachine):
    """The real operations against a model that is nothing but sets of numbers."""

    url: str
    vault: Vault

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
        self.scheduled: dict[UUID, Scheduled] = {}
        self.candidates: list[Candidate] = []
        self.head: Known | None = None
        self.site_id: UUID | None = None
        self.run(self._open())

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401
        return self.runner.run(work)

    async def _open(self) -> None:
        self.engine = create_async_engine(self.url, poolclass=NullPool)
        self.connection = await self.engine.connect()
        self.outer = await self.connection.begin()
        self.session = AsyncSession(self.connection, join_transaction_mode="create_savepoint", expire_on_commit=False)

    @initialize(sizes=st.lists(st.integers(1, 2), min_size=2, max_size=3), people=st.integers(2, 4))
    def prepare(self, sizes: list[int], people: int) -> None:
        self.run(self._prepare(sizes, people))

    async def _prepare(self, sizes: list[int], people: int) -> None:
        await fill_bank(self.session, self.vault, now=self.now)
        self.head, site = await make_site_head(self.session, self.vault, now=self.now)
        self.site_id = site.id
        room = await make_room(self.session, site=site, head=self.head, now=self.now)
        for place, seats in enumerate(sizes):
            opened = await make_session(
                self.session, self.vault, now=self.now, room=room, head=self.head, seats=seats,
                in_hours=36 + 12 * place,
            )  # fmt: skip
            self.scheduled[opened.id] = Scheduled(opened.starts_at, seats)
        reviewer = await make_reviewer(self.session, self.vault, now=self.now)
        for _ in range(people):
            accepted = await make_accepted(self.session, self.vault, now=self.now, reviewer=reviewer)
            self.candidates.append(Candidate(accepted.id, accepted.person_id))

    def _pick(self, who: int, where: int) -> tuple[Candidate, UUID, Scheduled]:
        key = list(self.scheduled)[where % len(self.scheduled)]
        return self.candidates[who % len(self.candidates)], key, self.scheduled[key]

    def _try(self, work: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401
        async def inside() -> Any:  # noqa: ANN401
            try:
                async with self.session.begin_nested():
                    return await work
            except AnpeiError as error:
                return type(error)

        return self.run(inside())

    def _lowest(self, scheduled: Scheduled) -> int | None:
        return next((n for n in range(1, scheduled.seats + 1) if n not in scheduled.taken), None)

    @precondition(lambda self: self.candidates)
    @rule(who=st.integers(0, 9), where=st.integers(0, 9))
    def book(self, who: int, where: int) -> None:
        candidate, key, scheduled = self._pick(who, where)
        outcome = self._try(
            book_seat(
                self.session, exam_session_id=key, application_id=candidate.application_id,
                person_id=candidate.person_id, now=self.now,
            )
        )  # fmt: skip
        if candidate.held is not None:
            if candidate.held[0] == key:
                assert outcome.id == candidate.booking_id
            else:
                assert outcome is AlreadyBooked
        elif scheduled.is_cancelled or scheduled.starts_at <= self.now:
            assert outcome is SessionClosed
        elif (seat := self._lowest(scheduled)) is None:
            assert outcome is SessionFull
        else:
            assert outcome.seat_no == seat
            scheduled.taken.add(seat)
            candidate.held, candidate.booking_id, candidate.changes = (key, seat), outcome.id, 0

    @precondition(lambda self: any(c.booking_id for c in self.candidates))
    @rule(who=st.integers(0, 9), where=st.integers(0, 9))
    def change(self, who: int, where: int) -> None:
        candidate, key, scheduled = self._pick(who, where)
        if candidate.booking_id is None:
            return
        outcome = self._try(
            change_booking(
                self.session, booking_id=candidate.booking_id, exam_session_id=key, person_id=candidate.person_id,
                now=self.now,
            )
        )  # fmt: skip
        if candidate.held is None:
            assert outcome is BookingOver
            return
        old = self.scheduled[candidate.held[0]]
        if candidate.held[0] == key:
            assert outcome.id == candidate.booking_id
        elif candidate.changes:
            assert outcome is ChangedAlready
        elif old.starts_at - self.now < timedelta(hours=24):
            assert outcome is TooLateToChange
        elif scheduled.is_cancelled or scheduled.starts_at <= self.now:
            assert outcome is SessionClosed
        elif (seat := self._lowest(scheduled)) is None:
            assert outcome is SessionFull
        else:
            old.taken.remove(candidate.held[1])
            scheduled.taken.add(seat)
            candidate.held, candidate.changes = (key, seat), 1

    @precondition(lambda self: any(c.booking_id for c in self.candidates))
    @rule(who=st.integers(0, 9))
    def cancel(self, who: int) -> None:
        candidate, _, _ = self._pick(who, 0)
        if candidate.booking_id is None:
            return
        outcome = self._try(
            cancel_booking(self.session, booking_id=candidate.booking_id, person_id=candidate.person_id, now=self.now)
        )
        if candidate.held is not None and self.scheduled[candidate.held[0]].starts_at <= self.now:
            assert outcome is TooLateToCancel
        elif candidate.held is not None:
            self.scheduled[candidate.held[0]].taken.remove(candidate.held[1])
            candidate.held = None

    @precondition(lambda self: self.scheduled)
    @rule(where=st.integers(0, 9))
    def cancel_session(self, where: int) -> None:
        key = list(self.scheduled)[where % len(self.scheduled)]
        assert self.head is not None
        assert self.site_id is not None
        self._try(
            cancel_session(
                self.session, exam_session_id=key, site_id=self.site_id, reason="停电",
                actor_id=self.head.person.id, now=self.now,
            )
        )  # fmt: skip
        self.scheduled[key].is_cancelled = True
        self.scheduled[key].taken.clear()
        for candidate in self.candidates:
            if candidate.held is not None and candidate.held[0] == key:
                candidate.held = None

    @rule(hours=st.sampled_from([1, 6, 13]))
    def time_passes(self, hours: int) -> None:
        self.now += timedelta(hours=hours)

    @invariant()
    def the_database_agrees(self) -> None:
        if self.scheduled:
            self.run(self._compare())

    async def _compare(self) -> None:
        rows = (
            await self.session.exec(
                select(Booking.exam_session_id, Booking.seat_no).where(Booking.status != BookingStatus.CANCELLED)
            )
        ).all()
        expected = [(key, seat) for key, scheduled in self.scheduled.items() for seat in scheduled.taken]
        assert sorted(rows) == sorted(expected)
        assert all(len(scheduled.taken) <= scheduled.seats for scheduled in self.scheduled.values())

    def teardown(self) -> None:
        async def close() -> None:
            await self.session.close()
            await self.outer.rollback()
            await self.connection.close()
            await self.engine.dispose()

        self.run(close())
        self.runner.close()


def test_seats_follow_their_model_whatever_happens(database_url: str, vault: Vault) -> None:
    Seats.url, Seats.vault = database_url, vault
    run_state_machine_as_test(
        Seats,
        settings=settings(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )


async def test_two_hundred_people_at_once_get_exactly_fifty_seats(database_url: str, vault: Vault) -> None:
    now = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
    async with copied_database(database_url) as url:
        engine = create_async_engine(url, pool_size=40, max_overflow=0, pool_timeout=120)
        sessions = async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)
        async with sessions() as session, session.begin():
            await fill_bank(session, vault, now=now)
            exam_session = await make_session(session, vault, now=now, seats=50)
            people = [Person(name="考生", matched_name="考生", is_demo=True, created_at=now) for _ in range(200)]
            session.add_all(people)
            await session.flush()
            applications = [
                Application(
                    person_id=person.id, qualification_code="SO_1_2", status=ApplicationStatus.ACCEPTED,
                    created_at=now,
                )
                for person in people
            ]  # fmt: skip
            session.add_all(applications)

        async def try_to_book(application: Application) -> str:
            try:
                async with sessions() as session, session.begin():
                    return (await book(session, exam_session, application, now)).ticket_no
            except SessionFull as error:
                return str(error)

        answers = await asyncio.gather(*(try_to_book(application) for application in applications))
        async with sessions() as session:
            seats = (await session.exec(select(Booking.seat_no).order_by(col(Booking.seat_no)))).all()
        await engine.dispose()
    assert answers.count(str(SessionFull())) == 150
    assert len({answer for answer in answers if answer.startswith("EX")}) == 50
    assert list(seats) == list(range(1, 51))

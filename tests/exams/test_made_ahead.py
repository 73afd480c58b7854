"""Papers made ahead: who gets one, how long it is in force, and what a start makes of it."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from unittest.mock import ANY
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.drawn_papers import draw_papers
from exams.made_ahead import Readiness, count_ready, make_papers_ahead
from exams.models import (
    Booking,
    BookingStatus,
    CheckMethod,
    CheckVerdict,
    DrawnPaper,
    ExamSession,
    IdentityCheck,
    Sitting,
    SittingEvent,
    SittingStatus,
)
from exams.replay import replay_sitting
from exams.sitting_states import SittingAct
from exams.sittings import Device
from exams.starting import start_sitting
from question_bank.difficulty import Difficulty, record_difficulties
from question_bank.models import Item, ItemRevision, RevisionStatus
from tests.makers.databases import copied_database
from tests.makers.exams import fill_bank, make_accepted, make_booking, make_session
from tests.makers.items import make_bank
from tests.makers.people import make_person
from tests.makers.sittings import KEY
from training.audit import list_entries
from training.columns import new_id
from training.models import Rule

if TYPE_CHECKING:
    from datetime import datetime

    from training.vault import Vault

POOR = "SO_2_1"
SOON = timedelta(hours=60)  # before a session in 72 hours


@pytest.fixture
async def held(session: AsyncSession, vault: Vault, now: datetime) -> ExamSession:
    """A session with the shipped bank behind it, and three candidates side by side."""
    await make_bank(session, vault, now=now)
    held = await make_session(session, vault, now=now, seats=5)
    for _ in range(3):
        await make_booking(session, vault, now=now, exam_session=held, who=await make_person(session, vault, now=now))
    return held


_seeds = itertools.count(1000)


async def make_ahead(session: AsyncSession, *, now: datetime, limit: int = 100) -> int:
    return await make_papers_ahead(session, new_seed=lambda: next(_seeds), now=now, limit=limit)


async def papers(session: AsyncSession) -> list[tuple[int, DrawnPaper]]:
    """By seat and number."""
    statement = (
        select(Booking.seat_no, DrawnPaper)
        .join(DrawnPaper, col(DrawnPaper.booking_id) == Booking.id)
        .order_by(col(Booking.seat_no), col(DrawnPaper.number))
    )
    return [(seat, paper) for seat, paper in (await session.exec(statement)).all()]


def revisions(paper: DrawnPaper | Sitting) -> set[str]:
    return {row["revision"] for row in paper.paper}


async def test_papers_are_made_a_day_before_and_never_twice(
    session: AsyncSession, held: ExamSession, now: datetime
) -> None:
    early = held.starts_at - timedelta(hours=24, seconds=1)
    assert await make_ahead(session, now=early) == 0
    assert await make_ahead(session, now=early + timedelta(seconds=1)) == 3
    assert await make_ahead(session, now=early + timedelta(hours=3)) == 0
    assert [(seat, paper.number, paper.drawn_by) for seat, paper in await papers(session)] == [
        (1, 1, None), (2, 1, None), (3, 1, None),
    ]  # fmt: skip
    assert await make_ahead(session, now=held.ends_at) == 0


async def test_each_paper_knows_those_beside_it(session: AsyncSession, held: ExamSession, now: datetime) -> None:
    await make_ahead(session, now=now + SOON)
    (_, one), (_, two), (_, three) = await papers(session)
    assert one.detail["beside"] == []
    assert two.detail["beside"] == [str(one.id)]
    assert three.detail["beside"] == [str(two.id)]
    assert len(revisions(one) & revisions(two)) == two.detail["equating"]["shared"] <= 40


async def test_a_run_is_bounded_and_the_next_goes_on(session: AsyncSession, held: ExamSession, now: datetime) -> None:
    assert await make_ahead(session, now=now + SOON, limit=2) == 2
    assert await make_ahead(session, now=now + SOON, limit=2) == 1
    assert [seat for seat, _ in await papers(session)] == [1, 2, 3]


async def test_the_board_is_told_what_lies_ready(session: AsyncSession, held: ExamSession, now: datetime) -> None:
    at = now + SOON
    assert await count_ready(session, [held.id], now=at) == {held.id: Readiness(waiting=3)}
    await make_ahead(session, now=at)
    assert await count_ready(session, [held.id], now=at) == {held.id: Readiness(waiting=3, ready=3)}


async def enter(session: AsyncSession, vault: Vault, booking: Booking, *, at: datetime) -> Sitting:
    """Check in and start, with a seed that nothing was made of."""
    officer = await make_person(session, vault, now=at)
    booking.status, booking.checked_in_at = BookingStatus.CHECKED_IN, at
    session.add(
        IdentityCheck(
            booking_id=booking.id, method=CheckMethod.OFFICER, verdict=CheckVerdict.ACCEPT,
            officer_id=officer.person.id, reason="核对证件", at=at,
        )
    )  # fmt: skip
    session.add(booking)
    await session.flush()
    device = Device(sign_in_id=new_id(), key=KEY)
    entry = await start_sitting(
        session, booking_id=booking.id, person_id=booking.person_id, device=device, seed=77, now=at
    )
    return await session.get_one(Sitting, entry.sitting_id)


async def bookings(session: AsyncSession, held: ExamSession) -> list[Booking]:
    statement = select(Booking).where(Booking.exam_session_id == held.id).order_by(col(Booking.seat_no))
    return list((await session.exec(statement)).all())


async def first_detail(session: AsyncSession, sitting: Sitting) -> dict[str, Any]:
    statement = select(SittingEvent.detail).where(
        SittingEvent.sitting_id == sitting.id, SittingEvent.kind == SittingAct.STARTED
    )
    return dict((await session.exec(statement)).one())


async def paper_check(session: AsyncSession, sitting: Sitting) -> tuple[bool, str]:
    [check] = [c for c in (await replay_sitting(session, sitting_id=sitting.id)).checks if c.name == "paper"]
    return check.holds, check.says


async def test_a_start_takes_the_paper_that_lies_ready(
    session: AsyncSession, vault: Vault, held: ExamSession, now: datetime
) -> None:
    await make_ahead(session, now=now + SOON)
    (_, made), *_ = await papers(session)
    [booking, *_] = await bookings(session, held)
    sitting = await enter(session, vault, booking, at=held.starts_at)
    assert (sitting.paper, sitting.seed, sitting.item_count) == (made.paper, made.seed, 100)
    assert (sitting.algorithm, sitting.bank_digest) == (made.algorithm, made.bank_digest)
    assert sitting.deadline == held.starts_at + timedelta(minutes=120)
    detail = await first_detail(session, sitting)
    assert detail == {
        **{name: value for name, value in made.detail.items() if name != "made_of"},
        "drawn_paper": str(made.id),
        "from": "READY",
        "to": "OPEN",
    }
    assert await count_ready(session, [held.id], now=held.starts_at) == {held.id: Readiness(waiting=2, ready=2)}
    [noted] = await list_entries(session, target=("sitting", sitting.id), action="sitting.started")
    assert (noted.actor_id, noted.at, noted.detail) == (booking.person_id, held.starts_at, {})


async def test_it_is_dealt_again_as_of_the_instant_when_it_was_made(
    session: AsyncSession, vault: Vault, held: ExamSession, now: datetime
) -> None:
    await make_ahead(session, now=now + SOON)
    sat = [
        await enter(session, vault, booking, at=held.starts_at) for booking in reversed(await bookings(session, held))
    ]
    # What comes later changes nothing.
    await retire_one(session, sat[0], at=held.starts_at + timedelta(minutes=1))
    for sitting in sat:
        assert await paper_check(session, sitting) == (True, ANY)
        assert "drawn_paper" in await first_detail(session, sitting)


async def test_neighbours_who_start_at_once_have_papers_that_know_each_other(
    session: AsyncSession, vault: Vault, held: ExamSession, now: datetime
) -> None:
    await make_ahead(session, now=now + SOON)
    one, two, three = [await enter(session, vault, b, at=held.starts_at) for b in await bookings(session, held)]
    for left, right in ((one, two), (two, three)):
        assert len(revisions(left) & revisions(right)) <= 40


async def test_a_start_without_one_looks_at_what_lies_ready_beside(
    session: AsyncSession, vault: Vault, held: ExamSession, now: datetime
) -> None:
    await make_ahead(session, now=now + SOON, limit=1)
    (_, made), *_ = await papers(session)
    [_, second, _] = await bookings(session, held)
    sitting = await enter(session, vault, second, at=held.starts_at)
    detail = await first_detail(session, sitting)
    assert "drawn_paper" not in detail
    assert detail["beside"] == [str(made.id)]
    assert await paper_check(session, sitting) == (True, ANY)


async def retire_one(session: AsyncSession, paper: DrawnPaper | Sitting, *, at: datetime) -> None:
    revision = await session.get_one(ItemRevision, UUID(paper.paper[0]["revision"]))
    revision.status, revision.retired_at = RevisionStatus.RETIRED, at
    session.add(revision)
    await session.flush()


async def test_an_item_that_is_retired_meanwhile_is_not_dealt(
    session: AsyncSession, vault: Vault, held: ExamSession, now: datetime
) -> None:
    at = now + SOON
    await make_ahead(session, now=at)
    (_, made), *_ = await papers(session)
    [first, second, _] = await bookings(session, held)
    await retire_one(session, made, at=held.starts_at - timedelta(seconds=10))
    assert await count_ready(session, [held.id], now=at) == {held.id: Readiness(waiting=3)}
    # The job has not come by yet: the start deals by itself.
    sitting = await enter(session, vault, first, at=held.starts_at)
    assert made.paper[0]["revision"] not in revisions(sitting)
    assert "drawn_paper" not in await first_detail(session, sitting)
    assert await make_ahead(session, now=held.starts_at) == 2
    numbers = [(seat, paper.number) for seat, paper in await papers(session)]
    assert numbers == [(1, 1), (2, 1), (2, 2), (3, 1), (3, 2)]
    other = await enter(session, vault, second, at=held.starts_at)
    assert made.paper[0]["revision"] not in revisions(other)
    for one in (sitting, other):
        assert await paper_check(session, one) == (True, ANY)


async def test_new_estimates_and_new_rules_need_new_papers(
    session: AsyncSession, held: ExamSession, now: datetime
) -> None:
    at = now + SOON
    await make_ahead(session, now=at)
    (_, made), *_ = await papers(session)
    estimate = {UUID(made.paper[0]["revision"]): Difficulty(500, 80)}
    await record_difficulties(session, subject="SO_1_2", estimates=estimate, now=at)
    assert await make_ahead(session, now=at) == 3
    assert await make_ahead(session, now=at) == 0
    rule = (await session.exec(select(Rule).where(Rule.code == "paper.overlap.percent"))).one()
    rule.value = 30
    session.add(rule)
    await session.flush()
    assert await make_ahead(session, now=at) == 3


async def test_another_seat_needs_another_paper(
    session: AsyncSession, vault: Vault, held: ExamSession, now: datetime
) -> None:
    at = now + SOON
    await make_ahead(session, now=at)
    [first, *_, third] = await bookings(session, held)
    third.seat_no = 5
    session.add(third)
    await session.flush()
    assert await make_ahead(session, now=at) == 1
    last = (await papers(session))[-1][1]
    assert (last.booking_id, last.number, last.detail["beside"]) == (third.id, 2, [])
    assert (await enter(session, vault, third, at=held.starts_at)).paper == last.paper
    # A seat changed so late that the job did not see it.
    first.seat_no = 4
    session.add(first)
    detail = await first_detail(session, await enter(session, vault, first, at=held.starts_at))
    assert "drawn_paper" not in detail


async def test_what_is_printed_counts_whatever_comes(
    session: AsyncSession, vault: Vault, held: ExamSession, now: datetime
) -> None:
    at = now + SOON
    await make_ahead(session, now=at)
    drawn = await draw_papers(
        session, exam_session_id=held.id, actor_id=held.created_by, new_seed=lambda: next(_seeds), now=at
    )
    assert drawn == 3
    printed = [paper for _, paper in await papers(session) if paper.drawn_by]
    assert [paper.number for paper in printed] == [2, 2, 2]
    await retire_one(session, printed[0], at=at + timedelta(hours=1))
    assert await make_ahead(session, now=at + timedelta(hours=1)) == 0
    ready = await count_ready(session, [held.id], now=at + timedelta(hours=1))
    assert (ready[held.id].ready, ready[held.id].printed) == (3, 3)
    [first, *_] = await bookings(session, held)
    sitting = await enter(session, vault, first, at=held.starts_at)
    assert sitting.paper == printed[0].paper
    assert await paper_check(session, sitting) == (True, ANY)


async def test_a_paper_that_was_opened_is_not_opened_again(
    session: AsyncSession, vault: Vault, held: ExamSession, now: datetime
) -> None:
    await make_ahead(session, now=now + SOON)
    [first, *_] = await bookings(session, held)
    sitting = await enter(session, vault, first, at=held.starts_at)
    sitting.status, sitting.submitted_at = SittingStatus.VOID, held.starts_at
    session.add(sitting)
    await session.flush()
    assert await make_ahead(session, now=held.starts_at) == 1
    again = await enter(session, vault, first, at=held.starts_at + timedelta(minutes=1))
    assert again.id != sitting.id
    assert again.seed != sitting.seed
    assert revisions(again) != revisions(sitting)


async def test_a_bank_that_is_too_small_stops_no_other(
    session: AsyncSession, vault: Vault, held: ExamSession, now: datetime
) -> None:
    at = now + SOON
    await fill_bank(session, vault, code=POOR, now=now)
    poor = await make_session(session, vault, now=now, code=POOR, in_hours=71)
    await make_booking(
        session, vault, now=now, exam_session=poor, application=await make_accepted(session, vault, now=now, code=POOR)
    )
    one = (await session.exec(select(ItemRevision).join(Item).where(Item.subject == POOR))).first()
    assert one
    one.status, one.retired_at = RevisionStatus.RETIRED, at
    session.add(one)
    assert await make_ahead(session, now=at) == 3
    assert (await count_ready(session, [poor.id], now=at))[poor.id] == Readiness(waiting=1)


async def test_workers_at_once_make_each_paper_once(database_url: str, vault: Vault, now: datetime) -> None:
    """Real transactions that compete: two rooms of three seats, four workers, then all six start in one instant."""
    async with copied_database(database_url) as url:
        engine = create_async_engine(url)
        sessions = async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)
        async with sessions() as session, session.begin():
            await make_bank(session, vault, now=now)
            rooms = [await make_session(session, vault, now=now, seats=5) for _ in range(2)]
            waiting = [
                await make_booking(
                    session, vault, now=now, exam_session=room, who=await make_person(session, vault, now=now)
                )
                for room in rooms
                for _ in range(3)
            ]

        async def work() -> int:
            made = 0
            for _ in range(4):
                async with sessions() as session, session.begin():
                    made += await make_ahead(session, now=now + SOON, limit=2)
            return made

        assert sum(await asyncio.gather(*(work() for _ in range(4)))) == 6

        async def begin(booking: Booking) -> Sitting:
            async with sessions() as session, session.begin():
                own = await session.get_one(Booking, booking.id)
                return await enter(session, vault, own, at=rooms[0].starts_at)

        sat = await asyncio.gather(*(begin(booking) for booking in waiting))
        async with sessions() as session:
            made = await papers(session)
            assert [(seat, paper.number) for seat, paper in made] == [(seat, 1) for seat in (1, 1, 2, 2, 3, 3)]
            for sitting in sat:
                assert "drawn_paper" in await first_detail(session, sitting)
        for one in (0, 1, 3, 4):
            assert len(revisions(sat[one]) & revisions(sat[one + 1])) <= 40
        await engine.dispose()

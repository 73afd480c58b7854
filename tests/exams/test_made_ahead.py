"""Papers made ahead: who gets one, how long it is in force, and what a start makes of it."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlmodel import col, select

from exams.made_ahead import Readiness, count_ready, make_papers_ahead
from exams.models import Booking, BookingStatus, DrawnPaper, ExamSession, Sitting
from tests.makers.exams import make_booking, make_session
from tests.makers.items import make_bank
from tests.makers.people import make_person

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault

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

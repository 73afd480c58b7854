"""Tries at a part: how many are used up, and whether the last one has its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, func, select

from exams.models import (
    Application,
    ApplicationStatus,
    Booking,
    BookingStatus,
    ExamPart,
    PracticalResult,
    Score,
    ScoreState,
    Sitting,
    SittingStatus,
)
from training.calendar import china_date
from training.rules import get_number

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement
    from sqlmodel.ext.asyncio.session import AsyncSession

_USED = (BookingStatus.DONE, BookingStatus.NO_SHOW)
_LIVE = (BookingStatus.BOOKED, BookingStatus.CHECKED_IN)
_PUBLISHED = (ScoreState.RELEASED, ScoreState.VOID)


async def count_attempts(session: AsyncSession, *, application: Application, part: ExamPart) -> int:
    """Sittings used up: sat, or missed without cancelling."""
    statement = select(func.count()).where(
        Booking.application_id == application.id, Booking.part == part, col(Booking.status).in_(_USED)
    )
    used = (await session.exec(statement)).one()
    return max(used, application.theory_attempts) if part is ExamPart.THEORY else used


async def awaits_result(session: AsyncSession, application_id: UUID, part: ExamPart) -> bool:
    """Whether a sitting of this part has no published result yet. Of a voided one there will be none."""
    done = select(Booking.id).where(
        Booking.application_id == application_id, Booking.part == part, Booking.status == BookingStatus.DONE
    )
    if part is ExamPart.THEORY:
        of_booking = Sitting.booking_id == Booking.id
        is_published = col(Score.state).in_(_PUBLISHED)
        scoreless = (
            select(Sitting.id)
            .outerjoin(Score, (col(Score.sitting_id) == Sitting.id) & is_published)
            .where(of_booking, Sitting.status != SittingStatus.VOID, col(Score.id).is_(None))
        )
        waits: ColumnElement[bool] = scoreless.exists() | ~select(Sitting.id).where(of_booking).exists()
    else:
        published = select(PracticalResult.id).where(
            PracticalResult.booking_id == Booking.id, col(PracticalResult.state).in_(_PUBLISHED)
        )
        waits = ~published.exists()
    return (await session.exec(done.where(waits))).first() is not None


async def is_used_up(session: AsyncSession, application: Application, *, now: datetime) -> bool:
    """Whether an accepted application has no try left at the part in turn, and none under way.

    So it is after two missed exams: no score will ever come that would close it.
    """
    if application.status is not ApplicationStatus.ACCEPTED or application.practical_passed_on is not None:
        return False
    part = ExamPart.THEORY if application.theory_passed_on is None else ExamPart.PRACTICAL
    live = select(Booking.id).where(Booking.application_id == application.id, col(Booking.status).in_(_LIVE))
    if (await session.exec(live)).first() is not None or await awaits_result(session, application.id, part):
        return False
    resits = await get_number(session, "so.resit.max", on=china_date(now))
    return await count_attempts(session, application=application, part=part) > resits

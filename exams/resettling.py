"""What follows when a score changes: its history, its new release, and the standing of its application."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlmodel import col, select

from exams.models import (
    Application,
    ApplicationStatus,
    Booking,
    BookingStatus,
    ExamPart,
    Qualification,
    Score,
    ScoreRevision,
    ScoreState,
    Sitting,
)
from training import audit
from training.calendar import china_date
from training.rules import get_number

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.marking import Mark

_SETTLED = (ApplicationStatus.ACCEPTED, ApplicationStatus.FAILED, ApplicationStatus.PASSED)
_OPEN = (
    ApplicationStatus.DRAFT,
    ApplicationStatus.SUBMITTED,
    ApplicationStatus.RETURNED,
    ApplicationStatus.ACCEPTED,
)


def change_score(
    session: AsyncSession,
    score: Score,
    mark: Mark,
    *,
    actor_id: UUID | None,
    now: datetime,
    regrade_id: UUID | None = None,
    appeal_id: UUID | None = None,
) -> bool:
    """Give a locked score its new mark and keep the old one in its history; a released one is released anew."""
    was = _stored(score)
    score.points, score.total, score.cut_score = mark.points, mark.total, mark.cut_score
    score.passed, score.areas = mark.passed, mark.stored_areas()
    became = _stored(score)
    if all(Decimal(was[name]) == Decimal(became[name]) for name in ("points", "total", "cut_score")):
        return False
    if score.state is ScoreState.RELEASED:
        score.released_at, score.released_by = now, actor_id or score.released_by
    session.add(score)
    session.add(
        ScoreRevision(score_id=score.id, regrade_id=regrade_id, appeal_id=appeal_id, was=was, became=became, at=now)
    )
    audit.record(
        session, action="score.changed", target=("score", score.id), actor_id=actor_id, now=now,
        was={name: was[name] for name in ("points", "total", "cut_score", "passed")},
        points=mark.points, passed=mark.passed, cause=regrade_id or appeal_id,
    )  # fmt: skip
    return True


async def resettle(session: AsyncSession, application: Application, *, is_certified: bool, now: datetime) -> None:
    """Let a locked application follow its released theory scores, after one of them changed."""
    if application.status not in _SETTLED:
        return
    passed_at = await _first_pass(session, application.id)
    if (passed_at is None) == (application.theory_passed_on is None):
        return
    if is_certified:
        audit.record(
            session, action="application.kept", target=("application", application.id), actor_id=None, now=now,
            reason="certificate issued",
        )  # fmt: skip
        return
    was = {"status": application.status.value, "theory_passed_on": str(application.theory_passed_on or "")}
    wanted = await _standing(session, application, passed_at, now=now)
    application.theory_passed_on = china_date(passed_at) if passed_at else None
    if wanted is not application.status and (
        wanted is not ApplicationStatus.ACCEPTED or not await _has_another_open(session, application)
    ):
        application.status = wanted
    session.add(application)
    # A pass makes the resit needless; without one the practical test is not open.
    await _give_back_seats(session, application, ExamPart.THEORY if passed_at else ExamPart.PRACTICAL, now=now)
    audit.record(
        session, action="application.resettled", target=("application", application.id), actor_id=None, now=now,
        was=was, status=application.status,
    )  # fmt: skip
    await session.flush()


def _stored(score: Score) -> dict[str, Any]:
    return {
        "points": str(score.points), "total": str(score.total), "cut_score": str(score.cut_score),
        "passed": score.passed, "areas": score.areas, "state": score.state.value,
        "released_at": score.released_at.isoformat() if score.released_at else "",
    }  # fmt: skip


async def _first_pass(session: AsyncSession, application_id: UUID) -> datetime | None:
    statement = (
        select(Sitting.submitted_at)
        .join(Score, col(Score.sitting_id) == Sitting.id)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .where(Booking.application_id == application_id, Score.state == ScoreState.RELEASED, col(Score.passed))
        .order_by(col(Sitting.submitted_at))
    )
    return (await session.exec(statement)).first()


async def _standing(
    session: AsyncSession, application: Application, passed_at: datetime | None, *, now: datetime
) -> ApplicationStatus:
    if passed_at is not None:
        qualification = await session.get_one(Qualification, application.qualification_code)
        is_complete = not qualification.needs_practical or application.practical_passed_on is not None
        return ApplicationStatus.PASSED if is_complete else ApplicationStatus.ACCEPTED
    if application.status is ApplicationStatus.FAILED:
        return ApplicationStatus.FAILED
    resits = await get_number(session, "so.resit.max", on=china_date(now))
    return ApplicationStatus.FAILED if application.theory_attempts > resits else ApplicationStatus.ACCEPTED


async def _has_another_open(session: AsyncSession, application: Application) -> bool:
    statement = select(Application.id).where(
        Application.person_id == application.person_id,
        Application.qualification_code == application.qualification_code,
        Application.id != application.id,
        col(Application.status).in_(_OPEN),
    )
    return (await session.exec(statement)).first() is not None


async def _give_back_seats(session: AsyncSession, application: Application, part: ExamPart, *, now: datetime) -> None:
    statement = (
        select(Booking)
        .where(Booking.application_id == application.id, Booking.part == part, Booking.status == BookingStatus.BOOKED)
        .with_for_update()
    )
    for booking in (await session.exec(statement)).all():
        booking.status, booking.cancelled_at = BookingStatus.CANCELLED, now
        session.add(booking)
        audit.record(
            session, action="booking.cancelled", target=("booking", booking.id), actor_id=None, now=now,
            reason="score changed",
        )  # fmt: skip

"""Scores as the authority and their candidates look at them: what waits, what a release would tell, one's own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy
from sqlmodel import col, func, select

from exams.limits import LimitState, get_near_until, limit_state
from exams.models import Booking, ExamSession, Qualification, Score, ScoreState, Sitting
from exams.sitting_states import UNDER_WAY
from training.errors import NotFound
from training.models import Organisation, Person

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel.ext.asyncio.session import AsyncSession

# Marked and not yet told.
WAITING = (ScoreState.PROVISIONAL, ScoreState.UNDER_REVIEW)


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """One candidate's score in a release list."""

    score_id: UUID
    sitting_id: UUID
    person_name: str
    ticket_no: str
    seat_no: int
    points: Decimal
    total: Decimal
    passed: bool
    state: ScoreState
    withheld_reason: str
    submitted_at: datetime | None


@dataclass(frozen=True, slots=True)
class SessionScores:
    """How many scores of a session wait for review and for release, and until when they must be out."""

    exam_session_id: UUID
    qualification_name: str
    site_name: str
    starts_at: datetime
    provisional: int
    under_review: int
    passed: int
    release_by: date | None
    limit: LimitState

    @property
    def waiting(self) -> int:
        """How many are not yet released, of those that nothing holds back."""
        return self.provisional + self.under_review


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """Which session a release is about; `answering` counts the sittings that have not ended.

    `release_by` is the first last day of the scores that wait; None where none does.
    """

    qualification_name: str
    site_name: str
    starts_at: datetime
    answering: int
    release_by: date | None


async def list_sessions_to_release(session: AsyncSession, *, today: date) -> list[SessionScores]:
    """Sessions with scores that wait, the most urgent first."""
    in_review = func.count().filter(col(Score.state) == ScoreState.UNDER_REVIEW)
    # sqlmodel types `select` for four columns at most.
    statement: Any = (
        sqlalchemy.select(
            col(ExamSession.id), col(Qualification.name), col(Organisation.name), col(ExamSession.starts_at),
            func.count() - in_review, in_review, func.count().filter(col(Score.passed)), func.min(Score.release_by),
        )
        .join(Qualification, col(Qualification.code) == ExamSession.qualification_code)
        .join(Organisation, col(Organisation.id) == ExamSession.site_id)
        .join(Booking, col(Booking.exam_session_id) == ExamSession.id)
        .join(Sitting, col(Sitting.booking_id) == Booking.id)
        .join(Score, col(Score.sitting_id) == Sitting.id)
        .where(col(Score.state).in_(WAITING))
        .group_by(col(ExamSession.id), col(Qualification.name), col(Organisation.name))
        .order_by(func.min(Score.release_by), col(ExamSession.starts_at))
    )  # fmt: skip
    near_until = await get_near_until(session, today=today)
    rows: Sequence[Any] = (await session.exec(statement)).all()
    return [SessionScores(*(*row, limit_state(row[-1], today=today, near_until=near_until))) for row in rows]


async def get_session_facts(session: AsyncSession, *, exam_session_id: UUID) -> SessionFacts:
    """Which session it is, and how many are still answering. Raises `NotFound`."""
    exam_session = await session.get(ExamSession, exam_session_id)
    if exam_session is None:
        raise NotFound
    answering = (
        select(func.count())
        .select_from(Sitting)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .where(Booking.exam_session_id == exam_session_id, col(Sitting.status).in_(UNDER_WAY))
    )
    qualification = await session.get_one(Qualification, exam_session.qualification_code)
    site = await session.get_one(Organisation, exam_session.site_id)
    due = (
        select(func.min(Score.release_by))
        .join(Sitting, col(Sitting.id) == Score.sitting_id)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .where(Booking.exam_session_id == exam_session_id, col(Score.state).in_(WAITING))
    )
    return SessionFacts(
        qualification_name=qualification.name,
        site_name=site.name,
        starts_at=exam_session.starts_at,
        answering=(await session.exec(answering)).one(),
        release_by=(await session.exec(due)).one(),
    )


async def list_scores(session: AsyncSession, *, exam_session_id: UUID) -> list[ScoreLine]:
    """Every score of a session by seat: the preview of a release."""
    statement = (
        select(Score, Sitting, Booking, Person.name)
        .join(Sitting, col(Sitting.id) == Score.sitting_id)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .join(Person, col(Person.id) == Sitting.person_id)
        .where(Booking.exam_session_id == exam_session_id)
        .order_by(col(Booking.seat_no), col(Score.marked_at))
    )
    return [
        ScoreLine(
            score_id=score.id,
            sitting_id=sitting.id,
            person_name=name,
            ticket_no=booking.ticket_no,
            seat_no=booking.seat_no,
            points=score.points,
            total=score.total,
            passed=score.passed,
            state=score.state,
            withheld_reason=score.withheld_reason,
            submitted_at=sitting.submitted_at,
        )
        for score, sitting, booking, name in (await session.exec(statement)).all()
    ]

"""Scores: provisional when marked, released or withheld by the authority, and what a release settles."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from sqlmodel import col, func, select

from exams.models import (
    Application,
    ApplicationStatus,
    Booking,
    ExamSession,
    Qualification,
    Score,
    ScoreState,
    Sitting,
    SittingStatus,
)
from exams.regrading import apply_rulings
from training import audit
from training.calendar import china_date
from training.errors import N_, BadInput, Conflict, NotFound
from training.models import Organisation, Person
from training.rules import get_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel.ext.asyncio.session import AsyncSession


_LONGEST_REASON = 500


class AlreadyReleased(Conflict):
    """What candidates were told stands until a regrade."""

    message = N_("成绩已经公布，不能再暂缓。如需更正，请按成绩复核程序办理。")


class WithholdReason(BadInput):
    """A score is withheld for a reason that the candidate is told."""

    message = N_("请写明暂缓公布成绩的原因，不超过 {most} 个字。")


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
    """How many scores of a session wait for release, and until when they must be out."""

    exam_session_id: UUID
    qualification_name: str
    site_name: str
    starts_at: datetime
    waiting: int
    passed: int
    release_by: date | None


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """Which session a release is about; `answering` counts the sittings that are still open."""

    qualification_name: str
    site_name: str
    starts_at: datetime
    answering: int


async def list_sessions_to_release(session: AsyncSession) -> list[SessionScores]:
    """Sessions with provisional scores, the most urgent first."""
    statement = (
        select(
            ExamSession,
            func.count(),
            func.count().filter(col(Score.passed)),
            func.min(Score.release_by),
        )
        .join(Booking, col(Booking.exam_session_id) == ExamSession.id)
        .join(Sitting, col(Sitting.booking_id) == Booking.id)
        .join(Score, col(Score.sitting_id) == Sitting.id)
        .where(Score.state == ScoreState.PROVISIONAL)
        .group_by(col(ExamSession.id))
        .order_by(func.min(Score.release_by), col(ExamSession.starts_at))
    )
    lines = []
    for exam_session, waiting, passed, release_by in (await session.exec(statement)).all():
        qualification, site = await _names_of(session, exam_session)
        lines.append(
            SessionScores(exam_session.id, qualification, site, exam_session.starts_at, waiting, passed, release_by)
        )
    return lines


async def _names_of(session: AsyncSession, exam_session: ExamSession) -> tuple[str, str]:
    qualification = await session.get_one(Qualification, exam_session.qualification_code)
    site = await session.get_one(Organisation, exam_session.site_id)
    return qualification.name, site.name


async def get_session_facts(session: AsyncSession, *, exam_session_id: UUID) -> SessionFacts:
    """Which session it is, and how many are still answering. Raises `NotFound`."""
    exam_session = await session.get(ExamSession, exam_session_id)
    if exam_session is None:
        raise NotFound
    answering = (
        select(func.count())
        .select_from(Sitting)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .where(Booking.exam_session_id == exam_session_id, Sitting.status == SittingStatus.OPEN)
    )
    qualification, site = await _names_of(session, exam_session)
    return SessionFacts(qualification, site, exam_session.starts_at, (await session.exec(answering)).one())


async def list_scores(session: AsyncSession, *, exam_session_id: UUID) -> list[ScoreLine]:
    """Every score of a session by seat: the preview of a release."""
    statement = (
        select(Score, Sitting, Booking, Person.name)
        .join(Sitting, col(Sitting.id) == Score.sitting_id)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .join(Person, col(Person.id) == Sitting.person_id)
        .where(Booking.exam_session_id == exam_session_id)
        .order_by(col(Booking.seat_no))
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


async def release_scores(session: AsyncSession, *, exam_session_id: UUID, actor_id: UUID, now: datetime) -> int:
    """Release every provisional score of a session and settle the applications. Gives how many.

    Withheld and void scores stay as they are; asked again, there is nothing left to do.
    """
    statement = (
        select(Score, Sitting, Application)
        .join(Sitting, col(Sitting.id) == Score.sitting_id)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .join(Application, col(Application.id) == Booking.application_id)
        .where(Booking.exam_session_id == exam_session_id, Score.state == ScoreState.PROVISIONAL)
        .order_by(col(Application.id))
        .with_for_update(of=(Application, Score))
        .execution_options(populate_existing=True)
    )
    rows = (await session.exec(statement)).all()
    # Handed in after an item was decided on: what is released is what was decided.
    await apply_rulings(session, [(score, sitting) for score, sitting, _ in rows], actor_id=actor_id, now=now)
    for score, sitting, application in rows:
        _release(score, actor_id=actor_id, now=now)
        session.add(score)
        await _settle(session, application, score, sitting, now=now)
        audit.record(session, action="score.released", target=("score", score.id), actor_id=actor_id, now=now)
    if rows:
        audit.record(
            session, action="session.scores_released", target=("exam_session", exam_session_id), actor_id=actor_id,
            now=now, count=len(rows),
        )  # fmt: skip
    await session.flush()
    return len(rows)


async def withhold_score(session: AsyncSession, *, score_id: UUID, actor_id: UUID, reason: str, now: datetime) -> None:
    """Keep a score back while a case is open (domain.md §4.4)."""
    reason = reason.strip()
    if not reason or len(reason) > _LONGEST_REASON:
        raise WithholdReason(most=_LONGEST_REASON, field="reason")
    score = await _lock_score(session, score_id)
    if score.state is ScoreState.WITHHELD:
        return
    if score.state is not ScoreState.PROVISIONAL:
        raise AlreadyReleased
    score.state, score.withheld_reason = ScoreState.WITHHELD, reason
    session.add(score)
    audit.record(
        session, action="score.withheld", target=("score", score.id), actor_id=actor_id, now=now, reason=reason
    )
    await session.flush()


async def lift_withholding(session: AsyncSession, *, score_id: UUID, actor_id: UUID, now: datetime) -> None:
    """The case is closed in the candidate's favour: provisional again, to be released with the next list."""
    score = await _lock_score(session, score_id)
    if score.state is not ScoreState.WITHHELD:
        return
    score.state, score.withheld_reason = ScoreState.PROVISIONAL, ""
    session.add(score)
    audit.record(session, action="score.withholding_lifted", target=("score", score.id), actor_id=actor_id, now=now)
    await session.flush()


async def list_own_scores(session: AsyncSession, *, person_id: UUID) -> Sequence[Score]:
    """The scores of one's certificate exams, the newest first."""
    statement = (
        select(Score)
        .join(Sitting, col(Sitting.id) == Score.sitting_id)
        .where(Sitting.person_id == person_id, col(Sitting.booking_id).is_not(None))
        .order_by(col(Score.marked_at).desc())
    )
    return (await session.exec(statement)).all()


def _release(score: Score, *, actor_id: UUID, now: datetime) -> None:
    score.state, score.released_at, score.released_by = ScoreState.RELEASED, now, actor_id


async def _settle(
    session: AsyncSession, application: Application, score: Score, sitting: Sitting, *, now: datetime
) -> None:
    """What a released theory score means for its application: passed, a resit, or the end (30号令 art. 13)."""
    if application.status is not ApplicationStatus.ACCEPTED:
        return
    application.theory_attempts += 1
    if score.passed:
        application.theory_passed_on = china_date(sitting.submitted_at or now)
        qualification = await session.get_one(Qualification, application.qualification_code)
        if not qualification.needs_practical or application.practical_passed_on is not None:
            _end(session, application, ApplicationStatus.PASSED, now=now)
    elif application.theory_attempts > await get_number(session, "so.resit.max", on=china_date(now)):
        _end(session, application, ApplicationStatus.FAILED, now=now)
    session.add(application)


def _end(session: AsyncSession, application: Application, status: ApplicationStatus, *, now: datetime) -> None:
    application.status = status
    audit.record(
        session, action=f"application.{status.lower()}", target=("application", application.id), actor_id=None, now=now
    )


async def _lock_score(session: AsyncSession, score_id: UUID) -> Score:
    """A certificate exam's score; an enterprise's own exam is none of the authority's."""
    statement = (
        select(Score)
        .join(Sitting, col(Sitting.id) == Score.sitting_id)
        .where(Score.id == score_id, col(Sitting.booking_id).is_not(None))
        .with_for_update(of=Score)
        .execution_options(populate_existing=True)
    )
    score = (await session.exec(statement)).one_or_none()
    if score is None:
        raise NotFound
    return score

"""Scores: provisional when marked, under review, then released or withheld, and what a release settles."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sqlmodel import col, select

from exams.models import Application, ApplicationStatus, Booking, Qualification, Score, ScoreState, Sitting
from exams.remarking import apply_rulings
from training import audit
from training.calendar import china_date
from training.errors import N_, BadInput, Conflict, NotFound
from training.notices import NoticeKind, notify
from training.rules import get_number

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

_LONGEST_REASON = 500


class AlreadyReleased(Conflict):
    """What candidates were told stands until a regrade."""

    message = N_("成绩已经公布，不能再暂缓。如需更正，请按成绩复核程序办理。")


class WithholdReason(BadInput):
    """A score is withheld for a reason that the candidate is told."""

    message = N_("请写明暂缓公布成绩的原因，不超过 {most} 个字。")


class NothingChosen(BadInput):
    """A review of selected scores without any."""

    message = N_("没有选中待审的成绩。请勾选要开始审核的考生，或选择审核全部。")


async def begin_review(
    session: AsyncSession,
    *,
    exam_session_id: UUID,
    actor_id: UUID,
    now: datetime,
    score_ids: Collection[UUID] | None = None,
) -> int:
    """Take a session's provisional scores, or the chosen ones of them, under review. Gives how many.

    What is looked at is what was decided: they are marked by the decisions that stand. Asked
    again, there is nothing left to do. Raises `NothingChosen` for an empty choice.
    """
    if score_ids is not None and not score_ids:
        raise NothingChosen(field="score_ids")
    rows = await _lock_scores(session, exam_session_id, ScoreState.PROVISIONAL, score_ids)
    await apply_rulings(session, [(score, sitting) for score, sitting, _ in rows], actor_id=actor_id, now=now)
    for score, _, _ in rows:
        score.state, score.review_began_at, score.reviewed_by = ScoreState.UNDER_REVIEW, now, actor_id
        session.add(score)
        audit.record(session, action="score.review_began", target=("score", score.id), actor_id=actor_id, now=now)
    if rows:
        audit.record(
            session, action="session.review_began", target=("exam_session", exam_session_id), actor_id=actor_id,
            now=now, count=len(rows),
        )  # fmt: skip
    await session.flush()
    return len(rows)


async def release_scores(session: AsyncSession, *, exam_session_id: UUID, actor_id: UUID, now: datetime) -> int:
    """Release every score of a session that is under review and settle the applications. Gives how many.

    Provisional, withheld and void scores stay as they are; asked again, there is nothing left to do.
    """
    rows = await _lock_scores(session, exam_session_id, ScoreState.UNDER_REVIEW)
    # An item may have been decided on since the review began: what is released is what was decided.
    await apply_rulings(session, [(score, sitting) for score, sitting, _ in rows], actor_id=actor_id, now=now)
    for score, sitting, application in rows:
        score.state, score.released_at, score.released_by = ScoreState.RELEASED, now, actor_id
        session.add(score)
        await _settle(session, application, score, sitting, now=now)
        audit.record(session, action="score.released", target=("score", score.id), actor_id=actor_id, now=now)
        notify(
            session, [sitting.person_id], NoticeKind.SCORE_RELEASED, now=now, link=f"/sittings/{sitting.id}/result",
            title=await _title(session, application), points=score.points, total=score.total, passed=score.passed,
        )  # fmt: skip
    if rows:
        audit.record(
            session, action="session.scores_released", target=("exam_session", exam_session_id), actor_id=actor_id,
            now=now, count=len(rows),
        )  # fmt: skip
    await session.flush()
    return len(rows)


async def withhold_score(session: AsyncSession, *, score_id: UUID, actor_id: UUID, reason: str, now: datetime) -> None:
    """Keep a score back while a case is open (domain.md §4.4); the candidate is told why."""
    reason = reason.strip()
    if not reason or len(reason) > _LONGEST_REASON:
        raise WithholdReason(most=_LONGEST_REASON, field="reason")
    score, sitting, application = await _lock_score(session, score_id)
    if score.state is ScoreState.WITHHELD:
        return
    if score.state not in {ScoreState.PROVISIONAL, ScoreState.UNDER_REVIEW}:
        raise AlreadyReleased
    score.state, score.withheld_reason = ScoreState.WITHHELD, reason
    session.add(score)
    audit.record(
        session, action="score.withheld", target=("score", score.id), actor_id=actor_id, now=now, reason=reason
    )
    notify(
        session, [sitting.person_id], NoticeKind.SCORE_WITHHELD, now=now, link=f"/sittings/{sitting.id}/result",
        title=await _title(session, application), reason=reason,
    )  # fmt: skip
    await session.flush()


async def lift_withholding(session: AsyncSession, *, score_id: UUID, actor_id: UUID, now: datetime) -> None:
    """The case is closed in the candidate's favour: where it was before, to be released with the next list."""
    score, _, _ = await _lock_score(session, score_id)
    if score.state is not ScoreState.WITHHELD:
        return
    score.state = ScoreState.PROVISIONAL if score.review_began_at is None else ScoreState.UNDER_REVIEW
    score.withheld_reason = ""
    session.add(score)
    audit.record(session, action="score.withholding_lifted", target=("score", score.id), actor_id=actor_id, now=now)
    await session.flush()


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


async def _title(session: AsyncSession, application: Application) -> str:
    return (await session.get_one(Qualification, application.qualification_code)).name


async def _lock_scores(
    session: AsyncSession, exam_session_id: UUID, state: ScoreState, score_ids: Collection[UUID] | None = None
) -> Sequence[tuple[Score, Sitting, Application]]:
    """The applications first, as everywhere; of a session in one state, or the chosen ones of them."""
    statement = (
        select(Score, Sitting, Application)
        .join(Sitting, col(Sitting.id) == Score.sitting_id)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .join(Application, col(Application.id) == Booking.application_id)
        .where(Booking.exam_session_id == exam_session_id, Score.state == state)
        .order_by(col(Application.id))
        .with_for_update(of=(Application, Score))
        .execution_options(populate_existing=True)
    )
    if score_ids is not None:
        statement = statement.where(col(Score.id).in_(score_ids))
    return (await session.exec(statement)).all()


async def _lock_score(session: AsyncSession, score_id: UUID) -> tuple[Score, Sitting, Application]:
    """A certificate exam's score; an enterprise's own exam is none of the authority's."""
    statement = (
        select(Score, Sitting, Application)
        .join(Sitting, col(Sitting.id) == Score.sitting_id)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .join(Application, col(Application.id) == Booking.application_id)
        .where(Score.id == score_id)
        .with_for_update(of=Score)
        .execution_options(populate_existing=True)
    )
    row = (await session.exec(statement)).one_or_none()
    if row is None:
        raise NotFound
    return row

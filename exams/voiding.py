"""Voiding a sitting: by the authority alone, with a reason, before its score is released."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from exams.models import (
    Application,
    Booking,
    BookingStatus,
    ExamSession,
    Qualification,
    Score,
    ScoreState,
    SessionStatus,
    Sitting,
    SittingStatus,
)
from exams.sitting_states import UNDER_WAY, SittingAct
from exams.sittings import check_reason, take_step, tell_candidates
from training import audit
from training.errors import N_, Conflict, NotFound
from training.notices import NoticeKind, notify

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession


class ScoreIsOut(Conflict):
    """What candidates were told is changed by a regrade, an appeal or a revocation, not by voiding."""

    message = N_("成绩已经公布，不能再将这次考试作废。如需更正，请按成绩复核或证书撤销程序办理。")


class TooLateToSitAgain(Conflict):
    """The session in which the candidate would sit again is over."""

    message = N_("本场考试已经结束，不能在本场重考。请取消“允许在本场重考”，考生可以另行预约。")


async def void_sitting(
    session: AsyncSession,
    *,
    sitting_id: UUID,
    actor_id: UUID,
    reason: str,
    now: datetime,
    may_sit_again: bool = False,
) -> None:
    """Void a sitting of a certificate exam in whatever state, and its score. Void already, nothing changes.

    With `may_sit_again` the candidate, who is checked in still, may begin a new one in the same session.
    Raises `NotFound`, `ScoreIsOut`, `TooLateToSitAgain`.
    """
    reason = check_reason(reason)
    statement = select(Sitting).where(Sitting.id == sitting_id, col(Sitting.booking_id).is_not(None))
    locked = statement.with_for_update().execution_options(populate_existing=True)
    sitting = (await session.exec(locked)).one_or_none()
    if sitting is None:
        raise NotFound
    if sitting.status is SittingStatus.VOID:
        return
    await _void_score(session, sitting, actor_id=actor_id, reason=reason, now=now)
    await _leave_seat(session, sitting, may_sit_again=may_sit_again, now=now)
    was = sitting.status
    if was in UNDER_WAY:
        ended_at = now if was is SittingStatus.PAUSED else min(now, sitting.deadline)
        sitting.submitted_at, sitting.paused_at = ended_at, None
    take_step(
        session, sitting, SittingAct.VOIDED, actor_id=actor_id, reason=reason, now=now, was={"status": was.value},
        may_sit_again=may_sit_again,
    )  # fmt: skip
    await tell_candidates(session, [sitting.id])


async def _void_score(session: AsyncSession, sitting: Sitting, *, actor_id: UUID, reason: str, now: datetime) -> None:
    statement = select(Score).where(Score.sitting_id == sitting.id).with_for_update()
    score = (await session.exec(statement.execution_options(populate_existing=True))).one_or_none()
    if score is None or score.state is ScoreState.VOID:
        return
    if score.state is ScoreState.RELEASED:
        raise ScoreIsOut
    was, score.state, score.withheld_reason = score.state, ScoreState.VOID, reason
    session.add(score)
    booking = await session.get_one(Booking, sitting.booking_id)
    application = await session.get_one(Application, booking.application_id)
    qualification = await session.get_one(Qualification, application.qualification_code)
    notify(
        session, [sitting.person_id], NoticeKind.SCORE_VOID, now=now, link=f"/sittings/{sitting.id}/result",
        title=qualification.name, reason=reason,
    )  # fmt: skip
    audit.record(
        session, action="score.voided", target=("score", score.id), actor_id=actor_id, now=now,
        was={"state": was.value}, reason=reason,
    )  # fmt: skip


async def _leave_seat(session: AsyncSession, sitting: Sitting, *, may_sit_again: bool, now: datetime) -> None:
    booking = await session.get_one(Booking, sitting.booking_id, with_for_update=True, populate_existing=True)
    exam_session = await session.get_one(ExamSession, booking.exam_session_id, populate_existing=True)
    is_held = exam_session.status in (SessionStatus.PLANNED, SessionStatus.RUNNING) and now < exam_session.ends_at
    if may_sit_again and not is_held:
        raise TooLateToSitAgain(field="may_sit_again")
    booking.status = BookingStatus.CHECKED_IN if may_sit_again else BookingStatus.DONE
    session.add(booking)

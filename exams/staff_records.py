"""What an enterprise exam leaves in the training records of those who passed it, and after a regrade."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from exams.models import EnterpriseExam
from question_bank.queries import get_drawn_blueprint
from training.calendar import china_date
from training.models import TrainingMode
from training.records import Correction, NewRecord, add_record, correct_record, find_post, find_record

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.marking import Mark
    from exams.models import Sitting


async def record_pass(
    session: AsyncSession,
    *,
    sitting: Any,  # noqa: ANN401 - a Sitting or a row of its columns
    mark: Mark,
    ended_at: datetime,
    now: datetime,
) -> None:
    """A passed enterprise exam is training with a result: 时间·人员·内容·效果."""
    exam = await session.get_one(EnterpriseExam, sitting.enterprise_exam_id)
    post = await find_post(
        session, person_id=sitting.person_id, on=china_date(ended_at), organisation_id=exam.organisation_id
    )
    new = NewRecord(
        person_id=sitting.person_id,
        mode=TrainingMode.ONLINE,
        title=exam.title,
        content=(await get_drawn_blueprint(session, sitting.blueprint_id)).name,
        started_at=sitting.started_at,
        ended_at=ended_at,
        class_hours=Decimal(0),
        passed=True,
        organisation_id=exam.organisation_id,
        provider_id=exam.organisation_id,
        category=post.category,
        post=post.post,
        assessment=_assessment(mark),
        evidence={"sitting_id": str(sitting.id)},
    )
    await add_record(session, new=new, created_by=None, now=now)


async def follow_score(
    session: AsyncSession, *, sitting: Sitting, mark: Mark, reason: str, actor_id: UUID, now: datetime
) -> None:
    """Let the training record follow a score that was changed: a new pass gets one, a standing one is corrected.

    Records are never taken away: one that rests on a pass which is none any more says so from now on.
    """
    record = await find_record(session, person_id=sitting.person_id, evidence={"sitting_id": str(sitting.id)})
    if record is not None:
        correction = Correction(reason=reason, passed=mark.passed, assessment=_assessment(mark))
        await correct_record(session, record_id=record.id, correction=correction, actor_id=actor_id, now=now)
    elif mark.passed:
        await record_pass(session, sitting=sitting, mark=mark, ended_at=sitting.submitted_at or now, now=now)


def _assessment(mark: Mark) -> str:
    return f"在线考试 {mark.points}/{mark.total}"

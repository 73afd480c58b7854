"""The authority's monthly exam plans, published in advance (104号 art. 11, 30号令 art. 12)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from exams.errors import BadPeriod
from exams.models import ExamPlan
from training import audit
from training.errors import N_, BadInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession


async def make_plan(
    session: AsyncSession,
    *,
    authority_id: UUID,
    title: str,
    starts_on: date,
    ends_on: date,
    actor_id: UUID,
    now: datetime,
) -> ExamPlan:
    """Draft a plan; asked again with the same title and days it gives that one. Raises `BadPeriod`."""
    title = title.strip()[:200]
    if not title:
        raise BadInput(N_("请填写计划名称。"), field="title")
    if ends_on < starts_on:
        raise BadPeriod(field="ends_on")
    statement = select(ExamPlan).where(
        ExamPlan.authority_id == authority_id,
        ExamPlan.title == title,
        ExamPlan.starts_on == starts_on,
        ExamPlan.ends_on == ends_on,
    )
    if known := (await session.exec(statement)).first():
        return known
    plan = ExamPlan(
        authority_id=authority_id, title=title, starts_on=starts_on, ends_on=ends_on, created_by=actor_id,
        created_at=now,
    )  # fmt: skip
    session.add(plan)
    await session.flush()
    audit.record(session, action="exam_plan.made", target=("exam_plan", plan.id), actor_id=actor_id, now=now)
    return plan


async def publish_plan(
    session: AsyncSession, *, plan_id: UUID, authority_id: UUID, actor_id: UUID, now: datetime
) -> ExamPlan:
    """Publish a plan; sites can then open batch sessions within its days."""
    plan = await session.get(ExamPlan, plan_id, with_for_update=True)
    if plan is None or plan.authority_id != authority_id:
        raise NotFound
    if plan.published_at is None:
        plan.published_at = now
        session.add(plan)
        await session.flush()
        audit.record(session, action="exam_plan.published", target=("exam_plan", plan.id), actor_id=actor_id, now=now)
    return plan


async def list_plans(session: AsyncSession, *, authority_id: UUID | None = None) -> Sequence[ExamPlan]:
    """An authority's plans, drafts too; without one, every published plan. The latest first."""
    statement = select(ExamPlan).order_by(col(ExamPlan.starts_on).desc(), col(ExamPlan.created_at).desc())
    if authority_id is None:
        statement = statement.where(col(ExamPlan.published_at).is_not(None))
    else:
        statement = statement.where(ExamPlan.authority_id == authority_id)
    return (await session.exec(statement)).all()


async def find_plan_for(session: AsyncSession, *, plan_id: UUID, day: date) -> ExamPlan | None:
    """The plan, if it is published and covers the day."""
    plan = await session.get(ExamPlan, plan_id)
    if plan is None or plan.published_at is None or not plan.starts_on <= day <= plan.ends_on:
        return None
    return plan

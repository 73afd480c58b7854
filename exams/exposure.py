"""How often items came on the latest papers, and which of them rest for it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import cast, func
from sqlalchemy.dialects.postgresql import JSONPATH, insert
from sqlmodel import col, delete, select

from exams.dealing import load_stock
from exams.models import RestingItem, Sitting, SittingStatus
from exams.paper_bank import overexposed
from exams.papers import BankTooSmall
from question_bank.models import Blueprint
from question_bank.queries import list_blueprints
from training.calendar import china_date
from training.rules import get_number

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from question_bank.queries import BlueprintView

_LATEST = 1000  # papers; older ones are forgotten by candidates too


async def rest_tired_items(session: AsyncSession, *, now: datetime) -> int:
    """Let the items rest that came on too many of each blueprint's latest papers, and wake those that have rested.

    Gives how many changed.
    """
    ceiling = await get_number(session, "paper.exposure.percent", on=china_date(now))
    changed = 0
    for blueprint in await list_blueprints(session):
        tired = await _find_tired(session, blueprint, ceiling=ceiling, now=now)
        changed += await _let_rest(session, blueprint.code, tired, now=now)
    return changed


async def _find_tired(
    session: AsyncSession, blueprint: BlueprintView, *, ceiling: int, now: datetime
) -> frozenset[UUID]:
    latest = (
        select(Sitting.paper)
        .join(Blueprint, col(Blueprint.id) == Sitting.blueprint_id)
        .where(Blueprint.code == blueprint.code, Sitting.status != SittingStatus.VOID)
        .order_by(col(Sitting.started_at).desc())
        .limit(_LATEST)
        .subquery()
    )
    papers = (await session.exec(select(func.count()).select_from(latest))).one()
    if not papers:
        return frozenset()
    asked = select(
        func.jsonb_array_elements_text(
            func.jsonb_path_query_array(latest.c.paper, cast("$[*].revision", JSONPATH))
        ).label("revision")
    ).subquery()
    counted = (await session.exec(select(asked.c.revision, func.count()).group_by(asked.c.revision))).all()
    try:
        stock = await load_stock(session, blueprint, now=now)
    except BankTooSmall:
        return frozenset()
    return overexposed(
        stock.bank, {UUID(revision): count for revision, count in counted}, papers=papers, ceiling_percent=ceiling,
        local_percent=stock.limits.local_percent,
    )  # fmt: skip


async def _let_rest(session: AsyncSession, code: str, tired: frozenset[UUID], *, now: datetime) -> int:
    known = set((await session.exec(select(RestingItem.revision_id).where(RestingItem.blueprint_code == code))).all())
    if woken := known - tired:
        await session.exec(
            delete(RestingItem).where(col(RestingItem.blueprint_code) == code, col(RestingItem.revision_id).in_(woken))
        )
    if new := sorted(tired - known):
        rows = [{"blueprint_code": code, "revision_id": revision_id, "since": now} for revision_id in new]
        # Another worker may have counted in the same instant.
        await session.exec(insert(RestingItem).values(rows).on_conflict_do_nothing())
    return len(woken) + len(new)

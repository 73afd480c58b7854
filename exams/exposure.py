"""How often items came on the latest papers, and which of them rest for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy
from sqlalchemy import bindparam, cast, func, true
from sqlalchemy.dialects.postgresql import JSONPATH, insert
from sqlmodel import col, delete, select

from exams.dealing import latest_paper, load_stock
from exams.models import Booking, BookingStatus, RestingItem, Sitting, SittingStatus
from exams.paper_bank import overexposed
from exams.papers import BankTooSmall
from question_bank.models import Blueprint
from question_bank.queries import list_blueprints
from training.calendar import china_date
from training.prepared import run
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
    return sum([await rest_tired_of(session, blueprint, now=now) for blueprint in await list_blueprints(session)])


async def rest_tired_of(session: AsyncSession, blueprint: BlueprintView, *, now: datetime) -> int:
    """The same for one blueprint."""
    ceiling = blueprint.exposure_percent
    if ceiling is None:
        ceiling = await get_number(session, "paper.exposure.percent", on=china_date(now))
    tired = await _find_tired(session, blueprint, ceiling=ceiling, now=now)
    return await _let_rest(session, blueprint.code, tired, now=now)


def _latest_papers() -> Any:  # noqa: ANN401 - an SQL expression
    """Those that were sat, and those that lie ready for somebody who has not begun; the parameter is `code`."""
    sat: Any = (
        select(Sitting.paper, col(Sitting.started_at).label("at"))
        .join(Blueprint, col(Blueprint.id) == Sitting.blueprint_id)
        .where(Blueprint.code == bindparam("code"), Sitting.status != SittingStatus.VOID)
        .order_by(col(Sitting.started_at).desc())
        .limit(_LATEST)
    )
    sits = select(Sitting.id).where(Sitting.booking_id == Booking.id, Sitting.status != SittingStatus.VOID)
    paper = latest_paper(Booking.id)
    ready = (
        select(paper.c.paper, paper.c.drawn_at.label("at"))
        .select_from(Booking)
        .join(paper, true())
        .join(Blueprint, col(Blueprint.id) == paper.c.blueprint_id)
        .where(
            Blueprint.code == bindparam("code"),
            col(Booking.status).in_((BookingStatus.BOOKED, BookingStatus.CHECKED_IN)),
            ~sits.correlate(Booking).exists(),
        )
    )
    both = sqlalchemy.union_all(sat, ready).subquery()
    return select(both.c.paper).order_by(both.c.at.desc()).limit(_LATEST).subquery()


_LATEST_PAPERS = _latest_papers()
_PAPERS = select(func.count()).select_from(_LATEST_PAPERS)
_ASKED = select(
    func.jsonb_array_elements_text(
        func.jsonb_path_query_array(_LATEST_PAPERS.c.paper, cast("$[*].revision", JSONPATH))
    ).label("revision")
).subquery()
_COUNTED = select(_ASKED.c.revision, func.count()).group_by(_ASKED.c.revision)


async def _find_tired(
    session: AsyncSession, blueprint: BlueprintView, *, ceiling: int, now: datetime
) -> frozenset[UUID]:
    papers = (await run(session, _PAPERS, code=blueprint.code)).scalar_one()
    if not papers:
        return frozenset()
    counted = (await run(session, _COUNTED, code=blueprint.code)).all()
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

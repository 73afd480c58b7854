"""Dealing a paper again from its seed, from the bank and the ratings as they were when it was dealt first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy
from sqlalchemy import func
from sqlmodel import col, or_, select

from exams.equating import ALGORITHM as EQUATED
from exams.equating import Limits, equate_paper
from exams.models import DrawnPaper, Sitting, SittingEvent
from exams.paper_bank import prepare
from exams.papers import ALGORITHM as DRAWN
from exams.papers import BankTooSmall, draw_paper, paper_items
from exams.sittings import STARTED
from question_bank.difficulty import PRIOR_RULES, Difficulty, Priors, make_ratings
from question_bank.models import DifficultySource, Item, ItemDifficulty, ItemRevision
from question_bank.queries import Pool, PoolItem, get_blueprint_version, pool_digest
from training.calendar import china_date
from training.models import AuditEntry
from training.rules import get_number, get_rules

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.paper_bank import Bank
    from question_bank.difficulty import Ratings
    from question_bank.queries import BlueprintView

_SOURCES = list(DifficultySource)
_THOUSAND = 1000


@dataclass(frozen=True, slots=True)
class Redealt:
    """The paper as a sitting would store it, or None with the reason why it cannot be dealt again."""

    paper: list[dict[str, Any]] | None
    obstacle: str = ""


async def deal_again(session: AsyncSession, sitting: Sitting) -> Redealt:
    """Deal a sitting's paper anew from what is kept, and from nothing that came later.

    A paper that was made ahead is dealt as of then.
    """
    detail = await _first_detail(session, sitting)
    at = sitting.started_at
    if "drawn_paper" in detail:
        drawn = await session.get(DrawnPaper, UUID(str(detail["drawn_paper"])))
        if drawn is None or drawn.booking_id != sitting.booking_id:
            return Redealt(None, f"the paper {detail['drawn_paper']} was not made for this booking")
        at = drawn.drawn_at
    blueprint = await get_blueprint_version(session, sitting.blueprint_id)
    pool, revision_of = await _pool_at(session, blueprint.code, at=at)
    if pool.digest != sitting.bank_digest.hex():
        return Redealt(None, f"the bank of that instant has the digest {pool.digest}, not the stored one")
    try:
        if sitting.algorithm == DRAWN:
            percent = await get_number(session, "paper.local_percent", on=china_date(at))
            paper = draw_paper(pool.items, blueprint.cells, seed=sitting.seed, local_percent=percent)
            return Redealt(paper.stored())
        if sitting.algorithm == EQUATED:
            return await _equate_again(session, sitting.seed, detail, blueprint, pool, revision_of, at=at)
    except BankTooSmall as error:
        return Redealt(None, str(error))
    return Redealt(None, f"no algorithm is called {sitting.algorithm!r}")


async def _first_detail(session: AsyncSession, sitting: Sitting) -> dict[str, Any]:
    statement = select(SittingEvent.detail).where(SittingEvent.sitting_id == sitting.id, SittingEvent.kind == STARTED)
    return dict((await session.exec(statement)).first() or {})


async def _equate_again(
    session: AsyncSession,
    seed: int,
    detail: dict[str, Any],
    blueprint: BlueprintView,
    pool: Pool,
    revision_of: dict[UUID, UUID],
    *,
    at: datetime,
) -> Redealt:
    if "limits" not in detail:
        return Redealt(None, "the first event does not say within what limits the paper was equated")
    ratings = await _ratings_at(session, pool, revision_of, at=at)
    if ratings.digest != detail["ratings"]:
        return Redealt(None, f"the ratings of that instant have the digest {ratings.digest}, not the stored one")
    neighbours = []
    for paper_id in detail["beside"]:
        paper = await _find_paper(session, UUID(str(paper_id)))
        if paper is None:
            return Redealt(None, f"the neighbour's paper {paper_id} is gone")
        neighbours.append({item.revision_id for item in paper_items(paper)})
    done = equate_paper(
        _bank_of(blueprint, pool, ratings),
        seed=seed,
        limits=Limits(**detail["limits"]),
        resting=[UUID(revision_id) for revision_id in detail.get("resting", ())],
        neighbours=neighbours,
    )
    return Redealt(done.paper.stored())


async def _find_paper(session: AsyncSession, paper_id: UUID) -> list[dict[str, Any]] | None:
    """The paper of a neighbour's sitting, or the one that lay ready for the neighbour."""
    if sat := await session.get(Sitting, paper_id):
        return sat.paper
    drawn = await session.get(DrawnPaper, paper_id)
    return drawn.paper if drawn else None


def _bank_of(blueprint: BlueprintView, pool: Pool, ratings: Ratings) -> Bank:
    cut = -(-blueprint.pass_score // blueprint.points_per_item)
    return prepare(
        pool.items, ratings.difficulties, blueprint.cells, cut=cut, enemies=ratings.enemies, target=blueprint.target
    )


async def _pool_at(session: AsyncSession, subject: str, *, at: datetime) -> tuple[Pool, dict[UUID, UUID]]:
    """The bank as it was: published by then and not yet retired; with the revision of each item."""
    # sqlmodel types `select` for four columns at most.
    statement: Any = (
        sqlalchemy.select(
            col(ItemRevision.item_id), col(ItemRevision.id), col(ItemRevision.area), col(ItemRevision.type),
            col(ItemRevision.level), col(ItemRevision.key_point), col(ItemRevision.is_local),
            func.jsonb_array_length(ItemRevision.options),
        )
        .join(Item, col(Item.id) == ItemRevision.item_id)
        .where(
            col(Item.subject) == subject,
            col(ItemRevision.published_at) <= at,
            or_(col(ItemRevision.retired_at).is_(None), col(ItemRevision.retired_at) > at),
        )
    )  # fmt: skip
    rows = (await session.exec(statement)).all()
    items = tuple(sorted((PoolItem(*row[1:]) for row in rows), key=lambda item: item.revision_id.bytes))
    digest = pool_digest(item.revision_id for item in items)
    return Pool(subject=subject, items=items, digest=digest), {row[0]: row[1] for row in rows}


async def _ratings_at(session: AsyncSession, pool: Pool, revision_of: dict[UUID, UUID], *, at: datetime) -> Ratings:
    """What was known of the items then: estimates are only ever added."""
    rules = await get_rules(session, PRIOR_RULES, on=china_date(at))
    statement = select(ItemDifficulty).where(ItemDifficulty.subject == pool.subject, ItemDifficulty.at <= at)
    rows = sorted((await session.exec(statement)).all(), key=lambda row: (_SOURCES.index(row.source), row.at))
    known = {row.revision_id: Difficulty(int(row.b * _THOUSAND), int(row.se * _THOUSAND), row.source) for row in rows}
    return make_ratings(pool.items, known, Priors.read(rules), await _enemies_at(session, revision_of, at=at))


async def _enemies_at(
    session: AsyncSession, revision_of: dict[UUID, UUID], *, at: datetime
) -> tuple[tuple[UUID, UUID], ...]:
    """Pairs that were enemies then, from the audit log: the table forgets those that were made up again."""
    statement = (
        select(AuditEntry)
        .where(AuditEntry.action == "item.enemies_set", AuditEntry.at <= at)
        .order_by(col(AuditEntry.at), col(AuditEntry.id))
    )
    last = {
        (UUID(entry.target_id), UUID(str(entry.detail["other"]))): bool(entry.detail["are_enemies"])
        for entry in (await session.exec(statement)).all()
    }
    return tuple(
        (revision_of[first], revision_of[second])
        for (first, second), are_enemies in last.items()
        if are_enemies and first in revision_of and second in revision_of
    )

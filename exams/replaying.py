"""Counting a sitting again: the paper dealt anew from its seed, the marks from the stored answers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy
from sqlalchemy import func
from sqlmodel import col, or_, select

from exams.answers import list_events
from exams.equating import ALGORITHM as EQUATED
from exams.equating import Limits, equate_paper
from exams.marking import Mark, last_choices
from exams.models import Score, Sitting, SittingEvent
from exams.paper_bank import prepare
from exams.papers import ALGORITHM as DRAWN
from exams.papers import BankTooSmall, draw_paper, paper_items
from exams.regrading import mark_again
from exams.rulings import Ruling, earns, list_rulings
from exams.sittings import STARTED
from question_bank.difficulty import PRIOR_RULES, Priors, load_ratings
from question_bank.models import Item, ItemRevision, ItemType
from question_bank.queries import BlueprintView, Pool, PoolItem, get_blueprint_version, list_revisions, pool_digest
from training.calendar import china_date
from training.rules import get_rules

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession


class Redealt(StrEnum):
    """Whether the paper's seed deals the stored paper again."""

    SAME = "SAME"
    DIFFERENT = "DIFFERENT"
    NOT_POSSIBLE = "NOT_POSSIBLE"


@dataclass(frozen=True, slots=True)
class CountedItem:
    """One position as counted. `shown` are the letters as the candidate saw them."""

    position: int
    code: str
    revision_id: UUID
    type: ItemType
    shown: str
    changes: int
    is_right: bool
    ruling: Ruling | None


@dataclass(frozen=True, slots=True)
class Recount:
    """A score counted again. `acts` is the number of stored answer events."""

    redealt: Redealt
    algorithm: str
    seed: int
    acts: int
    answered: int
    right: int
    mark: Mark
    agrees: bool
    items: tuple[CountedItem, ...]

    def stored(self) -> dict[str, Any]:
        """What an answer to an appeal keeps of it."""
        return {
            "redealt": self.redealt.value, "algorithm": self.algorithm, "acts": self.acts, "answered": self.answered,
            "right": self.right, "points": str(self.mark.points), "total": str(self.mark.total),
            "cut_score": str(self.mark.cut_score), "agrees": self.agrees,
        }  # fmt: skip


async def recount(session: AsyncSession, *, sitting: Sitting, score: Score) -> Recount:
    """Count a handed-in sitting again from what was stored, by the keys and decisions in force now.

    What is marked is the stored paper, which the database keeps from change; dealing it anew
    from the seed proves that it is the one that was due.
    """
    events = await list_events(session, sitting.id)
    choices = last_choices((event.seq, event.position, event.choice) for event in events)
    rulings = await list_rulings(session)
    paper = paper_items(sitting.paper)
    revisions = await list_revisions(session, [item.revision_id for item in paper])
    items = []
    for position, item in enumerate(paper, start=1):
        text, ruling, shown = revisions[item.revision_id], rulings.get(item.revision_id), choices.get(position, "")
        acts = sum(event.position == position for event in events)
        is_right = earns(item, text, shown, ruling)
        items.append(CountedItem(position, text.code, text.id, text.type, shown, acts, is_right, ruling))
    mark = await mark_again(session, sitting, choices, rulings)
    return Recount(
        redealt=await _redeal(session, sitting),
        algorithm=sitting.algorithm,
        seed=sitting.seed,
        acts=len(events),
        answered=mark.answered,
        right=mark.right,
        mark=mark,
        agrees=(mark.points, mark.total, mark.cut_score) == (score.points, score.total, score.cut_score),
        items=tuple(items),
    )


async def _redeal(session: AsyncSession, sitting: Sitting) -> Redealt:
    blueprint = await get_blueprint_version(session, sitting.blueprint_id)
    pool = await _pool_at(session, blueprint.code, at=sitting.started_at)
    if pool.digest != sitting.bank_digest.hex():
        return Redealt.NOT_POSSIBLE
    try:
        dealt = await _deal_again(session, sitting, blueprint, pool)
    except BankTooSmall:
        return Redealt.NOT_POSSIBLE
    if dealt is None:
        return Redealt.NOT_POSSIBLE
    return Redealt.SAME if dealt == sitting.paper else Redealt.DIFFERENT


async def _deal_again(
    session: AsyncSession, sitting: Sitting, blueprint: BlueprintView, pool: Pool
) -> list[dict[str, Any]] | None:
    if sitting.algorithm == DRAWN:
        return draw_paper(pool.items, blueprint.cells, seed=sitting.seed).stored()
    statement = select(SittingEvent.detail).where(SittingEvent.sitting_id == sitting.id, SittingEvent.kind == STARTED)
    detail = (await session.exec(statement)).first()
    if sitting.algorithm != EQUATED or not detail or "limits" not in detail:
        return None
    rules = await get_rules(session, PRIOR_RULES, on=china_date(sitting.started_at))
    ratings = await load_ratings(session, pool, priors=Priors.read(rules))
    if ratings.digest != detail["ratings"]:
        return None
    cut = -(-blueprint.pass_score // blueprint.points_per_item)
    bank = prepare(
        pool.items, ratings.difficulties, blueprint.cells, cut=cut, enemies=ratings.enemies, target=blueprint.target
    )
    done = equate_paper(
        bank,
        seed=sitting.seed,
        limits=Limits(**detail["limits"]),
        resting=[UUID(revision_id) for revision_id in detail.get("resting", ())],
        neighbours=await _papers_of(session, [UUID(sitting_id) for sitting_id in detail["beside"]]),
    )
    return done.paper.stored()


async def _papers_of(session: AsyncSession, sitting_ids: list[UUID]) -> list[frozenset[UUID]]:
    papers = []
    for sitting_id in sitting_ids:
        other = await session.get_one(Sitting, sitting_id)
        papers.append(frozenset(item.revision_id for item in paper_items(other.paper)))
    return papers


async def _pool_at(session: AsyncSession, subject: str, *, at: datetime) -> Pool:
    """The bank as it was at an instant: published by then, and not yet retired."""
    # sqlmodel types `select` for four columns at most.
    statement: Any = (
        sqlalchemy.select(
            col(ItemRevision.id), col(ItemRevision.area), col(ItemRevision.type), col(ItemRevision.level),
            col(ItemRevision.key_point), col(ItemRevision.is_local), func.jsonb_array_length(ItemRevision.options),
        )
        .join(Item, col(Item.id) == ItemRevision.item_id)
        .where(
            col(Item.subject) == subject,
            col(ItemRevision.published_at) <= at,
            or_(col(ItemRevision.retired_at).is_(None), col(ItemRevision.retired_at) > at),
        )
    )  # fmt: skip
    rows = (await session.exec(statement)).all()
    items = tuple(sorted((PoolItem(*row) for row in rows), key=lambda item: item.revision_id.bytes))
    return Pool(subject=subject, items=items, digest=pool_digest(item.revision_id for item in items))

"""Counting a sitting again: the paper dealt anew from its seed, the marks from the stored answers."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from exams.answers import list_events
from exams.chain import Chain, verify_chain
from exams.late_answers import count_late
from exams.marking import Mark, last_choices
from exams.models import Score, Sitting
from exams.papers import paper_items
from exams.redealing import deal_again
from exams.remarking import mark_again
from exams.rulings import Ruling, earns, list_rulings, points_by_ruling
from question_bank.models import ItemType
from question_bank.queries import get_blueprint_version, list_revisions

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession


class Redealt(StrEnum):
    """Whether the paper's seed deals the stored paper again."""

    SAME = "SAME"
    DIFFERENT = "DIFFERENT"
    NOT_POSSIBLE = "NOT_POSSIBLE"


@dataclass(frozen=True, slots=True)
class CountedItem:
    """One position as counted. `shown` are the letters as the candidate saw them; `points` what they earned."""

    position: int
    code: str
    revision_id: UUID
    type: ItemType
    shown: str
    changes: int
    is_right: bool
    points: Decimal
    ruling: Ruling | None


@dataclass(frozen=True, slots=True)
class Recount:
    """A score counted again. `acts` is the number of stored answer events, `late` of answers that do not count."""

    redealt: Redealt
    algorithm: str
    seed: int
    acts: int
    late: int
    chain: Chain
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
            "cut_score": str(self.mark.cut_score), "agrees": self.agrees, "late": self.late,
            "chain_head": self.chain.head.hex(), "chain_holds": self.chain.holds,
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
    blueprint = await get_blueprint_version(session, sitting.blueprint_id)
    each = Decimal(blueprint.points_per_item)
    items = []
    for position, item in enumerate(paper, start=1):
        text, ruling, shown = revisions[item.revision_id], rulings.get(item.revision_id), choices.get(position, "")
        acts = sum(event.position == position for event in events)
        is_right = earns(item, text, shown, ruling)
        points = points_by_ruling(item, text, shown, ruling, points=each, mc_rule=blueprint.mc_rule)
        items.append(CountedItem(position, text.code, text.id, text.type, shown, acts, is_right, points, ruling))
    mark = await mark_again(session, sitting, choices, rulings)
    return Recount(
        redealt=await _redeal(session, sitting),
        algorithm=sitting.algorithm,
        seed=sitting.seed,
        acts=len(events),
        late=await count_late(session, sitting.id),
        chain=verify_chain(sitting.id, events),
        answered=mark.answered,
        right=mark.right,
        mark=mark,
        agrees=(mark.points, mark.total, mark.cut_score) == (score.points, score.total, score.cut_score),
        items=tuple(items),
    )


async def _redeal(session: AsyncSession, sitting: Sitting) -> Redealt:
    paper = (await deal_again(session, sitting)).paper
    if paper is None:
        return Redealt.NOT_POSSIBLE
    return Redealt.SAME if paper == sitting.paper else Redealt.DIFFERENT

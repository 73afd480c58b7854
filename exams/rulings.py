"""Decisions on items that were found wrong: what they mean for a mark, and what the answers say of an item."""

from __future__ import annotations

import statistics
from collections import Counter
from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING
from uuid import UUID

import sqlalchemy
from sqlmodel import col

from exams.marking import Mark, Tally, count_answered, earned_points, is_right
from exams.models import Regrade, RegradeKind, RegradeStatus
from training.prepared import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.papers import PaperItem
    from question_bank.models import McRule
    from question_bank.queries import RevisionText

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Ruling:
    """What counts for one revision instead of its own key."""

    kind: RegradeKind
    key: str = ""
    regrade_id: UUID | None = None

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that earns the points; none where no key decides."""
        return tuple(self.key.split("|")) if self.kind in {RegradeKind.CHANGE_KEY, RegradeKind.ACCEPT_KEYS} else ()


@dataclass(frozen=True, slots=True)
class ItemFigures:
    """How an item did: the share that was right (p), and its correlation with the rest of the paper.

    `discrimination` is the point-biserial correlation with the points of the other items; None
    where everybody did alike.
    """

    takers: int
    right: int
    discrimination: float | None

    @property
    def p(self) -> float:
        """The share that was right, 0 to 1."""
        return self.right / self.takers if self.takers else 0.0


def earns(item: PaperItem, revision: RevisionText, choice: str, ruling: Ruling | None) -> bool:
    """Whether an answer earns the item's points."""
    if ruling is None:
        return is_right(item, revision.key, choice)
    if ruling.kind is RegradeKind.GIVE_ALL:
        return True
    return any(is_right(item, key, choice) for key in ruling.keys)


def points_by_ruling(
    item: PaperItem,
    revision: RevisionText,
    choice: str,
    ruling: Ruling | None,
    *,
    points: Decimal,
    mc_rule: McRule,
) -> Decimal:
    """What an answer earns of the item's points; in part only where the blueprint's `mc_rule` says so.

    Of several keys that earn, the one that is best for the candidate counts.
    """
    if earns(item, revision, choice, ruling):
        return points
    keys = (revision.key,) if ruling is None else ruling.keys
    return max(
        (earned_points(item, revision, key, choice, points=points, mc_rule=mc_rule) for key in keys),
        default=Decimal(0),
    )


def mark_by_rulings(
    paper: Sequence[PaperItem],
    revisions: Mapping[UUID, RevisionText],
    choices: Mapping[int, str],
    *,
    points_per_item: Decimal,
    cut_score: Decimal,
    mc_rule: McRule,
    rulings: Mapping[UUID, Ruling],
) -> Mark:
    """Mark a paper by what was decided since; without a ruling the same as `mark_paper`.

    A dropped item leaves the paper: the full score shrinks by it, and the cut score in the same
    proportion, rounded down to a hundredth, so that nobody fails by the rounding.
    """
    tally = Tally(points_per_item)
    for position, item in enumerate(paper, start=1):
        ruling = rulings.get(item.revision_id)
        if ruling is not None and ruling.kind is RegradeKind.DROP:
            continue
        revision, choice = revisions[item.revision_id], choices.get(position, "")
        earned = points_by_ruling(item, revision, choice, ruling, points=points_per_item, mc_rule=mc_rule)
        tally.add(revision.area, earned)
    if tally.counted < len(paper):
        cut_score = (cut_score * tally.counted / len(paper)).quantize(_CENT, rounding=ROUND_FLOOR)
    return tally.mark(cut_score=cut_score, answered=count_answered(paper, choices))


def item_figures(results: Sequence[tuple[bool, Decimal]]) -> ItemFigures:
    """The figures of an item from, for each taker, whether it was right and the points of all other items."""
    hits = [float(hit) for hit, _ in results]
    rest = [float(points) for _, points in results]
    alike = len(set(hits)) < 2 or len(set(rest)) < 2  # noqa: PLR2004 - no variance, no correlation
    return ItemFigures(len(results), int(sum(hits)), None if alike else statistics.correlation(hits, rest))


def count_choices(choices: Iterable[str], letters: str) -> list[tuple[str, int]]:
    """How many chose each of the letters ("": no answer); of several letters each counts."""
    counts: Counter[str] = Counter()
    for choice in choices:
        counts.update(choice or [""])
    return [(letter, counts[letter]) for letter in (*letters, "")]


_APPROVED = (
    sqlalchemy.select(col(Regrade.revision_id), col(Regrade.kind), col(Regrade.new_key), col(Regrade.id))
    .where(col(Regrade.status) == RegradeStatus.APPROVED)
    .order_by(col(Regrade.decided_at), col(Regrade.id))
)


async def list_rulings(session: AsyncSession) -> dict[UUID, Ruling]:
    """What was approved, by revision; of several decisions on one the last counts."""
    rows = await run(session, _APPROVED)
    return {revision_id: Ruling(*decision) for revision_id, *decision in rows}


async def list_rulings_at(session: AsyncSession, instant: datetime) -> dict[UUID, Ruling]:
    """What had been approved at an instant."""
    rows = await run(session, _APPROVED.where(col(Regrade.decided_at) <= instant))
    return {revision_id: Ruling(*decision) for revision_id, *decision in rows}


def ruling_of(regrade: Regrade) -> Ruling:
    """The decision that a regrade is, or would be."""
    return Ruling(regrade.kind, regrade.new_key, regrade.id)

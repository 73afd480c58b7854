"""Marking: pure, exact, and the same whenever it is done again over the same events."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, Any

from question_bank.models import ItemType, McRule

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from exams.papers import PaperItem
    from question_bank.queries import RevisionText

_CENT = Decimal("0.01")
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class AreaMark:
    """Points reached in one knowledge area."""

    points: Decimal
    of: Decimal


@dataclass(frozen=True, slots=True)
class Mark:
    """The result of one paper. `right` counts the items that earned everything."""

    points: Decimal
    total: Decimal
    cut_score: Decimal
    right: int
    answered: int
    areas: dict[int, AreaMark]

    @property
    def passed(self) -> bool:
        """Whether the points reach the cut score."""
        return self.points >= self.cut_score

    def stored_areas(self) -> dict[str, Any]:
        """The form that a score row keeps: exact decimals as texts."""
        return {str(area): {"points": str(mark.points), "of": str(mark.of)} for area, mark in self.areas.items()}


def last_choices(acts: Iterable[tuple[int, int, str]]) -> dict[int, str]:
    """What counts per position, of acts (seq, position, choice) in whatever order: that of the highest seq."""
    counting = {position: choice for _, position, choice in sorted(acts)}
    return {position: choice for position, choice in sorted(counting.items()) if choice}


def is_right(item: PaperItem, key: str, choice: str) -> bool:
    """All or nothing: exactly the right options, whatever place they were shown in."""
    return bool(choice) and item.original(choice) == key


def earned_points(
    item: PaperItem, revision: RevisionText, key: str, choice: str, *, points: Decimal, mc_rule: McRule
) -> Decimal:
    """What an answer earns of an item's points by a key, which is the revision's own or one decided since.

    By `McRule.PARTIAL` right letters without a wrong one earn their share, rounded down to a
    hundredth, so that never more than the full points can come of it.
    """
    if is_right(item, key, choice):
        return points
    if mc_rule is not McRule.PARTIAL or revision.type is not ItemType.MC:
        return _NOTHING
    chosen = item.original(choice)
    if not set(chosen) < set(key) or len(set(chosen)) < len(chosen):
        return _NOTHING
    return (points * len(chosen) / len(key)).quantize(_CENT, rounding=ROUND_FLOOR)


class Tally:
    """Marks added up area by area: whole items counted, parts of items as exact decimals."""

    def __init__(self, points_per_item: Decimal) -> None:
        self._each = points_per_item
        self._areas: dict[int, tuple[int, int, Decimal]] = {}
        self.right = 0
        self.counted = 0

    def add(self, area: int, earned: Decimal) -> None:
        """Count one item of an area with what it earned."""
        hits, of, parts = self._areas.get(area, (0, 0, _NOTHING))
        if earned == self._each:
            self._areas[area] = (hits + 1, of + 1, parts)
            self.right += 1
        else:
            self._areas[area] = (hits, of + 1, parts + earned if earned else parts)
        self.counted += 1

    def mark(self, *, cut_score: Decimal, answered: int) -> Mark:
        """The whole."""
        areas = {
            area: AreaMark(self._each * hits + parts if parts else self._each * hits, self._each * of)
            for area, (hits, of, parts) in sorted(self._areas.items())
        }
        parts = sum((parts for _, _, parts in self._areas.values()), _NOTHING)
        whole = self._each * self.right
        return Mark(
            points=whole + parts if parts else whole,
            total=self._each * self.counted,
            cut_score=cut_score,
            right=self.right,
            answered=answered,
            areas=areas,
        )


def count_answered(paper: Sequence[PaperItem], choices: Mapping[int, str]) -> int:
    """How many positions of a paper have an answer."""
    return sum(1 for position in choices if 1 <= position <= len(paper))


def mark_paper(
    paper: Sequence[PaperItem],
    revisions: Mapping[UUID, RevisionText],
    choices: Mapping[int, str],
    *,
    points_per_item: Decimal,
    cut_score: Decimal,
    mc_rule: McRule,
) -> Mark:
    """Mark every position; one without an answer earns nothing. `mc_rule` is the blueprint version's."""
    tally = Tally(points_per_item)
    for position, item in enumerate(paper, start=1):
        revision, choice = revisions[item.revision_id], choices.get(position, "")
        tally.add(
            revision.area,
            earned_points(item, revision, revision.key, choice, points=points_per_item, mc_rule=mc_rule),
        )
    return tally.mark(cut_score=cut_score, answered=count_answered(paper, choices))

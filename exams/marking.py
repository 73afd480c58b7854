"""Marking: pure, exact, and the same whenever it is done again over the same events."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from exams.papers import PaperItem
    from question_bank.queries import RevisionText


@dataclass(frozen=True, slots=True)
class AreaMark:
    """Points reached in one knowledge area."""

    points: Decimal
    of: Decimal


@dataclass(frozen=True, slots=True)
class Mark:
    """The result of one paper."""

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


def mark_paper(
    paper: Sequence[PaperItem],
    revisions: Mapping[UUID, RevisionText],
    choices: Mapping[int, str],
    *,
    points_per_item: Decimal,
    cut_score: Decimal,
) -> Mark:
    """Mark every position; one without an answer earns nothing."""
    right = 0
    areas: dict[int, tuple[int, int]] = {}
    for position, item in enumerate(paper, start=1):
        revision = revisions[item.revision_id]
        earned = is_right(item, revision.key, choices.get(position, ""))
        right += earned
        hits, of = areas.get(revision.area, (0, 0))
        areas[revision.area] = (hits + earned, of + 1)
    return Mark(
        points=points_per_item * right,
        total=points_per_item * len(paper),
        cut_score=cut_score,
        right=right,
        answered=sum(1 for position in choices if 1 <= position <= len(paper)),
        areas={
            area: AreaMark(points_per_item * hits, points_per_item * of) for area, (hits, of) in sorted(areas.items())
        },
    )

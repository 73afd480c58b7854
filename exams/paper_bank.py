"""A pool made ready for equating: items cell by cell, what each is worth, and the target of every paper."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from exams.papers import stock_by_cell, wanted_cells
from exams.rasch import SCALE, judge
from question_bank.difficulty import GUESSED_QUARTERS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from numpy.typing import NDArray

    from exams.rasch import Whole
    from question_bank.difficulty import Difficulty
    from question_bank.queries import Cell, EquatingTarget, PoolItem

    Mask = NDArray[np.bool_]

_THOUSAND = 1000
_PERCENT = 100
_FARTHEST_ABILITY = 6 * _THOUSAND
# A cell that deals a great share of its few items anyway may pass the ceiling by half of that share.
_ROOM_PERCENT = 150
_LEAST_DEALT = 4  # so often may an item come before its share says anything


@dataclass(frozen=True, slots=True, eq=False)
class Bank:
    """Everything by the item's place: cell after cell, and by revision id within.

    Scores and information are at `ability` (thousandths of a logit), `SCALE` to one; `starts` has
    one entry more than there are cells.
    """

    cells: tuple[Cell, ...]
    items: tuple[PoolItem, ...]
    place: Mapping[UUID, int]
    starts: Whole
    cell: Whole
    point: Whole
    is_local: Mask
    score: Whole
    information: Whole
    error: Whole
    enemies: Mapping[int, Whole]
    ability: int
    target_score: int
    target_information: int

    @property
    def total(self) -> int:
        """The number of items on a paper."""
        return sum(cell.count for cell in self.cells)

    def mask(self, revision_ids: Iterable[UUID]) -> Mask:
        """True at the places of these revisions; those of other banks are passed over."""
        mask = np.zeros(len(self.items), dtype=np.bool_)
        mask[[self.place[revision_id] for revision_id in revision_ids if revision_id in self.place]] = True
        return mask


def prepare(
    items: Sequence[PoolItem],
    difficulties: Sequence[Difficulty],
    cells: Iterable[Cell],
    *,
    cut: int,
    enemies: Iterable[tuple[UUID, UUID]] = (),
    target: EquatingTarget | None = None,
) -> Bank:
    """Make a pool ready for any number of papers. `cut` is the number of right answers that passes.

    Without a target, papers meet the bank's own mean, at the ability that in the mean just passes.
    Raises `BankTooSmall`.
    """
    wanted = wanted_cells(cells)
    stock = stock_by_cell(items, wanted)
    ordered = tuple(item for part in stock for item in part)
    of = {item.revision_id: difficulty for item, difficulty in zip(items, difficulties, strict=True)}
    b = _whole([of[item.revision_id].b for item in ordered])
    se = _whole([of[item.revision_id].se for item in ordered])
    quarters = _whole([GUESSED_QUARTERS[item.type] for item in ordered])
    starts = _whole([0, *map(len, stock)]).cumsum()

    def mean(worth: Whole) -> int:
        """What a paper that takes each cell's mean is worth."""
        sums = np.add.reduceat(worth, starts[:-1])
        return sum(cell.count * int(one) // len(part) for cell, one, part in zip(wanted, sums, stock, strict=True))

    ability = target.ability if target else _FARTHEST_ABILITY
    if target is None:
        low, high = -_FARTHEST_ABILITY, _FARTHEST_ABILITY
        while low < high:
            middle = (low + high) // 2
            low, high = (low, middle) if mean(judge(middle, b, se, quarters)[0]) >= cut * SCALE else (middle + 1, high)
        ability = low
    score, information, error = judge(ability, b, se, quarters)
    place = {item.revision_id: number for number, item in enumerate(ordered)}
    points = {point: number for number, point in enumerate(sorted({item.key_point for item in ordered}))}
    return Bank(
        cells=tuple(wanted),
        items=ordered,
        place=place,
        starts=starts,
        cell=np.repeat(np.arange(len(wanted), dtype=np.int64), np.diff(starts)),
        point=_whole([points[item.key_point] for item in ordered]),
        is_local=np.array([item.is_local for item in ordered], dtype=np.bool_),
        score=score,
        information=information,
        error=error,
        enemies=_by_place(enemies, place),
        ability=ability,
        target_score=target.score * SCALE // _THOUSAND if target else mean(score),
        target_information=target.information * SCALE // _THOUSAND if target else mean(information),
    )


def _whole(numbers: Sequence[int]) -> Whole:
    return np.array(numbers, dtype=np.int64)


def _by_place(enemies: Iterable[tuple[UUID, UUID]], place: Mapping[UUID, int]) -> dict[int, Whole]:
    found: dict[int, set[int]] = defaultdict(set)
    for first, second in enemies:
        if first in place and second in place:
            found[place[first]].add(place[second])
            found[place[second]].add(place[first])
    return {one: _whole(sorted(others)) for one, others in found.items()}


def overexposed(
    bank: Bank, dealt: Mapping[UUID, int], *, papers: int, ceiling_percent: int, local_percent: int = 0
) -> frozenset[UUID]:
    """The items that came on more than the ceiling's share of the papers so far, and should rest.

    Where a cell, or the local items together, are too few for the ceiling they get one that they
    can keep while still being dealt at random.
    """
    counts = _whole([dealt.get(item.revision_id, 0) for item in bank.items])
    needed = _whole([cell.count for cell in bank.cells])
    ceiling = np.maximum(ceiling_percent, _ROOM_PERCENT * needed // np.diff(bank.starts))[bank.cell]
    locals_needed = -(-bank.total * local_percent // _PERCENT)
    local_ceiling = _ROOM_PERCENT * locals_needed // max(int(bank.is_local.sum()), 1)
    ceiling = np.where(bank.is_local, np.maximum(ceiling, local_ceiling), ceiling)
    tired = (counts * _PERCENT >= ceiling * papers) & (counts >= _LEAST_DEALT)
    return frozenset(bank.items[number].revision_id for number in np.flatnonzero(tired))

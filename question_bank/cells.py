"""Which cell of a blueprint an item belongs to: one at most, so that no item is taken twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from question_bank.models import CellLevel, ItemLevel, ItemType

if TYPE_CHECKING:
    from collections.abc import Container

    from question_bank.queries import PoolItem

CellKey: TypeAlias = tuple[int, ItemType, CellLevel]
_LEVELS = {level: CellLevel(level.value) for level in ItemLevel}


def cell_of(item: PoolItem, cells: Container[CellKey]) -> CellKey | None:
    """The cell of the item's own level if there is one, else the cell that takes any; None if neither is there."""
    for level in (_LEVELS[item.level], CellLevel.ANY):
        if (item.area, item.type, level) in cells:
            return item.area, item.type, level
    return None

"""Banks made of nothing but numbers, so that papers dealt from them can be written down for ever."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from question_bank.difficulty import Difficulty
from question_bank.models import CellLevel, ItemLevel, ItemType
from question_bank.queries import Cell, PoolItem

TF, SC, MC = ItemType.TF, ItemType.SC, ItemType.MC
OPTIONS = {TF: 0, SC: 4, MC: 5}
# 100 items in ten areas, as a special operation's blueprint has them.
CELLS = [
    Cell(area=area, area_name=f"领域{area}", weight_percent=10, type=kind, count=count)
    for area in range(1, 11)
    for kind, count in ((TF, 3), (SC, 5), (MC, 2))
]


def make_pool(times: int = 6, cells: list[Cell] | None = None) -> list[PoolItem]:
    """So many items for each that a paper takes; two of a cell share a key point, every tenth is local."""
    pool: list[PoolItem] = []
    for cell in cells or CELLS:
        for number in range(cell.count * times):
            serial = len(pool) + 1
            pool.append(
                PoolItem(
                    revision_id=UUID(int=serial * 0x9E3779B97F4A7C15 % 2**128),
                    area=cell.area,
                    type=cell.type,
                    level=ItemLevel.GRASP,
                    key_point=f"要点{cell.area}-{cell.type}-{number // 2}",
                    is_local=serial % 10 == 0,
                    option_count=OPTIONS[cell.type],
                )
            )
    return pool


def make_difficulties(pool: list[PoolItem], *, se: int = 0) -> list[Difficulty]:
    """From -2.5 to 1.5 logits, evenly, in no visible order."""
    return [Difficulty(number * 7919 % 4001 - 2500, se) for number, _ in enumerate(pool)]


LEVELS = (CellLevel.KNOW, CellLevel.GRASP, CellLevel.MASTER)
# The same counts, each parted by level as far as it goes.
LEVELLED_CELLS = [
    replace(cell, level=level, count=count)
    for cell in CELLS
    for level, count in zip(LEVELS, {3: (1, 1, 1), 5: (2, 2, 1), 2: (1, 1, 0)}[cell.count], strict=True)
    if count
]


def with_levels(pool: list[PoolItem]) -> list[PoolItem]:
    """The same items, of one level after another."""
    return [replace(item, level=ItemLevel(LEVELS[place % 3].value)) for place, item in enumerate(pool)]

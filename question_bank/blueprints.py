"""Blueprints held against the bank: what each cell needs, and what is there."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING

from question_bank.cells import CellKey, cell_of
from question_bank.models import CellLevel, ItemType
from question_bank.queries import get_blueprint, load_pool
from training.calendar import china_date
from training.rules import get_number

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from question_bank.queries import BlueprintView, Cell, Pool

SPECIAL_OPERATION = "SO_"
_PERCENT = 100


class Health(StrEnum):
    """How a cell of the bank stands to what a paper takes from it."""

    SHORT = "SHORT"
    THIN = "THIN"
    ENOUGH = "ENOUGH"
    RICH = "RICH"
    UNUSED = "UNUSED"


@dataclass(frozen=True)
class CellHealth:
    """One cell: the need of a paper, and what is published for it."""

    cell: Cell
    published: int
    key_points: int
    local: int
    health: Health

    @property
    def ratio(self) -> float | None:
        """How many times over the need is there."""
        return self.published / self.cell.count if self.cell.count else None


@dataclass(frozen=True)
class HealthRow:
    """The cells of one area and level by type; `is_first` of its area, whose share of the paper is `of_area`."""

    area: int
    area_name: str
    weight_percent: int
    level: CellLevel
    cells: Mapping[ItemType, CellHealth]
    is_first: bool
    of_area: int


@dataclass(frozen=True)
class Shares:
    """Percentages by which papers are dealt: a blueprint's own, or those of the rules."""

    local: int
    exposure: int
    overlap: int


@dataclass(frozen=True)
class BankHealth:
    """A blueprint's whole bank. `at_least` and `aim` are the ratios of the rule table, `rules` its percentages."""

    blueprint: BlueprintView
    cells: tuple[CellHealth, ...]
    at_least: int
    aim: int
    published: int
    local: int
    rules: Shares

    @property
    def rows(self) -> tuple[HealthRow, ...]:
        """The cells as a table: a row per area and level, a column per type."""
        rows = []
        for area, of_area in groupby(sorted(self.cells, key=lambda seen: seen.cell.area), lambda seen: seen.cell.area):
            cells = list(of_area)
            levels = [level for level in CellLevel if any(seen.cell.level is level for seen in cells)]
            rows += [
                HealthRow(
                    area=area,
                    area_name=cells[0].cell.area_name,
                    weight_percent=cells[0].cell.weight_percent,
                    level=level,
                    cells={seen.cell.type: seen for seen in cells if seen.cell.level is level},
                    is_first=level is levels[0],
                    of_area=sum(seen.cell.count for seen in cells),
                )
                for level in levels
            ]
        return tuple(rows)

    @property
    def has_levels(self) -> bool:
        """Whether any cell asks for a level."""
        return any(seen.cell.level is not CellLevel.ANY for seen in self.cells)

    @property
    def short(self) -> tuple[CellHealth, ...]:
        """The cells from which no paper can be filled."""
        return tuple(cell for cell in self.cells if cell.health is Health.SHORT)

    @property
    def thin(self) -> tuple[CellHealth, ...]:
        """The cells below the least ratio."""
        return tuple(cell for cell in self.cells if cell.health is Health.THIN)

    @property
    def below_aim(self) -> tuple[CellHealth, ...]:
        """The cells that hold enough, but less than the ratio that is aimed at."""
        return tuple(cell for cell in self.cells if cell.health is Health.ENOUGH and self.aim > self.at_least)

    @property
    def can_fill(self) -> bool:
        """Whether a paper can be dealt without repeating a key point within a cell."""
        return not self.short

    @property
    def local_percent(self) -> int:
        """The share of local items in the published bank."""
        return round(_PERCENT * self.local / self.published) if self.published else 0

    @property
    def shares(self) -> Shares:
        """The percentages that count."""
        own = self.blueprint
        return Shares(
            local=self.rules.local if own.local_percent is None else own.local_percent,
            exposure=self.rules.exposure if own.exposure_percent is None else own.exposure_percent,
            overlap=self.rules.overlap if own.overlap_percent is None else own.overlap_percent,
        )


async def get_bank_health(session: AsyncSession, code: str, *, now: datetime) -> BankHealth:
    """The current blueprint against the published bank. Raises `UnknownBlueprint`."""
    return await judge_blueprint(session, await get_blueprint(session, code), now=now)


async def judge_blueprint(session: AsyncSession, blueprint: BlueprintView, *, now: datetime) -> BankHealth:
    """A blueprint, stored or only thought of, against the published bank."""
    today = china_date(now)
    at_least = await get_number(session, "bank.cell_ratio.min", on=today)
    is_special = blueprint.code.startswith(SPECIAL_OPERATION)
    aim = await get_number(session, "bank.cell_ratio.so", on=today) if is_special else at_least
    pool = await load_pool(session, blueprint.code)
    return judge(blueprint, pool, at_least=at_least, aim=aim, rules=await get_shares(session, on=today))


async def get_shares(session: AsyncSession, *, on: date) -> Shares:
    """The percentages of the rules."""
    return Shares(
        local=await get_number(session, "paper.local_percent", on=on),
        exposure=await get_number(session, "paper.exposure.percent", on=on),
        overlap=await get_number(session, "paper.overlap.percent", on=on),
    )


def judge(blueprint: BlueprintView, pool: Pool, *, at_least: int, aim: int, rules: Shares) -> BankHealth:
    """Hold a blueprint against a pool."""
    keys = {cell.key for cell in blueprint.cells}
    count: dict[CellKey, int] = defaultdict(int)
    local: dict[CellKey, int] = defaultdict(int)
    points: dict[CellKey, set[str]] = defaultdict(set)
    for item in pool.items:
        if key := cell_of(item, keys):
            count[key] += 1
            local[key] += item.is_local
            points[key].add(item.key_point)
    cells = tuple(
        CellHealth(
            cell=cell,
            published=count[cell.key],
            key_points=len(points[cell.key]),
            local=local[cell.key],
            health=_health(cell.count, count[cell.key], len(points[cell.key]), at_least, aim),
        )
        for cell in blueprint.cells
    )
    return BankHealth(
        blueprint=blueprint,
        cells=cells,
        at_least=at_least,
        aim=aim,
        published=len(pool.items),
        local=sum(item.is_local for item in pool.items),
        rules=rules,
    )


def _health(need: int, published: int, key_points: int, at_least: int, aim: int) -> Health:
    if need == 0:
        return Health.UNUSED
    if key_points < need:
        return Health.SHORT
    if published < at_least * need:
        return Health.THIN
    return Health.RICH if published >= aim * need and aim > at_least else Health.ENOUGH

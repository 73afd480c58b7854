"""Blueprints held against the bank: what each cell needs, what is there, and changes of the counts."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlmodel import col, select

from question_bank.errors import BlueprintChanged, CellTooThin, CountWrong, UnknownBlueprint
from question_bank.models import Blueprint, BlueprintCell, ItemType
from question_bank.queries import BlueprintView, Cell, Pool, get_blueprint, load_pool
from training import audit
from training.calendar import china_date
from training.rules import get_number

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

SPECIAL_OPERATION = "SO_"
MINUTES = (10, 300)
_MOST_PER_CELL = 200
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
class BankHealth:
    """A blueprint's whole bank. `at_least` and `aim` are the ratios of the rule table."""

    blueprint: BlueprintView
    cells: tuple[CellHealth, ...]
    at_least: int
    aim: int
    published: int
    local: int
    local_percent_wanted: int

    @property
    def by_area(self) -> dict[int, dict[ItemType, CellHealth]]:
        """The cells as a table: a row per area, a column per type."""
        table: dict[int, dict[ItemType, CellHealth]] = defaultdict(dict)
        for cell in self.cells:
            table[cell.cell.area][cell.cell.type] = cell
        return dict(table)

    @property
    def short(self) -> tuple[CellHealth, ...]:
        """The cells from which no paper can be filled."""
        return tuple(cell for cell in self.cells if cell.health is Health.SHORT)

    @property
    def thin(self) -> tuple[CellHealth, ...]:
        """The cells below the least ratio."""
        return tuple(cell for cell in self.cells if cell.health is Health.THIN)

    @property
    def can_fill(self) -> bool:
        """Whether a paper can be dealt without repeating a key point within a cell."""
        return not self.short

    @property
    def local_percent(self) -> int:
        """The share of local items in the published bank."""
        return round(_PERCENT * self.local / self.published) if self.published else 0


async def get_bank_health(session: AsyncSession, code: str, *, now: datetime) -> BankHealth:
    """The current blueprint against the published bank. Raises `UnknownBlueprint`."""
    today = china_date(now)
    blueprint = await get_blueprint(session, code)
    at_least = await get_number(session, "bank.cell_ratio.min", on=today)
    aim = await get_number(session, "bank.cell_ratio.so", on=today) if code.startswith(SPECIAL_OPERATION) else at_least
    wanted = await get_number(session, "paper.local_percent", on=today)
    return judge(blueprint, await load_pool(session, code), at_least=at_least, aim=aim, local_percent_wanted=wanted)


def judge(
    blueprint: BlueprintView, pool: Pool, *, at_least: int, aim: int, local_percent_wanted: int = 0
) -> BankHealth:
    """Hold a blueprint against a pool."""
    count: dict[tuple[int, ItemType], int] = defaultdict(int)
    local: dict[tuple[int, ItemType], int] = defaultdict(int)
    points: dict[tuple[int, ItemType], set[str]] = defaultdict(set)
    for item in pool.items:
        place = (item.area, item.type)
        count[place] += 1
        local[place] += item.is_local
        points[place].add(item.key_point)
    cells = tuple(
        CellHealth(
            cell=cell,
            published=count[cell.area, cell.type],
            key_points=len(points[cell.area, cell.type]),
            local=local[cell.area, cell.type],
            health=_health(cell.count, count[cell.area, cell.type], len(points[cell.area, cell.type]), at_least, aim),
        )
        for cell in blueprint.cells
    )
    return BankHealth(
        blueprint=blueprint,
        cells=cells,
        at_least=at_least,
        aim=aim,
        published=len(pool.items),
        local=sum(local.values()),
        local_percent_wanted=local_percent_wanted,
    )


def _health(need: int, published: int, key_points: int, at_least: int, aim: int) -> Health:
    if need == 0:
        return Health.UNUSED
    if key_points < need:
        return Health.SHORT
    if published < at_least * need:
        return Health.THIN
    return Health.RICH if published >= aim * need and aim > at_least else Health.ENOUGH


async def change_blueprint(
    session: AsyncSession,
    *,
    code: str,
    based_on: int,
    minutes: int,
    pass_score: int,
    counts: Mapping[tuple[int, ItemType], int],
    actor_id: UUID,
    now: datetime,
) -> Blueprint:
    """Begin a new version with other counts; papers dealt by earlier versions keep theirs.

    `based_on` is the version that was changed. The same values again give the current version.
    A bank that can fill papers must still be able to. Raises `CountWrong`, `CellTooThin`,
    `BlueprintChanged`, `UnknownBlueprint`.
    """
    statement = select(Blueprint).where(Blueprint.code == code, col(Blueprint.is_current)).with_for_update()
    current = (await session.exec(statement)).one_or_none()
    if current is None:
        raise UnknownBlueprint(code=code)
    before = await get_blueprint(session, code)
    wanted = {(cell.area, cell.type): counts.get((cell.area, cell.type), cell.count) for cell in before.cells}
    same = {(cell.area, cell.type): cell.count for cell in before.cells} == wanted
    if same and (minutes, pass_score) == (current.minutes, current.pass_score):
        return current
    if current.version != based_on:
        raise BlueprintChanged(version=current.version)
    _check_numbers(wanted, minutes=minutes, pass_score=pass_score, points=current.points_per_item)
    _check_bank(before, wanted, await load_pool(session, code))
    current.is_current = False
    session.add(current)
    await session.flush()
    changed = Blueprint(
        code=code, version=current.version + 1, name=current.name, minutes=minutes, pass_score=pass_score,
        points_per_item=current.points_per_item, basis=current.basis, created_at=now,
    )  # fmt: skip
    if same and pass_score == current.pass_score:  # a target is of these counts and this cut score
        changed.equate_ability, changed.equate_score = current.equate_ability, current.equate_score
        changed.equate_information = current.equate_information
    session.add(changed)
    await session.flush()
    session.add_all(
        BlueprintCell(
            blueprint_id=changed.id, area=cell.area, type=cell.type, area_name=cell.area_name,
            weight_percent=cell.weight_percent, count=wanted[cell.area, cell.type],
        )
        for cell in before.cells
    )  # fmt: skip
    await session.flush()
    audit.record(
        session, action="blueprint.changed", target=("blueprint", changed.id), actor_id=actor_id, now=now,
        was={"version": current.version, "minutes": current.minutes, "pass_score": current.pass_score},
        code=code, version=changed.version,
    )  # fmt: skip
    return changed


def _check_numbers(counts: Mapping[tuple[int, ItemType], int], *, minutes: int, pass_score: int, points: int) -> None:
    full = sum(counts.values()) * points
    shortest, longest = MINUTES
    if any(not 0 <= count <= _MOST_PER_CELL for count in counts.values()) or full == 0:
        raise CountWrong(most=_MOST_PER_CELL, field="counts")
    if not shortest <= minutes <= longest:
        raise CountWrong(CountWrong.minutes, shortest=shortest, longest=longest, field="minutes")
    if not 0 < pass_score <= full:
        raise CountWrong(CountWrong.pass_score, full=full, field="pass_score")


def _check_bank(before: BlueprintView, wanted: Mapping[tuple[int, ItemType], int], pool: Pool) -> None:
    points: dict[tuple[int, ItemType], set[str]] = defaultdict(set)
    for item in pool.items:
        points[item.area, item.type].add(item.key_point)
    if any(len(points[cell.area, cell.type]) < cell.count for cell in before.cells):
        return  # no paper could be dealt before either: a bank that is still being written
    for cell in before.cells:
        there = len(points[cell.area, cell.type])
        if there < wanted[cell.area, cell.type]:
            raise CellTooThin(area=cell.area_name, count=there, need=wanted[cell.area, cell.type], field="counts")

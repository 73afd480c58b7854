"""Changing a blueprint: a draft is held against the rules and the bank, and becomes the next version."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlmodel import col, select

from question_bank.cells import CellKey, cell_of
from question_bank.errors import BlueprintChanged, CellTooThin, CountWrong, LevelsMixed, TargetWrong, UnknownBlueprint
from question_bank.models import Blueprint, BlueprintCell, CellLevel, ItemType, McRule
from question_bank.queries import Cell, get_blueprint, load_pool
from training import audit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from typing import Any
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from question_bank.queries import BlueprintView, EquatingTarget, Pool

MINUTES = (10, 300)
FARTHEST_ABILITY = 6000
_MOST_PER_CELL = 200
_PERCENT = 100
# The names of its fields on the form, and the least that each may be.
_LEAST_PERCENT = {"local_percent": 0, "exposure_percent": 1, "overlap_percent": 0}


@dataclass(frozen=True, slots=True)
class BlueprintDraft:
    """Everything of a blueprint that a reviewer decides. A percentage that is None is left to the rules."""

    minutes: int
    pass_score: int
    counts: Mapping[CellKey, int]
    mc_rule: McRule = McRule.ALL_OR_NOTHING
    shows_key_points: bool = False
    local_percent: int | None = None
    exposure_percent: int | None = None
    overlap_percent: int | None = None
    target: EquatingTarget | None = None

    @classmethod
    def of(cls, blueprint: BlueprintView) -> BlueprintDraft:
        """The blueprint as it stands."""
        return cls(
            minutes=blueprint.minutes,
            pass_score=blueprint.pass_score,
            counts={cell.key: cell.count for cell in blueprint.cells},
            mc_rule=blueprint.mc_rule,
            shows_key_points=blueprint.shows_key_points,
            local_percent=blueprint.local_percent,
            exposure_percent=blueprint.exposure_percent,
            overlap_percent=blueprint.overlap_percent,
            target=blueprint.target,
        )

    def applied_to(self, blueprint: BlueprintView) -> BlueprintView:
        """The blueprint as it would be, with each area's cells in order; areas that it does not have are left out."""
        areas = {cell.area: cell for cell in blueprint.cells}
        cells = [
            replace(areas[area], type=kind, level=level, count=count)
            for area in sorted(areas)
            for kind in ItemType
            for level, count in self._cells_of(area, kind)
        ]
        return replace(
            blueprint, cells=tuple(cells), minutes=self.minutes, pass_score=self.pass_score, mc_rule=self.mc_rule,
            shows_key_points=self.shows_key_points, local_percent=self.local_percent,
            exposure_percent=self.exposure_percent, overlap_percent=self.overlap_percent, target=self.target,
        )  # fmt: skip

    def _cells_of(self, area: int, kind: ItemType) -> list[tuple[CellLevel, int]]:
        """The cells from which something is taken; where nothing is, an empty one keeps the place."""
        counts = [(level, self.counts.get((area, kind, level), 0)) for level in CellLevel]
        return [(level, count) for level, count in counts if count] or [(CellLevel.ANY, 0)]


async def change_blueprint(
    session: AsyncSession, *, code: str, based_on: int, draft: BlueprintDraft, actor_id: UUID, now: datetime
) -> Blueprint:
    """Begin a new version; papers dealt by earlier versions keep theirs.

    `based_on` is the version that was changed. The same values again give the current version.
    A bank that can fill papers must still be able to. Raises `CountWrong`, `LevelsMixed`,
    `TargetWrong`, `CellTooThin`, `BlueprintChanged`, `UnknownBlueprint`.
    """
    statement = select(Blueprint).where(Blueprint.code == code, col(Blueprint.is_current)).with_for_update()
    current = (await session.exec(statement)).one_or_none()
    if current is None:
        raise UnknownBlueprint(code=code)
    before = await get_blueprint(session, code)
    after = draft.applied_to(before)
    if BlueprintDraft.of(after) == BlueprintDraft.of(before):
        return current
    if current.version != based_on:
        raise BlueprintChanged(version=current.version)
    check_draft(draft, before)
    _check_bank(before.cells, after.cells, await load_pool(session, code))
    current.is_current = False
    session.add(current)
    await session.flush()
    changed = await _add_version(session, after, version=current.version + 1, now=now)
    audit.record(
        session, action="blueprint.changed", target=("blueprint", changed.id), actor_id=actor_id, now=now,
        was=_facts(before) | {"version": before.version}, code=code, version=changed.version, **_facts(after),
    )  # fmt: skip
    return changed


def check_draft(draft: BlueprintDraft, before: BlueprintView) -> None:
    """Whether a draft of a blueprint makes papers at all. Raises `CountWrong`, `LevelsMixed`, `TargetWrong`."""
    after = draft.applied_to(before)
    _check_numbers(draft, after)
    _check_levels(after.cells)
    _check_target(after)


async def _add_version(session: AsyncSession, view: BlueprintView, *, version: int, now: datetime) -> Blueprint:
    target = view.target
    row = Blueprint(
        code=view.code, version=version, name=view.name, minutes=view.minutes, pass_score=view.pass_score,
        points_per_item=view.points_per_item, basis=view.basis, created_at=now, mc_rule=view.mc_rule,
        shows_key_points=view.shows_key_points, local_percent=view.local_percent,
        exposure_percent=view.exposure_percent, overlap_percent=view.overlap_percent,
        equate_ability=target.ability if target else None, equate_score=target.score if target else None,
        equate_information=target.information if target else None,
    )  # fmt: skip
    session.add(row)
    await session.flush()
    session.add_all(
        BlueprintCell(
            blueprint_id=row.id, area=cell.area, type=cell.type, level=cell.level, area_name=cell.area_name,
            weight_percent=cell.weight_percent, count=cell.count,
        )
        for cell in view.cells
    )  # fmt: skip
    await session.flush()
    return row


def _facts(view: BlueprintView) -> dict[str, Any]:
    target = view.target
    return {
        "minutes": view.minutes, "pass_score": view.pass_score, "items": view.total_items,
        "mc_rule": view.mc_rule.value, "shows_key_points": view.shows_key_points,
        "local_percent": view.local_percent, "exposure_percent": view.exposure_percent,
        "overlap_percent": view.overlap_percent,
        "equated_to": [target.ability, target.score, target.information] if target else None,
    }  # fmt: skip


def _check_numbers(draft: BlueprintDraft, after: BlueprintView) -> None:
    shortest, longest = MINUTES
    if any(not 0 <= count <= _MOST_PER_CELL for count in draft.counts.values()) or after.full_score == 0:
        raise CountWrong(most=_MOST_PER_CELL, field="counts")
    if not shortest <= draft.minutes <= longest:
        raise CountWrong(CountWrong.minutes, shortest=shortest, longest=longest, field="minutes")
    if not 0 < draft.pass_score <= after.full_score:
        raise CountWrong(CountWrong.pass_score, full=after.full_score, field="pass_score")
    for name, least in _LEAST_PERCENT.items():
        percent = getattr(draft, name)
        if percent is not None and not least <= percent <= _PERCENT:
            raise CountWrong(CountWrong.percent, least=least, field=name)


def _check_levels(cells: Iterable[Cell]) -> None:
    """An item must belong to one cell alone, or the same item could be taken twice."""
    levels: dict[tuple[int, ItemType], set[CellLevel]] = defaultdict(set)
    for cell in cells:
        levels[cell.area, cell.type].add(cell.level)
        if CellLevel.ANY in levels[cell.area, cell.type] and len(levels[cell.area, cell.type]) > 1:
            raise LevelsMixed(area=cell.area_name, field="counts")


def _check_target(after: BlueprintView) -> None:
    """Numbers that some paper could have; whether this bank has them, the page says."""
    target = after.target
    if target is None:
        return
    if abs(target.ability) > FARTHEST_ABILITY:
        raise TargetWrong(TargetWrong.ability, field="target_ability")
    if not 0 < target.score < after.total_items * 1000:
        raise TargetWrong(items=after.total_items, field="target_score")
    if not 0 < target.information <= after.total_items * 250:
        raise TargetWrong(TargetWrong.information, most=f"{after.total_items / 4:g}", field="target_information")


def _check_bank(before: Iterable[Cell], after: Iterable[Cell], pool: Pool) -> None:
    if not _is_filled(before, pool):
        return  # no paper could be dealt before either: a bank that is still being written
    points = _count_points(after, pool)
    for cell in after:
        if (there := points[cell.key]) < cell.count:
            raise CellTooThin(area=cell.area_name, count=there, need=cell.count, field="counts")


def _is_filled(cells: Iterable[Cell], pool: Pool) -> bool:
    points = _count_points(cells, pool)
    return all(points[cell.key] >= cell.count for cell in cells)


def _count_points(cells: Iterable[Cell], pool: Pool) -> dict[CellKey, int]:
    points: dict[CellKey, set[str]] = {cell.key: set() for cell in cells}
    for item in pool.items:
        if key := cell_of(item, points):
            points[key].add(item.key_point)
    return {key: len(found) for key, found in points.items()}

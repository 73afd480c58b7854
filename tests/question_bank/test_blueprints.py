"""Blueprints held against the bank, and changed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from question_bank.blueprint_changes import BlueprintDraft, change_blueprint
from question_bank.blueprints import Health, _health, get_bank_health, judge_blueprint
from question_bank.errors import BlueprintChanged, CellTooThin, CountWrong, LevelsMixed, TargetWrong
from question_bank.models import CellLevel, ItemType, McRule
from question_bank.queries import EquatingTarget, get_blueprint, get_blueprint_version, list_blueprints
from tests.makers.items import Desk, make_bank, make_desk

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from question_bank.cells import CellKey
    from question_bank.models import Blueprint
    from training.vault import Vault


@pytest.fixture
async def desk(session: AsyncSession, vault: Vault, now: datetime) -> Desk:
    return await make_desk(session, vault, now=now)


async def test_an_empty_bank_fills_no_paper(session: AsyncSession, now: datetime) -> None:
    health = await get_bank_health(session, "GEN", now=now)
    assert not health.can_fill
    assert {cell.health for cell in health.cells} == {Health.SHORT, Health.UNUSED}
    assert health.local_percent == 0


async def test_the_shipped_bank_fills_papers_of_both_subjects(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    await make_bank(session, vault, now=now)
    general = await get_bank_health(session, "GEN", now=now)
    assert (general.can_fill, general.thin, general.at_least) == (True, (), 5)
    electric = await get_bank_health(session, "SO_1_2", now=now)
    assert (electric.can_fill, electric.aim) == (True, 10)
    assert {cell.cell.area for cell in electric.cells} == {row.area for row in electric.rows}
    assert not electric.has_levels


@given(st.integers(0, 10), st.integers(0, 200), st.integers(0, 200))
def test_more_items_never_make_a_cell_worse(need: int, published: int, key_points: int) -> None:
    order = [Health.SHORT, Health.THIN, Health.ENOUGH, Health.RICH]
    now, more = (_health(need, n, key_points, 5, 10) for n in (published, published + 1))
    assert Health.UNUSED in {now, more} or order.index(now) <= order.index(more)


ANY, KNOW, GRASP, MASTER = CellLevel
TF, SC, MC = ItemType


async def change(
    session: AsyncSession, desk: Desk, *, now: datetime, based_on: int = 1, counts: dict[CellKey, int] | None = None,
    **values: Any,  # noqa: ANN401 - fields of the draft
) -> Blueprint:  # fmt: skip
    """Change GEN: these counts in place of those that stand, and these values."""
    draft = BlueprintDraft.of(await get_blueprint(session, "GEN"))
    draft = replace(draft, counts={**draft.counts, **(counts or {})}, **values)
    return await change_blueprint(
        session, code="GEN", based_on=based_on, draft=draft, actor_id=desk.reviewer.person.id, now=now
    )


async def test_a_change_begins_a_new_version_and_the_old_one_stays_readable(
    session: AsyncSession, desk: Desk, now: datetime
) -> None:
    before = await get_blueprint(session, "GEN")
    for _ in range(2):
        changed = await change(session, desk, now=now, counts={(1, TF, ANY): 4, (1, SC, ANY): 3})
        assert changed.version == 2
    after = await get_blueprint(session, "GEN")
    assert (after.version, after.total_items) == (2, before.total_items)
    assert [cell.count for cell in after.cells[:2]] == [4, 3]
    assert [cell.count for cell in (await get_blueprint_version(session, before.id)).cells[:2]] == [3, 4]
    assert [view.version for view in await list_blueprints(session) if view.code == "GEN"] == [2]
    with pytest.raises(BlueprintChanged):
        await change(session, desk, now=now, minutes=90)


async def test_everything_that_a_reviewer_decides_is_kept_with_the_version(
    session: AsyncSession, desk: Desk, now: datetime
) -> None:
    target = EquatingTarget(ability=-150, score=40_500, information=7_250)
    values: dict[str, Any] = {
        "mc_rule": McRule.PARTIAL, "shows_key_points": True, "local_percent": 0, "exposure_percent": 20,
        "overlap_percent": 30, "target": target,
    }  # fmt: skip
    await change(session, desk, now=now, **values)
    after = await get_blueprint(session, "GEN")
    assert {name: getattr(after, name) for name in values} == values
    health = await get_bank_health(session, "GEN", now=now)
    assert (health.shares.local, health.shares.exposure, health.shares.overlap) == (0, 20, 30)
    assert (health.rules.local, health.rules.exposure, health.rules.overlap) == (10, 12, 40)
    # Another change keeps them.
    await change(session, desk, now=now, based_on=2, minutes=75)
    assert (await get_blueprint(session, "GEN")).target == target


async def test_a_cell_may_ask_for_levels(session: AsyncSession, vault: Vault, now: datetime) -> None:
    desk = await make_bank(session, vault, now=now)
    whole = {row.area: row for row in (await get_bank_health(session, "GEN", now=now)).rows}
    await change(session, desk, now=now, counts={(1, TF, ANY): 0, (1, TF, KNOW): 1, (1, TF, GRASP): 2})
    after = await get_blueprint(session, "GEN")
    cells = [(cell.type, cell.level, cell.count) for cell in after.cells if cell.area == 1]
    assert cells == [(TF, KNOW, 1), (TF, GRASP, 2), (SC, ANY, 4), (MC, ANY, 1)]
    health = await get_bank_health(session, "GEN", now=now)
    rows = [row for row in health.rows if row.area == 1]
    assert [(row.level, set(row.cells), row.is_first, row.of_area) for row in rows] == [
        (ANY, {SC, MC}, True, 8), (KNOW, {TF}, False, 8), (GRASP, {TF}, False, 8),
    ]  # fmt: skip
    # MASTER has no cell, so its items belong to none.
    of_levels = sum(row.cells[TF].published for row in rows if TF in row.cells)
    assert 0 < of_levels <= whole[1].cells[TF].published
    # Back to what was: a draft that says so level by level is the same as the first version's counts.
    await change(session, desk, now=now, based_on=2, counts={(1, TF, ANY): 3, (1, TF, KNOW): 0, (1, TF, GRASP): 0})
    assert [row.level for row in (await get_bank_health(session, "GEN", now=now)).rows if row.area == 1] == [ANY]


async def test_any_level_and_one_level_of_the_same_type_do_not_share_items(
    session: AsyncSession, desk: Desk, now: datetime
) -> None:
    with pytest.raises(LevelsMixed):
        await change(session, desk, now=now, counts={(1, TF, KNOW): 1})


@pytest.mark.parametrize(
    ("counts", "values"),
    [
        ({}, {"minutes": 5}), ({}, {"pass_score": 0}), ({}, {"pass_score": 101}), ({(1, TF, ANY): -1}, {}),
        ({(1, TF, ANY): 201}, {}), ({}, {"local_percent": 101}), ({}, {"exposure_percent": 0}),
        ({}, {"overlap_percent": -1}),
    ],
)  # fmt: skip
async def test_numbers_that_make_no_paper_are_refused(
    session: AsyncSession, desk: Desk, now: datetime, counts: dict[CellKey, int], values: dict[str, Any]
) -> None:
    with pytest.raises(CountWrong):
        await change(session, desk, now=now, counts=counts, **values)


@pytest.mark.parametrize(
    "target",
    [EquatingTarget(6001, 40_000, 7000), EquatingTarget(0, 50_000, 7000), EquatingTarget(0, 0, 7000),
     EquatingTarget(0, 40_000, 0), EquatingTarget(0, 40_000, 12_501)],
)  # fmt: skip
async def test_a_target_that_no_paper_has_is_refused(
    session: AsyncSession, desk: Desk, now: datetime, target: EquatingTarget
) -> None:
    with pytest.raises(TargetWrong):
        await change(session, desk, now=now, target=target)


async def test_a_change_that_the_bank_cannot_fill_is_refused(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk = await make_bank(session, vault, now=now)
    with pytest.raises(CellTooThin):
        await change(session, desk, now=now, counts={(8, MC, ANY): 1})


async def test_a_draft_is_judged_before_it_is_saved(session: AsyncSession, vault: Vault, now: datetime) -> None:
    await make_bank(session, vault, now=now)
    view = await get_blueprint(session, "GEN")
    draft = BlueprintDraft.of(view)
    draft = replace(draft, counts={**draft.counts, (1, TF, ANY): 0, (1, TF, MASTER): 99}, local_percent=25)
    health = await judge_blueprint(session, draft.applied_to(view), now=now)
    assert [(seen.cell.area, seen.cell.level) for seen in health.short] == [(1, MASTER)]
    assert health.shares.local == 25

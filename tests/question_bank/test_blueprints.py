"""Blueprints held against the bank, and changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from question_bank.blueprints import Health, _health, change_blueprint, get_bank_health
from question_bank.errors import BlueprintChanged, CellTooThin, CountWrong
from question_bank.models import ItemType
from question_bank.queries import get_blueprint, get_blueprint_version, list_blueprints
from tests.makers.items import Desk, make_bank, make_desk

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

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
    assert {cell.cell.area for cell in electric.cells} == set(electric.by_area)


@given(st.integers(0, 10), st.integers(0, 200), st.integers(0, 200))
def test_more_items_never_make_a_cell_worse(need: int, published: int, key_points: int) -> None:
    order = [Health.SHORT, Health.THIN, Health.ENOUGH, Health.RICH]
    now, more = (_health(need, n, key_points, 5, 10) for n in (published, published + 1))
    assert Health.UNUSED in {now, more} or order.index(now) <= order.index(more)


async def test_a_change_begins_a_new_version_and_the_old_one_stays_readable(
    session: AsyncSession, desk: Desk, now: datetime
) -> None:
    before = await get_blueprint(session, "GEN")
    wanted = {(1, ItemType.TF): 4, (1, ItemType.SC): 3}
    for _ in range(2):
        changed = await change_blueprint(
            session, code="GEN", based_on=1, minutes=60, pass_score=80, counts=wanted,
            actor_id=desk.reviewer.person.id, now=now,
        )  # fmt: skip
        assert changed.version == 2
    after = await get_blueprint(session, "GEN")
    assert (after.version, after.total_items) == (2, before.total_items)
    assert [cell.count for cell in after.cells[:2]] == [4, 3]
    assert [cell.count for cell in (await get_blueprint_version(session, before.id)).cells[:2]] == [3, 4]
    assert [view.version for view in await list_blueprints(session) if view.code == "GEN"] == [2]
    with pytest.raises(BlueprintChanged):
        await change_blueprint(
            session, code="GEN", based_on=1, minutes=90, pass_score=80, counts={},
            actor_id=desk.reviewer.person.id, now=now,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("minutes", "pass_score", "counts"),
    [(5, 80, {}), (60, 0, {}), (60, 101, {}), (60, 80, {(1, ItemType.TF): -1}), (60, 80, {(1, ItemType.TF): 201})],
)
async def test_numbers_that_make_no_paper_are_refused(
    session: AsyncSession,
    desk: Desk,
    now: datetime,
    minutes: int,
    pass_score: int,
    counts: dict[tuple[int, ItemType], int],
) -> None:
    with pytest.raises(CountWrong):
        await change_blueprint(
            session, code="GEN", based_on=1, minutes=minutes, pass_score=pass_score, counts=counts,
            actor_id=desk.reviewer.person.id, now=now,
        )  # fmt: skip


async def test_a_change_that_the_bank_cannot_fill_is_refused(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk = await make_bank(session, vault, now=now)
    with pytest.raises(CellTooThin):
        await change_blueprint(
            session, code="GEN", based_on=1, minutes=60, pass_score=80, counts={(8, ItemType.MC): 1},
            actor_id=desk.reviewer.person.id, now=now,
        )  # fmt: skip

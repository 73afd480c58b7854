"""Pools, wordings and blueprints as papers are made from them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from question_bank.bulk import publish_many
from question_bank.errors import SelfReview, UnknownBlueprint
from question_bank.models import ItemType
from question_bank.queries import get_blueprint, list_revisions, load_pool, pool_digest
from seed.item_files import ITEMS, load_items
from tests.makers.items import make_content, make_desk, make_published, published_revision
from training.errors import NotFound

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault


async def test_an_empty_bank_gives_an_empty_pool(session: AsyncSession) -> None:
    pool = await load_pool(session, "GEN")
    assert pool.items == ()
    assert pool.digest == pool_digest([])


async def test_a_pool_is_read_once_until_something_is_published(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk = await make_desk(session, vault, now=now)
    await make_published(session, desk, now=now)
    first = await load_pool(session, "GEN")
    assert await load_pool(session, "GEN") is first
    await make_published(session, desk, now=now)
    second = await load_pool(session, "GEN")
    assert len(second.items) == 2
    assert second.digest != first.digest == pool_digest([first.items[0].revision_id])


async def test_a_replaced_revision_at_the_same_instant_changes_the_pool(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk = await make_desk(session, vault, now=now)
    people = {"author_id": desk.editor.person.id, "reviewer_id": desk.reviewer.person.id}
    await publish_many(session, subject="GEN", contents={"X-1": make_content(stem="甲（　）。")}, now=now, **people)
    first = await load_pool(session, "GEN")
    await publish_many(session, subject="GEN", contents={"X-1": make_content(stem="乙（　）。")}, now=now, **people)
    second = await load_pool(session, "GEN")
    assert first.digest != second.digest
    texts = await list_revisions(session, [first.items[0].revision_id, second.items[0].revision_id])
    assert [text.stem for text in texts.values()] == ["甲（　）。", "乙（　）。"]
    assert [text.number for text in texts.values()] == [1, 2]


async def test_a_wording_that_does_not_exist_is_not_found(session: AsyncSession) -> None:
    with pytest.raises(NotFound):
        await list_revisions(session, [uuid4()])


async def test_a_blueprint_lists_its_cells_in_order(session: AsyncSession) -> None:
    blueprint = await get_blueprint(session, "SO_1_2")
    assert (blueprint.total_items, blueprint.full_score, blueprint.pass_score) == (100, 100, 80)
    assert [cell.type for cell in blueprint.cells[:3]] == [ItemType.TF, ItemType.SC, ItemType.MC]
    assert [cell.area for cell in blueprint.cells[::3]] == list(range(1, 13))
    with pytest.raises(UnknownBlueprint):
        await get_blueprint(session, "NONE")


async def test_the_shipped_bank_loads_once_and_fills_every_cell(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk = await make_desk(session, vault, now=now)
    people = {"author_id": desk.editor.person.id, "reviewer_id": desk.reviewer.person.id}
    loaded = await load_items(session, ITEMS, now=now, **people)
    assert loaded.new >= 700
    assert (loaded.changed, loaded.same) == (0, 0)
    again = await load_items(session, ITEMS, now=now, **people)
    assert (again.new, again.changed, again.same) == (0, 0, loaded.new)
    for subject in ("GEN", "SO_1_2"):
        pool = await load_pool(session, subject)
        for cell in (await get_blueprint(session, subject)).cells:
            there = {item.key_point for item in pool.items if (item.area, item.type) == (cell.area, cell.type)}
            assert len(there) >= cell.count


async def test_a_load_by_one_person_alone_is_refused(session: AsyncSession, vault: Vault, now: datetime) -> None:
    desk = await make_desk(session, vault, now=now)
    with pytest.raises(SelfReview):
        await load_items(session, ITEMS, author_id=desk.editor.person.id, reviewer_id=desk.editor.person.id, now=now)


async def test_a_published_revision_holds_what_was_given(session: AsyncSession, vault: Vault, now: datetime) -> None:
    desk = await make_desk(session, vault, now=now)
    content = make_content(ItemType.MC)
    item_id = await make_published(session, desk, now=now, content=content)
    revision = await published_revision(session, item_id)
    assert (revision.key, tuple(revision.options), revision.stem) == (content.key, content.options, content.stem)

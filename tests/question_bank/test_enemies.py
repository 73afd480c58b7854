"""Enemies as the pages show them: from both sides, with the reason, and found by code or words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from question_bank.difficulty import set_enemies
from question_bank.enemies import find_items, list_enemies
from question_bank.listing import get_item
from tests.makers.items import make_content, make_desk, make_published

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault


async def test_both_sides_show_the_enemy_with_the_last_reason(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk = await make_desk(session, vault, now=now)
    one, other = [await make_published(session, desk, now=now) for _ in range(2)]
    me = desk.editor.person.id
    for are_enemies, reason in ((True, "第一次"), (False, "不对"), (True, "题干透露答案")):
        await set_enemies(
            session, item_id=one, other_id=other, are_enemies=are_enemies, actor_id=me, now=now, reason=reason
        )
    for item_id, expected in ((one, other), (other, one)):
        [enemy] = await list_enemies(session, item_id)
        assert (enemy.item.id, enemy.set_by, enemy.reason) == (expected, "陈编题", "题干透露答案")
    assert await list_enemies(session, await make_published(session, desk, now=now)) == ()


async def test_items_are_found_by_code_and_words_within_the_bank(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk = await make_desk(session, vault, now=now)
    item_id = await make_published(session, desk, now=now, content=make_content(stem="动火作业前应当（　）。"))
    near = await make_published(session, desk, now=now, content=make_content(stem="动火作业中应当有人（　）。"))
    await make_published(session, desk, now=now, subject="SO_1_2", content=make_content(stem="动火作业的电源（　）。"))
    assert [found.id for found in await find_items(session, item_id=item_id, words="动火 作业")] == [near]
    code = (await get_item(session, near)).code
    assert [found.id for found in await find_items(session, item_id=item_id, words=code.lower())] == [near]
    assert await find_items(session, item_id=item_id, words="  ") == ()
    await set_enemies(
        session, item_id=near, other_id=item_id, are_enemies=True, actor_id=desk.editor.person.id, now=now
    )
    assert await find_items(session, item_id=item_id, words="动火") == ()

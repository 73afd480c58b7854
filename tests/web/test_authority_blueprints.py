"""The pages of blueprints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.makers.items import make_bank, make_desk
from tests.makers.people import PASSWORD

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.conftest import Client
    from training.vault import Vault


async def test_the_heat_map_says_in_words_whether_papers_can_be_dealt(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk = await make_bank(session, vault, now=now)
    await session.commit()
    await client.sign_in(desk.editor.phone, PASSWORD)
    listed = (await client.get("/authority/blueprints")).text
    assert "可以组卷" in listed
    assert "暂无题目" in listed
    assert "题库可以组卷，每格题量都不少于" in (await client.get("/authority/blueprints/GEN")).text
    assert "偏少" in (await client.get("/authority/blueprints/SO_1_2")).text
    assert "题库还不能组卷" in (await client.get("/authority/blueprints/PRINCIPAL")).text
    assert (await client.get("/authority/blueprints/NONE")).status_code == 404


async def test_a_reviewer_changes_the_counts_and_an_editor_does_not(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk = await make_desk(session, vault, now=now)
    await session.commit()
    page = "/authority/blueprints/GEN/edit"
    await client.sign_in(desk.editor.phone, PASSWORD)
    assert (await client.get(page)).status_code == 403
    await client.sign_in(desk.reviewer.phone, PASSWORD)
    assert "保存后成为第 2 版" in (await client.get(page)).text
    typed = {"based_on": "1", "minutes": "75", "pass_score": "80", "count-1-TF": "4", "count-1-SC": "3"}
    wrong = await client.submit(page, typed | {"count-1-TF": "-4", "minutes": "75"})
    assert wrong.status_code == 422
    assert 'value="75"' in wrong.text
    assert 'value="-4"' in wrong.text
    for _ in range(2):
        assert (await client.submit(page, typed)).status_code in {302, 303}
    assert "第 2 版" in (await client.get("/authority/blueprints/GEN")).text
    stale = await client.submit(page, typed | {"count-1-TF": "5"})
    assert "已更新到第 2 版" in stale.text

"""The authority's import page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.certificates.test_licences import decision_file, licence_file
from tests.makers.people import PASSWORD, Known, make_organisation, make_person, make_role
from training.models import OrganisationKind, Role

if TYPE_CHECKING:
    from datetime import datetime

    import httpx
    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.conftest import Client
    from training.vault import Vault


@pytest.fixture
async def issuer(session: AsyncSession, vault: Vault, now: datetime) -> Known:
    authority = await make_organisation(session, now=now, kind=OrganisationKind.AUTHORITY, name="演示应急管理局")
    known = await make_role(session, vault, role=Role.ISSUER, organisation=authority, now=now)
    await session.commit()
    return known


async def _upload(client: Client, word: str, data: bytes) -> httpx.Response:
    return await client.submit(f"/authority/licences/import/{word}", files={"file": ("records.csv", data, "text/csv")})


@pytest.mark.parametrize("word", ["licences", "enforcement"])
async def test_a_file_is_previewed_confirmed_listed_and_withdrawn(client: Client, issuer: Known, word: str) -> None:
    await client.sign_in(issuer.phone, PASSWORD)
    page = f"/authority/licences?kind={word}"
    assert "没有记录" in (await client.get(page)).text
    data = licence_file("W-1") if word == "licences" else decision_file("W-1")
    answer = await _upload(client, word, data)
    assert answer.status_code in {302, 303}, answer.text
    preview = answer.headers["location"]
    assert "新增 1 行" in (await client.get(preview)).text
    assert "没有记录" in (await client.get(page)).text
    await client.submit(preview)
    assert "已导入 1 行" in (await client.get(preview)).text
    shown = (await client.get(page + "&words=W-1")).text
    assert "W-1" in shown
    path = shown.split('action="/authority/licences/' + word + "/")[1].split('"')[0]
    assert (await client.submit(f"/authority/licences/{word}/{path}", {"reason": ""})).status_code == 422
    await client.submit(f"/authority/licences/{word}/{path}", {"reason": "登记有误"})
    assert "已撤下" in (await client.get(page)).text


async def test_errors_are_shown_by_row_and_nothing_is_kept(client: Client, issuer: Known) -> None:
    await client.sign_in(issuer.phone, PASSWORD)
    answer = await _upload(client, "licences", licence_file() + "坏行,x\n".encode())
    assert answer.status_code == 422
    assert "有 1 行需要改正" in answer.text
    assert "第 3 行" in answer.text
    assert (await _upload(client, "licences", b"\x00\x01")).status_code == 422


async def test_the_sample_can_be_downloaded(client: Client, issuer: Known) -> None:
    await client.sign_in(issuer.phone, PASSWORD)
    answer = await client.get("/authority/licences/sample/licences")
    assert answer.content.decode("utf-8-sig").startswith("统一社会信用代码,企业名称,许可证编号")
    assert "attachment" in answer.headers["content-disposition"]
    assert (await client.get("/authority/licences/sample/other")).status_code == 404


async def test_others_are_refused(client: Client, session: AsyncSession, vault: Vault, now: datetime) -> None:
    learner = await make_person(session, vault, now=now)
    await session.commit()
    await client.sign_in(learner.phone, PASSWORD)
    assert (await client.get("/authority/licences")).status_code == 403

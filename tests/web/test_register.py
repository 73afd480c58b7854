from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlmodel import select

from certificates.models import LookupEntry, RevocationGround
from certificates.register.captcha import captcha_answer, draw_captcha
from certificates.register.lookup import NumberKind, lookup_index
from certificates.revocation import revoke_certificate
from tests.makers.certificates import make_issued, make_office
from tests.makers.people import Known, make_employee, make_organisation, make_person
from tests.makers.printed import FONTS_FOLDER

if TYPE_CHECKING:
    from datetime import datetime

    import httpx
    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.conftest import Client
    from training.vault import Vault
    from web.keys import Keys


async def ask_captcha(client: Client) -> str:
    page = await client.get("/register")
    return page.text.split('name="captcha_id" value="')[1].split('"')[0]


async def look(client: Client, vault: Vault, number: str, name: str, **more: str) -> httpx.Response:
    captcha_id = await ask_captcha(client)
    form: dict[str, Any] = {
        "kind": "DOCUMENT", "number": number, "name": name, "captcha_id": captcha_id,
        "answer": captcha_answer(vault, UUID(captcha_id)), **more,
    }  # fmt: skip
    return await client.submit("/register", form)


@pytest.fixture
async def who(session: AsyncSession, keys: Keys, now: datetime) -> Known:
    known = await make_person(session, keys.vault, now=now, name="欧阳小敏")
    await make_issued(session, keys, now=now, who=known)
    await session.commit()
    return known


async def test_number_and_name_give_masked_certificates(client: Client, vault: Vault, who: Known) -> None:
    for kind, number in (("DOCUMENT", who.number), ("CERTIFICATE", f"T{who.number}")):
        page = await look(client, vault, number, "欧阳小敏", kind=kind)
        assert page.status_code == 200
        assert "低压电工作业" in page.text
        assert "欧***" in page.text


async def test_the_number_is_in_no_answer_url_or_log(
    client: Client, session: AsyncSession, vault: Vault, who: Known, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = [
        await look(client, vault, who.number, "欧阳小敏"),
        await look(client, vault, who.number, "王小敏"),
        await look(client, vault, who.number, "欧阳小敏", answer="wrong"),
    ]
    printed = capsys.readouterr()
    for page in pages:
        assert who.number not in page.text
        assert who.number not in str(page.url)
        assert "欧阳小敏" not in page.text.split('id="f-name"')[0]
    assert who.number not in printed.out + printed.err
    entries = (await session.exec(select(LookupEntry))).all()
    assert len(entries) == 2
    assert entries[0].number_index == lookup_index(vault, NumberKind.DOCUMENT, who.number)


async def test_no_such_person_and_another_name_are_answered_alike(client: Client, vault: Vault, who: Known) -> None:
    def plain(page: httpx.Response) -> str:
        """Without the captcha, which is new each time."""
        text = page.text.split("<form")[0:2]
        return "".join(text).split("/register/captcha")[0].split("csrf")[0]

    unknown = await look(client, vault, "110101190003071233", "欧阳小敏")
    differs = await look(client, vault, who.number, "欧阳大敏")
    assert unknown.status_code == differs.status_code == 200
    assert "没有查到" in unknown.text
    assert plain(unknown) == plain(differs)


async def test_a_captcha_works_once_and_not_for_long(
    client: Client, vault: Vault, who: Known, clock: FixedClock
) -> None:
    captcha_id = await ask_captcha(client)
    form = {
        "kind": "DOCUMENT", "number": who.number, "name": "欧阳小敏", "captcha_id": captcha_id,
        "answer": captcha_answer(vault, UUID(captcha_id)).lower(),
    }  # fmt: skip
    assert (await client.submit("/register", form)).status_code == 200
    again = await client.submit("/register", form)
    assert again.status_code == 422
    assert "低压电工作业" not in again.text
    form["captcha_id"] = await ask_captcha(client)
    form["answer"] = captcha_answer(vault, UUID(form["captcha_id"]))
    clock.advance(minutes=11)
    assert (await client.submit("/register", form)).status_code == 422


async def test_a_wrong_answer_uses_the_captcha_up(client: Client, vault: Vault, who: Known) -> None:
    captcha_id = await ask_captcha(client)
    form = {"kind": "DOCUMENT", "number": who.number, "name": "欧阳小敏", "captcha_id": captcha_id, "answer": "?"}
    assert (await client.submit("/register", form)).status_code == 422
    form["answer"] = captcha_answer(vault, UUID(captcha_id))
    assert (await client.submit("/register", form)).status_code == 422


async def test_the_sum_in_words_is_another_way_to_answer(client: Client, vault: Vault, who: Known) -> None:
    page = await client.get("/register")
    words = page.text.split("等于多少")[0].rsplit("<p>", 1)[1]
    numerals = "零一二三四五六七八九十"
    first, rest = words.split("加")
    second, third = rest.split("再减去")
    total = numerals.index(first) + numerals.index(second) - numerals.index(third)
    captcha_id = page.text.split('name="captcha_id" value="')[1].split('"')[0]
    form = {
        "kind": "DOCUMENT", "number": who.number, "name": "欧阳小敏", "captcha_id": captcha_id, "answer": str(total),
    }  # fmt: skip
    assert "低压电工作业" in (await client.submit("/register", form)).text


async def test_one_number_is_looked_up_a_few_times_an_hour(client: Client, vault: Vault, who: Known) -> None:
    answers = [(await look(client, vault, who.number, "欧阳小敏")).status_code for _ in range(7)]
    assert answers == [200] * 6 + [429]


async def test_the_picture_does_not_tell_its_text(client: Client, vault: Vault) -> None:
    captcha_id = await ask_captcha(client)
    picture = await client.get(f"/register/captcha/{captcha_id}")
    assert picture.headers["content-type"] == "image/png"
    assert captcha_answer(vault, UUID(captcha_id)).encode() not in picture.content
    assert picture.content == draw_captcha(vault, UUID(captcha_id), FONTS_FOLDER / "NotoSansSC-Bold.ttf")


async def test_announcements_list_what_ended_without_names_or_reasons(
    client: Client, session: AsyncSession, keys: Keys, now: datetime
) -> None:
    assert "没有公告" in (await client.get("/register/announcements")).text
    office = await make_office(session, keys, now=now)
    certificate = await make_issued(session, keys, now=now, office=office)
    await revoke_certificate(
        session, certificate_id=certificate.id, issuer_id=office.authority.id, actor_id=office.issuer.person.id,
        ground=RevocationGround.FRAUD, reason="卷宗第三号", with_ban=False, now=now,
    )  # fmt: skip
    await session.commit()
    page = await client.get("/register/announcements")
    assert "张**" in page.text
    assert "张安全" not in page.text
    assert "以欺骗、贿赂" in page.text
    assert "卷宗" not in page.text


async def test_an_enterprise_shows_figures_and_nobody(
    client: Client, session: AsyncSession, keys: Keys, now: datetime
) -> None:
    enterprise = await make_organisation(session, now=now, name="北京好好焊接有限公司")
    who = await make_employee(session, keys.vault, organisation=enterprise, now=now, name="王电工")
    await make_issued(session, keys, now=now, who=who)
    await session.commit()
    found = await client.get("/register/enterprises", params={"q": "好好焊"})
    assert f"/register/enterprises/{enterprise.uscc}" in found.text
    assert enterprise.uscc in (await client.get("/register/enterprises", params={"q": enterprise.uscc.lower()})).text
    page = await client.get(f"/register/enterprises/{enterprise.uscc}")
    assert "低压电工作业" in page.text
    assert "王电工" not in page.text
    assert "王**" not in page.text
    assert (await client.get("/register/enterprises", params={"q": "好"})).status_code == 422
    assert (await client.get("/register/enterprises/123")).status_code == 404


async def test_the_api_gives_the_same_verdict(client: Client, session: AsyncSession, keys: Keys, now: datetime) -> None:
    import base64

    certificate = await make_issued(session, keys, now=now)
    await session.commit()
    told = (await client.get(f"/api/v1/certificates/{certificate.public_id}")).json()
    assert told["outcome"] == "ON_RECORD"
    assert told["holder"] == "张**"
    assert "number" not in told
    text = base64.b32encode(certificate.credential).decode().rstrip("=")
    for shown, outcome in ((text, "GENUINE"), (text[:-8] + "AAAAAAAA", "ALTERED")):
        answer = await client.post(f"/api/v1/certificates/{certificate.public_id}/check", json={"credential": shown})
        assert answer.json()["outcome"] == outcome
    unknown = await client.get("/api/v1/certificates/" + "A" * 26)
    assert (unknown.status_code, unknown.json()["outcome"]) == (404, "UNKNOWN")

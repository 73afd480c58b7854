"""The signed answer sheet in the candidate's hands, and the public page that checks it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from exams.handing_in import hand_in
from exams.receipts import canonical
from tests.makers.people import PASSWORD, make_person
from tests.makers.receipts import next_acts, send
from tests.makers.sittings import GRACE, Sat, make_sitting
from training.audit import list_entries
from web.auth import LANGUAGE_COOKIE

if TYPE_CHECKING:
    import httpx
    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.conftest import Client
    from training.vault import Vault
    from web.keys import Keys


@pytest.fixture
async def sat(client: Client, session: AsyncSession, vault: Vault, clock: FixedClock, keys: Keys) -> Sat:
    """Handed in at the deadline with three answers; two more came too late."""
    now = clock.now()
    sat = await make_sitting(session, vault, now=now)
    acts = await next_acts(session, sat.id, ["A", "B", "T", "A", "A"], at=now)
    await send(session, sat, acts[:3], now=now)
    end = clock.advance(hours=2)
    person_id = sat.who.person.id
    await hand_in(session, sitting_id=sat.id, person_id=person_id, now=end, countersign=keys.countersign)
    await send(session, sat, acts[3:], now=end + GRACE)
    await session.commit()
    await client.sign_in(sat.who.phone, PASSWORD)
    return sat


async def check(client: Client, data: bytes) -> httpx.Response:
    return await client.submit("/receipts", files={"file": ("receipt.json", data, "application/json")})


async def test_the_result_page_offers_the_receipt_and_tells_of_late_answers(client: Client, sat: Sat) -> None:
    page = (await client.get(f"/sittings/{sat.id}/result")).text
    assert f"/sittings/{sat.id}/receipt.pdf" in page
    assert f"/sittings/{sat.id}/receipt.json" in page
    assert "有 2 个答案在考试结束后才到达，已保存并可供考核发证机关查看，没有计入成绩。" in page


async def test_the_file_is_genuine_and_names_nobody(client: Client, sat: Sat) -> None:
    answer = await client.get(f"/sittings/{sat.id}/receipt.json")
    assert answer.headers["cache-control"] == "private, no-store"
    assert answer.headers["content-disposition"].endswith('.json"')
    sent = answer.json()
    assert [act["choice"] for act in sent["acts"]] == ["A", "B", "T"]
    assert sat.who.person.name not in answer.text
    page = await check(client, answer.content)
    assert page.status_code == 200
    assert "回执属实" in page.text
    assert "文件中的 3 次作答与当时完全一致" in page.text
    assert str(sat.id) in page.text


async def test_the_printed_sheet_is_a_pdf_and_is_noted(client: Client, session: AsyncSession, sat: Sat) -> None:
    answer = await client.get(f"/sittings/{sat.id}/receipt.pdf")
    assert (answer.status_code, answer.content[:4]) == (200, b"%PDF")
    assert [entry.target_id for entry in await list_entries(session, action="receipt.printed")] == [str(sat.id)]


async def test_a_receipt_is_nobody_else_s_and_only_after_the_end(
    client: Client, session: AsyncSession, vault: Vault, clock: FixedClock, sat: Sat
) -> None:
    still = await make_sitting(session, vault, now=clock.now())
    other = await make_person(session, vault, now=clock.now())
    await session.commit()
    await client.sign_in(still.who.phone, PASSWORD)
    for name in ("json", "pdf"):
        refused = await client.get(f"/sittings/{still.id}/receipt.{name}")
        assert (refused.status_code, "还没有交卷" in refused.text) == (409, True)
    await client.sign_in(other.phone, PASSWORD)
    for name in ("json", "pdf"):
        assert (await client.get(f"/sittings/{sat.id}/receipt.{name}")).status_code == 404


@pytest.mark.parametrize(
    ("part", "value", "words"),
    [
        ("acts", [], "作答与签名时不一致"),
        ("answered", 100, "签名不符"),
        ("key_id", "somebody-else", "不是本系统的密钥"),
    ],
)
async def test_what_was_changed_is_told_in_words(
    client: Client, sat: Sat, part: str, value: object, words: str
) -> None:
    sent = (await client.get(f"/sittings/{sat.id}/receipt.json")).json()
    (sent["receipt"] if part in sent["receipt"] else sent)[part] = value
    page = await check(client, canonical(sent))
    assert page.status_code == 200
    assert words in page.text
    assert "回执属实" not in page.text


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"%PDF-1.7", "这个文件不是作答回执"),
        (b'{"receipt": {"version": "anpei-receipt-9"}}', "anpei-receipt-9"),
        (b'{"receipt": {"version": "<script>"}}', "&lt;script&gt;"),
        (b'{"receipt": {"version": "anpei-receipt-1"}}', "回执文件不完整或被改动过"),
        (b" " * (1024 * 1024 + 1), "文件超过 1024 KB"),
    ],
)
async def test_every_bad_file_is_told_what_is_wrong(client: Client, data: bytes, words: str) -> None:
    page = await check(client, data)
    assert page.status_code == 422
    assert words in page.text


async def test_no_file_is_told_too(client: Client) -> None:
    page = await client.submit("/receipts", files={"file": ("", b"", "application/json")})
    assert (page.status_code, "这个文件不是作答回执" in page.text) == (422, True)


async def test_the_public_keys_are_there_for_other_programs(client: Client, keys: Keys) -> None:
    found = (await client.get("/receipts/keys.json")).json()
    assert list(found["keys"]) == list(keys.receipt)
    page = (await client.get("/receipts")).text
    assert all(key in page for key in found["keys"].values())
    assert "/receipts" in (await client.get("/verify")).text


async def test_the_pages_speak_english(client: Client, sat: Sat) -> None:
    data = (await client.get(f"/sittings/{sat.id}/receipt.json")).content
    client.cookies.set(LANGUAGE_COOKIE, "en")
    assert "The receipt is genuine" in (await check(client, data)).text
    assert json.loads(data)["receipt"]["version"] == "anpei-receipt-1"
    assert "2 answers arrived only after the exam had ended" in (await client.get(f"/sittings/{sat.id}/result")).text

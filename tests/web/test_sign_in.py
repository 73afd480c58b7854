"""Signing in and out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.makers.people import PASSWORD, make_person

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.conftest import Client
    from training.vault import Vault


async def test_the_public_home_opens_with_security_headers(client: Client) -> None:
    answer = await client.get("/")
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["x-request-id"]


async def test_one_signs_in_by_phone_or_document_number(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    known = await make_person(session, vault, now=now)
    await session.commit()
    for login in (known.phone, known.number, known.number.lower()):
        client.cookies.clear()
        await client.sign_in(login, PASSWORD)
        answer = await client.get("/account/password")
        assert "张安全" in answer.text


async def test_a_wrong_password_and_an_unknown_account_read_the_same(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    known = await make_person(session, vault, now=now)
    await session.commit()
    wrong = await client.submit("/sign-in", {"login": known.phone, "password": "not-this-1"})
    unknown = await client.submit("/sign-in", {"login": known.phone[:-1] + "9", "password": "not-this-1"})
    assert wrong.status_code == unknown.status_code == 422
    assert "账号或密码不正确" in wrong.text
    assert "账号或密码不正确" in unknown.text
    assert known.phone in wrong.text


async def test_five_wrong_passwords_lock_the_account_for_a_while(
    client: Client, session: AsyncSession, vault: Vault, clock: FixedClock
) -> None:
    known = await make_person(session, vault, now=clock.now())
    await session.commit()
    for _ in range(5):
        await client.submit("/sign-in", {"login": known.phone, "password": "not-this-1"})
    locked = await client.submit("/sign-in", {"login": known.phone, "password": PASSWORD})
    assert "锁定" in locked.text
    clock.advance(minutes=16)
    await client.sign_in(known.phone, PASSWORD)


async def test_signing_out_everywhere_ends_every_sign_in(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    known = await make_person(session, vault, now=now)
    await session.commit()
    await client.sign_in(known.phone, PASSWORD)
    cookies = dict(client.cookies)
    await client.submit("/sign-out-everywhere")
    client.cookies.update(cookies)
    answer = await client.get("/account/password")
    assert answer.status_code in {302, 303}
    assert answer.headers["location"].startswith("/sign-in")


async def test_a_form_without_a_token_of_ours_is_refused(client: Client) -> None:
    answer = await client.post("/sign-in", data={"login": "x", "password": "y"})
    assert answer.status_code == 403
    assert "刷新" in answer.text


async def test_the_page_speaks_english_on_request(client: Client) -> None:
    await client.submit("/language", {"language": "en", "next": "/"})
    answer = await client.get("/")
    assert "Sign in" in answer.text


async def test_an_unknown_address_still_carries_the_headers_and_a_sentence(client: Client) -> None:
    answer = await client.get("/no-such-page")
    assert answer.status_code == 404
    assert "没有找到" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]

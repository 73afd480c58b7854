"""Registering oneself."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from sqlmodel import select

from tests.makers.people import PASSWORD, make_person
from tests.makers.staff import staff_row
from training.documents import check_character
from training.models import Consent

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.conftest import Client
    from training.vault import Vault


def born(day: date) -> str:
    first_17 = f"110101{day:%Y%m%d}001"
    return first_17 + check_character(first_17)


def form(**changed: str) -> dict[str, str]:
    row = staff_row(70)
    typed = {key: row[key] for key in ("name", "number", "phone")}
    typed |= {"id_type": "ID_CARD", "education": "COLLEGE", "password": PASSWORD, "again": PASSWORD, "notice": "1"}
    return typed | changed


async def test_one_registers_and_is_signed_in(client: Client, session: AsyncSession) -> None:
    assert "个人信息告知" in (await client.get("/sign-up")).text
    answer = await client.submit("/sign-up", form())
    assert answer.status_code in {302, 303}
    assert form()["name"] in (await client.get("/account/password")).text
    [consent] = (await session.exec(select(Consent))).all()
    assert consent.purpose == "registration"


async def test_the_notice_must_be_read(client: Client) -> None:
    answer = await client.submit("/sign-up", form(notice=""))
    assert answer.status_code == 422
    assert "阅读个人信息告知" in answer.text
    assert form()["name"] in answer.text
    assert PASSWORD not in answer.text


async def test_children_are_refused_and_minors_need_their_guardian(client: Client) -> None:
    thirteen, fifteen = born(date(2013, 3, 1)), born(date(2011, 3, 1))
    assert "未满 14 周岁不能注册" in (await client.submit("/sign-up", form(number=thirteen, guardian="1"))).text
    assert "监护人" in (await client.submit("/sign-up", form(number=fifteen))).text
    answer = await client.submit("/sign-up", form(number=fifteen, guardian="1"))
    assert answer.status_code in {302, 303}


async def test_a_passport_needs_the_date_of_birth(client: Client) -> None:
    passport = form(id_type="PASSPORT", number="E12345678")
    assert "请填写出生日期" in (await client.submit("/sign-up", passport)).text
    answer = await client.submit("/sign-up", passport | {"birth_date": "1990-05-01"})
    assert answer.status_code in {302, 303}


async def test_a_number_or_phone_that_is_known_is_refused(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    known = await make_person(session, vault, now=now)
    await session.commit()
    assert "已经登记过" in (await client.submit("/sign-up", form(number=known.number))).text
    assert "已被其他账号使用" in (await client.submit("/sign-up", form(phone=known.phone))).text


async def test_too_many_tries_are_stopped(client: Client) -> None:
    answers = [await client.submit("/sign-up", form(notice="")) for _ in range(21)]
    assert answers[-1].status_code == 429

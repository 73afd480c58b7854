"""The three administrators' pages."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

import pytest
from sqlmodel import select

from tests.makers.people import PASSWORD, Known, made_up_uscc, make_organisation, make_person, make_role
from training.administration import BadRuleValue, read_rule_value
from training.models import AuditEntry, Organisation, OrganisationKind, Role
from training.organisations import list_organisations
from training.rules import get_number

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.conftest import Client
    from training.vault import Vault

PAGES = {
    Role.SYSTEM_ADMIN: ("/authority/organisations", "/authority/organisations/new", "/authority/rules"),
    Role.SECURITY_ADMIN: ("/authority/people",),
    Role.AUDIT_ADMIN: ("/authority/audit",),
}


@pytest.fixture
async def authority(session: AsyncSession, now: datetime) -> Organisation:
    return await make_organisation(session, now=now, kind=OrganisationKind.AUTHORITY, name="市应急管理局")


async def enter(
    client: Client, session: AsyncSession, vault: Vault, authority: Organisation, role: Role, *, now: datetime
) -> Known:
    known = await make_role(session, vault, role=role, organisation=authority, now=now)
    await session.commit()
    await client.sign_in(known.phone, PASSWORD)
    return known


@pytest.mark.parametrize("role", list(PAGES))
async def test_each_administrator_enters_only_their_own_pages(
    client: Client, session: AsyncSession, vault: Vault, authority: Organisation, now: datetime, role: Role
) -> None:
    await enter(client, session, vault, authority, role, now=now)
    for owner, pages in PAGES.items():
        for page in pages:
            assert (await client.get(page)).status_code == (200 if owner is role else 403), page


async def test_an_organisation_is_registered_and_gets_its_first_manager(
    client: Client, session: AsyncSession, vault: Vault, authority: Organisation, now: datetime
) -> None:
    await enter(client, session, vault, authority, Role.SYSTEM_ADMIN, now=now)
    known = await make_person(session, vault, now=now, name="赵经理")
    await session.commit()
    typed = {"kind": "ENTERPRISE", "name": "新公司", "uscc": "91110105MA0000015X", "district_code": "110105"}
    answer = await client.submit("/authority/organisations/new", typed)
    assert "校验位不符" in answer.text
    answer = await client.submit("/authority/organisations/new", typed | {"uscc": made_up_uscc(777)})
    address = answer.headers["location"]
    wrong = await client.submit(
        f"{address}/roles", {"name": "钱", "number": known.number, "role": "ENTERPRISE_MANAGER"}
    )
    assert "没有找到姓名和证件号码都一致的人员" in wrong.text
    grant = {"name": "赵经理", "number": known.number, "role": "ENTERPRISE_MANAGER"}
    await client.submit(f"{address}/roles", grant)
    page = await client.get(address)
    assert "赵经理" in page.text
    withdraw = re.search(r"/authority/organisations/[^\"]+/withdraw", page.text)
    assert withdraw
    await client.submit(withdraw.group())
    assert "还没有人在这里任职" in (await client.get(address)).text
    assert [each.name for each in await list_organisations(session, OrganisationKind.ENTERPRISE)] == ["新公司"]


async def test_one_person_cannot_be_two_administrators(
    client: Client, session: AsyncSession, vault: Vault, authority: Organisation, now: datetime
) -> None:
    admin = await enter(client, session, vault, authority, Role.SYSTEM_ADMIN, now=now)
    typed = {"name": admin.person.name, "number": admin.number, "role": "AUDIT_ADMIN"}
    answer = await client.submit(f"/authority/organisations/{authority.id}/roles", typed)
    assert "必须由不同的人担任" in answer.text


async def test_a_locked_account_is_unlocked_signed_out_and_invited_again(
    client: Client, session: AsyncSession, vault: Vault, authority: Organisation, clock: FixedClock
) -> None:
    known = await make_person(session, vault, now=clock.now(), name="钱忘密")
    await session.commit()
    await client.sign_in(known.phone, PASSWORD)
    client.cookies.clear()
    for _ in range(5):
        await client.submit("/sign-in", {"login": known.phone, "password": "not-this-1"})
    await enter(client, session, vault, authority, Role.SECURITY_ADMIN, now=clock.now())
    found = await client.submit("/authority/people", {"search": known.number})
    assert "已锁定" in found.text
    assert known.number[6:14] not in found.text.replace(f'value="{known.number}"', "")
    path = f"/authority/people/{known.person.id}"
    await client.submit(f"{path}/unlock")
    page = await client.get(path)
    assert "已锁定" not in page.text
    assert "1 处" in page.text
    await client.submit(f"{path}/sign-out")
    assert "0 处" in (await client.get(path)).text
    answer = await client.submit(f"{path}/invite")
    link = re.search(r"/invitations/[\w-]+", answer.text)
    assert link
    client.cookies.clear()
    answer = await client.submit(link.group(), {"password": "second-pass-2", "again": "second-pass-2"})
    assert answer.status_code in {302, 303}


@pytest.mark.parametrize(
    ("typed", "like"), [("81", 80), ("0.4", 1), ("true", False), ("SENIOR_HIGH", "X"), ('{"a": 1}', {})]
)
def test_a_rule_takes_a_value_of_its_own_kind(typed: str, like: object) -> None:
    assert read_rule_value(typed, like=like) is not None


@pytest.mark.parametrize(("typed", "like"), [("", 1), ("eighty", 80), ("1", True), ("true", 1), ("5", "text")])
def test_a_rule_refuses_a_value_of_another_kind(typed: str, like: object) -> None:
    with pytest.raises(BadRuleValue):
        read_rule_value(typed, like=like)


async def test_a_new_value_counts_from_its_day_and_is_noted(
    client: Client, session: AsyncSession, vault: Vault, authority: Organisation, now: datetime
) -> None:
    await enter(client, session, vault, authority, Role.SYSTEM_ADMIN, now=now)
    assert "so.theory.pass" in (await client.get("/authority/rules?code=so.theory.pass")).text
    typed = {"code": "so.theory.pass", "value": "85", "basis": "新规 第1条", "effective_from": "2026-12-01"}
    assert "不能早于今天" in (await client.submit("/authority/rules", typed | {"effective_from": "2026-11-20"})).text
    assert "请填写依据" in (await client.submit("/authority/rules", typed | {"basis": " "})).text
    answer = await client.submit("/authority/rules", typed)
    assert answer.status_code in {302, 303}
    assert await get_number(session, "so.theory.pass", on=date(2026, 11, 30)) == 80
    assert await get_number(session, "so.theory.pass", on=date(2026, 12, 1)) == 85
    assert (await session.exec(select(AuditEntry).where(AuditEntry.action == "rule.changed"))).one()


async def test_the_log_is_searched_by_act_and_day(
    client: Client, session: AsyncSession, vault: Vault, authority: Organisation, now: datetime
) -> None:
    await enter(client, session, vault, authority, Role.AUDIT_ADMIN, now=now)
    assert "role.granted" in (await client.get("/authority/audit?action=role.")).text
    assert "没有符合条件的记录" in (await client.get("/authority/audit?action=certificate")).text
    assert "role.granted" in (await client.get("/authority/audit?first=2026-11-21&last=2026-11-21")).text
    assert "没有符合条件的记录" in (await client.get("/authority/audit?last=2026-11-20")).text
    assert (await client.get("/authority/audit?first=x")).status_code == 422

"""People and organisations with defaults for everything."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING

from training.accounts import HASHER
from training.documents import check_character, uscc_check_character
from training.models import (
    Account,
    Education,
    IdType,
    Organisation,
    OrganisationKind,
    Person,
    PersonCategory,
    Role,
    Sex,
)
from training.organisations import employ, grant_role, register_organisation
from training.people import NewPerson, register_person

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault

PASSWORD = "correct-horse-7"
_numbers = itertools.count(1)


@cache
def password_hash() -> str:
    return HASHER.hash(PASSWORD)


def impossible_id_number(serial: int, *, sex: Sex = Sex.MALE) -> str:
    """A number whose birth year 1900 no living person has (domain.md §6.1); 100,000 serials per district."""
    district = 110101 + serial // 180_000
    day, order = divmod(serial % 180_000, 500)
    birth = date.fromordinal(date(1900, 1, 1).toordinal() + day)
    first_17 = f"{district}{birth:%Y%m%d}{order * 2 + (sex is Sex.MALE):03d}"
    return first_17 + check_character(first_17)


def made_up_uscc(serial: int) -> str:
    first_17 = f"91110105MA{serial:06d}0"[:17].ljust(17, "0")
    return first_17 + uscc_check_character(first_17)


@dataclass(frozen=True)
class Known:
    """A person with what a test needs to sign in as them."""

    person: Person
    account: Account
    number: str
    phone: str


async def make_person(
    session: AsyncSession,
    vault: Vault,
    *,
    now: datetime,
    name: str = "张安全",
    sex: Sex = Sex.MALE,
    birth_date: date | None = date(1990, 5, 1),
    education: Education = Education.SENIOR_HIGH,
) -> Known:
    """A demo person with a password (`PASSWORD`)."""
    serial = next(_numbers)
    number = impossible_id_number(serial, sex=sex)
    phone = f"100{serial:08d}"
    new = NewPerson(
        name=name, id_type=IdType.ID_CARD, number=number, phone=phone, birth_date=birth_date, education=education,
        is_demo=True,
    )  # fmt: skip
    person, account = await register_person(session, vault=vault, new=new, now=now)
    account.password_hash = password_hash()
    session.add(account)
    await session.flush()
    return Known(person, account, number, phone)


async def make_organisation(
    session: AsyncSession,
    *,
    now: datetime,
    kind: OrganisationKind = OrganisationKind.ENTERPRISE,
    name: str = "北京演示科技有限公司",
) -> Organisation:
    return await register_organisation(
        session, kind=kind, name=name, uscc=made_up_uscc(next(_numbers)), district_code="110105", now=now, is_demo=True
    )


async def make_role(
    session: AsyncSession,
    vault: Vault,
    *,
    role: Role,
    organisation: Organisation,
    now: datetime,
    name: str = "李管理",
) -> Known:
    """A person who holds a role for an organisation."""
    known = await make_person(session, vault, now=now, name=name)
    await grant_role(
        session, person_id=known.person.id, organisation_id=organisation.id, role=role, granted_by=None, now=now
    )
    return known


async def make_employee(
    session: AsyncSession, vault: Vault, *, organisation: Organisation, now: datetime, name: str = "王员工"
) -> Known:
    known = await make_person(session, vault, now=now, name=name)
    await employ(
        session, person_id=known.person.id, organisation_id=organisation.id, category=PersonCategory.EMPLOYEE,
        post="电工", started_on=date(2026, 1, 5), now=now,
    )  # fmt: skip
    return known

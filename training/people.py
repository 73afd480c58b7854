"""People and their documents."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlmodel import col, select

from training import audit
from training.calendar import add_years, china_date
from training.documents import Document, parse_document, parse_phone
from training.errors import N_, BadInput, Conflict, NotFound
from training.masking import mask_number, mask_phone
from training.models import Account, Education, IdType, Person, PersonDocument, Sex
from training.names import clean_name, matched_name
from training.rules import get_number

if TYPE_CHECKING:
    from datetime import date, datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault

DOCUMENT = "person_document.number"
PHONE = "account.phone"


class DocumentKnown(Conflict):
    """Another person has this document."""

    message = N_("该证件号码已经登记过。如果是您本人，请直接登录；忘记密码请联系本单位管理员。")


class PhoneKnown(Conflict):
    """Another account has this phone number."""

    message = N_("该手机号码已被其他账号使用，请更换号码或直接登录。")


class TooYoung(BadInput):
    """Under the age at which one may register (domain.md §5.5)."""

    message = N_("未满 {age} 周岁不能注册。")


@dataclass(frozen=True)
class NewPerson:
    """What is told of a person at registration. `birth_date` and `sex` only count where the
    document does not tell them, or for a demo person, whose document is an impossible one."""

    name: str
    id_type: IdType
    number: str
    phone: str = ""
    sex: Sex | None = None
    birth_date: date | None = None
    education: Education | None = None
    is_demo: bool = False


def document_index(vault: Vault, number: str) -> bytes:
    """The blind index of a document number, however it was typed."""
    plain = "".join(unicodedata.normalize("NFKC", number).upper().replace("-", "").split())
    return vault.blind(plain, context=DOCUMENT)


async def find_person_by_document(session: AsyncSession, *, vault: Vault, number: str) -> Person | None:
    """The person who holds exactly this document number."""
    statement = (
        select(Person)
        .join(PersonDocument, col(PersonDocument.person_id) == Person.id)
        .where(PersonDocument.number_index == document_index(vault, number))
    )
    return (await session.exec(statement)).one_or_none()


async def get_person(session: AsyncSession, person_id: UUID) -> Person:
    """Raises `NotFound`."""
    person = await session.get(Person, person_id)
    if person is None:
        raise NotFound
    return person


async def get_document(session: AsyncSession, *, vault: Vault, person_id: UUID) -> Document:
    """The person's primary document, opened: only for whom the law lets see it."""
    row = await _primary_document(session, person_id)
    return Document(row.id_type, vault.open(row.number_sealed, context=DOCUMENT))


async def get_masked_document(session: AsyncSession, person_id: UUID) -> tuple[IdType, str]:
    """The kind and the masked number of the person's primary document."""
    row = await _primary_document(session, person_id)
    return row.id_type, row.number_masked


async def _primary_document(session: AsyncSession, person_id: UUID) -> PersonDocument:
    statement = select(PersonDocument).where(PersonDocument.person_id == person_id, col(PersonDocument.is_primary))
    row = (await session.exec(statement)).one_or_none()
    if row is None:
        raise NotFound
    return row


@dataclass(frozen=True)
class Draft:
    """The rows of a new person, checked but not yet in the database."""

    person: Person
    document: PersonDocument
    account: Account


def draft_person(new: NewPerson, *, vault: Vault, youngest: int, now: datetime) -> Draft:
    """Check what is told of a person and make the rows; whether they clash with others is not asked.

    `youngest` is the rule `register.age.min`. Raises `BadName`, `BadDocument`, `BadPhone`, `TooYoung`.
    """
    today = china_date(now)
    name = clean_name(new.name)
    document = parse_document(new.id_type, new.number, today=today)
    birth_date = new.birth_date if new.is_demo or document.birth_date is None else document.birth_date
    if birth_date is not None and add_years(birth_date, youngest) > today:
        raise TooYoung(age=youngest, field="document_number")
    person = Person(
        name=name,
        matched_name=matched_name(name),
        sex=document.sex or new.sex,
        birth_date=birth_date,
        education=new.education,
        is_demo=new.is_demo,
        created_at=now,
    )
    row = PersonDocument(
        person_id=person.id,
        id_type=document.id_type,
        number_sealed=vault.seal(document.number, context=DOCUMENT),
        number_index=document_index(vault, document.number),
        number_masked=mask_number(document.number),
        created_at=now,
    )
    account = Account(person_id=person.id, created_at=now)
    _write_phone(account, new.phone, vault=vault)
    return Draft(person, row, account)


async def register_person(
    session: AsyncSession, *, vault: Vault, new: NewPerson, now: datetime, actor_id: UUID | None = None
) -> tuple[Person, Account]:
    """A new person with document and account (still without a password).

    Raises `BadName`, `BadDocument`, `BadPhone`, `TooYoung`, `DocumentKnown`, `PhoneKnown`.
    """
    youngest = await get_number(session, "register.age.min", on=china_date(now))
    draft = draft_person(new, vault=vault, youngest=youngest, now=now)
    number_index = draft.document.number_index
    if (await session.exec(select(PersonDocument.id).where(PersonDocument.number_index == number_index))).first():
        raise DocumentKnown
    await _refuse_known_phone(session, draft.account)
    session.add(draft.person)
    await session.flush()
    session.add(draft.document)
    session.add(draft.account)
    audit.record(
        session,
        action="person.registered",
        target=("person", draft.person.id),
        actor_id=actor_id or draft.person.id,
        now=now,
    )
    await session.flush()
    return draft.person, draft.account


async def set_phone(session: AsyncSession, *, vault: Vault, account: Account, phone: str) -> None:
    """Give the account a phone number, or take it away with an empty one. Raises `BadPhone`, `PhoneKnown`."""
    _write_phone(account, phone, vault=vault)
    await _refuse_known_phone(session, account)
    session.add(account)


def _write_phone(account: Account, phone: str, *, vault: Vault) -> None:
    if not phone:
        account.phone_sealed, account.phone_index, account.phone_masked = None, None, ""
        return
    phone = parse_phone(phone)
    account.phone_sealed = vault.seal(phone, context=PHONE)
    account.phone_index = vault.blind(phone, context=PHONE)
    account.phone_masked = mask_phone(phone)


async def _refuse_known_phone(session: AsyncSession, account: Account) -> None:
    if account.phone_index is None:
        return
    # Not flushed before it is known to be free: the constraint would otherwise speak first.
    with session.no_autoflush:
        statement = select(Account.id).where(Account.phone_index == account.phone_index, Account.id != account.id)
        if (await session.exec(statement)).first():
            raise PhoneKnown

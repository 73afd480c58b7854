"""What the three administrators look up and do: organisations and roles, accounts, rules, and the audit log."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlmodel import and_, col, func, or_, select

from training import audit
from training.calendar import china_date, start_of_day
from training.documents import BadPhone, parse_phone
from training.errors import N_, BadInput, NotFound
from training.models import (
    Account,
    AuditEntry,
    Organisation,
    OrganisationKind,
    Person,
    PersonDocument,
    Role,
    RoleGrant,
    Rule,
    SignIn,
)
from training.names import matched_name
from training.people import PHONE, document_index, find_person_by_document
from training.rules import change_rule

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement
    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault

PAGE = 50
PEOPLE_AT_MOST = 50
_DIGITS_OF_A_NUMBER = 5


class NobodyKnown(BadInput):
    """No registered person has this document and name."""

    message = N_("没有找到姓名和证件号码都一致的人员。请核对；对方须先注册或由单位登记。")


class BadRuleValue(BadInput):
    """A value of another kind than the rule's."""

    message = N_("取值的类型与现行规则不一致。请参照现行取值的写法填写。")


class RuleNeedsBasis(BadInput):
    """Every value of the law has its clause."""

    message = N_("请填写依据，例如文件名称和条款。")


class RuleOnlyFromToday(BadInput):
    """What was in force stays as it was."""

    message = N_("生效日期不能早于今天，已经生效的规则不能追溯修改。")


@dataclass(frozen=True)
class OrganisationLine:
    """One organisation of the list."""

    id: UUID
    kind: OrganisationKind
    name: str
    uscc: str
    district_code: str
    is_high_risk: bool
    roles: int


@dataclass(frozen=True)
class Listed:
    """One page of any list."""

    rows: Sequence[Any]
    total: int
    page: int
    pages: int


@dataclass(frozen=True)
class Grant:
    """A role in force."""

    id: UUID
    person_id: UUID
    name: str
    number_masked: str
    role: Role
    granted_at: datetime


@dataclass(frozen=True)
class PersonLine:
    """A person as the security administrator finds them."""

    person_id: UUID
    name: str
    number_masked: str
    phone_masked: str
    has_password: bool
    locked_until: datetime | None
    sign_ins: int
    roles: tuple[tuple[Role, str], ...]


@dataclass(frozen=True)
class LogLine:
    """An audit entry with its actor's name, masked by the page."""

    id: UUID
    at: datetime
    actor_name: str
    action: str
    target_type: str
    target_id: str
    was: dict[str, Any] | None
    detail: dict[str, Any]
    address: str
    request_id: str


def _paged(total: int, page: int) -> tuple[int, int]:
    pages = max(-(-total // PAGE), 1)
    return min(max(page, 1), pages), pages


async def search_organisations(
    session: AsyncSession, *, kind: OrganisationKind | None = None, search: str = "", page: int = 1
) -> Listed:
    """Organisations by name, or by a whole code."""
    statement = select(Organisation)
    if kind is not None:
        statement = statement.where(Organisation.kind == kind)
    if search.strip():
        wanted = search.strip()
        statement = statement.where(
            or_(col(Organisation.name).contains(wanted, autoescape=True), col(Organisation.uscc) == wanted.upper())
        )
    total = (await session.exec(select(func.count()).select_from(statement.subquery()))).one()
    page, pages = _paged(total, page)
    statement = statement.order_by(col(Organisation.kind), col(Organisation.name)).offset((page - 1) * PAGE).limit(PAGE)
    found = (await session.exec(statement)).all()
    counts = await _count_roles(session, [each.id for each in found])
    rows = [
        OrganisationLine(
            each.id, each.kind, each.name, each.uscc, each.district_code, each.is_high_risk, counts.get(each.id, 0)
        )
        for each in found
    ]
    return Listed(rows, total, page, pages)


async def _count_roles(session: AsyncSession, organisation_ids: Sequence[UUID]) -> dict[UUID, int]:
    statement = (
        select(RoleGrant.organisation_id, func.count())
        .where(col(RoleGrant.organisation_id).in_(organisation_ids), col(RoleGrant.withdrawn_at).is_(None))
        .group_by(col(RoleGrant.organisation_id))
    )
    return dict((await session.exec(statement)).all())


async def list_grants(session: AsyncSession, organisation_id: UUID) -> list[Grant]:
    """The roles in force at an organisation."""
    statement = (
        select(RoleGrant, Person.name, PersonDocument.number_masked)
        .join(Person, col(Person.id) == RoleGrant.person_id)
        .join(PersonDocument, and_(col(PersonDocument.person_id) == Person.id, col(PersonDocument.is_primary)))
        .where(RoleGrant.organisation_id == organisation_id, col(RoleGrant.withdrawn_at).is_(None))
        .order_by(col(RoleGrant.role), col(RoleGrant.granted_at))
    )
    return [
        Grant(grant.id, grant.person_id, name, masked, grant.role, grant.granted_at)
        for grant, name, masked in (await session.exec(statement)).all()
    ]


async def get_named_person(session: AsyncSession, *, vault: Vault, name: str, number: str) -> Person:
    """The person with exactly this document and name. Raises `NobodyKnown`."""
    person = await find_person_by_document(session, vault=vault, number=number)
    if person is None or person.matched_name != matched_name(name):
        raise NobodyKnown(field="number")
    return person


async def find_people(session: AsyncSession, *, vault: Vault, search: str, now: datetime) -> list[PersonLine]:
    """People by part of the name, or by a whole document or phone number; at most 50."""
    search = search.strip()
    if not search:
        return []
    if sum(c.isdigit() for c in search) >= _DIGITS_OF_A_NUMBER:
        condition = col(PersonDocument.number_index) == document_index(vault, search)
        with suppress(BadPhone):
            condition = or_(condition, col(Account.phone_index) == vault.blind(parse_phone(search), context=PHONE))
    else:
        condition = col(Person.matched_name).contains(matched_name(search), autoescape=True)
    return await _read_people(session, condition, now=now)


async def get_person_line(session: AsyncSession, person_id: UUID, *, now: datetime) -> PersonLine:
    """One person. Raises `NotFound`."""
    found = await _read_people(session, col(Person.id) == person_id, now=now)
    if not found:
        raise NotFound
    return found[0]


async def _read_people(session: AsyncSession, condition: ColumnElement[bool], *, now: datetime) -> list[PersonLine]:
    statement = (
        select(Person, PersonDocument.number_masked, Account)
        .join(PersonDocument, and_(col(PersonDocument.person_id) == Person.id, col(PersonDocument.is_primary)))
        .join(Account, col(Account.person_id) == Person.id)
        .where(condition)
        .order_by(col(Person.matched_name), col(Person.id))
        .limit(PEOPLE_AT_MOST)
    )
    rows = (await session.exec(statement)).all()
    sign_ins = await _count_sign_ins(session, [account.id for *_, account in rows], now=now)
    roles = await _roles_of(session, [person.id for person, *_ in rows])
    return [
        PersonLine(
            person_id=person.id,
            name=person.name,
            number_masked=masked,
            phone_masked=account.phone_masked,
            has_password=account.password_hash is not None,
            locked_until=account.locked_until if account.locked_until and account.locked_until > now else None,
            sign_ins=sign_ins.get(account.id, 0),
            roles=tuple(roles.get(person.id, [])),
        )
        for person, masked, account in rows
    ]


async def _count_sign_ins(session: AsyncSession, account_ids: Sequence[UUID], *, now: datetime) -> dict[UUID, int]:
    statement = (
        select(SignIn.account_id, func.count())
        .where(col(SignIn.account_id).in_(account_ids), col(SignIn.ended_at).is_(None), col(SignIn.expires_at) > now)
        .group_by(col(SignIn.account_id))
    )
    return dict((await session.exec(statement)).all())


async def _roles_of(session: AsyncSession, person_ids: Sequence[UUID]) -> dict[UUID, list[tuple[Role, str]]]:
    statement = (
        select(RoleGrant.person_id, RoleGrant.role, Organisation.name)
        .join(Organisation, col(Organisation.id) == RoleGrant.organisation_id)
        .where(col(RoleGrant.person_id).in_(person_ids), col(RoleGrant.withdrawn_at).is_(None))
        .order_by(col(RoleGrant.granted_at))
    )
    roles: dict[UUID, list[tuple[Role, str]]] = {}
    for person_id, role, name in (await session.exec(statement)).all():
        roles.setdefault(person_id, []).append((Role(role), name))
    return roles


async def lock_account(session: AsyncSession, person_id: UUID) -> Account:
    """The person's account, locked for a change. Raises `NotFound`."""
    statement = select(Account).where(Account.person_id == person_id, col(Account.closed_at).is_(None))
    account = (await session.exec(statement.with_for_update())).one_or_none()
    if account is None:
        raise NotFound
    return account


async def unlock_account(session: AsyncSession, *, person_id: UUID, actor_id: UUID, now: datetime) -> None:
    """Let someone try again before the lock ends."""
    account = await lock_account(session, person_id)
    if account.locked_until is None and account.failed_attempts == 0:
        return
    account.locked_until, account.failed_attempts = None, 0
    session.add(account)
    audit.record(session, action="account.unlocked", target=("account", account.id), actor_id=actor_id, now=now)


def read_rule_value(typed: str, *, like: object) -> object:
    """A value typed as JSON, of the kind of the value in force. A bare word is a text. Raises `BadRuleValue`."""
    try:
        value: object = json.loads(typed)
    except ValueError:
        value = typed.strip()
    is_number = [isinstance(each, int | float) and not isinstance(each, bool) for each in (value, like)]
    if typed.strip() and (all(is_number) or type(value) is type(like)):
        return value
    raise BadRuleValue(field="value")


async def set_rule(
    session: AsyncSession,
    *,
    code: str,
    typed: str,
    basis: str,
    effective_from: date,
    actor_id: UUID,
    now: datetime,
) -> Rule:
    """Let a new value of a known rule begin on a day that is not past.

    Raises `NotFound`, `BadRuleValue`, `RuleNeedsBasis`, `RuleOnlyFromToday`.
    """
    statement = select(Rule).where(Rule.code == code).order_by(col(Rule.effective_from).desc()).limit(1)
    last = (await session.exec(statement)).first()
    if last is None:
        raise NotFound
    if effective_from < china_date(now):
        raise RuleOnlyFromToday(field="effective_from")
    if not basis.strip():
        raise RuleNeedsBasis(field="basis")
    value = read_rule_value(typed, like=last.value)
    was = {"value": last.value, "effective_from": last.effective_from.isoformat()}
    rule = await change_rule(
        session, code=code, value=value, basis=basis.strip()[:200], effective_from=effective_from, changed_by=actor_id
    )
    audit.record(
        session, action="rule.changed", target=("rule", code), actor_id=actor_id, now=now, was=was,
        value=json.dumps(value, ensure_ascii=False), effective_from=effective_from,
    )  # fmt: skip
    return rule


async def search_log(
    session: AsyncSession,
    *,
    action: str = "",
    target: str = "",
    actor_id: UUID | None = None,
    first: date | None = None,
    last: date | None = None,
    page: int = 1,
) -> Listed:
    """Audit entries, the newest first: by the beginning of the act's name, the target, the actor and days."""
    wanted: list[ColumnElement[bool]] = []
    if action.strip():
        wanted.append(col(AuditEntry.action).startswith(action.strip(), autoescape=True))
    if target.strip():
        wanted.append(or_(col(AuditEntry.target_id) == target.strip(), col(AuditEntry.target_type) == target.strip()))
    if actor_id is not None:
        wanted.append(col(AuditEntry.actor_id) == actor_id)
    if first is not None:
        wanted.append(col(AuditEntry.at) >= start_of_day(first))
    if last is not None:
        wanted.append(col(AuditEntry.at) < start_of_day(last.fromordinal(last.toordinal() + 1)))
    total = (await session.exec(select(func.count()).select_from(AuditEntry).where(*wanted))).one()
    page, pages = _paged(total, page)
    statement = (
        select(AuditEntry, Person.name)
        .join(Person, col(Person.id) == AuditEntry.actor_id, isouter=True)
        .where(*wanted)
        .order_by(col(AuditEntry.at).desc(), col(AuditEntry.id).desc())
        .offset((page - 1) * PAGE)
        .limit(PAGE)
    )
    rows = [
        LogLine(
            entry.id, entry.at, name or "", entry.action, entry.target_type, entry.target_id, entry.target_was,
            entry.detail, entry.address, entry.request_id,
        )
        for entry, name in (await session.exec(statement)).all()
    ]  # fmt: skip
    return Listed(rows, total, page, pages)

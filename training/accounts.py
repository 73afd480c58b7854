"""The way in: accounts, passwords, sign-ins and invitations."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import sqlalchemy
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import bindparam, func
from sqlalchemy.dialects.postgresql import aggregate_order_by
from sqlmodel import col, select, update

from training import audit
from training.calendar import china_date
from training.documents import BadPhone, parse_phone
from training.errors import N_, AccountLocked, BadInput, NotFound, SignInFailed
from training.models import (
    Account,
    Invitation,
    Organisation,
    OrganisationKind,
    Person,
    PersonDocument,
    Role,
    RoleGrant,
    SignIn,
)
from training.notices import unread_of
from training.organisations import ROLES_OF_KIND
from training.people import PHONE, document_index
from training.prepared import run
from training.rules import get_number

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault

# OWASP's smallest recommendation for argon2id: 19 MiB, two passes; about 15 ms here.
HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_SOME_HASH = HASHER.hash(secrets.token_urlsafe())
_PASSWORD_LENGTHS = (8, 128)
_SEEN_EVERY = timedelta(minutes=1)


class WeakPassword(BadInput):
    """A password that is too easy to guess."""

    message = N_("密码应为 8–128 个字符，并至少包含一个字母和一个数字。")


class InvitationUsed(BadInput):
    """The link was used, is too old, or was never valid."""

    message = N_("这个邀请链接已使用或已过期。请联系本单位的安全管理员重新发送。")


@dataclass(frozen=True)
class HeldRole:
    """A role and the organisation that it is held for."""

    role: Role
    organisation_id: UUID
    organisation_name: str


@dataclass(frozen=True)
class Viewer:
    """Who is looking: the signed-in person with the roles held now."""

    person_id: UUID
    account_id: UUID
    sign_in_id: UUID
    name: str
    language: str
    organisation_id: UUID | None
    roles: tuple[HeldRole, ...]
    unread: int = 0

    @property
    def organisations(self) -> list[tuple[UUID, str]]:
        """The organisations that one works for, each once."""
        return [*{held.organisation_id: held.organisation_name for held in self.roles}.items()]

    @property
    def works_for_authority(self) -> bool:
        """Whether any role is one of the authority's."""
        return any(held.role in ROLES_OF_KIND[OrganisationKind.AUTHORITY] for held in self.roles)

    def held(self, *roles: Role) -> HeldRole | None:
        """One of these roles, of the chosen organisation first."""
        found = [held for held in self.roles if held.role in roles]
        return next(
            (held for held in found if held.organisation_id == self.organisation_id), found[0] if found else None
        )


def check_password(password: str) -> str:
    """Give the password back, or raise `WeakPassword`."""
    shortest, longest = _PASSWORD_LENGTHS
    if not (
        shortest <= len(password) <= longest
        and any(c.isalpha() for c in password)
        and any(c.isdigit() for c in password)
    ):
        raise WeakPassword(field="password")
    return password


async def hash_password(password: str) -> str:
    """Hash off the event loop."""
    return await asyncio.to_thread(HASHER.hash, check_password(password))


def _verify(password_hash: str | None, password: str) -> bool:
    try:
        return HASHER.verify(password_hash or _SOME_HASH, password) and password_hash is not None
    except (VerificationError, InvalidHashError):
        return False


def token_hash(token: str) -> bytes:
    """What the database keeps of a token."""
    return hashlib.sha256(token.encode()).digest()


async def find_account(session: AsyncSession, *, vault: Vault, login: str) -> Account | None:
    """The open account of a phone number or a document number."""
    try:
        by_phone = vault.blind(parse_phone(login), context=PHONE)
    except BadPhone:
        by_phone = None
    if by_phone is not None:
        statement = select(Account).where(Account.phone_index == by_phone)
        if account := (await session.exec(statement)).one_or_none():
            return account if account.closed_at is None else None
    statement = (
        select(Account)
        .join(PersonDocument, col(PersonDocument.person_id) == Account.person_id)
        .where(PersonDocument.number_index == document_index(vault, login), col(Account.closed_at).is_(None))
    )
    return (await session.exec(statement)).one_or_none()


async def try_sign_in(
    session: AsyncSession, *, vault: Vault, login: str, password: str, client: str, address: str, now: datetime
) -> str | BadInput:
    """A new sign-in's token, or the error to show.

    The error is returned, not raised, so that the count of failures is committed. An unknown
    account takes as long as a wrong password and answers the same.
    """
    account = await find_account(session, vault=vault, login=login)
    if account and account.locked_until and account.locked_until > now:
        minutes = int((account.locked_until - now).total_seconds() // 60) + 1
        return AccountLocked(minutes=minutes, field="login")
    right = await asyncio.to_thread(_verify, account.password_hash if account else None, password)
    if account is None:
        return SignInFailed(field="login")
    await session.refresh(account, with_for_update=True)
    if not right:
        await _count_failure(session, account, now=now)
        return SignInFailed(field="login")
    account.failed_attempts = 0
    account.locked_until = None
    session.add(account)
    token, sign_in = await open_sign_in(session, account_id=account.id, client=client, address=address, now=now)
    audit.record(
        session, action="account.signed_in", target=("sign_in", sign_in.id), actor_id=account.person_id, now=now
    )
    return token


async def _count_failure(session: AsyncSession, account: Account, *, now: datetime) -> None:
    today = china_date(now)
    account.failed_attempts += 1
    if account.failed_attempts >= await get_number(session, "sign_in.attempts", on=today):
        account.failed_attempts = 0
        account.locked_until = now + timedelta(minutes=await get_number(session, "sign_in.lock_minutes", on=today))
        audit.record(session, action="account.locked", target=("account", account.id), actor_id=None, now=now)
    session.add(account)


async def open_sign_in(
    session: AsyncSession, *, account_id: UUID, client: str, address: str, now: datetime
) -> tuple[str, SignIn]:
    """A new sign-in for an account whose owner has proved to be it: (token, row)."""
    token = secrets.token_urlsafe(32)
    hours = await get_number(session, "sign_in.hours", on=china_date(now))
    sign_in = SignIn(
        account_id=account_id,
        token_hash=token_hash(token),
        created_at=now,
        seen_at=now,
        expires_at=now + timedelta(hours=hours),
        client=client[:300],
        address=address[:64],
    )
    session.add(sign_in)
    await session.flush()
    return token, sign_in


_ROLES = (
    select(
        func.jsonb_agg(
            aggregate_order_by(
                func.jsonb_build_array(RoleGrant.role, RoleGrant.organisation_id, Organisation.name),
                col(RoleGrant.granted_at),
                col(RoleGrant.id),
            )
        )
    )
    .join(Organisation, col(Organisation.id) == RoleGrant.organisation_id)
    .where(col(RoleGrant.person_id) == Person.id, col(RoleGrant.withdrawn_at).is_(None))
    .correlate(Person)
    .scalar_subquery()
)
_VIEWER = (
    sqlalchemy.select(
        col(SignIn.id), col(SignIn.seen_at), col(SignIn.organisation_id), col(Account.id), col(Account.language),
        col(Person.id), col(Person.name), _ROLES, unread_of(Person.id).correlate(Person),
    )
    .join(Account, col(Account.id) == SignIn.account_id)
    .join(Person, col(Person.id) == Account.person_id)
    .where(
        col(SignIn.token_hash) == bindparam("token_hash"),
        col(SignIn.ended_at).is_(None),
        col(SignIn.expires_at) > bindparam("now"),
        col(Account.closed_at).is_(None),
    )
)  # fmt: skip


async def find_viewer(session: AsyncSession, *, token: str, now: datetime) -> Viewer | None:
    """Who holds this token, if the sign-in is still open."""
    row = (await run(session, _VIEWER, token_hash=token_hash(token), now=now)).one_or_none()
    if row is None:
        return None
    sign_in_id, seen_at, organisation_id, account_id, language, person_id, name, roles, unread = row
    if now - seen_at > _SEEN_EVERY:
        await session.exec(update(SignIn).where(col(SignIn.id) == sign_in_id).values(seen_at=now))
    return Viewer(
        person_id=person_id,
        account_id=account_id,
        sign_in_id=sign_in_id,
        name=name,
        language=language,
        organisation_id=organisation_id,
        roles=tuple(HeldRole(Role(role), UUID(organisation), called) for role, organisation, called in roles or ()),
        unread=unread,
    )


async def list_roles(session: AsyncSession, person_id: UUID) -> tuple[HeldRole, ...]:
    """The roles that a person holds now, in a steady order."""
    statement = (
        select(RoleGrant.role, RoleGrant.organisation_id, Organisation.name)
        .join(Organisation, col(Organisation.id) == RoleGrant.organisation_id)
        .where(RoleGrant.person_id == person_id, col(RoleGrant.withdrawn_at).is_(None))
        .order_by(col(RoleGrant.granted_at), col(RoleGrant.id))
    )
    rows = (await session.exec(statement)).all()
    return tuple(HeldRole(Role(role), organisation_id, name) for role, organisation_id, name in rows)


async def end_sign_in(session: AsyncSession, *, sign_in_id: UUID, actor_id: UUID, now: datetime) -> None:
    """Sign out here."""
    statement = update(SignIn).where(col(SignIn.id) == sign_in_id, col(SignIn.ended_at).is_(None)).values(ended_at=now)
    await session.exec(statement)
    audit.record(session, action="account.signed_out", target=("sign_in", sign_in_id), actor_id=actor_id, now=now)


async def end_every_sign_in(session: AsyncSession, *, account_id: UUID, actor_id: UUID, now: datetime) -> None:
    """Sign out everywhere."""
    statement = (
        update(SignIn).where(col(SignIn.account_id) == account_id, col(SignIn.ended_at).is_(None)).values(ended_at=now)
    )
    await session.exec(statement)
    audit.record(
        session, action="account.signed_out_everywhere", target=("account", account_id), actor_id=actor_id, now=now
    )


async def change_password(session: AsyncSession, *, account_id: UUID, old: str, new: str, now: datetime) -> None:
    """Change the password; raises `BadInput` when the old one is wrong or the new one weak."""
    account = await session.get(Account, account_id, with_for_update=True)
    if account is None:
        raise NotFound
    if not await asyncio.to_thread(_verify, account.password_hash, old):
        raise BadInput(N_("原密码不正确。"), field="old_password")
    account.password_hash = await hash_password(new)
    session.add(account)
    audit.record(
        session, action="account.password_changed", target=("account", account_id), actor_id=account.person_id, now=now
    )


async def choose_language(session: AsyncSession, *, account_id: UUID, language: str) -> None:
    """Remember the language of the pages."""
    await session.exec(update(Account).where(col(Account.id) == account_id).values(language=language))


async def choose_organisation(session: AsyncSession, *, viewer: Viewer, organisation_id: UUID) -> None:
    """Work for another of one's organisations from now on in this sign-in."""
    if all(held.organisation_id != organisation_id for held in viewer.roles):
        raise NotFound
    await session.exec(
        update(SignIn).where(col(SignIn.id) == viewer.sign_in_id).values(organisation_id=organisation_id)
    )


def draft_invitation(
    *, account_id: UUID, organisation_id: UUID | None, created_by: UUID | None, days: int, now: datetime
) -> tuple[str, Invitation]:
    """A new one-time token and the row that remembers it; `days` is the rule `invitation.days`."""
    token = secrets.token_urlsafe(24)
    invitation = Invitation(
        account_id=account_id,
        organisation_id=organisation_id,
        token_hash=token_hash(token),
        created_at=now,
        created_by=created_by,
        expires_at=now + timedelta(days=days),
    )
    return token, invitation


async def invite(
    session: AsyncSession, *, account_id: UUID, organisation_id: UUID | None, created_by: UUID | None, now: datetime
) -> str:
    """A one-time token with which the owner of the account sets a first or forgotten password."""
    days = await get_number(session, "invitation.days", on=china_date(now))
    token, invitation = draft_invitation(
        account_id=account_id, organisation_id=organisation_id, created_by=created_by, days=days, now=now
    )
    session.add(invitation)
    audit.record(session, action="account.invited", target=("account", account_id), actor_id=created_by, now=now)
    return token


async def accept_invitation(session: AsyncSession, *, token: str, password: str, now: datetime) -> UUID:
    """Set the password by an invitation, once; ends every earlier sign-in. Gives the account's id."""
    statement = select(Invitation).where(Invitation.token_hash == token_hash(token)).with_for_update()
    invitation = (await session.exec(statement)).one_or_none()
    if invitation is None or invitation.used_at is not None or invitation.expires_at <= now:
        raise InvitationUsed
    account = await session.get(Account, invitation.account_id, with_for_update=True)
    if account is None:
        raise InvitationUsed
    account.password_hash = await hash_password(password)
    account.failed_attempts, account.locked_until = 0, None
    invitation.used_at = now
    session.add(account)
    session.add(invitation)
    await end_every_sign_in(session, account_id=account.id, actor_id=account.person_id, now=now)
    return account.id

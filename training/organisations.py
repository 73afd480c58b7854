"""Organisations, posts and roles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from training import audit
from training.calendar import china_date
from training.documents import parse_uscc
from training.errors import N_, BadInput, NotFound
from training.models import (
    Employment,
    Organisation,
    OrganisationKind,
    PersonCategory,
    Role,
    RoleGrant,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

ROLES_OF_KIND = {
    OrganisationKind.ENTERPRISE: (Role.ENTERPRISE_MANAGER,),
    OrganisationKind.CENTRE: (Role.CENTRE_MANAGER, Role.TEACHER),
    OrganisationKind.SITE: (Role.SITE_HEAD, Role.INVIGILATOR, Role.ASSESSOR),
    OrganisationKind.AUTHORITY: (
        Role.QUESTION_EDITOR,
        Role.QUESTION_REVIEWER,
        Role.APPLICATION_REVIEWER,
        Role.ISSUER,
        Role.SYSTEM_ADMIN,
        Role.SECURITY_ADMIN,
        Role.AUDIT_ADMIN,
    ),
}
# 等保 level 3 (domain.md §5.3): the three administrators are three people.
_ADMINS = frozenset({Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN})


class WrongRole(BadInput):
    """A role that this kind of organisation does not have."""

    message = N_("该类型的单位没有这个角色。")


class AdminsApart(BadInput):
    """One person would hold two of the three administrator roles."""

    message = N_("系统、安全、审计三类管理员必须由不同的人担任。")


async def register_organisation(
    session: AsyncSession,
    *,
    kind: OrganisationKind,
    name: str,
    uscc: str,
    district_code: str,
    now: datetime,
    address: str = "",
    industry: str = "",
    is_high_risk: bool = False,
    is_demo: bool = False,
    actor_id: UUID | None = None,
) -> Organisation:
    """Register an organisation; asked again for the same kind and code it gives that one.

    Raises `BadUscc`.
    """
    uscc = parse_uscc(uscc)
    known = (
        await session.exec(select(Organisation).where(Organisation.kind == kind, Organisation.uscc == uscc))
    ).first()
    if known:
        return known
    organisation = Organisation(
        kind=kind, name=name.strip(), uscc=uscc, district_code=district_code, address=address,
        industry=industry, is_high_risk=is_high_risk, is_demo=is_demo, created_at=now,
    )  # fmt: skip
    session.add(organisation)
    await session.flush()
    audit.record(
        session, action="organisation.registered", target=("organisation", organisation.id), actor_id=actor_id, now=now
    )
    return organisation


async def get_organisation(session: AsyncSession, organisation_id: UUID) -> Organisation:
    """Raises `NotFound`."""
    organisation = await session.get(Organisation, organisation_id)
    if organisation is None:
        raise NotFound
    return organisation


async def list_organisations(session: AsyncSession, kind: OrganisationKind) -> Sequence[Organisation]:
    """All of a kind, by name."""
    statement = select(Organisation).where(Organisation.kind == kind).order_by(col(Organisation.name))
    return (await session.exec(statement)).all()


async def employ(
    session: AsyncSession,
    *,
    person_id: UUID,
    organisation_id: UUID,
    category: PersonCategory,
    post: str,
    started_on: date,
    now: datetime,
    department: str = "",
    actor_id: UUID | None = None,
) -> Employment:
    """Give a person a post; asked again while it is open it updates that one."""
    statement = (
        select(Employment)
        .where(
            Employment.person_id == person_id,
            Employment.organisation_id == organisation_id,
            col(Employment.ended_on).is_(None),
        )
        .with_for_update()
    )
    employment = (await session.exec(statement)).one_or_none()
    was = {"category": employment.category.value, "post": employment.post} if employment else None
    if employment is None:
        employment = Employment(
            person_id=person_id, organisation_id=organisation_id, category=category, started_on=started_on
        )
    employment.category, employment.post, employment.department = category, post.strip(), department.strip()
    session.add(employment)
    await session.flush()
    audit.record(
        session, action="employment.set", target=("employment", employment.id), actor_id=actor_id, now=now, was=was,
        category=category,
    )  # fmt: skip
    return employment


async def end_employment(
    session: AsyncSession, *, employment_id: UUID, organisation_id: UUID, actor_id: UUID, now: datetime
) -> None:
    """A person leaves; records and certificates stay theirs."""
    employment = await session.get(Employment, employment_id, with_for_update=True)
    if employment is None or employment.organisation_id != organisation_id:
        raise NotFound
    if employment.ended_on is None:
        employment.ended_on = max(china_date(now), employment.started_on)
        session.add(employment)
        audit.record(
            session, action="employment.ended", target=("employment", employment_id), actor_id=actor_id, now=now
        )


async def grant_role(
    session: AsyncSession,
    *,
    person_id: UUID,
    organisation_id: UUID,
    role: Role,
    granted_by: UUID | None,
    now: datetime,
) -> RoleGrant:
    """Give a role; asked again it gives the grant in force. Raises `WrongRole`, `AdminsApart`."""
    organisation = await get_organisation(session, organisation_id)
    if role not in ROLES_OF_KIND[organisation.kind]:
        raise WrongRole(field="role")
    statement = select(RoleGrant).where(RoleGrant.person_id == person_id, col(RoleGrant.withdrawn_at).is_(None))
    held = (await session.exec(statement)).all()
    for grant in held:
        if grant.organisation_id == organisation_id and grant.role is role:
            return grant
    if role in _ADMINS and any(grant.role in _ADMINS for grant in held):
        raise AdminsApart(field="role")
    grant = RoleGrant(
        person_id=person_id, organisation_id=organisation_id, role=role, granted_at=now, granted_by=granted_by
    )
    session.add(grant)
    await session.flush()
    audit.record(
        session, action="role.granted", target=("role_grant", grant.id), actor_id=granted_by, now=now, role=role
    )
    return grant


async def withdraw_role(session: AsyncSession, *, grant_id: UUID, actor_id: UUID, now: datetime) -> None:
    """Take a role away."""
    grant = await session.get(RoleGrant, grant_id, with_for_update=True)
    if grant is None:
        raise NotFound
    if grant.withdrawn_at is None:
        grant.withdrawn_at, grant.withdrawn_by = now, actor_id
        session.add(grant)
        audit.record(session, action="role.withdrawn", target=("role_grant", grant_id), actor_id=actor_id, now=now)


async def list_holders(session: AsyncSession, *, role: Role, organisation_id: UUID | None = None) -> Sequence[UUID]:
    """Who holds a role now, for one organisation or for any."""
    statement = select(RoleGrant.person_id).where(RoleGrant.role == role, col(RoleGrant.withdrawn_at).is_(None))
    if organisation_id is not None:
        statement = statement.where(RoleGrant.organisation_id == organisation_id)
    return (await session.exec(statement.distinct())).all()

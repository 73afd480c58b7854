"""`/authority/organisations`, `/people`, `/rules` and `/audit`: the work of the three administrators."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import urlencode
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from training import audit
from training.accounts import Viewer, end_every_sign_in
from training.administration import (
    find_people,
    get_named_person,
    get_person_line,
    list_grants,
    lock_account,
    search_log,
    search_organisations,
    set_rule,
    unlock_account,
)
from training.calendar import china_date
from training.errors import AnpeiError, NotFound
from training.models import OrganisationKind, Role, RoleGrant
from training.organisations import ROLES_OF_KIND, get_organisation, grant_role, register_organisation, withdraw_role
from training.rules import get_number, list_rules
from training.staff import renew_invitation
from web.attempts import attempt
from web.auth import acting_as
from web.enterprise.forms import read_choice, read_date
from web.services import Services


@dataclass
class OrganisationForm:
    """A new organisation."""

    kind: str = ""
    name: str = ""
    uscc: str = ""
    district_code: str = ""
    address: str = ""
    industry: str = ""
    is_high_risk: str = ""


@dataclass
class GrantForm:
    """A role for a person, named by document and name."""

    name: str = ""
    number: str = ""
    role: str = ""


@dataclass
class FindForm:
    """Part of a name, or a whole number."""

    search: str = ""


@dataclass
class RuleForm:
    """A new value of a rule."""

    code: str = ""
    value: str = ""
    basis: str = ""
    effective_from: str = ""


class OrganisationsController(Controller):
    """The system administrator's organisations and roles."""

    path = "/authority/organisations"

    @get()
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        kind: FromQuery[str] = "",
        search: FromQuery[str] = "",
        page: FromQuery[int] = 1,
    ) -> Template:
        """The list."""
        acting_as(viewer, Role.SYSTEM_ADMIN)
        chosen = OrganisationKind(kind) if kind in set(OrganisationKind) else None
        asked = {key: value for key, value in (("kind", kind), ("search", search)) if value}
        context = {
            "here": "/authority/organisations",
            "found": await search_organisations(session, kind=chosen, search=search, page=page),
            "kind": kind,
            "kinds": OrganisationKind,
            "search": search,
            "address": f"/authority/organisations?{urlencode(asked)}{'&' if asked else ''}",
        }
        return Template("authority/administration/organisations.html", context=context)

    @get("/new")
    async def ask(self, viewer: NamedDependency[Viewer]) -> Template:
        """The form for a new one."""
        acting_as(viewer, Role.SYSTEM_ADMIN)
        return _organisation_form(OrganisationForm())

    @post("/new")
    async def register(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        data: URLEncodedBody[OrganisationForm],
    ) -> Template | Redirect:
        """Register it."""
        acting_as(viewer, Role.SYSTEM_ADMIN)
        organisation_id: UUID | None = None
        async with attempt(session) as tried:
            organisation = await register_organisation(
                session,
                kind=read_choice(OrganisationKind, data.kind, field="kind"),
                name=data.name,
                uscc=data.uscc,
                district_code=data.district_code[:12],
                address=data.address[:300],
                industry=data.industry[:8],
                is_high_risk=bool(data.is_high_risk),
                actor_id=viewer.person_id,
                now=now,
            )
            organisation_id = organisation.id
        if tried.error:
            return _organisation_form(data, tried.error)
        return Redirect(f"/authority/organisations/{organisation_id}")

    @get("/{organisation_id:uuid}")
    async def show_one(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        organisation_id: FromPath[UUID],
    ) -> Template:
        """One organisation with the roles held there."""
        acting_as(viewer, Role.SYSTEM_ADMIN)
        return await _organisation_page(session, organisation_id, GrantForm())

    @post("/{organisation_id:uuid}/roles")
    async def grant(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        organisation_id: FromPath[UUID],
        data: URLEncodedBody[GrantForm],
    ) -> Template | Redirect:
        """Give a role."""
        acting_as(viewer, Role.SYSTEM_ADMIN)
        async with attempt(session) as tried:
            person = await get_named_person(session, vault=services.vault, name=data.name, number=data.number)
            await grant_role(
                session, person_id=person.id, organisation_id=organisation_id,
                role=read_choice(Role, data.role, field="role"), granted_by=viewer.person_id, now=now,
            )  # fmt: skip
        if tried.error:
            return await _organisation_page(session, organisation_id, data, tried.error)
        return Redirect(f"/authority/organisations/{organisation_id}")

    @post("/{organisation_id:uuid}/roles/{grant_id:uuid}/withdraw")
    async def withdraw(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        organisation_id: FromPath[UUID],
        grant_id: FromPath[UUID],
    ) -> Redirect:
        """Take a role away."""
        acting_as(viewer, Role.SYSTEM_ADMIN)
        grant = await session.get(RoleGrant, grant_id)
        if grant is None or grant.organisation_id != organisation_id:
            raise NotFound
        await withdraw_role(session, grant_id=grant_id, actor_id=viewer.person_id, now=now)
        return Redirect(f"/authority/organisations/{organisation_id}")


def _organisation_form(form: OrganisationForm, error: AnpeiError | None = None) -> Template:
    context = {"here": "/authority/organisations", "form": form, "kinds": OrganisationKind, "error": error}
    status = 422 if error else 200
    return Template("authority/administration/organisation_new.html", context=context, status_code=status)


async def _organisation_page(
    session: AsyncSession, organisation_id: UUID, form: GrantForm, error: AnpeiError | None = None
) -> Template:
    organisation = await get_organisation(session, organisation_id)
    context = {
        "here": "/authority/organisations",
        "organisation": organisation,
        "grants": await list_grants(session, organisation_id),
        "roles": ROLES_OF_KIND[organisation.kind],
        "form": form,
        "error": error,
    }
    status = 422 if error else 200
    return Template("authority/administration/organisation.html", context=context, status_code=status)


class PeopleController(Controller):
    """The security administrator's accounts."""

    path = "/authority/people"

    @get()
    async def ask(self, viewer: NamedDependency[Viewer]) -> Template:
        """The search."""
        acting_as(viewer, Role.SECURITY_ADMIN)
        context = {"here": "/authority/people", "search": "", "people": None}
        return Template("authority/administration/people.html", context=context)

    @post()
    async def find(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        data: URLEncodedBody[FindForm],
    ) -> Template:
        """Who is found; by post, so that a number never stands in an address. Each search is noted."""
        acting_as(viewer, Role.SECURITY_ADMIN)
        people = await find_people(session, vault=services.vault, search=data.search, now=now)
        audit.record(
            session, action="people.searched", target=("person", "-"), actor_id=viewer.person_id, now=now,
            found=len(people),
        )  # fmt: skip
        context = {"here": "/authority/people", "search": data.search, "people": people}
        return Template("authority/administration/people.html", context=context)

    @get("/{person_id:uuid}")
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        person_id: FromPath[UUID],
    ) -> Template:
        """One account."""
        acting_as(viewer, Role.SECURITY_ADMIN)
        context = {
            "here": "/authority/people",
            "person": await get_person_line(session, person_id, now=now),
            "link": "",
            "days": 0,
        }
        return Template("authority/administration/person.html", context=context)

    @post("/{person_id:uuid}/unlock")
    async def unlock(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        person_id: FromPath[UUID],
    ) -> Redirect:
        """End the lock."""
        acting_as(viewer, Role.SECURITY_ADMIN)
        await unlock_account(session, person_id=person_id, actor_id=viewer.person_id, now=now)
        return Redirect(f"/authority/people/{person_id}")

    @post("/{person_id:uuid}/sign-out")
    async def sign_out(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        person_id: FromPath[UUID],
    ) -> Redirect:
        """End every sign-in."""
        acting_as(viewer, Role.SECURITY_ADMIN)
        account = await lock_account(session, person_id)
        await end_every_sign_in(session, account_id=account.id, actor_id=viewer.person_id, now=now)
        return Redirect(f"/authority/people/{person_id}")

    @post("/{person_id:uuid}/invite")
    async def invite(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        person_id: FromPath[UUID],
    ) -> Template:
        """A new one-time link, shown once."""
        held = acting_as(viewer, Role.SECURITY_ADMIN)
        account = await lock_account(session, person_id)
        token = await renew_invitation(
            session, account_id=account.id, organisation_id=held.organisation_id, actor_id=viewer.person_id, now=now
        )
        context = {
            "here": "/authority/people",
            "person": await get_person_line(session, person_id, now=now),
            "link": f"{services.settings.public_url}/invitations/{token}",
            "days": await get_number(session, "invitation.days", on=china_date(now)),
        }
        headers = {"cache-control": "no-store"}
        return Template("authority/administration/person.html", context=context, headers=headers)


class RulesController(Controller):
    """The dated rule table."""

    path = "/authority/rules"

    @get()
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        code: FromQuery[str] = "",
    ) -> Template:
        """The table; `code` opens the form for that rule."""
        acting_as(viewer, Role.SYSTEM_ADMIN)
        return await _rules_page(session, now, RuleForm(code=code, effective_from=china_date(now).isoformat()))

    @post()
    async def change(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        data: URLEncodedBody[RuleForm],
    ) -> Template | Redirect:
        """A new value from a day on."""
        acting_as(viewer, Role.SYSTEM_ADMIN)
        async with attempt(session) as tried:
            await set_rule(
                session, code=data.code, typed=data.value, basis=data.basis,
                effective_from=read_date(data.effective_from, field="effective_from"),
                actor_id=viewer.person_id, now=now,
            )  # fmt: skip
        if tried.error:
            return await _rules_page(session, now, data, tried.error)
        return Redirect("/authority/rules")


async def _rules_page(
    session: AsyncSession, now: datetime, form: RuleForm, error: AnpeiError | None = None
) -> Template:
    context = {
        "here": "/authority/rules",
        "rules": await list_rules(session),
        "today": china_date(now),
        "form": form,
        "error": error,
    }
    return Template("authority/administration/rules.html", context=context, status_code=422 if error else 200)


class AuditController(Controller):
    """The audit administrator's log."""

    path = "/authority/audit"

    @get()
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        action: FromQuery[str] = "",
        target: FromQuery[str] = "",
        first: FromQuery[str] = "",
        last: FromQuery[str] = "",
        page: FromQuery[int] = 1,
    ) -> Template:
        """Entries that match, the newest first."""
        acting_as(viewer, Role.AUDIT_ADMIN)
        asked = {
            key: value
            for key, value in (("action", action), ("target", target), ("first", first), ("last", last))
            if value
        }
        context = {
            "here": "/authority/audit",
            "found": await search_log(
                session, action=action, target=target, first=_day(first), last=_day(last), page=page
            ),
            "action": action,
            "target": target,
            "first": first,
            "last": last,
            "address": f"/authority/audit?{urlencode(asked)}{'&' if asked else ''}",
        }
        return Template("authority/administration/audit.html", context=context)


def _day(typed: str) -> date | None:
    return read_date(typed, field="first") if typed else None


HANDLERS = [OrganisationsController, PeopleController, RulesController, AuditController]

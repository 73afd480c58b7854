"""`/enterprise/staff`: the staff list, one person's file, taking on, inviting and leaving."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from training.accounts import HeldRole, Viewer
from training.calendar import china_date
from training.errors import AnpeiError
from training.models import Education, IdType, PersonCategory, Role
from training.people import NewPerson
from training.plans import list_deadlines
from training.records import list_records, sum_hours, years_of
from training.rules import get_number
from training.staff import (
    Added,
    add_staff,
    end_staff,
    get_staff_file,
    invite_staff_again,
    list_departments,
    list_posts,
    list_staff,
)
from web.attempts import attempt
from web.auth import acting_as
from web.enterprise.forms import read_choice, read_date
from web.enterprise.holdings import list_holdings
from web.limits import take
from web.services import Services

_DIGITS_OF_A_NUMBER = 5


@dataclass
class SearchForm:
    """Part of a name, or a whole document number."""

    search: str = ""


@dataclass
class StaffForm:
    """What is typed to take someone on."""

    name: str = ""
    id_type: str = IdType.ID_CARD.value
    number: str = ""
    phone: str = ""
    education: str = ""
    category: str = PersonCategory.EMPLOYEE.value
    department: str = ""
    post: str = ""
    started_on: str = ""


class StaffController(Controller):
    """The staff of the enterprise for which the viewer acts."""

    path = "/enterprise/staff"

    @get()
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        search: FromQuery[str] = "",
        department: FromQuery[str] = "",
        page: FromQuery[int] = 1,
    ) -> Template:
        """The list."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        return await _list_page(session, held, services, now, search=search, department=department, page=page)

    @post("/search")
    async def search(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        data: URLEncodedBody[SearchForm],
    ) -> Template | Redirect:
        """Find someone. A document number is answered here, so that it never stands in an address."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        if sum(c.isdigit() for c in data.search) < _DIGITS_OF_A_NUMBER:
            return Redirect(f"/enterprise/staff?{urlencode({'search': data.search})}")
        return await _list_page(session, held, services, now, search=data.search)

    @get("/new")
    async def ask(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
    ) -> Template:
        """The form for one person."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        return await _form_page(session, held, StaffForm(started_on=china_date(now).isoformat()))

    @post("/new")
    async def add(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        data: URLEncodedBody[StaffForm],
    ) -> Template | Redirect:
        """Take one person on and show the link to hand over."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        # Without a limit this form would tell whether a number is registered, number by number.
        key = f"staff:{viewer.person_id}"
        await take(services.sessions, key=key, limit=200, per=timedelta(hours=1), now=now)
        added: Added | None = None
        async with attempt(session) as tried:
            added = await add_staff(
                session,
                vault=services.vault,
                organisation_id=held.organisation_id,
                new=NewPerson(
                    name=data.name,
                    id_type=read_choice(IdType, data.id_type, field="id_type"),
                    number=data.number,
                    phone=data.phone,
                    education=read_choice(Education, data.education, field="education") if data.education else None,
                ),
                category=read_choice(PersonCategory, data.category, field="category"),
                post=data.post,
                department=data.department,
                started_on=read_date(data.started_on, field="started_on"),
                actor_id=viewer.person_id,
                now=now,
            )
        if tried.error or added is None:
            return await _form_page(session, held, data, tried.error)
        if added.token is None:
            return Redirect(f"/enterprise/staff/{added.person_id}")
        return await _invitation_page(session, held, services, now, person_id=added.person_id, token=added.token)

    @get("/{person_id:uuid}")
    async def show_one(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        person_id: FromPath[UUID],
    ) -> Template:
        """一人一档."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        return await _file_page(session, held, now, person_id=person_id)

    @post("/{person_id:uuid}/invite")
    async def invite(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        person_id: FromPath[UUID],
    ) -> Template:
        """A new link; earlier ones stop working."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        token = ""
        async with attempt(session) as tried:
            token = await invite_staff_again(
                session, organisation_id=held.organisation_id, person_id=person_id, actor_id=viewer.person_id, now=now
            )
        if tried.error:
            return await _file_page(session, held, now, person_id=person_id, error=tried.error)
        return await _invitation_page(session, held, services, now, person_id=person_id, token=token)

    @post("/{person_id:uuid}/leave")
    async def leave(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        person_id: FromPath[UUID],
    ) -> Template | Redirect:
        """End the employment."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        async with attempt(session) as tried:
            await end_staff(
                session, organisation_id=held.organisation_id, person_id=person_id, actor_id=viewer.person_id, now=now
            )
        if tried.error:
            return await _file_page(session, held, now, person_id=person_id, error=tried.error)
        return Redirect(f"/enterprise/staff/{person_id}")


async def _list_page(
    session: AsyncSession,
    held: HeldRole,
    services: Services,
    now: datetime,
    *,
    search: str = "",
    department: str = "",
    page: int = 1,
) -> Template:
    staff = await list_staff(
        session, held.organisation_id, vault=services.vault, now=now, search=search, department=department, page=page
    )
    asked = {key: value for key, value in (("search", search), ("department", department)) if value}
    context = {
        "held": held,
        "staff": staff,
        "departments": await list_departments(session, held.organisation_id),
        "search": search,
        "department": department,
        "address": f"/enterprise/staff?{urlencode(asked)}{'&' if asked else ''}",
    }
    return Template("enterprise/staff.html", context=context)


async def _form_page(
    session: AsyncSession, held: HeldRole, form: StaffForm, error: AnpeiError | None = None
) -> Template:
    context = {
        "held": held,
        "form": form,
        "error": error,
        "departments": [name for name, _ in await list_departments(session, held.organisation_id) if name],
        "posts": [name for name, _ in await list_posts(session, held.organisation_id) if name],
        "id_types": IdType,
        "educations": Education,
        "categories": PersonCategory,
    }
    return Template("enterprise/staff_new.html", context=context, status_code=422 if error else 200)


async def _file_page(
    session: AsyncSession, held: HeldRole, now: datetime, *, person_id: UUID, error: AnpeiError | None = None
) -> Template:
    file = await get_staff_file(session, held.organisation_id, person_id, now=now)
    records = await list_records(session, person_id=person_id, organisation_id=held.organisation_id)
    deadlines = await list_deadlines(session, held.organisation_id, now=now, person_id=person_id)
    context = {
        "held": held,
        "file": file,
        "records": records,
        "years": years_of(records),
        "hours": sum_hours(records),
        "deadlines": deadlines.rows,
        # Someone who has left is no longer the enterprise's to look up.
        "holdings": [] if file.ended_on else await list_holdings(session, [person_id], now=now),
        "error": error,
    }
    return Template("enterprise/person.html", context=context, status_code=409 if error else 200)


async def _invitation_page(
    session: AsyncSession, held: HeldRole, services: Services, now: datetime, *, person_id: UUID, token: str
) -> Template:
    context = {
        "held": held,
        "file": await get_staff_file(session, held.organisation_id, person_id, now=now),
        "link": f"{services.settings.public_url}/invitations/{token}",
        "days": await get_number(session, "invitation.days", on=china_date(now)),
    }
    # The link is a secret of its reader: no cache may keep this page.
    return Template("enterprise/invitation.html", context=context, headers={"cache-control": "no-store"})


HANDLERS = [StaffController]

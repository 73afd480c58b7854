"""Opening, changing and cancelling classes, and their lists of learners."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from training.accounts import Viewer
from training.class_lists import (
    get_class_line,
    list_class_records,
    list_courses_to_teach,
    list_learners,
    list_teachers,
)
from training.classes import (
    Clash,
    ClassPlan,
    cancel_class,
    change_class,
    list_clashes,
    open_class,
)
from training.enrolments import enrol_people, remove_learner
from training.errors import AnpeiError
from training.models import Role
from web.attempts import attempt
from web.auth import acting_as
from web.centre.class_form import ClassFields, fields_of, plan_of, read_fields
from web.centre.seats import CentreSeat, seat_of
from web.limits import take
from web.services import Services

_ENROLS_AN_HOUR = 120


@dataclass
class PeopleForm:
    """People to enrol, one a line."""

    people: str = ""


@dataclass
class ReasonForm:
    """Why a class is cancelled."""

    reason: str = ""


class ClassController(Controller):
    """`/centre/classes`."""

    path = "/centre/classes"

    @get("/new")
    async def ask(self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer]) -> Template:
        """The form for a new class."""
        held = acting_as(viewer, Role.CENTRE_MANAGER)
        return await _form_page(session, held.organisation_id, ClassFields())

    @post("/new")
    async def open(
        self,
        request: Request,  # type: ignore[type-arg]
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
    ) -> Template | Redirect:
        """Open a class; a clash of room or teacher is shown first and may be accepted."""
        held = acting_as(viewer, Role.CENTRE_MANAGER)
        fields = read_fields(await request.form())
        if fields.wants_row:
            return await _form_page(session, held.organisation_id, fields.with_another_row())
        clashes: list[Clash] = []
        async with attempt(session) as tried:
            plan = plan_of(fields)
            clashes = await _open_clashes(session, held.organisation_id, plan, fields)
            if not clashes:
                opened = await open_class(
                    session, centre_id=held.organisation_id, plan=plan, actor_id=viewer.person_id, now=now
                )
                return Redirect(f"/centre/classes/{opened.id}")
        return await _form_page(session, held.organisation_id, fields, error=tried.error, clashes=clashes)

    @get("/{class_id:uuid}")
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        class_id: FromPath[UUID],
    ) -> Template:
        """One class with its lessons and learners."""
        return await _class_page(session, seat_of(viewer), class_id, now=now)

    @get("/{class_id:uuid}/edit")
    async def ask_change(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], class_id: FromPath[UUID]
    ) -> Template:
        """The form of a class that stands."""
        held = acting_as(viewer, Role.CENTRE_MANAGER)
        line = await get_class_line(session, class_id, centre_id=held.organisation_id)
        return await _form_page(session, held.organisation_id, fields_of(line), class_id=class_id)

    @post("/{class_id:uuid}/edit")
    async def change(
        self,
        request: Request,  # type: ignore[type-arg]
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        class_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Change a class before its first lesson."""
        held = acting_as(viewer, Role.CENTRE_MANAGER)
        fields = read_fields(await request.form())
        if fields.wants_row:
            return await _form_page(session, held.organisation_id, fields.with_another_row(), class_id=class_id)
        clashes: list[Clash] = []
        async with attempt(session) as tried:
            plan = plan_of(fields)
            clashes = await _open_clashes(session, held.organisation_id, plan, fields, class_id=class_id)
            if not clashes:
                await change_class(
                    session,
                    class_id=class_id,
                    centre_id=held.organisation_id,
                    plan=plan,
                    actor_id=viewer.person_id,
                    now=now,
                )
                return Redirect(f"/centre/classes/{class_id}")
        return await _form_page(
            session, held.organisation_id, fields, class_id=class_id, error=tried.error, clashes=clashes
        )

    @post("/{class_id:uuid}/cancel")
    async def cancel(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        class_id: FromPath[UUID],
        data: URLEncodedBody[ReasonForm],
    ) -> Template | Redirect:
        """Cancel a class, with a reason that its learners see."""
        held = acting_as(viewer, Role.CENTRE_MANAGER)
        async with attempt(session) as tried:
            await cancel_class(
                session,
                class_id=class_id,
                centre_id=held.organisation_id,
                reason=data.reason,
                actor_id=viewer.person_id,
                now=now,
            )
        if tried.error is None:
            return Redirect(f"/centre/classes/{class_id}")
        return await _class_page(session, seat_of(viewer), class_id, now=now, error=tried.error, reason=data.reason)

    @post("/{class_id:uuid}/learners")
    async def enrol(
        self,
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        class_id: FromPath[UUID],
        data: URLEncodedBody[PeopleForm],
    ) -> Template | Redirect:
        """Enrol people by name and number."""
        held = acting_as(viewer, Role.CENTRE_MANAGER)
        key = f"class-enrol:{viewer.person_id}"
        await take(services.sessions, key=key, limit=_ENROLS_AN_HOUR, per=timedelta(hours=1), now=now)
        async with attempt(session) as tried:
            await enrol_people(
                session,
                vault=services.vault,
                class_id=class_id,
                centre_id=held.organisation_id,
                typed=data.people,
                actor_id=viewer.person_id,
                now=now,
            )
        if tried.error is None:
            return Redirect(f"/centre/classes/{class_id}#learners")
        return await _class_page(session, seat_of(viewer), class_id, now=now, error=tried.error, people=data.people)

    @post("/{class_id:uuid}/learners/{enrolment_id:uuid}/remove")
    async def remove(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        class_id: FromPath[UUID],
        enrolment_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Take somebody off the list."""
        held = acting_as(viewer, Role.CENTRE_MANAGER)
        async with attempt(session) as tried:
            await remove_learner(
                session,
                class_id=class_id,
                centre_id=held.organisation_id,
                enrolment_id=enrolment_id,
                actor_id=viewer.person_id,
                now=now,
            )
        if tried.error is None:
            return Redirect(f"/centre/classes/{class_id}#learners")
        return await _class_page(session, seat_of(viewer), class_id, now=now, error=tried.error)


async def _open_clashes(
    session: AsyncSession, centre_id: UUID, plan: ClassPlan, fields: ClassFields, *, class_id: UUID | None = None
) -> list[Clash]:
    if fields.accepts_clash:
        return []
    return await list_clashes(session, centre_id=centre_id, plan=plan, except_class_id=class_id)


async def _form_page(
    session: AsyncSession,
    centre_id: UUID,
    fields: ClassFields,
    *,
    class_id: UUID | None = None,
    error: AnpeiError | None = None,
    clashes: list[Clash] | None = None,
) -> Template:
    context = {
        "form": fields,
        "class_id": class_id,
        "courses": await list_courses_to_teach(session),
        "teachers": await list_teachers(session, centre_id),
        "error": error,
        "clashes": clashes or [],
    }
    return Template("centre/class_form.html", context=context, status_code=422 if error or clashes else 200)


async def _class_page(
    session: AsyncSession,
    seat: CentreSeat,
    class_id: UUID,
    *,
    now: datetime,
    error: AnpeiError | None = None,
    people: str = "",
    reason: str = "",
) -> Template:
    line = await get_class_line(session, class_id, centre_id=seat.centre_id, teacher_id=seat.teacher_id)
    context = {
        "line": line,
        "learners": await list_learners(session, class_id),
        "records": await list_class_records(session, class_id),
        "seat": seat,
        "now": now,
        "error": error,
        "people": people,
        "reason": reason,
    }
    return Template("centre/class.html", context=context, status_code=422 if error else 200)


HANDLERS: list[type[Controller]] = [ClassController]

"""`/enterprise/assignments`: who is to learn what by when, and who is behind."""

from __future__ import annotations

from dataclasses import dataclass, field
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
from training.errors import N_, AnpeiError, BadInput
from training.models import Role
from training.plans import (
    AssignmentState,
    assign_course,
    change_due_date,
    list_completion,
    list_deadlines,
    list_offered_courses,
    withdraw_assignment,
)
from training.staff import list_departments, list_posts, list_staff_ids, list_staff_names
from web.attempts import attempt
from web.auth import acting_as
from web.enterprise.forms import read_date, read_keys

_USUAL_DAYS = 30
_TWO = 2


@dataclass
class AssignForm:
    """Which courses, for whom, by when. One ticked box arrives as a text, several as a list."""

    due_on: str = ""
    whom: str = "everyone"
    courses: list[str] | str = field(default_factory=list)
    departments: list[str] | str = field(default_factory=list)
    posts: list[str] | str = field(default_factory=list)
    people: list[str] | str = field(default_factory=list)

    def ticked(self, name: str) -> list[str]:
        """The ticked boxes of one name."""
        value: list[str] | str = getattr(self, name)
        return [value] if isinstance(value, str) else value


@dataclass
class DueForm:
    """A new date."""

    due_on: str = ""


class AssignmentController(Controller):
    """What the enterprise expects of its staff."""

    path = "/enterprise/assignments"

    @get()
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        standing: FromQuery[str] = "",
        name: FromQuery[str] = "",
        page: FromQuery[int] = 1,
        done: FromQuery[str] = "",
    ) -> Template:
        """The board: chart, counts, and everyone with a date."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        counts = [int(each) for each in done.split("-") if each.isdigit()]
        shown = (counts[0], counts[1]) if len(counts) == _TWO else None
        return await _board(session, held, now, standing=standing, name=name, page=page, done=shown)

    @get("/new")
    async def ask(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        person: FromQuery[str] = "",
    ) -> Template:
        """The form; `person` is ticked already."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        due_on = (china_date(now) + timedelta(days=_USUAL_DAYS)).isoformat()
        form = AssignForm(due_on=due_on, whom="people" if person else "everyone", people=[person] if person else [])
        return await _form_page(session, held, now, form)

    @post("/new")
    async def assign(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        data: URLEncodedBody[AssignForm],
    ) -> Template | Redirect:
        """Assign every chosen course to everyone chosen."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        new = moved = 0
        async with attempt(session) as tried:
            courses = read_keys(data.ticked("courses"))
            if not courses:
                raise BadInput(N_("请至少选择一门课程。"), field="courses")
            due_on = read_date(data.due_on, field="due_on")
            people = await list_staff_ids(
                session,
                held.organisation_id,
                everyone=data.whom == "everyone",
                departments=data.ticked("departments") if data.whom == "departments" else (),
                posts=data.ticked("posts") if data.whom == "posts" else (),
                person_ids=read_keys(data.ticked("people")) if data.whom == "people" else (),
            )
            for course_id in sorted(set(courses)):
                done = await assign_course(
                    session, organisation_id=held.organisation_id, course_id=course_id, person_ids=people,
                    due_on=due_on, actor_id=viewer.person_id, now=now,
                )  # fmt: skip
                new, moved = new + done.new, moved + done.moved
        if tried.error:
            return await _form_page(session, held, now, data, tried.error)
        return Redirect(f"/enterprise/assignments?done={new}-{moved}")

    @post("/{assignment_id:uuid}/withdraw")
    async def withdraw(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        assignment_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Expect it no longer."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        async with attempt(session) as tried:
            await withdraw_assignment(
                session, assignment_id=assignment_id, organisation_id=held.organisation_id,
                actor_id=viewer.person_id, now=now,
            )  # fmt: skip
        if tried.error:
            return await _board(session, held, now, error=tried.error)
        return Redirect("/enterprise/assignments")

    @post("/{assignment_id:uuid}/due")
    async def move(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        assignment_id: FromPath[UUID],
        data: URLEncodedBody[DueForm],
    ) -> Template | Redirect:
        """Another date."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        async with attempt(session) as tried:
            await change_due_date(
                session, assignment_id=assignment_id, organisation_id=held.organisation_id,
                due_on=read_date(data.due_on, field="due_on"), actor_id=viewer.person_id, now=now,
            )  # fmt: skip
        if tried.error:
            return await _board(session, held, now, error=tried.error)
        return Redirect("/enterprise/assignments")


async def _board(
    session: AsyncSession,
    held: HeldRole,
    now: datetime,
    *,
    standing: str = "",
    name: str = "",
    page: int = 1,
    done: tuple[int, int] | None = None,
    error: AnpeiError | None = None,
) -> Template:
    chosen = AssignmentState(standing) if standing in set(AssignmentState) else None
    asked = {key: value for key, value in (("standing", chosen), ("name", name)) if value}
    context = {
        "held": held,
        "deadlines": await list_deadlines(session, held.organisation_id, now=now, state=chosen, name=name, page=page),
        "completion": await list_completion(session, held.organisation_id, now=now),
        "states": list(AssignmentState),
        "chosen": chosen,
        "name": name,
        "today": china_date(now),
        "done": done,
        "error": error,
        "address": f"/enterprise/assignments?{urlencode(asked)}{'&' if asked else ''}",
    }
    return Template("enterprise/assignments.html", context=context, status_code=422 if error else 200)


async def _form_page(
    session: AsyncSession, held: HeldRole, now: datetime, form: AssignForm, error: AnpeiError | None = None
) -> Template:
    context = {
        "held": held,
        "form": form,
        "error": error,
        "today": china_date(now),
        "courses": await list_offered_courses(session),
        "departments": await list_departments(session, held.organisation_id),
        "posts": await list_posts(session, held.organisation_id),
        "people": await list_staff_names(session, held.organisation_id),
    }
    return Template("enterprise/assign.html", context=context, status_code=422 if error else 200)


HANDLERS = [AssignmentController]

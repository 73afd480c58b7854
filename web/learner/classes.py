"""Classes as a learner sees them: what is offered, a place, the timetable, and attendance by phone."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from training.accounts import Viewer
from training.attendance import attend_by_code, check_code
from training.class_lists import get_class_line, list_learners, list_my_classes, list_open_classes
from training.enrolments import enrol_oneself, find_enrolment, withdraw_oneself
from training.errors import AnpeiError
from training.models import ClassLesson
from web.attempts import attempt


class LearnerClassController(Controller):
    """`/classes`."""

    path = "/classes"

    @get()
    async def show_all(
        self,
        session: NamedDependency[AsyncSession],
        visitor: NamedDependency[Viewer | None],
        now: NamedDependency[datetime],
    ) -> Template:
        """Classes that one can still enrol for."""
        mine = await list_my_classes(session, person_id=visitor.person_id) if visitor else []
        context = {
            "classes": await list_open_classes(session, now=now),
            "mine": {line.id for line in mine},
        }
        return Template("learner/classes.html", context=context)

    @get("/mine")
    async def show_mine(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
    ) -> Template:
        """The viewer's timetable."""
        classes = await list_my_classes(session, person_id=viewer.person_id)
        return Template("learner/classes_mine.html", context={"classes": classes, "now": now})

    @get("/{class_id:uuid}")
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        visitor: NamedDependency[Viewer | None],
        now: NamedDependency[datetime],
        class_id: FromPath[UUID],
    ) -> Template:
        """One class."""
        return await _page(session, class_id, visitor, now=now)

    @post("/{class_id:uuid}/enrol")
    async def enrol(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        class_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Take a place."""
        async with attempt(session) as tried:
            await enrol_oneself(session, class_id=class_id, person_id=viewer.person_id, now=now)
        if tried.error is None:
            return Redirect(f"/classes/{class_id}")
        return await _page(session, class_id, viewer, now=now, error=tried.error)

    @post("/{class_id:uuid}/withdraw")
    async def withdraw(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        class_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Give the place back."""
        async with attempt(session) as tried:
            await withdraw_oneself(session, class_id=class_id, person_id=viewer.person_id, now=now)
        if tried.error is None:
            return Redirect(f"/classes/{class_id}")
        return await _page(session, class_id, viewer, now=now, error=tried.error)


class AttendController(Controller):
    """`/attend/{lesson}/{code}`: where the QR on the classroom's screen leads."""

    path = "/attend/{lesson_id:uuid}/{code:str}"

    @get()
    async def ask(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        lesson_id: FromPath[UUID],
        code: FromPath[str],
    ) -> Template:
        """Ask for the one tap that records presence."""
        lesson = None
        async with attempt(session) as tried:
            lesson, _ = await check_code(session, lesson_id=lesson_id, code=code, person_id=viewer.person_id, now=now)
        return _attend_page(lesson, code, error=tried.error)

    @post()
    async def attend(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        lesson_id: FromPath[UUID],
        code: FromPath[str],
    ) -> Template:
        """Record presence."""
        lesson = None
        async with attempt(session) as tried:
            lesson, _ = await check_code(session, lesson_id=lesson_id, code=code, person_id=viewer.person_id, now=now)
            await attend_by_code(session, lesson_id=lesson_id, code=code, person_id=viewer.person_id, now=now)
        return _attend_page(lesson, code, error=tried.error, is_done=tried.error is None)


def _attend_page(lesson: ClassLesson | None, code: str, *, error: AnpeiError | None, is_done: bool = False) -> Template:
    context = {"lesson": lesson, "code": code, "error": error, "is_done": is_done}
    return Template("learner/classes_attend.html", context=context, status_code=422 if error else 200)


async def _page(
    session: AsyncSession, class_id: UUID, viewer: Viewer | None, *, now: datetime, error: AnpeiError | None = None
) -> Template:
    enrolment = await find_enrolment(session, class_id=class_id, person_id=viewer.person_id) if viewer else None
    own = next(
        (each for each in await list_learners(session, class_id) if enrolment and each.enrolment_id == enrolment.id),
        None,
    )
    context = {
        "line": await get_class_line(session, class_id),
        "own": own,
        "now": now,
        "error": error,
    }
    return Template("learner/classes_one.html", context=context, status_code=422 if error else 200)


HANDLERS: list[type[Controller]] = [LearnerClassController, AttendController]

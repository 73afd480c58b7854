"""Attendance at a lesson: the sheet, and the classroom's screen with its changing QR code."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from training.accounts import Viewer
from training.attendance import get_own_lesson, mark_list, may_attend_now
from training.attendance_codes import code_at, seconds_left
from training.calendar import china_date
from training.class_lists import list_sheet
from training.errors import AnpeiError
from training.models import ClassLesson, TrainingClass
from training.rules import get_number
from web.attempts import attempt
from web.centre.qr import qr_svg
from web.centre.seats import CentreSeat, seat_of
from web.i18n.catalogue import gettext
from web.services import Services


class LessonController(Controller):
    """`/centre/lessons/{id}`."""

    path = "/centre/lessons/{lesson_id:uuid}"

    @get()
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        lesson_id: FromPath[UUID],
    ) -> Template:
        """The attendance sheet."""
        return await _sheet_page(session, seat_of(viewer), lesson_id, now=now)

    @post()
    async def mark(
        self,
        request: Request,  # type: ignore[type-arg]
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        lesson_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Save the sheet: who is ticked was present."""
        seat = seat_of(viewer)
        lesson, _ = await get_own_lesson(session, lesson_id, centre_id=seat.centre_id, teacher_id=seat.teacher_id)
        ticked = set((await request.form()).getall("present", []))
        sheet = await list_sheet(session, lesson)
        async with attempt(session) as tried:
            await mark_list(
                session,
                lesson_id=lesson_id,
                centre_id=seat.centre_id,
                teacher_id=seat.teacher_id,
                present={line.enrolment_id for line in sheet if str(line.enrolment_id) in ticked},
                actor_id=viewer.person_id,
                now=now,
            )
        return await _sheet_page(session, seat, lesson_id, now=now, error=tried.error, is_saved=tried.error is None)

    @get("/screen")
    async def show_screen(
        self,
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        lesson_id: FromPath[UUID],
    ) -> Template:
        """What the classroom's projector shows."""
        seat = seat_of(viewer)
        lesson, of_class = await get_own_lesson(
            session, lesson_id, centre_id=seat.centre_id, teacher_id=seat.teacher_id
        )
        context = await _code_context(session, services, lesson, of_class, now=now)
        return Template("centre/screen.html", context=context)

    @get("/code")
    async def show_code(
        self,
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        lesson_id: FromPath[UUID],
    ) -> Template:
        """The code alone, fetched again as it changes."""
        seat = seat_of(viewer)
        lesson, of_class = await get_own_lesson(
            session, lesson_id, centre_id=seat.centre_id, teacher_id=seat.teacher_id
        )
        context = await _code_context(session, services, lesson, of_class, now=now)
        return Template("centre/_attendance_code.html", context=context)


async def _code_context(
    session: AsyncSession, services: Services, lesson: ClassLesson, of_class: TrainingClass, *, now: datetime
) -> dict[str, object]:
    seconds = await get_number(session, "attendance.code_seconds", on=china_date(now))
    is_open = await may_attend_now(session, lesson, of_class, now=now)
    code = code_at(lesson.attendance_secret, now, seconds=seconds)
    sheet = await list_sheet(session, lesson)
    return {
        "lesson": lesson,
        "of_class": of_class,
        "early": await get_number(session, "attendance.early_minutes", on=china_date(now)),
        "svg": qr_svg(f"{services.settings.public_url}/attend/{lesson.id}/{code}", title=gettext("签到二维码"))
        if is_open
        else None,
        # A moment after the change, so that the next look shows the next code.
        "seconds": min(seconds_left(now, seconds=seconds) + 1, 15) if is_open else 15,
        "present": sum(line.way is not None for line in sheet),
        "enrolled": len(sheet),
    }


async def _sheet_page(
    session: AsyncSession,
    seat: CentreSeat,
    lesson_id: UUID,
    *,
    now: datetime,
    error: AnpeiError | None = None,
    is_saved: bool = False,
) -> Template:
    lesson, of_class = await get_own_lesson(session, lesson_id, centre_id=seat.centre_id, teacher_id=seat.teacher_id)
    context = {
        "lesson": lesson,
        "of_class": of_class,
        "sheet": await list_sheet(session, lesson),
        "can_scan": await may_attend_now(session, lesson, of_class, now=now),
        "error": error,
        "is_saved": is_saved,
    }
    return Template("centre/lesson.html", context=context, status_code=422 if error else 200)


HANDLERS: list[type[Controller]] = [LessonController]

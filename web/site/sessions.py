"""`/site/sessions`: the rooms of a site and the sessions that its head opens in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.drawn_papers import count_drawn
from exams.models import ExamPart, SessionMode
from exams.plans import list_plans
from exams.qualifications import list_qualifications
from exams.queries_seats import get_site_session, list_site_sessions
from exams.scheduling import NewSession, add_room, cancel_session, list_rooms, open_session, require_browser
from training.accounts import HeldRole, Viewer
from training.calendar import CHINA, china_date, start_of_day
from training.errors import N_, AnpeiError, BadInput
from training.models import Role
from web.attempts import attempt
from web.auth import acting_as
from web.candidate.forms import read_key

_USUAL_SEATS = 30


@dataclass
class RoomForm:
    """A room."""

    name: str = ""
    seats: str = ""
    is_practical: str = ""


@dataclass
class SessionForm:
    """A session as it is typed; the time is China's."""

    qualification_code: str = ""
    part: str = ExamPart.THEORY.value
    mode: str = SessionMode.ON_DEMAND.value
    plan_id: str = ""
    room_id: str = ""
    seats: str = ""
    day: str = ""
    time: str = "09:00"
    needs_seb: str = ""


@dataclass
class BrowserForm:
    """Whether the Safe Exam Browser is needed: "1" or nothing."""

    needs_seb: str = ""


@dataclass
class CancelForm:
    """Why a session is cancelled."""

    reason: str = ""


class SessionController(Controller):
    """Rooms and sessions."""

    path = "/site/sessions"

    @get()
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
    ) -> Template:
        """The sessions from yesterday on."""
        return await _list_page(session, acting_as(viewer, Role.SITE_HEAD), now)

    @post("/{exam_session_id:uuid}/browser")
    async def change_browser(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        data: URLEncodedBody[BrowserForm],
    ) -> Template | Redirect:
        """Need the Safe Exam Browser, or need it no more."""
        held = acting_as(viewer, Role.SITE_HEAD)
        async with attempt(session) as tried:
            await require_browser(
                session, exam_session_id=exam_session_id, site_id=held.organisation_id,
                is_needed=bool(data.needs_seb), actor_id=viewer.person_id, now=now,
            )  # fmt: skip
        if tried.error:
            return await _list_page(session, held, now, error=tried.error)
        return Redirect("/site/sessions")

    @get("/rooms")
    async def rooms(self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer]) -> Template:
        """The rooms."""
        return await _rooms_page(session, acting_as(viewer, Role.SITE_HEAD), RoomForm())

    @post("/rooms")
    async def add_room(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        data: URLEncodedBody[RoomForm],
    ) -> Template | Redirect:
        """Add a room."""
        held = acting_as(viewer, Role.SITE_HEAD)
        async with attempt(session) as tried:
            await add_room(
                session, site_id=held.organisation_id, name=data.name, seats=_number(data.seats),
                is_practical=bool(data.is_practical), actor_id=viewer.person_id, now=now,
            )  # fmt: skip
        if tried.error:
            return await _rooms_page(session, held, data, error=tried.error)
        return Redirect("/site/sessions/rooms")

    @get("/new")
    async def ask(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
    ) -> Template:
        """The form for a new session."""
        tomorrow = china_date(now) + timedelta(days=1)
        form = SessionForm(day=tomorrow.isoformat(), seats=str(_USUAL_SEATS))
        return await _new_page(session, acting_as(viewer, Role.SITE_HEAD), now, form)

    @post("/new")
    async def open(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        data: URLEncodedBody[SessionForm],
    ) -> Template | Redirect:
        """Open it for booking."""
        held = acting_as(viewer, Role.SITE_HEAD)
        async with attempt(session) as tried:
            await open_session(
                session, site_id=held.organisation_id, new=_read(data), actor_id=viewer.person_id, now=now
            )
        if tried.error:
            return await _new_page(session, held, now, data, error=tried.error)
        return Redirect("/site/sessions")

    @get("/{exam_session_id:uuid}/cancel")
    async def ask_cancel(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        exam_session_id: FromPath[UUID],
    ) -> Template:
        """Ask for the reason."""
        return await _cancel_page(session, acting_as(viewer, Role.SITE_HEAD), exam_session_id, CancelForm())

    @post("/{exam_session_id:uuid}/cancel")
    async def cancel(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        data: URLEncodedBody[CancelForm],
    ) -> Template | Redirect:
        """Cancel it and free the seats."""
        held = acting_as(viewer, Role.SITE_HEAD)
        async with attempt(session) as tried:
            await cancel_session(
                session, exam_session_id=exam_session_id, site_id=held.organisation_id, reason=data.reason,
                actor_id=viewer.person_id, now=now,
            )  # fmt: skip
        if tried.error:
            return await _cancel_page(session, held, exam_session_id, data, error=tried.error)
        return Redirect("/site/sessions")


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 6 else 0  # noqa: PLR2004 - no room is larger


def _read(form: SessionForm) -> NewSession:
    try:
        starts_at = datetime.fromisoformat(f"{form.day}T{form.time}").replace(tzinfo=CHINA)
    except ValueError as error:
        raise BadInput(N_("请填写考试日期和开考时间。"), field="day") from error
    room_id = read_key(form.room_id)
    if room_id is None:
        raise BadInput(N_("请选择考场。"), field="room_id")
    return NewSession(
        qualification_code=form.qualification_code,
        part=ExamPart.PRACTICAL if form.part == ExamPart.PRACTICAL else ExamPart.THEORY,
        mode=SessionMode.BATCH if form.mode == SessionMode.BATCH else SessionMode.ON_DEMAND,
        room_id=room_id,
        seats=_number(form.seats),
        starts_at=starts_at,
        plan_id=read_key(form.plan_id),
        needs_seb=bool(form.needs_seb),
    )


async def _list_page(
    session: AsyncSession, held: HeldRole, now: datetime, *, error: AnpeiError | None = None
) -> Template:
    since = start_of_day(china_date(now)) - timedelta(days=1)
    sessions = await list_site_sessions(session, site_id=held.organisation_id, since=since)
    context = {
        "sessions": sessions,
        "drawn": await count_drawn(session, [card.id for card in sessions]),
        "rooms": await list_rooms(session, held.organisation_id),
        "site_name": held.organisation_name,
        "now": now,
        "error": error,
    }
    return Template("site/sessions/sessions.html", context=context, status_code=422 if error else 200)


async def _rooms_page(
    session: AsyncSession, held: HeldRole, form: RoomForm, error: AnpeiError | None = None
) -> Template:
    context = {"rooms": await list_rooms(session, held.organisation_id), "form": form, "error": error}
    return Template("site/sessions/rooms.html", context=context, status_code=422 if error else 200)


async def _new_page(
    session: AsyncSession, held: HeldRole, now: datetime, form: SessionForm, error: AnpeiError | None = None
) -> Template:
    today = china_date(now)
    context = {
        "form": form,
        "rooms": await list_rooms(session, held.organisation_id),
        "qualifications": await list_qualifications(session),
        "plans": [plan for plan in await list_plans(session) if plan.ends_on >= today],
        "parts": ExamPart,
        "modes": SessionMode,
        "today": today,
        "error": error,
    }
    return Template("site/sessions/new.html", context=context, status_code=422 if error else 200)


async def _cancel_page(
    session: AsyncSession, held: HeldRole, exam_session_id: UUID, form: CancelForm, error: AnpeiError | None = None
) -> Template:
    card = await get_site_session(session, exam_session_id=exam_session_id, site_id=held.organisation_id)
    context = {"held": card, "form": form, "error": error}
    return Template("site/sessions/cancel.html", context=context, status_code=422 if error else 200)


HANDLERS: list[type[Controller]] = [SessionController]

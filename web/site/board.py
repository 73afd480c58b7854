"""The site's first page, and the live board of a session with what the site does at a seat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams import board as boards
from exams import integrity, sittings
from exams.handing_in import NOT_MARKED, hand_in_by_site
from exams.identity.checks import SAME_PERSON
from exams.models import IntegrityKind
from exams.sitting_states import SittingAct
from training.accounts import Viewer
from training.calendar import china_date
from training.errors import N_, AnpeiError, BadInput
from training.models import Role
from web.attempts import attempt
from web.services import Services
from web.site.desk import Officer, may_assess, may_run_sessions, officer_of

SHOWN_FACTS = 200

# How the kinds of a seat's history read; `web.site.board` passes them to the seat's page.
HAPPENINGS = {
    sittings.STARTED: N_("开始考试"),
    sittings.TAKEN_OVER: N_("换机后继续考试"),
    sittings.RELEASED: N_("放行换机"),
    sittings.EXTENDED: N_("延长时间"),
    sittings.HANDED_IN: N_("考生交卷"),
    sittings.TIMED_OUT: N_("到时自动交卷"),
    SittingAct.PAUSED: N_("暂停考试"),
    SittingAct.RESUMED: N_("继续考试"),
    SittingAct.CLOSED_BY_SITE: N_("考试点终止考试"),
    SittingAct.VOIDED: N_("考核发证机关作废考试"),
    integrity.CHECKED_AGAIN: N_("考试中再次核验身份"),
    integrity.FACTS_FULL: N_("屏幕事实已满 500 条，之后的只计数、不再逐条保存"),
    NOT_MARKED: N_("自动评分未成功，将再次尝试"),
    boards.INCIDENT: N_("情况记录"),
    "booking.checked_in": N_("签到"),
    "booking.missed": N_("登记缺考"),
}


@dataclass
class ReasonForm:
    """Why the site does it."""

    reason: str = ""


@dataclass
class ExtensionForm:
    """How much longer, and why."""

    minutes: str = ""
    reason: str = ""


@dataclass(frozen=True)
class FactGroup:
    """All facts of one kind at a seat."""

    kind: IntegrityKind
    count: int
    seconds: int


@dataclass(frozen=True)
class SeatMoment:
    """One line of a seat's time line: an act, or a fact."""

    at: datetime
    happening: boards.Happening | None = None
    fact: integrity.FactLine | None = None


@dataclass
class IncidentForm:
    """What happened."""

    note: str = ""


class BoardController(Controller):
    """`/site`, `/site/sessions/{id}`."""

    @get("/site")
    async def home(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
    ) -> Template:
        """Today's and coming sessions, and what to do next."""
        officer = officer_of(viewer, Role.SITE_HEAD, Role.INVIGILATOR, Role.ASSESSOR)
        sessions = await boards.list_sessions(session, site_id=officer.site_id, now=now)
        context = {
            "officer": officer,
            "sessions": sessions,
            "days": [(day, [*lines]) for day, lines in groupby(sessions, key=lambda line: china_date(line.starts_at))],
            "today": china_date(now),
            "runs_sessions": may_run_sessions(viewer, officer),
            "assesses": may_assess(viewer, officer),
            "now": now,
        }
        return Template("site/home.html", context=context)

    @get("/site/sessions/{exam_session_id:uuid}")
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
    ) -> Template:
        """The live board."""
        return await _show_board(session, officer_of(viewer), exam_session_id, now)

    @get("/site/sessions/{exam_session_id:uuid}/live")
    async def live(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
    ) -> Template:
        """The board's changing part, asked for every five seconds."""
        context = await _board_context(session, officer_of(viewer), exam_session_id, now)
        return Template("site/_board.html", context=context)

    @post("/site/sessions/{exam_session_id:uuid}/pause")
    async def pause(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        data: URLEncodedBody[ReasonForm],
    ) -> Template | Redirect:
        """Stop everybody's clock at one instant, as when the fire alarm rings; the site head alone."""
        officer = officer_of(viewer, Role.SITE_HEAD)
        async with attempt(session) as tried:
            await sittings.pause_session(
                session, exam_session_id=exam_session_id, site_id=officer.site_id, actor_id=officer.person_id,
                reason=data.reason, now=now,
            )  # fmt: skip
        if tried.error:
            return await _show_board(session, officer, exam_session_id, now, error=tried.error, act="pause", form=data)
        return Redirect(f"/site/sessions/{exam_session_id}")

    @post("/site/sessions/{exam_session_id:uuid}/resume")
    async def resume(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        data: URLEncodedBody[ReasonForm],
    ) -> Template | Redirect:
        """Let every stopped clock run again."""
        officer = officer_of(viewer, Role.SITE_HEAD)
        async with attempt(session) as tried:
            await sittings.resume_session(
                session, exam_session_id=exam_session_id, site_id=officer.site_id, actor_id=officer.person_id,
                reason=data.reason, now=now,
            )  # fmt: skip
        if tried.error:
            return await _show_board(session, officer, exam_session_id, now, error=tried.error, act="resume", form=data)
        return Redirect(f"/site/sessions/{exam_session_id}")

    @post("/site/sessions/{exam_session_id:uuid}/finish")
    async def finish(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Close the session."""
        officer = officer_of(viewer, Role.SITE_HEAD)
        async with attempt(session) as tried:
            await boards.finish_session(
                session, exam_session_id=exam_session_id, site_id=officer.site_id, actor_id=officer.person_id, now=now
            )
        if tried.error:
            return await _show_board(session, officer, exam_session_id, now, error=tried.error)
        return Redirect(f"/site/sessions/{exam_session_id}")


class SeatController(Controller):
    """`/site/sessions/{id}/seats/{booking}`: one candidate's seat."""

    path = "/site/sessions/{exam_session_id:uuid}/seats/{booking_id:uuid}"

    @get()
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        booking_id: FromPath[UUID],
    ) -> Template:
        """The seat's state, its history and the acts that are possible."""
        return await _show_seat(session, officer_of(viewer), exam_session_id, booking_id, now)

    @post("/release")
    async def release(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        booking_id: FromPath[UUID],
        data: URLEncodedBody[ReasonForm],
    ) -> Template | Redirect:
        """Let the candidate go on at another computer; the site head alone."""
        officer = officer_of(viewer, Role.SITE_HEAD)
        seat = await _get_seat(session, officer, exam_session_id, booking_id, now)
        async with attempt(session) as tried:
            await sittings.release_device(
                session, sitting_id=_sitting_of(seat), site_id=officer.site_id, actor_id=officer.person_id,
                reason=data.reason, now=now,
            )  # fmt: skip
        return await _answer(session, officer, exam_session_id, booking_id, now, tried.error, act="release", form=data)

    @post("/pause")
    async def pause(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        booking_id: FromPath[UUID],
        data: URLEncodedBody[ReasonForm],
    ) -> Template | Redirect:
        """Stop the candidate's clock; the site head alone."""
        officer = officer_of(viewer, Role.SITE_HEAD)
        seat = await _get_seat(session, officer, exam_session_id, booking_id, now)
        async with attempt(session) as tried:
            await sittings.pause_sitting(
                session, sitting_id=_sitting_of(seat), site_id=officer.site_id, actor_id=officer.person_id,
                reason=data.reason, now=now,
            )  # fmt: skip
        return await _answer(session, officer, exam_session_id, booking_id, now, tried.error, act="pause", form=data)

    @post("/resume")
    async def resume(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        booking_id: FromPath[UUID],
        data: URLEncodedBody[ReasonForm],
    ) -> Template | Redirect:
        """Let it run again, with the time that was left."""
        officer = officer_of(viewer, Role.SITE_HEAD)
        seat = await _get_seat(session, officer, exam_session_id, booking_id, now)
        async with attempt(session) as tried:
            await sittings.resume_paused(
                session, sitting_id=_sitting_of(seat), site_id=officer.site_id, actor_id=officer.person_id,
                reason=data.reason, now=now,
            )  # fmt: skip
        return await _answer(session, officer, exam_session_id, booking_id, now, tried.error, act="resume", form=data)

    @post("/end")
    async def end(
        self,
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        booking_id: FromPath[UUID],
        data: URLEncodedBody[ReasonForm],
    ) -> Template | Redirect:
        """End the sitting here; what is saved is marked. The site head alone."""
        officer = officer_of(viewer, Role.SITE_HEAD)
        seat = await _get_seat(session, officer, exam_session_id, booking_id, now)
        async with attempt(session) as tried:
            await hand_in_by_site(
                session, sitting_id=_sitting_of(seat), site_id=officer.site_id, actor_id=officer.person_id,
                reason=data.reason, now=now, countersign=services.keys.countersign,
            )  # fmt: skip
        return await _answer(session, officer, exam_session_id, booking_id, now, tried.error, act="end", form=data)

    @post("/check")
    async def check(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        booking_id: FromPath[UUID],
        data: URLEncodedBody[ReasonForm],
    ) -> Template | Redirect:
        """Write down that an officer has looked again and it is the same person."""
        officer = officer_of(viewer)
        async with attempt(session) as tried:
            await integrity.check_again(
                session, booking_id=booking_id, exam_session_id=exam_session_id, site_id=officer.site_id,
                reason=data.reason, officer_id=officer.person_id, now=now,
            )  # fmt: skip
        return await _answer(session, officer, exam_session_id, booking_id, now, tried.error, act="check", form=data)

    @post("/extend")
    async def extend(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        booking_id: FromPath[UUID],
        data: URLEncodedBody[ExtensionForm],
    ) -> Template | Redirect:
        """Give more time; the site head alone."""
        officer = officer_of(viewer, Role.SITE_HEAD)
        seat = await _get_seat(session, officer, exam_session_id, booking_id, now)
        async with attempt(session) as tried:
            await sittings.extend_sitting(
                session, sitting_id=_sitting_of(seat), site_id=officer.site_id, actor_id=officer.person_id,
                minutes=_read_minutes(data.minutes), reason=data.reason, now=now,
            )  # fmt: skip
        return await _answer(session, officer, exam_session_id, booking_id, now, tried.error, act="extend", form=data)

    @post("/absent")
    async def absent(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        booking_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Write the candidate off as absent."""
        officer = officer_of(viewer)
        async with attempt(session) as tried:
            await boards.mark_absent(
                session, booking_id=booking_id, exam_session_id=exam_session_id, site_id=officer.site_id,
                actor_id=officer.person_id, now=now,
            )  # fmt: skip
        return await _answer(session, officer, exam_session_id, booking_id, now, tried.error, act="absent")

    @post("/incident")
    async def incident(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        booking_id: FromPath[UUID],
        data: URLEncodedBody[IncidentForm],
    ) -> Template | Redirect:
        """Write down what happened."""
        officer = officer_of(viewer)
        async with attempt(session) as tried:
            await boards.note_incident(
                session, booking_id=booking_id, exam_session_id=exam_session_id, site_id=officer.site_id,
                note=data.note, actor_id=officer.person_id, now=now,
            )  # fmt: skip
        return await _answer(session, officer, exam_session_id, booking_id, now, tried.error, act="incident", form=data)


async def _show_board(
    session: AsyncSession,
    officer: Officer,
    exam_session_id: UUID,
    now: datetime,
    *,
    error: AnpeiError | None = None,
    act: str = "",
    form: ReasonForm | None = None,
) -> Template:
    context = await _board_context(session, officer, exam_session_id, now)
    context |= {"officer": officer, "error": error, "act": act, "typed": form.reason if form else ""}
    return Template("site/board.html", context=context, status_code=422 if error else 200)


async def _board_context(
    session: AsyncSession, officer: Officer, exam_session_id: UUID, now: datetime
) -> dict[str, object]:
    return {
        "board": await boards.get_board(session, exam_session_id=exam_session_id, site_id=officer.site_id, now=now),
        "facts": await integrity.count_facts(session, exam_session_id=exam_session_id),
        "due": await integrity.list_due_checks(session, exam_session_id=exam_session_id, now=now),
    }


def group_facts(facts: Sequence[integrity.FactLine]) -> list[FactGroup]:
    """The facts counted by kind, in the order of the kinds."""
    by_kind = {kind: [fact for fact in facts if fact.kind is kind] for kind in IntegrityKind}
    return [
        FactGroup(kind, len(found), sum(fact.seconds for fact in found)) for kind, found in by_kind.items() if found
    ]


def merge_moments(happenings: Sequence[boards.Happening], facts: Sequence[integrity.FactLine]) -> list[SeatMoment]:
    """One time line, the newest first."""
    moments = [SeatMoment(one.at, happening=one) for one in happenings]
    moments += [SeatMoment(one.began_at, fact=one) for one in facts[:SHOWN_FACTS]]
    return sorted(moments, key=lambda moment: moment.at, reverse=True)


async def _get_seat(
    session: AsyncSession, officer: Officer, exam_session_id: UUID, booking_id: UUID, now: datetime
) -> boards.Seat:
    return await boards.get_seat(
        session, booking_id=booking_id, exam_session_id=exam_session_id, site_id=officer.site_id, now=now
    )


def _sitting_of(seat: boards.Seat) -> UUID:
    if seat.sitting_id is None:
        raise sittings.NotOpen
    return seat.sitting_id


def _read_minutes(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise BadInput(N_("请填写延长的分钟数。"), field="minutes") from error


async def _show_seat(
    session: AsyncSession,
    officer: Officer,
    exam_session_id: UUID,
    booking_id: UUID,
    now: datetime,
    *,
    error: AnpeiError | None = None,
    act: str = "",
    form: ReasonForm | ExtensionForm | IncidentForm | None = None,
) -> Template:
    seat = await _get_seat(session, officer, exam_session_id, booking_id, now)
    board = await boards.get_board(session, exam_session_id=exam_session_id, site_id=officer.site_id, now=now)
    happenings = await boards.list_happenings(session, booking_id=booking_id)
    facts = await integrity.list_facts(session, sitting_id=seat.sitting_id) if seat.sitting_id else []
    due = await integrity.list_due_checks(session, exam_session_id=exam_session_id, now=now)
    context = {
        "seat": seat,
        "board": board,
        "officer": officer,
        "moments": merge_moments(happenings, facts),
        "groups": group_facts(facts),
        "unseen": max(len(facts) - SHOWN_FACTS, 0),
        "minutes_since_check": due.get(booking_id),
        "check_reasons": SAME_PERSON,
        "words": HAPPENINGS,
        "error": error,
        "act": act,
        "typed": {
            "reason": getattr(form, "reason", ""),
            "minutes": getattr(form, "minutes", ""),
            "note": getattr(form, "note", ""),
        },
    }
    return Template("site/board_seat.html", context=context, status_code=422 if error else 200)


async def _answer(
    session: AsyncSession,
    officer: Officer,
    exam_session_id: UUID,
    booking_id: UUID,
    now: datetime,
    error: AnpeiError | None,
    *,
    act: str,
    form: ReasonForm | ExtensionForm | IncidentForm | None = None,
) -> Template | Redirect:
    """Back to the seat; with what was typed if it was refused."""
    if error is None:
        return Redirect(f"/site/sessions/{exam_session_id}/seats/{booking_id}")
    return await _show_seat(session, officer, exam_session_id, booking_id, now, error=error, act=act, form=form)


HANDLERS: list[type[Controller]] = [BoardController, SeatController]

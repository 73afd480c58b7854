"""Practical tests: the score sheet, the second signature, and the authority's release."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams import practical
from exams.practical import TaskMark
from training.accounts import Viewer
from training.errors import AnpeiError
from training.models import Role
from web.attempts import attempt
from web.auth import acting_as
from web.services import Services
from web.site.desk import Officer, officer_of

_NOT_A_NUMBER = Decimal("NaN")


@dataclass
class DisputeForm:
    """Why the second assessor does not sign."""

    reason: str = ""


class PracticalController(Controller):
    """`/site/practical`."""

    path = "/site/practical"

    @get()
    async def list_sessions(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
    ) -> Template:
        """The practical sessions of these days."""
        officer = officer_of(viewer, Role.ASSESSOR, Role.SITE_HEAD)
        sessions = await practical.list_practical_sessions(session, site_id=officer.site_id, now=now)
        return Template("site/practical.html", context={"sessions": sessions, "officer": officer})

    @get("/sessions/{exam_session_id:uuid}")
    async def show_session(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        exam_session_id: FromPath[UUID],
    ) -> Template:
        """Everybody of a session, with the next step for each."""
        officer = officer_of(viewer, Role.ASSESSOR, Role.SITE_HEAD)
        lines = await practical.list_candidates(session, exam_session_id=exam_session_id, site_id=officer.site_id)
        context = {"lines": lines, "exam_session_id": exam_session_id, "officer": officer}
        return Template("site/practical_session.html", context=context)

    @get("/{booking_id:uuid}")
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        booking_id: FromPath[UUID],
    ) -> Template:
        """One candidate's score sheet."""
        return await _show_sheet(session, officer_of(viewer, Role.ASSESSOR, Role.SITE_HEAD), services, booking_id)

    @post("/{booking_id:uuid}")
    async def enter(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        booking_id: FromPath[UUID],
        data: URLEncodedBody[dict[str, str]],
    ) -> Template | Redirect:
        """Sign as the first assessor. The fields depend on the plan: points_K1, veto_K1 …"""
        officer = officer_of(viewer, Role.ASSESSOR)
        async with attempt(session) as tried:
            await practical.enter_result(
                session, booking_id=booking_id, site_id=officer.site_id, marks=_read_marks(data),
                assessor_id=officer.person_id, key=services.keys.session, now=now,
            )  # fmt: skip
        if tried.error:
            return await _show_sheet(session, officer, services, booking_id, error=tried.error, typed=data)
        return Redirect(f"/site/practical/{booking_id}")

    @post("/{booking_id:uuid}/confirm")
    async def confirm(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        booking_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Sign as the second assessor."""
        officer = officer_of(viewer, Role.ASSESSOR)
        async with attempt(session) as tried:
            await practical.confirm_result(
                session, booking_id=booking_id, site_id=officer.site_id, assessor_id=officer.person_id, now=now
            )
        if tried.error:
            return await _show_sheet(session, officer, services, booking_id, error=tried.error)
        return Redirect(f"/site/practical/{booking_id}")

    @post("/{booking_id:uuid}/dispute")
    async def dispute(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        booking_id: FromPath[UUID],
        data: URLEncodedBody[DisputeForm],
    ) -> Template | Redirect:
        """Refuse the second signature, with a reason."""
        officer = officer_of(viewer, Role.ASSESSOR)
        async with attempt(session) as tried:
            await practical.dispute_result(
                session, booking_id=booking_id, site_id=officer.site_id, reason=data.reason,
                assessor_id=officer.person_id, now=now,
            )  # fmt: skip
        if tried.error:
            return await _show_sheet(session, officer, services, booking_id, error=tried.error)
        return Redirect(f"/site/practical/{booking_id}")


class PracticalReleaseController(Controller):
    """`/authority/practical`: results that two assessors signed."""

    path = "/authority/practical"

    @get()
    async def show(self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer]) -> Template:
        """Sessions with results, those to release first."""
        acting_as(viewer, Role.ISSUER, Role.APPLICATION_REVIEWER)
        return Template("site/practical_release.html", context={"lines": await practical.list_to_release(session)})

    @post("/{exam_session_id:uuid}/release")
    async def release(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
    ) -> Redirect:
        """Publish what is signed."""
        acting_as(viewer, Role.ISSUER, Role.APPLICATION_REVIEWER)
        await practical.release_practical(session, exam_session_id=exam_session_id, actor_id=viewer.person_id, now=now)
        return Redirect("/authority/practical")


def _read_marks(data: dict[str, str]) -> dict[str, TaskMark]:
    subjects = [name.removeprefix("points_") for name in data if name.startswith("points_")]
    return {subject: _read_mark(data, subject) for subject in subjects}


def _read_mark(data: dict[str, str], subject: str) -> TaskMark:
    try:
        points = Decimal(data[f"points_{subject}"].strip())
    except InvalidOperation:
        points = _NOT_A_NUMBER
    return TaskMark(points, data.get(f"veto_{subject}", "").strip())


async def _show_sheet(
    session: AsyncSession,
    officer: Officer,
    services: Services,
    booking_id: UUID,
    *,
    error: AnpeiError | None = None,
    typed: dict[str, str] | None = None,
) -> Template:
    sheet = await practical.get_sheet(
        session, booking_id=booking_id, site_id=officer.site_id, key=services.keys.session
    )
    shown = typed if typed is not None else _stored_fields(sheet)
    context = {"sheet": sheet, "officer": officer, "error": error, "typed": shown}
    return Template("site/practical_sheet.html", context=context, status_code=422 if error else 200)


def _stored_fields(sheet: practical.PracticalSheet) -> dict[str, str]:
    fields: dict[str, str] = {}
    for subject, mark in sheet.marks.items():
        fields[f"points_{subject}"], fields[f"veto_{subject}"] = str(mark.points), mark.veto
    return fields


HANDLERS: list[type[Controller]] = [PracticalController, PracticalReleaseController]

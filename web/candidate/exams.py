"""`/exams`: my applications with their next step, and what one can apply for, with its published conditions."""

from __future__ import annotations

from datetime import datetime
from itertools import groupby

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.applications import find_open_application, list_findings, start_application
from exams.attempts import is_used_up
from exams.health import items_for
from exams.models import Qualification
from exams.plans import list_plans
from exams.qualifications import get_conditions, get_qualification, get_rules, list_qualifications
from exams.queries_applications import list_own_applications
from exams.queries_seats import count_upcoming
from exams.sheets import list_occasions
from training.accounts import Viewer
from training.calendar import china_date
from training.errors import AnpeiError
from web.attempts import attempt
from web.candidate.holding import holds_valid_certificate


class ExamsController(Controller):
    """What a candidate starts from."""

    path = "/exams"

    @get()
    async def home(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
    ) -> Template:
        """My applications, newest first."""
        applications = await list_own_applications(session, viewer.person_id, now=now)
        occasions = await list_occasions(session, person_id=viewer.person_id, now=now)
        to_sit = [each for each in occasions if each.can_start and not each.passed]
        context = {"applications": applications, "to_sit": to_sit, "now": now}
        return Template("candidate/exams.html", context=context)

    @get("/qualifications")
    async def catalogue(
        self,
        session: NamedDependency[AsyncSession],
        now: NamedDependency[datetime],
        text: FromQuery[str] = "",
    ) -> Template:
        """What one can apply for, by class; open to everybody (行政许可法 art. 54)."""
        wanted = text.strip().lower()
        found = [
            row
            for row in await list_qualifications(session)
            if wanted in f"{row.class_name}{row.name}{row.name_en}{row.so_code}".lower()
        ]
        classes = [(name, list(rows)) for name, rows in groupby(found, key=lambda row: row.class_name)]
        context = {
            "classes": classes,
            "text": text.strip(),
            "upcoming": await count_upcoming(session, now=now),
            "plans": [plan for plan in await list_plans(session) if plan.ends_on >= china_date(now)],
        }
        return Template("candidate/qualifications.html", context=context)

    @get("/qualifications/{code:str}")
    async def conditions(
        self,
        session: NamedDependency[AsyncSession],
        visitor: NamedDependency[Viewer | None],
        now: NamedDependency[datetime],
        code: FromPath[str],
    ) -> Template:
        """The published conditions, checked for whoever is signed in."""
        return await _conditions_page(session, visitor, now, await get_qualification(session, code))

    @post("/qualifications/{code:str}/applications")
    async def start(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        code: FromPath[str],
    ) -> Template | Redirect:
        """Begin an application, or go on with the one that is open."""
        qualification = await get_qualification(session, code)
        holds = await holds_valid_certificate(session, person_id=viewer.person_id, code=code, now=now)
        async with attempt(session) as tried:
            application = await start_application(
                session, person_id=viewer.person_id, qualification_code=code, has_valid_certificate=holds, now=now
            )
        if tried.error:
            return await _conditions_page(session, viewer, now, qualification, error=tried.error)
        return Redirect(f"/exams/applications/{application.id}")


async def _conditions_page(
    session: AsyncSession,
    visitor: Viewer | None,
    now: datetime,
    qualification: Qualification,
    error: AnpeiError | None = None,
) -> Template:
    today = china_date(now)
    findings, mine = [], None
    if visitor is not None:
        holds = await holds_valid_certificate(session, person_id=visitor.person_id, code=qualification.code, now=now)
        mine = await find_open_application(session, person_id=visitor.person_id, code=qualification.code)
        if mine is not None and await is_used_up(session, mine, now=now):
            mine = None
        findings = await list_findings(
            session, person_id=visitor.person_id, qualification=qualification, application=None,
            has_valid_certificate=holds, now=now,
        )  # fmt: skip
    context = {
        "qualification": qualification,
        "conditions": await get_conditions(session, qualification, on=today),
        "rules": await get_rules(session, qualification, on=today),
        "health_items": items_for(qualification.so_code),
        "findings": [finding for finding in findings if finding.is_fixed],
        "mine": mine,
        "upcoming": (await count_upcoming(session, now=now)).get(qualification.code, 0),
        "error": error,
    }
    return Template("candidate/qualification.html", context=context, status_code=422 if error else 200)


HANDLERS: list[type[Controller]] = [ExamsController]

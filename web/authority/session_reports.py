"""`/authority/scores/…/report`: how a session went, as figures and flags for people, never as verdicts."""

from __future__ import annotations

import asyncio
from datetime import datetime
from uuid import UUID

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.answer_similarity import FALSE_ALARM, FEWEST_SHARED, FEWEST_TAKERS
from exams.queries_report import get_session_report, list_reported_sessions
from exams.response_times import RAPID_SECONDS
from exams.session_report import RELIABLE_FROM
from training import audit
from training.accounts import Viewer
from training.calendar import china_date
from training.models import Role
from web.auth import acting_as
from web.authority.report_sheets import make_report_sheets
from web.i18n.catalogue import gettext, language
from web.labels import label

_ROLES = (Role.ISSUER, Role.APPLICATION_REVIEWER, Role.QUESTION_REVIEWER)
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_SHOWN_ITEMS = 30
_SHOWN_PAIRS = 10
_BOUNDS = {
    "false_alarm": FALSE_ALARM,
    "fewest_takers": FEWEST_TAKERS,
    "fewest_shared": FEWEST_SHARED,
    "rapid_seconds": RAPID_SECONDS,
    "reliable_from": RELIABLE_FROM,
}


class SessionReportController(Controller):
    """Reports of sessions that have scores."""

    path = "/authority/scores"

    @get("/reports")
    async def show(self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer]) -> Template:
        """Every session with a report, the latest first."""
        acting_as(viewer, *_ROLES)
        return Template("authority/scores/reports.html", context={"sessions": await list_reported_sessions(session)})

    @get("/{exam_session_id:uuid}/report")
    async def report(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        exam_session_id: FromPath[UUID],
    ) -> Template:
        """The report, candidates by their seats only."""
        acting_as(viewer, *_ROLES)
        report = await get_session_report(session, exam_session_id=exam_session_id)
        figures = report.figures
        context = {
            "report": report,
            "figures": figures,
            "bands": [(band.name, band.count) for band in figures.bands],
            "items": figures.items[:_SHOWN_ITEMS],
            "pairs": figures.similarities.pairs[:_SHOWN_PAIRS],
            "paces": [pace for pace in figures.paces if pace.flags],
            "untimed": sum(pace.effort is None for pace in figures.paces),
            "bounds": _BOUNDS,
            "may_release": any(viewer.held(role) for role in _ROLES[:2]),
        }
        return Template("authority/scores/report.html", context=context)

    @get("/{exam_session_id:uuid}/report.xlsx")
    async def export(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
    ) -> Response[bytes]:
        """All tables of the report as a workbook."""
        acting_as(viewer, *_ROLES)
        report = await get_session_report(session, exam_session_id=exam_session_id)
        audit.record(
            session, action="session.report_exported", target=("exam_session", exam_session_id),
            actor_id=viewer.person_id, now=now,
        )  # fmt: skip
        data = await asyncio.to_thread(
            make_report_sheets,
            report,
            made_on=china_date(now),
            say=gettext,
            label=label,
        )
        name = f"attachment; filename=session-report-{report.session.starts_at:%Y%m%d}-{language.get()}.xlsx"
        return Response(data, media_type=_XLSX, headers={"content-disposition": name})


HANDLERS = [SessionReportController]

"""`/enterprise/exams/…/late`: answers to an enterprise's own exam that came too late to count."""

from __future__ import annotations

from uuid import UUID

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.queries_late import list_exam_late
from training.accounts import Viewer
from training.models import Role
from web.auth import acting_as


class LateStaffAnswerController(Controller):
    """What was kept and not counted."""

    path = "/enterprise/exams"

    @get("/{exam_id:uuid}/late")
    async def show(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], exam_id: FromPath[UUID]
    ) -> Template:
        """By employee, with what counts instead."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        title, candidates = await list_exam_late(session, exam_id=exam_id, organisation_id=held.organisation_id)
        context = {
            "held": held,
            "title": title,
            "candidates": candidates,
            "count": sum(len(candidate.lines) for candidate in candidates),
            "back": f"/enterprise/exams/{exam_id}",
        }
        return Template("enterprise/exam_late.html", context=context)


HANDLERS: list[type[Controller]] = [LateStaffAnswerController]

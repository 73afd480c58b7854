"""`/authority/scores/…/late`: answers that came too late to count, for the authority to see."""

from __future__ import annotations

from uuid import UUID

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.queries_late import list_session_late
from exams.queries_scores import get_session_facts
from training.accounts import Viewer
from training.models import Role
from web.auth import acting_as

_ROLES = (Role.ISSUER, Role.APPLICATION_REVIEWER)


class LateAnswerController(Controller):
    """What was kept and not counted."""

    path = "/authority/scores"

    @get("/{exam_session_id:uuid}/late")
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        exam_session_id: FromPath[UUID],
    ) -> Template:
        """By candidate, with what counts instead."""
        acting_as(viewer, *_ROLES)
        about = await get_session_facts(session, exam_session_id=exam_session_id)
        candidates = await list_session_late(session, exam_session_id=exam_session_id)
        context = {
            "about": about,
            "candidates": candidates,
            "count": sum(len(candidate.lines) for candidate in candidates),
            "back": f"/authority/scores/{exam_session_id}",
        }
        return Template("authority/scores/late.html", context=context)


HANDLERS: list[type[Controller]] = [LateAnswerController]

"""`/site/sessions/…/papers.pdf`: what the authority drew for a room without computers; never a key."""

from __future__ import annotations

import asyncio
from datetime import datetime
from uuid import UUID

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.drawn_papers import take_room_papers
from exams.printed_papers import paper_pdf
from training.accounts import Viewer
from training.models import Role
from web.auth import acting_as
from web.printed import fonts, pdf_download
from web.services import Services


class RoomPaperController(Controller):
    """Papers to print at the site."""

    path = "/site/sessions"

    @get("/{exam_session_id:uuid}/papers.pdf")
    async def papers(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
    ) -> Response[bytes]:
        """Every candidate's paper, by seat."""
        held = acting_as(viewer, Role.SITE_HEAD)
        papers = await take_room_papers(
            session, exam_session_id=exam_session_id, actor_id=viewer.person_id, now=now,
            site_id=held.organisation_id, is_demo=services.settings.is_demo,
        )  # fmt: skip
        data = await asyncio.to_thread(paper_pdf, papers, fonts())
        return pdf_download(data, f"papers-{exam_session_id.hex[-8:]}")


HANDLERS: list[type[Controller]] = [RoomPaperController]

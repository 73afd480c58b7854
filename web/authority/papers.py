"""`/authority/papers`: papers drawn for rooms without computers, and papers and keys out of the archive."""

from __future__ import annotations

import asyncio
import secrets
from datetime import datetime, timedelta
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.drawn_papers import (
    draw_papers,
    get_paper_session,
    list_paper_lines,
    list_paper_sessions,
    take_room_keys,
    take_room_papers,
)
from exams.made_ahead import Readiness, count_ready
from exams.paper_archive import take_key, take_paper
from exams.printed_papers import answer_key_pdf, paper_pdf
from exams.sheet_entry import list_sheet_states
from training.accounts import Viewer
from training.calendar import china_date
from training.errors import AnpeiError
from training.models import Role
from training.rules import get_number
from web.attempts import attempt
from web.auth import acting_as
from web.printed import fonts, pdf_download
from web.services import Services

ROLES = (Role.ISSUER, Role.APPLICATION_REVIEWER)
_SINCE = timedelta(days=30)
_SEED_BITS = 63


class PaperController(Controller):
    """Papers on paper."""

    path = "/authority/papers"

    @get()
    async def show(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
    ) -> Template:
        """Sessions with candidates, of the last month and to come."""
        acting_as(viewer, *ROLES)
        return await papers_page(session, now)

    @get("/{exam_session_id:uuid}")
    async def session_page(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
    ) -> Template:
        """One session's papers."""
        acting_as(viewer, *ROLES)
        return await _session_page(session, exam_session_id, viewer, now)

    @post("/{exam_session_id:uuid}/draw")
    async def draw(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Deal papers to those who have none."""
        acting_as(viewer, *ROLES)
        async with attempt(session) as tried:
            await draw_papers(
                session, exam_session_id=exam_session_id, actor_id=viewer.person_id,
                new_seed=lambda: secrets.randbits(_SEED_BITS), now=now,
            )  # fmt: skip
        if tried.error:
            return await _session_page(session, exam_session_id, viewer, now, tried.error)
        return Redirect(f"/authority/papers/{exam_session_id}")

    @get("/{exam_session_id:uuid}/papers.pdf")
    async def room_papers(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
    ) -> Response[bytes]:
        """Every drawn paper, by seat."""
        acting_as(viewer, *ROLES)
        papers = await take_room_papers(
            session, exam_session_id=exam_session_id, actor_id=viewer.person_id, now=now,
            is_demo=services.settings.is_demo,
        )  # fmt: skip
        data = await asyncio.to_thread(paper_pdf, papers, fonts())
        return pdf_download(data, f"papers-{exam_session_id.hex[-8:]}")

    @get("/{exam_session_id:uuid}/keys.pdf")
    async def room_keys(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
    ) -> Response[bytes]:
        """Their keys, after the end."""
        acting_as(viewer, *ROLES)
        keys = await take_room_keys(
            session, exam_session_id=exam_session_id, actor_id=viewer.person_id, now=now,
            is_demo=services.settings.is_demo,
        )  # fmt: skip
        data = await asyncio.to_thread(answer_key_pdf, keys, fonts())
        return pdf_download(data, f"keys-{exam_session_id.hex[-8:]}")

    @get("/{exam_session_id:uuid}/{sitting_id:uuid}/paper.pdf")
    async def archived_paper(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        sitting_id: FromPath[UUID],
    ) -> Response[bytes]:
        """The paper of an ended sitting with its answers."""
        acting_as(viewer, *ROLES)
        paper = await take_paper(
            session, exam_session_id=exam_session_id, sitting_id=sitting_id, actor_id=viewer.person_id, now=now,
            is_demo=services.settings.is_demo,
        )  # fmt: skip
        data = await asyncio.to_thread(paper_pdf, [paper], fonts())
        return pdf_download(data, f"paper-{paper.head.ticket_no}")

    @get("/{exam_session_id:uuid}/{sitting_id:uuid}/key.pdf")
    async def archived_key(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        sitting_id: FromPath[UUID],
    ) -> Response[bytes]:
        """Its key."""
        acting_as(viewer, *ROLES)
        key = await take_key(
            session, exam_session_id=exam_session_id, sitting_id=sitting_id, actor_id=viewer.person_id, now=now,
            is_demo=services.settings.is_demo,
        )  # fmt: skip
        data = await asyncio.to_thread(answer_key_pdf, [key], fonts())
        return pdf_download(data, f"key-{key.head.ticket_no}")


async def papers_page(
    session: AsyncSession, now: datetime, *, code: str = "", error: AnpeiError | None = None
) -> Template:
    """The sessions, with a field for the code of an answer sheet."""
    sessions = await list_paper_sessions(session, now=now, since=_SINCE)
    context = {
        "sessions": sessions,
        "ready": await count_ready(session, [held.id for held in sessions if now < held.ends_at], now=now),
        "now": now,
        "code": code,
        "error": error,
    }
    return Template("authority/papers/list.html", context=context, status_code=422 if error else 200)


async def _session_page(
    session: AsyncSession, exam_session_id: UUID, viewer: Viewer, now: datetime, error: AnpeiError | None = None
) -> Template:
    context = {
        "held": await get_paper_session(session, exam_session_id=exam_session_id),
        "lines": await list_paper_lines(session, exam_session_id=exam_session_id),
        "sheets": await list_sheet_states(session, exam_session_id=exam_session_id, viewer_id=viewer.person_id),
        "ready": (await count_ready(session, [exam_session_id], now=now)).get(exam_session_id, Readiness()),
        "ahead_hours": await get_number(session, "paper.ahead_hours", on=china_date(now)),
        "now": now,
        "error": error,
    }
    return Template("authority/papers/session.html", context=context, status_code=422 if error else 200)


HANDLERS = [PaperController]

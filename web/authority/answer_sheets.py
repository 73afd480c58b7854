"""`/authority/papers/sheets`: printed answer sheets, read and entered by two people, each by themselves."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.sheet_entry import enter_sheet, find_sheet, get_sheet_form
from training.accounts import Viewer
from training.errors import AnpeiError
from web.attempts import attempt
from web.auth import acting_as
from web.authority.papers import ROLES, papers_page
from web.services import Services

_MARK = "mark-"


class AnswerSheetController(Controller):
    """Answer sheets on paper."""

    path = "/authority/papers/sheets"

    @get()
    async def find(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        code: FromQuery[str] = "",
    ) -> Template | Redirect:
        """Go to the sheet that a scanner read, or that a ticket number names."""
        acting_as(viewer, *ROLES)
        async with attempt(session) as tried:
            drawn_paper_id = await find_sheet(session, code=code)
        if tried.error:
            return await papers_page(session, now, code=code, error=tried.error)
        return Redirect(f"/authority/papers/sheets/{drawn_paper_id}")

    @get("/{drawn_paper_id:uuid}")
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        drawn_paper_id: FromPath[UUID],
    ) -> Template:
        """The sheet with what this viewer has entered."""
        acting_as(viewer, *ROLES)
        return await _sheet_page(session, drawn_paper_id, viewer, now)

    @post("/{drawn_paper_id:uuid}")
    async def enter(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        drawn_paper_id: FromPath[UUID],
        data: URLEncodedBody[dict[str, str]],
    ) -> Template | Redirect:
        """Keep a reading. The fields are mark-1, mark-2 …"""
        acting_as(viewer, *ROLES)
        positions = sorted(
            int(name[len(_MARK) :]) for name in data if name.startswith(_MARK) and name[len(_MARK) :].isdecimal()
        )
        async with attempt(session) as tried:
            await enter_sheet(
                session, drawn_paper_id=drawn_paper_id, marks=[data[f"{_MARK}{position}"] for position in positions],
                remark=data.get("remark", ""), actor_id=viewer.person_id, now=now,
                countersign=services.keys.countersign,
            )  # fmt: skip
        if tried.error:
            return await _sheet_page(session, drawn_paper_id, viewer, now, typed=data, error=tried.error)
        return Redirect(f"/authority/papers/sheets/{drawn_paper_id}")


async def _sheet_page(
    session: AsyncSession,
    drawn_paper_id: UUID,
    viewer: Viewer,
    now: datetime,
    *,
    typed: dict[str, str] | None = None,
    error: AnpeiError | None = None,
) -> Template:
    form = await get_sheet_form(session, drawn_paper_id=drawn_paper_id, viewer_id=viewer.person_id)
    context = {"form": form, "typed": typed, "now": now, "error": error}
    return Template("authority/papers/sheet.html", context=context, status_code=422 if error else 200)


HANDLERS = [AnswerSheetController]

"""`/authority/items/import`: an xlsx file, its preview, and the confirmation."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, MultipartBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from question_bank.importing.imports import confirm_import, get_import, preview_import
from question_bank.importing.sheets import NotAWorkbook
from question_bank.importing.template import make_template
from question_bank.queries import get_blueprint, list_blueprints
from training.accounts import Viewer
from training.errors import AnpeiError
from training.models import Role
from web.attempts import attempt
from web.auth import acting_as

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_ROWS_SHOWN = 100


@dataclass
class UploadForm:
    """The file and the bank that it is for."""

    subject: str = ""
    file: UploadFile | None = None


class ImportController(Controller):
    """Items from a workbook."""

    path = "/authority/items"

    @get("/template.xlsx")
    async def template(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        subject: FromQuery[str] = "GEN",
    ) -> Response[bytes]:
        """The workbook to fill in."""
        acting_as(viewer, Role.QUESTION_EDITOR)
        blueprint = await get_blueprint(session, subject)
        data = await asyncio.to_thread(make_template, subject=blueprint.code, areas=blueprint.areas)
        name = quote(f"题目导入模板-{blueprint.code}.xlsx")
        return Response(data, media_type=_XLSX, headers={"content-disposition": f"attachment; filename*=UTF-8''{name}"})

    @get("/import")
    async def ask(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        subject: FromQuery[str] = "",
    ) -> Template:
        """Choose a bank and a file."""
        acting_as(viewer, Role.QUESTION_EDITOR)
        return await _upload_page(session, subject)

    @post("/import")
    async def upload(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        data: MultipartBody[UploadForm],
    ) -> Template | Redirect:
        """Read the file and go on to its preview."""
        acting_as(viewer, Role.QUESTION_EDITOR)
        async with attempt(session) as tried:
            if data.file is None or not data.file.filename:
                raise NotAWorkbook(field="file")
            content = await data.file.read()
            kept = await preview_import(session, subject=data.subject, data=content, actor_id=viewer.person_id, now=now)
        if tried.error:
            return await _upload_page(session, data.subject, error=tried.error)
        return Redirect(f"/authority/items/imports/{kept.id}")

    @get("/imports/{import_id:uuid}")
    async def preview(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], import_id: FromPath[UUID]
    ) -> Template:
        """What the file says, row by row, and what is wrong with it."""
        acting_as(viewer, Role.QUESTION_EDITOR)
        return await _preview_page(session, import_id, viewer)

    @post("/imports/{import_id:uuid}")
    async def confirm(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        import_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Take the rows in as drafts."""
        acting_as(viewer, Role.QUESTION_EDITOR)
        async with attempt(session) as tried:
            await confirm_import(session, import_id=import_id, actor_id=viewer.person_id, now=now)
        if tried.error:
            return await _preview_page(session, import_id, viewer, error=tried.error)
        return Redirect(f"/authority/items/imports/{import_id}")


async def _upload_page(session: AsyncSession, subject: str, *, error: AnpeiError | None = None) -> Template:
    context = {"blueprints": await list_blueprints(session), "subject": subject or "GEN", "error": error}
    return Template("authority/items/import.html", context=context, status_code=422 if error else 200)


async def _preview_page(
    session: AsyncSession, import_id: UUID, viewer: Viewer, *, error: AnpeiError | None = None
) -> Template:
    kept = await get_import(session, import_id, viewer_id=viewer.person_id)
    context = {
        "kept": kept,
        "blueprint": await get_blueprint(session, kept.subject),
        "shown": _ROWS_SHOWN,
        "error": error,
    }
    return Template("authority/items/preview.html", context=context, status_code=422 if error else 200)


HANDLERS = [ImportController]

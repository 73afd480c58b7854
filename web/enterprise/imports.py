"""`/enterprise/staff/import`: the template, the upload, its preview and its confirmation."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, MultipartBody, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from training.accounts import Viewer
from training.calendar import china_date
from training.errors import AnpeiError
from training.models import Role
from training.rules import get_number
from training.staff_import import Preview, Reason, confirm_import, find_imported, get_preview, keep_upload
from training.staff_sheet import BYTES_AT_MOST, check_package, make_bad_rows, make_template, read_sheet
from web.attempts import attempt
from web.auth import acting_as
from web.enterprise.words import accepted, headings, offered
from web.i18n.catalogue import gettext
from web.limits import take
from web.services import Services

if TYPE_CHECKING:
    from collections.abc import Sequence

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_ROWS_A_PAGE = 50


@dataclass
class UploadForm:
    """The file. Absent when none was chosen."""

    sheet: UploadFile | None = None


@dataclass
class ConfirmForm:
    """How many good rows the manager saw."""

    expected: int = 0


def xlsx(data: bytes, name: str) -> Response[bytes]:
    """A workbook to download."""
    headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
    return Response(data, media_type=XLSX, headers=headers)


def tell(reason: Reason) -> str:
    """The sentence of a reason in the reader's language."""
    values = {key: gettext(value) if isinstance(value, str) else value for key, value in reason.params.items()}
    return gettext(reason.template, **values)


def _tell_all(reasons: Sequence[Reason]) -> list[str]:
    return [tell(reason).rstrip("。") for reason in reasons]


class ImportController(Controller):
    """A staff list on its way in."""

    path = "/enterprise/staff"

    @get("/template.xlsx")
    async def template(self, viewer: NamedDependency[Viewer]) -> Response[bytes]:
        """The list to fill in."""
        acting_as(viewer, Role.ENTERPRISE_MANAGER)
        data = await asyncio.to_thread(make_template, say=gettext, choices=offered())
        return xlsx(data, "staff-template.xlsx")

    @get("/import")
    async def ask(self, viewer: NamedDependency[Viewer]) -> Template:
        """The upload form."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        return Template("enterprise/import.html", context={"held": held, "error": None})

    @post("/import", request_max_body_size=BYTES_AT_MOST + 64 * 1024)
    async def upload(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        data: MultipartBody[UploadForm],
    ) -> Template | Redirect:
        """Read the file and go to its preview."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        key = f"staff-import:{viewer.person_id}"
        await take(services.sessions, key=key, limit=60, per=timedelta(hours=1), now=now)
        content = await data.sheet.read() if data.sheet else b""
        import_id: UUID | None = None
        async with attempt(session) as tried:
            check_package(content)
            rows = await asyncio.to_thread(read_sheet, content, headings=headings())
            import_id = await keep_upload(
                session, vault=services.vault, organisation_id=held.organisation_id, rows=rows,
                actor_id=viewer.person_id, now=now,
            )  # fmt: skip
        if tried.error:
            context = {"held": held, "error": tried.error}
            return Template("enterprise/import.html", context=context, status_code=422)
        return Redirect(f"/enterprise/staff/import/{import_id}")

    @get("/import/{import_id:uuid}")
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        import_id: FromPath[UUID],
        page: FromQuery[int] = 1,
    ) -> Template:
        """The preview; once confirmed, what was done and the links to hand over."""
        return await _show(session, viewer, services, now, import_id=import_id, page=page)

    @post("/import/{import_id:uuid}")
    async def confirm(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        import_id: FromPath[UUID],
        data: URLEncodedBody[ConfirmForm],
    ) -> Template | Redirect:
        """Take the good rows on, all or none."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        async with attempt(session) as tried:
            await confirm_import(
                session, vault=services.vault, import_id=import_id, organisation_id=held.organisation_id,
                expected=data.expected, actor_id=viewer.person_id, words=accepted(), now=now,
            )  # fmt: skip
        if tried.error:
            return await _show(session, viewer, services, now, import_id=import_id, error=tried.error)
        return Redirect(f"/enterprise/staff/import/{import_id}")

    @get("/import/{import_id:uuid}/bad.xlsx")
    async def bad_rows(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        import_id: FromPath[UUID],
    ) -> Response[bytes]:
        """The rows left out, each with its reasons: mend and upload again."""
        preview = await _preview(session, viewer, services, now, import_id)
        rows = [(row.raw, "；".join(_tell_all(row.reasons))) for row in preview.bad]
        data = await asyncio.to_thread(make_bad_rows, rows, say=gettext)
        return xlsx(data, f"staff-to-mend-{china_date(now):%Y%m%d}.xlsx")


async def _preview(
    session: AsyncSession, viewer: Viewer, services: Services, now: datetime, import_id: UUID
) -> Preview:
    held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
    return await get_preview(
        session, vault=services.vault, import_id=import_id, organisation_id=held.organisation_id,
        actor_id=viewer.person_id, words=accepted(), now=now,
    )  # fmt: skip


async def _show(
    session: AsyncSession,
    viewer: Viewer,
    services: Services,
    now: datetime,
    *,
    import_id: UUID,
    page: int = 1,
    error: AnpeiError | None = None,
) -> Template:
    held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
    imported = await find_imported(
        session, vault=services.vault, import_id=import_id, organisation_id=held.organisation_id,
        actor_id=viewer.person_id, now=now,
    )  # fmt: skip
    if imported is not None:
        context: dict[str, object] = {
            "held": held,
            "imported": imported,
            "public_url": services.settings.public_url,
            "days": await get_number(session, "invitation.days", on=china_date(now)),
        }
        return Template("enterprise/imported.html", context=context, headers={"cache-control": "no-store"})
    preview = await _preview(session, viewer, services, now, import_id)
    pages = max(-(-len(preview.good) // _ROWS_A_PAGE), 1)
    page = min(max(page, 1), pages)
    context = {
        "held": held,
        "preview": preview,
        "good": preview.good[(page - 1) * _ROWS_A_PAGE : page * _ROWS_A_PAGE],
        "bad": [(row, _tell_all(row.reasons)) for row in preview.bad[:_ROWS_A_PAGE]],
        "linked": sum(row.known is not None for row in preview.good),
        "page": page,
        "pages": pages,
        "address": f"/enterprise/staff/import/{import_id}?",
        "error": error,
    }
    return Template("enterprise/import_preview.html", context=context, status_code=409 if error else 200)


HANDLERS = [ImportController]

"""The authority's import of safety licences and enforcement records."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, MultipartBody, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from certificates.register.licences import (
    confirm_import,
    get_preview,
    keep_import,
    read_records,
    search_enforcement,
    search_licences,
    withdraw_record,
)
from certificates.register.record_files import COLUMNS, ReadFile, RecordKind, sample_file
from training.accounts import Viewer
from training.calendar import china_date
from training.errors import AnpeiError, NotFound
from training.models import Role
from web.attempts import attempt
from web.auth import acting_as

_ROLES = (Role.ISSUER, Role.SYSTEM_ADMIN)
_PATHS = {"licences": RecordKind.LICENCE, "enforcement": RecordKind.ENFORCEMENT}
_WORDS = {kind: word for word, kind in _PATHS.items()}


@dataclass
class RecordUpload:
    """A CSV file."""

    file: UploadFile


@dataclass
class WithdrawalForm:
    """Why a record is taken out of public view."""

    reason: str = ""


def _kind(word: str) -> RecordKind:
    if word not in _PATHS:
        raise NotFound
    return _PATHS[word]


class LicenceController(Controller):
    """`/authority/licences`: both kinds, chosen by `kind`."""

    path = "/authority/licences"

    @get()
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        kind: FromQuery[str] = "licences",
        words: FromQuery[str] = "",
    ) -> Template:
        """What is imported, with the form for another file."""
        acting_as(viewer, *_ROLES)
        return await _list_page(session, _kind(kind), now=now, words=words.strip()[:100])

    @get("/sample/{word:str}")
    async def sample(self, viewer: NamedDependency[Viewer], word: FromPath[str]) -> Response[bytes]:
        """A file to fill in."""
        acting_as(viewer, *_ROLES)
        return Response(
            sample_file(_kind(word)),
            media_type="text/csv; charset=utf-8",
            headers={"content-disposition": f'attachment; filename="{word}-sample.csv"'},
        )

    @post("/import/{word:str}")
    async def upload(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        word: FromPath[str],
        data: MultipartBody[RecordUpload],
    ) -> Template | Redirect:
        """Check a file: errors by row, or a preview to confirm."""
        acting_as(viewer, *_ROLES)
        kind = _kind(word)
        content = await data.file.read()
        read: ReadFile | None = None
        async with attempt(session) as tried:
            read = await read_records(session, kind=kind, data=content, now=now)
            if not read.errors:
                kept = await keep_import(session, kind=kind, read=read, actor_id=viewer.person_id, now=now)
                return Redirect(f"/authority/licences/imports/{kept.id}")
        return await _list_page(session, kind, now=now, error=tried.error, read=read)

    @get("/imports/{import_id:uuid}")
    async def preview(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], import_id: FromPath[UUID]
    ) -> Template:
        """The rows that confirming writes."""
        acting_as(viewer, *_ROLES)
        return await _preview_page(session, import_id, viewer=viewer)

    @post("/imports/{import_id:uuid}")
    async def confirm(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        import_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Write every row."""
        acting_as(viewer, *_ROLES)
        async with attempt(session) as tried:
            await confirm_import(session, import_id=import_id, actor_id=viewer.person_id, now=now)
        if tried.error is None:
            return Redirect(f"/authority/licences/imports/{import_id}")
        return await _preview_page(session, import_id, viewer=viewer, error=tried.error)

    @post("/{word:str}/{record_id:uuid}/withdraw")
    async def withdraw(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        word: FromPath[str],
        record_id: FromPath[UUID],
        data: URLEncodedBody[WithdrawalForm],
    ) -> Template | Redirect:
        """Take one out of public view."""
        acting_as(viewer, *_ROLES)
        kind = _kind(word)
        async with attempt(session) as tried:
            await withdraw_record(
                session, kind=kind, record_id=record_id, reason=data.reason, actor_id=viewer.person_id, now=now
            )
        if tried.error is None:
            return Redirect(f"/authority/licences?kind={word}")
        return await _list_page(session, kind, now=now, error=tried.error)


async def _list_page(
    session: AsyncSession,
    kind: RecordKind,
    *,
    now: datetime,
    words: str = "",
    error: AnpeiError | None = None,
    read: ReadFile | None = None,
) -> Template:
    is_licence = kind is RecordKind.LICENCE
    context = {
        "word": _WORDS[kind],
        "columns": COLUMNS[kind],
        "words": words,
        "licences": await search_licences(session, words=words) if is_licence else [],
        "enforcement": [] if is_licence else await search_enforcement(session, words=words),
        "today": china_date(now),
        "error": error,
        "read": read,
    }
    has_errors = error is not None or (read is not None and bool(read.errors))
    return Template("authority/licences/list.html", context=context, status_code=422 if has_errors else 200)


async def _preview_page(
    session: AsyncSession, import_id: UUID, *, viewer: Viewer, error: AnpeiError | None = None
) -> Template:
    preview = await get_preview(session, import_id, actor_id=viewer.person_id)
    context = {
        "preview": preview,
        "columns": COLUMNS[preview.kind],
        "word": _WORDS[preview.kind],
        "error": error,
    }
    return Template("authority/licences/preview.html", context=context, status_code=422 if error else 200)


HANDLERS: list[type[Controller]] = [LicenceController]

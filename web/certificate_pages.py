"""Certificate pages in front of the application: many readers, one query for all who wait, nothing stale.

A QR code is scanned far more often than anything else is asked of this service, so `GET /c/{id}` is answered
here, without router, middleware and template. Whoever asks gets a record that was read after they asked: a
request joins the next query, never one that has begun, so that a revocation shows at once. Only the page that
follows from a record, a day and a language is kept.
"""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog
from litestar.enums import ScopeType

from certificates.register.public import find_records, list_versions
from certificates.verdict import verdict
from training.calendar import CHINA, china_date, start_of_day
from web.auth import LANGUAGE_COOKIE, SIGN_IN_COOKIE
from web.i18n.catalogue import LANGUAGES, language
from web.observing import HEADERS, REQUESTS, SECONDS
from web.public.certificate import verdict_status
from web.templating import day, make_engine, moment

if TYPE_CHECKING:
    from datetime import date

    from litestar.plugins.jinja import JinjaTemplateEngine
    from litestar.types import ASGIApp, Receive, Scope, Send

    from certificates.verdict import PublicRecord
    from web.services import Services

_PATH = re.compile(r"/[cC]/([A-Za-z2-7]{26})")
_ROUTE = "/c/*"
_COOKIES = (LANGUAGE_COOKIE.encode(), SIGN_IN_COOKIE.encode())
_PAGES_KEPT = 4096
_STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
log = structlog.get_logger()


@dataclass(frozen=True)
class Page:
    """A page of one day, cut where the time of the verdict stands."""

    status: int
    before: bytes
    after: bytes


class PageReader:
    """Collects the ids that are asked for while a query runs, and answers them all by the next one.

    The query tells which version of each record stands now; a page is kept for a version and a day.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._waiting: dict[str, asyncio.Future[Page]] = {}
        self._task: asyncio.Task[None] | None = None
        self._pages: OrderedDict[tuple[str, str, date], Page] = OrderedDict()

    async def read(self, public_id: str) -> Page:
        """The page of the record as it stands in the database now."""
        future = self._waiting.get(public_id)
        if future is None:
            future = self._waiting[public_id] = asyncio.get_running_loop().create_future()
        if self._task is None:
            self._task = asyncio.create_task(self._drain())
        # One reader who leaves must not take the answer from the others.
        return await asyncio.shield(future)

    async def _drain(self) -> None:
        try:
            while self._waiting:
                wanted, self._waiting = self._waiting, {}
                try:
                    await self._answer(wanted)
                except Exception as error:
                    for future in wanted.values():
                        if not future.done():
                            future.set_exception(error)
                            future.exception()  # somebody may have left
        finally:
            self._task = None

    async def _answer(self, wanted: dict[str, asyncio.Future[Page]]) -> None:
        now = self._services.clock.now()
        today = china_date(now)
        async with self._services.sessions() as session:
            versions = await list_versions(session, public_ids=wanted, now=now)
            missing = [key for key, version in versions.items() if (key, version, today) not in self._pages]
            # In the same transaction, but later: a record may be newer than its version, never older.
            records = await find_records(session, public_ids=missing, now=now) if missing else {}
        for public_id, record in records.items():
            self._pages[public_id, versions[public_id], today] = _make_page(record, public_id, today)
        for public_id, future in wanted.items():
            page = self._pages.get((public_id, versions.get(public_id, ""), today))
            future.set_result(page or _make_page(None, public_id, today))
        while len(self._pages) > _PAGES_KEPT:
            self._pages.popitem(last=False)


class CertificatePages:
    """An ASGI application around another: the page of a certificate for visitors without an account or a language."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self.app = app
        self._services = services
        self._reader = PageReader(services)
        self._headers = [
            (b"content-type", b"text/html; charset=utf-8"),
            (b"cache-control", b"no-store"),
            *((name.encode(), value.encode()) for name, value in HEADERS.items()),
        ]
        if services.settings.is_behind_tls:
            self._headers.append(_STRICT_TRANSPORT)
        self._counts = {status: REQUESTS.labels("GET", _ROUTE, status) for status in (200, 404)}
        self._time = SECONDS.labels(_ROUTE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the page, or pass on."""
        if scope["type"] == ScopeType.HTTP and scope["method"] == "GET" and scope["path"][:3] in {"/c/", "/C/"}:
            found = _PATH.fullmatch(scope["path"])
            if found and not _has_cookie(scope):
                with self._time.time():
                    await self._answer(found[1].upper(), scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def _answer(self, public_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            page = await self._reader.read(public_id)
        except Exception as error:  # the application shows what is wrong, with a page and a number
            log.warning("certificate_page_failed", error=type(error).__name__)
            await self.app(scope, receive, send)
            return
        now = self._services.clock.now()
        body = page.before + now.astimezone(CHINA).strftime("%H:%M").encode() + page.after
        self._counts[page.status].inc()
        headers = [
            *self._headers,
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", uuid4().hex.encode()),
        ]
        await send({"type": "http.response.start", "status": page.status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})


def _has_cookie(scope: Scope) -> bool:
    """Whether the reader's language may differ from the first; the application looks it up then."""
    return any(name == b"cookie" and any(each in value for each in _COOKIES) for name, value in scope["headers"])


def _make_page(record: PublicRecord | None, public_id: str, today: date) -> Page:
    """Nothing in it but the time of the verdict changes within a day."""
    language.set(LANGUAGES[0])
    midnight = start_of_day(today)
    judged = verdict(record, None, now=midnight)
    template = _engine().get_template("public/certificate.html")
    page = template.render(verdict=judged, public_id=public_id)
    before, _, after = page.rpartition(moment(midnight))
    return Page(verdict_status(judged), f"{before}{day(today)} ".encode(), after.encode())


@cache
def _engine() -> JinjaTemplateEngine:
    return make_engine()

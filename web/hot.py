"""The hot path in front of the application: saving answers, without router, middleware or ORM.

`wrap` answers exactly `PUT /api/v1/sittings/{id}/answers` itself; everything else passes through.
"""

from __future__ import annotations

import os
import time
from http import HTTPStatus
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING

import msgspec
import structlog
from asyncpg.pgproto.pgproto import UUID  # written in C; the standard one costs more than the whole look-up
from litestar.enums import ScopeType
from sqlalchemy.exc import DBAPIError

from exams.answers import Acknowledged, WrongDevice, device_token_hash, is_heard_late, refusal, save_answers
from training.errors import AnpeiError
from web import pushing
from web.answer_writer import Busy, GroupWriter
from web.api.answers import BadBody, read_acts, refused_reply, saved_reply
from web.app import create_app
from web.auth import LANGUAGE_COOKIE
from web.certificate_pages import CertificatePages
from web.i18n.catalogue import LANGUAGES, language
from web.observing import HEADERS, REQUESTS, SECONDS
from web.settings import libpq_url

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Any

    from litestar.types import ASGIApp, Receive, Scope, Send

    from exams.answers import AnswerAct, AnswerWriter
    from web.services import Services

_START, _END = "/api/v1/sittings/", "/answers"
_ID = slice(len(_START), len(_START) + 36)
_LENGTH = len(_START) + 36 + len(_END)
_ROUTE = "/api/v1/sittings/*/answers"
_LARGEST_BODY = 64 * 1024
_TOKEN_HEADER = b"x-sitting-token"
_FIXED_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
_STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
log = structlog.get_logger()
_encode = msgspec.json.Encoder().encode


class HotPath:
    """An ASGI application around another."""

    def __init__(self, app: ASGIApp, writer: AnswerWriter, services: Services) -> None:
        self.app = app
        self.writer = writer
        self.services = services
        self._headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store"), *_FIXED_HEADERS]
        if services.settings.is_behind_tls:
            self._headers.append(_STRICT_TRANSPORT)
        self._count = REQUESTS.labels("PUT", _ROUTE, 200)
        self._time = SECONDS.labels(_ROUTE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the one route, or pass on."""
        if scope["type"] == ScopeType.HTTP and scope["method"] == "PUT":
            path = scope["path"]
            if len(path) == _LENGTH and path.startswith(_START) and path.endswith(_END):
                await self._save(scope, receive, send)
                return
        await self.app(scope, receive, send)

    async def _save(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        status, body, more = await self._reply(scope, receive)
        self._time.observe(time.perf_counter() - started)
        if status == HTTPStatus.OK:
            self._count.inc()
        else:
            REQUESTS.labels("PUT", _ROUTE, status).inc()
        headers = [
            *self._headers,
            *more,
            (b"content-length", b"%d" % len(body)),
            (b"x-request-id", os.urandom(16).hex().encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": False})

    async def _reply(self, scope: Scope, receive: Receive) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
        found: Acknowledged | None = None
        try:
            sitting_id, token_hash = _read_head(scope)
            acts = read_acts(await _read_body(receive))
            found = await self.writer.save(sitting_id, token_hash=token_hash, acts=acts)
            now = self.services.clock.now()
            if not found.is_holder or len(found.saved) < len(acts):
                key = self.services.keys.session
                if is_heard_late(found, key=key, sitting_id=sitting_id, token_hash=token_hash, now=now):
                    found = await self._save_late(sitting_id, token_hash, acts, now)
                if error := refusal(found, key=key, sitting_id=sitting_id, token_hash=token_hash, now=now):
                    raise error
            return HTTPStatus.OK, _encode(saved_reply(found, now=now)), []
        except AnpeiError as error:
            _choose_language(scope)
            status, reply = refused_reply(error, now=self.services.clock.now(), found=found)
            return status, _encode(reply), [(b"retry-after", b"2")] if isinstance(error, Busy) else []

    async def _save_late(
        self, sitting_id: UUID, token_hash: bytes, acts: Sequence[AnswerAct], now: datetime
    ) -> Acknowledged:
        """What only few requests need: after the deadline, after the end, or from a former device."""
        try:
            async with self.services.sessions() as session, session.begin():
                return await save_answers(
                    session, sitting_id=sitting_id, token_hash=token_hash, acts=acts, now=now,
                    key=self.services.keys.session,
                )  # fmt: skip
        except (DBAPIError, OSError, TimeoutError) as error:
            log.warning("late_answers_not_written", error=type(error).__name__)
            raise Busy from error


def _read_head(scope: Scope) -> tuple[UUID, bytes]:
    try:
        sitting_id = UUID(scope["path"][_ID])
    except ValueError as error:
        raise BadBody(field="sitting_id") from error
    for name, value in scope["headers"]:
        if name == _TOKEN_HEADER:
            return sitting_id, device_token_hash(value.decode("latin-1"))
    raise WrongDevice


async def _read_body(receive: Receive) -> bytes:
    message: Any = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > _LARGEST_BODY:
            break
    if message["type"] != "http.request" or len(body) > _LARGEST_BODY:
        raise BadBody(field="answers")
    return body


def _choose_language(scope: Scope) -> None:
    """Only a refusal has words."""
    cookies = SimpleCookie(b"; ".join(value for name, value in scope["headers"] if name == b"cookie").decode("latin-1"))
    chosen = cookies[LANGUAGE_COOKIE].value if LANGUAGE_COOKIE in cookies else ""
    language.set(chosen if chosen in LANGUAGES else LANGUAGES[0])


def wrap(app: ASGIApp, writer: AnswerWriter, services: Services) -> HotPath:
    """The application with the hot path in front."""
    return HotPath(app, writer, services)


def make_asgi(services: Services) -> ASGIApp:
    """What a web process runs: the application and a writer that lives as long as its lifespan."""
    writer = GroupWriter(libpq_url(services.settings.database_url), services.clock)
    streams = pushing.Streams(services)

    async def start_writer(_: object) -> None:
        writer.start()
        streams.start()

    async def stop_writer(_: object) -> None:
        await streams.stop()
        await writer.stop()
        if services.matcher is not None:
            await services.matcher.aclose()

    app = create_app(services, on_startup=[start_writer], on_shutdown=[stop_writer])
    pages = CertificatePages(wrap(app, writer, services), services)
    return pushing.wrap(pages, streams, services)

"""The hot path in front of the application: saving answers, without router, middleware or ORM.

`wrap` answers exactly `PUT /api/v1/sittings/{id}/answers` itself; everything else passes through.
Under uvicorn the connection itself asks `HotPath` (web/hot_protocol.py), past ASGI.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
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
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from typing import Any

    from litestar.types import ASGIApp, Receive, Scope, Send

    from exams.answers import AnswerAct, AnswerWriter
    from web.services import Services

    Headers = Iterable[tuple[bytes, bytes]]

_START, _END = "/api/v1/sittings/", "/answers"
_ID = slice(len(_START), len(_START) + 36)
_LENGTH = len(_START) + 36 + len(_END)
_ROUTE = "/api/v1/sittings/*/answers"
LARGEST_BODY = 64 * 1024
_TOKEN_HEADER = b"x-sitting-token"
_FIXED_HEADERS = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
_STRICT_TRANSPORT = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
log = structlog.get_logger()
_encode = msgspec.json.Encoder().encode
_RETRY = ((b"retry-after", b"2"),)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that makes sense."""

    sitting_id: UUID
    token_hash: bytes
    acts: Sequence[AnswerAct]


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, JSON and headers of its own."""

    status: int
    body: bytes
    headers: Sequence[tuple[bytes, bytes]] = ()


class HotPath:
    """An ASGI application around another."""

    def __init__(self, app: ASGIApp, writer: AnswerWriter, services: Services) -> None:
        self.app = app
        self.writer = writer
        self.services = services
        self.fixed_headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store"), *_FIXED_HEADERS]
        if services.settings.is_behind_tls:
            self.fixed_headers.append(_STRICT_TRANSPORT)
        self._count = REQUESTS.labels("PUT", _ROUTE, 200)
        self._time = SECONDS.labels(_ROUTE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the one route, or pass on."""
        if scope["type"] == ScopeType.HTTP and is_hot(scope["method"], scope["path"]):
            await self._save(scope, receive, send)
            return
        await self.app(scope, receive, send)

    async def _save(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        answer = await self._reply(scope, receive)
        headers = self.headers_of(answer, started=started)
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body, "more_body": False})

    def headers_of(self, answer: Answer, *, started: float) -> list[tuple[bytes, bytes]]:
        """All headers of an answer; it is counted, and its time since `started` is noted."""
        self._time.observe(time.perf_counter() - started)
        if answer.status == HTTPStatus.OK:
            self._count.inc()
        else:
            REQUESTS.labels("PUT", _ROUTE, answer.status).inc()
        return [
            *self.fixed_headers,
            *answer.headers,
            (b"content-length", b"%d" % len(answer.body)),
            (b"x-request-id", os.urandom(16).hex().encode()),
        ]

    async def _reply(self, scope: Scope, receive: Receive) -> Answer:
        headers = scope["headers"]
        try:
            asked = read_request(scope["path"], headers, await _read_body(receive))
            found = await self.writer.save(asked.sitting_id, token_hash=asked.token_hash, acts=asked.acts)
        except AnpeiError as error:
            return self.refuse(error, headers)
        return self.accept(asked, found) or await self.finish(asked, found, headers)

    def accept(self, asked: Asked, found: Acknowledged) -> Answer | None:
        """The answer if everything is saved, which it nearly always is."""
        if found.is_holder and len(found.saved) == len(asked.acts):
            return Answer(HTTPStatus.OK, _encode(saved_reply(found, now=self.services.clock.now())))
        return None

    async def finish(self, asked: Asked, found: Acknowledged, headers: Headers) -> Answer:
        """The answer if not everything is saved, or comes too late."""
        now = self.services.clock.now()
        key, sitting_id, token_hash = self.services.keys.session, asked.sitting_id, asked.token_hash
        try:
            if is_heard_late(found, key=key, sitting_id=sitting_id, token_hash=token_hash, now=now):
                found = await self._save_late(sitting_id, token_hash, asked.acts, now)
            if error := refusal(found, key=key, sitting_id=sitting_id, token_hash=token_hash, now=now):
                return self.refuse(error, headers, found)
        except AnpeiError as error:
            return self.refuse(error, headers, found)
        return Answer(HTTPStatus.OK, _encode(saved_reply(found, now=now)))

    def refuse(self, error: AnpeiError, headers: Headers, found: Acknowledged | None = None) -> Answer:
        """What an error says, in the reader's language."""
        _choose_language(headers)
        status, reply = refused_reply(error, now=self.services.clock.now(), found=found)
        return Answer(status, _encode(reply), _RETRY if isinstance(error, Busy) else ())

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


def is_hot(method: str, path: str) -> bool:
    """Whether this is the one route."""
    return method == "PUT" and len(path) == _LENGTH and path.startswith(_START) and path.endswith(_END)


def read_request(path: str, headers: Headers, body: bytes) -> Asked:
    """Raises `BadBody`, `BadAnswer` or `WrongDevice`. More than `LARGEST_BODY` need not be there to be refused."""
    if len(body) > LARGEST_BODY:
        raise BadBody(field="answers")
    try:
        sitting_id = UUID(path[_ID])
    except ValueError as error:
        raise BadBody(field="sitting_id") from error
    for name, value in headers:
        if name == _TOKEN_HEADER:
            return Asked(sitting_id, device_token_hash(value.decode("latin-1")), read_acts(body))
    raise WrongDevice


async def _read_body(receive: Receive) -> bytes:
    message: Any = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            break
    if message["type"] != "http.request":
        raise BadBody(field="answers")
    return body


def _choose_language(headers: Headers) -> None:
    """Only a refusal has words."""
    cookies = SimpleCookie(b"; ".join(value for name, value in headers if name == b"cookie").decode("latin-1"))
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

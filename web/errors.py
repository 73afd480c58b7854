"""The only place that knows which error has which status code, and how it is shown."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

import structlog
from litestar import MediaType, Request, Response
from litestar.exceptions import HTTPException
from litestar.response import Redirect, Template
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

from training.errors import N_, AnpeiError, BadInput, Conflict, NotAllowed, NotFound, TooMany
from web.i18n.catalogue import gettext, sentence

if TYPE_CHECKING:
    from litestar.types import ExceptionHandlersMap

log = structlog.get_logger()


class SignInNeeded(AnpeiError):
    """The page is for people who are signed in."""

    message = N_("请先登录。")


_STATUS: tuple[tuple[type[AnpeiError], HTTPStatus], ...] = (
    (SignInNeeded, HTTPStatus.UNAUTHORIZED),
    (NotFound, HTTPStatus.NOT_FOUND),
    (NotAllowed, HTTPStatus.FORBIDDEN),
    (TooMany, HTTPStatus.TOO_MANY_REQUESTS),
    (BadInput, HTTPStatus.UNPROCESSABLE_ENTITY),
    (Conflict, HTTPStatus.CONFLICT),
)
_TRY_AGAIN_SECONDS = 5
_HTTP_SENTENCES = {
    HTTPStatus.BAD_REQUEST: N_("提交的内容不完整或格式有误，请返回检查后重新提交。"),
    HTTPStatus.FORBIDDEN: N_("页面已过期或来源无法确认。请返回、刷新页面后重新提交。"),
    HTTPStatus.NOT_FOUND: N_("没有找到您要的内容。请检查地址是否完整，或返回上一页重新选择。"),
    HTTPStatus.METHOD_NOT_ALLOWED: N_("这个地址不能直接打开，请从页面上的按钮进入。"),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: N_("上传的文件太大，请压缩后再试。"),
}
_UNEXPECTED = N_("系统出现意外问题，您已保存的内容不会丢失。请稍后再试；如仍有问题，请告知管理员编号 {request_id}。")
_BUSY = N_("现在使用的人很多，或系统正在恢复。请稍等几秒再试，已保存的内容都在。")
# What a database that is away or has no room left for us raises, on the way to it or from it.
AWAY = (NoConnectionLeft, DBAPIError, ConnectionError, TimeoutError)
# Shutting down, starting, failing over, read-only during a fail-over, deadlock, too many connections, disk full.
_PASSING = ("57P", "25006", "40", "53", "08")
_CLASH = N_("刚才有人同时做了相同的操作，本次没有保存。请刷新页面查看最新情况。")


def status_of(error: AnpeiError) -> HTTPStatus:
    """The status code of a domain error."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.UNPROCESSABLE_ENTITY)


def is_api(request: Request) -> bool:  # type: ignore[type-arg]  # litestar's own alias leaves the arguments open
    """Whether the answer is read by a program."""
    return request.url.path.startswith("/api/")


def _answer(request: Request, text: str, status: HTTPStatus, **extra: str) -> Response:  # type: ignore[type-arg]
    headers = {"Retry-After": extra["retry_after"]} if "retry_after" in extra else {}
    if is_api(request):
        body = {"error": extra.get("kind", status.phrase), "message": text, "field": extra.get("field", "")}
        return Response(body, status_code=status, media_type=MediaType.JSON, headers=headers)
    name = "public/_error.html" if "hx-request" in request.headers else "public/error.html"
    context = {"sentence": text, "status": int(status)}
    return Template(name, context=context, status_code=status, headers=headers)


def show_domain_error(request: Request, error: AnpeiError) -> Response:  # type: ignore[type-arg]
    """A sentence; a sign-in page where that is what is missing."""
    status = status_of(error)
    if isinstance(error, SignInNeeded) and not is_api(request):
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        target = f"/sign-in?next={quote(path)}" if request.method == "GET" else "/sign-in"
        if "hx-request" in request.headers:
            return Response("", status_code=HTTPStatus.OK, headers={"HX-Redirect": "/sign-in"})
        return Redirect(target)
    extra = {"kind": type(error).__name__, "field": getattr(error, "field", "")}
    if isinstance(error, TooMany):
        extra["retry_after"] = str(error.params.get("seconds", 1))
    return _answer(request, sentence(error), status, **extra)


def show_http_error(request: Request, error: HTTPException) -> Response:  # type: ignore[type-arg]
    """Litestar's own errors: bad parameters, unknown pages, CSRF."""
    status = HTTPStatus(error.status_code)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return show_unexpected(request, error)
    text = gettext(_HTTP_SENTENCES.get(status, _HTTP_SENTENCES[HTTPStatus.BAD_REQUEST]))
    return _answer(request, text, status)


def show_clash(request: Request, error: IntegrityError) -> Response:  # type: ignore[type-arg]
    """A constraint of the database proved that two acts exclude each other."""
    log.warning("constraint_refused", constraint=getattr(error.orig, "constraint_name", None) or "")
    return _answer(request, gettext(_CLASH), HTTPStatus.CONFLICT)


def show_busy(request: Request, error: Exception) -> Response:  # type: ignore[type-arg]
    """Nothing is wrong with what was asked: a page that was only looked at asks again by itself."""
    log.warning("database_away", path=request.url.path, error=type(error).__name__)
    answer = _answer(request, gettext(_BUSY), HTTPStatus.SERVICE_UNAVAILABLE, retry_after=str(_TRY_AGAIN_SECONDS))
    if request.method == "GET" and not is_api(request):
        answer.headers["refresh"] = str(_TRY_AGAIN_SECONDS)
    return answer


def show_database_error(request: Request, error: DBAPIError) -> Response:  # type: ignore[type-arg]
    """The database is away for a moment, or a statement of ours is wrong."""
    state = getattr(error.orig, "sqlstate", None) or ""
    if error.connection_invalidated or state.startswith(_PASSING):
        return show_busy(request, error)
    return show_unexpected(request, error)


def show_unexpected(request: Request, error: Exception) -> Response:  # type: ignore[type-arg]
    """A bug: logged with its trace, shown without it."""
    log.error("unexpected_error", path=request.url.path, exc_info=error)
    text = gettext(_UNEXPECTED, request_id=request.scope.get("state", {}).get("request_id", ""))
    return _answer(request, text, HTTPStatus.INTERNAL_SERVER_ERROR)


HANDLERS: ExceptionHandlersMap = {
    AnpeiError: show_domain_error,
    HTTPException: show_http_error,
    IntegrityError: show_clash,
    DBAPIError: show_database_error,
    NoConnectionLeft: show_busy,
    ConnectionError: show_busy,
    TimeoutError: show_busy,
    Exception: show_unexpected,
}

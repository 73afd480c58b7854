"""Who is looking: the cookie or bearer token, read once per request before anything else."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from litestar import Request
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.enums import ScopeType
from sqlmodel.ext.asyncio.session import AsyncSession

from training.accounts import HeldRole, Viewer, find_viewer
from training.errors import NotAllowed
from web.errors import AWAY, SignInNeeded
from web.i18n.catalogue import LANGUAGES, language

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Receive, Scope, Send

    from training.models import Role
    from web.services import Services

SIGN_IN_COOKIE = "anpei_sign_in"
LANGUAGE_COOKIE = "anpei_language"
_UNSIGNED = ("/static/", "/health/", "/metrics")
_LATER = "/api/"  # looked up by `provide_caller` where a call asks who is calling


def read_token(request: Request) -> str | None:  # type: ignore[type-arg]  # litestar's own alias leaves them open
    """The token of a browser's cookie or of a client's Authorization header."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip() or None
    return request.cookies.get(SIGN_IN_COOKIE)


class WhoIsLooking:
    """ASGI middleware: puts the `Viewer` of a page (or None) into the scope's state and sets the language."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self.app = app
        self.services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look the viewer up, once."""
        if scope["type"] != ScopeType.HTTP or scope["path"].startswith(_UNSIGNED):
            await self.app(scope, receive, send)
            return
        request: Request = Request(scope)  # type: ignore[type-arg]
        speak(request, None)
        if not scope["path"].startswith(_LATER) and (token := read_token(request)):
            try:
                viewer = await self._look_up(token)
            except AWAY as error:
                # Nobody is taken for a stranger because the database is away: who asks for the viewer is told so.
                scope["state"]["not_looked_up"] = error
            else:
                scope["state"]["viewer"] = viewer
                speak(request, viewer)
        await self.app(scope, receive, send)

    async def _look_up(self, token: str) -> Viewer | None:
        now = self.services.clock.now()
        async with self.services.sessions() as session, session.begin():
            return await find_viewer(session, token=token, now=now)


def speak(request: Request, viewer: Viewer | None) -> None:  # type: ignore[type-arg]
    """Choose the language of the request."""
    chosen = request.cookies.get(LANGUAGE_COOKIE) or (viewer.language if viewer else "")
    language.set(chosen if chosen in LANGUAGES else LANGUAGES[0])


def provide_visitor(request: Request) -> Viewer | None:  # type: ignore[type-arg]
    """The signed-in person, or None. Raises what kept us from looking."""
    if error := request.scope["state"].get("not_looked_up"):
        raise error
    visitor: Viewer | None = request.scope["state"].get("viewer")
    return visitor


async def provide_caller(
    request: Request,  # type: ignore[type-arg]
    session: NamedDependency[AsyncSession],
    now: NamedDependency[datetime],
) -> Viewer:
    """The signed-in person of a call, looked up in the call's own transaction. Raises `SignInNeeded`."""
    token = read_token(request)
    viewer = await find_viewer(session, token=token, now=now) if token else None
    if viewer is None:
        # What a refused call has opened is ended by litestar only some time later.
        await session.rollback()
        raise SignInNeeded
    speak(request, viewer)
    return viewer


def provide_viewer(request: Request) -> Viewer:  # type: ignore[type-arg]
    """The signed-in person. Raises `SignInNeeded`."""
    viewer = provide_visitor(request)
    if viewer is None:
        raise SignInNeeded
    return viewer


def acting_as(viewer: Viewer, *roles: Role) -> HeldRole:
    """The role, with its organisation, in which the viewer acts here. Raises `NotAllowed`."""
    held = viewer.held(*roles)
    if held is None:
        raise NotAllowed
    return held


def sign_in_cookie(token: str, *, is_behind_tls: bool, hours: int) -> Cookie:
    """The cookie that carries a sign-in."""
    return Cookie(
        key=SIGN_IN_COOKIE, value=token, httponly=True, samesite="lax", secure=is_behind_tls, path="/",
        max_age=hours * 3600,
    )  # fmt: skip

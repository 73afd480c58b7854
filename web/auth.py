"""Who is looking: the cookie or bearer token, read once per request before anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Request
from litestar.datastructures import Cookie
from litestar.enums import ScopeType

from training.accounts import HeldRole, Viewer, find_viewer
from training.errors import NotAllowed
from web.errors import SignInNeeded
from web.i18n.catalogue import LANGUAGES, language

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Receive, Scope, Send

    from training.models import Role
    from web.services import Services

SIGN_IN_COOKIE = "anpei_sign_in"
LANGUAGE_COOKIE = "anpei_language"
_UNSIGNED = ("/static/", "/health/", "/metrics")


def read_token(request: Request) -> str | None:  # type: ignore[type-arg]  # litestar's own alias leaves them open
    """The token of a browser's cookie or of a client's Authorization header."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return token.strip() or None
    return request.cookies.get(SIGN_IN_COOKIE)


class WhoIsLooking:
    """ASGI middleware: puts the `Viewer` (or None) into the scope's state and sets the language."""

    def __init__(self, app: ASGIApp, services: Services) -> None:
        self.app = app
        self.services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Look the viewer up, once."""
        if scope["type"] != ScopeType.HTTP or scope["path"].startswith(_UNSIGNED):
            await self.app(scope, receive, send)
            return
        request: Request = Request(scope)  # type: ignore[type-arg]
        viewer = None
        if token := read_token(request):
            now = self.services.clock.now()
            async with self.services.sessions() as session, session.begin():
                viewer = await find_viewer(session, token=token, now=now)
        scope["state"]["viewer"] = viewer
        chosen = request.cookies.get(LANGUAGE_COOKIE) or (viewer.language if viewer else "")
        language.set(chosen if chosen in LANGUAGES else LANGUAGES[0])
        await self.app(scope, receive, send)


def provide_visitor(request: Request) -> Viewer | None:  # type: ignore[type-arg]
    """The signed-in person, or None."""
    visitor: Viewer | None = request.scope["state"].get("viewer")
    return visitor


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

"""Signing in and out, passwords and invitations, the language and the chosen organisation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlparse
from uuid import UUID

from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from training import accounts
from training.accounts import Viewer
from training.errors import N_, BadInput, NotFound
from web.attempts import attempt
from web.auth import LANGUAGE_COOKIE, SIGN_IN_COOKIE, sign_in_cookie
from web.i18n.catalogue import LANGUAGES
from web.limits import take
from web.services import Services

_COOKIE_HOURS = 24 * 30


def safe_path(target: str) -> str:
    """A path of this site to go on to; anything else becomes the home page."""
    parsed = urlparse(target)
    ok = target.startswith("/") and not target.startswith(("//", "/\\")) and not parsed.netloc
    return target if ok else "/"


@dataclass
class SignInForm:
    """What is typed to sign in."""

    login: str = ""
    password: str = ""
    next: str = "/"


@dataclass
class NewPasswordForm:
    """A password typed twice."""

    password: str = ""
    again: str = ""


@dataclass
class ChangePasswordForm:
    """The old password and the new one twice."""

    old_password: str = ""
    password: str = ""
    again: str = ""


@dataclass
class LanguageForm:
    """The language of the pages."""

    language: str = ""
    next: str = "/"


@dataclass
class OrganisationForm:
    """The organisation to work for."""

    organisation_id: UUID
    next: str = "/"


def client_address(request: Request, services: Services) -> str:  # type: ignore[type-arg]
    """The address a request came from; behind a trusted proxy, the one that it names."""
    if services.settings.trusts_proxy and (forwarded := request.headers.get("x-forwarded-for")):
        return forwarded.rpartition(",")[2].strip()
    return request.client.host if request.client else ""


class SignInController(Controller):
    """`/sign-in`, `/sign-out`, `/account`, `/invitations/{token}`."""

    @get("/sign-in")
    async def ask(
        self,
        visitor: NamedDependency[Viewer | None],
        next: FromQuery[str] = "/",  # noqa: A002 - the query's name
    ) -> Template | Redirect:
        """The sign-in page."""
        if visitor is not None:
            return Redirect(safe_path(next))
        return Template("public/sign_in.html", context={"form": SignInForm(next=safe_path(next)), "error": None})

    @post("/sign-in")
    async def sign_in(
        self,
        request: Request,  # type: ignore[type-arg]
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        data: URLEncodedBody[SignInForm],
    ) -> Template | Redirect:
        """Sign in and go on."""
        address = client_address(request, services)
        await take(services.sessions, key=f"sign-in:{address}", limit=60, per=timedelta(minutes=5), now=now)
        outcome = await accounts.try_sign_in(
            session, vault=services.vault, login=data.login, password=data.password,
            client=request.headers.get("user-agent", ""), address=address, now=now,
        )  # fmt: skip
        if isinstance(outcome, BadInput):
            form = SignInForm(login=data.login, next=safe_path(data.next))
            return Template("public/sign_in.html", context={"form": form, "error": outcome}, status_code=422)
        cookie = sign_in_cookie(outcome, is_behind_tls=services.settings.is_behind_tls, hours=_COOKIE_HOURS)
        return Redirect(safe_path(data.next), cookies=[cookie])

    @post("/sign-out")
    async def sign_out(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
    ) -> Redirect:
        """Sign out of this browser."""
        await accounts.end_sign_in(session, sign_in_id=viewer.sign_in_id, actor_id=viewer.person_id, now=now)
        answer = Redirect("/")
        answer.delete_cookie(SIGN_IN_COOKIE, path="/")
        return answer

    @post("/sign-out-everywhere")
    async def sign_out_everywhere(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
    ) -> Redirect:
        """Sign out of every browser and client."""
        await accounts.end_every_sign_in(session, account_id=viewer.account_id, actor_id=viewer.person_id, now=now)
        answer = Redirect("/sign-in")
        answer.delete_cookie(SIGN_IN_COOKIE, path="/")
        return answer

    @get("/account/password")
    async def ask_new_password(self, viewer: NamedDependency[Viewer]) -> Template:
        """The page on which the password is changed."""
        return Template("public/password.html", context={"error": None, "is_done": False})

    @post("/account/password")
    async def change_password(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        data: URLEncodedBody[ChangePasswordForm],
    ) -> Template:
        """Change the password."""
        async with attempt(session) as tried:
            _same(data.password, data.again)
            await accounts.change_password(
                session, account_id=viewer.account_id, old=data.old_password, new=data.password, now=now
            )
        context = {"error": tried.error, "is_done": tried.error is None}
        return Template("public/password.html", context=context, status_code=422 if tried.error else 200)

    @get("/invitations/{token:str}")
    async def ask_first_password(self, token: FromPath[str]) -> Template:
        """The page on which an invited person sets a password."""
        return Template("public/invitation.html", context={"token": token, "error": None})

    @post("/invitations/{token:str}")
    async def accept_invitation(
        self,
        request: Request,  # type: ignore[type-arg]
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        token: FromPath[str],
        data: URLEncodedBody[NewPasswordForm],
    ) -> Template | Redirect:
        """Set the password and sign in."""
        address = client_address(request, services)
        await take(services.sessions, key=f"invitation:{address}", limit=30, per=timedelta(minutes=5), now=now)
        async with attempt(session) as tried:
            _same(data.password, data.again)
            account_id = await accounts.accept_invitation(session, token=token, password=data.password, now=now)
        if tried.error:
            return Template("public/invitation.html", context={"token": token, "error": tried.error}, status_code=422)
        sign_in_token, _ = await accounts.open_sign_in(
            session, account_id=account_id, client=request.headers.get("user-agent", ""), address=address, now=now
        )
        cookie = sign_in_cookie(sign_in_token, is_behind_tls=services.settings.is_behind_tls, hours=_COOKIE_HOURS)
        return Redirect("/", cookies=[cookie])

    @post("/language")
    async def choose_language(
        self,
        session: NamedDependency[AsyncSession],
        visitor: NamedDependency[Viewer | None],
        data: URLEncodedBody[LanguageForm],
    ) -> Redirect:
        """Show the pages in another language from now on."""
        if data.language not in LANGUAGES:
            raise NotFound
        if visitor is not None:
            await accounts.choose_language(session, account_id=visitor.account_id, language=data.language)
        answer = Redirect(safe_path(data.next))
        answer.set_cookie(LANGUAGE_COOKIE, data.language, max_age=31536000, samesite="lax", path="/", httponly=True)
        return answer

    @post("/organisation")
    async def choose_organisation(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        data: URLEncodedBody[OrganisationForm],
    ) -> Redirect:
        """Work for another of one's organisations."""
        await accounts.choose_organisation(session, viewer=viewer, organisation_id=data.organisation_id)
        return Redirect(safe_path(data.next))


def _same(password: str, again: str) -> None:
    if password != again:
        raise BadInput(N_("两次输入的密码不一致。"), field="again")


HANDLERS: list[type[Controller]] = [SignInController]

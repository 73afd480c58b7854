"""`/sign-up`: registering oneself, then being signed in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from training.accounts import Viewer, open_sign_in
from training.errors import N_, AnpeiError, BadInput
from training.models import Education, IdType
from training.people import NewPerson
from training.sign_up import NOTICE, sign_up
from web.attempts import attempt
from web.auth import sign_in_cookie
from web.enterprise.forms import read_choice, read_date
from web.limits import take
from web.public.sign_in import client_address
from web.services import Services

_COOKIE_HOURS = 24 * 30


@dataclass
class SignUpForm:
    """What is typed to register; passwords are never shown again."""

    name: str = ""
    id_type: str = IdType.ID_CARD.value
    number: str = ""
    birth_date: str = ""
    phone: str = ""
    education: str = ""
    password: str = ""
    again: str = ""
    notice: str = ""
    guardian: str = ""


class SignUpController(Controller):
    """Registration of people who belong to no enterprise, or come before it."""

    path = "/sign-up"

    @get()
    async def ask(self, visitor: NamedDependency[Viewer | None]) -> Template | Redirect:
        """The form."""
        return Redirect("/") if visitor else _page(SignUpForm())

    @post()
    async def register(
        self,
        request: Request,  # type: ignore[type-arg]
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        data: URLEncodedBody[SignUpForm],
    ) -> Template | Redirect:
        """Register and sign in."""
        address = client_address(request, services)
        # The form tells whether a number is registered, so it may not be asked often.
        await take(services.sessions, key=f"sign-up:{address}", limit=20, per=timedelta(hours=1), now=now)
        async with attempt(session) as tried:
            if data.password != data.again:
                raise BadInput(N_("两次输入的密码不一致。"), field="again")
            account_id = await sign_up(
                session, vault=services.vault, new=_read(data), password=data.password,
                has_read_notice=bool(data.notice), guardian_agrees=bool(data.guardian), now=now,
            )  # fmt: skip
        if tried.error:
            return _page(data, tried.error)
        token, _ = await open_sign_in(
            session, account_id=account_id, client=request.headers.get("user-agent", ""), address=address, now=now
        )
        cookie = sign_in_cookie(token, is_behind_tls=services.settings.is_behind_tls, hours=_COOKIE_HOURS)
        return Redirect("/", cookies=[cookie])


def _read(form: SignUpForm) -> NewPerson:
    return NewPerson(
        name=form.name,
        id_type=read_choice(IdType, form.id_type, field="id_type"),
        number=form.number,
        phone=form.phone,
        birth_date=read_date(form.birth_date, field="birth_date") if form.birth_date else None,
        education=read_choice(Education, form.education, field="education") if form.education else None,
    )


def _page(form: SignUpForm, error: AnpeiError | None = None) -> Template:
    context = {"form": form, "error": error, "notice": NOTICE, "id_types": IdType, "educations": Education}
    return Template("public/sign_up.html", context=context, status_code=422 if error else 200)


HANDLERS = [SignUpController]

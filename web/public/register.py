"""`/register`: the public look-up of certificates, enterprises and announcements. Numbers never stand in a URL."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Template
from sqlmodel.ext.asyncio.session import AsyncSession

from certificates.errors import WrongCaptcha
from certificates.register.captcha import draw_captcha, make_captcha, use_captcha
from certificates.register.enterprises import EnterpriseLine, SearchTooShort, get_enterprise, search_enterprises
from certificates.register.lookup import FoundCertificate, NumberKind, list_announcements, look_up, lookup_index
from training.accounts import Viewer
from training.calendar import china_date
from training.errors import N_, AnpeiError, BadInput
from training.rules import get_number
from web.limits import take
from web.printed import fonts
from web.public.sign_in import client_address
from web.services import Services

_AN_HOUR = timedelta(hours=1)
_NO_STORE = {"cache-control": "no-store"}


@dataclass
class LookUpForm:
    """What is typed. The number is not given back to the page."""

    kind: str = NumberKind.DOCUMENT.value
    number: str = ""
    name: str = ""
    captcha_id: str = ""
    answer: str = ""


class RegisterController(Controller):
    """Open to everyone, in small doses."""

    path = "/register"

    @get("/")
    async def ask(
        self,
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
    ) -> Template:
        """The form."""
        return await _page(session, services, LookUpForm(), now=now)

    @post("/", status_code=200)
    async def look(
        self,
        request: Request,  # type: ignore[type-arg]
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        visitor: NamedDependency[Viewer | None],
        now: NamedDependency[datetime],
        data: URLEncodedBody[LookUpForm],
    ) -> Template:
        """Masked results; the same answer for an unknown number and another name."""
        address = client_address(request, services)
        today = china_date(now)
        limit = await get_number(session, "lookup.per_address_hour", on=today)
        await take(services.sessions, key=f"lookup:{address}", limit=limit, per=_AN_HOUR, now=now)
        try:
            await use_captcha(
                session, vault=services.vault, captcha_id=_uuid(data.captcha_id), answer=data.answer, now=now
            )
            kind, number = _read(data)
        except BadInput as error:
            return await _page(session, services, data, now=now, error=error)
        index = lookup_index(services.vault, kind, number).hex()
        limit = await get_number(session, "lookup.per_number_hour", on=today)
        await take(services.sessions, key=f"lookup-number:{index}", limit=limit, per=_AN_HOUR, now=now)
        found = await look_up(
            session, vault=services.vault, kind=kind, number=number, name=data.name, address=address,
            viewer_id=visitor.person_id if visitor else None, now=now,
        )  # fmt: skip
        return await _page(session, services, LookUpForm(kind=kind.value), now=now, found=found)

    @get("/captcha/{captcha_id:uuid}")
    async def captcha(self, services: NamedDependency[Services], captcha_id: FromPath[UUID]) -> Response[bytes]:
        """The picture of a question."""
        picture = await asyncio.to_thread(draw_captcha, services.vault, captcha_id, fonts().bold)
        return Response(picture, media_type="image/png", headers=_NO_STORE)

    @get("/announcements")
    async def announcements(self, session: NamedDependency[AsyncSession], page: FromQuery[int] = 1) -> Template:
        """Revoked and cancelled certificates."""
        lines, pages = await list_announcements(session, page=page)
        context = {"lines": lines, "page": min(max(page, 1), pages), "pages": pages}
        return Template("public/announcements.html", context=context)

    @get("/enterprises")
    async def enterprises(
        self,
        request: Request,  # type: ignore[type-arg]
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        q: FromQuery[str] = "",
        page: FromQuery[int] = 1,
    ) -> Template:
        """Enterprises by a part of the name or by code."""
        error: AnpeiError | None = None
        lines: list[EnterpriseLine] = []
        pages = 1
        if q:
            address = client_address(request, services)
            await take(services.sessions, key=f"enterprises:{address}", limit=600, per=_AN_HOUR, now=now)
            try:
                lines, pages = await search_enterprises(session, words=q[:100], page=page, now=now)
            except SearchTooShort as short:
                error = short
        context = {"q": q[:100], "lines": lines, "page": min(max(page, 1), pages), "pages": pages, "error": error}
        return Template("public/enterprises.html", context=context, status_code=422 if error else 200)

    @get("/enterprises/{uscc:str}")
    async def enterprise(
        self, session: NamedDependency[AsyncSession], now: NamedDependency[datetime], uscc: FromPath[str]
    ) -> Template:
        """Figures of one enterprise, its licences and the enforcement records that are public."""
        page = await get_enterprise(session, uscc=uscc, now=now)
        return Template("public/enterprise.html", context={"page": page, "today": china_date(now)})


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise WrongCaptcha(field="answer") from error


def _read(data: LookUpForm) -> tuple[NumberKind, str]:
    if data.kind not in list(NumberKind):
        raise BadInput(N_("请选择号码种类。"), field="kind")
    if not data.number.strip() or not data.name.strip():
        raise BadInput(N_("请填写完整的号码和姓名。"), field="number")
    return NumberKind(data.kind), data.number.strip()[:100]


async def _page(
    session: AsyncSession,
    services: Services,
    form: LookUpForm,
    *,
    now: datetime,
    error: AnpeiError | None = None,
    found: list[FoundCertificate] | None = None,
) -> Template:
    context = {
        "form": form,
        "error": error,
        "found": found,
        "now": now,
        "question": await make_captcha(session, vault=services.vault, now=now),
    }
    return Template("public/register.html", context=context, status_code=422 if error else 200, headers=_NO_STORE)


HANDLERS: list[type[Controller]] = [RegisterController]

"""`/verify`: scan a certificate with the camera, from a picture, or paste what a scanner read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import URLEncodedBody
from litestar.response import Template
from sqlmodel.ext.asyncio.session import AsyncSession

from certificates.credential import NotACredential
from certificates.register.public import check_shown
from certificates.scanning import Elsewhere, read_shown
from certificates.verdict import Outcome, Verdict
from web.services import Services


@dataclass
class ScanForm:
    """What was read from a QR code, or typed."""

    text: str = ""


def our_host(services: Services) -> str:
    """The only host whose certificates are ours, with the port if it has one."""
    return urlsplit(services.settings.public_url).netloc


class VerifyController(Controller):
    """The scanner's page. The host is compared before anything else is believed."""

    path = "/verify"

    @get("/")
    async def ask(self, services: NamedDependency[Services]) -> Template:
        """Camera, picture or text."""
        context = {"verdict": None, "text": "", "host": our_host(services)}
        return Template("public/verify.html", context=context)

    @post("/", status_code=200)
    async def check(
        self,
        request: Request,  # type: ignore[type-arg]
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        data: URLEncodedBody[ScanForm],
    ) -> Template:
        """The verdict on what was shown; a fragment for the script, a page without it."""
        found = await _judge(session, data.text, host=our_host(services), now=now)
        if "hx-request" in request.headers:
            return Template("public/_verdict.html", context={"verdict": found})
        context = {"verdict": found, "text": data.text[:4000], "host": our_host(services)}
        return Template("public/verify.html", context=context)


async def _judge(session: AsyncSession, text: str, *, host: str, now: datetime) -> Verdict:
    try:
        shown = read_shown(text, host=host)
    except Elsewhere as error:
        return Verdict(Outcome.ELSEWHERE, now, is_compared=True, host=str(error.params["host"]))
    except NotACredential:
        return Verdict(Outcome.UNREADABLE, now)
    return await check_shown(session, public_id=shown.public_id, credential=shown.credential, now=now)


HANDLERS: list[type[Controller]] = [VerifyController]

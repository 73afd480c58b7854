"""`/c/{id}`: what a certificate's QR code opens, in capitals or not; and the check of the signed data in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Template
from sqlmodel.ext.asyncio.session import AsyncSession

from certificates.register.public import check_shown
from certificates.scanning import read_fragment
from certificates.verdict import Outcome, Verdict

_NO_STORE = {"cache-control": "no-store"}


@dataclass
class Fragment:
    """What stands behind the `#` of the QR's address. The browser does not send it by itself."""

    credential: str = ""


def verdict_status(found: Verdict) -> int:
    """404 for an id that nobody issued, so that programs see it too."""
    return 404 if found.outcome is Outcome.UNKNOWN else 200


class CertificateController(Controller):
    """The page and its check. No sign-in, no cookie, nothing is changed."""

    @get(["/c/{public_id:str}", "/C/{public_id:str}"])
    async def show(
        self, session: NamedDependency[AsyncSession], now: NamedDependency[datetime], public_id: FromPath[str]
    ) -> Template:
        """The record's own verdict; the script then has the QR's data checked."""
        found = await check_shown(session, public_id=public_id, credential=None, now=now)
        return Template(
            "public/certificate.html",
            context={"verdict": found, "public_id": public_id.upper()[:26]},
            status_code=verdict_status(found),
            headers=_NO_STORE,
        )

    # Reads only, and must work from a page that is cached or has no cookie.
    @post("/c/{public_id:str}/check", exclude_from_csrf=True, status_code=200)
    async def check(
        self,
        session: NamedDependency[AsyncSession],
        now: NamedDependency[datetime],
        public_id: FromPath[str],
        data: JSONBody[Fragment],
    ) -> Template:
        """The verdict with the QR's signed data held against the pinned keys and the record."""
        credential = read_fragment(data.credential) if data.credential else None
        found = await check_shown(session, public_id=public_id, credential=credential, now=now)
        return Template("public/_verdict.html", context={"verdict": found}, headers=_NO_STORE)


HANDLERS: list[type[Controller]] = [CertificateController]

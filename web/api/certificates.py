"""`/api/v1/certificates`: the public verdict for programs, masked like the page."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated

import msgspec
from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from certificates.register.public import check_shown
from certificates.scanning import read_fragment
from certificates.verdict import Outcome, Verdict
from web.i18n.catalogue import gettext
from web.labels import label


class ShownCredential(msgspec.Struct):
    """What stands behind the `#` of the QR code."""

    credential: Annotated[str, msgspec.Meta(max_length=4000, description="Base32, as scanned.")]


class CertificateOut(msgspec.Struct):
    """A verdict. Names are masked; numbers are never given."""

    outcome: Annotated[
        str,
        msgspec.Meta(
            description="GENUINE (signed, on record, in force) · ON_RECORD (in force by the record; the QR's own data "
            "was not compared) · ALTERED · UNKNOWN · REVOKED · CANCELLED · REPLACED · EXPIRED · REVIEW_OVERDUE · "
            "NOT_YET_VALID",
            examples=["GENUINE"],
        ),
    ]
    message: str
    as_of: datetime
    is_compared: Annotated[bool, msgspec.Meta(description="Whether the QR's signed data was held against the record.")]
    status: str | None = None
    kind: str | None = None
    holder: str | None = None
    category: str | None = None
    item: str | None = None
    issuer: str | None = None
    valid_from: date | None = None
    valid_to: date | None = None
    review_due_on: date | None = None
    reviewed_on: date | None = None


def _out(found: Verdict) -> Response[CertificateOut]:
    out = CertificateOut(
        outcome=found.outcome.value,
        message=gettext(label(found.outcome)),
        as_of=found.as_of,
        is_compared=found.is_compared,
        status=found.status.value if found.status else None,
    )
    if record := found.record:
        out.kind, out.holder = record.kind.value, record.holder_masked
        out.category, out.item, out.issuer = record.class_name, record.item_name, record.issuer_name
        out.valid_from, out.valid_to = record.facts.valid_from, record.facts.valid_to
        out.review_due_on, out.reviewed_on = record.facts.review_due_on, record.facts.reviewed_on
    status = 404 if found.outcome is Outcome.UNKNOWN else 200
    return Response(out, status_code=status, headers={"cache-control": "no-store"})


class ApiCertificateController(Controller):
    """No sign-in: whoever holds the random id may ask."""

    path = "/api/v1/certificates"
    tags = ("certificates",)

    @get("/{public_id:str}", summary="What the register says of a certificate")
    async def show(
        self, session: NamedDependency[AsyncSession], now: NamedDependency[datetime], public_id: FromPath[str]
    ) -> Response[CertificateOut]:
        """By the id in its QR code. The QR's own data is not compared: POST it to `/check` for that."""
        return _out(await check_shown(session, public_id=public_id, credential=None, now=now))

    @post("/{public_id:str}/check", summary="Check a QR code's signed data", status_code=200)
    async def check(
        self,
        session: NamedDependency[AsyncSession],
        now: NamedDependency[datetime],
        public_id: FromPath[str],
        data: JSONBody[ShownCredential],
    ) -> Response[CertificateOut]:
        """Signature against the pinned issuer keys, claims against the record, status as of now."""
        credential = read_fragment(data.credential)
        return _out(await check_shown(session, public_id=public_id, credential=credential, now=now))

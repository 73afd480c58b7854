"""Certificates and papers as PDF: the fonts are parsed once a process, and pages are drawn off the event loop."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import TYPE_CHECKING

from litestar import Response

from certificates.document.certificate import PrintedCertificate, certificate_pdf
from certificates.document.filling import fill_in
from certificates.document.proof import training_proof_pdf
from training import audit
from training.fonts import FontSet, load_fonts
from web.templating import STATIC

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from certificates.document.proof import PrintedProof
    from certificates.models import Certificate
    from web.services import Services


@cache
def fonts() -> FontSet:
    """The fonts of the build, with the rare ones of the machine."""
    return FontSet.in_folder(STATIC / "vendor" / "fonts")


def draw(facts: PrintedCertificate | PrintedProof) -> bytes:
    """One A4 page. Takes tens of milliseconds, and seconds the first time."""
    load_fonts(fonts())
    if isinstance(facts, PrintedCertificate):
        return certificate_pdf(facts, fonts())
    return training_proof_pdf(facts, fonts())


def pdf_download(data: bytes, name: str) -> Response[bytes]:
    """A file that no cache keeps."""
    headers = {"content-disposition": f'attachment; filename="{name}.pdf"', "cache-control": "private, no-store"}
    return Response(data, media_type="application/pdf", headers=headers)


async def certificate_document(
    session: AsyncSession, services: Services, certificate: Certificate, *, actor_id: UUID, now: datetime
) -> Response[bytes]:
    """The download, noted in the audit log: it carries the whole number."""
    facts = await fill_in(
        session, certificate=certificate, store=services.store, vault=services.vault,
        public_url=services.settings.public_url, now=now,
    )  # fmt: skip
    audit.record(
        session, action="certificate.printed", target=("certificate", certificate.id), actor_id=actor_id, now=now
    )
    return pdf_download(await asyncio.to_thread(draw, facts), f"certificate-{certificate.public_id[:8]}")

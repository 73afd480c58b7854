"""`/sittings/…/receipt`: the signed answer sheet of one's own sitting, to print and to check."""

from __future__ import annotations

import asyncio
from datetime import datetime
from uuid import UUID

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.printed_sheets import signed_sheet_pdf
from exams.receipt_files import write_receipt_file
from exams.signed_sheets import get_signed_sheet
from training import audit
from training.accounts import Viewer
from web.printed import fonts, pdf_download
from web.services import Services


class ReceiptController(Controller):
    """Downloads after the end."""

    path = "/sittings/{sitting_id:uuid}"

    @get("/receipt.pdf")
    async def print_sheet(
        self,
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        sitting_id: FromPath[UUID],
    ) -> Response[bytes]:
        """What was answered at each position, with head and signature; neither questions nor keys nor points."""
        shown = await get_signed_sheet(
            session, sitting_id=sitting_id, person_id=viewer.person_id, now=now, is_demo=services.settings.is_demo
        )
        audit.record(
            session, action="receipt.printed", target=("sitting", sitting_id), actor_id=viewer.person_id, now=now
        )
        check_url = f"{services.settings.public_url}/receipts"
        data = await asyncio.to_thread(signed_sheet_pdf, shown, fonts(), check_url=check_url)
        return pdf_download(data, f"answer-sheet-{sitting_id.hex[-8:]}")

    @get("/receipt.json")
    async def give_file(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        sitting_id: FromPath[UUID],
    ) -> Response[bytes]:
        """The acts with the signature, for `/receipts`; it names nobody."""
        shown = await get_signed_sheet(session, sitting_id=sitting_id, person_id=viewer.person_id, now=now)
        data = write_receipt_file(shown.receipt, shown.acts, key_id=shown.key_id, signature=shown.signature)
        headers = {
            "content-disposition": f'attachment; filename="receipt-{sitting_id.hex[-8:]}.json"',
            "cache-control": "private, no-store",
        }
        return Response(data, media_type="application/json", headers=headers)


HANDLERS: list[type[Controller]] = [ReceiptController]

"""`/receipts`: whether the receipt of a sitting is genuine. From the file and our public keys alone: no database."""

from __future__ import annotations

import asyncio
import base64
from dataclasses import dataclass

from litestar import Controller, Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import MultipartBody
from litestar.response import Template

from exams.receipt_files import LARGEST_FILE, NotAReceipt, ReceiptVerdict, check_receipt_file
from exams.receipts import VERSION
from training.errors import AnpeiError
from web.keys import Keys
from web.services import Services

_NO_STORE = {"cache-control": "no-store"}


@dataclass
class FileForm:
    """The JSON file of a receipt."""

    file: UploadFile | None = None


class ReceiptCheckController(Controller):
    """Open to everyone."""

    path = "/receipts"

    @get("/")
    async def ask(self, services: NamedDependency[Services]) -> Template:
        """Choose a file."""
        return _page(services.keys)

    @post("/", status_code=200)
    async def check(self, services: NamedDependency[Services], data: MultipartBody[FileForm]) -> Template:
        """What the file proves, in words."""
        try:
            if data.file is None or not data.file.filename:
                raise NotAReceipt(field="file")
            content = await data.file.read(LARGEST_FILE + 1)
            verdict = await asyncio.to_thread(check_receipt_file, content, services.keys.check_receipt)
        except AnpeiError as error:
            return _page(services.keys, error=error)
        return _page(services.keys, verdict=verdict)

    @get("/keys.json")
    async def keys(self, services: NamedDependency[Services]) -> Response[dict[str, object]]:
        """The public keys, for whoever wants to check with a program of their own."""
        found: dict[str, object] = {"version": VERSION, "algorithm": "Ed25519", "keys": _public_keys(services.keys)}
        return Response(found, headers=_NO_STORE)


def _public_keys(keys: Keys) -> dict[str, str]:
    """Raw, 32 bytes, as base64url without padding."""
    return {
        key_id: base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).rstrip(b"=").decode()
        for key_id, key in keys.receipt.items()
    }


def _page(keys: Keys, *, verdict: ReceiptVerdict | None = None, error: AnpeiError | None = None) -> Template:
    context = {"verdict": verdict, "error": error, "keys": _public_keys(keys)}
    return Template("public/receipts.html", context=context, status_code=422 if error else 200, headers=_NO_STORE)


HANDLERS: list[type[Controller]] = [ReceiptCheckController]

"""Reading what a scanner or a person gives: whose address it is comes before anything that it says."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from certificates.credential import NotACredential, read_qr_text

_ADDRESS = re.compile(r"https?://[^\s]+", re.IGNORECASE)
_PATH = re.compile(r"/c/([A-Z2-7]{26})/?", re.IGNORECASE | re.ASCII)
_BARE_ID = re.compile(r"[A-Z2-7]{26}", re.IGNORECASE | re.ASCII)
_LONGEST = 4000


@dataclass(frozen=True)
class Shown:
    """A certificate's id with what stood behind the `#`; `credential` is None where nothing did.

    Where something stood there that cannot be read, it is empty, which no key ever signed.
    """

    public_id: str
    credential: bytes | None


class Elsewhere(NotACredential):
    """The address is not of this service, whatever its page may say."""


def read_shown(text: str, *, host: str) -> Shown:
    """Take apart what was scanned, pasted or typed. `host` is ours, with the port if it has one.

    Raises `Elsewhere` for another host's address (its `params["host"]`), `NotACredential` for anything else.
    """
    text = text.strip()[:_LONGEST]
    if _BARE_ID.fullmatch(text):
        return Shown(text.upper(), None)
    if not _ADDRESS.fullmatch(text):
        raise NotACredential
    try:
        address = urlsplit(text)
    except ValueError as error:
        raise NotACredential from error
    if address.netloc.lower() != host.lower():
        raise Elsewhere(host=address.netloc.lower()[:200])
    found = _PATH.fullmatch(address.path)
    if found is None or address.query:
        raise NotACredential
    if not address.fragment:
        return Shown(found[1].upper(), None)
    try:
        return Shown(found[1].upper(), read_qr_text(text).credential)
    except NotACredential:
        return Shown(found[1].upper(), b"")


def read_fragment(fragment: str) -> bytes:
    """The bytes behind the `#`; empty if they are not base32 as we write it."""
    plain = fragment.strip().lstrip("#").upper()[:_LONGEST]
    try:
        data = base64.b32decode(plain + "=" * (-len(plain) % 8))
    except ValueError:
        return b""
    is_canonical = base64.b32encode(data).decode().rstrip("=") == plain
    return data if is_canonical else b""

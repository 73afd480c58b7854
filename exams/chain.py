"""The hash chain of a sitting's answer events: each link stands for its act and for every act before it.

The page makes the same chain in the browser (web/static/js/chain.js) and sends each act with its
link, so that the order in which the acts were made can be proven when they arrive late.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

VERSION = "anpei-chain-1"
LINK_BYTES = 32


def first_link(sitting_id: UUID) -> bytes:
    """What the first act is linked to: SHA-256 of the version and the sitting, a line each."""
    return hashlib.sha256(f"{VERSION}\n{sitting_id}".encode()).digest()


def next_link(before: bytes, *, seq: int, position: int, choice: str, answered_at: datetime | None) -> bytes:
    """The link of one act: SHA-256 of the link before it and of the act, a line for each value.

    The time counts in whole milliseconds since 1970 and is empty where the act has none.
    """
    at = "" if answered_at is None else str(milliseconds(answered_at))
    return hashlib.sha256(before + f"{seq}\n{position}\n{choice}\n{at}".encode()).digest()


def milliseconds(at: datetime) -> int:
    """Whole milliseconds since 1970, cut off, without rounding by a float."""
    seconds = int(at.replace(microsecond=0).timestamp())
    return seconds * 1000 + at.microsecond // 1000

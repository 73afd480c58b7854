"""The receipt of a sitting: what was handed in, in one line of bytes that the server countersigns.

Whoever holds the receipt and the acts can make the chain's head again (exams/chain.py) and, with
the public key, know that neither the acts nor their order were changed since the end.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

VERSION = "anpei-receipt-1"


class Countersign(Protocol):
    """Signs with the newest receipt key of this installation: gives the key's id and the signature."""

    def __call__(self, data: bytes, /) -> tuple[str, bytes]: ...


class CheckSignature(Protocol):
    """Whether a signature over data is that of the key; None if there is no such key here."""

    def __call__(self, key_id: str, data: bytes, signature: bytes, /) -> bool | None: ...


@dataclass(frozen=True, slots=True)
class Receipt:
    """What is signed. `paper` is the SHA-256 of `paper_bytes`; `status` says how the sitting ended."""

    sitting_id: UUID
    paper: bytes
    head: bytes
    events: int
    answered: int
    status: str
    started_at: datetime
    ended_at: datetime

    def facts(self) -> dict[str, Any]:
        """As JSON; instants in UTC, cut off at the millisecond."""
        return {
            "version": VERSION,
            "sitting_id": str(self.sitting_id),
            "paper_sha256": self.paper.hex(),
            "chain_head": self.head.hex(),
            "events": self.events,
            "answered": self.answered,
            "status": self.status,
            "started_at": instant(self.started_at),
            "ended_at": instant(self.ended_at),
        }

    def signed_bytes(self) -> bytes:
        """The one form that is signed: compact JSON, keys in order, ASCII."""
        return canonical(self.facts())


def canonical(facts: dict[str, Any]) -> bytes:
    """JSON in its one form: compact, keys in order, ASCII."""
    return json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()


def instant(at: datetime) -> str:
    """An instant as receipts write it: 2026-11-22T01:30:00.000Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def paper_bytes(paper: Sequence[dict[str, Any]]) -> bytes:
    """A stored paper in its one form, whatever order a database keeps keys in."""
    return json.dumps(paper, sort_keys=True, separators=(",", ":")).encode()


def paper_digest(paper: Sequence[dict[str, Any]]) -> bytes:
    """SHA-256 of a stored paper."""
    return hashlib.sha256(paper_bytes(paper)).digest()

"""The hash chain of a sitting's answer events: each link stands for its act and for every act before it.

The page makes the same chain in the browser (web/static/js/chain.js) and sends each act with its
link, so that the order in which the acts were made can be proven when they arrive late. Of a choice
counts the form that is stored: letters in order, each once.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable
    from uuid import UUID

VERSION = "anpei-chain-1"
LINK_BYTES = 32
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MOST_NAMED = 100


class Linked(Protocol):
    """An act as it was sent or stored."""

    @property
    def seq(self) -> int: ...
    @property
    def position(self) -> int: ...
    @property
    def choice(self) -> str: ...
    @property
    def answered_at(self) -> datetime | None: ...
    @property
    def link(self) -> bytes | None: ...


@dataclass(frozen=True, slots=True)
class Chain:
    """The chain over all stored acts of a sitting, and what the links that came with them say of it.

    `broken_at` is the first act whose own link is another; `unlinked` acts came without one, which a
    form without scripts does. `missing` are numbers that no act has, the first hundred of `missing_count`.
    """

    head: bytes
    count: int
    broken_at: int | None
    unlinked: int
    missing: tuple[int, ...]
    missing_count: int

    @property
    def holds(self) -> bool:
        """Whether no link contradicts the stored acts and no number is missing."""
        return self.broken_at is None and not self.missing_count


def first_link(sitting_id: UUID) -> bytes:
    """What the first act is linked to: SHA-256 of the version and the sitting, a line each."""
    return hashlib.sha256(f"{VERSION}\n{sitting_id}".encode()).digest()


def next_link(before: bytes, *, seq: int, position: int, choice: str, answered_at: datetime | None) -> bytes:
    """The link of one act: SHA-256 of the link before it and of the act, a line for each value.

    The time counts in whole milliseconds since 1970 and is empty where the act has none.
    """
    at = "" if answered_at is None else milliseconds(answered_at)
    return hashlib.sha256(before + f"{seq}\n{position}\n{choice}\n{at}".encode()).digest()


def milliseconds(at: datetime) -> int:
    """Whole milliseconds since 1970, cut off, without rounding by a float."""
    return (at - _EPOCH) // _MILLISECOND


def fold(sitting_id: UUID, acts: Iterable[tuple[int, int, str, datetime | None]]) -> bytes:
    """The head over acts (seq, position, choice, answered_at) in the order of their numbers."""
    head, sha256 = first_link(sitting_id), hashlib.sha256
    for seq, position, choice, answered_at in acts:
        # `next_link`, without a call for each of a hundred acts.
        at = "" if answered_at is None else (answered_at - _EPOCH) // _MILLISECOND
        head = sha256(head + f"{seq}\n{position}\n{choice}\n{at}".encode()).digest()
    return head


def verify_chain(sitting_id: UUID, events: Iterable[Linked]) -> Chain:
    """Fold over all acts of a sitting, in whatever order they are given, and compare the links that they brought."""
    head, count, top = first_link(sitting_id), 0, 0
    broken_at: int | None = None
    unlinked, missing_count = 0, 0
    missing: list[int] = []
    for event in sorted(events, key=lambda event: event.seq):
        gap = range(top + 1, event.seq)
        missing_count += len(gap)
        missing += gap[: max(_MOST_NAMED - len(missing), 0)]
        top = event.seq
        head = next_link(
            head, seq=event.seq, position=event.position, choice=event.choice, answered_at=event.answered_at
        )
        count += 1
        if event.link is None:
            unlinked += 1
        elif broken_at is None and event.link != head:
            broken_at = event.seq
    return Chain(head, count, broken_at, unlinked, tuple(missing), missing_count)

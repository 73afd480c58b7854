"""A receipt key, and acts with their links as the page makes them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exams.answers import AnswerAct, device_token_hash, list_events, save_answers
from exams.chain import next_link, verify_chain
from tests.makers.sittings import KEY
from training.vault import Vault
from web.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.answers import Acknowledged
    from tests.makers.sittings import Sat

KEY_ID = "test-receipt"
KEYS = Keys(
    session=KEY,
    vault=Vault(keys={"1": b"f" * 32}, current="1", index_key=b"i" * 32),
    issuer={},
    receipt={"older": Ed25519PrivateKey.generate(), KEY_ID: Ed25519PrivateKey.generate()},
)


def link_acts(head: bytes, acts: Iterable[AnswerAct]) -> list[AnswerAct]:
    """The acts with their links, each made from the one before it."""
    linked = []
    for act in acts:
        head = next_link(head, seq=act.seq, position=act.position, choice=act.choice, answered_at=act.answered_at)
        linked.append(replace(act, link=head))
    return linked


async def next_acts(
    session: AsyncSession, sitting_id: UUID, choices: Sequence[str], *, at: datetime, first: int = 1
) -> list[AnswerAct]:
    """Linked acts that continue what is stored, of positions from `first` on, all made at one instant."""
    events = await list_events(session, sitting_id)
    top = max((event.seq for event in events), default=0)
    acts = [AnswerAct(top + 1 + place, first + place, choice, at) for place, choice in enumerate(choices)]
    return link_acts(verify_chain(sitting_id, events).head, acts)


async def send(
    session: AsyncSession, sat: Sat, acts: Sequence[AnswerAct], *, now: datetime, token: str = ""
) -> Acknowledged:
    """What arrives now from the device that holds the sitting, or from the one with this token."""
    token_hash = device_token_hash(token or sat.entry.device_token)
    return await save_answers(session, sitting_id=sat.id, token_hash=token_hash, acts=acts, now=now, key=KEY)

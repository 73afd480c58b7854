"""Finding items that ask the same as another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from question_bank.content import ItemContent, fingerprint, plain_text
from question_bank.models import Item, ItemRevision, RevisionStatus

if TYPE_CHECKING:
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

Fingerprint = tuple[str, tuple[str, ...]]


async def list_fingerprints(
    session: AsyncSession, subject: str, *, except_item: UUID | None = None
) -> dict[Fingerprint, str]:
    """What the living revisions of a subject ask: the code of the item by its fingerprint."""
    statement = (
        select(ItemRevision.stem, ItemRevision.options, Item.code)
        .join(Item, col(Item.id) == ItemRevision.item_id)
        .where(Item.subject == subject, col(ItemRevision.status) != RevisionStatus.RETIRED)
    )
    if except_item is not None:
        statement = statement.where(col(Item.id) != except_item)
    return {
        (plain_text(stem), tuple(sorted(plain_text(option) for option in options))): code
        for stem, options, code in (await session.exec(statement)).all()
    }


async def find_duplicate(
    session: AsyncSession, *, subject: str, content: ItemContent, except_item: UUID | None = None
) -> str | None:
    """The code of another item of the subject with the same stem and options, or None."""
    return (await list_fingerprints(session, subject, except_item=except_item)).get(fingerprint(content))

"""Enemies of an item: who they are, and which items could be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from sqlmodel import col, func, or_, select

from question_bank.models import Item, ItemEnemy, ItemRevision
from training.models import AuditEntry, Person

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

_FEW = 8


@dataclass(frozen=True, slots=True)
class OtherItem:
    """An item of the same bank by its newest wording."""

    id: UUID
    code: str
    stem: str


@dataclass(frozen=True, slots=True)
class Enemy:
    """An item that must not meet this one on a paper, with who said so and why."""

    item: OtherItem
    set_by: str
    set_at: datetime
    reason: str


async def list_enemies(session: AsyncSession, item_id: UUID) -> tuple[Enemy, ...]:
    """The enemies of an item, whichever of the two was named first, by code."""
    pairs = (
        await session.exec(select(ItemEnemy).where(or_(ItemEnemy.first_id == item_id, ItemEnemy.second_id == item_id)))
    ).all()
    others = {pair.second_id if pair.first_id == item_id else pair.first_id: pair for pair in pairs}
    items = await _newest(session, others)
    names = dict(
        (
            await session.exec(
                select(Person.id, Person.name).where(col(Person.id).in_([pair.created_by for pair in pairs]))
            )
        ).all()
    )
    reasons = await _reasons(session, [pair.first_id for pair in pairs])
    found = [
        Enemy(items[other], names[pair.created_by], pair.created_at, reasons.get((pair.first_id, pair.second_id), ""))
        for other, pair in others.items()
    ]
    return tuple(sorted(found, key=lambda enemy: enemy.item.code))


async def find_items(session: AsyncSession, *, item_id: UUID, words: str) -> tuple[OtherItem, ...]:
    """A few items of the same bank with all these words in code or newest wording; not the item and its enemies."""
    wanted = words.split()
    item = await session.get(Item, item_id)
    if item is None or not wanted:
        return ()
    taken = {enemy.item.id for enemy in await list_enemies(session, item_id)} | {item_id}
    newest = (
        select(ItemRevision.item_id, func.max(ItemRevision.number).label("number"))
        .group_by(col(ItemRevision.item_id))
        .subquery()
    )
    statement = (
        select(Item.id, Item.code, ItemRevision.stem)
        .join(newest, newest.c.item_id == col(Item.id))
        .join(
            ItemRevision,
            (col(ItemRevision.item_id) == newest.c.item_id) & (col(ItemRevision.number) == newest.c.number),
        )
        .where(Item.subject == item.subject, col(Item.id).not_in(taken))
        .order_by(col(Item.code))
        .limit(_FEW)
    )
    for word in wanted:
        statement = statement.where(
            or_(
                col(ItemRevision.stem).icontains(word, autoescape=True),
                col(ItemRevision.key_point).icontains(word, autoescape=True),
                col(Item.code).icontains(word, autoescape=True),
            )
        )
    return tuple(OtherItem(*row) for row in (await session.exec(statement)).all())


async def _newest(session: AsyncSession, ids: Collection[UUID]) -> dict[UUID, OtherItem]:
    statement = (
        select(Item.id, Item.code, ItemRevision.stem)
        .join(ItemRevision, col(ItemRevision.item_id) == Item.id)
        .where(col(Item.id).in_(ids))
        .order_by(col(ItemRevision.number))
    )
    return {row[0]: OtherItem(*row) for row in (await session.exec(statement)).all()}


async def _reasons(session: AsyncSession, firsts: Collection[UUID]) -> dict[tuple[UUID, UUID], str]:
    """Why, from the audit log, where the last word on a pair stands last."""
    statement = (
        select(AuditEntry)
        .where(
            AuditEntry.action == "item.enemies_set",
            AuditEntry.target_type == "item",
            col(AuditEntry.target_id).in_([str(first) for first in firsts]),
        )
        .order_by(col(AuditEntry.at), col(AuditEntry.id))
    )
    return {
        (UUID(entry.target_id), UUID(str(entry.detail["other"]))): str(entry.detail.get("reason", ""))
        for entry in (await session.exec(statement)).all()
    }

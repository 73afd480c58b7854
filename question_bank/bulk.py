"""Many checked items at once: from files of content, published under the four-eyes rule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlmodel import col, func, insert, select, update

from question_bank.content import ItemContent
from question_bank.errors import SelfReview
from question_bank.models import Item, ItemRevision, RevisionStatus
from training import audit
from training.columns import new_id

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession


@dataclass(frozen=True)
class Published:
    """What a load did, in items."""

    new: int = 0
    changed: int = 0
    same: int = 0

    def __add__(self, other: Published) -> Published:
        return Published(self.new + other.new, self.changed + other.changed, self.same + other.same)


async def publish_many(
    session: AsyncSession,
    *,
    subject: str,
    contents: Mapping[str, ItemContent],
    author_id: UUID,
    reviewer_id: UUID,
    now: datetime,
) -> Published:
    """Publish checked contents by item code; asked again it changes nothing.

    A changed wording becomes a new revision that takes the place of the published one. Drafts that
    an editor has open stay as they are.
    """
    if author_id == reviewer_id:
        raise SelfReview
    items = await _find_items(session, contents)
    published = await _find_published(session, list(items.values()))
    changed = {
        code: content
        for code, content in contents.items()
        if code not in items or published.get(items[code]) != content
    }
    new = [code for code in changed if code not in items]
    items |= {code: new_id() for code in new}
    numbers = await _last_numbers(session, [items[code] for code in changed])
    if new:
        rows = [
            {"id": items[code], "code": code, "subject": subject, "created_at": now, "created_by": author_id}
            for code in new
        ]
        await session.exec(insert(Item), params=rows)
    if changed:
        await _retire_published(session, [items[code] for code in changed], now=now)
        state = {
            "status": RevisionStatus.PUBLISHED, "author_id": author_id, "created_at": now, "submitted_at": now,
            "reviewed_by": reviewer_id, "reviewed_at": now, "published_at": now, "review_note": "",
        }  # fmt: skip
        rows = [
            {"id": new_id(), "item_id": items[code], "number": numbers.get(items[code], 0) + 1}
            | content_columns(content)
            | state
            for code, content in changed.items()
        ]
        await session.exec(insert(ItemRevision), params=rows)
        audit.record(
            session, action="item.bulk_published", target=("blueprint", subject), actor_id=author_id, now=now,
            new=len(new), changed=len(changed) - len(new), reviewed_by=reviewer_id,
        )  # fmt: skip
    return Published(new=len(new), changed=len(changed) - len(new), same=len(contents) - len(changed))


def content_columns(content: ItemContent) -> dict[str, Any]:
    """The content as columns of `ItemRevision`."""
    return {
        "type": content.type,
        "area": content.area,
        "level": content.level,
        "key_point": content.key_point,
        "is_local": content.is_local,
        "stem": content.stem,
        "options": list(content.options),
        "key": content.key,
        "explanation": content.explanation,
        "source": content.source,
    }


def content_of(revision: ItemRevision) -> ItemContent:
    """The content of a stored revision."""
    return ItemContent(
        type=revision.type,
        area=revision.area,
        level=revision.level,
        key_point=revision.key_point,
        stem=revision.stem,
        key=revision.key,
        options=tuple(revision.options),
        explanation=revision.explanation,
        source=revision.source,
        is_local=revision.is_local,
    )


async def _find_items(session: AsyncSession, contents: Mapping[str, ItemContent]) -> dict[str, UUID]:
    statement = select(Item).where(col(Item.code).in_(list(contents))).order_by(col(Item.id)).with_for_update()
    return {item.code: item.id for item in (await session.exec(statement)).all()}


async def _find_published(session: AsyncSession, item_ids: list[UUID]) -> dict[UUID, ItemContent]:
    statement = select(ItemRevision).where(
        col(ItemRevision.item_id).in_(item_ids), ItemRevision.status == RevisionStatus.PUBLISHED
    )
    return {revision.item_id: content_of(revision) for revision in (await session.exec(statement)).all()}


async def _last_numbers(session: AsyncSession, item_ids: list[UUID]) -> dict[UUID, int]:
    statement = (
        select(ItemRevision.item_id, func.max(ItemRevision.number))
        .where(col(ItemRevision.item_id).in_(item_ids))
        .group_by(col(ItemRevision.item_id))
    )
    return dict((await session.exec(statement)).all())


async def _retire_published(session: AsyncSession, item_ids: list[UUID], *, now: datetime) -> None:
    statement = (
        update(ItemRevision)
        .where(col(ItemRevision.item_id).in_(item_ids), col(ItemRevision.status) == RevisionStatus.PUBLISHED)
        .values(status=RevisionStatus.RETIRED, retired_at=now)
    )
    await session.exec(statement)

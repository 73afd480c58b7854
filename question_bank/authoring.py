"""Writing items: a first draft, and a new revision for every change."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, func, select

from question_bank.bulk import content_columns, content_of
from question_bank.content import ItemContent, check_content
from question_bank.duplicates import find_duplicate
from question_bank.errors import CodeTaken, DuplicateStem, EditedMeanwhile, WrongStatus
from question_bank.models import Item, ItemRevision, RevisionStatus
from question_bank.queries import get_blueprint
from training import audit
from training.errors import NotFound

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

_OPEN = (RevisionStatus.DRAFT, RevisionStatus.REVIEWED)


async def create_item(
    session: AsyncSession, *, subject: str, content: ItemContent, author_id: UUID, now: datetime, code: str = ""
) -> ItemRevision:
    """A new item with its first draft; without a code it gets the next one of its cell.

    Raises `UnknownBlueprint`, `BadItem`, `DuplicateStem`, `CodeTaken`.
    """
    content = check_content(content, areas=(await get_blueprint(session, subject)).areas)
    if twin := await find_duplicate(session, subject=subject, content=content):
        raise DuplicateStem(code=twin, field="stem")
    code = code.strip().upper() or await next_code(session, subject=subject, content=content)
    if (await session.exec(select(Item.id).where(Item.code == code))).first():
        raise CodeTaken(code=code, field="code")
    item = Item(code=code, subject=subject, created_at=now, created_by=author_id)
    session.add(item)
    await session.flush()
    return await _add_revision(session, item_id=item.id, number=1, content=content, author_id=author_id, now=now)


async def next_code(session: AsyncSession, *, subject: str, content: ItemContent) -> str:
    """The code after the last one of a cell, e.g. GEN-03-SC-043."""
    prefix = f"{subject}-{content.area:02d}-{content.type.value}-"
    # Two authors at once wait for each other, so that both get a code of their own.
    await session.exec(select(func.pg_advisory_xact_lock(func.hashtextextended(prefix, 0))))
    codes = (await session.exec(select(Item.code).where(col(Item.code).startswith(prefix, autoescape=True)))).all()
    numbers = [int(code.removeprefix(prefix)) for code in codes if code.removeprefix(prefix).isdecimal()]
    return f"{prefix}{max(numbers, default=0) + 1:03d}"


async def save_revision(
    session: AsyncSession, *, item_id: UUID, based_on: int, content: ItemContent, author_id: UUID, now: datetime
) -> ItemRevision:
    """Save a change as a new draft revision. An open draft before it ends; a published one stays in use.

    `based_on` is the number of the newest revision that the author saw. Saving the same content
    again gives the same revision. Raises `BadItem`, `DuplicateStem`, `EditedMeanwhile`.
    """
    item = await session.get(Item, item_id, with_for_update=True)
    if item is None:
        raise NotFound
    content = check_content(content, areas=(await get_blueprint(session, item.subject)).areas)
    newest = await _newest(session, item_id)
    if content_of(newest) == content and newest.status is not RevisionStatus.RETIRED:
        return newest
    if newest.number != based_on:
        raise EditedMeanwhile(number=newest.number)
    if twin := await find_duplicate(session, subject=item.subject, content=content, except_item=item_id):
        raise DuplicateStem(code=twin, field="stem")
    if newest.status in _OPEN:
        newest.status, newest.retired_at = RevisionStatus.RETIRED, now
        session.add(newest)
        await session.flush()
    return await _add_revision(
        session, item_id=item_id, number=newest.number + 1, content=content, author_id=author_id, now=now
    )


async def submit_revision(session: AsyncSession, *, revision_id: UUID, actor_id: UUID, now: datetime) -> ItemRevision:
    """Hand a draft to the reviewers. Raises `WrongStatus`."""
    revision = await lock_revision(session, revision_id)
    if revision.status is not RevisionStatus.DRAFT:
        raise WrongStatus
    if revision.submitted_at is None:
        revision.submitted_at = now
        session.add(revision)
        audit.record(
            session, action="item.submitted", target=("item_revision", revision.id), actor_id=actor_id, now=now
        )
    return revision


async def lock_revision(session: AsyncSession, revision_id: UUID) -> ItemRevision:
    """The revision, its item locked before it. Raises `NotFound`."""
    statement = select(ItemRevision.item_id).where(ItemRevision.id == revision_id)
    item_id = (await session.exec(statement)).first()
    if item_id is None:
        raise NotFound
    await session.get(Item, item_id, with_for_update=True)
    # Read again: it may have moved on while we waited.
    revision = await session.get(ItemRevision, revision_id, with_for_update=True, populate_existing=True)
    if revision is None:
        raise NotFound
    return revision


async def _newest(session: AsyncSession, item_id: UUID) -> ItemRevision:
    statement = (
        select(ItemRevision)
        .where(ItemRevision.item_id == item_id)
        .order_by(col(ItemRevision.number).desc())
        .limit(1)
        .with_for_update()
    )
    return (await session.exec(statement)).one()


async def _add_revision(
    session: AsyncSession, *, item_id: UUID, number: int, content: ItemContent, author_id: UUID, now: datetime
) -> ItemRevision:
    revision = ItemRevision(
        item_id=item_id, number=number, author_id=author_id, created_at=now, **content_columns(content)
    )
    session.add(revision)
    await session.flush()
    audit.record(
        session,
        action="item.drafted",
        target=("item_revision", revision.id),
        actor_id=author_id,
        now=now,
        number=number,
    )
    return revision

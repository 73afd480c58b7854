"""The way of a draft: reviewed by another person, published, retired."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import select

from question_bank.authoring import lock_revision
from question_bank.errors import NoteMissing, NotSubmitted, SelfReview, WrongStatus
from question_bank.models import ItemRevision, RevisionStatus
from training import audit

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession


async def approve_revision(
    session: AsyncSession, *, revision_id: UUID, reviewer_id: UUID, now: datetime, note: str = ""
) -> ItemRevision:
    """Approve a submitted draft. Raises `SelfReview`, `NotSubmitted`."""
    revision = await lock_revision(session, revision_id)
    if revision.status is RevisionStatus.REVIEWED and revision.reviewed_by == reviewer_id:
        return revision
    _require_submitted(revision, reviewer_id)
    revision.status = RevisionStatus.REVIEWED
    revision.reviewed_by, revision.reviewed_at, revision.review_note = reviewer_id, now, note.strip()
    session.add(revision)
    audit.record(session, action="item.approved", target=("item_revision", revision.id), actor_id=reviewer_id, now=now)
    return revision


async def return_revision(
    session: AsyncSession, *, revision_id: UUID, reviewer_id: UUID, note: str, now: datetime
) -> ItemRevision:
    """Give a submitted draft back to its author with what to mend. Raises `NoteMissing` and as above."""
    revision = await lock_revision(session, revision_id)
    if not note.strip():
        raise NoteMissing(field="note")
    _require_submitted(revision, reviewer_id)
    revision.submitted_at, revision.review_note = None, note.strip()
    session.add(revision)
    audit.record(session, action="item.returned", target=("item_revision", revision.id), actor_id=reviewer_id, now=now)
    return revision


async def publish_revision(session: AsyncSession, *, revision_id: UUID, actor_id: UUID, now: datetime) -> ItemRevision:
    """Put a reviewed revision into use; the published one of the same item ends.

    Papers that were dealt keep the revision they were dealt with. Raises `SelfReview`, `WrongStatus`.
    """
    revision = await lock_revision(session, revision_id)
    if revision.status is RevisionStatus.PUBLISHED:
        return revision
    if revision.status is not RevisionStatus.REVIEWED:
        raise WrongStatus
    if revision.author_id == actor_id:
        raise SelfReview
    statement = (
        select(ItemRevision)
        .where(ItemRevision.item_id == revision.item_id, ItemRevision.status == RevisionStatus.PUBLISHED)
        .with_for_update()
    )
    for before in (await session.exec(statement)).all():
        before.status, before.retired_at = RevisionStatus.RETIRED, now
        session.add(before)
    await session.flush()
    revision.status, revision.published_at = RevisionStatus.PUBLISHED, now
    session.add(revision)
    audit.record(session, action="item.published", target=("item_revision", revision.id), actor_id=actor_id, now=now)
    return revision


async def retire_revision(
    session: AsyncSession, *, revision_id: UUID, actor_id: UUID, reason: str, now: datetime
) -> ItemRevision:
    """Take a revision out of use, or drop a draft. Raises `NoteMissing`."""
    revision = await lock_revision(session, revision_id)
    if revision.status is RevisionStatus.RETIRED:
        return revision
    if not reason.strip():
        raise NoteMissing(field="note")
    was = {"status": revision.status.value}
    revision.status, revision.retired_at = RevisionStatus.RETIRED, now
    session.add(revision)
    audit.record(
        session, action="item.retired", target=("item_revision", revision.id), actor_id=actor_id, now=now, was=was,
        reason=reason.strip(),
    )  # fmt: skip
    return revision


def _require_submitted(revision: ItemRevision, reviewer_id: UUID) -> None:
    if revision.author_id == reviewer_id:
        raise SelfReview
    if revision.status is not RevisionStatus.DRAFT or revision.submitted_at is None:
        raise NotSubmitted

"""Forgetting faces. The desk's picture is never kept; what is stored is the enrolled photo alone.

An enrolled photo is deleted `face.photo.keep_days` after nothing needs it any more: its application was never
submitted, withdrawn, refused or failed, or the photo was replaced, and neither a person's file nor a
certificate shows it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlmodel import col, func, select, update

from exams.models import Application, ApplicationStatus
from training import audit
from training.calendar import china_date
from training.files import delete_file
from training.models import Person, StoredFile
from training.rules import get_number

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.files import FileStore

PHOTO_PURPOSE = "application-photo"
# A draft that nobody went on with counts as closed; whoever does go on is asked for a photo again.
_CLOSED = (ApplicationStatus.DRAFT, ApplicationStatus.WITHDRAWN, ApplicationStatus.REFUSED, ApplicationStatus.FAILED)


async def forget_faces(
    session: AsyncSession,
    *,
    store: FileStore,
    now: datetime,
    needed: Any = None,  # noqa: ANN401 - any select of photo ids
    limit: int = 200,
) -> int:
    """Delete up to `limit` photos whose span is over; a job's task. Gives how many.

    `needed` selects the photos that stay for another reason, e.g. those printed on certificates, which
    this package cannot know of.
    """
    days = await get_number(session, "face.photo.keep_days", on=china_date(now))
    before = now - timedelta(days=days)
    in_use = select(Application.id).where(Application.photo_id == StoredFile.id, ~_is_closed(before))
    shown = select(Person.id).where(Person.photo_id == StoredFile.id, ~_is_forgettable(before))
    statement = (
        select(StoredFile)
        .where(
            StoredFile.purpose == PHOTO_PURPOSE,
            StoredFile.created_at <= before,
            col(StoredFile.deleted_at).is_(None),
            ~in_use.exists(),
            ~shown.exists(),
        )
        .order_by(col(StoredFile.created_at))
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    if needed is not None:
        statement = statement.where(col(StoredFile.id).not_in(needed))
    photos = (await session.exec(statement)).all()
    for photo in photos:
        await delete_file(session, store=store, file_id=photo.id, now=now)
        audit.record(session, action="photo.forgotten", target=("stored_file", photo.id), actor_id=None, now=now)
    ids = [photo.id for photo in photos]
    await session.exec(update(Person).where(col(Person.photo_id).in_(ids)).values(photo_id=None))
    await session.exec(update(Application).where(col(Application.photo_id).in_(ids)).values(photo_id=None))
    await session.flush()
    return len(photos)


def _is_closed(before: datetime) -> Any:  # noqa: ANN401 - an SQL expression
    ended_at = func.coalesce(Application.decided_at, Application.submitted_at, Application.created_at)
    return col(Application.status).in_(_CLOSED) & (ended_at <= before)


def _is_forgettable(before: datetime) -> Any:  # noqa: ANN401 - an SQL expression
    """The person's own photo came with applications that all closed long ago without success."""
    own = select(Application.id).where(Application.person_id == Person.id)
    return own.exists() & ~own.where(~_is_closed(before)).exists()

"""Notices: what a person is told inside Anpei, by the same transaction that did the thing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import bindparam
from sqlmodel import col, func, select, update

from training.errors import NotFound
from training.models import Notice
from training.prepared import run

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

PER_PAGE = 20


class NoticeKind(StrEnum):
    """What happened; web/notices.py has the words of each, with the names that they need of `detail`."""

    SCORE_RELEASED = "SCORE_RELEASED"
    PRACTICAL_RELEASED = "PRACTICAL_RELEASED"
    SCORE_WITHHELD = "SCORE_WITHHELD"
    SCORE_VOID = "SCORE_VOID"
    SCORE_CHANGED = "SCORE_CHANGED"
    CERTIFICATE_AFFECTED = "CERTIFICATE_AFFECTED"
    CERTIFICATES_TO_JUDGE = "CERTIFICATES_TO_JUDGE"
    STAFF_SCORES_CHANGED = "STAFF_SCORES_CHANGED"
    APPEAL_ANSWERED = "APPEAL_ANSWERED"
    SESSION_CANCELLED = "SESSION_CANCELLED"
    APPLICATION_ACCEPTED = "APPLICATION_ACCEPTED"
    APPLICATION_RETURNED = "APPLICATION_RETURNED"
    APPLICATION_REFUSED = "APPLICATION_REFUSED"
    CERTIFICATE_ISSUED = "CERTIFICATE_ISSUED"
    CERTIFICATE_REFUSED = "CERTIFICATE_REFUSED"
    CERTIFICATE_REVOKED = "CERTIFICATE_REVOKED"


@dataclass(frozen=True, slots=True)
class NoticeLine:
    """A notice as its person sees it."""

    id: UUID
    kind: str
    detail: dict[str, Any]
    link: str
    created_at: datetime
    is_read: bool


@dataclass(frozen=True, slots=True)
class NoticePage:
    """One page of a person's notices, the unread ones first."""

    lines: tuple[NoticeLine, ...]
    page: int
    pages: int
    unread: int


def notify(
    session: AsyncSession,
    person_ids: Iterable[UUID],
    kind: NoticeKind,
    *,
    now: datetime,
    link: str = "",
    **detail: object,
) -> None:
    """Tell each of these people once, in the same transaction as the act itself.

    `link` is a path of this site that the person may open. `detail` fills in the words: texts,
    numbers and days as ISO texts, and never another person's data.
    """
    stored = {key: value if isinstance(value, int | bool) else str(value) for key, value in detail.items()}
    session.add_all(
        Notice(person_id=person_id, kind=kind.value, detail=stored, link=link, created_at=now)
        for person_id in sorted(set(person_ids))
    )


# For a statement about a `Person`: an index of unread notices alone answers it.
def unread_of(person_id: Any) -> Any:  # noqa: ANN401 - SQL expressions
    """The number of unread notices of a person, as part of a larger statement."""
    return (
        select(func.count())
        .select_from(Notice)
        .where(col(Notice.person_id) == person_id, col(Notice.read_at).is_(None))
        .scalar_subquery()
    )


_UNREAD = select(unread_of(bindparam("person_id")))


async def count_unread(session: AsyncSession, *, person_id: UUID) -> int:
    """How many notices one has not read."""
    count: int = (await run(session, _UNREAD, person_id=person_id)).scalar_one()
    return count


async def list_notices(session: AsyncSession, *, person_id: UUID, page: int = 1) -> NoticePage:
    """One's notices, the unread first, each group from the newest. A page beyond the last is the last."""
    total = (await session.exec(select(func.count()).where(Notice.person_id == person_id))).one()
    pages = max(-(-total // PER_PAGE), 1)
    page = min(max(page, 1), pages)
    statement = (
        select(Notice)
        .where(Notice.person_id == person_id)
        .order_by(col(Notice.read_at).is_not(None), col(Notice.created_at).desc(), col(Notice.id).desc())
        .offset((page - 1) * PER_PAGE)
        .limit(PER_PAGE)
    )
    lines = tuple(
        NoticeLine(row.id, row.kind, row.detail, row.link, row.created_at, row.read_at is not None)
        for row in (await session.exec(statement)).all()
    )
    return NoticePage(lines, page, pages, await count_unread(session, person_id=person_id))


async def open_notice(session: AsyncSession, *, notice_id: UUID, person_id: UUID, now: datetime) -> str:
    """Mark one's own notice as read and give its link. Raises `NotFound` for another's."""
    statement = select(Notice).where(Notice.id == notice_id, Notice.person_id == person_id).with_for_update()
    notice = (await session.exec(statement)).one_or_none()
    if notice is None:
        raise NotFound
    if notice.read_at is None:
        notice.read_at = now
        session.add(notice)
        await session.flush()
    return notice.link


async def mark_read(session: AsyncSession, *, person_id: UUID, until: datetime, now: datetime) -> None:
    """Mark as read what the person has been shown: everything that came before `until`."""
    await session.exec(
        update(Notice)
        .where(col(Notice.person_id) == person_id, col(Notice.read_at).is_(None), col(Notice.created_at) <= until)
        .values(read_at=now)
    )

"""Which exams need the Safe Exam Browser, and the Browser Exam Keys that an organisation has listed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import BindParameter, bindparam
from sqlmodel import col, func, or_, select

from exams.models import (
    Booking,
    BrowserExamKey,
    EnterpriseExam,
    EnterpriseExamCandidate,
    ExamSession,
    Sitting,
    SittingStatus,
)
from exams.safe_exam_browser import read_browser_key
from training import audit
from training.errors import N_, BadInput, NotFound
from training.prepared import run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession


class LabelMissing(BadInput):
    """A key that nobody could tell from another."""

    message = N_("请写明是哪个版本、哪批电脑的密钥，例如“Windows 3.9 机房一”。")


@dataclass(frozen=True, slots=True)
class Needed:
    """The organisation whose configuration must be used, and its listed keys, which may be none."""

    organisation_id: UUID
    exam_keys: tuple[str, ...]


_UNDER_WAY = [SittingStatus.OPEN, SittingStatus.PAUSED]
_PERSON: BindParameter[UUID] = bindparam("person_id")
_BY_BOOKING = (
    select(ExamSession.site_id)
    .join(Booking, col(Booking.exam_session_id) == ExamSession.id)
    .where(Booking.id == bindparam("occasion_id"), Booking.person_id == _PERSON, col(ExamSession.needs_seb))
)
_BY_EXAM = (
    select(EnterpriseExam.organisation_id)
    .join(EnterpriseExamCandidate, col(EnterpriseExamCandidate.exam_id) == EnterpriseExam.id)
    .where(
        EnterpriseExam.id == bindparam("occasion_id"),
        EnterpriseExamCandidate.person_id == _PERSON,
        col(EnterpriseExam.needs_seb),
    )
)
_BY_SITTING = (
    select(func.coalesce(ExamSession.site_id, EnterpriseExam.organisation_id))
    .select_from(Sitting)
    .join(Booking, col(Booking.id) == Sitting.booking_id, isouter=True)
    .join(ExamSession, col(ExamSession.id) == Booking.exam_session_id, isouter=True)
    .join(EnterpriseExam, col(EnterpriseExam.id) == Sitting.enterprise_exam_id, isouter=True)
    .where(
        Sitting.id == bindparam("occasion_id"),
        Sitting.person_id == _PERSON,
        col(Sitting.status).in_(_UNDER_WAY),
        or_(col(ExamSession.needs_seb), col(EnterpriseExam.needs_seb)),
    )
)


async def find_needed(
    session: AsyncSession,
    *,
    person_id: UUID,
    booking_id: UUID | None = None,
    exam_id: UUID | None = None,
    sitting_id: UUID | None = None,
) -> Needed | None:
    """What one's own booking, exam or sitting under way asks of the browser; None if any browser will do."""
    statement, key = (
        (_BY_BOOKING, booking_id) if booking_id else (_BY_EXAM, exam_id) if exam_id else (_BY_SITTING, sitting_id)
    )
    organisation_id = (await run(session, statement, occasion_id=key, person_id=person_id)).scalar_one_or_none()
    if organisation_id is None:
        return None
    keys = await list_browser_keys(session, organisation_id=organisation_id)
    return Needed(organisation_id, tuple(key.key for key in keys))


async def list_browser_keys(session: AsyncSession, *, organisation_id: UUID) -> Sequence[BrowserExamKey]:
    """The keys in use, the newest first."""
    statement = (
        select(BrowserExamKey)
        .where(BrowserExamKey.organisation_id == organisation_id, col(BrowserExamKey.retired_at).is_(None))
        .order_by(col(BrowserExamKey.created_at).desc(), col(BrowserExamKey.id))
    )
    return (await session.exec(statement)).all()


async def add_browser_key(
    session: AsyncSession, *, organisation_id: UUID, key: str, label: str, actor_id: UUID, now: datetime
) -> BrowserExamKey:
    """Let a version of the program in; asked again with the same key it gives that row.

    Raises `BadBrowserKey`, `LabelMissing`.
    """
    key, label = read_browser_key(key), label.strip()[:100]
    if not label:
        raise LabelMissing(field="label")
    known = await list_browser_keys(session, organisation_id=organisation_id)
    if same := [one for one in known if one.key == key]:
        return same[0]
    added = BrowserExamKey(organisation_id=organisation_id, key=key, label=label, created_by=actor_id, created_at=now)
    session.add(added)
    await session.flush()
    audit.record(
        session, action="browser_exam_key.added", target=("browser_exam_key", added.id), actor_id=actor_id, now=now,
        label=label,
    )  # fmt: skip
    return added


async def retire_browser_key(
    session: AsyncSession, *, key_id: UUID, organisation_id: UUID, actor_id: UUID, now: datetime
) -> None:
    """Let it in no more. Asked again nothing changes. Raises `NotFound`."""
    statement = select(BrowserExamKey).where(
        BrowserExamKey.id == key_id, BrowserExamKey.organisation_id == organisation_id
    )
    found = (await session.exec(statement.with_for_update())).one_or_none()
    if found is None:
        raise NotFound
    if found.retired_at is None:
        found.retired_at = now
        session.add(found)
        await session.flush()
        audit.record(
            session, action="browser_exam_key.retired", target=("browser_exam_key", key_id), actor_id=actor_id, now=now
        )

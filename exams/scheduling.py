"""Rooms of a site and the sessions held in them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlmodel import col, select

from exams.errors import (
    BadRoom,
    NoPaperPossible,
    NoPractical,
    PlanNotPublished,
    ReasonNeeded,
    RoomKnown,
    RoomTaken,
    SessionBegun,
    StartsInThePast,
    TooManySeats,
    WrongRoom,
)
from exams.models import (
    Booking,
    BookingStatus,
    ExamPart,
    ExamRoom,
    ExamSession,
    Qualification,
    SessionMode,
    SessionStatus,
)
from exams.plans import find_plan_for
from exams.qualifications import can_make_paper, get_qualification, part_minutes
from training import audit
from training.calendar import china_date
from training.errors import NotFound
from training.notices import NoticeKind, notify
from training.rules import get_number

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

_SEATS_AT_MOST = 500


@dataclass(frozen=True)
class NewSession:
    """What a site head chooses for a session."""

    qualification_code: str
    part: ExamPart
    mode: SessionMode
    room_id: UUID
    seats: int
    starts_at: datetime
    plan_id: UUID | None = None
    needs_seb: bool = False


async def add_room(
    session: AsyncSession,
    *,
    site_id: UUID,
    name: str,
    seats: int,
    is_practical: bool,
    actor_id: UUID,
    now: datetime,
) -> ExamRoom:
    """Add a room; asked again with the same facts it gives that one. Raises `BadRoom`, `RoomKnown`."""
    name = name.strip()[:100]
    if not name or not 1 <= seats <= _SEATS_AT_MOST:
        raise BadRoom(most=_SEATS_AT_MOST, field="seats" if name else "name")
    known = (await session.exec(select(ExamRoom).where(ExamRoom.site_id == site_id, ExamRoom.name == name))).first()
    if known:
        if (known.seats, known.is_practical) != (seats, is_practical):
            raise RoomKnown(name=name)
        return known
    room = ExamRoom(site_id=site_id, name=name, seats=seats, is_practical=is_practical)
    session.add(room)
    await session.flush()
    audit.record(session, action="exam_room.added", target=("exam_room", room.id), actor_id=actor_id, now=now)
    return room


async def list_rooms(session: AsyncSession, site_id: UUID) -> Sequence[ExamRoom]:
    """A site's rooms by name."""
    return (await session.exec(select(ExamRoom).where(ExamRoom.site_id == site_id).order_by(col(ExamRoom.name)))).all()


async def open_session(
    session: AsyncSession, *, site_id: UUID, new: NewSession, actor_id: UUID, now: datetime
) -> ExamSession:
    """Open a session for booking; asked again with the same facts it gives that one.

    Raises `WrongRoom`, `TooManySeats`, `StartsInThePast`, `NoPaperPossible`, `NoPractical`,
    `PlanNotPublished`, `RoomTaken`.
    """
    room = await _own_room(session, new.room_id, site_id)
    qualification = await get_qualification(session, new.qualification_code)
    if known := await _find_same(session, new):
        return known
    await _check(session, room=room, qualification=qualification, new=new, now=now)
    day = china_date(new.starts_at)
    minutes = await part_minutes(session, qualification, new.part, on=day)
    ends_at = new.starts_at + timedelta(minutes=minutes)
    gap = timedelta(minutes=await get_number(session, "exam.room_gap_minutes", on=day))
    if await _find_clash(session, room_id=room.id, from_=new.starts_at - gap, to=ends_at + gap):
        raise RoomTaken(room=room.name, field="starts_at")
    opened = ExamSession(
        plan_id=new.plan_id if new.mode is SessionMode.BATCH else None,
        site_id=site_id,
        room_id=room.id,
        qualification_code=qualification.code,
        part=new.part,
        mode=new.mode,
        starts_at=new.starts_at,
        ends_at=ends_at,
        seats=new.seats,
        needs_seb=new.needs_seb and new.part is ExamPart.THEORY,
        created_by=actor_id,
        created_at=now,
    )
    session.add(opened)
    await session.flush()
    audit.record(
        session, action="exam_session.opened", target=("exam_session", opened.id), actor_id=actor_id, now=now,
        seats=new.seats, part=new.part,
    )  # fmt: skip
    return opened


async def require_browser(
    session: AsyncSession, *, exam_session_id: UUID, site_id: UUID, is_needed: bool, actor_id: UUID, now: datetime
) -> ExamSession:
    """Let a session of theory need the Safe Exam Browser, or need it no more, until it begins.

    Raises `SessionBegun`.
    """
    exam_session = await session.get(ExamSession, exam_session_id, with_for_update=True, populate_existing=True)
    if exam_session is None or exam_session.site_id != site_id or exam_session.part is not ExamPart.THEORY:
        raise NotFound
    if exam_session.needs_seb is is_needed:
        return exam_session
    if exam_session.status is not SessionStatus.PLANNED or now >= exam_session.starts_at:
        raise SessionBegun
    exam_session.needs_seb = is_needed
    session.add(exam_session)
    await session.flush()
    audit.record(
        session, action="exam_session.browser_changed", target=("exam_session", exam_session_id), actor_id=actor_id,
        now=now, was={"needs_seb": not is_needed}, needs_seb=is_needed,
    )  # fmt: skip
    return exam_session


async def cancel_session(
    session: AsyncSession, *, exam_session_id: UUID, site_id: UUID, reason: str, actor_id: UUID, now: datetime
) -> ExamSession:
    """Cancel a session before it begins: its bookings are freed and do not count as a change.

    Asked again it stays cancelled. Raises `ReasonNeeded`, `SessionBegun`.
    """
    exam_session = await session.get(ExamSession, exam_session_id, with_for_update=True, populate_existing=True)
    if exam_session is None or exam_session.site_id != site_id:
        raise NotFound
    if exam_session.status is SessionStatus.CANCELLED:
        return exam_session
    if exam_session.status is not SessionStatus.PLANNED:
        raise SessionBegun
    if not reason.strip():
        raise ReasonNeeded(field="reason")
    bookings = await _lock_live_bookings(session, exam_session_id)
    if any(booking.status is not BookingStatus.BOOKED for booking in bookings):
        raise SessionBegun
    for booking in bookings:
        booking.status, booking.cancelled_at = BookingStatus.CANCELLED, now
        session.add(booking)
    exam_session.status, exam_session.cancel_reason = SessionStatus.CANCELLED, reason.strip()[:500]
    session.add(exam_session)
    await session.flush()
    audit.record(
        session, action="exam_session.cancelled", target=("exam_session", exam_session_id), actor_id=actor_id, now=now,
        reason=exam_session.cancel_reason, bookings=len(bookings),
    )  # fmt: skip
    qualification = await session.get_one(Qualification, exam_session.qualification_code)
    for booking in bookings:
        notify(
            session, [booking.person_id], NoticeKind.SESSION_CANCELLED, now=now,
            link=f"/exams/applications/{booking.application_id}", title=qualification.name,
            starts_on=china_date(exam_session.starts_at), reason=exam_session.cancel_reason,
        )  # fmt: skip
    return exam_session


async def _own_room(session: AsyncSession, room_id: UUID, site_id: UUID) -> ExamRoom:
    # Locked, so that two sessions opened at once see each other.
    room = await session.get(ExamRoom, room_id, with_for_update=True, populate_existing=True)
    if room is None or room.site_id != site_id:
        raise NotFound
    return room


async def _check(
    session: AsyncSession, *, room: ExamRoom, qualification: Qualification, new: NewSession, now: datetime
) -> None:
    if room.is_practical is not (new.part is ExamPart.PRACTICAL):
        raise WrongRoom(field="room_id")
    if not 1 <= new.seats <= room.seats:
        raise TooManySeats(seats=room.seats, field="seats")
    if new.starts_at <= now:
        raise StartsInThePast(field="starts_at")
    if new.part is ExamPart.PRACTICAL and not qualification.needs_practical:
        raise NoPractical(name=qualification.name, field="part")
    if new.part is ExamPart.THEORY and not await can_make_paper(session, qualification):
        raise NoPaperPossible(name=qualification.name)
    if new.mode is SessionMode.BATCH and not (
        new.plan_id is not None
        and await find_plan_for(session, plan_id=new.plan_id, day=china_date(new.starts_at)) is not None
    ):
        raise PlanNotPublished


async def _find_same(session: AsyncSession, new: NewSession) -> ExamSession | None:
    statement = select(ExamSession).where(
        ExamSession.room_id == new.room_id,
        ExamSession.starts_at == new.starts_at,
        ExamSession.qualification_code == new.qualification_code,
        ExamSession.part == new.part,
        ExamSession.mode == new.mode,
        ExamSession.seats == new.seats,
        ExamSession.needs_seb == (new.needs_seb and new.part is ExamPart.THEORY),
        ExamSession.status != SessionStatus.CANCELLED,
    )
    return (await session.exec(statement)).first()


async def _find_clash(session: AsyncSession, *, room_id: UUID, from_: datetime, to: datetime) -> UUID | None:
    statement = select(ExamSession.id).where(
        ExamSession.room_id == room_id,
        ExamSession.status != SessionStatus.CANCELLED,
        ExamSession.starts_at < to,
        ExamSession.ends_at > from_,
    )
    return (await session.exec(statement)).first()


async def _lock_live_bookings(session: AsyncSession, exam_session_id: UUID) -> Sequence[Booking]:
    statement = (
        select(Booking)
        .where(Booking.exam_session_id == exam_session_id, Booking.status != BookingStatus.CANCELLED)
        .order_by(col(Booking.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await session.exec(statement)).all()

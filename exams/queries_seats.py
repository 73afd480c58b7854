"""What pages read of sessions, seats and tickets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlmodel import col, func, select

from exams.accommodations import Accommodations
from exams.models import (
    Application,
    Booking,
    BookingStatus,
    ExamPart,
    ExamPlan,
    ExamRoom,
    ExamSession,
    Qualification,
    SessionMode,
    SessionStatus,
)
from training.calendar import china_date, start_of_day
from training.errors import NotFound
from training.models import Organisation, Person, PersonDocument
from training.rules import get_number

if TYPE_CHECKING:
    from datetime import date, datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

_LISTED = 200


@dataclass(frozen=True)
class SessionCard:
    """A session with its free seats."""

    id: UUID
    qualification_code: str
    qualification_name: str
    part: ExamPart
    mode: SessionMode
    status: SessionStatus
    starts_at: datetime
    ends_at: datetime
    seats: int
    taken: int
    site_name: str
    site_address: str
    district_code: str
    room_name: str
    plan_title: str
    cancel_reason: str
    needs_seb: bool

    @property
    def free(self) -> int:
        """Seats that can still be booked."""
        return max(self.seats - self.taken, 0)


@dataclass(frozen=True)
class Ticket:
    """An admission ticket, for its holder. Times follow the rules in force on the exam's day."""

    booking_id: UUID
    application_id: UUID
    exam_session_id: UUID
    person_id: UUID
    holder_name: str
    number_masked: str
    photo_id: UUID | None
    ticket_no: str
    token: str
    seat_no: int
    status: BookingStatus
    changes: int
    changes_allowed: int
    qualification_name: str
    class_name: str
    part: ExamPart
    exam_name: str
    starts_at: datetime
    ends_at: datetime
    entry_from: datetime
    latest_entry: datetime
    leave_from: datetime
    change_until: datetime
    site_name: str
    site_address: str
    room_name: str
    cancel_reason: str
    needs_seb: bool
    granted: Accommodations

    def can_change(self, now: datetime) -> bool:
        """Whether it may be moved to another session."""
        return self.status is BookingStatus.BOOKED and self.changes < self.changes_allowed and now <= self.change_until

    def can_cancel(self, now: datetime) -> bool:
        """Whether the seat may be given back."""
        return self.status is BookingStatus.BOOKED and now < self.starts_at


async def list_bookable(
    session: AsyncSession, *, code: str, part: ExamPart, now: datetime, on: date | None = None
) -> list[SessionCard]:
    """Sessions to come of one part of a qualification, full ones too, the earliest first."""
    wanted = [
        ExamSession.qualification_code == code,
        ExamSession.part == part,
        ExamSession.status == SessionStatus.PLANNED,
        ExamSession.starts_at > now,
    ]
    if on is not None:
        wanted += [
            ExamSession.starts_at >= start_of_day(on),
            ExamSession.starts_at < start_of_day(on + timedelta(days=1)),
        ]
    return await _cards(session, wanted)


async def list_site_sessions(session: AsyncSession, *, site_id: UUID, since: datetime) -> list[SessionCard]:
    """A site's sessions that end after `since`, the earliest first."""
    return await _cards(session, [ExamSession.site_id == site_id, ExamSession.ends_at >= since])


async def get_site_session(session: AsyncSession, *, exam_session_id: UUID, site_id: UUID) -> SessionCard:
    """A session of this site. Raises `NotFound`."""
    cards = await _cards(session, [ExamSession.id == exam_session_id, ExamSession.site_id == site_id])
    if not cards:
        raise NotFound
    return cards[0]


async def count_upcoming(session: AsyncSession, *, now: datetime) -> dict[str, int]:
    """Per qualification, how many sessions of theory are to come."""
    statement = (
        select(ExamSession.qualification_code, func.count())
        .where(
            ExamSession.status == SessionStatus.PLANNED,
            ExamSession.part == ExamPart.THEORY,
            ExamSession.starts_at > now,
        )
        .group_by(col(ExamSession.qualification_code))
    )
    return dict((await session.exec(statement)).all())


async def get_ticket(session: AsyncSession, *, booking_id: UUID, person_id: UUID) -> Ticket:
    """One's own ticket. Raises `NotFound`."""
    statement: Any = (
        select(Booking, ExamSession, ExamRoom, Organisation)
        .join(ExamSession, col(ExamSession.id) == Booking.exam_session_id)
        .join(ExamRoom, col(ExamRoom.id) == ExamSession.room_id)
        .join(Organisation, col(Organisation.id) == ExamSession.site_id)
        .where(Booking.id == booking_id, Booking.person_id == person_id)
    )
    row = (await session.exec(statement)).one_or_none()
    if row is None:
        raise NotFound
    booking, exam_session, room, site = row
    application = await session.get_one(Application, booking.application_id)
    qualification = await session.get_one(Qualification, application.qualification_code)
    person = await session.get_one(Person, person_id)
    masked = (
        await session.exec(
            select(PersonDocument.number_masked).where(
                PersonDocument.person_id == person_id, col(PersonDocument.is_primary)
            )
        )
    ).first()
    plan = await session.get(ExamPlan, exam_session.plan_id) if exam_session.plan_id else None
    times = await _times(session, exam_session)
    return Ticket(
        booking_id=booking.id,
        application_id=application.id,
        exam_session_id=exam_session.id,
        person_id=person_id,
        holder_name=person.name,
        number_masked=masked or "",
        photo_id=application.photo_id,
        ticket_no=booking.ticket_no,
        token=booking.ticket_token,
        seat_no=booking.seat_no,
        status=booking.status,
        changes=booking.changes,
        changes_allowed=await get_number(session, "exam.change_max", on=china_date(exam_session.starts_at)),
        qualification_name=qualification.name,
        class_name=qualification.class_name,
        part=booking.part,
        exam_name=plan.title if plan else "",
        starts_at=exam_session.starts_at,
        ends_at=exam_session.ends_at,
        site_name=site.name,
        site_address=site.address,
        room_name=room.name,
        cancel_reason=exam_session.cancel_reason,
        needs_seb=exam_session.needs_seb,
        granted=Accommodations.read(application.accommodations),
        **times,
    )


async def _times(session: AsyncSession, exam_session: ExamSession) -> dict[str, datetime]:
    day, start = china_date(exam_session.starts_at), exam_session.starts_at

    async def rule(code: str) -> int:
        return await get_number(session, code, on=day)

    return {
        "entry_from": start - timedelta(minutes=await rule("exam.enter_before_min")),
        "latest_entry": start + timedelta(minutes=await rule("exam.late_min")),
        "leave_from": start + timedelta(minutes=await rule("exam.leave_min")),
        "change_until": start - timedelta(hours=await rule("exam.change_hours")),
    }


async def _cards(session: AsyncSession, wanted: list[Any]) -> list[SessionCard]:
    taken = (
        select(func.count())
        .where(Booking.exam_session_id == ExamSession.id, Booking.status != BookingStatus.CANCELLED)
        .correlate(ExamSession)
        .scalar_subquery()
    )
    statement: Any = (
        select(ExamSession, ExamRoom, Organisation, Qualification.name)
        .add_columns(col(ExamPlan.title), taken)
        .join(ExamRoom, col(ExamRoom.id) == ExamSession.room_id)
        .join(Organisation, col(Organisation.id) == ExamSession.site_id)
        .join(Qualification, col(Qualification.code) == ExamSession.qualification_code)
        .outerjoin(ExamPlan, col(ExamPlan.id) == ExamSession.plan_id)
        .where(*wanted)
        .order_by(col(ExamSession.starts_at), col(ExamSession.id))
        .limit(_LISTED)
    )
    return [
        SessionCard(
            id=held.id,
            qualification_code=held.qualification_code,
            qualification_name=name,
            part=held.part,
            mode=held.mode,
            status=held.status,
            starts_at=held.starts_at,
            ends_at=held.ends_at,
            seats=held.seats,
            taken=count,
            site_name=site.name,
            site_address=site.address,
            district_code=site.district_code,
            room_name=room.name,
            plan_title=plan_title or "",
            cancel_reason=held.cancel_reason,
            needs_seb=held.needs_seb,
        )
        for held, room, site, name, plan_title, count in (await session.exec(statement)).all()
    ]

"""Seats: booked once, never oversold, changed once, given back.

Locks are taken in the order person, application, session, booking. The session's row lock makes
bookings of one session wait for each other; two partial unique indexes prove the result.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, func, select

from exams.applications import get_own_application
from exams.attempts import awaits_result, count_attempts
from exams.errors import (
    AlreadyBooked,
    BookingOver,
    ChangedAlready,
    NoAttemptLeft,
    NotAccepted,
    PartExpired,
    PartPassed,
    ResultAwaited,
    SessionClosed,
    SessionFull,
    TheoryFirst,
    TimesOverlap,
    TooLateToCancel,
    TooLateToChange,
)
from exams.models import (
    Application,
    ApplicationStatus,
    Booking,
    BookingStatus,
    ExamPart,
    ExamSession,
    SessionStatus,
    TicketCounter,
)
from exams.tickets import ticket_number
from training import audit
from training.calendar import add_months, china_date
from training.errors import NotFound
from training.models import Organisation, OrganisationKind, Person
from training.rules import get_number, get_rule

if TYPE_CHECKING:
    from datetime import date, datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

_LIVE = (BookingStatus.BOOKED, BookingStatus.CHECKED_IN)


async def book_seat(
    session: AsyncSession, *, exam_session_id: UUID, application_id: UUID, person_id: UUID, now: datetime
) -> Booking:
    """Take the lowest free seat; asked again for the same session it gives that booking.

    Raises `NotAccepted`, `PartPassed`, `TheoryFirst`, `PartExpired`, `ResultAwaited`,
    `NoAttemptLeft`, `AlreadyBooked`, `TimesOverlap`, `SessionClosed`, `SessionFull`.
    """
    application = await _lock_application(session, application_id=application_id, person_id=person_id)
    exam_session = await _lock_session(session, exam_session_id, code=application.qualification_code)
    live = await _find_live(session, application_id=application_id, part=exam_session.part)
    if live is not None:
        if live.exam_session_id == exam_session_id:
            return live
        raise AlreadyBooked
    await check_may_sit(session, application=application, part=exam_session.part, now=now)
    await _check_free_time(session, person_id=person_id, exam_session=exam_session, but=None)
    seat_no = await _take_seat(session, exam_session, now=now)
    booking = Booking(
        exam_session_id=exam_session_id,
        application_id=application_id,
        person_id=person_id,
        part=exam_session.part,
        seat_no=seat_no,
        ticket_no=await next_ticket_no(session, exam_session),
        ticket_token=secrets.token_urlsafe(16),
        booked_at=now,
    )
    session.add(booking)
    await session.flush()
    _record(session, booking, "booking.made", person_id, now)
    return booking


async def change_booking(
    session: AsyncSession, *, booking_id: UUID, exam_session_id: UUID, person_id: UUID, now: datetime
) -> Booking:
    """Move a booking to another session, with a new ticket. Asked again for the same it stays.

    Raises `BookingOver`, `ChangedAlready`, `TooLateToChange` and what `book_seat` raises of seats.
    """
    own = await get_own_booking(session, booking_id=booking_id, person_id=person_id)
    application = await _lock_application(session, application_id=own.application_id, person_id=person_id)
    if own.exam_session_id == exam_session_id and own.status is BookingStatus.BOOKED:
        return own
    exam_session = await _lock_session(session, exam_session_id, code=application.qualification_code)
    booking = await lock_booking(session, booking_id, person_id=person_id)
    left = await _get_session(session, booking.exam_session_id)
    await _check_change(session, booking, left, now=now)
    if exam_session.part is not booking.part:
        raise SessionClosed
    await _check_free_time(session, person_id=person_id, exam_session=exam_session, but=booking_id)
    seat_no = await _take_seat(session, exam_session, now=now)
    was = {"exam_session_id": str(booking.exam_session_id), "seat_no": booking.seat_no, "ticket_no": booking.ticket_no}
    booking.exam_session_id, booking.seat_no = exam_session_id, seat_no
    booking.ticket_no = await next_ticket_no(session, exam_session)
    booking.ticket_token = secrets.token_urlsafe(16)
    booking.changes += 1
    session.add(booking)
    await session.flush()
    _record(session, booking, "booking.changed", person_id, now, was=was)
    return booking


async def cancel_booking(session: AsyncSession, *, booking_id: UUID, person_id: UUID, now: datetime) -> Booking:
    """Give the seat back before the exam begins. Asked again it stays cancelled. Raises `TooLateToCancel`."""
    booking = await lock_booking(session, booking_id, person_id=person_id)
    if booking.status is BookingStatus.CANCELLED:
        return booking
    exam_session = await _get_session(session, booking.exam_session_id)
    if booking.status is not BookingStatus.BOOKED or exam_session.starts_at <= now:
        raise TooLateToCancel
    booking.status, booking.cancelled_at = BookingStatus.CANCELLED, now
    session.add(booking)
    await session.flush()
    _record(session, booking, "booking.cancelled", person_id, now)
    return booking


async def lock_booking(session: AsyncSession, booking_id: UUID, *, person_id: UUID) -> Booking:
    """The booking as this person's own, locked and read afresh. Raises `NotFound`."""
    statement = (
        select(Booking)
        .where(Booking.id == booking_id, Booking.person_id == person_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    booking = (await session.exec(statement)).one_or_none()
    if booking is None:
        raise NotFound
    return booking


async def get_own_booking(session: AsyncSession, *, booking_id: UUID, person_id: UUID) -> Booking:
    """The booking as this person's own, without a lock. Raises `NotFound`."""
    statement = select(Booking).where(Booking.id == booking_id, Booking.person_id == person_id)
    booking = (await session.exec(statement)).one_or_none()
    if booking is None:
        raise NotFound
    return booking


async def get_booking_for_token(session: AsyncSession, token: str) -> Booking:
    """The booking behind a ticket's QR; a cancelled one too, so that the desk can say so. Raises `NotFound`."""
    booking = (await session.exec(select(Booking).where(Booking.ticket_token == token))).one_or_none()
    if booking is None:
        raise NotFound
    return booking


async def check_may_sit(session: AsyncSession, *, application: Application, part: ExamPart, now: datetime) -> None:
    """Whether this application may sit this part now. Raises the reason why not."""
    today = china_date(now)
    if application.status is not ApplicationStatus.ACCEPTED:
        raise NotAccepted
    if part is ExamPart.THEORY and application.theory_passed_on is not None:
        raise PartPassed
    if part is ExamPart.PRACTICAL:
        if application.practical_passed_on is not None:
            raise PartPassed
        await _check_theory(session, application, on=today)
    if await awaits_result(session, application.id, part):
        raise ResultAwaited
    resits = await get_number(session, "so.resit.max", on=today)
    if await count_attempts(session, application=application, part=part) > resits:
        raise NoAttemptLeft(resits=resits)


async def next_ticket_no(session: AsyncSession, exam_session: ExamSession) -> str:
    """The next ticket number of the session's site in the month of the exam."""
    day = china_date(exam_session.starts_at)
    month = f"{day:%Y%m}"
    statement = (
        insert(TicketCounter)
        .values(site_id=exam_session.site_id, month=month, last=1)
        .on_conflict_do_update(index_elements=["site_id", "month"], set_={"last": col(TicketCounter.last) + 1})
        .returning(col(TicketCounter.last))
    )
    connection = await session.connection()
    last = (await connection.execute(statement)).scalar_one()
    return ticket_number(day, f"{await _site_number(session, exam_session.site_id):03d}", last)


async def _site_number(session: AsyncSession, site_id: UUID) -> int:
    # Sites are never deleted, so the place in the order of their keys (which rise with time) stays.
    statement = select(func.count()).where(Organisation.kind == OrganisationKind.SITE, col(Organisation.id) <= site_id)
    return (await session.exec(statement)).one()


async def _lock_application(session: AsyncSession, *, application_id: UUID, person_id: UUID) -> Application:
    # The person first: two applications of one person must not book the same hour at once.
    await session.exec(select(Person.id).where(Person.id == person_id).with_for_update(key_share=True))
    return await get_own_application(session, application_id=application_id, person_id=person_id, lock=True)


async def _lock_session(session: AsyncSession, exam_session_id: UUID, *, code: str) -> ExamSession:
    exam_session = await session.get(
        ExamSession, exam_session_id, with_for_update={"key_share": True}, populate_existing=True
    )
    if exam_session is None or exam_session.qualification_code != code:
        raise NotFound
    return exam_session


async def _get_session(session: AsyncSession, exam_session_id: UUID) -> ExamSession:
    exam_session = await session.get(ExamSession, exam_session_id)
    if exam_session is None:
        raise NotFound
    return exam_session


async def _find_live(session: AsyncSession, *, application_id: UUID, part: ExamPart) -> Booking | None:
    statement = select(Booking).where(
        Booking.application_id == application_id, Booking.part == part, col(Booking.status).in_(_LIVE)
    )
    return (await session.exec(statement)).one_or_none()


async def _take_seat(session: AsyncSession, exam_session: ExamSession, *, now: datetime) -> int:
    if exam_session.status is not SessionStatus.PLANNED or exam_session.starts_at <= now:
        raise SessionClosed
    statement = select(Booking.seat_no).where(
        Booking.exam_session_id == exam_session.id, Booking.status != BookingStatus.CANCELLED
    )
    taken = set((await session.exec(statement)).all())
    free = next((seat for seat in range(1, exam_session.seats + 1) if seat not in taken), None)
    if free is None:
        raise SessionFull
    return free


async def _check_theory(session: AsyncSession, application: Application, *, on: date) -> None:
    if not await get_rule(session, "so.theory_before_practical", on=on):
        return
    if application.theory_passed_on is None:
        raise TheoryFirst
    months = await get_number(session, "so.part.valid_months", on=on)
    if add_months(application.theory_passed_on, months) < on:
        raise PartExpired(months=months)


async def _check_free_time(
    session: AsyncSession, *, person_id: UUID, exam_session: ExamSession, but: UUID | None
) -> None:
    statement = (
        select(Booking.id)
        .join(ExamSession, col(ExamSession.id) == Booking.exam_session_id)
        .where(
            Booking.person_id == person_id,
            col(Booking.status).in_(_LIVE),
            ExamSession.starts_at < exam_session.ends_at,
            ExamSession.ends_at > exam_session.starts_at,
        )
    )
    if but is not None:
        statement = statement.where(Booking.id != but)
    if (await session.exec(statement)).first() is not None:
        raise TimesOverlap


async def _check_change(session: AsyncSession, booking: Booking, left: ExamSession, *, now: datetime) -> None:
    if booking.status is not BookingStatus.BOOKED:
        raise BookingOver
    today = china_date(now)
    times = await get_number(session, "exam.change_max", on=today)
    if booking.changes >= times:
        raise ChangedAlready(times=times)
    hours = await get_number(session, "exam.change_hours", on=today)
    if left.starts_at - now < timedelta(hours=hours):
        raise TooLateToChange(hours=hours)


def _record(
    session: AsyncSession,
    booking: Booking,
    action: str,
    actor_id: UUID,
    now: datetime,
    was: dict[str, object] | None = None,
) -> None:
    audit.record(
        session, action=action, target=("booking", booking.id), actor_id=actor_id, now=now, was=was,
        exam_session_id=booking.exam_session_id, seat_no=booking.seat_no,
    )  # fmt: skip

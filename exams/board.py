"""The live board of a session: who sits where, how far they are, and what the site does about it.

Facts and acts with reasons; the board never says that somebody cheated.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import distinct_on
from sqlmodel import col, func, select

from exams.accommodations import Accommodations
from exams.check_in import Entry, get_entry, get_site_session
from exams.equating import Equating
from exams.models import (
    AnswerEvent,
    Booking,
    BookingStatus,
    CheckVerdict,
    DrawnPaper,
    ExamPart,
    ExamRoom,
    ExamSession,
    IdentityCheck,
    Qualification,
    SessionStatus,
    Sitting,
    SittingEvent,
    SittingStatus,
)
from exams.sitting_states import UNDER_WAY
from exams.timing import seconds_left
from training import audit
from training.calendar import CHINA, start_of_day
from training.errors import N_, BadInput, Conflict, NotFound
from training.models import AuditEntry, Person

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel.ext.asyncio.session import AsyncSession

INCIDENT = "INCIDENT"
_INCIDENT_ACTION = "booking.incident_noted"
_NOTE_LENGTH = 500
# An answer, a look at the clock or a reload comes more often than this from a page that is alive.
_QUIET_AFTER = timedelta(minutes=5)


class StillSitting(Conflict):
    """Somebody is answering."""

    message = N_("还有 {count} 名考生正在答题，不能结束本场。请等全部交卷，或到时系统自动交卷。")


class StillPaused(Conflict):
    """Somebody's clock stands still."""

    message = N_("还有 {count} 名考生的考试处于暂停，不能结束本场。请先让其继续考试，或写明原因终止考试。")


class StillAssessing(Conflict):
    """Somebody is checked in for a practical test without a result."""

    message = N_("还有 {count} 名已签到考生没有录入实际操作成绩，不能结束本场。")


class DoorsOpen(Conflict):
    """Candidates may still come."""

    message = N_("{time} 前考生仍可入场，不能登记缺考或结束本场。")


class NotAbsent(Conflict):
    """Checked in, done or cancelled."""

    message = N_("该考生已签到或预约已取消，不能登记缺考。")


class NoteEmpty(BadInput):
    """An incident without words."""

    message = N_("请写明发生了什么、何时、在场的工作人员。只记事实，不作结论。")


class SeatState(StrEnum):
    """One seat as the board shows it."""

    FREE = "FREE"
    BOOKED = "BOOKED"
    AT_DESK = "AT_DESK"
    CHECKED_IN = "CHECKED_IN"
    ANSWERING = "ANSWERING"
    PAUSED = "PAUSED"
    DONE = "DONE"
    ABSENT = "ABSENT"


@dataclass(frozen=True)
class Seat:
    """One seat. Of a free one only the number is known."""

    seat_no: int
    state: SeatState
    booking_id: UUID | None = None
    name: str = ""
    ticket_no: str = ""
    sitting_id: UUID | None = None
    answered: int = 0
    total: int = 0
    seen_at: datetime | None = None
    deadline: datetime | None = None
    seconds_left: int = 0
    paused_at: datetime | None = None
    ended_how: SittingStatus | None = None
    is_released: bool = False
    is_quiet: bool = False
    incidents: int = 0
    extra_percent: int = 0


@dataclass(frozen=True)
class SessionLine:
    """One session with its counts; `sitting` counts also those whose clock stands still, `paused` these alone."""

    id: UUID
    qualification_name: str
    part: ExamPart
    room_name: str
    starts_at: datetime
    ends_at: datetime
    status: SessionStatus
    seats: int
    booked: int
    waiting: int
    checked_in: int
    sitting: int
    done: int
    absent: int
    paused: int = 0


@dataclass(frozen=True)
class Board:
    """A session with every seat."""

    session: SessionLine
    entry: Entry
    seats: tuple[Seat, ...]
    now: datetime

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens here."""
        return self.session.status in (SessionStatus.FINISHED, SessionStatus.CANCELLED)


@dataclass(frozen=True)
class Happening:
    """One line of what happened at a seat: an act of the site or of the candidate, never a verdict.

    `actor_name` is empty for the candidate's own acts and for those of the system. The start tells
    how the paper was equated.
    """

    kind: str
    actor_name: str
    note: str
    minutes: int | None
    at: datetime
    equating: Equating | None = None


async def list_sessions(
    session: AsyncSession, *, site_id: UUID, now: datetime, part: ExamPart | None = None, days: int = 14
) -> list[SessionLine]:
    """A site's sessions from today on, and earlier ones that are not finished, with their counts."""
    today = start_of_day(now.astimezone(CHINA).date())
    is_live = col(ExamSession.status).in_([SessionStatus.PLANNED, SessionStatus.RUNNING])
    statement = _lines().where(
        ExamSession.site_id == site_id,
        ExamSession.status != SessionStatus.CANCELLED,
        ExamSession.starts_at < today + timedelta(days=days),
        (col(ExamSession.starts_at) >= today) | (is_live & (col(ExamSession.starts_at) >= today - timedelta(days=7))),
    )
    if part is not None:
        statement = statement.where(ExamSession.part == part)
    return [_as_of(SessionLine(*row), now) for row in (await session.exec(statement)).all()]


async def get_board(session: AsyncSession, *, exam_session_id: UUID, site_id: UUID, now: datetime) -> Board:
    """The session at this site with every seat, in order. Raises `NotFound`."""
    exam_session = await get_site_session(session, exam_session_id, site_id=site_id)
    row = (await session.exec(_lines().where(ExamSession.id == exam_session_id))).one()
    line = _as_of(SessionLine(*row), now)
    taken = {seat.seat_no: seat for seat in await _list_taken(session, exam_session_id, now=now)}
    numbers = range(1, max([exam_session.seats, *taken]) + 1)
    seats = tuple(taken.get(number, Seat(number, SeatState.FREE)) for number in numbers)
    return Board(line, await get_entry(session, exam_session), seats, now)


async def get_seat(
    session: AsyncSession, *, booking_id: UUID, exam_session_id: UUID, site_id: UUID, now: datetime
) -> Seat:
    """One candidate's seat. Raises `NotFound`."""
    await get_site_session(session, exam_session_id, site_id=site_id)
    seats = await _list_taken(session, exam_session_id, now=now, booking_id=booking_id)
    if not seats:
        raise NotFound
    return seats[0]


async def list_happenings(session: AsyncSession, *, booking_id: UUID) -> list[Happening]:
    """What is on record for a seat, the newest first. Look the seat up as the site's own before."""
    events = (
        select(SittingEvent, Person.name, Sitting.person_id)
        .join(Sitting, col(Sitting.id) == SittingEvent.sitting_id)
        .join(Person, col(Person.id) == SittingEvent.actor_id, isouter=True)
        .where(Sitting.booking_id == booking_id)
    )
    found = [
        Happening(
            event.kind,
            name if name and event.actor_id != candidate_id else "",
            event.reason,
            event.detail.get("minutes"),
            event.at,
            Equating.read(event.detail["equating"]) if "equating" in event.detail else None,
        )
        for event, name, candidate_id in (await session.exec(events)).all()
    ]
    entries = (
        select(AuditEntry, Person.name)
        .join(Person, col(Person.id) == AuditEntry.actor_id, isouter=True)
        .where(
            AuditEntry.target_type == "booking",
            AuditEntry.target_id == str(booking_id),
            col(AuditEntry.action).in_([_INCIDENT_ACTION, "booking.checked_in", "booking.missed"]),
        )
    )
    for entry, name in (await session.exec(entries)).all():
        kind = INCIDENT if entry.action == _INCIDENT_ACTION else entry.action
        if kind != INCIDENT or "note" in entry.detail:
            found.append(Happening(kind, name or "", entry.detail.get("note", ""), None, entry.at))
    return sorted(found, key=lambda happening: happening.at, reverse=True)


async def note_incident(
    session: AsyncSession,
    *,
    booking_id: UUID,
    exam_session_id: UUID,
    site_id: UUID,
    note: str,
    actor_id: UUID,
    now: datetime,
) -> None:
    """Write down what happened, as a fact: beside the sitting if there is one, else in the audit log.

    Raises `NoteEmpty`.
    """
    note = note.strip()[:_NOTE_LENGTH]
    if not note:
        raise NoteEmpty(field="note")
    seat = await get_seat(session, booking_id=booking_id, exam_session_id=exam_session_id, site_id=site_id, now=now)
    if seat.sitting_id is None:
        audit.record(
            session, action=_INCIDENT_ACTION, target=("booking", booking_id), actor_id=actor_id, now=now, note=note
        )
        await session.flush()
        return
    session.add(SittingEvent(sitting_id=seat.sitting_id, kind=INCIDENT, actor_id=actor_id, reason=note, at=now))
    audit.record(session, action=_INCIDENT_ACTION, target=("booking", booking_id), actor_id=actor_id, now=now)
    await session.flush()


async def mark_absent(
    session: AsyncSession, *, booking_id: UUID, exam_session_id: UUID, site_id: UUID, actor_id: UUID, now: datetime
) -> None:
    """Write a candidate off who did not come. Asked again it stays so. Raises `DoorsOpen`, `NotAbsent`."""
    exam_session = await get_site_session(session, exam_session_id, site_id=site_id)
    booking = await session.get(Booking, booking_id, with_for_update=True, populate_existing=True)
    if booking is None or booking.exam_session_id != exam_session_id:
        raise NotFound
    if booking.status is BookingStatus.NO_SHOW:
        return
    if booking.status is not BookingStatus.BOOKED:
        raise NotAbsent
    _check_doors(await get_entry(session, exam_session), now=now)
    _miss(session, booking, actor_id=actor_id, now=now)
    await session.flush()


async def finish_session(
    session: AsyncSession, *, exam_session_id: UUID, site_id: UUID, actor_id: UUID, now: datetime
) -> None:
    """Close a session when everybody is done; whoever did not come, or never began, is absent.

    Who was let in to a printed paper stays as they are until the authority has entered the answer
    sheet (exams/sheet_entry.py). Asked again it stays finished. Raises `DoorsOpen`, `StillSitting`,
    `StillPaused`, `StillAssessing`.
    """
    exam_session = await session.get(ExamSession, exam_session_id, with_for_update=True, populate_existing=True)
    if exam_session is None or exam_session.site_id != site_id:
        raise NotFound
    if exam_session.status in (SessionStatus.FINISHED, SessionStatus.CANCELLED):
        return
    _check_doors(await get_entry(session, exam_session), now=now)
    bookings = await _lock_unfinished(session, exam_session_id)
    if count := await _count_sittings(session, exam_session_id, SittingStatus.OPEN):
        raise StillSitting(count=count)
    if count := await _count_sittings(session, exam_session_id, SittingStatus.PAUSED):
        raise StillPaused(count=count)
    checked_in = [booking for booking in bookings if booking.status is BookingStatus.CHECKED_IN]
    if exam_session.part is ExamPart.PRACTICAL and checked_in:
        raise StillAssessing(count=len(checked_in))
    on_paper = await _list_on_paper(session, exam_session_id)
    absent = [booking for booking in bookings if booking.id not in on_paper]
    for booking in absent:
        _miss(session, booking, actor_id=actor_id, now=now)
    was, exam_session.status = exam_session.status, SessionStatus.FINISHED
    session.add(exam_session)
    await session.flush()
    audit.record(
        session, action="exam_session.finished", target=("exam_session", exam_session_id), actor_id=actor_id, now=now,
        was={"status": was.value}, absent=len(absent),
    )  # fmt: skip


async def begin_due_sessions(session: AsyncSession, *, now: datetime) -> int:
    """Let planned sessions run whose hour has come; a job's task. Gives how many."""
    statement = (
        select(ExamSession)
        .where(ExamSession.status == SessionStatus.PLANNED, ExamSession.starts_at <= now)
        .with_for_update(skip_locked=True)
    )
    due = (await session.exec(statement)).all()
    for exam_session in due:
        exam_session.status = SessionStatus.RUNNING
        session.add(exam_session)
    await session.flush()
    return len(due)


async def mark_no_shows(session: AsyncSession, *, now: datetime, limit: int = 500) -> int:
    """Write off, session by session, whoever did not come before the doors closed; a job's task.

    A candidate who stands at the desk, waiting for an officer's decision, is left until the session ends.
    """
    statement = (
        select(Booking, ExamSession)
        .join(ExamSession, col(ExamSession.id) == Booking.exam_session_id)
        .where(
            Booking.status == BookingStatus.BOOKED,
            ExamSession.starts_at <= now,
            (col(ExamSession.ends_at) <= now)
            | ~select(IdentityCheck.id).where(IdentityCheck.booking_id == Booking.id).exists(),
        )
        .order_by(col(ExamSession.starts_at))
        .limit(limit)
        .with_for_update(of=Booking, skip_locked=True)
        .execution_options(populate_existing=True)
    )
    entries: dict[UUID, Entry] = {}
    count = 0
    for booking, exam_session in (await session.exec(statement)).all():
        entry = entries.get(exam_session.id) or await get_entry(session, exam_session)
        entries[exam_session.id] = entry
        if now >= entry.closes_at:
            _miss(session, booking, actor_id=None, now=now)
            count += 1
    await session.flush()
    return count


def _as_of(line: SessionLine, now: datetime) -> SessionLine:
    # The job that lets sessions begin may be some seconds behind.
    is_due = line.status is SessionStatus.PLANNED and line.starts_at <= now
    return replace(line, status=SessionStatus.RUNNING) if is_due else line


def _lines() -> Any:  # noqa: ANN401 - sqlmodel types a select of up to four columns
    under_way = select(Sitting.id).where(Sitting.booking_id == Booking.id, col(Sitting.status).in_(UNDER_WAY))
    paused = select(Sitting.id).where(Sitting.booking_id == Booking.id, Sitting.status == SittingStatus.PAUSED)

    def count(*statuses: BookingStatus) -> Any:  # noqa: ANN401
        return func.count(col(Booking.id)).filter(col(Booking.status).in_(statuses))

    statement: Any = select(
        ExamSession.id,
        Qualification.name,
        ExamSession.part,
        ExamRoom.name,
        ExamSession.starts_at,
        ExamSession.ends_at,
        ExamSession.status,
        ExamSession.seats,
        func.count(col(Booking.id)),
        count(BookingStatus.BOOKED),
        count(BookingStatus.CHECKED_IN, BookingStatus.DONE),
        func.count(col(Booking.id)).filter(under_way.exists()),
        count(BookingStatus.DONE),
        count(BookingStatus.NO_SHOW),
        func.count(col(Booking.id)).filter(paused.exists()),
    )  # type: ignore[call-overload]
    return (
        statement.join(Qualification, col(Qualification.code) == ExamSession.qualification_code)
        .join(ExamRoom, col(ExamRoom.id) == ExamSession.room_id)
        .join(
            Booking,
            (col(Booking.exam_session_id) == ExamSession.id) & (col(Booking.status) != BookingStatus.CANCELLED),
            isouter=True,
        )
        .group_by(col(ExamSession.id), col(Qualification.name), col(ExamRoom.name))
        .order_by(col(ExamSession.starts_at), col(ExamRoom.name))
    )


async def _list_taken(
    session: AsyncSession, exam_session_id: UUID, *, now: datetime, booking_id: UUID | None = None
) -> list[Seat]:
    statement = (
        select(Booking, Person.name, Sitting)
        .join(Person, col(Person.id) == Booking.person_id)
        .join(
            Sitting,
            (col(Sitting.booking_id) == Booking.id) & (col(Sitting.status) != SittingStatus.VOID),
            isouter=True,
        )
        .where(Booking.exam_session_id == exam_session_id, Booking.status != BookingStatus.CANCELLED)
        .order_by(col(Booking.seat_no))
    )
    if booking_id is not None:
        statement = statement.where(Booking.id == booking_id)
    rows = (await session.exec(statement)).all()
    progress = await _progress(session, [sitting.id for _, _, sitting in rows if sitting is not None])
    at_desk = await _waiting_at_desk(session, exam_session_id)
    incidents = await _count_incidents(session, [booking.id for booking, _, _ in rows])
    return [
        _seat(
            booking, name, sitting,
            progress=progress.get(sitting.id) if sitting else None,
            is_at_desk=booking.id in at_desk, incidents=incidents.get(str(booking.id), 0), now=now,
        )
        for booking, name, sitting in rows
    ]  # fmt: skip


def _seat(
    booking: Booking,
    name: str,
    sitting: Sitting | None,
    *,
    progress: tuple[int, datetime] | None,
    is_at_desk: bool,
    incidents: int,
    now: datetime,
) -> Seat:
    answered, answered_at = progress or (0, None)
    seen_at = answered_at or (sitting.started_at if sitting else None)
    is_open = sitting is not None and sitting.status is SittingStatus.OPEN
    is_under_way = sitting is not None and sitting.status in UNDER_WAY
    paused_at = sitting.paused_at if sitting else None
    return Seat(
        seat_no=booking.seat_no,
        state=_state(booking, sitting.status if sitting else None, is_at_desk=is_at_desk),
        booking_id=booking.id,
        name=name,
        ticket_no=booking.ticket_no,
        sitting_id=sitting.id if sitting else None,
        answered=answered,
        total=sitting.item_count if sitting else 0,
        seen_at=seen_at,
        deadline=sitting.deadline if sitting else None,
        seconds_left=seconds_left(sitting.deadline, now=paused_at or now) if sitting and is_under_way else 0,
        paused_at=paused_at,
        ended_how=sitting.status if sitting and not is_under_way else None,
        is_released=sitting is not None and is_under_way and sitting.device_token_hash is None,
        is_quiet=is_open and seen_at is not None and now - seen_at >= _QUIET_AFTER,
        incidents=incidents,
        # Of what was granted only the time matters to the room; the rest would tell of a person's health.
        extra_percent=Accommodations.read(sitting.accommodations).extra_percent if sitting else 0,
    )


def _state(booking: Booking, sitting: SittingStatus | None, *, is_at_desk: bool) -> SeatState:
    if sitting in UNDER_WAY:
        return SeatState.PAUSED if sitting is SittingStatus.PAUSED else SeatState.ANSWERING
    if booking.status is BookingStatus.BOOKED:
        return SeatState.AT_DESK if is_at_desk else SeatState.BOOKED
    return {
        BookingStatus.CHECKED_IN: SeatState.CHECKED_IN,
        BookingStatus.NO_SHOW: SeatState.ABSENT,
        BookingStatus.DONE: SeatState.DONE,
    }[booking.status]


async def _progress(session: AsyncSession, sitting_ids: Sequence[UUID]) -> dict[UUID, tuple[int, datetime]]:
    """Positions with an answer now, and when the last act was saved."""
    if not sitting_ids:
        return {}
    last = (
        select(AnswerEvent.sitting_id, AnswerEvent.choice, AnswerEvent.saved_at)
        .where(col(AnswerEvent.sitting_id).in_(sitting_ids))
        .ext(distinct_on(col(AnswerEvent.sitting_id), col(AnswerEvent.position)))
        .order_by(col(AnswerEvent.sitting_id), col(AnswerEvent.position), col(AnswerEvent.seq).desc())
        .subquery()
    )
    statement = select(last.c.sitting_id, func.count().filter(last.c.choice != ""), func.max(last.c.saved_at)).group_by(
        last.c.sitting_id
    )
    return {sitting_id: (count, seen_at) for sitting_id, count, seen_at in (await session.exec(statement)).all()}


async def _waiting_at_desk(session: AsyncSession, exam_session_id: UUID) -> set[UUID]:
    statement = (
        select(IdentityCheck.booking_id)
        .join(Booking, col(Booking.id) == IdentityCheck.booking_id)
        .where(Booking.exam_session_id == exam_session_id, IdentityCheck.verdict != CheckVerdict.ACCEPT)
    )
    return set((await session.exec(statement)).all())


async def _count_incidents(session: AsyncSession, booking_ids: Sequence[UUID]) -> dict[str, int]:
    statement = (
        select(AuditEntry.target_id, func.count())
        .where(
            AuditEntry.target_type == "booking",
            col(AuditEntry.target_id).in_([str(booking_id) for booking_id in booking_ids]),
            AuditEntry.action == _INCIDENT_ACTION,
        )
        .group_by(col(AuditEntry.target_id))
    )
    return dict((await session.exec(statement)).all())


def _check_doors(entry: Entry, *, now: datetime) -> None:
    if now < entry.closes_at:
        raise DoorsOpen(time=f"{entry.closes_at.astimezone(CHINA):%H:%M}")


def _miss(session: AsyncSession, booking: Booking, *, actor_id: UUID | None, now: datetime) -> None:
    was, booking.status = booking.status, BookingStatus.NO_SHOW
    session.add(booking)
    audit.record(
        session, action="booking.missed", target=("booking", booking.id), actor_id=actor_id, now=now,
        was={"status": was.value},
    )  # fmt: skip


async def _lock_unfinished(session: AsyncSession, exam_session_id: UUID) -> Sequence[Booking]:
    statement = (
        select(Booking)
        .where(
            Booking.exam_session_id == exam_session_id,
            col(Booking.status).in_([BookingStatus.BOOKED, BookingStatus.CHECKED_IN]),
        )
        .order_by(col(Booking.id))
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return (await session.exec(statement)).all()


async def _list_on_paper(session: AsyncSession, exam_session_id: UUID) -> set[UUID]:
    """Bookings whose candidate was let in and sits on paper."""
    statement = (
        select(Booking.id)
        .join(DrawnPaper, col(DrawnPaper.booking_id) == Booking.id)
        .where(
            Booking.exam_session_id == exam_session_id,
            Booking.status == BookingStatus.CHECKED_IN,
            col(DrawnPaper.drawn_by).is_not(None),
        )
    )
    return set((await session.exec(statement)).all())


async def _count_sittings(session: AsyncSession, exam_session_id: UUID, status: SittingStatus) -> int:
    statement = (
        select(func.count())
        .select_from(Sitting)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .where(Booking.exam_session_id == exam_session_id, Sitting.status == status)
    )
    return (await session.exec(statement)).one()

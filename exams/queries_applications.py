"""What pages read of applications: the owner's view and the reviewer's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlmodel import col, func, select

from exams.accommodations import Accommodations
from exams.attempts import awaits_result, is_used_up
from exams.models import (
    Application,
    ApplicationKind,
    ApplicationStatus,
    Booking,
    BookingStatus,
    ExamPart,
    ExamRoom,
    ExamSession,
    Qualification,
    QualificationKind,
)
from exams.timeline import NextAct, Progress, Stage, make_timeline, next_act, part_in_turn
from training.calendar import add_working_days, china_date
from training.errors import NotFound
from training.models import Education, IdType, Organisation, Person, PersonDocument, Sex, StoredFile, TrainingRecord
from training.rules import get_number

if TYPE_CHECKING:
    from datetime import date, datetime
    from decimal import Decimal
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

PAGE_SIZE = 50


@dataclass(frozen=True)
class BookingCard:
    """A booking with where and when."""

    id: UUID
    part: ExamPart
    status: BookingStatus
    ticket_no: str
    seat_no: int
    starts_at: datetime
    ends_at: datetime
    site_name: str
    site_address: str
    room_name: str
    cancel_reason: str


@dataclass(frozen=True)
class ApplicationView:
    """One's own application: state, way and next step."""

    id: UUID
    qualification_code: str
    qualification_name: str
    qualification_name_en: str
    class_name: str
    so_code: str
    is_special: bool
    kind: ApplicationKind
    status: ApplicationStatus
    education: Education | None
    employer: str
    proof_kind: str
    proof_media_type: str
    proof_record_id: UUID | None
    has_photo: bool
    health_signed_at: datetime | None
    missing: tuple[str, ...]
    reason: str
    created_at: datetime
    submitted_at: datetime | None
    exam_by: date | None
    stages: tuple[Stage, ...]
    act: NextAct
    part: ExamPart | None
    bookings: tuple[BookingCard, ...]
    wanted: Accommodations
    granted: Accommodations

    @property
    def is_editable(self) -> bool:
        """Whether its owner may still change it."""
        return self.status in {ApplicationStatus.DRAFT, ApplicationStatus.RETURNED}

    @property
    def is_withdrawable(self) -> bool:
        """Whether it may still be taken back, as far as one can see."""
        used = any(booking.status not in {BookingStatus.BOOKED, BookingStatus.CANCELLED} for booking in self.bookings)
        undecided = {ApplicationStatus.SUBMITTED, ApplicationStatus.ACCEPTED}
        return (self.is_editable or self.status in undecided) and not used

    @property
    def live_booking(self) -> BookingCard | None:
        """The seat that is held now."""
        live = {BookingStatus.BOOKED, BookingStatus.CHECKED_IN}
        return next((booking for booking in self.bookings if booking.status in live), None)


@dataclass(frozen=True)
class RecordChoice:
    """A training record that one may give as proof."""

    id: UUID
    title: str
    class_hours: Decimal
    ended_at: datetime


@dataclass(frozen=True)
class QueueRow:
    """One line of the reviewer's list. `due_on` is the last working day for the decision."""

    id: UUID
    name: str
    number_masked: str
    qualification_name: str
    status: ApplicationStatus
    submitted_at: datetime
    due_on: date
    exam_by: date | None


@dataclass(frozen=True)
class Queue:
    """A page of the list, with the count of each state."""

    rows: tuple[QueueRow, ...]
    page: int
    pages: int
    counts: dict[ApplicationStatus, int]


@dataclass(frozen=True)
class ReviewSheet:
    """All that a reviewer decides by."""

    id: UUID
    person_id: UUID
    name: str
    sex: Sex | None
    birth_date: date | None
    id_type: IdType
    qualification: Qualification
    status: ApplicationStatus
    education: Education | None
    employer: str
    proof_kind: str
    proof_media_type: str
    proof_record: RecordChoice | None
    has_photo: bool
    health_sealed: bytes | None
    health_signed_at: datetime | None
    submitted_at: datetime | None
    due_on: date | None
    exam_by: date | None
    missing: tuple[str, ...]
    reason: str
    decided_at: datetime | None
    decided_by_name: str
    wanted: Accommodations
    granted: Accommodations


async def list_own_applications(session: AsyncSession, person_id: UUID, *, now: datetime) -> list[ApplicationView]:
    """The newest first."""
    statement = (
        select(Application, Qualification)
        .join(Qualification, col(Qualification.code) == Application.qualification_code)
        .where(Application.person_id == person_id)
        .order_by(col(Application.created_at).desc())
    )
    rows = (await session.exec(statement)).all()
    return [await _view(session, application, qualification, now=now) for application, qualification in rows]


async def get_application_view(
    session: AsyncSession, *, application_id: UUID, person_id: UUID, now: datetime
) -> ApplicationView:
    """One's own. Raises `NotFound`."""
    statement = (
        select(Application, Qualification)
        .join(Qualification, col(Qualification.code) == Application.qualification_code)
        .where(Application.id == application_id, Application.person_id == person_id)
    )
    row = (await session.exec(statement)).one_or_none()
    if row is None:
        raise NotFound
    return await _view(session, *row, now=now)


async def list_record_choices(session: AsyncSession, person_id: UUID) -> list[RecordChoice]:
    """Passed trainings with hours, the newest first; a corrected record gives way to its correction."""
    corrected = select(TrainingRecord.corrects_id).where(col(TrainingRecord.corrects_id).is_not(None))
    statement = (
        select(TrainingRecord)
        .where(
            TrainingRecord.person_id == person_id,
            col(TrainingRecord.passed),
            TrainingRecord.class_hours > 0,
            col(TrainingRecord.id).not_in(corrected),
        )
        .order_by(col(TrainingRecord.ended_at).desc())
    )
    return [_choice(record) for record in (await session.exec(statement)).all()]


async def list_queue(session: AsyncSession, *, status: ApplicationStatus, text: str, page: int, now: datetime) -> Queue:
    """Applications in one state; those that wait longest first. `text` is part of a name."""
    wanted: list[Any] = [Application.status == status, col(Application.submitted_at).is_not(None)]
    if text.strip():
        wanted.append(col(Person.name).contains(text.strip(), autoescape=True))
    joined: Any = (
        select(Application, Person.name, PersonDocument.number_masked, Qualification.name)
        .join(Person, col(Person.id) == Application.person_id)
        .join(PersonDocument, (col(PersonDocument.person_id) == Person.id) & col(PersonDocument.is_primary))
        .join(Qualification, col(Qualification.code) == Application.qualification_code)
        .where(*wanted)
    )
    total = (await session.exec(select(func.count()).select_from(joined.subquery()))).one()
    pages = max(1, -(-total // PAGE_SIZE))
    page = min(max(page, 1), pages)
    waited = col(Application.submitted_at)
    order = waited.asc() if status is ApplicationStatus.SUBMITTED else waited.desc()
    rows = (await session.exec(joined.order_by(order).offset((page - 1) * PAGE_SIZE).limit(PAGE_SIZE))).all()
    limit = await get_number(session, "so.application.review_wd", on=china_date(now))
    counted = (
        await session.exec(
            select(Application.status, func.count())
            .where(Application.status != ApplicationStatus.DRAFT)
            .group_by(col(Application.status))
        )
    ).all()
    return Queue(
        rows=tuple(
            QueueRow(
                id=application.id,
                name=name,
                number_masked=number,
                qualification_name=item,
                status=application.status,
                submitted_at=application.submitted_at,
                due_on=add_working_days(china_date(application.submitted_at), limit),
                exam_by=application.exam_by,
            )
            for application, name, number, item in rows
        ),
        page=page,
        pages=pages,
        counts={ApplicationStatus(state): count for state, count in counted},
    )


async def get_review_sheet(session: AsyncSession, *, application_id: UUID, now: datetime) -> ReviewSheet:
    """An application that was submitted at least once. Raises `NotFound`."""
    application = await session.get(Application, application_id)
    if application is None or application.submitted_at is None:
        raise NotFound
    person = await session.get_one(Person, application.person_id)
    qualification = await session.get_one(Qualification, application.qualification_code)
    document = (
        await session.exec(
            select(PersonDocument).where(PersonDocument.person_id == person.id, col(PersonDocument.is_primary))
        )
    ).one()
    decider = await session.get(Person, application.decided_by) if application.decided_by else None
    record = await session.get(TrainingRecord, application.proof_record_id) if application.proof_record_id else None
    limit = await get_number(session, "so.application.review_wd", on=china_date(now))
    return ReviewSheet(
        id=application.id,
        person_id=person.id,
        name=person.name,
        sex=person.sex,
        birth_date=person.birth_date,
        id_type=document.id_type,
        qualification=qualification,
        status=application.status,
        education=Education(application.education) if application.education else None,
        employer=application.employer,
        proof_kind=application.proof_kind,
        proof_media_type=await _media_type(session, application.proof_file_id),
        proof_record=_choice(record) if record else None,
        has_photo=application.photo_id is not None,
        health_sealed=application.health_sealed,
        health_signed_at=application.health_signed_at,
        submitted_at=application.submitted_at,
        due_on=add_working_days(china_date(application.submitted_at), limit),
        exam_by=application.exam_by,
        missing=tuple(application.missing),
        reason=application.reason,
        decided_at=application.decided_at,
        decided_by_name=decider.name if decider else "",
        wanted=Accommodations.read(application.accommodations_wanted),
        granted=Accommodations.read(application.accommodations),
    )


async def list_bookings_of(session: AsyncSession, application_id: UUID) -> tuple[BookingCard, ...]:
    """The newest first."""
    statement: Any = (
        select(Booking, ExamSession, ExamRoom, Organisation)
        .join(ExamSession, col(ExamSession.id) == Booking.exam_session_id)
        .join(ExamRoom, col(ExamRoom.id) == ExamSession.room_id)
        .join(Organisation, col(Organisation.id) == ExamSession.site_id)
        .where(Booking.application_id == application_id)
        .order_by(col(Booking.booked_at).desc(), col(Booking.id).desc())
    )
    return tuple(
        BookingCard(
            id=booking.id,
            part=booking.part,
            status=booking.status,
            ticket_no=booking.ticket_no,
            seat_no=booking.seat_no,
            starts_at=exam_session.starts_at,
            ends_at=exam_session.ends_at,
            site_name=site.name,
            site_address=site.address,
            room_name=room.name,
            cancel_reason=exam_session.cancel_reason,
        )
        for booking, exam_session, room, site in (await session.exec(statement)).all()
    )


async def count_waiting(session: AsyncSession) -> int:
    """How many applications wait for a reviewer."""
    statement = select(func.count()).where(Application.status == ApplicationStatus.SUBMITTED)
    return (await session.exec(statement)).one()


async def _view(
    session: AsyncSession, application: Application, qualification: Qualification, *, now: datetime
) -> ApplicationView:
    progress = Progress(
        status=application.status,
        needs_practical=qualification.needs_practical,
        submitted_at=application.submitted_at,
        decided_at=application.decided_at,
        theory_passed_on=application.theory_passed_on,
        practical_passed_on=application.practical_passed_on,
    )
    bookings = await list_bookings_of(session, application.id)
    part = part_in_turn(progress)
    last = next((booking.status for booking in bookings if booking.part is part), None)
    is_out = part is None or not await awaits_result(session, application.id, part)
    return ApplicationView(
        id=application.id,
        qualification_code=qualification.code,
        qualification_name=qualification.name,
        qualification_name_en=qualification.name_en,
        class_name=qualification.class_name,
        so_code=qualification.so_code,
        is_special=qualification.kind is QualificationKind.SPECIAL_OPERATION,
        kind=application.kind,
        status=application.status,
        education=Education(application.education) if application.education else None,
        employer=application.employer,
        proof_kind=application.proof_kind,
        proof_media_type=await _media_type(session, application.proof_file_id),
        proof_record_id=application.proof_record_id,
        has_photo=application.photo_id is not None,
        health_signed_at=application.health_signed_at,
        missing=tuple(application.missing),
        reason=application.reason,
        created_at=application.created_at,
        submitted_at=application.submitted_at,
        exam_by=application.exam_by,
        stages=make_timeline(progress),
        act=next_act(
            progress,
            last_booking=last,
            is_result_out=is_out,
            is_used_up=await is_used_up(session, application, now=now),
        ),
        part=part,
        bookings=bookings,
        wanted=Accommodations.read(application.accommodations_wanted),
        granted=Accommodations.read(application.accommodations),
    )


async def _media_type(session: AsyncSession, file_id: UUID | None) -> str:
    if file_id is None:
        return ""
    kept = await session.get(StoredFile, file_id)
    return kept.media_type if kept else ""


def _choice(record: TrainingRecord) -> RecordChoice:
    return RecordChoice(record.id, record.title, record.class_hours, record.ended_at)

"""Check-in at the site: the ticket, the times of entry, who the candidate is, and the seat taken.

The candidate's own consent leads to a comparison of faces; without it, and whenever the engines do not
accept, an officer decides. No engine turns anybody away.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlmodel import col, func, select

from exams.identity import consent as consents
from exams.identity.checks import (
    CheckLine,
    list_checks,
    list_photo_ids,
    read_photos,
    record_face_check,
    record_officer_check,
)
from exams.models import (
    Booking,
    BookingStatus,
    CheckMethod,
    CheckVerdict,
    ExamPart,
    ExamRoom,
    ExamSession,
    IdentityCheck,
    Qualification,
    SessionStatus,
)
from exams.timing import latest_entry
from training import audit
from training.calendar import CHINA, china_date
from training.errors import N_, AnpeiError, BadInput, Conflict, NotAllowed, NotFound
from training.models import IdType, Organisation, Person
from training.people import get_masked_document
from training.rules import get_number

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.identity.scores import MatchScores
    from training.files import FileStore
    from training.models import Consent
    from training.vault import Vault

FACE_TRIES = 3
_TOKEN_PATH = "/t/"  # noqa: S105 - where a ticket's address carries its token


class TicketUnknown(BadInput):
    """Neither a number nor a code of a ticket."""

    message = N_("没有找到这张准考证。请核对准考证号，或从下面的名单中选择考生。")


class OtherSite(Conflict):
    """The candidate stands at the wrong door."""

    message = N_("这张准考证的考试点是“{site}”，不是本考试点。请考生按准考证上的地址前往。")


class OtherSession(Conflict):
    """The right site, another room or hour."""

    message = N_("这张准考证的场次是 {when}、“{room}”，不是当前场次。请打开那个场次签到。")


class BookingGone(Conflict):
    """Cancelled or changed before the exam."""

    message = N_("这个预约已取消，准考证已失效。考生如已改签，请出示新的准考证。")


class MarkedAbsent(Conflict):
    """The seat was already written off."""

    message = N_("这个座位已登记为缺考，不能再签到。如属登记有误，请报告考核发证机关处理。")


class TooEarly(Conflict):
    """Before the doors open."""

    message = N_("本场 {time} 起入场，请考生稍候。")


class TooLate(Conflict):
    """After the last entry (exam.late_min)."""

    message = N_("本场 {time} 起停止入场，不能再签到。请向考生说明，并把情况记入考场记录。")


class SessionOver(Conflict):
    """Finished or cancelled."""

    message = N_("本场考试已结束或已取消，不能再签到。")


class OwnExam(NotAllowed):
    """Nobody checks themselves in."""

    message = N_("您是这场考试的考生，不能为自己签到。请由其他工作人员办理。")


class AskOfficer(Conflict):
    """The engines said no, or have tried often enough."""

    message = N_("不再进行人脸比对，请由工作人员核对证件原件后决定。")


class ConsentMissing(Conflict):
    """A comparison of faces without the candidate's consent."""

    message = N_("考生没有同意人脸比对，或已撤回同意。请由工作人员核对证件原件。")


@dataclass(frozen=True)
class Entry:
    """From when until when (exclusive) candidates are let in."""

    opens_at: datetime
    closes_at: datetime


class Step(StrEnum):
    """What the desk does next with a candidate."""

    CLOSED = "CLOSED"
    CONSENT = "CONSENT"
    CAMERA = "CAMERA"
    OFFICER = "OFFICER"
    DONE = "DONE"


@dataclass(frozen=True)
class CandidateCard:
    """A candidate at the desk. `hindrance` says why there is nothing to do now."""

    booking_id: UUID
    exam_session_id: UUID
    name: str
    id_type: IdType
    number_masked: str
    ticket_no: str
    seat_no: int
    room_name: str
    qualification_name: str
    part: ExamPart
    status: BookingStatus
    checked_in_at: datetime | None
    entry: Entry
    has_photo: bool
    has_consent: bool
    checks: tuple[CheckLine, ...]
    step: Step
    may_retry: bool
    hindrance: AnpeiError | None

    @property
    def machine_rejects(self) -> bool:
        """Whether the newest check is the engines' clear no."""
        return bool(self.checks) and (self.checks[0].method, self.checks[0].verdict) == (
            CheckMethod.FACE,
            CheckVerdict.REJECT,
        )

    @property
    def was_turned_away(self) -> bool:
        """Whether an officer refused entry; another officer may still find otherwise."""
        return bool(self.checks) and (self.checks[0].method, self.checks[0].verdict) == (
            CheckMethod.OFFICER,
            CheckVerdict.REJECT,
        )


async def get_entry(session: AsyncSession, exam_session: ExamSession) -> Entry:
    """The times of entry by the rules of the exam's day."""
    day = china_date(exam_session.starts_at)
    before = await get_number(session, "exam.enter_before_min", on=day)
    late = await get_number(session, "exam.late_min", on=day)
    return Entry(
        exam_session.starts_at - timedelta(minutes=before), latest_entry(exam_session.starts_at, late_minutes=late)
    )


async def get_site_session(session: AsyncSession, exam_session_id: UUID, *, site_id: UUID) -> ExamSession:
    """The session, if it is held at this site. Raises `NotFound`."""
    exam_session = await session.get(ExamSession, exam_session_id)
    if exam_session is None or exam_session.site_id != site_id:
        raise NotFound
    return exam_session


async def find_by_ticket(session: AsyncSession, *, ticket: str, exam_session_id: UUID, site_id: UUID) -> Booking:
    """The booking behind a typed number or a scanned code, if it belongs here.

    Raises `TicketUnknown`, `OtherSite`, `OtherSession`, `BookingGone`.
    """
    ticket = ticket.strip()
    token = ticket.rpartition(_TOKEN_PATH)[2] if _TOKEN_PATH in ticket else ticket
    statement = select(Booking).where((Booking.ticket_token == token) | (Booking.ticket_no == ticket.upper()))
    booking = (await session.exec(statement)).first() if ticket else None
    if booking is None:
        raise TicketUnknown(field="ticket")
    if booking.exam_session_id != exam_session_id:
        await _tell_where(session, booking, site_id=site_id)
    if booking.status is BookingStatus.CANCELLED:
        raise BookingGone
    return booking


async def get_card(
    session: AsyncSession, *, booking_id: UUID, exam_session_id: UUID, site_id: UUID, has_matcher: bool, now: datetime
) -> CandidateCard:
    """What the desk shows of one candidate. Raises `NotFound`."""
    booking, exam_session = await _get_here(session, booking_id, exam_session_id, site_id)
    statement = (
        select(Person.name, Qualification.name, ExamRoom.name)
        .select_from(Booking)
        .join(Person, col(Person.id) == Booking.person_id)
        .join(ExamSession, col(ExamSession.id) == Booking.exam_session_id)
        .join(Qualification, col(Qualification.code) == ExamSession.qualification_code)
        .join(ExamRoom, col(ExamRoom.id) == ExamSession.room_id)
        .where(Booking.id == booking_id)
    )
    name, qualification_name, room_name = (await session.exec(statement)).one()
    id_type, number_masked = await get_masked_document(session, booking.person_id)
    entry = await get_entry(session, exam_session)
    consent = await consents.find_consent(session, person_id=booking.person_id, since=entry.opens_at)
    checks = tuple(await list_checks(session, booking_id))
    hindrance = await _find_hindrance(session, booking, exam_session, entry, now=now)
    has_photo = bool(await list_photo_ids(session, booking))
    return CandidateCard(
        booking_id=booking.id,
        exam_session_id=exam_session_id,
        name=name,
        id_type=id_type,
        number_masked=number_masked,
        ticket_no=booking.ticket_no,
        seat_no=booking.seat_no,
        room_name=room_name,
        qualification_name=qualification_name,
        part=booking.part,
        status=booking.status,
        checked_in_at=booking.checked_in_at,
        entry=entry,
        has_photo=has_photo,
        has_consent=consent is not None,
        checks=checks,
        hindrance=hindrance,
        may_retry=has_matcher and has_photo and consent is not None and bool(checks) and may_compare(checks),
        step=_next_step(
            booking, checks, can_compare=has_matcher and has_photo, has_consent=consent is not None, hindrance=hindrance
        ),
    )


async def agree_to_face_check(
    session: AsyncSession, *, booking_id: UUID, exam_session_id: UUID, site_id: UUID, officer_id: UUID, now: datetime
) -> None:
    """Note the candidate's consent. Raises what hinders check-in."""
    booking, entry = await _lock_for_entry(
        session, booking_id, exam_session_id, site_id, officer_id=officer_id, now=now
    )
    if booking.status is BookingStatus.BOOKED:
        await consents.give_consent(
            session, person_id=booking.person_id, booking_id=booking_id, officer_id=officer_id,
            since=entry.opens_at, now=now,
        )  # fmt: skip


async def withdraw_agreement(
    session: AsyncSession, *, booking_id: UUID, exam_session_id: UUID, site_id: UUID, officer_id: UUID, now: datetime
) -> None:
    """Note that the candidate refuses, or no longer agrees; the officer goes on."""
    booking, exam_session = await _get_here(session, booking_id, exam_session_id, site_id)
    entry = await get_entry(session, exam_session)
    await consents.withdraw_consent(
        session, person_id=booking.person_id, officer_id=officer_id, since=entry.opens_at, now=now
    )


async def get_photos(
    session: AsyncSession, *, booking_id: UUID, exam_session_id: UUID, site_id: UUID, store: FileStore, vault: Vault
) -> list[bytes]:
    """The enrolled photos of a candidate of this site, for the desk and the engines."""
    booking, _ = await _get_here(session, booking_id, exam_session_id, site_id)
    return await read_photos(session, booking, store=store, vault=vault)


async def prepare_face_check(
    session: AsyncSession,
    *,
    booking_id: UUID,
    exam_session_id: UUID,
    site_id: UUID,
    officer_id: UUID,
    store: FileStore,
    vault: Vault,
    now: datetime,
) -> list[bytes]:
    """Make sure that a comparison is allowed, and give the photos for it.

    Call it in a transaction of its own: the engines take a second, and no lock may wait for them.
    """
    booking, entry = await _lock_for_entry(
        session, booking_id, exam_session_id, site_id, officer_id=officer_id, now=now
    )
    await _get_consent(session, booking, entry)
    if booking.status is BookingStatus.BOOKED and not may_compare(await list_checks(session, booking_id)):
        raise AskOfficer
    return await read_photos(session, booking, store=store, vault=vault)


async def check_in_by_face(
    session: AsyncSession,
    *,
    booking_id: UUID,
    exam_session_id: UUID,
    site_id: UUID,
    scores: MatchScores,
    officer_id: UUID,
    now: datetime,
) -> CheckVerdict:
    """Record what the engines found; only an ACCEPT checks in, everything else goes to the officer.

    Whoever is checked in already stays so. Raises `ConsentMissing`, `AskOfficer` and what hinders check-in.
    """
    booking, entry = await _lock_for_entry(
        session, booking_id, exam_session_id, site_id, officer_id=officer_id, now=now
    )
    if booking.status is not BookingStatus.BOOKED:
        return CheckVerdict.ACCEPT
    consent = await _get_consent(session, booking, entry)
    if not may_compare(await list_checks(session, booking_id)):
        raise AskOfficer  # an officer spoke while the engines were looking
    check = await record_face_check(session, booking, scores=scores, consent=consent, officer_id=officer_id, now=now)
    if check.verdict is CheckVerdict.ACCEPT:
        await _seat(session, booking, entry, officer_id=officer_id, now=now)
    return check.verdict


async def check_in_by_officer(
    session: AsyncSession,
    *,
    booking_id: UUID,
    exam_session_id: UUID,
    site_id: UUID,
    is_same: bool,
    reason: str,
    note: str,
    officer_id: UUID,
    now: datetime,
) -> CheckVerdict:
    """An officer compares by eye, document in hand. Whoever is checked in already stays so.

    Raises `ReasonMissing`, `NoteMissing` and what hinders check-in.
    """
    booking, entry = await _lock_for_entry(
        session, booking_id, exam_session_id, site_id, officer_id=officer_id, now=now
    )
    if booking.status is not BookingStatus.BOOKED:
        return CheckVerdict.ACCEPT
    check = await record_officer_check(
        session, booking, is_same=is_same, reason=reason, note=note, officer_id=officer_id, now=now
    )
    if check.verdict is CheckVerdict.ACCEPT:
        await _seat(session, booking, entry, officer_id=officer_id, now=now)
    return check.verdict


async def _tell_where(session: AsyncSession, booking: Booking, *, site_id: UUID) -> None:
    statement = (
        select(ExamSession, ExamRoom.name, Organisation.name)
        .join(ExamRoom, col(ExamRoom.id) == ExamSession.room_id)
        .join(Organisation, col(Organisation.id) == ExamSession.site_id)
        .where(ExamSession.id == booking.exam_session_id)
    )
    exam_session, room_name, site_name = (await session.exec(statement)).one()
    if exam_session.site_id != site_id:
        raise OtherSite(site=site_name)
    raise OtherSession(when=f"{exam_session.starts_at.astimezone(CHINA):%Y-%m-%d %H:%M}", room=room_name)


async def _get_here(
    session: AsyncSession, booking_id: UUID, exam_session_id: UUID, site_id: UUID, *, lock: bool = False
) -> tuple[Booking, ExamSession]:
    statement = select(Booking).where(Booking.id == booking_id, Booking.exam_session_id == exam_session_id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    exam_session = await get_site_session(session, exam_session_id, site_id=site_id)
    booking = (await session.exec(statement)).one_or_none()
    if booking is None:
        raise NotFound
    return booking, exam_session


async def _lock_for_entry(
    session: AsyncSession,
    booking_id: UUID,
    exam_session_id: UUID,
    site_id: UUID,
    *,
    officer_id: UUID,
    now: datetime,
) -> tuple[Booking, Entry]:
    """The booking, locked, if its candidate may be let in now or is in already."""
    booking, exam_session = await _get_here(session, booking_id, exam_session_id, site_id, lock=True)
    if booking.person_id == officer_id:
        raise OwnExam
    entry = await get_entry(session, exam_session)
    if hindrance := await _find_hindrance(session, booking, exam_session, entry, now=now):
        raise hindrance
    return booking, entry


async def _find_hindrance(
    session: AsyncSession, booking: Booking, exam_session: ExamSession, entry: Entry, *, now: datetime
) -> Conflict | None:
    if booking.status in (BookingStatus.CHECKED_IN, BookingStatus.DONE):
        return None
    if booking.status is BookingStatus.CANCELLED:
        return BookingGone()
    if exam_session.status in (SessionStatus.FINISHED, SessionStatus.CANCELLED):
        return SessionOver()
    if booking.status is BookingStatus.NO_SHOW:
        return MarkedAbsent()
    if now < entry.opens_at:
        return TooEarly(time=f"{entry.opens_at.astimezone(CHINA):%H:%M}")
    if now >= entry.closes_at and await _find_arrival(session, booking, entry) is None:
        return TooLate(time=f"{entry.closes_at.astimezone(CHINA):%H:%M}")
    return None


async def _find_arrival(session: AsyncSession, booking: Booking, entry: Entry) -> datetime | None:
    """When the candidate stood at the desk before the doors closed: a slow check costs nobody the exam."""
    statement = select(func.min(IdentityCheck.at)).where(
        IdentityCheck.booking_id == booking.id, IdentityCheck.at < entry.closes_at
    )
    checked_at = (await session.exec(statement)).one()
    consent = await consents.find_consent(session, person_id=booking.person_id, since=entry.opens_at)
    agreed_at = consent.given_at if consent is not None and consent.given_at < entry.closes_at else None
    return min((at for at in (checked_at, agreed_at) if at is not None), default=None)


async def _get_consent(session: AsyncSession, booking: Booking, entry: Entry) -> Consent:
    consent = await consents.find_consent(session, person_id=booking.person_id, since=entry.opens_at)
    if consent is None:
        raise ConsentMissing
    return consent


async def _seat(session: AsyncSession, booking: Booking, entry: Entry, *, officer_id: UUID, now: datetime) -> None:
    arrived_at = await _find_arrival(session, booking, entry) if now >= entry.closes_at else now
    booking.status, booking.checked_in_at = BookingStatus.CHECKED_IN, arrived_at or now
    session.add(booking)
    await session.flush()
    audit.record(
        session, action="booking.checked_in", target=("booking", booking.id), actor_id=officer_id, now=now,
        was={"status": BookingStatus.BOOKED.value}, seat_no=booking.seat_no,
    )  # fmt: skip


def may_compare(checks: Sequence[CheckLine]) -> bool:
    """Whether the engines may look (again): after an unclear picture, never after a no or an officer's word."""
    return len(checks) < FACE_TRIES and all(
        (check.method, check.verdict) == (CheckMethod.FACE, CheckVerdict.REFER) for check in checks
    )


def _next_step(
    booking: Booking,
    checks: tuple[CheckLine, ...],
    *,
    can_compare: bool,
    has_consent: bool,
    hindrance: Conflict | None,
) -> Step:
    if booking.status in (BookingStatus.CHECKED_IN, BookingStatus.DONE):
        return Step.DONE
    if hindrance is not None:
        return Step.CLOSED
    if checks or not can_compare:
        return Step.OFFICER
    return Step.CAMERA if has_consent else Step.CONSENT

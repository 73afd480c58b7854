"""Sittings: opening one, going on with it on the same or another device, releasing and extending it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import ColumnElement, bindparam, text
from sqlmodel import col, select

from exams.answers import device_token, device_token_hash
from exams.dealing import deal_paper
from exams.models import (
    Booking,
    BookingStatus,
    CheckVerdict,
    EnterpriseExam,
    EnterpriseExamCandidate,
    ExamPart,
    ExamSession,
    IdentityCheck,
    Qualification,
    SessionStatus,
    Sitting,
    SittingEvent,
    SittingStatus,
)
from exams.timing import deadline_for, extended, is_over, latest_entry, seconds_left
from question_bank.queries import get_blueprint
from training import audit
from training.calendar import china_date
from training.columns import JSON, new_id
from training.errors import N_, BadInput, Conflict, NotFound
from training.prepared import run
from training.rules import RULES, check_rules

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

# What a SittingEvent's `kind` may be.
STARTED, TAKEN_OVER, RELEASED, EXTENDED = "STARTED", "TAKEN_OVER", "RELEASED", "EXTENDED"
HANDED_IN, TIMED_OUT = "HANDED_IN", "TIMED_OUT"
_LONGEST_EXTENSION = 240
_TRIES = 3


class NotCheckedIn(Conflict):
    """No officer or engine has accepted the candidate's identity for this seat."""

    message = N_("您还没有签到，不能开始考试。请先到签到处核验身份。")


class NotYetOpen(Conflict):
    """Before the start of the session or of the enterprise exam."""

    message = N_("考试还没有开始。请在规定时间后再进入。")


class EntryClosed(Conflict):
    """Too late to begin."""

    message = N_("已超过允许入场或开考的时间，不能开始考试。请联系监考人员或考试组织单位。")


class SessionCancelled(Conflict):
    """The session will not be held."""

    message = N_("这个考试场次已取消。请到“我的考试”重新预约。")


class OnAnotherDevice(Conflict):
    """A certificate exam is bound to one device until the site releases it."""

    message = N_("这场考试正在另一台设备上进行。如需换机，请举手告知监考人员，由考试点放行后再进入。")


class NoAttemptsLeft(Conflict):
    """Every attempt at an enterprise exam is used."""

    message = N_("本次考试的 {attempts} 次机会已用完。如需再考，请联系本单位安全管理员。")


class NotOpen(Conflict):
    """The act needs an open sitting."""

    message = N_("这场考试已经结束，不能再进行这项操作。")


class ReasonMissing(BadInput):
    """What a site does to a sitting is written down with its reason."""

    message = N_("请写明原因，它会随考试记录一并保存。")


class BadExtension(BadInput):
    """A nonsensical number of minutes."""

    message = N_("延长时间应为 1 到 {most} 分钟。")


@dataclass(frozen=True, slots=True)
class Entry:
    """A way into a sitting. `device_token` is what this device shows with every answer."""

    sitting_id: UUID
    device_token: str
    status: SittingStatus
    started_at: datetime
    deadline: datetime
    seconds_left: int
    total: int
    is_new: bool = False
    took_over: bool = False


@dataclass(frozen=True, slots=True)
class Device:
    """Who asks: the sign-in of the browser or client, and the token that it still holds, if any."""

    sign_in_id: UUID
    key: bytes
    token: str = ""


async def start_sitting(
    session: AsyncSession, *, booking_id: UUID, person_id: UUID, device: Device, seed: int, now: datetime
) -> Entry:
    """Open the sitting of a checked-in booking, fixing its paper and its deadline.

    Asked again by the same device it gives the same sitting with the same token, so that a
    reload or a second click neither restarts the clock nor deals a new paper.
    """
    for _ in range(_TRIES):
        found = await _find_booking(session, booking_id, person_id=person_id, now=now)
        if found.sitting_id is not None:
            known: UUID = found.sitting_id
            return await resume_sitting(session, sitting_id=known, person_id=person_id, device=device, now=now)
        code = _check_booking(found, now=now)
        entry = await _open(
            session, code, person_id=person_id, device=device, seed=seed, now=now, booking_id=booking_id
        )
        # None: another click was first, or the site changed the booking after it was read. Look again.
        if entry is not None:
            return entry
    raise NotCheckedIn


async def start_enterprise_sitting(
    session: AsyncSession, *, exam_id: UUID, person_id: UUID, device: Device, seed: int, now: datetime
) -> Entry:
    """Open an attempt at an enterprise exam, or go on with the one that is open."""
    occasion = (col(Sitting.enterprise_exam_id) == exam_id) & (col(Sitting.status) == SittingStatus.OPEN)
    # The invitation is the lock: two clicks open one attempt.
    invited = await session.get(EnterpriseExamCandidate, (exam_id, person_id), with_for_update=True)
    exam = await session.get(EnterpriseExam, exam_id)
    if invited is None or exam is None:
        raise NotFound
    if known := await _find(session, occasion, person_id):
        return await resume_sitting(session, sitting_id=known, person_id=person_id, device=device, now=now)
    if now < exam.opens_at:
        raise NotYetOpen
    if now >= exam.closes_at:
        raise EntryClosed
    await _check_attempts(session, exam, person_id)
    entry = await _open(
        session, exam.blueprint_code, person_id=person_id, device=device, seed=seed, now=now, enterprise_exam_id=exam_id
    )
    if entry is None:
        raise NotFound
    return entry


async def resume_sitting(
    session: AsyncSession, *, sitting_id: UUID, person_id: UUID, device: Device, now: datetime
) -> Entry:
    """Go on with one's sitting: at once on the device that holds it.

    Another device takes over an enterprise exam, and a certificate exam once the site has
    released it; otherwise `OnAnotherDevice`. A sitting that has ended is shown as it is.
    """
    sitting = await lock_sitting(session, sitting_id, person_id=person_id)
    if sitting.status is not SittingStatus.OPEN or holds_sitting(sitting, device):
        return _entry(sitting, device, now=now)
    if sitting.device_token_hash is not None and sitting.booking_id is not None:
        raise OnAnotherDevice
    sitting.device_number += 1
    _bind(sitting, device)
    session.add(sitting)
    _note(session, sitting, TAKEN_OVER, actor_id=person_id, now=now, device=sitting.device_number)
    audit.record(session, action="sitting.taken_over", target=("sitting", sitting.id), actor_id=person_id, now=now)
    await session.flush()
    return _entry(sitting, device, now=now, took_over=True)


async def release_device(
    session: AsyncSession, *, sitting_id: UUID, site_id: UUID, actor_id: UUID, reason: str, now: datetime
) -> None:
    """Let the candidate go on at another computer: the device that holds the sitting can answer no more."""
    reason = _check_reason(reason)
    sitting = await _lock_at_site(session, sitting_id, site_id)
    if sitting.device_token_hash is None:
        return
    sitting.device_token_hash, sitting.device_sign_in_id, sitting.device_released_at = None, None, now
    session.add(sitting)
    _note(session, sitting, RELEASED, actor_id=actor_id, reason=reason, now=now)
    audit.record(
        session, action="sitting.released", target=("sitting", sitting.id), actor_id=actor_id, now=now, reason=reason
    )
    await session.flush()


async def extend_sitting(
    session: AsyncSession,
    *,
    sitting_id: UUID,
    site_id: UUID,
    actor_id: UUID,
    minutes: int,
    reason: str,
    now: datetime,
) -> datetime:
    """Give a sitting more time, by the site head, with a reason. Gives the new deadline."""
    reason = _check_reason(reason)
    if not 1 <= minutes <= _LONGEST_EXTENSION:
        raise BadExtension(most=_LONGEST_EXTENSION, field="minutes")
    sitting = await _lock_at_site(session, sitting_id, site_id)
    before, sitting.deadline = sitting.deadline, extended(sitting.deadline, now=now, minutes=minutes)
    session.add(sitting)
    _note(session, sitting, EXTENDED, actor_id=actor_id, reason=reason, now=now, minutes=minutes)
    audit.record(
        session, action="sitting.extended", target=("sitting", sitting.id), actor_id=actor_id, now=now,
        was={"deadline": before.isoformat()}, minutes=minutes, reason=reason,
    )  # fmt: skip
    await session.flush()
    return sitting.deadline


async def lock_sitting(session: AsyncSession, sitting_id: UUID, *, person_id: UUID) -> Sitting:
    """The sitting as this person's own, locked against answers and read afresh. Raises `NotFound`."""
    statement = (
        select(Sitting)
        .where(Sitting.id == sitting_id, Sitting.person_id == person_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    sitting = (await session.exec(statement)).one_or_none()
    if sitting is None:
        raise NotFound
    return sitting


async def _lock_at_site(session: AsyncSession, sitting_id: UUID, site_id: UUID) -> Sitting:
    statement = (
        select(Sitting)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .join(ExamSession, col(ExamSession.id) == Booking.exam_session_id)
        .where(Sitting.id == sitting_id, ExamSession.site_id == site_id)
        .with_for_update(of=Sitting)
        .execution_options(populate_existing=True)
    )
    sitting = (await session.exec(statement)).one_or_none()
    if sitting is None:
        raise NotFound
    if sitting.status is not SittingStatus.OPEN:
        raise NotOpen
    return sitting


async def _find(session: AsyncSession, occasion: ColumnElement[bool], person_id: UUID) -> UUID | None:
    statement = select(Sitting.id).where(occasion, Sitting.person_id == person_id, Sitting.status != SittingStatus.VOID)
    return (await session.exec(statement)).one_or_none()


_LATE = "exam.late_min"
_VERDICT = (
    select(IdentityCheck.verdict)
    .where(IdentityCheck.booking_id == Booking.id)
    .order_by(col(IdentityCheck.at).desc(), col(IdentityCheck.id).desc())
    .limit(1)
    .correlate(Booking)
    .scalar_subquery()
)
_SITTING = (
    select(Sitting.id)
    .where(Sitting.booking_id == Booking.id, Sitting.status != SittingStatus.VOID)
    .correlate(Booking)
    .scalar_subquery()
)
_BOOKING = (
    sqlalchemy.select(
        col(Booking.status), col(Booking.checked_in_at), col(ExamSession.status).label("session_status"),
        col(ExamSession.starts_at), col(ExamSession.ends_at), col(Qualification.blueprint_code),
        _VERDICT.label("verdict"), _SITTING.label("sitting_id"), RULES.label("rules"),
    )
    .join(ExamSession, col(ExamSession.id) == Booking.exam_session_id)
    .join(Qualification, col(Qualification.code) == ExamSession.qualification_code)
    .where(
        col(Booking.id) == bindparam("booking_id"),
        col(Booking.person_id) == bindparam("person_id"),
        col(Booking.part) == ExamPart.THEORY,
    )
)  # fmt: skip


async def _find_booking(session: AsyncSession, booking_id: UUID, *, person_id: UUID, now: datetime) -> Any:  # noqa: ANN401 - a row
    """Everything that decides whether a booking may be sat, and its sitting if there is one. Raises `NotFound`."""
    rows = await run(session, _BOOKING, booking_id=booking_id, person_id=person_id, codes=[_LATE], day=china_date(now))
    found = rows.one_or_none()
    if found is None:
        raise NotFound
    return found


def _check_booking(found: Any, *, now: datetime) -> str:  # noqa: ANN401 - a row
    """See that the booking may be sat now. Gives the blueprint's code."""
    if found.session_status is SessionStatus.CANCELLED or found.status is BookingStatus.CANCELLED:
        raise SessionCancelled
    if found.status is not BookingStatus.CHECKED_IN or found.verdict is not CheckVerdict.ACCEPT:
        raise NotCheckedIn
    if now < found.starts_at:
        raise NotYetOpen
    late = int(check_rules(found.rules, (_LATE,))[_LATE])
    entered = found.checked_in_at or now
    if entered >= latest_entry(found.starts_at, late_minutes=late) or now >= found.ends_at:
        raise EntryClosed
    return str(found.blueprint_code)


async def _check_attempts(session: AsyncSession, exam: EnterpriseExam, person_id: UUID) -> None:
    statement = select(Sitting.id).where(
        Sitting.enterprise_exam_id == exam.id, Sitting.person_id == person_id, Sitting.status != SittingStatus.VOID
    )
    if len((await session.exec(statement)).all()) >= exam.attempts_allowed:
        raise NoAttemptsLeft(attempts=exam.attempts_allowed)


async def _open(
    session: AsyncSession,
    code: str,
    *,
    person_id: UUID,
    device: Device,
    seed: int,
    now: datetime,
    booking_id: UUID | None = None,
    enterprise_exam_id: UUID | None = None,
) -> Entry | None:
    """Deal and write a sitting, with its first event; None if the occasion does not admit one any more."""
    blueprint = await get_blueprint(session, code)
    dealt = await deal_paper(session, blueprint=blueprint, seed=seed, booking_id=booking_id, now=now)
    sitting_id, total = new_id(), len(dealt.paper.items)
    token, deadline = device_token(device.key, sitting_id, 1), deadline_for(now, minutes=blueprint.minutes)
    opened = await run(
        session,
        _OPEN_BOOKING if booking_id else _OPEN_EXAM,
        id=sitting_id,
        booking_id=booking_id,
        enterprise_exam_id=enterprise_exam_id,
        person_id=person_id,
        blueprint_id=blueprint.id,
        seed=seed,
        algorithm=dealt.paper.algorithm,
        bank_digest=bytes.fromhex(dealt.bank_digest),
        paper=dealt.paper.stored(),
        item_count=total,
        deadline=deadline,
        device_sign_in_id=device.sign_in_id,
        device_token_hash=device_token_hash(token),
        event_id=new_id(),
        detail=dealt.detail,
        now=now,
    )
    if opened.one_or_none() is None:
        return None
    await audit.write(session, action="sitting.started", table="sitting", acts=[(sitting_id, person_id)], now=now)
    return Entry(
        sitting_id=sitting_id,
        device_token=token,
        status=SittingStatus.OPEN,
        started_at=now,
        deadline=deadline,
        seconds_left=seconds_left(deadline, now=now),
        total=total,
        is_new=True,
    )


# The occasion is locked and looked at again as the sitting is written, so that whoever cancels it or clicks twice
# comes either before (no row) or after. Unique indexes prove that there is one sitting.
_OPEN = """
WITH held AS ({occasion} FOR UPDATE), opened AS (
    INSERT INTO sitting (
        id, booking_id, enterprise_exam_id, person_id, blueprint_id, seed, algorithm, bank_digest, paper, item_count,
        status, started_at, deadline, device_number, device_sign_in_id, device_token_hash
    )
    SELECT
        CAST(:id AS uuid), CAST(:booking_id AS uuid), CAST(:enterprise_exam_id AS uuid), CAST(:person_id AS uuid),
        CAST(:blueprint_id AS uuid), CAST(:seed AS bigint), CAST(:algorithm AS text), CAST(:bank_digest AS bytea),
        :paper, CAST(:item_count AS integer), 'OPEN', CAST(:now AS timestamptz), CAST(:deadline AS timestamptz), 1,
        CAST(:device_sign_in_id AS uuid), CAST(:device_token_hash AS bytea)
    FROM held
    ON CONFLICT DO NOTHING
    RETURNING id
)
INSERT INTO sitting_event (id, sitting_id, kind, actor_id, reason, detail, at)
SELECT CAST(:event_id AS uuid), id, '{kind}', CAST(:person_id AS uuid), '', :detail, CAST(:now AS timestamptz)
FROM opened RETURNING sitting_id
"""
_JSON_VALUES = (bindparam("paper", type_=JSON), bindparam("detail", type_=JSON))
_OPEN_BOOKING = text(
    _OPEN.format(
        kind=STARTED, occasion="SELECT FROM booking WHERE id = CAST(:booking_id AS uuid) AND status = 'CHECKED_IN'"
    )
).bindparams(*_JSON_VALUES)
_OPEN_EXAM = text(
    _OPEN.format(
        kind=STARTED,
        occasion="SELECT FROM enterprise_exam_candidate WHERE exam_id = CAST(:enterprise_exam_id AS uuid) "
        "AND person_id = CAST(:person_id AS uuid)",
    )
).bindparams(*_JSON_VALUES)


def _bind(sitting: Sitting, device: Device) -> None:
    token = device_token(device.key, sitting.id, sitting.device_number)
    sitting.device_token_hash, sitting.device_sign_in_id = device_token_hash(token), device.sign_in_id
    sitting.device_released_at = None


def holds_sitting(sitting: Any, device: Device) -> bool:  # noqa: ANN401 - a Sitting or a row of its columns
    """Whether this device is the one that may answer."""
    if sitting.device_token_hash is None:
        return False
    is_same: bool = sitting.device_sign_in_id == device.sign_in_id
    return is_same or (bool(device.token) and device_token_hash(device.token) == sitting.device_token_hash)


def _entry(sitting: Sitting, device: Device, *, now: datetime, took_over: bool = False) -> Entry:
    is_open = sitting.status is SittingStatus.OPEN
    return Entry(
        sitting_id=sitting.id,
        device_token=device_token(device.key, sitting.id, sitting.device_number) if is_open else "",
        status=SittingStatus.TIMED_OUT if is_open and is_over(sitting.deadline, now=now) else sitting.status,
        started_at=sitting.started_at,
        deadline=sitting.deadline,
        seconds_left=seconds_left(sitting.deadline, now=now) if is_open else 0,
        total=sitting.item_count,
        took_over=took_over,
    )


def _check_reason(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise ReasonMissing(field="reason")
    return reason[:500]


def _note(
    session: AsyncSession,
    sitting: Sitting,
    kind: str,
    *,
    actor_id: UUID | None,
    now: datetime,
    reason: str = "",
    **detail: Any,  # noqa: ANN401 - JSON values
) -> None:
    session.add(SittingEvent(sitting_id=sitting.id, kind=kind, actor_id=actor_id, reason=reason, detail=detail, at=now))

"""Starting a sitting: whether the occasion admits it, its paper, its deadline and its first event, in one statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import ColumnElement, bindparam, text, true
from sqlalchemy.orm import aliased
from sqlmodel import col, select

from exams.accommodations import Accommodations
from exams.answers import device_token, device_token_hash
from exams.dealing import DEAL_RULES, deal_paper, latest_paper
from exams.made_ahead import is_in_force
from exams.models import (
    Application,
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
    SittingStatus,
)
from exams.sitting_states import READY, UNDER_WAY, SittingAct
from exams.sittings import Device, Entry, resume_sitting
from exams.timing import deadline_for, latest_entry, seconds_left
from question_bank.difficulty import ratings_version
from question_bank.models import Blueprint
from question_bank.queries import get_blueprint, pool_version
from training import audit
from training.calendar import china_date
from training.columns import JSON, new_id
from training.errors import N_, Conflict, NotFound
from training.prepared import run
from training.rules import RULES, check_rules

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Executable
    from sqlmodel.ext.asyncio.session import AsyncSession

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


class NoAttemptsLeft(Conflict):
    """Every attempt at an enterprise exam is used."""

    message = N_("本次考试的 {attempts} 次机会已用完。如需再考，请联系本单位安全管理员。")


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
        own = {"person_id": person_id, "device": device, "accommodations": found.accommodations, "now": now}
        if found.drawn_paper_id is not None:
            paper = {"booking_id": booking_id, "drawn_paper_id": found.drawn_paper_id, "detail": _STEP}
            entry = await _write(session, _OPEN_READY, paper=paper, minutes=found.minutes, **own)
        else:
            entry = await _open(session, code, seed=seed, booking_id=booking_id, **own)
        # None: another click was first, or the site changed the booking after it was read. Look again.
        if entry is not None:
            return entry
    raise NotCheckedIn


async def start_enterprise_sitting(
    session: AsyncSession, *, exam_id: UUID, person_id: UUID, device: Device, seed: int, now: datetime
) -> Entry:
    """Open an attempt at an enterprise exam, or go on with the one that is open."""
    occasion = (col(Sitting.enterprise_exam_id) == exam_id) & col(Sitting.status).in_(UNDER_WAY)
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
        session, exam.blueprint_code, person_id=person_id, device=device, seed=seed, now=now,
        enterprise_exam_id=exam_id, accommodations=invited.accommodations,
    )  # fmt: skip
    if entry is None:
        raise NotFound
    return entry


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
_blueprint, _drawn_by = aliased(Blueprint), aliased(Blueprint)
_paper, _rules = latest_paper(Booking.id), RULES
_IN_FORCE = is_in_force(
    _paper,
    blueprint_id=_blueprint.id,
    pool=pool_version(Qualification.blueprint_code),
    ratings=ratings_version(Qualification.blueprint_code),
    rules=_rules,
)
_BOOKING = (
    sqlalchemy.select(
        col(Booking.status), col(Booking.checked_in_at), col(ExamSession.status).label("session_status"),
        col(ExamSession.starts_at), col(ExamSession.ends_at), col(Qualification.blueprint_code),
        col(Application.accommodations), _VERDICT.label("verdict"), _SITTING.label("sitting_id"),
        _rules.label("rules"), sqlalchemy.case((_IN_FORCE, _paper.c.id)).label("drawn_paper_id"),
        col(_drawn_by.minutes),
    )
    .join(Application, col(Application.id) == Booking.application_id)
    .join(ExamSession, col(ExamSession.id) == Booking.exam_session_id)
    .join(Qualification, col(Qualification.code) == ExamSession.qualification_code)
    .outerjoin(_blueprint, (col(_blueprint.code) == Qualification.blueprint_code) & col(_blueprint.is_current))
    .outerjoin(_paper, true())
    .outerjoin(_drawn_by, _drawn_by.id == _paper.c.blueprint_id)
    .where(
        col(Booking.id) == bindparam("booking_id"),
        col(Booking.person_id) == bindparam("person_id"),
        col(Booking.part) == ExamPart.THEORY,
    )
)  # fmt: skip


async def _find_booking(session: AsyncSession, booking_id: UUID, *, person_id: UUID, now: datetime) -> Any:  # noqa: ANN401 - a row
    """Everything that decides whether a booking may be sat, and its sitting if there is one. Raises `NotFound`."""
    rows = await run(
        session, _BOOKING, booking_id=booking_id, person_id=person_id, codes=[_LATE, *DEAL_RULES], day=china_date(now)
    )
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
    accommodations: dict[str, Any],
    booking_id: UUID | None = None,
    enterprise_exam_id: UUID | None = None,
) -> Entry | None:
    """Deal and write a sitting, with its first event; None if the occasion does not admit one any more."""
    blueprint = await get_blueprint(session, code)
    dealt = await deal_paper(session, blueprint=blueprint, seed=seed, booking_id=booking_id, now=now)
    paper = {
        "blueprint_id": blueprint.id,
        "seed": seed,
        "algorithm": dealt.paper.algorithm,
        "bank_digest": bytes.fromhex(dealt.bank_digest),
        "paper": dealt.paper.stored(),
        "item_count": len(dealt.paper.items),
        "detail": {**dealt.detail, **_STEP},
    }
    statement = _OPEN_BOOKING if booking_id else _OPEN_EXAM
    occasion = {"booking_id": booking_id} if booking_id else {"enterprise_exam_id": enterprise_exam_id}
    return await _write(
        session, statement, paper=paper | occasion, person_id=person_id, device=device, minutes=blueprint.minutes,
        accommodations=accommodations, now=now,
    )  # fmt: skip


async def _write(
    session: AsyncSession,
    statement: Executable,
    *,
    paper: dict[str, Any],
    person_id: UUID,
    device: Device,
    minutes: int,
    accommodations: dict[str, Any],
    now: datetime,
) -> Entry | None:
    sitting_id = new_id()
    token, extra_percent = device_token(device.key, sitting_id, 1), Accommodations.read(accommodations).extra_percent
    deadline = deadline_for(now, minutes=minutes, extra_percent=extra_percent)
    opened = await run(
        session,
        statement,
        id=sitting_id,
        person_id=person_id,
        deadline=deadline,
        device_sign_in_id=device.sign_in_id,
        device_token_hash=device_token_hash(token),
        event_id=new_id(),
        accommodations=accommodations,
        now=now,
        **audit.insert_values(),
        **paper,
    )
    total = opened.scalar_one_or_none()
    if total is None:
        return None
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
# comes either before (no row) or after. Unique indexes prove that there is one sitting. A paper that lies ready
# is copied where it lies.
_STEP = {"from": READY, "to": SittingStatus.OPEN.value}
_OPEN = """
WITH held AS ({occasion} FOR UPDATE), opened AS (
    INSERT INTO sitting (
        id, {column}, person_id, blueprint_id, seed, algorithm, bank_digest, paper, item_count,
        status, started_at, deadline, device_number, device_sign_in_id, device_token_hash, accommodations
    )
    SELECT
        CAST(:id AS uuid), CAST(:{column} AS uuid), CAST(:person_id AS uuid), {paper},
        'OPEN', CAST(:now AS timestamptz), CAST(:deadline AS timestamptz), 1,
        CAST(:device_sign_in_id AS uuid), CAST(:device_token_hash AS bytea), :accommodations
    FROM {source}
    ON CONFLICT DO NOTHING
    RETURNING id, item_count
), noted AS (
    INSERT INTO sitting_event (id, sitting_id, kind, actor_id, reason, detail, at)
    SELECT CAST(:event_id AS uuid), id, '{kind}', CAST(:person_id AS uuid), '', {detail}, CAST(:now AS timestamptz)
    FROM opened
), audited AS ({audit})
SELECT item_count FROM opened
"""
_AUDIT = audit.insert_from(
    "opened", action="'sitting.started'", table="sitting", key="id", actor="CAST(:person_id AS uuid)",
    now="CAST(:now AS timestamptz)",
)  # fmt: skip
_DEALT = {
    "paper": "CAST(:blueprint_id AS uuid), CAST(:seed AS bigint), CAST(:algorithm AS text), "
    "CAST(:bank_digest AS bytea), :paper, CAST(:item_count AS integer)",
    "source": "held",
    "detail": ":detail",
}
_READY = {
    "paper": "ready.blueprint_id, ready.seed, ready.algorithm, ready.bank_digest, ready.paper, "
    "jsonb_array_length(ready.paper)",
    "source": "held, drawn_paper AS ready WHERE ready.id = CAST(:drawn_paper_id AS uuid)",
    "detail": "(SELECT detail - 'made_of' || jsonb_build_object('drawn_paper', id) FROM drawn_paper "
    "WHERE id = CAST(:drawn_paper_id AS uuid)) || :detail",
}
_OF_BOOKING = {
    "column": "booking_id",
    "occasion": "SELECT FROM booking WHERE id = CAST(:booking_id AS uuid) AND status = 'CHECKED_IN'",
}
_OF_EXAM = {
    "column": "enterprise_exam_id",
    "occasion": "SELECT FROM enterprise_exam_candidate WHERE exam_id = CAST(:enterprise_exam_id AS uuid) "
    "AND person_id = CAST(:person_id AS uuid)",
}


def _open_statement(occasion: dict[str, str], paper: dict[str, str]) -> Executable:
    written = text(_OPEN.format(kind=SittingAct.STARTED, audit=_AUDIT, **occasion, **paper))
    json = ("paper", "detail", "accommodations") if paper is _DEALT else ("detail", "accommodations")
    return written.bindparams(*(bindparam(name, type_=JSON) for name in json))


_OPEN_BOOKING = _open_statement(_OF_BOOKING, _DEALT)
_OPEN_READY = _open_statement(_OF_BOOKING, _READY)
_OPEN_EXAM = _open_statement(_OF_EXAM, _DEALT)

"""Practical tests (139号): one task of each subject, marked by one assessor, confirmed by another, then released."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy.orm import aliased
from sqlmodel import col, select

from exams.attempts import count_attempts
from exams.board import SessionLine, list_sessions
from exams.check_in import get_site_session
from exams.errors import ReasonNeeded
from exams.models import (
    Application,
    ApplicationStatus,
    Booking,
    BookingStatus,
    ExamPart,
    ExamSession,
    PracticalResult,
    Qualification,
    ScoreState,
)
from training import audit
from training.calendar import china_date
from training.errors import N_, BadInput, Conflict, NotAllowed, NotFound
from training.models import AuditEntry, Organisation, Person
from training.notices import NoticeKind, notify
from training.rules import RuleMissing, get_number, get_rule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from sqlmodel.ext.asyncio.session import AsyncSession

_HUNDRED = Decimal(100)
_POINT = Decimal("0.01")
_VETO_LENGTH = 200


class NoPlan(Conflict):
    """The rule table has no practical plan for the item."""

    message = N_("“{name}”还没有配置实际操作考试的科目和权重。请联系考核发证机关在规则表中添加。")


class BadPoints(BadInput):
    """A task score outside 0–100."""

    message = N_("“{task}”的得分应为 0 到 100 之间的数字，最多两位小数。")


class NotPresent(Conflict):
    """Only a candidate whose identity was checked is marked."""

    message = N_("该考生没有签到或已缺考，不能录入成绩。")


class AlreadySigned(Conflict):
    """Two assessors have signed; the result stands."""

    message = N_("两名考评员已签名，成绩不能再修改。如有错误，请报告考核发证机关。")


class OneAssessor(Conflict):
    """The second signature is another person's."""

    message = N_("成绩由您录入，须由另一名考评员复核签名。")


class OwnTest(NotAllowed):
    """Nobody marks themselves."""

    message = N_("您是这场考试的考生，不能评定自己的成绩。")


class NotSignedTwice(Conflict):
    """Released before the second assessor signed, or while disputed."""

    message = N_("还没有两名考评员一致签名，不能公布。")


@dataclass(frozen=True)
class Subject:
    """One of K1–K4 with its weight in percent and the tasks to draw from."""

    code: str
    name: str
    weight: int
    tasks: Mapping[str, str]


@dataclass(frozen=True)
class DrawnTask:
    """What a candidate does for one subject."""

    subject: str
    subject_name: str
    weight: int
    task: str
    task_name: str


@dataclass(frozen=True)
class TaskMark:
    """What an assessor gave: points of 100, and the veto item if one occurred."""

    points: Decimal
    veto: str = ""


@dataclass(frozen=True)
class PracticalLine:
    """One candidate of a practical session on the assessors' list."""

    booking_id: UUID
    seat_no: int
    name: str
    ticket_no: str
    status: BookingStatus
    state: ScoreState | None
    score: Decimal | None
    passed: bool | None
    is_signed_twice: bool
    first_assessor_id: UUID | None


@dataclass(frozen=True)
class SignedResult:
    """A result as the sheet shows it. `dispute` is the second assessor's reason while the result is disputed."""

    score: Decimal
    vetoed: bool
    passed: bool
    state: ScoreState
    first_assessor_id: UUID
    first_assessor: str
    first_signed_at: datetime
    second_assessor: str
    second_signed_at: datetime | None
    dispute: str


@dataclass(frozen=True)
class PracticalSheet:
    """The score sheet of one candidate. `result` is None until the first assessor has signed."""

    booking_id: UUID
    exam_session_id: UUID
    name: str
    ticket_no: str
    seat_no: int
    status: BookingStatus
    qualification_name: str
    starts_at: datetime
    pass_score: int
    tasks: tuple[DrawnTask, ...]
    marks: Mapping[str, TaskMark]
    result: SignedResult | None


@dataclass(frozen=True)
class ReleaseLine:
    """A practical session whose results wait for the authority."""

    exam_session_id: UUID
    site_name: str
    qualification_name: str
    starts_at: datetime
    ready: int
    waiting: int
    released: int


def score_practical(tasks: Sequence[tuple[int, TaskMark]]) -> Decimal:
    """Σ weight × points / 100, to two decimals, exactly; weights are percents that add up to 100."""
    whole = sum((Decimal(weight) * mark.points for weight, mark in tasks), Decimal(0))
    # Both factors have at most two decimals, so only the third and fourth are rounded, never up over a limit.
    return (whole / _HUNDRED).quantize(_POINT, rounding="ROUND_DOWN")


def has_passed(score: Decimal, marks: Sequence[TaskMark], *, pass_score: int) -> bool:
    """At least the pass score and no veto (139号)."""
    return score >= pass_score and not any(mark.veto for mark in marks)


def draw_tasks(plan: Sequence[Subject], *, booking_id: UUID, key: bytes) -> tuple[DrawnTask, ...]:
    """One task of each subject: always the same for a booking, and not to be guessed without the key."""
    drawn = []
    for subject in plan:
        codes = sorted(subject.tasks)
        number = int.from_bytes(hmac.digest(key, b"practical" + booking_id.bytes + subject.code.encode(), "sha256"))
        task = codes[number % len(codes)]
        drawn.append(DrawnTask(subject.code, subject.name, subject.weight, task, subject.tasks[task]))
    return tuple(drawn)


async def get_plan(session: AsyncSession, qualification: Qualification, *, on: date) -> tuple[Subject, ...]:
    """Subjects, weights and tasks in force on a day. Raises `NoPlan`."""
    try:
        rows = await get_rule(session, f"so.practical.plan.{qualification.code}", on=on)
    except RuleMissing as error:
        raise NoPlan(name=qualification.name) from error
    return tuple(Subject(row["code"], row["name"], int(row["weight"]), row["tasks"]) for row in rows)


async def list_practical_sessions(session: AsyncSession, *, site_id: UUID, now: datetime) -> list[SessionLine]:
    """The site's practical sessions of these days."""
    return await list_sessions(session, site_id=site_id, now=now, part=ExamPart.PRACTICAL)


async def list_candidates(session: AsyncSession, *, exam_session_id: UUID, site_id: UUID) -> list[PracticalLine]:
    """Everybody with a seat in a practical session of this site, by seat."""
    exam_session = await get_site_session(session, exam_session_id, site_id=site_id)
    if exam_session.part is not ExamPart.PRACTICAL:
        raise NotFound
    statement = (
        select(Booking, Person.name, PracticalResult)
        .join(Person, col(Person.id) == Booking.person_id)
        .join(PracticalResult, col(PracticalResult.booking_id) == Booking.id, isouter=True)
        .where(Booking.exam_session_id == exam_session_id, Booking.status != BookingStatus.CANCELLED)
        .order_by(col(Booking.seat_no))
    )
    return [
        PracticalLine(
            booking_id=booking.id,
            seat_no=booking.seat_no,
            name=name,
            ticket_no=booking.ticket_no,
            status=booking.status,
            state=result.state if result else None,
            score=result.score if result else None,
            passed=result.passed if result else None,
            is_signed_twice=result is not None and result.second_signed_at is not None,
            first_assessor_id=result.first_assessor_id if result else None,
        )
        for booking, name, result in (await session.exec(statement)).all()
    ]


async def get_sheet(session: AsyncSession, *, booking_id: UUID, site_id: UUID, key: bytes) -> PracticalSheet:
    """The score sheet of a candidate of this site. Raises `NotFound`, `NoPlan`."""
    booking, exam_session, qualification = await _get_booking(session, booking_id, site_id)
    first, second = aliased(Person), aliased(Person)
    statement = (
        select(PracticalResult, first.name, second.name)
        .join(first, col(first.id) == PracticalResult.first_assessor_id)
        .join(second, col(second.id) == PracticalResult.second_assessor_id, isouter=True)
        .where(PracticalResult.booking_id == booking_id)
    )
    found = (await session.exec(statement)).one_or_none()
    result, first_name, second_name = found or (None, "", "")
    day = china_date(exam_session.starts_at)
    plan = await get_plan(session, qualification, on=day)
    marks = {row["subject"]: TaskMark(Decimal(row["points"]), row["veto"]) for row in (result.tasks if result else ())}
    return PracticalSheet(
        booking_id=booking.id,
        exam_session_id=exam_session.id,
        name=(await session.get_one(Person, booking.person_id)).name,
        ticket_no=booking.ticket_no,
        seat_no=booking.seat_no,
        status=booking.status,
        qualification_name=qualification.name,
        starts_at=exam_session.starts_at,
        pass_score=await get_number(session, "so.practical.pass", on=day),
        tasks=draw_tasks(plan, booking_id=booking_id, key=key),
        marks=marks,
        result=await _signed(session, result, first_name, second_name or "") if result else None,
    )


async def enter_result(
    session: AsyncSession,
    *,
    booking_id: UUID,
    site_id: UUID,
    marks: Mapping[str, TaskMark],
    assessor_id: UUID,
    key: bytes,
    now: datetime,
) -> PracticalResult:
    """Sign a result as the first assessor; until the second one signs it can be entered anew.

    Raises `BadPoints`, `NotPresent`, `AlreadySigned`, `NoPlan`, `OwnTest`.
    """
    booking, exam_session, qualification = await _get_booking(session, booking_id, site_id, lock=True)
    _refuse_own(booking, assessor_id)
    if booking.status not in (BookingStatus.CHECKED_IN, BookingStatus.DONE):
        raise NotPresent
    day = china_date(exam_session.starts_at)
    plan = await get_plan(session, qualification, on=day)
    tasks = draw_tasks(plan, booking_id=booking_id, key=key)
    given = [(task, _checked(task, marks.get(task.subject))) for task in tasks]
    score = score_practical([(task.weight, mark) for task, mark in given])
    result = await _find_result(session, booking_id)
    was = {"score": str(result.score), "state": result.state.value} if result else None
    if result is None:
        result = PracticalResult(
            booking_id=booking_id, application_id=booking.application_id, tasks=[], score=score, vetoed=False,
            passed=False, first_assessor_id=assessor_id, first_signed_at=now,
        )  # fmt: skip
    elif result.second_assessor_id is not None or result.state not in (ScoreState.PROVISIONAL, ScoreState.WITHHELD):
        raise AlreadySigned
    result.tasks = [_stored(task, mark) for task, mark in given]
    result.score, result.vetoed = score, any(mark.veto for _, mark in given)
    pass_score = await get_number(session, "so.practical.pass", on=day)
    result.passed = has_passed(score, [mark for _, mark in given], pass_score=pass_score)
    result.first_assessor_id, result.first_signed_at = assessor_id, now
    result.state = ScoreState.PROVISIONAL
    booking.status = BookingStatus.DONE
    session.add_all([result, booking])
    await session.flush()
    _record(session, result, "practical.entered", actor_id=assessor_id, now=now, was=was)
    return result


async def confirm_result(
    session: AsyncSession, *, booking_id: UUID, site_id: UUID, assessor_id: UUID, now: datetime
) -> PracticalResult:
    """Sign as the second assessor, another person. Asked again by the same one it stays signed.

    Raises `OneAssessor`, `AlreadySigned`, `NotSignedTwice` while the result is disputed.
    """
    booking, _, _ = await _get_booking(session, booking_id, site_id, lock=True)
    _refuse_own(booking, assessor_id)
    result = await _get_result(session, booking_id)
    if result.second_assessor_id == assessor_id:
        return result
    _check_second(result, assessor_id)
    if result.state is not ScoreState.PROVISIONAL:
        raise NotSignedTwice
    result.second_assessor_id, result.second_signed_at = assessor_id, now
    session.add(result)
    await session.flush()
    _record(session, result, "practical.confirmed", actor_id=assessor_id, now=now)
    return result


async def dispute_result(
    session: AsyncSession, *, booking_id: UUID, site_id: UUID, reason: str, assessor_id: UUID, now: datetime
) -> PracticalResult:
    """Refuse the second signature, with a reason; the first assessor enters the result anew.

    Raises `ReasonNeeded`, `OneAssessor`, `AlreadySigned`.
    """
    booking, _, _ = await _get_booking(session, booking_id, site_id, lock=True)
    _refuse_own(booking, assessor_id)
    result = await _get_result(session, booking_id)
    _check_second(result, assessor_id)
    if result.state is ScoreState.WITHHELD:
        return result
    if not reason.strip():
        raise ReasonNeeded(N_("请写明您不同意的理由，第一考评员会看到。"), field="reason")
    result.state = ScoreState.WITHHELD
    session.add(result)
    await session.flush()
    _record(session, result, "practical.disputed", actor_id=assessor_id, now=now, reason=reason.strip()[:500])
    return result


async def list_to_release(session: AsyncSession) -> list[ReleaseLine]:
    """Practical sessions with results, those that wait for the authority first."""
    statement: Any = (
        select(
            ExamSession.id,
            Organisation.name,
            Qualification.name,
            ExamSession.starts_at,
            PracticalResult.state,
            PracticalResult.second_assessor_id,
        )  # type: ignore[call-overload]  # sqlmodel types a select of up to four columns
        .join(Organisation, col(Organisation.id) == ExamSession.site_id)
        .join(Qualification, col(Qualification.code) == ExamSession.qualification_code)
        .join(Booking, col(Booking.exam_session_id) == ExamSession.id)
        .join(PracticalResult, col(PracticalResult.booking_id) == Booking.id)
        .order_by(col(ExamSession.starts_at).desc())
    )
    lines: dict[UUID, ReleaseLine] = {}
    for session_id, site, name, starts_at, state, second in (await session.exec(statement)).all():
        line = lines.get(session_id) or ReleaseLine(session_id, site, name, starts_at, 0, 0, 0)
        is_released = state is ScoreState.RELEASED
        is_ready = state is ScoreState.PROVISIONAL and second is not None
        lines[session_id] = ReleaseLine(
            session_id, site, name, starts_at,
            line.ready + is_ready, line.waiting + (not is_ready and not is_released), line.released + is_released,
        )  # fmt: skip
    return sorted(lines.values(), key=lambda line: not line.ready)


async def release_practical(session: AsyncSession, *, exam_session_id: UUID, actor_id: UUID, now: datetime) -> int:
    """The authority publishes every result of a session that two assessors signed. Gives how many.

    Others stay until they are signed; asked again it publishes what is new.
    """
    statement = (
        select(PracticalResult, Application)
        .join(Booking, col(Booking.id) == PracticalResult.booking_id)
        .join(Application, col(Application.id) == PracticalResult.application_id)
        .where(
            Booking.exam_session_id == exam_session_id,
            PracticalResult.state == ScoreState.PROVISIONAL,
            col(PracticalResult.second_assessor_id).is_not(None),
        )
        .order_by(col(Application.id))
        .with_for_update(of=[Application, PracticalResult])
        .execution_options(populate_existing=True)
    )
    found = (await session.exec(statement)).all()
    for result, application in found:
        result.state, result.released_at = ScoreState.RELEASED, now
        session.add(result)
        await session.flush()
        await _settle(session, application, result, now=now)
        _record(session, result, "practical.released", actor_id=actor_id, now=now)
        qualification = await session.get_one(Qualification, application.qualification_code)
        notify(
            session, [application.person_id], NoticeKind.PRACTICAL_RELEASED, now=now,
            link=f"/exams/applications/{application.id}", title=qualification.name, points=result.score,
            passed=result.passed,
        )  # fmt: skip
    await session.flush()
    return len(found)


async def _settle(session: AsyncSession, application: Application, result: PracticalResult, *, now: datetime) -> None:
    """What a released result means for its application: passed, a resit, or the end (30号令 art. 13)."""
    if application.status is not ApplicationStatus.ACCEPTED:
        return
    if result.passed:
        application.practical_passed_on = china_date(result.first_signed_at)
        if application.theory_passed_on is not None:
            _end(session, application, ApplicationStatus.PASSED, now=now)
    elif await count_attempts(session, application=application, part=ExamPart.PRACTICAL) > await get_number(
        session, "so.resit.max", on=china_date(now)
    ):
        _end(session, application, ApplicationStatus.FAILED, now=now)
    session.add(application)


def _end(session: AsyncSession, application: Application, status: ApplicationStatus, *, now: datetime) -> None:
    application.status = status
    audit.record(
        session, action=f"application.{status.lower()}", target=("application", application.id), actor_id=None, now=now
    )


async def _get_booking(
    session: AsyncSession, booking_id: UUID, site_id: UUID, *, lock: bool = False
) -> tuple[Booking, ExamSession, Qualification]:
    statement = (
        select(Booking, ExamSession, Qualification)
        .join(ExamSession, col(ExamSession.id) == Booking.exam_session_id)
        .join(Qualification, col(Qualification.code) == ExamSession.qualification_code)
        .where(Booking.id == booking_id, ExamSession.site_id == site_id, Booking.part == ExamPart.PRACTICAL)
    )
    if lock:
        statement = statement.with_for_update(of=Booking).execution_options(populate_existing=True)
    found = (await session.exec(statement)).one_or_none()
    if found is None:
        raise NotFound
    return found


async def _find_result(session: AsyncSession, booking_id: UUID) -> PracticalResult | None:
    # The booking's lock is held, so the result cannot change under us.
    statement = select(PracticalResult).where(PracticalResult.booking_id == booking_id)
    return (await session.exec(statement.execution_options(populate_existing=True))).one_or_none()


async def _get_result(session: AsyncSession, booking_id: UUID) -> PracticalResult:
    result = await _find_result(session, booking_id)
    if result is None:
        raise NotFound
    return result


async def _find_dispute(session: AsyncSession, result: PracticalResult) -> str:
    if result.state is not ScoreState.WITHHELD:
        return ""
    statement = (
        select(AuditEntry.detail)
        .where(
            AuditEntry.target_type == "practical_result",
            AuditEntry.target_id == str(result.id),
            AuditEntry.action == "practical.disputed",
        )
        .order_by(col(AuditEntry.at).desc())
    )
    detail = (await session.exec(statement)).first() or {}
    return str(detail.get("reason", ""))


async def _signed(
    session: AsyncSession, result: PracticalResult, first_assessor: str, second_assessor: str
) -> SignedResult:
    return SignedResult(
        score=result.score,
        vetoed=result.vetoed,
        passed=result.passed,
        state=result.state,
        first_assessor_id=result.first_assessor_id,
        first_assessor=first_assessor,
        first_signed_at=result.first_signed_at,
        second_assessor=second_assessor,
        second_signed_at=result.second_signed_at,
        dispute=await _find_dispute(session, result),
    )


def _check_second(result: PracticalResult, assessor_id: UUID) -> None:
    if result.second_assessor_id is not None or result.state is ScoreState.RELEASED:
        raise AlreadySigned
    if result.first_assessor_id == assessor_id:
        raise OneAssessor


def _refuse_own(booking: Booking, assessor_id: UUID) -> None:
    if booking.person_id == assessor_id:
        raise OwnTest


def _checked(task: DrawnTask, mark: TaskMark | None) -> TaskMark:
    field = f"points_{task.subject}"
    if mark is None or not mark.points.is_finite() or not 0 <= mark.points <= _HUNDRED:
        raise BadPoints(task=task.task_name, field=field)
    if mark.points != mark.points.quantize(_POINT):
        raise BadPoints(task=task.task_name, field=field)
    return TaskMark(mark.points, mark.veto.strip()[:_VETO_LENGTH])


def _stored(task: DrawnTask, mark: TaskMark) -> dict[str, Any]:
    return {
        "subject": task.subject, "task": task.task, "name": task.task_name, "weight": task.weight,
        "points": str(mark.points), "veto": mark.veto,
    }  # fmt: skip


def _record(
    session: AsyncSession,
    result: PracticalResult,
    action: str,
    *,
    actor_id: UUID,
    now: datetime,
    was: dict[str, Any] | None = None,
    **detail: object,
) -> None:
    audit.record(
        session, action=action, target=("practical_result", result.id), actor_id=actor_id, now=now, was=was,
        booking_id=result.booking_id, score=result.score, passed=result.passed, **detail,
    )  # fmt: skip

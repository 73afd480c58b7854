"""Appeals: a candidate asks for a recount of a released score, and the authority answers with it in hand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlmodel import col, func, select

from exams.limits import LimitState, get_near_until, limit_state
from exams.models import (
    Appeal,
    AppealStatus,
    Application,
    Booking,
    Qualification,
    Regrade,
    Score,
    ScoreRevision,
    ScoreState,
    Sitting,
)
from exams.replaying import Recount, recount
from exams.resettling import change_score, resettle
from training import audit
from training.calendar import add_working_days, china_date
from training.errors import N_, BadInput, Conflict, NotFound
from training.models import Person
from training.notices import NoticeKind, notify
from training.rules import get_number

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlmodel.ext.asyncio.session import AsyncSession

_LONGEST_REASON = 500
_LONGEST_ANSWER = 1000


class NotReleased(Conflict):
    """There is nothing to count again before the score is out."""

    message = N_("成绩公布后才能申请复核。")


class AppealTooLate(Conflict):
    """The limit of `appeal.days_wd` is over."""

    message = N_("复核申请应在成绩公布后 {days} 个工作日内提出，截止日期是 {day}，现已超过。")


class AlreadyAppealed(Conflict):
    """One recount for each release of a score."""

    message = N_("这次公布的成绩已经复核过，答复见下方。")


class AnswerMissing(BadInput):
    """A recount is answered in words."""

    message = N_("请写明复核答复和理由，不超过 {most} 个字，考生会看到这段文字。")


@dataclass(frozen=True, slots=True)
class ScoreChange:
    """One entry of a score's history, as its candidate is told."""

    at: datetime
    points_before: Decimal
    points: Decimal
    total: Decimal
    passed_before: bool
    passed: bool
    reason: str


@dataclass(frozen=True, slots=True)
class OwnAppeals:
    """What a candidate sees below a score. `last_day` is None where nothing can be asked for."""

    sitting_id: UUID
    may_ask: bool
    last_day: date | None
    limit: LimitState
    answer_days: int
    appeals: tuple[Appeal, ...]
    changes: tuple[ScoreChange, ...]


@dataclass(frozen=True, slots=True)
class AppealLine:
    """An appeal in the authority's list."""

    id: UUID
    status: AppealStatus
    person_name: str
    ticket_no: str
    qualification_name: str
    points: Decimal
    total: Decimal
    passed: bool
    asked_at: datetime
    answer_by: date
    answered_at: datetime | None
    limit: LimitState


@dataclass(frozen=True, slots=True)
class AppealSheet:
    """An appeal with its recount."""

    line: AppealLine
    application_id: UUID
    reason: str
    cut_score: Decimal
    released_at: datetime | None
    submitted_at: datetime | None
    answer: str
    answerer: str
    recount: Recount
    changes: tuple[ScoreChange, ...]


async def ask_appeal(session: AsyncSession, *, sitting_id: UUID, person_id: UUID, reason: str, now: datetime) -> Appeal:
    """Ask for a recount of one's own released score. Asked again while one is open it gives that one.

    Raises `NotReleased`, `AppealTooLate`, `AlreadyAppealed`, and `NotFound` for another's score.
    """
    score = await _lock_own_score(session, sitting_id, person_id)
    statement = select(Appeal).where(Appeal.score_id == score.id).order_by(col(Appeal.asked_at).desc())
    last = (await session.exec(statement)).first()
    if last is not None and last.status is AppealStatus.OPEN:
        return last
    if score.state is not ScoreState.RELEASED or score.released_at is None:
        raise NotReleased
    if last is not None and not _is_released_anew(score, last):
        raise AlreadyAppealed
    today = china_date(now)
    days = await get_number(session, "appeal.days_wd", on=today)
    last_day = add_working_days(china_date(score.released_at), days)
    if today > last_day:
        raise AppealTooLate(days=days, day=f"{last_day:%Y-%m-%d}")
    reason = reason.strip()
    if not reason or len(reason) > _LONGEST_REASON:
        raise ReasonForAppeal(most=_LONGEST_REASON, field="reason")
    answer_by = add_working_days(today, await get_number(session, "appeal.answer_wd", on=today))
    appeal = Appeal(score_id=score.id, person_id=person_id, reason=reason, asked_at=now, answer_by=answer_by)
    session.add(appeal)
    audit.record(session, action="appeal.asked", target=("appeal", appeal.id), actor_id=person_id, now=now,
                 score_id=score.id)  # fmt: skip
    await session.flush()
    return appeal


class ReasonForAppeal(BadInput):
    """An appeal says what is doubted."""

    message = N_("请写明申请复核的理由，例如对哪一题或哪一部分得分有疑问，不超过 {most} 个字。")


async def answer_appeal(
    session: AsyncSession, *, appeal_id: UUID, actor_id: UUID, answer: str, certified: Collection[UUID], now: datetime
) -> Appeal:
    """Answer with the recount: a score that it does not confirm is corrected in the same act.

    Whether the answer is UPHELD or CORRECTED is not a matter of words: it is CORRECTED if the
    score changed since it was doubted, by this recount or by a regrade. `certified` as in
    `approve_regrade`. Asked again, nothing changes.
    """
    answer = answer.strip()
    if not answer or len(answer) > _LONGEST_ANSWER:
        raise AnswerMissing(most=_LONGEST_ANSWER, field="answer")
    appeal, score, sitting, application = await _lock_appeal(session, appeal_id)
    if appeal.status is not AppealStatus.OPEN:
        return appeal
    count = await recount(session, sitting=sitting, score=score)
    if change_score(session, score, count.mark, actor_id=actor_id, now=now, appeal_id=appeal.id):
        await session.flush()
        await resettle(session, application, is_certified=application.id in certified, now=now)
    since = select(func.count()).where(ScoreRevision.score_id == score.id, ScoreRevision.at >= appeal.asked_at)
    has_changed = (await session.exec(since)).one() > 0
    appeal.status = AppealStatus.CORRECTED if has_changed else AppealStatus.UPHELD
    appeal.answer, appeal.answered_by, appeal.answered_at = answer, actor_id, now
    appeal.recount = count.stored()
    session.add(appeal)
    audit.record(session, action="appeal.answered", target=("appeal", appeal.id), actor_id=actor_id, now=now,
                 status=appeal.status, points=score.points, redealt=count.redealt)  # fmt: skip
    qualification = await session.get_one(Qualification, application.qualification_code)
    notify(
        session, [appeal.person_id], NoticeKind.APPEAL_ANSWERED, now=now, link=f"/sittings/{sitting.id}/result",
        title=qualification.name, corrected=has_changed,
    )  # fmt: skip
    await session.flush()
    return appeal


async def get_own_appeals(
    session: AsyncSession, *, sitting_id: UUID, person_id: UUID, now: datetime
) -> OwnAppeals | None:
    """What a candidate may ask, has asked and was told of one score; None if it is no certificate exam's."""
    score = (await session.exec(_own_score(sitting_id, person_id))).one_or_none()
    if score is None:
        return None
    statement = select(Appeal).where(Appeal.score_id == score.id).order_by(col(Appeal.asked_at).desc())
    appeals = (await session.exec(statement)).all()
    today = china_date(now)
    last_day = None
    if score.state is ScoreState.RELEASED and score.released_at is not None:
        days = await get_number(session, "appeal.days_wd", on=today)
        last_day = add_working_days(china_date(score.released_at), days)
    is_free = not appeals or (appeals[0].status is not AppealStatus.OPEN and _is_released_anew(score, appeals[0]))
    return OwnAppeals(
        sitting_id=sitting_id,
        may_ask=last_day is not None and today <= last_day and is_free,
        last_day=last_day,
        limit=limit_state(last_day, today=today, near_until=await get_near_until(session, today=today)),
        answer_days=await get_number(session, "appeal.answer_wd", on=today),
        appeals=tuple(appeals),
        changes=await _list_changes(session, score.id) if score.state is ScoreState.RELEASED else (),
    )


async def list_own_changes(session: AsyncSession, *, sitting_id: UUID, person_id: UUID) -> tuple[ScoreChange, ...]:
    """How one's own score of an enterprise exam was changed since, the newest first."""
    statement = (
        select(Score.id)
        .join(Sitting, col(Sitting.id) == Score.sitting_id)
        .where(Sitting.id == sitting_id, Sitting.person_id == person_id, col(Sitting.booking_id).is_(None))
    )
    score_id = (await session.exec(statement)).one_or_none()
    return await _list_changes(session, score_id) if score_id else ()


async def list_appeals(session: AsyncSession, *, today: date, limit: int = 200) -> list[AppealLine]:
    """Open ones by their last day, then the newest answers."""
    is_answered: Any = Appeal.status != AppealStatus.OPEN
    statement = (
        select(Appeal, Score, Booking, Application)
        .join(Score, col(Score.id) == Appeal.score_id)
        .join(Sitting, col(Sitting.id) == Score.sitting_id)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .join(Application, col(Application.id) == Booking.application_id)
        .order_by(is_answered, col(Appeal.answered_at).desc(), col(Appeal.answer_by), col(Appeal.asked_at))
        .limit(limit)
    )
    near_until = await get_near_until(session, today=today)
    return [
        await _line(session, *row, today=today, near_until=near_until) for row in (await session.exec(statement)).all()
    ]


async def count_open_appeals(session: AsyncSession, *, today: date, near_until: date) -> tuple[int, int, int]:
    """How many wait for an answer, how many of them too long, and how many have to be answered soon."""
    late = func.count().filter(col(Appeal.answer_by) < today)
    near = func.count().filter(col(Appeal.answer_by).between(today, near_until))
    statement = select(func.count(), late, near).where(Appeal.status == AppealStatus.OPEN)
    return (await session.exec(statement)).one()


async def get_appeal(session: AsyncSession, appeal_id: UUID, *, today: date) -> AppealSheet:
    """An appeal, counted again now. Raises `NotFound`."""
    appeal, score, sitting, application = await _get_appeal(session, appeal_id)
    booking = await session.get_one(Booking, sitting.booking_id)
    answerer = await session.get_one(Person, appeal.answered_by) if appeal.answered_by else None
    return AppealSheet(
        line=await _line(
            session,
            appeal,
            score,
            booking,
            application,
            today=today,
            near_until=await get_near_until(session, today=today),
        ),
        application_id=application.id,
        reason=appeal.reason,
        cut_score=score.cut_score,
        released_at=score.released_at,
        submitted_at=sitting.submitted_at,
        answer=appeal.answer,
        answerer=answerer.name if answerer else "",
        recount=await recount(session, sitting=sitting, score=score),
        changes=await _list_changes(session, score.id),
    )


def _is_released_anew(score: Score, appeal: Appeal) -> bool:
    # A correction in the answer itself was looked at; only a later one opens the way again.
    return score.released_at is not None and score.released_at > (appeal.answered_at or appeal.asked_at)


def _own_score(sitting_id: UUID, person_id: UUID) -> Any:  # noqa: ANN401 - a statement
    return (
        select(Score)
        .join(Sitting, col(Sitting.id) == Score.sitting_id)
        .where(Sitting.id == sitting_id, Sitting.person_id == person_id, col(Sitting.booking_id).is_not(None))
    )


async def _lock_own_score(session: AsyncSession, sitting_id: UUID, person_id: UUID) -> Score:
    statement = _own_score(sitting_id, person_id).with_for_update(of=Score).execution_options(populate_existing=True)
    score: Score | None = (await session.exec(statement)).one_or_none()
    if score is None:
        raise NotFound
    return score


async def _get_appeal(session: AsyncSession, appeal_id: UUID) -> tuple[Appeal, Score, Sitting, Application]:
    statement = (
        select(Appeal, Score, Sitting, Application)
        .join(Score, col(Score.id) == Appeal.score_id)
        .join(Sitting, col(Sitting.id) == Score.sitting_id)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .join(Application, col(Application.id) == Booking.application_id)
        .where(Appeal.id == appeal_id)
    )
    found = (await session.exec(statement)).one_or_none()
    if found is None:
        raise NotFound
    return found


async def _lock_appeal(session: AsyncSession, appeal_id: UUID) -> tuple[Appeal, Score, Sitting, Application]:
    """Locks the application first, as release and regrade do, then the score and the appeal."""
    appeal, score, sitting, application = await _get_appeal(session, appeal_id)
    for row in (application, score, appeal):
        await session.refresh(row, with_for_update=True)
    return appeal, score, sitting, application


async def _line(
    session: AsyncSession,
    appeal: Appeal,
    score: Score,
    booking: Booking,
    application: Application,
    *,
    today: date,
    near_until: date,
) -> AppealLine:
    qualification = await session.get_one(Qualification, application.qualification_code)
    person = await session.get_one(Person, appeal.person_id)
    return AppealLine(
        id=appeal.id,
        status=appeal.status,
        person_name=person.name,
        ticket_no=booking.ticket_no,
        qualification_name=qualification.name,
        points=score.points,
        total=score.total,
        passed=score.passed,
        asked_at=appeal.asked_at,
        answer_by=appeal.answer_by,
        answered_at=appeal.answered_at,
        limit=limit_state(None if appeal.answered_at else appeal.answer_by, today=today, near_until=near_until),
    )


async def _list_changes(session: AsyncSession, score_id: UUID) -> tuple[ScoreChange, ...]:
    statement = (
        select(ScoreRevision, Regrade, Appeal)
        .outerjoin(Regrade, col(Regrade.id) == ScoreRevision.regrade_id)
        .outerjoin(Appeal, col(Appeal.id) == ScoreRevision.appeal_id)
        .where(ScoreRevision.score_id == score_id)
        .order_by(col(ScoreRevision.at).desc())
    )
    rows: Sequence[tuple[ScoreRevision, Regrade | None, Appeal | None]] = (await session.exec(statement)).all()
    return tuple(
        ScoreChange(
            at=row.at,
            points_before=Decimal(row.was["points"]),
            points=Decimal(row.became["points"]),
            total=Decimal(row.became["total"]),
            passed_before=row.was["passed"],
            passed=row.became["passed"],
            reason=regrade.reason if regrade else appeal.answer if appeal else "",
        )
        for row, regrade, appeal in rows
    )

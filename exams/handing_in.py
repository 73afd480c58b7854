"""Handing in: by the candidate, or by the server when the time is up; marked in the same transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import sqlalchemy
import structlog
from sqlalchemy import ARRAY, Uuid, any_, bindparam, func, text
from sqlmodel import col, select

from exams.marking import Mark, last_choices, mark_paper
from exams.models import AnswerEvent, EnterpriseExam, Sitting, SittingEvent, SittingStatus
from exams.papers import paper_items
from exams.rulings import Ruling, list_rulings, mark_by_rulings
from exams.sittings import HANDED_IN, TIMED_OUT
from exams.timing import earliest_leave, is_over
from question_bank.queries import get_drawn_blueprint, list_revisions
from training import audit
from training.calendar import add_working_days, china_date
from training.columns import INSTANT, JSON, new_id
from training.errors import N_, Conflict, NotFound
from training.models import TrainingMode
from training.prepared import run
from training.records import NewRecord, add_record, find_post
from training.rules import RULES, check_rules, get_number

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

log = structlog.get_logger()
# What a SittingEvent says of a sitting that could not be marked; tried again after 2, 4, 8 … minutes.
NOT_MARKED = "NOT_MARKED"
_LONGEST_PAUSE = 60


class TooEarlyToLeave(Conflict):
    """A certificate exam may be left only some minutes after the start (exam.leave_min)."""

    message = N_("开考 {minutes} 分钟后才能交卷。请再检查一遍答案。")


@dataclass(frozen=True)
class _Finished:
    sitting: Any
    mark: Mark
    ended_at: datetime


_LEAVE, _RELEASE = "exam.leave_min", "so.score.release_wd"
_RULES = (_LEAVE, _RELEASE)
_COLUMNS = (
    col(Sitting.id), col(Sitting.person_id), col(Sitting.booking_id), col(Sitting.enterprise_exam_id),
    col(Sitting.blueprint_id), col(Sitting.paper), col(Sitting.status), col(Sitting.started_at), col(Sitting.deadline),
)  # fmt: skip
_OWN = (
    sqlalchemy.select(*_COLUMNS, RULES.label("rules"))
    .where(col(Sitting.id) == bindparam("sitting_id"), col(Sitting.person_id) == bindparam("person_id"))
    .with_for_update(of=Sitting)
)
_SET_ASIDE = (
    select(func.max(SittingEvent.at) + func.least(func.power(2, func.count()), _LONGEST_PAUSE) * timedelta(minutes=1))
    .where(SittingEvent.sitting_id == Sitting.id, SittingEvent.kind == NOT_MARKED)
    .correlate(Sitting)
    .scalar_subquery()
)
_DUE = (
    sqlalchemy.select(*_COLUMNS)
    .where(
        col(Sitting.status) == SittingStatus.OPEN,
        col(Sitting.deadline) <= bindparam("now", type_=INSTANT),
        func.coalesce(_SET_ASIDE, col(Sitting.deadline)) <= bindparam("now", type_=INSTANT),
    )
    .order_by(col(Sitting.deadline))
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)


async def hand_in(session: AsyncSession, *, sitting_id: UUID, person_id: UUID, now: datetime) -> SittingStatus:
    """End one's sitting and mark it. Asked again, nothing changes. Gives how it ended.

    The lock waits for answers that are being written and keeps later ones out: what was
    acknowledged is marked (exams/answers.py).
    """
    rows = await run(session, _OWN, sitting_id=sitting_id, person_id=person_id, codes=list(_RULES), day=china_date(now))
    sitting = rows.one_or_none()
    if sitting is None:
        raise NotFound
    if sitting.status is not SittingStatus.OPEN:
        status: SittingStatus = sitting.status
        return status
    rules = check_rules(sitting.rules, _RULES)
    status = SittingStatus.TIMED_OUT if is_over(sitting.deadline, now=now) else SittingStatus.HANDED_IN
    if status is SittingStatus.HANDED_IN and sitting.booking_id is not None:
        minutes = int(rules[_LEAVE])
        if now < earliest_leave(sitting.started_at, sitting.deadline, leave_minutes=minutes):
            raise TooEarlyToLeave(minutes=minutes)
    choices = await _read_choices(session, [sitting.id])
    rulings = await list_rulings(session)
    marked = await _mark(session, sitting, choices.get(sitting.id, {}), _ended_at(sitting, status, now), rulings)
    await _finish(session, [marked], status=status, release_days=int(rules[_RELEASE]), now=now)
    return status


async def close_overdue(session: AsyncSession, *, now: datetime, limit: int = 500) -> int:
    """End and mark up to `limit` sittings whose time is up, without any browser. Gives how many.

    Skips sittings that someone else is handling, so any number of workers may do this. One that
    cannot be marked stops no other: it is set aside, noted, and tried again later and later.
    """
    sittings = (await run(session, _DUE, now=now, most=limit)).all()
    if not sittings:
        return 0
    try:
        async with session.begin_nested():
            await _close(session, sittings, now=now)
    except Exception as error:
        log.warning("overdue_batch_failed", sittings=len(sittings), error=type(error).__name__)
    else:
        return len(sittings)
    return sum([await _close_alone(session, sitting, now=now) for sitting in sittings])


async def _close(session: AsyncSession, sittings: Sequence[Any], *, now: datetime) -> None:
    release_days = await get_number(session, _RELEASE, on=china_date(now))
    choices = await _read_choices(session, [sitting.id for sitting in sittings])
    rulings = await list_rulings(session)
    status = SittingStatus.TIMED_OUT
    marked = [
        await _mark(session, sitting, choices.get(sitting.id, {}), _ended_at(sitting, status, now), rulings)
        for sitting in sittings
    ]
    await _finish(session, marked, status=status, release_days=release_days, now=now)


async def _close_alone(session: AsyncSession, sitting: Any, *, now: datetime) -> bool:  # noqa: ANN401 - a row
    try:
        async with session.begin_nested():
            await _close(session, [sitting], now=now)
    except Exception as error:
        log.error("sitting_not_marked", sitting_id=str(sitting.id), exc_info=error)
        session.add(
            SittingEvent(sitting_id=sitting.id, kind=NOT_MARKED, detail={"error": type(error).__name__}, at=now)
        )
        await session.flush()
        return False
    return True


def _ended_at(sitting: Any, status: SittingStatus, now: datetime) -> datetime:  # noqa: ANN401 - a row
    deadline: datetime = sitting.deadline
    return deadline if status is SittingStatus.TIMED_OUT else now


_CHOICES = (
    sqlalchemy.select(
        col(AnswerEvent.sitting_id), func.array_agg(AnswerEvent.seq), func.array_agg(AnswerEvent.position),
        func.array_agg(AnswerEvent.choice),
    )
    .where(col(AnswerEvent.sitting_id) == any_(bindparam("ids", type_=ARRAY(Uuid()))))
    .group_by(col(AnswerEvent.sitting_id))
)  # fmt: skip


async def _read_choices(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, dict[int, str]]:
    """What counts per position, by sitting. Only after the lock: a statement sees what was committed before it."""
    rows = await run(session, _CHOICES, ids=list(ids))
    return {sitting_id: last_choices(zip(*events, strict=True)) for sitting_id, *events in rows}


async def _mark(
    session: AsyncSession,
    sitting: Any,  # noqa: ANN401 - a row
    choices: dict[int, str],
    ended_at: datetime,
    rulings: dict[UUID, Ruling],
) -> _Finished:
    blueprint = await get_drawn_blueprint(session, sitting.blueprint_id)
    paper = paper_items(sitting.paper)
    revisions = await list_revisions(session, [item.revision_id for item in paper])
    points, cut_score = Decimal(blueprint.points_per_item), Decimal(blueprint.pass_score)
    # The authority decides about certificate exams alone.
    if rulings and sitting.booking_id is not None:
        mark = mark_by_rulings(
            paper, revisions, choices, points_per_item=points, cut_score=cut_score, mc_rule=blueprint.mc_rule,
            rulings=rulings,
        )  # fmt: skip
    else:
        mark = mark_paper(
            paper, revisions, choices, points_per_item=points, cut_score=cut_score, mc_rule=blueprint.mc_rule
        )
    return _Finished(sitting, mark, ended_at)


_FINISH = text("""
WITH done AS (
    SELECT * FROM jsonb_to_recordset(:finished) AS f (
        score_id uuid, event_id uuid, sitting_id uuid, points numeric, total numeric, cut_score numeric,
        passed boolean, areas jsonb, release_by date, answered integer, actor_id uuid, ended_at timestamptz
    )
), scored AS (
    INSERT INTO score (
        id, sitting_id, points, total, cut_score, passed, areas, state, marked_at, release_by, withheld_reason
    )
    SELECT score_id, sitting_id, points, total, cut_score, passed, areas, 'PROVISIONAL', CAST(:now AS timestamptz),
        release_by, ''
    FROM done
), noted AS (
    INSERT INTO sitting_event (id, sitting_id, kind, actor_id, reason, detail, at)
    SELECT event_id, sitting_id, CAST(:kind AS text), actor_id, '', jsonb_build_object('answered', answered), ended_at
    FROM done
), ended AS (
    UPDATE sitting SET status = CAST(:status AS text), submitted_at = done.ended_at
    FROM done WHERE sitting.id = done.sitting_id
    RETURNING sitting.booking_id
)
UPDATE booking SET status = 'DONE' FROM ended WHERE booking.id = ended.booking_id
""").bindparams(bindparam("finished", type_=JSON))


async def _finish(
    session: AsyncSession, finished: Sequence[_Finished], *, status: SittingStatus, release_days: int, now: datetime
) -> None:
    """Write everything that follows from the marks of locked sittings, for all at once."""
    by_person = status is SittingStatus.HANDED_IN
    rows = [_row(entry, by_person=by_person, release_days=release_days) for entry in finished]
    kind = HANDED_IN if by_person else TIMED_OUT
    await run(session, _FINISH, finished=rows, kind=kind, status=status.value, now=now)
    acts = [(entry.sitting.id, entry.sitting.person_id if by_person else None) for entry in finished]
    action = "sitting.handed_in" if by_person else "sitting.timed_out"
    await audit.write(session, action=action, table="sitting", acts=acts, now=now)
    for entry in finished:
        if entry.mark.passed and entry.sitting.enterprise_exam_id is not None:
            await _add_training_record(session, entry, now=now)


# A whole session ends on one day.
_last_day = lru_cache(maxsize=64)(add_working_days)


def _row(entry: _Finished, *, by_person: bool, release_days: int) -> dict[str, Any]:
    sitting, mark = entry.sitting, entry.mark
    # An enterprise's own exam has no authority that releases its score.
    release_by = _last_day(china_date(entry.ended_at), release_days) if sitting.booking_id else None
    return {
        "score_id": str(new_id()),
        "event_id": str(new_id()),
        "sitting_id": str(sitting.id),
        "points": str(mark.points),
        "total": str(mark.total),
        "cut_score": str(mark.cut_score),
        "passed": mark.passed,
        "areas": mark.stored_areas(),
        "release_by": release_by and release_by.isoformat(),
        "answered": mark.answered,
        "actor_id": str(sitting.person_id) if by_person else None,
        "ended_at": entry.ended_at.isoformat(),
    }


async def _add_training_record(session: AsyncSession, entry: _Finished, *, now: datetime) -> None:
    """A passed enterprise exam is training with a result: 时间·人员·内容·效果."""
    sitting = entry.sitting
    exam = await session.get_one(EnterpriseExam, sitting.enterprise_exam_id)
    post = await find_post(
        session, person_id=sitting.person_id, on=china_date(entry.ended_at), organisation_id=exam.organisation_id
    )
    new = NewRecord(
        person_id=sitting.person_id,
        mode=TrainingMode.ONLINE,
        title=exam.title,
        content=(await get_drawn_blueprint(session, sitting.blueprint_id)).name,
        started_at=sitting.started_at,
        ended_at=entry.ended_at,
        class_hours=Decimal(0),
        passed=True,
        organisation_id=exam.organisation_id,
        provider_id=exam.organisation_id,
        category=post.category,
        post=post.post,
        assessment=f"在线考试 {entry.mark.points}/{entry.mark.total}",
        evidence={"sitting_id": str(sitting.id)},
    )
    await add_record(session, new=new, created_by=None, now=now)

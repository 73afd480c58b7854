"""Handing in: by the candidate, or by the server when the time is up; marked in the same transaction."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import any_, cast, insert, literal
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.types import Uuid
from sqlmodel import col, select, update

from exams.marking import Mark, last_choices, mark_paper
from exams.models import (
    AnswerEvent,
    Booking,
    BookingStatus,
    EnterpriseExam,
    Score,
    Sitting,
    SittingEvent,
    SittingStatus,
)
from exams.papers import paper_items
from exams.sittings import HANDED_IN, TIMED_OUT, lock_sitting
from exams.timing import earliest_leave, is_over
from question_bank.queries import BlueprintView, get_blueprint_version, list_revisions
from training import audit
from training.calendar import add_working_days, china_date
from training.columns import new_id
from training.errors import N_, Conflict
from training.models import TrainingMode
from training.records import NewRecord, add_record, find_post
from training.rules import get_number

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime

    from sqlmodel.ext.asyncio.session import AsyncSession


class TooEarlyToLeave(Conflict):
    """A certificate exam may be left only some minutes after the start (exam.leave_min)."""

    message = N_("开考 {minutes} 分钟后才能交卷。请再检查一遍答案。")


@dataclass(frozen=True)
class _Finished:
    sitting: Sitting
    mark: Mark
    ended_at: datetime


async def hand_in(session: AsyncSession, *, sitting_id: UUID, person_id: UUID, now: datetime) -> SittingStatus:
    """End one's sitting and mark it. Asked again, nothing changes. Gives how it ended.

    The lock waits for answers that are being written and keeps later ones out: what was
    acknowledged is marked (exams/answers.py).
    """
    sitting = await lock_sitting(session, sitting_id, person_id=person_id)
    if sitting.status is not SittingStatus.OPEN:
        return sitting.status
    if is_over(sitting.deadline, now=now):
        await _finish(session, [sitting], status=SittingStatus.TIMED_OUT, now=now)
        return SittingStatus.TIMED_OUT
    if sitting.booking_id is not None:
        minutes = await get_number(session, "exam.leave_min", on=china_date(now))
        if now < earliest_leave(sitting.started_at, sitting.deadline, leave_minutes=minutes):
            raise TooEarlyToLeave(minutes=minutes)
    await _finish(session, [sitting], status=SittingStatus.HANDED_IN, now=now)
    return SittingStatus.HANDED_IN


async def close_overdue(session: AsyncSession, *, now: datetime, limit: int = 500) -> int:
    """End and mark up to `limit` sittings whose time is up, without any browser. Gives how many.

    Skips sittings that someone else is handling, so any number of workers may do this.
    """
    statement = (
        select(Sitting)
        .where(Sitting.status == SittingStatus.OPEN, Sitting.deadline <= now)
        .order_by(col(Sitting.deadline))
        .limit(limit)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    sittings = (await session.exec(statement)).all()
    if sittings:
        await _finish(session, sittings, status=SittingStatus.TIMED_OUT, now=now)
    return len(sittings)


async def _finish(session: AsyncSession, sittings: Sequence[Sitting], *, status: SittingStatus, now: datetime) -> None:
    """Mark locked sittings and write everything that follows from it, in a few statements for all."""
    ids = [sitting.id for sitting in sittings]
    choices = await _read_choices(session, ids)
    finished = []
    for sitting in sittings:
        blueprint = await _blueprint_of(session, sitting.blueprint_id)
        ended_at = sitting.deadline if status is SittingStatus.TIMED_OUT else now
        finished.append(_Finished(sitting, await _mark(session, sitting, blueprint, choices[sitting.id]), ended_at))
    kind = TIMED_OUT if status is SittingStatus.TIMED_OUT else HANDED_IN
    await _write_scores(session, finished, now=now)
    await _write_events(session, finished, kind=kind, now=now)
    is_due = status is SittingStatus.TIMED_OUT
    await session.exec(
        update(Sitting)
        .where(col(Sitting.id) == _any(ids))
        .values(status=status, submitted_at=col(Sitting.deadline) if is_due else now)
        .execution_options(synchronize_session=False)
    )
    if bookings := [sitting.booking_id for sitting in sittings if sitting.booking_id]:
        await session.exec(
            update(Booking)
            .where(col(Booking.id) == _any(bookings))
            .values(status=BookingStatus.DONE)
            .execution_options(synchronize_session=False)
        )
    for entry in finished:
        set_committed_value(entry.sitting, "status", status)
        set_committed_value(entry.sitting, "submitted_at", entry.ended_at)
        if entry.mark.passed and entry.sitting.enterprise_exam_id is not None:
            await _add_training_record(session, entry, now=now)


def _any(ids: Sequence[UUID]) -> Any:  # noqa: ANN401 - an SQL expression
    # One parameter for any number of keys: one prepared statement, one plan.
    return any_(cast(literal(list(ids), ARRAY(Uuid())), ARRAY(Uuid())))


async def _read_choices(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, dict[int, str]]:
    statement = select(AnswerEvent.sitting_id, AnswerEvent.seq, AnswerEvent.position, AnswerEvent.choice).where(
        col(AnswerEvent.sitting_id) == _any(ids)
    )
    events: dict[UUID, list[tuple[int, int, str]]] = defaultdict(list)
    for sitting_id, seq, position, choice in (await session.exec(statement)).all():
        events[sitting_id].append((seq, position, choice))
    return {sitting_id: last_choices(events[sitting_id]) for sitting_id in ids}


_blueprints: dict[UUID, BlueprintView] = {}


async def _blueprint_of(session: AsyncSession, blueprint_id: UUID) -> BlueprintView:
    # Versions never change what marking reads of them.
    if blueprint_id not in _blueprints:
        _blueprints[blueprint_id] = await get_blueprint_version(session, blueprint_id)
    return _blueprints[blueprint_id]


async def _mark(session: AsyncSession, sitting: Sitting, blueprint: BlueprintView, choices: dict[int, str]) -> Mark:
    paper = paper_items(sitting.paper)
    revisions = await list_revisions(session, [item.revision_id for item in paper])
    return mark_paper(
        paper,
        revisions,
        choices,
        points_per_item=Decimal(blueprint.points_per_item),
        cut_score=Decimal(blueprint.pass_score),
    )


async def _write_scores(session: AsyncSession, finished: Sequence[_Finished], *, now: datetime) -> None:
    working_days = await get_number(session, "so.score.release_wd", on=china_date(now))
    days: dict[date, date] = {}
    rows = []
    for entry in finished:
        ended_on = china_date(entry.ended_at)
        if ended_on not in days:
            days[ended_on] = add_working_days(ended_on, working_days)
        rows.append(
            {
                "id": new_id(),
                "sitting_id": entry.sitting.id,
                "points": entry.mark.points,
                "total": entry.mark.total,
                "cut_score": entry.mark.cut_score,
                "passed": entry.mark.passed,
                "areas": entry.mark.stored_areas(),
                "marked_at": now,
                # An enterprise's own exam has no authority that releases its score.
                "release_by": days[ended_on] if entry.sitting.booking_id else None,
            }
        )
    connection = await session.connection()
    await connection.execute(insert(Score), rows)


async def _write_events(session: AsyncSession, finished: Sequence[_Finished], *, kind: str, now: datetime) -> None:
    by_person = kind == HANDED_IN
    rows = [
        {
            "id": new_id(),
            "sitting_id": entry.sitting.id,
            "kind": kind,
            "actor_id": entry.sitting.person_id if by_person else None,
            "detail": {"answered": entry.mark.answered},
            "at": entry.ended_at,
        }
        for entry in finished
    ]
    connection = await session.connection()
    await connection.execute(insert(SittingEvent), rows)
    for entry in finished:
        audit.record(
            session,
            action="sitting.handed_in" if by_person else "sitting.timed_out",
            target=("sitting", entry.sitting.id),
            actor_id=entry.sitting.person_id if by_person else None,
            now=now,
        )
    await session.flush()


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
        content=(await _blueprint_of(session, sitting.blueprint_id)).name,
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

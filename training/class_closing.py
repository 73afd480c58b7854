"""Closing a class: the hours of the lessons attended become training records, once."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from sqlmodel import col, select

from training import audit
from training.calendar import china_date
from training.classes import check_open, get_version, list_lesson_rows, lock_class
from training.errors import N_, BadInput, Conflict
from training.models import (
    Attendance,
    ClassEnrolment,
    ClassLesson,
    ClassStatus,
    TrainingClass,
    TrainingMode,
    TrainingRecord,
)
from training.people import get_person
from training.plans import finish_assignments
from training.records import NewRecord, add_record, find_post

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

_HIGHEST_SCORE = 100


class StillRunning(Conflict):
    """The last lesson is not over."""

    message = N_("“{title}”还有课没有上完，最后一次课结束后才能结班。")


class NoResult(BadInput):
    """Somebody who was present has no result yet."""

    message = N_("请为每位到过课的学员选择“合格”或“不合格”，还有 {count} 人没有选择。")


class BadScore(BadInput):
    """Not a score."""

    message = N_("得分应为 0 到 100 之间的数字，可以不填。")


@dataclass(frozen=True)
class Result:
    """What the teacher found at the end: passed or not, and the score if one was given."""

    passed: bool
    score: Decimal | None = None


def check_score(typed: str) -> Decimal | None:
    """A score as typed, or None for an empty one. Raises `BadScore`."""
    if not typed.strip():
        return None
    try:
        score = Decimal(typed.strip())
    except ArithmeticError:
        score = None
    if score is None or not score.is_finite() or not 0 <= score <= _HIGHEST_SCORE or score != round(score, 1):
        raise BadScore(field="score")
    return score


def assessment_text(result: Result) -> str:
    """The 效果 of a record: 合格, with the score if there is one."""
    verdict = "合格" if result.passed else "不合格"
    return verdict if result.score is None else f"{verdict}，得分 {result.score.normalize():f}"


def sum_hours(lessons: Sequence[ClassLesson]) -> Decimal:
    """The class hours of some lessons together."""
    return sum((lesson.class_hours for lesson in lessons), Decimal(0))


async def list_attended(session: AsyncSession, class_id: UUID) -> dict[UUID, set[UUID]]:
    """The lessons attended, by enrolment."""
    statement = (
        select(Attendance.enrolment_id, Attendance.lesson_id)
        .join(ClassLesson, col(ClassLesson.id) == Attendance.lesson_id)
        .where(ClassLesson.class_id == class_id)
    )
    attended: dict[UUID, set[UUID]] = {}
    for enrolment_id, lesson_id in (await session.exec(statement)).all():
        attended.setdefault(enrolment_id, set()).add(lesson_id)
    return attended


async def close_class(
    session: AsyncSession,
    *,
    class_id: UUID,
    centre_id: UUID,
    results: Mapping[UUID, Result],
    actor_id: UUID,
    now: datetime,
    teacher_id: UUID | None = None,
) -> list[TrainingRecord]:
    """Close a class after its last lesson and write a record for everybody who was ever present.

    `results` are by enrolment. Who never came gets no record. Closed again, nothing is written and
    the list is empty. Raises `StillRunning`, `NoResult`, `ClassNotOpen` (when cancelled), `NotFound`.
    """
    held = await lock_class(session, class_id, centre_id=centre_id, teacher_id=teacher_id)
    if held.status is ClassStatus.CLOSED:
        return []
    check_open(held)
    lessons = await list_lesson_rows(session, class_id)
    if not lessons or lessons[-1].ends_at > now:
        raise StillRunning(title=held.title)
    attended = await list_attended(session, class_id)
    statement = select(ClassEnrolment).where(
        ClassEnrolment.class_id == class_id, col(ClassEnrolment.withdrawn_at).is_(None)
    )
    present = [each for each in (await session.exec(statement)).all() if attended.get(each.id)]
    if missing := sum(each.id not in results for each in present):
        raise NoResult(count=missing, field="results")
    records = [
        await _credit(
            session,
            held=held,
            enrolment=each,
            were_at=[lesson for lesson in lessons if lesson.id in attended[each.id]],
            result=results[each.id],
            actor_id=actor_id,
            now=now,
        )
        for each in present
    ]
    held.status, held.closed_at = ClassStatus.CLOSED, now
    session.add(held)
    audit.record(
        session, action="class.closed", target=("training_class", class_id), actor_id=actor_id, now=now,
        records=len(records),
    )  # fmt: skip
    await session.flush()
    return records


async def _credit(
    session: AsyncSession,
    *,
    held: TrainingClass,
    enrolment: ClassEnrolment,
    were_at: Sequence[ClassLesson],
    result: Result,
    actor_id: UUID,
    now: datetime,
) -> TrainingRecord:
    version = await get_version(session, held.course_version_id)
    teacher = await get_person(session, held.teacher_id)
    ended_at = were_at[-1].ends_at
    post = await find_post(session, person_id=enrolment.person_id, on=china_date(ended_at))
    new = NewRecord(
        person_id=enrolment.person_id,
        organisation_id=post.organisation_id,
        provider_id=held.centre_id,
        category=post.category,
        post=post.post,
        mode=TrainingMode.OFFLINE,
        title=version.title,
        content="；".join(lesson.topic for lesson in were_at),
        course_version_id=version.id,
        enrolment_id=enrolment.id,
        started_at=were_at[0].starts_at,
        ended_at=ended_at,
        class_hours=sum_hours(were_at),
        trainer=teacher.name,
        assessment=assessment_text(result),
        passed=result.passed,
        evidence={"class": str(held.id), "lessons": [str(lesson.id) for lesson in were_at]},
    )
    record = await add_record(session, new=new, created_by=actor_id, now=now)
    if result.passed:
        await finish_assignments(session, person_id=enrolment.person_id, course_id=version.course_id, now=now)
    return record

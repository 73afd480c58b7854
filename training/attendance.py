"""Who was present at a lesson: by the code on the classroom's screen, or ticked by the teacher."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlmodel import col, delete, select

from training import audit
from training.attendance_codes import is_code_current
from training.calendar import china_date
from training.classes import check_open, lock_class
from training.enrolments import find_enrolment
from training.errors import N_, BadInput, Conflict, NotFound
from training.models import (
    Attendance,
    AttendanceWay,
    ClassEnrolment,
    ClassLesson,
    ClassStatus,
    TrainingClass,
)
from training.rules import get_number

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession


class CodeGone(BadInput):
    """An old or a wrong code."""

    message = N_("签到码已更换。请重新扫描教室屏幕上的二维码。")


class NotTheTime(Conflict):
    """Outside the time in which one can sign in to a lesson."""

    message = N_("现在不是签到时间：上课前 {minutes} 分钟到下课前可以扫码签到。如已错过，请教师在名单上补记。")


class NotOnTheList(Conflict):
    """The person has no place in the class."""

    message = N_("您不在“{title}”的学员名单中。请先报名，或请教师核对名单。")


class TooEarly(Conflict):
    """The list of a lesson cannot be filled in before it."""

    message = N_("离上课还早：上课前 {minutes} 分钟起可以点名。")


def is_time_to_attend(lesson: ClassLesson, *, now: datetime, early_minutes: int) -> bool:
    """From some minutes before the start until the end."""
    return lesson.starts_at - timedelta(minutes=early_minutes) <= now < lesson.ends_at


async def get_own_lesson(
    session: AsyncSession, lesson_id: UUID, *, centre_id: UUID, teacher_id: UUID | None = None
) -> tuple[ClassLesson, TrainingClass]:
    """A lesson of the centre (of this teacher, if given) with its class. Raises `NotFound`."""
    statement = (
        select(ClassLesson, TrainingClass)
        .join(TrainingClass, col(TrainingClass.id) == ClassLesson.class_id)
        .where(ClassLesson.id == lesson_id, TrainingClass.centre_id == centre_id)
    )
    if teacher_id is not None:
        statement = statement.where(TrainingClass.teacher_id == teacher_id)
    row = (await session.exec(statement)).one_or_none()
    if row is None:
        raise NotFound
    lesson, of_class = row
    return lesson, of_class


async def attend_by_code(
    session: AsyncSession, *, lesson_id: UUID, code: str, person_id: UUID, now: datetime
) -> Attendance:
    """Note the learner who scanned the screen as present, once.

    Raises `CodeGone`, `NotTheTime`, `NotOnTheList`, `ClassNotOpen`, `NotFound`.
    """
    lesson, enrolment = await check_code(session, lesson_id=lesson_id, code=code, person_id=person_id, now=now)
    held = await session.get(TrainingClass, lesson.class_id, with_for_update=True, populate_existing=True)
    if held is None:
        raise NotFound
    check_open(held)
    if standing := await session.get(Attendance, (lesson_id, enrolment.id)):
        return standing
    attendance = Attendance(
        lesson_id=lesson_id, enrolment_id=enrolment.id, way=AttendanceWay.QR, at=now, recorded_by=person_id
    )
    session.add(attendance)
    audit.record(
        session, action="attendance.scanned", target=("class_lesson", lesson_id), actor_id=person_id, now=now,
        enrolment=enrolment.id,
    )  # fmt: skip
    await session.flush()
    return attendance


async def check_code(
    session: AsyncSession, *, lesson_id: UUID, code: str, person_id: UUID, now: datetime
) -> tuple[ClassLesson, ClassEnrolment]:
    """The lesson and the place for which this code lets the person sign in now."""
    lesson = await session.get(ClassLesson, lesson_id)
    held = await session.get(TrainingClass, lesson.class_id) if lesson else None
    if lesson is None or held is None:
        raise NotFound
    early = await get_number(session, "attendance.early_minutes", on=china_date(now))
    if not is_time_to_attend(lesson, now=now, early_minutes=early):
        raise NotTheTime(minutes=early)
    seconds = await get_number(session, "attendance.code_seconds", on=china_date(now))
    if not is_code_current(lesson.attendance_secret, code, now=now, seconds=seconds):
        raise CodeGone
    enrolment = await find_enrolment(session, class_id=held.id, person_id=person_id)
    if enrolment is None:
        raise NotOnTheList(title=held.title)
    return lesson, enrolment


async def mark_list(
    session: AsyncSession,
    *,
    lesson_id: UUID,
    centre_id: UUID,
    present: Collection[UUID],
    actor_id: UUID,
    now: datetime,
    teacher_id: UUID | None = None,
) -> int:
    """Make the lesson's list say that exactly these enrolments were present; gives their number.

    Who is already noted keeps the way and the time; who is no longer ticked is taken off, which
    the audit log keeps. Raises `TooEarly`, `ClassNotOpen`, `NotFound`.
    """
    lesson, of_class = await get_own_lesson(session, lesson_id, centre_id=centre_id, teacher_id=teacher_id)
    held = await lock_class(session, of_class.id, centre_id=centre_id)
    check_open(held)
    early = await get_number(session, "attendance.early_minutes", on=china_date(now))
    if now < lesson.starts_at - timedelta(minutes=early):
        raise TooEarly(minutes=early)
    statement = select(ClassEnrolment.id).where(
        ClassEnrolment.class_id == held.id, col(ClassEnrolment.withdrawn_at).is_(None)
    )
    enrolled = set((await session.exec(statement)).all())
    wanted = enrolled & set(present)
    noted = set((await session.exec(select(Attendance.enrolment_id).where(Attendance.lesson_id == lesson_id))).all())
    for enrolment_id in wanted - noted:
        session.add(
            Attendance(
                lesson_id=lesson_id, enrolment_id=enrolment_id, way=AttendanceWay.LIST, at=now, recorded_by=actor_id
            )
        )
    if gone := noted - wanted:
        await session.exec(
            delete(Attendance).where(col(Attendance.lesson_id) == lesson_id, col(Attendance.enrolment_id).in_(gone))
        )
    if wanted != noted:
        audit.record(
            session, action="attendance.listed", target=("class_lesson", lesson_id), actor_id=actor_id, now=now,
            was={"present": sorted(str(each) for each in noted)}, present=len(wanted),
        )  # fmt: skip
    await session.flush()
    return len(wanted)


async def may_attend_now(session: AsyncSession, lesson: ClassLesson, of_class: TrainingClass, *, now: datetime) -> bool:
    """Whether the lesson's screen shows a code now."""
    early = await get_number(session, "attendance.early_minutes", on=china_date(now))
    return of_class.status is ClassStatus.OPEN and is_time_to_attend(lesson, now=now, early_minutes=early)

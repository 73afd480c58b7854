"""Classes of a training centre: opened, changed until the first lesson, enrolled for, cancelled."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from sqlmodel import col, func, or_, select

from training import audit
from training.errors import N_, BadInput, Conflict, NotFound
from training.models import (
    Attendance,
    ClassEnrolment,
    ClassLesson,
    ClassStatus,
    CourseStatus,
    CourseVersion,
    Organisation,
    Role,
    RoleGrant,
    TrainingClass,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from decimal import Decimal
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

SECRET_BYTES = 32
_TITLE_LENGTH, _ROOM_LENGTH, _REASON_LENGTH = 200, 100, 500
_PLACES_AT_MOST = 500
_LESSONS_AT_MOST = 60


class BadClass(BadInput):
    """Something about a class that cannot be; `why` says what."""

    message = N_("培训班信息有误：{why}。")


class ClassFull(Conflict):
    """No place is left. Capacity is never exceeded."""

    message = N_("“{title}”名额已满（{capacity} 人）。有人退出后会空出名额，也可以选择其他班次。")


class ClassNotOpen(Conflict):
    """The class is closed or cancelled."""

    message = N_("“{title}”已结班或已取消，不能再做这项操作。")


class ClassBegun(Conflict):
    """What was possible until the first lesson."""

    message = N_("“{title}”已经开课，不能再{act}。请与培训机构联系。")


class LessonsOver(Conflict):
    """Every lesson has begun: nobody can join any more."""

    message = N_("“{title}”的最后一次课已经开始，不能再加入学员。")


class HasAttendance(Conflict):
    """Somebody was already present."""

    message = N_("“{title}”已有签到记录，不能取消。请按实际情况结班。")


@dataclass(frozen=True)
class PlannedLesson:
    """One lesson as it is planned; an empty room means the class's own."""

    topic: str
    starts_at: datetime
    ends_at: datetime
    class_hours: Decimal
    room: str = ""


@dataclass(frozen=True)
class ClassPlan:
    """What a centre decides when it opens or changes a class."""

    course_version_id: UUID
    title: str
    teacher_id: UUID
    room: str
    capacity: int
    lessons: tuple[PlannedLesson, ...]


@dataclass(frozen=True)
class Clash:
    """A lesson of another class that needs the same room or the same teacher at the same time."""

    title: str
    starts_at: datetime
    ends_at: datetime
    room: str
    is_room: bool
    is_teacher: bool


def check_plan(plan: ClassPlan, *, now: datetime) -> None:
    """Raise `BadClass` with the first thing that cannot be."""
    if not 0 < len(plan.title.strip()) <= _TITLE_LENGTH:
        raise BadClass(why=N_("请填写班名"), field="title")
    if not 0 < len(plan.room.strip()) <= _ROOM_LENGTH:
        raise BadClass(why=N_("请填写教室"), field="room")
    if not 0 < plan.capacity <= _PLACES_AT_MOST:
        raise BadClass(why=N_("名额应为 1 到 500 之间的整数"), field="capacity")
    if not 0 < len(plan.lessons) <= _LESSONS_AT_MOST:
        raise BadClass(why=N_("至少安排一次课，最多 60 次"), field="lessons")
    ordered = sorted(plan.lessons, key=lambda lesson: lesson.starts_at)
    for lesson in ordered:
        _check_lesson(lesson, now=now)
    for earlier, later in pairwise(ordered):
        if later.starts_at < earlier.ends_at:
            raise BadClass(why=N_("同一班的两次课时间重叠"), field="lessons")


def _check_lesson(lesson: PlannedLesson, *, now: datetime) -> None:
    if not 0 < len(lesson.topic.strip()) <= _TITLE_LENGTH:
        raise BadClass(why=N_("每次课都要填写内容"), field="lessons")
    if not lesson.starts_at < lesson.ends_at:
        raise BadClass(why=N_("下课时间应晚于上课时间"), field="lessons")
    if lesson.starts_at <= now:
        raise BadClass(why=N_("上课时间应晚于现在"), field="lessons")
    if lesson.class_hours <= 0:
        raise BadClass(why=N_("每次课的学时应大于 0"), field="lessons")


async def lock_class(
    session: AsyncSession, class_id: UUID, *, centre_id: UUID, teacher_id: UUID | None = None
) -> TrainingClass:
    """The centre's own class, locked; with `teacher_id` only that teacher's. Raises `NotFound`."""
    statement = select(TrainingClass).where(TrainingClass.id == class_id, TrainingClass.centre_id == centre_id)
    if teacher_id is not None:
        statement = statement.where(TrainingClass.teacher_id == teacher_id)
    found = (await session.exec(statement.with_for_update())).one_or_none()
    if found is None:
        raise NotFound
    return found


async def list_lesson_rows(session: AsyncSession, class_id: UUID) -> Sequence[ClassLesson]:
    """The lessons of a class in order of time."""
    statement = select(ClassLesson).where(ClassLesson.class_id == class_id).order_by(col(ClassLesson.starts_at))
    return (await session.exec(statement)).all()


async def has_attendance(session: AsyncSession, class_id: UUID) -> bool:
    """Whether anybody was noted as present at any lesson."""
    statement = (
        select(Attendance.lesson_id)
        .join(ClassLesson, col(ClassLesson.id) == Attendance.lesson_id)
        .where(ClassLesson.class_id == class_id)
        .limit(1)
    )
    return (await session.exec(statement)).first() is not None


async def count_places_taken(session: AsyncSession, class_id: UUID) -> int:
    """How many have a place."""
    statement = select(func.count()).where(
        ClassEnrolment.class_id == class_id, col(ClassEnrolment.withdrawn_at).is_(None)
    )
    return (await session.exec(statement)).one()


async def list_clashes(
    session: AsyncSession, *, centre_id: UUID, plan: ClassPlan, except_class_id: UUID | None = None
) -> list[Clash]:
    """Lessons of other open classes in the same room of the centre, or with the same teacher, at the same time."""
    if not plan.lessons:
        return []
    statement = (
        select(ClassLesson, TrainingClass)
        .join(TrainingClass, col(TrainingClass.id) == ClassLesson.class_id)
        .where(
            TrainingClass.status == ClassStatus.OPEN,
            or_(TrainingClass.centre_id == centre_id, TrainingClass.teacher_id == plan.teacher_id),
            ClassLesson.starts_at < max(lesson.ends_at for lesson in plan.lessons),
            ClassLesson.ends_at > min(lesson.starts_at for lesson in plan.lessons),
        )
        .order_by(col(ClassLesson.starts_at))
    )
    found = []
    for lesson, of_class in (await session.exec(statement)).all():
        if of_class.id == except_class_id:
            continue
        meeting = [each for each in plan.lessons if each.starts_at < lesson.ends_at and lesson.starts_at < each.ends_at]
        is_teacher = bool(meeting) and of_class.teacher_id == plan.teacher_id
        is_room = of_class.centre_id == centre_id and any((each.room or plan.room) == lesson.room for each in meeting)
        if is_teacher or is_room:
            found.append(
                Clash(
                    of_class.title,
                    lesson.starts_at,
                    lesson.ends_at,
                    lesson.room,
                    is_room=is_room,
                    is_teacher=is_teacher,
                )
            )
    return found


async def open_class(
    session: AsyncSession, *, centre_id: UUID, plan: ClassPlan, actor_id: UUID, now: datetime
) -> TrainingClass:
    """Open a class of the centre for a published course. Raises `BadClass`.

    The same class opened again (same title, course and first lesson) gives the one that stands.
    """
    check_plan(plan, now=now)
    # A second click waits here for the first, and then finds its class.
    await session.exec(select(Organisation.id).where(Organisation.id == centre_id).with_for_update())
    await _check_course(session, plan.course_version_id)
    await _check_teacher(session, plan.teacher_id, centre_id=centre_id)
    if standing := await _find_same(session, centre_id=centre_id, plan=plan):
        return standing
    opened = TrainingClass(
        centre_id=centre_id,
        course_version_id=plan.course_version_id,
        title=plan.title.strip(),
        teacher_id=plan.teacher_id,
        room=plan.room.strip(),
        capacity=plan.capacity,
        created_at=now,
        created_by=actor_id,
    )
    session.add(opened)
    await session.flush()
    for lesson in sorted(plan.lessons, key=lambda each: each.starts_at):
        session.add(_lesson_row(lesson, opened))
    audit.record(
        session, action="class.opened", target=("training_class", opened.id), actor_id=actor_id, now=now,
        lessons=len(plan.lessons), capacity=plan.capacity,
    )  # fmt: skip
    await session.flush()
    return opened


def _lesson_row(lesson: PlannedLesson, of_class: TrainingClass) -> ClassLesson:
    return ClassLesson(
        class_id=of_class.id,
        topic=lesson.topic.strip(),
        room=lesson.room.strip() or of_class.room,
        starts_at=lesson.starts_at,
        ends_at=lesson.ends_at,
        class_hours=lesson.class_hours,
        attendance_secret=secrets.token_bytes(SECRET_BYTES),
    )


async def get_version(session: AsyncSession, course_version_id: UUID) -> CourseVersion:
    """The text of a course that a class is held for. Raises `NotFound`."""
    version = await session.get(CourseVersion, course_version_id)
    if version is None:
        raise NotFound
    return version


async def _check_course(session: AsyncSession, course_version_id: UUID) -> None:
    version = await session.get(CourseVersion, course_version_id)
    if version is None or version.status is not CourseStatus.PUBLISHED:
        raise BadClass(why=N_("请选择一门已发布的课程"), field="course_version_id")


async def _check_teacher(session: AsyncSession, teacher_id: UUID, *, centre_id: UUID) -> None:
    statement = select(RoleGrant.id).where(
        RoleGrant.person_id == teacher_id,
        RoleGrant.organisation_id == centre_id,
        RoleGrant.role == Role.TEACHER,
        col(RoleGrant.withdrawn_at).is_(None),
    )
    if (await session.exec(statement)).first() is None:
        raise BadClass(why=N_("请选择本机构的一名教师"), field="teacher_id")


async def _find_same(session: AsyncSession, *, centre_id: UUID, plan: ClassPlan) -> TrainingClass | None:
    statement = (
        select(TrainingClass)
        .join(ClassLesson, col(ClassLesson.class_id) == TrainingClass.id)
        .where(
            TrainingClass.centre_id == centre_id,
            TrainingClass.title == plan.title.strip(),
            TrainingClass.course_version_id == plan.course_version_id,
            TrainingClass.status == ClassStatus.OPEN,
            ClassLesson.starts_at == min(lesson.starts_at for lesson in plan.lessons),
        )
    )
    return (await session.exec(statement)).first()


async def change_class(
    session: AsyncSession, *, class_id: UUID, centre_id: UUID, plan: ClassPlan, actor_id: UUID, now: datetime
) -> TrainingClass:
    """Change a class before its first lesson. Raises `ClassBegun`, `ClassNotOpen`, `BadClass`."""
    held = await lock_class(session, class_id, centre_id=centre_id)
    lessons = await list_lesson_rows(session, class_id)
    check_not_begun(held, lessons, act=N_("修改"), now=now)
    if await has_attendance(session, class_id):
        raise ClassBegun(title=held.title, act=N_("修改"))
    check_plan(plan, now=now)
    if plan.course_version_id != held.course_version_id:
        await _check_course(session, plan.course_version_id)
    if plan.teacher_id != held.teacher_id:
        await _check_teacher(session, plan.teacher_id, centre_id=centre_id)
    if plan.capacity < await count_places_taken(session, class_id):
        raise BadClass(why=N_("名额不能少于已报名人数"), field="capacity")
    was = {"title": held.title, "room": held.room, "capacity": held.capacity, "lessons": len(lessons)}
    held.course_version_id, held.title = plan.course_version_id, plan.title.strip()
    held.teacher_id, held.room, held.capacity = plan.teacher_id, plan.room.strip(), plan.capacity
    session.add(held)
    await _replace_lessons(session, held, lessons, plan.lessons)
    audit.record(
        session, action="class.changed", target=("training_class", class_id), actor_id=actor_id, now=now, was=was,
        lessons=len(plan.lessons), capacity=plan.capacity,
    )  # fmt: skip
    await session.flush()
    return held


async def _replace_lessons(
    session: AsyncSession, of_class: TrainingClass, rows: Sequence[ClassLesson], planned: Sequence[PlannedLesson]
) -> None:
    """Lessons keep their rows, and so their keys, as far as there are any."""
    planned = sorted(planned, key=lambda each: each.starts_at)
    for row, lesson in zip(rows, planned, strict=False):
        row.topic, row.room = lesson.topic.strip(), lesson.room.strip() or of_class.room
        row.starts_at, row.ends_at, row.class_hours = lesson.starts_at, lesson.ends_at, lesson.class_hours
        session.add(row)
    for row in rows[len(planned) :]:
        await session.delete(row)
    for lesson in planned[len(rows) :]:
        session.add(_lesson_row(lesson, of_class))


def check_open(held: TrainingClass) -> None:
    if held.status is not ClassStatus.OPEN:
        raise ClassNotOpen(title=held.title)


def check_not_begun(held: TrainingClass, lessons: Sequence[ClassLesson], *, act: str, now: datetime) -> None:
    """Raise `ClassBegun` or `ClassNotOpen`; `act` names what was tried."""
    check_open(held)
    if lessons and lessons[0].starts_at <= now:
        raise ClassBegun(title=held.title, act=act)


async def cancel_class(
    session: AsyncSession, *, class_id: UUID, centre_id: UUID, reason: str, actor_id: UUID, now: datetime
) -> None:
    """Cancel a class at which nobody was present yet; the reason is shown to the enrolled.

    Cancelled again it stays as it is. Raises `ClassNotOpen`, `HasAttendance`, `BadClass`.
    """
    held = await lock_class(session, class_id, centre_id=centre_id)
    if held.status is ClassStatus.CANCELLED:
        return
    check_open(held)
    if not 0 < len(reason.strip()) <= _REASON_LENGTH:
        raise BadClass(why=N_("请填写取消原因，学员会看到它"), field="reason")
    if await has_attendance(session, class_id):
        raise HasAttendance(title=held.title)
    held.status, held.cancelled_at, held.cancelled_reason = ClassStatus.CANCELLED, now, reason.strip()
    session.add(held)
    audit.record(session, action="class.cancelled", target=("training_class", class_id), actor_id=actor_id, now=now)

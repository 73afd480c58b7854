"""What pages show of classes: boards, lists, timetables and attendance sheets."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from sqlmodel import col, func, select

from training.calendar import china_date, start_of_day
from training.class_closing import list_attended, sum_hours
from training.errors import NotFound
from training.models import (
    Attendance,
    AttendanceWay,
    ClassEnrolment,
    ClassLesson,
    ClassStatus,
    CourseStatus,
    CourseVersion,
    Organisation,
    Person,
    PersonDocument,
    Role,
    RoleGrant,
    TrainingClass,
    TrainingRecord,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import ColumnElement
    from sqlmodel.ext.asyncio.session import AsyncSession

_SHOWN_AT_MOST = 200


@dataclass(frozen=True)
class LessonLine:
    """One lesson with its class, as lists show it."""

    id: UUID
    class_id: UUID
    class_title: str
    topic: str
    room: str
    starts_at: datetime
    ends_at: datetime
    class_hours: Decimal
    present: int = 0


@dataclass(frozen=True)
class ClassLine:
    """One class as lists show it."""

    id: UUID
    title: str
    course_version_id: UUID
    course_title: str
    centre_name: str
    teacher_id: UUID
    teacher_name: str
    room: str
    capacity: int
    taken: int
    status: ClassStatus
    cancelled_reason: str
    lessons: tuple[LessonLine, ...]

    @property
    def free(self) -> int:
        """Places left."""
        return max(self.capacity - self.taken, 0)

    @property
    def class_hours(self) -> Decimal:
        """Hours of all lessons."""
        return sum((lesson.class_hours for lesson in self.lessons), Decimal(0))

    @property
    def starts_at(self) -> datetime:
        """The first lesson's start."""
        return self.lessons[0].starts_at

    @property
    def ends_at(self) -> datetime:
        """The last lesson's end."""
        return self.lessons[-1].ends_at

    def has_begun(self, now: datetime) -> bool:
        """Whether the first lesson has started."""
        return self.starts_at <= now

    def is_over(self, now: datetime) -> bool:
        """Whether the last lesson has ended."""
        return self.ends_at <= now


@dataclass(frozen=True)
class LearnerLine:
    """One learner of a class: whom the centre may know by name and masked number."""

    enrolment_id: UUID
    person_id: UUID
    name: str
    number_masked: str
    enrolled_at: datetime
    attended: frozenset[UUID]
    class_hours: Decimal


@dataclass(frozen=True)
class RecordInForce:
    """The record that a learner got from the class, as it stands after corrections."""

    id: UUID
    enrolment_id: UUID
    name: str
    class_hours: Decimal
    assessment: str
    passed: bool
    is_correction: bool


@dataclass(frozen=True)
class SheetLine:
    """One learner on a lesson's attendance sheet."""

    enrolment_id: UUID
    name: str
    number_masked: str
    way: AttendanceWay | None
    at: datetime | None


@dataclass(frozen=True)
class Board:
    """What a centre sees first."""

    running: tuple[ClassLine, ...]
    coming: tuple[ClassLine, ...]
    to_close: tuple[ClassLine, ...]
    finished: tuple[ClassLine, ...]
    today: tuple[LessonLine, ...]


async def _lines(session: AsyncSession, *conditions: ColumnElement[bool] | bool) -> list[ClassLine]:
    statement = (
        select(TrainingClass, CourseVersion.title, Organisation.name, Person.name)
        .join(CourseVersion, col(CourseVersion.id) == TrainingClass.course_version_id)
        .join(Organisation, col(Organisation.id) == TrainingClass.centre_id)
        .join(Person, col(Person.id) == TrainingClass.teacher_id)
        .where(*conditions)
        .order_by(col(TrainingClass.created_at).desc())
        .limit(_SHOWN_AT_MOST)
    )
    rows = (await session.exec(statement)).all()
    class_ids = [row[0].id for row in rows]
    lessons = await _lessons_of(session, class_ids)
    taken = await _places_taken(session, class_ids)
    lines = [
        ClassLine(
            id=held.id,
            title=held.title,
            course_version_id=held.course_version_id,
            course_title=course_title,
            centre_name=centre_name,
            teacher_id=held.teacher_id,
            teacher_name=teacher_name,
            room=held.room,
            capacity=held.capacity,
            taken=taken.get(held.id, 0),
            status=held.status,
            cancelled_reason=held.cancelled_reason,
            lessons=tuple(lessons.get(held.id, ())),
        )
        for held, course_title, centre_name, teacher_name in rows
    ]
    return sorted((line for line in lines if line.lessons), key=lambda line: line.starts_at)


async def _places_taken(session: AsyncSession, class_ids: Sequence[UUID]) -> dict[UUID, int]:
    statement = (
        select(ClassEnrolment.class_id, func.count())
        .where(col(ClassEnrolment.class_id).in_(class_ids), col(ClassEnrolment.withdrawn_at).is_(None))
        .group_by(col(ClassEnrolment.class_id))
    )
    return dict((await session.exec(statement)).all())


async def _lessons_of(session: AsyncSession, class_ids: Sequence[UUID]) -> dict[UUID, list[LessonLine]]:
    if not class_ids:
        return {}
    present = (
        select(func.count()).where(Attendance.lesson_id == ClassLesson.id).correlate(ClassLesson).scalar_subquery()
    )
    statement = (
        select(ClassLesson, TrainingClass.title, present)
        .join(TrainingClass, col(TrainingClass.id) == ClassLesson.class_id)
        .where(col(ClassLesson.class_id).in_(class_ids))
        .order_by(col(ClassLesson.starts_at))
    )
    found: dict[UUID, list[LessonLine]] = {}
    for lesson, title, count in (await session.exec(statement)).all():
        found.setdefault(lesson.class_id, []).append(_lesson_line(lesson, title, count))
    return found


def _lesson_line(lesson: ClassLesson, title: str, present: int) -> LessonLine:
    return LessonLine(
        id=lesson.id,
        class_id=lesson.class_id,
        class_title=title,
        topic=lesson.topic,
        room=lesson.room,
        starts_at=lesson.starts_at,
        ends_at=lesson.ends_at,
        class_hours=lesson.class_hours,
        present=present,
    )


def _lessons_on_day(lines: Iterable[ClassLine], now: datetime) -> tuple[LessonLine, ...]:
    start = start_of_day(china_date(now))
    end = start + timedelta(days=1)
    today = [lesson for line in lines for lesson in line.lessons if start <= lesson.starts_at < end]
    return tuple(sorted(today, key=lambda lesson: lesson.starts_at))


async def get_board(session: AsyncSession, *, centre_id: UUID, teacher_id: UUID | None, now: datetime) -> Board:
    """The centre's classes by what is to be done; with `teacher_id` only that teacher's."""
    own = [TrainingClass.centre_id == centre_id]
    if teacher_id is not None:
        own.append(TrainingClass.teacher_id == teacher_id)
    lines = await _lines(session, *own)
    is_open = [line for line in lines if line.status is ClassStatus.OPEN]
    return Board(
        running=tuple(line for line in is_open if line.has_begun(now) and not line.is_over(now)),
        coming=tuple(line for line in is_open if not line.has_begun(now)),
        to_close=tuple(line for line in is_open if line.is_over(now)),
        finished=tuple(reversed([line for line in lines if line.status is not ClassStatus.OPEN])),
        today=_lessons_on_day(is_open, now),
    )


async def get_class_line(
    session: AsyncSession, class_id: UUID, *, centre_id: UUID | None = None, teacher_id: UUID | None = None
) -> ClassLine:
    """One class; with `centre_id` the centre's own, with `teacher_id` the teacher's. Raises `NotFound`."""
    conditions = [TrainingClass.id == class_id]
    if centre_id is not None:
        conditions.append(TrainingClass.centre_id == centre_id)
    if teacher_id is not None:
        conditions.append(TrainingClass.teacher_id == teacher_id)
    lines = await _lines(session, *conditions)
    if not lines:
        raise NotFound
    return lines[0]


async def list_learners(session: AsyncSession, class_id: UUID) -> list[LearnerLine]:
    """Who has a place, with the lessons attended so far."""
    lessons = (await session.exec(select(ClassLesson).where(ClassLesson.class_id == class_id))).all()
    attended = await list_attended(session, class_id)
    statement = (
        select(ClassEnrolment, Person.name, PersonDocument.number_masked)
        .join(Person, col(Person.id) == ClassEnrolment.person_id)
        .join(PersonDocument, (col(PersonDocument.person_id) == Person.id) & col(PersonDocument.is_primary))
        .where(ClassEnrolment.class_id == class_id, col(ClassEnrolment.withdrawn_at).is_(None))
        .order_by(col(Person.name), col(ClassEnrolment.id))
    )
    return [
        LearnerLine(
            enrolment_id=enrolment.id,
            person_id=enrolment.person_id,
            name=name,
            number_masked=number_masked,
            enrolled_at=enrolment.enrolled_at,
            attended=frozenset(attended.get(enrolment.id, ())),
            class_hours=sum_hours([lesson for lesson in lessons if lesson.id in attended.get(enrolment.id, ())]),
        )
        for enrolment, name, number_masked in (await session.exec(statement)).all()
    ]


async def list_sheet(session: AsyncSession, lesson: ClassLesson) -> list[SheetLine]:
    """The attendance sheet of a lesson."""
    statement = (
        select(ClassEnrolment, Person.name, PersonDocument.number_masked, Attendance)
        .join(Person, col(Person.id) == ClassEnrolment.person_id)
        .join(PersonDocument, (col(PersonDocument.person_id) == Person.id) & col(PersonDocument.is_primary))
        .join(
            Attendance,
            (col(Attendance.enrolment_id) == ClassEnrolment.id) & (col(Attendance.lesson_id) == lesson.id),
            isouter=True,
        )
        .where(ClassEnrolment.class_id == lesson.class_id, col(ClassEnrolment.withdrawn_at).is_(None))
        .order_by(col(Person.name), col(ClassEnrolment.id))
    )
    return [
        SheetLine(
            enrolment_id=enrolment.id,
            name=name,
            number_masked=number_masked,
            way=attendance.way if attendance else None,
            at=attendance.at if attendance else None,
        )
        for enrolment, name, number_masked, attendance in (await session.exec(statement)).all()
    ]


async def list_class_records(session: AsyncSession, class_id: UUID) -> list[RecordInForce]:
    """The records that closing the class made, as they stand."""
    corrected = select(TrainingRecord.corrects_id).where(col(TrainingRecord.corrects_id).is_not(None))
    statement = (
        select(TrainingRecord, Person.name)
        .join(ClassEnrolment, col(ClassEnrolment.id) == TrainingRecord.enrolment_id)
        .join(Person, col(Person.id) == TrainingRecord.person_id)
        .where(ClassEnrolment.class_id == class_id, col(TrainingRecord.id).not_in(corrected))
        .order_by(col(Person.name), col(TrainingRecord.id))
    )
    return [
        RecordInForce(
            id=record.id,
            enrolment_id=record.enrolment_id,
            name=name,
            class_hours=record.class_hours,
            assessment=record.assessment,
            passed=record.passed,
            is_correction=record.corrects_id is not None,
        )
        for record, name in (await session.exec(statement)).all()
        if record.enrolment_id is not None
    ]


async def list_open_classes(session: AsyncSession, *, now: datetime) -> list[ClassLine]:
    """Classes of every centre that one can still enrol for, the nearest first."""
    begun = select(ClassLesson.class_id).where(ClassLesson.starts_at <= now)
    return await _lines(session, TrainingClass.status == ClassStatus.OPEN, col(TrainingClass.id).not_in(begun))


async def list_my_classes(session: AsyncSession, *, person_id: UUID) -> list[ClassLine]:
    """The classes in which the person has a place."""
    mine = select(ClassEnrolment.class_id).where(
        ClassEnrolment.person_id == person_id, col(ClassEnrolment.withdrawn_at).is_(None)
    )
    return await _lines(session, col(TrainingClass.id).in_(mine))


async def list_teachers(session: AsyncSession, centre_id: UUID) -> list[tuple[UUID, str]]:
    """The centre's teachers, for a select box."""
    statement = (
        select(Person.id, Person.name)
        .join(RoleGrant, col(RoleGrant.person_id) == Person.id)
        .where(
            RoleGrant.organisation_id == centre_id,
            RoleGrant.role == Role.TEACHER,
            col(RoleGrant.withdrawn_at).is_(None),
        )
        .order_by(col(Person.name))
    )
    return [(key, name) for key, name in (await session.exec(statement)).all()]


async def list_courses_to_teach(session: AsyncSession) -> list[tuple[UUID, str]]:
    """Published courses, for a select box."""
    statement = (
        select(CourseVersion.id, CourseVersion.title)
        .where(CourseVersion.status == CourseStatus.PUBLISHED)
        .order_by(col(CourseVersion.title))
    )
    return [(key, title) for key, title in (await session.exec(statement)).all()]

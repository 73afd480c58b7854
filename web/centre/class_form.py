"""The form by which a class is opened or changed: what was typed, and the plan that it means."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING
from uuid import UUID

from training.calendar import CHINA
from training.classes import BadClass, ClassPlan, PlannedLesson
from training.errors import N_

if TYPE_CHECKING:
    from litestar.datastructures import FormMultiDict

    from training.class_lists import ClassLine

_ROWS_AT_FIRST = 3
_ROWS_AT_MOST = 60
_COLUMNS = ("topic", "day", "start", "end", "hours", "room")


@dataclass(frozen=True)
class LessonFields:
    """One row of lessons as typed."""

    topic: str = ""
    day: str = ""
    start: str = ""
    end: str = ""
    hours: str = ""
    room: str = ""

    @property
    def is_empty(self) -> bool:
        """Whether the row is left out: the day is what makes a lesson."""
        return not (self.day or self.topic)


@dataclass(frozen=True)
class ClassFields:
    """The whole form as typed."""

    course_version_id: str = ""
    title: str = ""
    teacher_id: str = ""
    room: str = ""
    capacity: str = "30"
    accepts_clash: bool = False
    wants_row: bool = False
    lessons: tuple[LessonFields, ...] = field(default_factory=lambda: (LessonFields(),) * _ROWS_AT_FIRST)

    def with_another_row(self) -> ClassFields:
        """The same form with one more empty row."""
        if len(self.lessons) >= _ROWS_AT_MOST:
            return self
        return replace(self, lessons=(*self.lessons, LessonFields()))


def read_fields(form: FormMultiDict) -> ClassFields:
    """What was typed."""
    columns = [[str(value).strip() for value in form.getall(f"lesson_{name}", [])] for name in _COLUMNS]
    rows = tuple(LessonFields(*row) for row in list(zip(*columns, strict=False))[:_ROWS_AT_MOST])
    return ClassFields(
        course_version_id=str(form.get("course_version_id", "")),
        title=str(form.get("title", "")),
        teacher_id=str(form.get("teacher_id", "")),
        room=str(form.get("room", "")),
        capacity=str(form.get("capacity", "")),
        accepts_clash=form.get("accepts_clash") == "yes",
        wants_row=form.get("more") == "yes",
        lessons=rows or (LessonFields(),),
    )


def fields_of(held: ClassLine) -> ClassFields:
    """The form of a class that stands."""
    return ClassFields(
        course_version_id=str(held.course_version_id),
        title=held.title,
        teacher_id=str(held.teacher_id),
        room=held.room,
        capacity=str(held.capacity),
        lessons=tuple(
            LessonFields(
                topic=lesson.topic,
                day=f"{lesson.starts_at.astimezone(CHINA):%Y-%m-%d}",
                start=f"{lesson.starts_at.astimezone(CHINA):%H:%M}",
                end=f"{lesson.ends_at.astimezone(CHINA):%H:%M}",
                hours=f"{lesson.class_hours.normalize():f}",
                room="" if lesson.room == held.room else lesson.room,
            )
            for lesson in held.lessons
        ),
    )


def plan_of(fields: ClassFields) -> ClassPlan:
    """The plan that was typed. Raises `BadClass` for what cannot be read."""
    return ClassPlan(
        course_version_id=_key(fields.course_version_id, why=N_("请选择一门已发布的课程"), name="course_version_id"),
        title=fields.title,
        teacher_id=_key(fields.teacher_id, why=N_("请选择本机构的一名教师"), name="teacher_id"),
        room=fields.room,
        capacity=int(fields.capacity) if fields.capacity.isascii() and fields.capacity.isdigit() else 0,
        lessons=tuple(_lesson(row) for row in fields.lessons if not row.is_empty),
    )


def _key(typed: str, *, why: str, name: str) -> UUID:
    try:
        return UUID(typed)
    except ValueError:
        raise BadClass(why=why, field=name) from None


def _lesson(row: LessonFields) -> PlannedLesson:
    return PlannedLesson(
        topic=row.topic,
        starts_at=_instant(row.day, row.start),
        ends_at=_instant(row.day, row.end),
        class_hours=_hours(row.hours),
        room=row.room,
    )


def _instant(day: str, time: str) -> datetime:
    try:
        return datetime.strptime(f"{day} {time}", "%Y-%m-%d %H:%M").replace(tzinfo=CHINA)
    except ValueError:
        raise BadClass(why=N_("请填写每次课的日期和起止时间"), field="lessons") from None


def _hours(typed: str) -> Decimal:
    try:
        hours = Decimal(typed)
    except InvalidOperation:
        hours = Decimal(0)
    if not hours.is_finite() or not 0 < hours <= 12 or hours != round(hours, 1):  # noqa: PLR2004 - more than a day holds
        raise BadClass(why=N_("每次课的学时应在 0.1 到 12 之间"), field="lessons")
    return hours

"""Courses to assign, records of what was learnt, and staff lists to import."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import TYPE_CHECKING

from openpyxl import Workbook

from tests.makers.people import impossible_id_number
from training.models import (
    Course,
    CourseStatus,
    CourseVersion,
    Education,
    IdType,
    PersonCategory,
    TrainingMode,
    TrainingRecord,
)
from training.staff_sheet import COLUMNS, to_bytes

if TYPE_CHECKING:
    from datetime import datetime
    from enum import StrEnum
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

_codes = itertools.count(1)


async def make_course(
    session: AsyncSession, *, now: datetime, title: str = "消防安全常识", is_published: bool = True
) -> UUID:
    """A course with one version and no content; gives the course's id."""
    course = Course(code=f"T{next(_codes):03d}", created_at=now)
    session.add(course)
    await session.flush()
    session.add(
        CourseVersion(
            course_id=course.id,
            number=1,
            title=title,
            class_hours=Decimal("2.0"),
            audience=["EMPLOYEE"],
            status=CourseStatus.PUBLISHED if is_published else CourseStatus.DRAFT,
            content_hash=b"0" * 32,
            created_at=now,
        )
    )
    await session.flush()
    return course.id


async def make_record(
    session: AsyncSession,
    *,
    person_id: UUID,
    organisation_id: UUID | None,
    now: datetime,
    title: str = "消防安全常识",
    passed: bool = True,
    corrects_id: UUID | None = None,
    class_hours: str = "2.0",
) -> TrainingRecord:
    record = TrainingRecord(
        person_id=person_id,
        organisation_id=organisation_id,
        mode=TrainingMode.ONLINE,
        title=title,
        content="疏散、灭火、报警",
        started_at=now,
        ended_at=now,
        class_hours=Decimal(class_hours),
        trainer="安培",
        assessment="测验 90 分",
        passed=passed,
        corrects_id=corrects_id,
        created_at=now,
    )
    session.add(record)
    await session.flush()
    return record


HEADINGS = {heading: key for key, heading, _ in COLUMNS}
WORDS: dict[str, StrEnum] = {
    "居民身份证": IdType.ID_CARD,
    "护照": IdType.PASSPORT,
    "大专": Education.COLLEGE,
    "其他从业人员": PersonCategory.EMPLOYEE,
}
_SERIALS_OF_LISTS = 90_000


def staff_row(place: int) -> dict[str, str]:
    """One good row; the same place gives the same person."""
    return {
        "name": f"王{'一二三四五六七八九十'[place % 10]}{'甲乙丙丁'[place // 10 % 4]}",
        "id_type": "居民身份证",
        "number": impossible_id_number(_SERIALS_OF_LISTS + place),
        "phone": f"101{place:08d}",
        "education": "大专",
        "category": "其他从业人员",
        "department": "一车间" if place % 2 else "二车间",
        "post": "电工",
        "started_on": "2026-01-05",
    }


def make_sheet(*rows: dict[str, str]) -> bytes:
    """An xlsx as a manager would fill the template."""
    book = Workbook()
    book.active.append([heading for _, heading, _ in COLUMNS])
    for row in rows:
        book.active.append([row.get(key, "") for key, _, _ in COLUMNS])
        for cell in book.active[book.active.max_row]:
            cell.data_type = "s"
    return to_bytes(book)

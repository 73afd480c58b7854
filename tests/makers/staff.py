"""Courses to assign, records of what was learnt, and staff lists to import."""

from __future__ import annotations

import itertools
from decimal import Decimal
from typing import TYPE_CHECKING

from training.models import Course, CourseStatus, CourseVersion, TrainingMode, TrainingRecord

if TYPE_CHECKING:
    from datetime import datetime
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

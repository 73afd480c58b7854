"""Classes with defaults for everything."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlmodel import col, select

from tests.makers.people import Known, make_organisation, make_role
from training.classes import ClassPlan, PlannedLesson, list_lesson_rows, open_class
from training.models import (
    ClassLesson,
    Course,
    CourseStatus,
    CourseVersion,
    Organisation,
    OrganisationKind,
    Role,
    TrainingClass,
)

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault

_codes = itertools.count(1)


async def make_published_course(session: AsyncSession, *, now: datetime, title: str = "低压电工初训") -> CourseVersion:
    """A published course without any lesson block: enough to teach in a room."""
    course = Course(code=f"TT{next(_codes):03d}", created_at=now)
    session.add(course)
    await session.flush()
    version = CourseVersion(
        course_id=course.id, number=1, title=title, class_hours=Decimal(16), audience=["EMPLOYEE"],
        status=CourseStatus.PUBLISHED, content_hash=b"x", created_at=now,
    )  # fmt: skip
    session.add(version)
    await session.flush()
    return version


@dataclass(frozen=True)
class MadeCentre:
    organisation: Organisation
    manager: Known
    teacher: Known
    version: CourseVersion


async def make_centre(session: AsyncSession, vault: Vault, *, now: datetime, name: str = "演示培训中心") -> MadeCentre:
    organisation = await make_organisation(session, now=now, kind=OrganisationKind.CENTRE, name=name)
    return MadeCentre(
        organisation=organisation,
        manager=await make_role(
            session, vault, role=Role.CENTRE_MANAGER, organisation=organisation, now=now, name="周主任"
        ),
        teacher=await make_role(session, vault, role=Role.TEACHER, organisation=organisation, now=now, name="郑老师"),
        version=await make_published_course(session, now=now),
    )


def plan_for(
    centre: MadeCentre,
    *,
    now: datetime,
    title: str = "低压电工初训一班",
    room: str = "101 教室",
    capacity: int = 30,
    lessons: int = 2,
    starts_in: timedelta = timedelta(days=1),
) -> ClassPlan:
    """Lessons of four class hours on following days, the first one `starts_in` from now."""
    starts = [now + starts_in + timedelta(days=number) for number in range(lessons)]
    return ClassPlan(
        course_version_id=centre.version.id,
        title=title,
        teacher_id=centre.teacher.person.id,
        room=room,
        capacity=capacity,
        lessons=tuple(
            PlannedLesson(f"第 {number} 讲", start, start + timedelta(hours=3), Decimal(4))
            for number, start in enumerate(starts, 1)
        ),
    )


async def make_class(
    session: AsyncSession, centre: MadeCentre, *, now: datetime, capacity: int = 30, title: str = "低压电工初训一班"
) -> tuple[TrainingClass, list[ClassLesson]]:
    """An open class whose first lesson is a day away."""
    opened = await open_class(
        session,
        centre_id=centre.organisation.id,
        plan=plan_for(centre, now=now, capacity=capacity, title=title),
        actor_id=centre.manager.person.id,
        now=now,
    )
    return opened, list(await list_lesson_rows(session, opened.id))


async def count_classes(session: AsyncSession, centre: MadeCentre) -> int:
    statement = select(TrainingClass.id).where(col(TrainingClass.centre_id) == centre.organisation.id)
    return len((await session.exec(statement)).all())

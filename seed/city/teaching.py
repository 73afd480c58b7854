"""Classes of the training centres: over, waiting to be closed, running, coming and cancelled."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from certificates.issuing import issue_training_proof
from seed.city.times import at, weekday
from training.attendance import mark_list
from training.calendar import china_date
from training.class_closing import Result, close_class
from training.classes import ClassPlan, PlannedLesson, cancel_class, list_lesson_rows, open_class
from training.enrolments import enrol_oneself

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from seed.city.state import City, Worker
    from training.models import ClassEnrolment, ClassLesson, TrainingClass

_HALF_DAYS = ((9, 0), (13, 30))


@dataclass(frozen=True)
class Staff:
    """A centre, who teaches and who runs it, by the city's keys."""

    centre: str
    teacher: str
    manager: str


_ONE = Staff("centre-1", "teacher", "centre_manager")
_ONE_B = Staff("centre-1", "teacher_2", "centre_manager")
_TWO = Staff("centre-2", "teacher_3", "centre_manager_2")
_THREE = Staff("centre-3", "teacher_4", "centre_manager_3")


@dataclass(frozen=True)
class Term:
    """A class to hold. `days` are the days of its lessons from today; each is one half day."""

    title: str
    course: str
    room: str
    days: tuple[int, ...]
    learners: int
    staff: Staff = _ONE
    afternoon: bool = False
    closes: bool = False
    cancels: bool = False


TERMS = (
    Term("动火作业安全培训 一期", "C11", "101 教室", (-90, -89), 18, closes=True),
    Term("新员工消防安全培训 一班", "C02", "102 教室", (-60, -59), 24, staff=_ONE_B, closes=True),
    Term("特种设备与用电安全 一班", "C06", "101 教室", (-35, -34), 15, closes=True),
    Term("动火作业安全培训 二期", "C11", "101 教室", (-6, -5), 12),
    Term("安全管理人员法规培训", "C01", "102 教室", (-3, 0, 3), 20, afternoon=True),
    Term("消防安全责任人培训", "C02", "201 教室", (0, 1), 16, staff=_ONE_B),
    Term("动火作业安全培训 三期", "C11", "101 教室", (8, 9), 9),
    Term("防汛与高空坠物专题班", "C09", "102 教室", (12,), 4, staff=_ONE_B),
    Term("活动安全专题班", "C03", "201 教室", (6,), 3, staff=_ONE_B, cancels=True),
    Term("车间用电安全培训", "C06", "一号教室", (-28, -27), 14, closes=True, staff=_TWO),
    Term("消防实操培训 一班", "C02", "二号教室", (10, 11), 7, staff=_TWO),
    Term("动火监护人培训", "C11", "实训楼 3 层", (-50, -49), 11, closes=True, staff=_THREE),
    Term("配电房值班人员培训", "C06", "实训楼 2 层", (14, 15), 5, staff=_THREE),
)


async def hold_classes(city: City) -> None:
    """Open every class, enrol, note attendance as far as time has gone, close what is closed."""
    learners = [worker for firm in city.firms[1:] for worker in firm.staff if worker.post != "总经理"]
    for term in TERMS:
        own = random.Random(term.title).sample(learners, term.learners)
        async with city.work() as session:
            await _hold(session, city, term, own)


def _plan(city: City, term: Term) -> ClassPlan:
    today = china_date(city.now)
    hour, minute = _HALF_DAYS[term.afternoon]
    lessons = []
    for number, days in enumerate(term.days, 1):
        day = today + timedelta(days=days)
        starts = at(weekday(day) if days < -10 and number == 1 else day, hour, minute)  # noqa: PLR2004 - long ago
        lessons.append(PlannedLesson(f"第 {number} 讲", starts, starts + timedelta(hours=3), Decimal(4)))
    return ClassPlan(
        course_version_id=city.courses[term.course].version_id,
        title=f"{today.year} 年{term.title}",
        teacher_id=city.who(term.staff.teacher),
        room=term.room,
        capacity=30,
        lessons=tuple(lessons),
    )


async def _hold(session: AsyncSession, city: City, term: Term, people: Sequence[Worker]) -> None:
    plan = _plan(city, term)
    opened = min(plan.lessons[0].starts_at - timedelta(days=16), city.now - timedelta(days=4))
    centre_id, manager_id = city.places[term.staff.centre], city.who(term.staff.manager)
    held = await open_class(session, centre_id=centre_id, plan=plan, actor_id=manager_id, now=opened)
    enrolments = [
        await enrol_oneself(
            session, class_id=held.id, person_id=worker.person.id,
            now=opened + timedelta(days=1 + place % 2, hours=place % 9)
        )
        for place, worker in enumerate(people)
    ]  # fmt: skip
    if term.cancels:
        await cancel_class(
            session, class_id=held.id, centre_id=centre_id, reason="报名人数不足，改期另行通知（演示数据）",
            actor_id=manager_id, now=city.now - timedelta(days=1),
        )  # fmt: skip
        return
    for number, lesson in enumerate(await list_lesson_rows(session, held.id)):
        if lesson.starts_at + timedelta(minutes=10) < city.now:
            await _note_present(session, city, term, lesson, enrolments, number=number)
    if term.closes:
        await _close(session, city, term, held, enrolments)


async def _note_present(
    session: AsyncSession,
    city: City,
    term: Term,
    lesson: ClassLesson,
    enrolments: Sequence[ClassEnrolment],
    *,
    number: int,
) -> None:
    present = [each.id for place, each in enumerate(enrolments) if (place + number) % 9 != 8]  # noqa: PLR2004 - one of nine
    await mark_list(
        session, lesson_id=lesson.id, centre_id=city.places[term.staff.centre], present=present,
        actor_id=city.who(term.staff.teacher), now=lesson.starts_at + timedelta(minutes=10),
    )  # fmt: skip


async def _close(
    session: AsyncSession, city: City, term: Term, held: TrainingClass, enrolments: Sequence[ClassEnrolment]
) -> None:
    ended = await _last_end(session, held)
    results = {
        each.id: Result(passed=place % 10 != 7, score=Decimal(92 - place % 10 if place % 10 != 7 else 51))  # noqa: PLR2004
        for place, each in enumerate(enrolments)
    }  # fmt: skip
    records = await close_class(
        session, class_id=held.id, centre_id=city.places[term.staff.centre], results=results,
        actor_id=city.who(term.staff.teacher), now=ended + timedelta(hours=1),
    )  # fmt: skip
    for record in [record for record in records if record.passed][:4]:
        await issue_training_proof(
            session, training_record_id=record.id, issuer_id=city.places[term.staff.centre],
            actor_id=city.who(term.staff.manager), signer=city.signer, vault=city.vault, now=ended + timedelta(days=2),
        )  # fmt: skip


async def _last_end(session: AsyncSession, held: TrainingClass) -> datetime:
    return (await list_lesson_rows(session, held.id))[-1].ends_at

"""Opening, changing and cancelling classes, and their places."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest

from tests.makers.classes import MadeCentre, count_classes, make_centre, make_class, plan_for
from tests.makers.databases import copied_database
from tests.makers.people import make_person
from training.attendance import attend_by_code
from training.attendance_codes import code_at
from training.class_lists import get_board, get_class_line, list_learners, list_my_classes, list_open_classes
from training.classes import (
    BadClass,
    ClassBegun,
    ClassFull,
    ClassNotOpen,
    HasAttendance,
    LessonsOver,
    cancel_class,
    change_class,
    count_places_taken,
    list_clashes,
    list_lesson_rows,
    open_class,
)
from training.enrolments import (
    BadLines,
    NoLines,
    enrol_oneself,
    enrol_people,
    parse_people,
    remove_learner,
    withdraw_oneself,
)
from training.errors import NotFound
from training.models import ClassStatus
from web.database import make_engine, make_sessions

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault


@pytest.fixture
async def centre(session: AsyncSession, vault: Vault, now: datetime) -> MadeCentre:
    return await make_centre(session, vault, now=now)


async def test_opening_the_same_class_twice_gives_one(session: AsyncSession, centre: MadeCentre, now: datetime) -> None:
    first, _ = await make_class(session, centre, now=now)
    second, lessons = await make_class(session, centre, now=now)
    assert first.id == second.id
    assert len(lessons) == 2
    assert await count_classes(session, centre) == 1


async def test_a_plan_with_a_mistake_is_refused_with_the_reason(
    session: AsyncSession, centre: MadeCentre, now: datetime
) -> None:
    good = plan_for(centre, now=now)
    lesson = good.lessons[0]
    bad = [
        replace(good, title=" "),
        replace(good, room=""),
        replace(good, capacity=0),
        replace(good, lessons=()),
        replace(good, lessons=(replace(lesson, topic=""),)),
        replace(good, lessons=(replace(lesson, ends_at=lesson.starts_at),)),
        replace(good, lessons=(replace(lesson, starts_at=now),)),
        replace(good, lessons=(replace(lesson, class_hours=Decimal(0)),)),
        replace(good, lessons=(lesson, lesson)),
        replace(good, teacher_id=centre.manager.person.id),
        replace(good, course_version_id=uuid4()),
    ]
    for plan in bad:
        with pytest.raises(BadClass):
            await open_class(
                session, centre_id=centre.organisation.id, plan=plan, actor_id=centre.manager.person.id, now=now
            )


async def test_a_room_or_a_teacher_needed_twice_is_told(
    session: AsyncSession, centre: MadeCentre, now: datetime
) -> None:
    opened, _ = await make_class(session, centre, now=now)
    plan = plan_for(centre, now=now, title="另一个班", lessons=1, starts_in=timedelta(days=1, hours=2))
    both = await list_clashes(session, centre_id=centre.organisation.id, plan=plan)
    assert [(clash.is_room, clash.is_teacher) for clash in both] == [(True, True)]
    other_room = await list_clashes(session, centre_id=centre.organisation.id, plan=replace(plan, room="202 教室"))
    assert [(clash.is_room, clash.is_teacher) for clash in other_room] == [(False, True)]
    itself = await list_clashes(session, centre_id=centre.organisation.id, plan=plan, except_class_id=opened.id)
    assert itself == []
    right_after = plan_for(centre, now=now, title="另一个班", lessons=1, starts_in=timedelta(days=1, hours=3))
    assert await list_clashes(session, centre_id=centre.organisation.id, plan=right_after) == []


async def test_a_class_changes_until_its_first_lesson(session: AsyncSession, centre: MadeCentre, now: datetime) -> None:
    opened, lessons = await make_class(session, centre, now=now)
    plan = plan_for(centre, now=now, title="改名后的班", lessons=3, capacity=5)
    act = {"class_id": opened.id, "centre_id": centre.organisation.id, "actor_id": centre.manager.person.id}
    await change_class(session, plan=plan, now=now, **act)
    after = await list_lesson_rows(session, opened.id)
    assert [lesson.id for lesson in after][:2] == [lesson.id for lesson in lessons]
    assert len(after) == 3
    await change_class(session, plan=plan_for(centre, now=now, lessons=1), now=now, **act)
    assert len(await list_lesson_rows(session, opened.id)) == 1
    with pytest.raises(ClassBegun):
        await change_class(session, plan=plan, now=lessons[0].starts_at, **act)


async def test_places_are_not_fewer_than_the_enrolled(
    session: AsyncSession, vault: Vault, centre: MadeCentre, now: datetime
) -> None:
    opened, _ = await make_class(session, centre, now=now)
    for _ in range(2):
        known = await make_person(session, vault, now=now)
        await enrol_oneself(session, class_id=opened.id, person_id=known.person.id, now=now)
    with pytest.raises(BadClass):
        await change_class(
            session, class_id=opened.id, centre_id=centre.organisation.id, plan=plan_for(centre, now=now, capacity=1),
            actor_id=centre.manager.person.id, now=now,
        )  # fmt: skip


async def test_another_centres_class_is_not_found(
    session: AsyncSession, vault: Vault, centre: MadeCentre, now: datetime
) -> None:
    opened, _ = await make_class(session, centre, now=now)
    other = await make_centre(session, vault, now=now, name="另一培训中心")
    with pytest.raises(NotFound):
        await cancel_class(
            session, class_id=opened.id, centre_id=other.organisation.id, reason="停电",
            actor_id=other.manager.person.id, now=now,
        )  # fmt: skip
    with pytest.raises(NotFound):
        await get_class_line(session, opened.id, centre_id=other.organisation.id)


async def test_a_class_is_cancelled_with_a_reason_and_only_while_nobody_came(
    session: AsyncSession, vault: Vault, centre: MadeCentre, now: datetime
) -> None:
    opened, lessons = await make_class(session, centre, now=now)
    known = await make_person(session, vault, now=now)
    await enrol_oneself(session, class_id=opened.id, person_id=known.person.id, now=now)
    act = {"class_id": opened.id, "centre_id": centre.organisation.id, "actor_id": centre.manager.person.id}
    with pytest.raises(BadClass):
        await cancel_class(session, reason=" ", now=now, **act)
    at = lessons[0].starts_at
    code = code_at(lessons[0].attendance_secret, at, seconds=60)
    async with session.begin_nested() as kept:
        await attend_by_code(session, lesson_id=lessons[0].id, code=code, person_id=known.person.id, now=at)
        with pytest.raises(HasAttendance):
            await cancel_class(session, reason="停电", now=at, **act)
        await kept.rollback()
    await session.refresh(opened)
    await cancel_class(session, reason="停电", now=now, **act)
    await cancel_class(session, reason="再点一次", now=now, **act)
    assert opened.cancelled_reason == "停电"
    assert [line.status for line in await list_my_classes(session, person_id=known.person.id)] == [
        ClassStatus.CANCELLED
    ]
    with pytest.raises(ClassNotOpen):
        await enrol_oneself(session, class_id=opened.id, person_id=centre.manager.person.id, now=now)


async def test_a_learner_enrols_once_and_withdraws_until_the_first_lesson(
    session: AsyncSession, vault: Vault, centre: MadeCentre, now: datetime
) -> None:
    opened, lessons = await make_class(session, centre, now=now)
    known = await make_person(session, vault, now=now)
    one = await enrol_oneself(session, class_id=opened.id, person_id=known.person.id, now=now)
    two = await enrol_oneself(session, class_id=opened.id, person_id=known.person.id, now=now)
    assert one.id == two.id
    await withdraw_oneself(session, class_id=opened.id, person_id=known.person.id, now=now)
    await withdraw_oneself(session, class_id=opened.id, person_id=known.person.id, now=now)
    assert await count_places_taken(session, opened.id) == 0
    await enrol_oneself(session, class_id=opened.id, person_id=known.person.id, now=now)
    with pytest.raises(ClassBegun):
        await withdraw_oneself(session, class_id=opened.id, person_id=known.person.id, now=lessons[0].starts_at)
    with pytest.raises(ClassBegun):
        await enrol_oneself(session, class_id=opened.id, person_id=centre.teacher.person.id, now=lessons[0].starts_at)


async def test_a_place_that_is_given_back_can_be_taken(
    session: AsyncSession, vault: Vault, centre: MadeCentre, now: datetime
) -> None:
    opened, _ = await make_class(session, centre, now=now, capacity=1)
    first, second = [await make_person(session, vault, now=now) for _ in range(2)]
    await enrol_oneself(session, class_id=opened.id, person_id=first.person.id, now=now)
    with pytest.raises(ClassFull, match="名额已满（1 人）"):
        await enrol_oneself(session, class_id=opened.id, person_id=second.person.id, now=now)
    await withdraw_oneself(session, class_id=opened.id, person_id=first.person.id, now=now)
    await enrol_oneself(session, class_id=opened.id, person_id=second.person.id, now=now)
    assert await count_places_taken(session, opened.id) == 1


def test_people_are_read_one_a_line() -> None:
    people, bad = parse_people("张三 10000000001\n\n李 四，10000000002\n王五\n赵六\t110101190001011234")
    assert [(each.line, each.name, each.number) for each in people] == [
        (1, "张三", "10000000001"),
        (3, "李 四", "10000000002"),
        (5, "赵六", "110101190001011234"),
    ]
    assert bad == [4]


async def test_the_centre_enrols_people_by_name_and_number_all_or_none(
    session: AsyncSession, vault: Vault, centre: MadeCentre, now: datetime
) -> None:
    opened, lessons = await make_class(session, centre, now=now)
    one = await make_person(session, vault, now=now, name="钱一")
    two = await make_person(session, vault, now=now, name="孙二")
    act = {"class_id": opened.id, "centre_id": centre.organisation.id, "actor_id": centre.manager.person.id}
    with pytest.raises(NoLines):
        await enrol_people(session, vault=vault, typed=" \n", now=now, **act)
    with pytest.raises(BadLines, match="第 2、3 行"):
        await enrol_people(
            session, vault=vault, typed=f"钱一 {one.phone}\n孙三 {two.phone}\n孙二 10099999999", now=now, **act
        )
    assert await count_places_taken(session, opened.id) == 0
    placed = await enrol_people(session, vault=vault, typed=f"钱一 {one.phone}\n孙二 {two.number}", now=now, **act)
    assert len(placed) == 2
    assert {line.name for line in await list_learners(session, opened.id)} == {"钱一", "孙二"}
    # Late-comers may join until the last lesson begins.
    await enrol_people(session, vault=vault, typed=f"钱一 {one.phone}", now=lessons[0].starts_at, **act)
    with pytest.raises(LessonsOver):
        await enrol_people(session, vault=vault, typed=f"钱一 {one.phone}", now=lessons[-1].starts_at, **act)
    await remove_learner(session, enrolment_id=placed[0].id, now=now, **act)
    await remove_learner(session, enrolment_id=placed[0].id, now=now, **act)
    assert await count_places_taken(session, opened.id) == 1


async def test_lists_show_a_class_where_it_belongs(
    session: AsyncSession, vault: Vault, centre: MadeCentre, now: datetime
) -> None:
    opened, lessons = await make_class(session, centre, now=now)
    centre_id = centre.organisation.id
    assert opened.id in {line.id for line in await list_open_classes(session, now=now)}
    before = await get_board(session, now=now, centre_id=centre_id, teacher_id=None)
    assert [line.id for line in before.coming] == [opened.id]
    during = await get_board(session, now=lessons[0].starts_at, centre_id=centre_id, teacher_id=None)
    assert [line.id for line in during.running] == [opened.id]
    assert [lesson.id for lesson in during.today] == [lessons[0].id]
    after = await get_board(session, now=lessons[-1].ends_at, centre_id=centre_id, teacher_id=None)
    assert [line.id for line in after.to_close] == [opened.id]
    assert opened.id not in {line.id for line in await list_open_classes(session, now=lessons[0].starts_at)}
    not_the_teacher = await get_board(session, now=now, centre_id=centre_id, teacher_id=centre.manager.person.id)
    assert not_the_teacher.coming == ()


async def test_forty_at_once_never_overfill_a_class_of_ten(database_url: str, vault: Vault, now: datetime) -> None:
    async with copied_database(database_url) as url:
        engine = make_engine(url)
        sessions = make_sessions(engine)
        async with sessions() as session, session.begin():
            centre = await make_centre(session, vault, now=now)
            opened, _ = await make_class(session, centre, now=now, capacity=10)
            people = [(await make_person(session, vault, now=now)).person.id for _ in range(40)]

        async def enrol(person_id: UUID) -> bool:
            async with sessions() as session:
                try:
                    async with session.begin():
                        await enrol_oneself(session, class_id=opened.id, person_id=person_id, now=now)
                except ClassFull:
                    return False
                return True

        outcomes = await asyncio.gather(*(enrol(person_id) for person_id in people))
        async with sessions() as session:
            taken = await count_places_taken(session, opened.id)
        await engine.dispose()
    assert (sum(outcomes), taken) == (10, 10)

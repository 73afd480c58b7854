"""Attendance and closing a class."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from tests.makers.classes import MadeCentre, make_centre, make_class
from tests.makers.people import Known, make_employee, make_organisation, make_person
from training.attendance import CodeGone, NotOnTheList, NotTheTime, TooEarly, attend_by_code, mark_list
from training.attendance_codes import code_at
from training.class_closing import BadScore, NoResult, Result, StillRunning, check_score, close_class
from training.class_lists import list_class_records, list_sheet
from training.classes import ClassNotOpen
from training.enrolments import enrol_oneself
from training.errors import NotFound
from training.models import AttendanceWay, ClassEnrolment, ClassLesson, Organisation, TrainingClass, TrainingMode
from training.records import Correction, correct_record, list_records

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault


@dataclass(frozen=True)
class Made:
    centre: MadeCentre
    opened: TrainingClass
    lessons: list[ClassLesson]
    employer: Organisation
    learner: Known
    enrolment: ClassEnrolment

    def code(self, number: int, at: datetime) -> str:
        return code_at(self.lessons[number].attendance_secret, at, seconds=60)


@pytest.fixture
async def made(session: AsyncSession, vault: Vault, now: datetime) -> Made:
    centre = await make_centre(session, vault, now=now)
    opened, lessons = await make_class(session, centre, now=now)
    employer = await make_organisation(session, now=now)
    learner = await make_employee(session, vault, organisation=employer, now=now)
    enrolment = await enrol_oneself(session, class_id=opened.id, person_id=learner.person.id, now=now)
    return Made(centre, opened, lessons, employer, learner, enrolment)


async def _mark(session: AsyncSession, made: Made, number: int, *, at: datetime, present: bool = True) -> int:
    return await mark_list(
        session,
        lesson_id=made.lessons[number].id,
        centre_id=made.centre.organisation.id,
        present={made.enrolment.id} if present else set(),
        actor_id=made.centre.teacher.person.id,
        now=at,
    )


async def _close(session: AsyncSession, made: Made, *, at: datetime, results: dict[UUID, Result]) -> int:
    records = await close_class(
        session,
        class_id=made.opened.id,
        centre_id=made.centre.organisation.id,
        results=results,
        actor_id=made.centre.teacher.person.id,
        now=at,
    )
    return len(records)


@pytest.mark.parametrize(("minutes", "is_in_time"), [(-31, False), (-30, True), (0, True), (179, True), (180, False)])
async def test_one_scans_from_half_an_hour_before_until_the_end(
    session: AsyncSession, made: Made, minutes: int, is_in_time: bool
) -> None:
    at = made.lessons[0].starts_at + timedelta(minutes=minutes)
    scan = attend_by_code(
        session, lesson_id=made.lessons[0].id, code=made.code(0, at), person_id=made.learner.person.id, now=at
    )
    if is_in_time:
        assert (await scan).way is AttendanceWay.QR
    else:
        with pytest.raises(NotTheTime):
            await scan


async def test_scanning_twice_notes_one_once(session: AsyncSession, made: Made) -> None:
    at = made.lessons[0].starts_at
    for later in (0, 5):
        await attend_by_code(
            session, lesson_id=made.lessons[0].id, code=made.code(0, at), person_id=made.learner.person.id,
            now=at + timedelta(seconds=later),
        )  # fmt: skip
    sheet = await list_sheet(session, made.lessons[0])
    assert [(line.way, line.at) for line in sheet] == [(AttendanceWay.QR, at)]


async def test_an_old_code_another_lessons_code_and_a_stranger_are_refused(
    session: AsyncSession, vault: Vault, made: Made
) -> None:
    at = made.lessons[0].starts_at
    lesson_id, person_id = made.lessons[0].id, made.learner.person.id
    for code in (made.code(0, at - timedelta(minutes=2)), made.code(1, at), "", "签到"):
        with pytest.raises(CodeGone):
            await attend_by_code(session, lesson_id=lesson_id, code=code, person_id=person_id, now=at)
    stranger = await make_person(session, vault, now=at)
    with pytest.raises(NotOnTheList):
        await attend_by_code(session, lesson_id=lesson_id, code=made.code(0, at), person_id=stranger.person.id, now=at)


async def test_the_teacher_corrects_the_list_until_the_class_is_closed(session: AsyncSession, made: Made) -> None:
    start, end = made.lessons[0].starts_at, made.lessons[-1].ends_at
    with pytest.raises(TooEarly):
        await _mark(session, made, 0, at=start - timedelta(hours=1))
    assert await _mark(session, made, 0, at=start) == 1
    assert await _mark(session, made, 0, at=start, present=False) == 0
    assert await _mark(session, made, 0, at=end) == 1
    await _close(session, made, at=end, results={made.enrolment.id: Result(passed=True)})
    with pytest.raises(ClassNotOpen):
        await _mark(session, made, 1, at=end)


async def test_another_teacher_does_not_find_the_lesson(session: AsyncSession, made: Made) -> None:
    with pytest.raises(NotFound):
        await mark_list(
            session, lesson_id=made.lessons[0].id, centre_id=made.centre.organisation.id, present=set(),
            actor_id=made.centre.manager.person.id, teacher_id=made.centre.manager.person.id,
            now=made.lessons[0].starts_at,
        )  # fmt: skip


async def test_closing_credits_the_hours_attended_once(session: AsyncSession, made: Made) -> None:
    end = made.lessons[-1].ends_at
    await _mark(session, made, 0, at=end)
    with pytest.raises(StillRunning):
        await _close(session, made, at=end - timedelta(seconds=1), results={})
    with pytest.raises(NoResult, match="还有 1 人"):
        await _close(session, made, at=end, results={})
    result = {made.enrolment.id: Result(passed=True, score=Decimal("85.0"))}
    assert await _close(session, made, at=end, results=result) == 1
    assert await _close(session, made, at=end, results=result) == 0
    (record,) = await list_records(session, person_id=made.learner.person.id)
    assert record.class_hours == Decimal(4)
    assert record.mode is TrainingMode.OFFLINE
    assert record.organisation_id == made.employer.id
    assert record.provider_name == "演示培训中心"
    assert record.trainer == "郑老师"
    assert record.assessment == "合格，得分 85"
    assert record.content == "第 1 讲"
    assert (record.started_at, record.ended_at) == (made.lessons[0].starts_at, made.lessons[0].ends_at)


async def test_who_never_came_gets_no_record(session: AsyncSession, made: Made) -> None:
    end = made.lessons[-1].ends_at
    assert await _close(session, made, at=end, results={}) == 0
    assert await list_records(session, person_id=made.learner.person.id) == []


async def test_a_corrected_record_takes_the_place_of_the_first(session: AsyncSession, made: Made) -> None:
    end = made.lessons[-1].ends_at
    await _mark(session, made, 0, at=end)
    await _close(session, made, at=end, results={made.enrolment.id: Result(passed=False)})
    (before,) = await list_class_records(session, made.opened.id)
    await correct_record(
        session, record_id=before.id, correction=Correction(reason="补考合格", passed=True, assessment="合格"),
        actor_id=made.centre.manager.person.id, now=end, provider_id=made.centre.organisation.id,
    )  # fmt: skip
    (after,) = await list_class_records(session, made.opened.id)
    assert (after.passed, after.is_correction, after.class_hours) == (True, True, Decimal(4))


@pytest.mark.parametrize("typed", ["-1", "101", "abc", "NaN", "80.55", "Infinity"])
def test_a_score_outside_the_scale_is_refused(typed: str) -> None:
    with pytest.raises(BadScore):
        check_score(typed)


def test_a_score_may_be_left_out() -> None:
    assert check_score(" ") is None
    assert check_score("85.5") == Decimal("85.5")

"""Practical results: exact scores, two assessors, one release."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from exams import practical
from exams.errors import ReasonNeeded
from exams.models import Application, ApplicationStatus, BookingStatus, ExamPart, PracticalResult, ScoreState
from exams.practical import (
    AlreadySigned,
    BadPoints,
    NotPresent,
    NotSignedTwice,
    OneAssessor,
    Subject,
    TaskMark,
    draw_tasks,
    has_passed,
    score_practical,
)
from tests.makers.check_in import Desk, make_assessor, make_checked_in, make_desk
from tests.makers.exams import make_accepted, make_booking, make_session
from training.calendar import china_date
from training.errors import NotFound
from training.models import Notice

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.makers.people import Known
    from training.vault import Vault

KEY = b"k" * 32
POINTS = st.decimals(min_value=0, max_value=100, places=2)
WEIGHTS = st.sampled_from([(20, 40, 20, 20), (20, 60, 10, 10), (25, 25, 25, 25)])
PLAN = tuple(
    Subject(f"K{number}", f"科目{number}", weight, {f"K{number}{task}": f"任务{task}" for task in range(1, 6)})
    for number, weight in ((1, 20), (2, 40), (3, 20), (4, 20))
)


def marked(*points: str, veto: str = "") -> dict[str, TaskMark]:
    marks = {f"K{number}": TaskMark(Decimal(value)) for number, value in enumerate(points, 1)}
    return marks | ({"K2": TaskMark(marks["K2"].points, veto)} if veto else {})


@given(weights=WEIGHTS, points=st.tuples(POINTS, POINTS, POINTS, POINTS))
def test_the_score_is_the_weighted_sum_cut_to_two_decimals(
    weights: tuple[int, ...], points: tuple[Decimal, ...]
) -> None:
    score = score_practical([(weight, TaskMark(value)) for weight, value in zip(weights, points, strict=True)])
    exact = sum(Fraction(weight) * Fraction(value) for weight, value in zip(weights, points, strict=True)) / 100
    assert 0 <= score <= 100
    assert 0 <= exact - Fraction(score) < Fraction(1, 100)
    assert (score >= 80) == (exact >= 80)


@given(points=POINTS)
def test_equal_points_everywhere_are_the_score(points: Decimal) -> None:
    assert score_practical([(weight, TaskMark(points)) for weight in (20, 40, 20, 20)]) == points


@given(
    points=st.tuples(POINTS, POINTS, POINTS, POINTS),
    which=st.integers(0, 3),
    more=st.decimals(min_value=0, max_value=100, places=2),
)
def test_more_points_never_give_a_lower_score(points: tuple[Decimal, ...], which: int, more: Decimal) -> None:
    better = list(points)
    better[which] = min(Decimal(100), better[which] + more)
    weights = (20, 40, 20, 20)

    def score(of: Sequence[Decimal]) -> Decimal:
        return score_practical([(weight, TaskMark(value)) for weight, value in zip(weights, of, strict=True)])

    assert score(better) >= score(points)


@pytest.mark.parametrize(
    ("points", "veto", "score", "passed"),
    [
        (("80", "80", "80", "80"), "", "80", True),
        (("79.99", "80", "80", "80"), "", "79.99", False),
        (("100", "100", "100", "100"), "带电接线", "100", False),
        (("0", "100", "100", "100"), "", "80", True),
        (("0", "99.99", "100", "100"), "", "79.99", False),
    ],
)
def test_eighty_passes_and_a_veto_never_does(points: tuple[str, ...], veto: str, score: str, passed: bool) -> None:
    marks = marked(*points, veto=veto)
    found = score_practical([(subject.weight, marks[subject.code]) for subject in PLAN])
    assert found == Decimal(score)
    assert has_passed(found, [*marks.values()], pass_score=80) is passed


@given(booking_id=st.uuids())
def test_one_task_of_each_subject_is_drawn_and_stays_drawn(booking_id: UUID) -> None:
    drawn = draw_tasks(PLAN, booking_id=booking_id, key=KEY)
    assert [task.subject for task in drawn] == ["K1", "K2", "K3", "K4"]
    assert all(task.task in subject.tasks for task, subject in zip(drawn, PLAN, strict=True))
    assert drawn == draw_tasks(PLAN, booking_id=booking_id, key=KEY)


def test_every_task_is_drawn_about_equally_often() -> None:
    counts = [0] * 5
    for number in range(2000):
        task = draw_tasks(PLAN, booking_id=UUID(int=number), key=KEY)[1].task
        counts[int(task[-1]) - 1] += 1
    assert all(320 < count < 480 for count in counts)


@pytest.fixture
async def desk(session: AsyncSession, vault: Vault, now: datetime) -> Desk:
    made = await make_desk(session, vault, now=now, part=ExamPart.PRACTICAL, candidates=2)
    await make_checked_in(session, made, made.booking, now=now)
    return made


@pytest.fixture
async def assessors(session: AsyncSession, vault: Vault, now: datetime, desk: Desk) -> list[Known]:
    return [await make_assessor(session, vault, site=desk.site, now=now, name=name) for name in ("吴考评", "冯考评")]


async def enter(
    session: AsyncSession, desk: Desk, who: Known, now: datetime, marks: dict[str, TaskMark], number: int = 0
) -> PracticalResult:
    return await practical.enter_result(
        session, booking_id=desk.bookings[number].id, site_id=desk.site.id, marks=marks,
        assessor_id=who.person.id, key=KEY, now=now,
    )  # fmt: skip


async def confirm(session: AsyncSession, desk: Desk, who: Known, now: datetime) -> PracticalResult:
    return await practical.confirm_result(
        session, booking_id=desk.booking.id, site_id=desk.site.id, assessor_id=who.person.id, now=now
    )


async def release(session: AsyncSession, desk: Desk, now: datetime) -> int:
    return await practical.release_practical(
        session, exam_session_id=desk.exam_session.id, actor_id=desk.head.person.id, now=now
    )


async def application_of(session: AsyncSession, desk: Desk) -> Application:
    return await session.get_one(Application, desk.booking.application_id, populate_existing=True)


async def test_two_signatures_and_a_release_pass_the_application(
    session: AsyncSession, now: datetime, desk: Desk, assessors: list[Known]
) -> None:
    result = await enter(session, desk, assessors[0], now, marked("90", "85", "80", "70"))
    assert (result.score, result.passed, desk.booking.status) == (Decimal(82), True, BookingStatus.DONE)
    assert await release(session, desk, now) == 0
    await confirm(session, desk, assessors[1], now)
    await confirm(session, desk, assessors[1], now)
    assert (await application_of(session, desk)).practical_passed_on is None
    assert await release(session, desk, now) == 1
    assert await release(session, desk, now) == 0
    application = await application_of(session, desk)
    assert application.practical_passed_on == china_date(now)
    assert application.status is ApplicationStatus.PASSED
    assert result.state is ScoreState.RELEASED
    told = select(Notice).where(Notice.person_id == application.person_id, Notice.kind == "PRACTICAL_RELEASED")
    assert [(notice.detail["points"], notice.detail["passed"]) for notice in await session.exec(told)] == [
        ("82.00", True)
    ]


async def test_the_second_signature_is_another_persons(
    session: AsyncSession, now: datetime, desk: Desk, assessors: list[Known]
) -> None:
    await enter(session, desk, assessors[0], now, marked("90", "85", "80", "70"))
    with pytest.raises(OneAssessor):
        await confirm(session, desk, assessors[0], now)
    await confirm(session, desk, assessors[1], now)
    with pytest.raises(AlreadySigned):
        await enter(session, desk, assessors[0], now, marked("100", "100", "100", "100"))


async def test_a_disputed_result_is_entered_anew(
    session: AsyncSession, now: datetime, desk: Desk, assessors: list[Known]
) -> None:
    await enter(session, desk, assessors[0], now, marked("90", "85", "80", "70"))
    dispute: Any = {
        "booking_id": desk.booking.id, "site_id": desk.site.id, "assessor_id": assessors[1].person.id, "now": now,
    }  # fmt: skip
    with pytest.raises(ReasonNeeded):
        await practical.dispute_result(session, **dispute, reason=" ")
    await practical.dispute_result(session, **dispute, reason="K2 接线未按图")
    with pytest.raises(NotSignedTwice):
        await confirm(session, desk, assessors[1], now)
    sheet = await practical.get_sheet(session, booking_id=desk.booking.id, site_id=desk.site.id, key=KEY)
    assert sheet.result is not None
    assert sheet.result.dispute == "K2 接线未按图"
    assert await release(session, desk, now) == 0
    again = await enter(session, desk, assessors[0], now, marked("90", "60", "80", "70", veto="未断电操作"))
    assert (again.vetoed, again.passed, again.state) == (True, False, ScoreState.PROVISIONAL)
    await confirm(session, desk, assessors[1], now)
    assert await release(session, desk, now) == 1
    assert (await application_of(session, desk)).status is ApplicationStatus.ACCEPTED


async def test_failing_again_after_the_resit_ends_the_application(
    session: AsyncSession, vault: Vault, now: datetime, desk: Desk, assessors: list[Known]
) -> None:
    application = await application_of(session, desk)
    first = await make_session(session, vault, now=now, part=ExamPart.PRACTICAL, in_hours=48)
    # An earlier attempt that was missed used up the first chance.
    other = await make_accepted(session, vault, now=now)
    other.theory_passed_on = china_date(now)
    session.add(other)
    await session.flush()
    missed = await make_booking(session, vault, now=now, exam_session=first, application=other)
    missed.application_id, missed.person_id, missed.status = (
        application.id,
        application.person_id,
        BookingStatus.NO_SHOW,
    )
    session.add(missed)
    await session.flush()
    await enter(session, desk, assessors[0], now, marked("10", "10", "10", "10"))
    await confirm(session, desk, assessors[1], now)
    await release(session, desk, now)
    assert (await application_of(session, desk)).status is ApplicationStatus.FAILED


async def test_whoever_is_not_checked_in_is_not_marked(
    session: AsyncSession, now: datetime, desk: Desk, assessors: list[Known]
) -> None:
    with pytest.raises(NotPresent):
        await enter(session, desk, assessors[0], now, marked("90", "85", "80", "70"), number=1)


@pytest.mark.parametrize("points", ["-1", "100.01", "NaN", "Infinity", "80.005"])
async def test_points_outside_the_scale_are_refused(
    session: AsyncSession, now: datetime, desk: Desk, assessors: list[Known], points: str
) -> None:
    with pytest.raises(BadPoints):
        await enter(session, desk, assessors[0], now, marked("90", points, "80", "70"))
    with pytest.raises(BadPoints):
        await enter(session, desk, assessors[0], now, {})


async def test_another_site_marks_nobody_here(
    session: AsyncSession, vault: Vault, now: datetime, desk: Desk, assessors: list[Known]
) -> None:
    other = await make_desk(session, vault, now=now, part=ExamPart.PRACTICAL)
    with pytest.raises(NotFound):
        await practical.enter_result(
            session, booking_id=desk.booking.id, site_id=other.site.id, marks={}, assessor_id=assessors[0].person.id,
            key=KEY, now=now,
        )  # fmt: skip

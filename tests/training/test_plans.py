"""Assigning courses and seeing who is behind."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.makers.people import make_employee, make_organisation, make_person, make_role
from tests.makers.staff import make_course
from training.calendar import china_date
from training.errors import NotFound
from training.models import Role
from training.plans import (
    AlreadyFinished,
    AssignmentState,
    CourseNotOffered,
    DuePassed,
    NobodyChosen,
    assign_course,
    assignment_state,
    change_due_date,
    finish_assignments,
    list_assignments,
    list_completion,
    list_deadlines,
    withdraw_assignment,
)

if TYPE_CHECKING:
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault

TODAY = date(2026, 11, 21)


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (-1, AssignmentState.OVERDUE),
        (0, AssignmentState.DUE_SOON),
        (7, AssignmentState.DUE_SOON),
        (8, AssignmentState.OPEN),
    ],
)
def test_the_due_date_itself_is_in_time(days: int, expected: AssignmentState) -> None:
    state = assignment_state(TODAY + timedelta(days=days), finished_at=None, today=TODAY, soon_days=7)
    assert state is expected


@given(st.integers(-400, 400), st.integers(0, 60))
def test_whatever_is_finished_is_done(days: int, soon: int) -> None:
    finished = datetime.fromisoformat("2026-11-20T08:00:00+00:00")
    state = assignment_state(TODAY + timedelta(days=days), finished_at=finished, today=TODAY, soon_days=soon)
    assert state is AssignmentState.DONE


class Firm:
    """An enterprise with a manager, two of its staff and a course."""

    def __init__(self, organisation_id: UUID, manager_id: UUID, staff: list[UUID], course_id: UUID) -> None:
        self.organisation_id, self.manager_id, self.staff, self.course_id = (
            organisation_id,
            manager_id,
            staff,
            course_id,
        )


@pytest.fixture
async def firm(session: AsyncSession, vault: Vault, now: datetime) -> Firm:
    organisation = await make_organisation(session, now=now)
    manager = await make_role(session, vault, role=Role.ENTERPRISE_MANAGER, organisation=organisation, now=now)
    staff = [
        (await make_employee(session, vault, organisation=organisation, now=now, name=name)).person.id
        for name in ("王一", "王二")
    ]
    return Firm(organisation.id, manager.person.id, staff, await make_course(session, now=now))


async def _assign(session: AsyncSession, firm: Firm, *, now: datetime, days: int = 10) -> tuple[int, int, int]:
    done = await assign_course(
        session,
        organisation_id=firm.organisation_id,
        course_id=firm.course_id,
        person_ids=firm.staff,
        due_on=china_date(now) + timedelta(days=days),
        actor_id=firm.manager_id,
        now=now,
    )
    return done.new, done.moved, done.unchanged


async def test_assigning_again_moves_the_date_and_makes_no_second_assignment(
    session: AsyncSession, firm: Firm, now: datetime
) -> None:
    assert await _assign(session, firm, now=now) == (2, 0, 0)
    assert await _assign(session, firm, now=now) == (0, 0, 2)
    assert await _assign(session, firm, now=now, days=20) == (0, 2, 0)
    board = await list_deadlines(session, firm.organisation_id, now=now)
    assert board.total == 2
    assert {row.days for row in board.rows} == {20}


async def test_only_present_staff_can_be_assigned(
    session: AsyncSession, vault: Vault, firm: Firm, now: datetime
) -> None:
    stranger = await make_person(session, vault, now=now)
    firm.staff = [stranger.person.id]
    with pytest.raises(NobodyChosen):
        await _assign(session, firm, now=now)


async def test_a_date_in_the_past_and_a_draft_course_are_refused(
    session: AsyncSession, firm: Firm, now: datetime
) -> None:
    with pytest.raises(DuePassed):
        await _assign(session, firm, now=now, days=-1)
    firm.course_id = await make_course(session, now=now, is_published=False)
    with pytest.raises(CourseNotOffered):
        await _assign(session, firm, now=now)


async def test_the_board_shows_who_is_behind_first(session: AsyncSession, firm: Firm, now: datetime) -> None:
    await _assign(session, firm, now=now, days=3)
    late = now + timedelta(days=5)
    assert await finish_assignments(session, person_id=firm.staff[0], course_id=firm.course_id, now=late) == 1
    assert await finish_assignments(session, person_id=firm.staff[0], course_id=firm.course_id, now=late) == 0
    board = await list_deadlines(session, firm.organisation_id, now=late)
    assert [row.state for row in board.rows] == [AssignmentState.OVERDUE, AssignmentState.DONE]
    assert board.counts[AssignmentState.OVERDUE] == 1
    only = await list_deadlines(session, firm.organisation_id, now=late, state=AssignmentState.DONE)
    assert [row.person_id for row in only.rows] == [firm.staff[0]]
    [department] = await list_completion(session, firm.organisation_id, now=late)
    assert (department.done, department.open, department.overdue, department.percent) == (1, 0, 1, 50)


async def test_a_learner_sees_what_is_still_expected(session: AsyncSession, firm: Firm, now: datetime) -> None:
    await _assign(session, firm, now=now, days=3)
    [mine] = await list_assignments(session, firm.staff[0], now=now)
    assert mine.state is AssignmentState.DUE_SOON
    await finish_assignments(session, person_id=firm.staff[0], course_id=firm.course_id, now=now)
    assert await list_assignments(session, firm.staff[0], now=now) == ()
    [done] = await list_assignments(session, firm.staff[0], now=now, with_done=True)
    assert done.state is AssignmentState.DONE


async def test_a_finished_assignment_stays(session: AsyncSession, firm: Firm, now: datetime) -> None:
    await _assign(session, firm, now=now)
    [mine] = await list_assignments(session, firm.staff[0], now=now)
    await finish_assignments(session, person_id=firm.staff[0], course_id=firm.course_id, now=now)
    with pytest.raises(AlreadyFinished):
        await withdraw_assignment(
            session, assignment_id=mine.assignment_id, organisation_id=firm.organisation_id,
            actor_id=firm.manager_id, now=now,
        )  # fmt: skip


async def test_another_enterprise_cannot_touch_an_assignment(session: AsyncSession, firm: Firm, now: datetime) -> None:
    await _assign(session, firm, now=now)
    [mine] = await list_assignments(session, firm.staff[0], now=now)
    other = await make_organisation(session, now=now, name="另一家公司")
    with pytest.raises(NotFound):
        await change_due_date(
            session, assignment_id=mine.assignment_id, organisation_id=other.id, due_on=TODAY + timedelta(days=40),
            actor_id=firm.manager_id, now=now,
        )  # fmt: skip


async def test_a_withdrawn_assignment_is_no_longer_expected(session: AsyncSession, firm: Firm, now: datetime) -> None:
    await _assign(session, firm, now=now)
    [mine] = await list_assignments(session, firm.staff[0], now=now)
    for _ in range(2):
        await withdraw_assignment(
            session, assignment_id=mine.assignment_id, organisation_id=firm.organisation_id,
            actor_id=firm.manager_id, now=now,
        )  # fmt: skip
    assert await list_assignments(session, firm.staff[0], now=now) == ()
    assert (await list_deadlines(session, firm.organisation_id, now=now)).total == 1

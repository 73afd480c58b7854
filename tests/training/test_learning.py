"""From the start of a course to its record."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlmodel import select

from tests.makers.courses import TEXT, course_text, make_course
from tests.makers.learnings import pass_quizzes, read_lessons
from tests.makers.people import make_employee, make_organisation, make_role
from training.accounts import open_sign_in
from training.calendar import china_date
from training.errors import NotFound
from training.learning import QuizNotOpen, hand_in_quiz, start_learning
from training.models import Assignment, Learning, Role, TrainingRecord
from training.plans import AssignmentState, list_assignments
from training.quizzes import NotAnswered, QuestionOpen, mark_quiz, order_of, to_key
from training.rules import change_rule

if TYPE_CHECKING:
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.makers.people import Known
    from training.models import Organisation
    from training.vault import Vault
    from web.storage import Store


@pytest.fixture
async def organisation(session: AsyncSession, clock: FixedClock) -> Organisation:
    return await make_organisation(session, now=clock.now())


@pytest.fixture
async def learner(session: AsyncSession, vault: Vault, clock: FixedClock, organisation: Organisation) -> Known:
    return await make_employee(session, vault, organisation=organisation, now=clock.now())


@pytest.fixture
async def device(session: AsyncSession, clock: FixedClock, learner: Known) -> UUID:
    _, sign_in = await open_sign_in(session, account_id=learner.account.id, client="x", address="", now=clock.now())
    return sign_in.id


async def finish(session: AsyncSession, learning: Learning, device: UUID, clock: FixedClock) -> list[TrainingRecord]:
    await read_lessons(session, learning, sign_in_id=device, clock=clock)
    await pass_quizzes(session, learning, clock=clock)
    statement = select(TrainingRecord).where(TrainingRecord.learning_id == learning.id)
    return list((await session.exec(statement)).all())


async def test_the_record_tells_time_person_content_and_result(
    session: AsyncSession, store: Store, clock: FixedClock, learner: Known, device: UUID, organisation: Organisation
) -> None:
    await make_course(session, store, now=clock.now(), code="C77", text=TEXT * 6)
    learning = await start_learning(session, person_id=learner.person.id, code="C77", now=clock.now())
    [record] = await finish(session, learning, device, clock)
    assert (record.person_id, record.organisation_id, record.post) == (learner.person.id, organisation.id, "电工")
    assert (record.title, record.content) == ("用电小课", "用电")
    assert record.started_at == learning.started_at < record.ended_at
    assert record.assessment == "各模块测验合格，答对 3/3 题"
    # Six minutes of reading and a video of twenty seconds: 0.14 class hours, rounded down.
    assert record.class_hours == Decimal("0.1")
    assert learning.finished_at == record.ended_at


async def test_hours_are_those_declared_where_the_rule_says_so(
    session: AsyncSession, store: Store, clock: FixedClock, learner: Known, device: UUID
) -> None:
    await change_rule(
        session, code="learn.credit", value="DECLARED", basis="test", effective_from=china_date(clock.now()),
        changed_by=None,
    )  # fmt: skip
    await make_course(session, store, now=clock.now(), code="C77")
    learning = await start_learning(session, person_id=learner.person.id, code="C77", now=clock.now())
    [record] = await finish(session, learning, device, clock)
    assert record.class_hours == Decimal(1)


async def test_finishing_closes_what_the_employer_assigned(
    session: AsyncSession, store: Store, vault: Vault, clock: FixedClock, learner: Known, device: UUID,
    organisation: Organisation,
) -> None:  # fmt: skip
    version = await make_course(session, store, now=clock.now(), code="C77")
    manager = await make_role(session, vault, role=Role.ENTERPRISE_MANAGER, organisation=organisation, now=clock.now())
    assignment = Assignment(
        organisation_id=organisation.id, person_id=learner.person.id, course_id=version.course_id,
        due_on=china_date(clock.now()) + timedelta(days=30), assigned_at=clock.now(), assigned_by=manager.person.id,
    )  # fmt: skip
    session.add(assignment)
    await session.flush()
    learning = await start_learning(session, person_id=learner.person.id, code="C77", now=clock.now())
    await finish(session, learning, device, clock)
    [assigned] = await list_assignments(session, learner.person.id, now=clock.now(), with_done=True)
    assert assigned.state is AssignmentState.DONE


async def test_an_old_version_is_finished_by_whoever_began_it(
    session: AsyncSession, store: Store, clock: FixedClock, learner: Known, device: UUID
) -> None:
    old = await make_course(session, store, now=clock.now(), code="C77")
    learning = await start_learning(session, person_id=learner.person.id, code="C77", now=clock.now())
    new = await make_course(session, store, now=clock.now(), code="C77", text=TEXT + "新")
    again = await start_learning(session, person_id=learner.person.id, code="C77", now=clock.now())
    assert (again.id, again.course_version_id) == (learning.id, old.id)
    [record] = await finish(session, learning, device, clock)
    assert record.course_version_id == old.id
    afresh = await start_learning(session, person_id=learner.person.id, code="C77", now=clock.now(), afresh=True)
    assert afresh.course_version_id == new.id
    kept = await start_learning(session, person_id=learner.person.id, code="C77", now=clock.now(), afresh=True)
    assert kept.id == afresh.id


async def test_the_quiz_opens_after_the_lessons(
    session: AsyncSession, store: Store, clock: FixedClock, learner: Known
) -> None:
    await make_course(session, store, now=clock.now(), code="C77")
    learning = await start_learning(session, person_id=learner.person.id, code="C77", now=clock.now())
    with pytest.raises(QuizNotOpen):
        await hand_in_quiz(
            session, learning_id=learning.id, person_id=learner.person.id, module_number=1, attempt=1, ticked={},
            now=clock.now(),
        )  # fmt: skip


async def test_an_unknown_course_cannot_be_started(session: AsyncSession, clock: FixedClock, learner: Known) -> None:
    with pytest.raises(NotFound):
        await start_learning(session, person_id=learner.person.id, code="C99", now=clock.now())


def test_a_shuffled_question_is_marked_by_what_was_ticked() -> None:
    several = course_text().modules[0].quiz[2]
    orders = {order_of(several, str(seed)) for seed in range(50)}
    assert len(orders) > 5
    for seed in map(str, range(50)):
        order = order_of(several, seed)
        shown = ["ABCD"[order.index(letter)] for letter in several.key]
        assert to_key(several, seed, shown) == several.key


def test_a_single_choice_takes_one_answer_and_a_quiz_needs_them_all() -> None:
    true_or_false, single, several = course_text().modules[0].quiz
    for shown in ([], ["A", "B"], ["Z"]):
        with pytest.raises(NotAnswered):
            to_key(single, "seed", shown)
    with pytest.raises(QuestionOpen, match="第 3 题"):
        mark_quiz([true_or_false, single, several], "seed", {1: ["T"], 2: ["A"]})
    marked = mark_quiz([true_or_false, single, several], "seed", {1: ["F"], 2: ["A"], 3: ["A"]})
    assert marked.total == 3
    assert not marked.is_passed(67) or marked.right == 3

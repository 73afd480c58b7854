"""A regrade that meets enterprises' own exams: scores, training records and what people are told."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlmodel import col, select

from exams.appeals import list_own_changes
from exams.handing_in import close_overdue
from exams.models import RegradeKind, RegradeStatus, Score
from exams.regrade_effects import try_regrade
from exams.replay import replay_sitting
from exams.rulings import ruling_of
from exams.staff_regrades import list_staff_corrections, mend_missed_scores
from tests.exams.test_regrading import approve, propose, revision_at
from tests.makers.people import Known, make_organisation, make_person, make_role
from tests.makers.receipts import KEYS
from tests.makers.sittings import GRACE, answer, make_enterprise_sitting, right_choices
from training.errors import NotFound
from training.models import Notice, Role, TrainingRecord
from training.records import list_records

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.models import EnterpriseExam
    from tests.makers.sittings import Sat
    from training.vault import Vault


async def sit_at_work(
    session: AsyncSession, vault: Vault, *, fail_by_one: bool, now: datetime
) -> tuple[Sat, Score, EnterpriseExam, int]:
    """An enterprise exam with exactly the points to pass, or one item less; gives the items that were right."""
    sat = await make_enterprise_sitting(session, vault, now=now)
    choices = await right_choices(session, sat.id)
    needed = round(len(choices) * 0.8) - fail_by_one
    await answer(session, sat, choices[:needed], now=now)
    await close_overdue(session, now=sat.entry.deadline + GRACE, countersign=KEYS.countersign)
    score = (await session.exec(select(Score).where(Score.sitting_id == sat.id))).one()
    assert score.passed is not fail_by_one
    assert sat.exam
    return sat, score, sat.exam, needed


async def officers(session: AsyncSession, vault: Vault, exam: EnterpriseExam, *, now: datetime) -> tuple[Known, Known]:
    organisation = await make_organisation(session, now=now, name="另一家")
    exam_organisation = await session.get_one(type(organisation), exam.organisation_id)
    mine = await make_role(
        session, vault, role=Role.ENTERPRISE_MANAGER, organisation=exam_organisation, now=now, name="李安全"
    )
    other = await make_role(session, vault, role=Role.ENTERPRISE_MANAGER, organisation=organisation, now=now)
    return mine, other


async def test_a_new_pass_gets_its_record_and_staff_and_officer_are_told(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat, score, exam, right = await sit_at_work(session, vault, fail_by_one=True, now=now)
    mine, other = await officers(session, vault, exam, now=now)
    revision_id = await revision_at(session, sat.id, right + 1)
    regrade = await propose(session, revision_id, RegradeKind.GIVE_ALL, actor_id=mine.person.id, now=now)
    dry_run = await try_regrade(session, revision_id=revision_id, ruling=ruling_of(regrade))
    assert (dry_run.lines, dry_run.rising, dry_run.before.takers) == ((), 0, 1)
    [effect] = dry_run.exams
    assert (effect.title, effect.takers, effect.changing, effect.rising, effect.falling) == (exam.title, 1, 1, 1, 0)
    assert await list_records(session, person_id=sat.who.person.id) == []
    for _ in range(2):
        await approve(session, regrade, actor_id=other.person.id, now=sat.entry.deadline)
    assert score.passed
    assert (regrade.figures["staff_rising"], regrade.figures["rising"]) == (1, 0)
    [record] = await list_records(session, person_id=sat.who.person.id)
    assert (record.passed, record.title, record.ended_at) == (True, exam.title, sat.entry.deadline)
    told = (await session.exec(select(Notice).order_by(col(Notice.kind)))).all()
    assert [(notice.kind, notice.person_id, notice.link) for notice in told] == [
        ("SCORE_CHANGED", sat.who.person.id, f"/sittings/{sat.id}/result"),
        ("STAFF_SCORES_CHANGED", mine.person.id, f"/enterprise/exams/{exam.id}"),
    ]
    assert (told[1].detail["count"], told[1].detail["rising"]) == (1, 1)
    [line] = await list_staff_corrections(session, exam_id=exam.id, organisation_id=exam.organisation_id)
    assert (line.person_id, line.passed_before, line.passed) == (sat.who.person.id, False, True)
    with pytest.raises(NotFound):
        await list_staff_corrections(session, exam_id=exam.id, organisation_id=other.person.id)


async def test_a_pass_that_falls_is_noted_in_its_record_and_stays_readable(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat, score, exam, _ = await sit_at_work(session, vault, fail_by_one=False, now=now)
    revision_id = await revision_at(session, sat.id, 1)
    officer = await make_person(session, vault, now=now)
    before = score.points
    regrade = await propose(session, revision_id, RegradeKind.DROP, actor_id=sat.who.person.id, now=now)
    await approve(session, regrade, actor_id=officer.person.id, now=sat.entry.deadline)
    assert not score.passed
    [record] = await list_records(session, person_id=sat.who.person.id)
    assert (record.passed, record.is_correction) == (False, True)
    assert "题目" in (await session.get_one(TrainingRecord, record.id)).evidence["reason"]
    assert len((await session.exec(select(TrainingRecord))).all()) == 2
    # Another decision lets it rise again: the record is corrected once more, none is added.
    again = await propose(session, revision_id, RegradeKind.GIVE_ALL, actor_id=sat.who.person.id, now=now)
    await approve(session, again, actor_id=officer.person.id, now=sat.entry.deadline)
    assert (score.points, score.passed) == (before, True)
    [record] = await list_records(session, person_id=sat.who.person.id)
    assert (record.passed, record.assessment.startswith("在线考试")) == (True, True)
    own = await list_own_changes(session, sitting_id=sat.id, person_id=sat.who.person.id)
    assert {(change.passed, change.reason) for change in own} == {(False, "答案有误"), (True, "答案有误")}
    assert await list_own_changes(session, sitting_id=sat.id, person_id=officer.person.id) == ()
    lines = await list_staff_corrections(session, exam_id=exam.id, organisation_id=exam.organisation_id)
    assert sorted((line.passed_before, line.passed) for line in lines) == [(False, True), (True, False)]
    assert {line.points for line in lines} == {before, before - Decimal(2)}


async def test_what_is_handed_in_after_a_decision_is_marked_by_it(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat = await make_enterprise_sitting(session, vault, now=now)
    choices = await right_choices(session, sat.id)
    needed = round(len(choices) * 0.8)
    await answer(session, sat, choices[: needed - 1], now=now)
    revision_id = await revision_at(session, sat.id, needed)
    regrade = await propose(session, revision_id, RegradeKind.GIVE_ALL, actor_id=sat.who.person.id, now=now)
    officer = await make_person(session, vault, now=now)
    await approve(session, regrade, actor_id=officer.person.id, now=now)
    await close_overdue(session, now=sat.entry.deadline + GRACE, countersign=KEYS.countersign)
    score = (await session.exec(select(Score).where(Score.sitting_id == sat.id))).one()
    assert score.passed
    [record] = await list_records(session, person_id=sat.who.person.id)
    assert record.passed
    # A replay knows what had been decided by then.
    [check] = [check for check in (await replay_sitting(session, sitting_id=sat.id)).checks if check.name == "score"]
    assert check.holds, check


async def test_what_was_handed_in_while_it_was_decided_is_mended(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat, score, _, right = await sit_at_work(session, vault, fail_by_one=True, now=now)
    revision_id = await revision_at(session, sat.id, right + 1)
    regrade = await propose(session, revision_id, RegradeKind.GIVE_ALL, actor_id=sat.who.person.id, now=now)
    officer = await make_person(session, vault, now=now)
    assert await mend_missed_scores(session, now=score.marked_at) == 0
    # As if it had been approved between the hand-in's look at the decisions and its commit.
    regrade.status, regrade.decided_by, regrade.decided_at = RegradeStatus.APPROVED, officer.person.id, score.marked_at
    session.add(regrade)
    await session.flush()
    assert [await mend_missed_scores(session, now=score.marked_at) for _ in range(2)] == [1, 0]
    assert score.passed
    [record] = await list_records(session, person_id=sat.who.person.id)
    assert record.passed

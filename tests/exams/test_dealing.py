"""Papers as sittings get them: equated, apart from the neighbours', and to be dealt again from what is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from sqlmodel import select

from exams.equating import EquatedPaper, Limits, equate_paper
from exams.models import Booking, EnterpriseExam, ExamSession, Sitting, SittingEvent
from exams.paper_bank import prepare
from exams.sittings import STARTED
from question_bank.blueprint_changes import BlueprintDraft, change_blueprint
from question_bank.difficulty import PRIOR_RULES, Difficulty, Priors, load_ratings, record_difficulties
from question_bank.queries import get_blueprint_version, load_pool
from tests.makers.exams import make_session
from tests.makers.items import make_bank
from tests.makers.seated import make_seated
from tests.makers.sittings import make_enterprise_sitting, make_sitting
from training.calendar import china_date
from training.rules import get_rules

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault


@pytest.fixture
async def exam_session(session: AsyncSession, vault: Vault, now: datetime) -> ExamSession:
    """One with the shipped bank behind it."""
    await make_bank(session, vault, now=now)
    return await make_session(session, vault, now=now, seats=5)


async def kept(session: AsyncSession, sitting: Sitting) -> dict[str, Any]:
    statement = select(SittingEvent.detail).where(SittingEvent.sitting_id == sitting.id, SittingEvent.kind == STARTED)
    return dict((await session.exec(statement)).one())


async def deal_again(session: AsyncSession, sitting: Sitting, *, now: datetime) -> EquatedPaper:
    """From nothing but the bank and what the sitting kept."""
    detail = await kept(session, sitting)
    blueprint = await get_blueprint_version(session, sitting.blueprint_id)
    pool = await load_pool(session, blueprint.code)
    priors = Priors.read(await get_rules(session, PRIOR_RULES, on=china_date(now)))
    ratings = await load_ratings(session, pool, priors=priors)
    assert (pool.digest, ratings.digest) == (sitting.bank_digest.hex(), detail["ratings"])
    cut = -(-blueprint.pass_score // blueprint.points_per_item)
    bank = prepare(pool.items, ratings.difficulties, blueprint.cells, cut=cut, enemies=ratings.enemies)
    beside = [await session.get_one(Sitting, UUID(sitting_id)) for sitting_id in detail["beside"]]
    neighbours = [{UUID(row["revision"]) for row in other.paper} for other in beside]
    resting = [UUID(revision_id) for revision_id in detail["resting"]]
    return equate_paper(
        bank, seed=sitting.seed, limits=Limits(**detail["limits"]), resting=resting, neighbours=neighbours
    )


async def test_a_sitting_gets_a_paper_as_hard_as_any_other(
    session: AsyncSession, vault: Vault, exam_session: ExamSession, now: datetime
) -> None:
    scores = []
    for seat in (1, 3, 5):
        sitting = await make_seated(session, vault, exam_session, seat=seat, seed=seat, now=now)
        equating = (await kept(session, sitting))["equating"]
        assert sitting.algorithm == "equate-1"
        assert (equating["is_equated"], equating["reasons"]) == (True, [])
        scores.append(equating["score"])
    assert max(scores) - min(scores) <= 100


async def test_what_is_kept_deals_the_same_paper_again(
    session: AsyncSession, vault: Vault, exam_session: ExamSession, now: datetime
) -> None:
    for seat in (1, 3, 2):
        sitting = await make_seated(session, vault, exam_session, seat=seat, seed=seat, now=now)
        again = await deal_again(session, sitting, now=now)
        assert again.paper.stored() == sitting.paper
        assert again.equating.detail() == (await kept(session, sitting))["equating"]


async def test_only_the_seats_beside_are_neighbours(
    session: AsyncSession, vault: Vault, exam_session: ExamSession, now: datetime
) -> None:
    first = await make_seated(session, vault, exam_session, seat=1, seed=1, now=now)
    third = await make_seated(session, vault, exam_session, seat=3, seed=2, now=now)
    second = await make_seated(session, vault, exam_session, seat=2, seed=3, now=now)
    assert (await kept(session, third))["beside"] == []
    detail = await kept(session, second)
    assert detail["beside"] == [str(first.id), str(third.id)]
    revisions = {row["revision"] for row in second.paper}
    common = [len(revisions & {row["revision"] for row in other.paper}) for other in (first, third)]
    assert detail["equating"]["shared"] == max(common) <= 40


async def test_a_new_calibration_counts_from_the_next_paper_on(
    session: AsyncSession, vault: Vault, exam_session: ExamSession, now: datetime
) -> None:
    before = await kept(session, await make_seated(session, vault, exam_session, seat=1, seed=1, now=now))
    pool = await load_pool(session, "SO_1_2")
    estimates = {
        item.revision_id: Difficulty(number * 7919 % 3001 - 2000, 80) for number, item in enumerate(pool.items)
    }
    await record_difficulties(session, subject="SO_1_2", estimates=estimates, now=now)
    after = await kept(session, await make_seated(session, vault, exam_session, seat=5, seed=1, now=now))
    assert after["ratings"] != before["ratings"]
    assert after["equating"]["error"] < before["equating"]["error"]


async def test_a_bank_of_a_single_paper_is_dealt_and_the_overlap_is_on_record(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat = await make_sitting(session, vault, now=now)
    booking = await session.get_one(Booking, sat.booking_id)
    exam_session = await session.get_one(ExamSession, booking.exam_session_id)
    neighbour = await make_seated(session, vault, exam_session, seat=booking.seat_no + 1, seed=2, now=now)
    equating = (await kept(session, neighbour))["equating"]
    assert equating["shared"] == 100
    assert "OVERLAP" in equating["reasons"]
    assert equating["is_equated"]


async def test_an_enterprise_exam_deals_by_the_same_rule(session: AsyncSession, vault: Vault, now: datetime) -> None:
    sat = await make_enterprise_sitting(session, vault, now=now)
    sitting = await session.get_one(Sitting, sat.id)
    assert await session.get(EnterpriseExam, sitting.enterprise_exam_id)
    assert sitting.algorithm == "equate-1"
    assert (await kept(session, sitting))["beside"] == []


async def test_a_blueprints_own_limits_go_before_the_rules(
    session: AsyncSession, vault: Vault, exam_session: ExamSession, now: datetime
) -> None:
    first = await make_seated(session, vault, exam_session, seat=1, seed=1, now=now)
    assert (await kept(session, first))["limits"]["overlap_percent"] == 40
    blueprint = await get_blueprint_version(session, first.blueprint_id)
    draft = replace(BlueprintDraft.of(blueprint), local_percent=0, overlap_percent=25)
    await change_blueprint(
        session, code=blueprint.code, based_on=blueprint.version, draft=draft, actor_id=first.person_id, now=now
    )
    second = await make_seated(session, vault, exam_session, seat=3, seed=3, now=now)
    limits = (await kept(session, second))["limits"]
    assert (limits["local_percent"], limits["overlap_percent"], limits["score_tolerance"]) == (0, 25, 50)

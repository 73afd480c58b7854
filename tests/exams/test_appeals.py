"""A candidate doubts a released score: asked within the limit, counted again, answered."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlmodel import select

from exams.appeals import (
    AlreadyAppealed,
    AppealTooLate,
    NotReleased,
    ReasonForAppeal,
    answer_appeal,
    ask_appeal,
    count_open_appeals,
    get_appeal,
    get_own_appeals,
    list_appeals,
)
from exams.models import AppealStatus, RegradeKind, ScoreRevision
from exams.replaying import Redealt
from tests.exams.test_regrading import approve, propose, revision_at, sit
from tests.makers.people import make_person
from training.errors import NotFound

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.models import Application, Score
    from training.vault import Vault


async def spoil(session: AsyncSession, score: Score, application: Application) -> None:
    """As if it had been counted wrongly."""
    score.points, score.passed, application.theory_passed_on = Decimal(70), False, None
    session.add_all([score, application])
    await session.flush()


async def test_an_appeal_is_counted_again_and_upheld(session: AsyncSession, vault: Vault, now: datetime) -> None:
    sat, score, _ = await sit(session, vault, right=79, now=now)
    person_id = sat.who.person.id
    officer = await make_person(session, vault, now=now)
    score.released_at = now
    ids = set()
    for _ in range(2):
        appeal = await ask_appeal(session, sitting_id=sat.id, person_id=person_id, reason="第 3 题", now=now)
        ids.add(appeal.id)
    assert len(ids) == 1
    # Ten working days after Saturday 21 November 2026.
    assert appeal.answer_by == date(2026, 12, 4)
    assert await count_open_appeals(session, today=date(2026, 12, 5), near_until=date(2026, 12, 9)) == (1, 1, 0)
    assert await count_open_appeals(session, today=date(2026, 12, 4), near_until=date(2026, 12, 9)) == (1, 0, 1)
    sheet = await get_appeal(session, appeal.id, today=date(2026, 11, 21))
    assert (sheet.recount.redealt, sheet.recount.agrees) == (Redealt.SAME, True)
    assert (sheet.recount.acts, sheet.recount.right, len(sheet.recount.items)) == (79, 79, 100)
    for _ in range(2):
        await answer_appeal(
            session, appeal_id=appeal.id, actor_id=officer.person.id, answer="复核无误", certified=(), now=now
        )
    assert (appeal.status, appeal.recount["redealt"], score.points) == (AppealStatus.UPHELD, "SAME", Decimal(79))
    assert await count_open_appeals(session, today=date(2026, 12, 5), near_until=date(2026, 12, 9)) == (0, 0, 0)
    (line,) = await list_appeals(session, today=date(2026, 11, 21))
    assert line.status is AppealStatus.UPHELD
    own = await get_own_appeals(session, sitting_id=sat.id, person_id=person_id, now=now)
    assert own
    assert (own.may_ask, own.appeals[0].answer, own.changes) == (False, "复核无误", ())
    later = sat.entry.deadline + timedelta(hours=1)
    with pytest.raises(AlreadyAppealed):
        await ask_appeal(session, sitting_id=sat.id, person_id=person_id, reason="再看", now=later)


async def test_a_score_that_the_recount_does_not_confirm_is_corrected(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat, score, application = await sit(session, vault, right=80, now=now)
    await spoil(session, score, application)
    appeal = await ask_appeal(session, sitting_id=sat.id, person_id=sat.who.person.id, reason="少算", now=now)
    await answer_appeal(
        session, appeal_id=appeal.id, actor_id=sat.who.person.id, answer="已更正", certified=(), now=now
    )
    assert (appeal.status, score.points, score.passed) == (AppealStatus.CORRECTED, Decimal(80), True)
    assert application.theory_passed_on
    (kept,) = (await session.exec(select(ScoreRevision).where(ScoreRevision.appeal_id == appeal.id))).all()
    assert kept.was["passed"] is False
    own = await get_own_appeals(session, sitting_id=sat.id, person_id=sat.who.person.id, now=now)
    assert own
    assert [(change.points_before, change.points) for change in own.changes] == [(Decimal(70), Decimal(80))]


async def test_a_key_found_wrong_corrects_the_appeal_through_its_regrade(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat, score, _ = await sit(session, vault, right=79, now=now)
    person_id = sat.who.person.id
    officer = await make_person(session, vault, now=now)
    appeal = await ask_appeal(session, sitting_id=sat.id, person_id=person_id, reason="第 90 题", now=now)
    revision_id = await revision_at(session, sat.id, 90)
    regrade = await propose(session, revision_id, RegradeKind.GIVE_ALL, actor_id=person_id, now=now)
    await approve(session, regrade, actor_id=officer.person.id, now=sat.entry.deadline)
    await answer_appeal(
        session, appeal_id=appeal.id, actor_id=officer.person.id, answer="该题有误", certified=(), now=now
    )
    assert (appeal.status, score.points) == (AppealStatus.CORRECTED, Decimal(80))


async def test_the_limit_is_five_working_days_and_its_last_day_counts(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat, _, _ = await sit(session, vault, right=79, now=now)
    own = await get_own_appeals(session, sitting_id=sat.id, person_id=sat.who.person.id, now=now)
    assert own
    assert (own.may_ask, own.last_day) == (True, date(2026, 11, 27))
    with pytest.raises(AppealTooLate):
        await ask_appeal(
            session, sitting_id=sat.id, person_id=sat.who.person.id, reason="x", now=now + timedelta(days=7)
        )
    with pytest.raises(ReasonForAppeal):
        await ask_appeal(session, sitting_id=sat.id, person_id=sat.who.person.id, reason=" ", now=now)
    assert await ask_appeal(
        session, sitting_id=sat.id, person_id=sat.who.person.id, reason="x", now=now + timedelta(days=6)
    )


async def test_only_ones_own_released_score_can_be_doubted(session: AsyncSession, vault: Vault, now: datetime) -> None:
    sat, _, _ = await sit(session, vault, right=79, now=now, release=False)
    with pytest.raises(NotReleased):
        await ask_appeal(session, sitting_id=sat.id, person_id=sat.who.person.id, reason="x", now=now)
    stranger = await make_person(session, vault, now=now)
    with pytest.raises(NotFound):
        await ask_appeal(session, sitting_id=sat.id, person_id=stranger.person.id, reason="x", now=now)
    assert await get_own_appeals(session, sitting_id=sat.id, person_id=stranger.person.id, now=now) is None

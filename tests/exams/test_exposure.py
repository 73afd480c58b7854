"""Items that came on too many papers rest, and come back."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlmodel import select, update

from exams.exposure import rest_tired_items
from exams.made_ahead import make_papers_ahead
from exams.models import DrawnPaper, RestingItem, Sitting, SittingStatus
from question_bank.blueprint_changes import BlueprintDraft, change_blueprint
from question_bank.queries import get_blueprint_version
from tests.makers.exams import make_booking, make_session
from tests.makers.items import make_bank
from tests.makers.people import make_person
from tests.makers.seated import make_seated

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault


async def resting(session: AsyncSession) -> set[UUID]:
    return set((await session.exec(select(RestingItem.revision_id))).all())


async def test_what_came_too_often_rests_until_it_has_come_less(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    await make_bank(session, vault, now=now)
    exam_session = await make_session(session, vault, now=now, seats=20)
    for seat in range(1, 13):
        await make_seated(session, vault, exam_session, seat=seat, seed=seat, now=now)
    assert await rest_tired_items(session, now=now) > 0
    tired = await resting(session)
    assert await rest_tired_items(session, now=now) == 0
    sitting = await make_seated(session, vault, exam_session, seat=15, seed=99, now=now)
    assert not {str(revision_id) for revision_id in tired} & {row["revision"] for row in sitting.paper}
    await session.exec(update(Sitting).values(status=SittingStatus.VOID, submitted_at=now))
    assert await rest_tired_items(session, now=now) == len(tired)
    assert await resting(session) == set()


async def test_nobody_rests_where_nobody_sat(session: AsyncSession, vault: Vault, now: datetime) -> None:
    await make_bank(session, vault, now=now)
    assert await rest_tired_items(session, now=now) == 0


async def test_papers_that_lie_ready_count_too(session: AsyncSession, vault: Vault, now: datetime) -> None:
    await make_bank(session, vault, now=now)
    held = await make_session(session, vault, now=now, seats=20)
    for _ in range(12):
        await make_booking(session, vault, now=now, exam_session=held, who=await make_person(session, vault, now=now))
    seeds = itertools.count(1)
    made = await make_papers_ahead(session, new_seed=lambda: next(seeds), now=now + timedelta(hours=60), limit=100)
    assert made == 12
    assert await rest_tired_items(session, now=now) > 0
    tired = await resting(session)
    late = await make_booking(
        session, vault, now=now, exam_session=held, who=await make_person(session, vault, now=now)
    )
    assert await make_papers_ahead(session, new_seed=lambda: 99, now=now + timedelta(hours=60), limit=100) == 1
    statement = select(DrawnPaper.paper).where(DrawnPaper.booking_id == late.id)
    [paper] = (await session.exec(statement)).all()
    assert not {str(revision_id) for revision_id in tired} & {row["revision"] for row in paper}


async def test_a_blueprints_own_ceiling_goes_before_the_rule(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    await make_bank(session, vault, now=now)
    exam_session = await make_session(session, vault, now=now, seats=20)
    for seat in range(1, 13):
        sitting = await make_seated(session, vault, exam_session, seat=seat, seed=seat, now=now)
    blueprint = await get_blueprint_version(session, sitting.blueprint_id)
    draft = replace(BlueprintDraft.of(blueprint), exposure_percent=100)
    await change_blueprint(
        session, code=blueprint.code, based_on=blueprint.version, draft=draft, actor_id=sitting.person_id, now=now
    )
    assert await rest_tired_items(session, now=now) == 0

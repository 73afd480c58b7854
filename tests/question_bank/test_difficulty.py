"""Difficulties: a prior for everyone, better sources first, and the kept ones never stale."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from question_bank.difficulty import PRIOR_RULES, Difficulty, Priors, load_ratings, record_difficulties, set_enemies
from question_bank.models import DifficultySource, ItemLevel, ItemType
from question_bank.queries import load_pool
from tests.makers.items import make_content, make_desk, make_published, published_revision
from training.errors import NotFound
from training.rules import get_rules

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from question_bank.difficulty import Ratings
    from tests.makers.items import Desk
    from training.vault import Vault

TODAY = date(2026, 11, 21)
CALIBRATED, REVIEWERS = DifficultySource.CALIBRATED, DifficultySource.REVIEWERS


@pytest.fixture
async def desk(session: AsyncSession, vault: Vault, now: datetime) -> Desk:
    return await make_desk(session, vault, now=now)


async def shipped(session: AsyncSession) -> Priors:
    return Priors.read(await get_rules(session, PRIOR_RULES, on=TODAY))


async def ratings_of(session: AsyncSession, subject: str = "GEN") -> dict[UUID, Difficulty]:
    pool = await load_pool(session, subject)
    ratings = await load_ratings(session, pool, priors=await shipped(session))
    return dict(zip((item.revision_id for item in pool.items), ratings.difficulties, strict=True))


async def load(session: AsyncSession) -> Ratings:
    return await load_ratings(session, await load_pool(session, "GEN"), priors=await shipped(session))


def test_the_prior_adds_level_and_type() -> None:
    priors = Priors({"KNOW": -1400, "GRASP": -900, "MASTER": -300}, {"TF": 0, "SC": 0, "MC": 500}, 900)
    assert priors.of(ItemLevel.MASTER, ItemType.MC) == Difficulty(200, 900, DifficultySource.PRIOR)


async def test_the_shipped_priors_know_every_level_and_type(session: AsyncSession) -> None:
    priors = await shipped(session)
    guessed = [[priors.of(level, kind).b for level in ItemLevel] for kind in ItemType]
    assert all(row == sorted(row) for row in guessed)
    assert priors.se > 0


async def test_an_item_that_nobody_has_rated_has_its_prior(session: AsyncSession, desk: Desk, now: datetime) -> None:
    await make_published(session, desk, now=now, content=make_content(level=ItemLevel.KNOW))
    priors = await shipped(session)
    assert list((await ratings_of(session)).values()) == [priors.of(ItemLevel.KNOW, ItemType.SC)]


async def test_calibration_outranks_later_reviewers(session: AsyncSession, desk: Desk, now: datetime) -> None:
    item_id = await make_published(session, desk, now=now)
    revision = (await published_revision(session, item_id)).id
    for minutes, estimate in enumerate((
        Difficulty(-700, 500, REVIEWERS), Difficulty(-1234, 80, CALIBRATED), Difficulty(-1300, 60, CALIBRATED),
        Difficulty(900, 400, REVIEWERS),
    )):  # fmt: skip
        await record_difficulties(
            session, subject="GEN", estimates={revision: estimate}, now=now + timedelta(minutes=minutes)
        )
    assert (await ratings_of(session))[revision] == Difficulty(-1300, 60, CALIBRATED)


async def test_kept_ratings_change_with_the_bank_alone(session: AsyncSession, desk: Desk, now: datetime) -> None:
    ids = [await make_published(session, desk, now=now) for _ in range(2)]
    first = await load(session)
    assert await load(session) is first
    revision = (await published_revision(session, ids[0])).id
    await record_difficulties(session, subject="GEN", estimates={revision: Difficulty(100, 90)}, now=now)
    second = await load(session)
    assert second.digest != first.digest
    await set_enemies(
        session, item_id=ids[0], other_id=ids[1], are_enemies=True, actor_id=desk.editor.person.id, now=now
    )
    third = await load(session)
    assert third.digest not in {first.digest, second.digest}


async def test_enemies_are_named_once_whichever_comes_first(session: AsyncSession, desk: Desk, now: datetime) -> None:
    ids = [await make_published(session, desk, now=now) for _ in range(2)]
    revisions = sorted([(await published_revision(session, item_id)).id for item_id in ids])
    for item_id, other_id in (ids, reversed(ids)):
        await set_enemies(
            session, item_id=item_id, other_id=other_id, are_enemies=True, actor_id=desk.editor.person.id, now=now
        )
    assert (await load(session)).enemies == (tuple(revisions),)
    await set_enemies(
        session, item_id=ids[0], other_id=ids[1], are_enemies=False, actor_id=desk.editor.person.id, now=now
    )
    assert (await load(session)).enemies == ()


async def test_items_of_two_banks_or_one_item_are_no_enemies(session: AsyncSession, desk: Desk, now: datetime) -> None:
    first = await make_published(session, desk, now=now)
    for other in (first, await make_published(session, desk, now=now, subject="SO_1_2")):
        with pytest.raises(NotFound):
            await set_enemies(
                session, item_id=first, other_id=other, are_enemies=True, actor_id=desk.editor.person.id, now=now
            )


async def test_an_estimate_is_never_rewritten(session: AsyncSession, desk: Desk, now: datetime) -> None:
    revision = (await published_revision(session, await make_published(session, desk, now=now))).id
    await record_difficulties(session, subject="GEN", estimates={revision: Difficulty(100, 90)}, now=now)
    with pytest.raises(IntegrityError, match="append-only"):
        await session.exec(text("UPDATE item_difficulty SET b = 0"))  # type: ignore[call-overload]

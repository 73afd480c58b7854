"""Reviewers' estimates: each alone, two before they count, on the scale of the papers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exams.rasch import SCALE, judge
from question_bank.authoring import create_item, submit_revision
from question_bank.difficulty import (
    GUESSED_QUARTERS,
    PRIOR_RULES,
    Difficulty,
    Priors,
    load_ratings,
    record_difficulties,
)
from question_bank.errors import EstimateWrong, SelfReview, WrongStatus
from question_bank.estimates import difficulty_of, get_difficulty_panel, give_estimate
from question_bank.models import DifficultySource, ItemRevision, ItemType
from question_bank.queries import load_pool
from question_bank.review import retire_revision
from tests.makers.items import make_content, make_desk, make_published, published_revision
from tests.makers.people import make_role
from training.calendar import china_date
from training.models import Role
from training.rules import get_rules

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from question_bank.estimates import DifficultyPanel
    from tests.makers.items import Desk
    from training.vault import Vault

KINDS = st.sampled_from(ItemType)
PERCENTS = st.lists(st.integers(1, 99), min_size=2, max_size=8)
CUT = 250


def judged(percents: list[int], kind: ItemType = ItemType.SC, *, cut: int = CUT, floor: int = 400) -> Difficulty:
    found = difficulty_of(percents, kind, cut_ability=cut, se_floor=floor)
    assert found is not None
    return found


@given(st.integers(52, 97), KINDS, st.integers(-2000, 2000))
def test_a_candidate_at_the_cut_is_right_as_often_as_the_reviewers_think(
    percent: int, kind: ItemType, cut: int
) -> None:
    b = np.array([judged([percent, percent], kind, cut=cut).b])
    quarters = np.array([GUESSED_QUARTERS[kind]])
    chance, _, _ = judge(cut, b, np.array([0]), quarters)
    assert int(chance[0]) / SCALE == pytest.approx(percent / 100, abs=0.001)


@given(PERCENTS, KINDS, st.integers(1, 98))
def test_who_thinks_more_are_right_never_makes_an_item_harder(percents: list[int], kind: ItemType, more: int) -> None:
    raised = [min(percent + more, 99) for percent in percents]
    assert judged(raised, kind).b <= judged(percents, kind).b
    assert judged(percents[::-1], kind) == judged(percents, kind)


@given(PERCENTS, KINDS, st.integers(0, 2000))
def test_the_error_is_never_under_the_floor_and_agreement_is_no_certainty(
    percents: list[int], kind: ItemType, floor: int
) -> None:
    assert judged(percents, kind, floor=floor).se >= floor
    assert judged([percents[0]] * 5, kind, floor=floor).se == floor


def test_one_reviewer_is_not_enough() -> None:
    assert difficulty_of([60], ItemType.SC, cut_ability=0, se_floor=400) is None
    assert difficulty_of([], ItemType.SC, cut_ability=0, se_floor=400) is None
    assert difficulty_of([60, 70], ItemType.SC, cut_ability=0, se_floor=400, needed=3) is None


def test_the_numbers_are_those_worked_by_hand() -> None:
    # SC: 70 and 85 of 100 are 60 % and 80 % who know: logits 0.405 and 1.386, mean 0.896, deviation 0.694.
    assert judged([70, 85], cut=0, floor=0) == Difficulty(-896, 490, DifficultySource.REVIEWERS)


@dataclass(frozen=True)
class Room:
    """An item in use, and three reviewers."""

    desk: Desk
    revision: ItemRevision
    reviewers: tuple[UUID, ...]


@pytest.fixture
async def room(session: AsyncSession, vault: Vault, now: datetime) -> Room:
    desk = await make_desk(session, vault, now=now)
    item_id = await make_published(session, desk, now=now)
    more = [
        await make_role(session, vault, role=Role.QUESTION_REVIEWER, organisation=desk.authority, now=now, name=name)
        for name in ("吴审题", "郑审题")
    ]
    people = (desk.reviewer, *more)
    return Room(desk, await published_revision(session, item_id), tuple(known.person.id for known in people))


async def give(session: AsyncSession, room: Room, reviewer: int, percent: int, *, now: datetime) -> None:
    await give_estimate(
        session, revision_id=room.revision.id, reviewer_id=room.reviewers[reviewer], percent=percent,
        cut_ability=CUT, now=now,
    )  # fmt: skip


async def panel(session: AsyncSession, room: Room, viewer_id: UUID, *, now: datetime) -> DifficultyPanel:
    is_reviewer = viewer_id in room.reviewers
    return await get_difficulty_panel(session, room.revision, viewer_id=viewer_id, is_reviewer=is_reviewer, now=now)


async def rating(session: AsyncSession, now: datetime) -> Difficulty:
    """What papers are equated by."""
    priors = Priors.read(await get_rules(session, PRIOR_RULES, on=china_date(now)))
    [found] = (await load_ratings(session, await load_pool(session, "GEN"), priors=priors)).difficulties
    return found


async def test_from_two_reviewers_on_their_mean_counts_for_papers(
    session: AsyncSession, room: Room, now: datetime
) -> None:
    await give(session, room, 0, 70, now=now)
    assert (await rating(session, now)).source is DifficultySource.PRIOR
    await give(session, room, 1, 85, now=now + timedelta(minutes=1))
    assert await rating(session, now) == judged([70, 85])
    # The last word of each counts, and saying it again changes nothing.
    for minutes in (2, 3):
        await give(session, room, 0, 80, now=now + timedelta(minutes=minutes))
    assert await rating(session, now) == judged([80, 85])
    seen = await panel(session, room, room.reviewers[0], now=now)
    assert (seen.own, seen.given, seen.counts) == (80, 2, judged([80, 85]))
    # What candidates have shown outranks what anybody thinks.
    known = Difficulty(-1234, 80, DifficultySource.CALIBRATED)
    await record_difficulties(session, subject="GEN", estimates={room.revision.id: known}, now=now)
    await give(session, room, 2, 50, now=now + timedelta(minutes=4))
    assert await rating(session, now) == known
    assert (await panel(session, room, room.reviewers[0], now=now)).counts == known


async def test_a_reviewer_sees_the_others_only_after_an_own_estimate(
    session: AsyncSession, room: Room, now: datetime
) -> None:
    await give(session, room, 0, 70, now=now)
    await give(session, room, 1, 85, now=now + timedelta(minutes=1))
    blind = await panel(session, room, room.reviewers[2], now=now)
    assert (blind.is_blind, blind.estimates, blind.reviewers, blind.given) == (True, (), None, 2)
    await give(session, room, 2, 60, now=now + timedelta(minutes=2))
    seen = await panel(session, room, room.reviewers[2], now=now)
    assert (seen.is_blind, {one.percent for one in seen.estimates}) == (False, {60, 70, 85})
    # The author estimates nothing and so may see everything.
    author = await panel(session, room, room.desk.editor.person.id, now=now)
    assert (author.may_estimate, len(author.estimates)) == (False, 3)


@pytest.mark.parametrize("percent", [0, 100, -5])
async def test_certainty_is_no_estimate(session: AsyncSession, room: Room, now: datetime, percent: int) -> None:
    with pytest.raises(EstimateWrong):
        await give(session, room, 0, percent, now=now)


async def test_authors_and_items_out_of_use_are_left_out(session: AsyncSession, room: Room, now: datetime) -> None:
    with pytest.raises(SelfReview):
        await give_estimate(
            session, revision_id=room.revision.id, reviewer_id=room.revision.author_id, percent=50, cut_ability=0,
            now=now,
        )  # fmt: skip
    await retire_revision(session, revision_id=room.revision.id, actor_id=room.reviewers[0], reason="过时", now=now)
    with pytest.raises(WrongStatus):
        await give(session, room, 0, 50, now=now)


async def test_a_draft_under_review_is_judged_too(session: AsyncSession, room: Room, now: datetime) -> None:
    draft = await create_item(
        session, subject="GEN", content=make_content(), author_id=room.desk.editor.person.id, now=now
    )
    await submit_revision(session, revision_id=draft.id, actor_id=draft.author_id, now=now)
    other = replace(room, revision=draft)
    await give(session, other, 0, 40, now=now)
    await give(session, other, 1, 40, now=now)
    assert (await panel(session, other, room.reviewers[0], now=now)).reviewers == judged([40, 40])

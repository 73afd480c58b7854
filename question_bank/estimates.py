"""Reviewers' estimates: how many of a hundred borderline candidates get an item right, and the difficulty of that.

Each reviewer judges alone, as in Angoff's method; from two reviewers on their mean counts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from sqlmodel import col, select

from question_bank.authoring import lock_revision
from question_bank.difficulty import GUESSED_QUARTERS, PRIOR_RULES, Difficulty, Priors, record_difficulties
from question_bank.errors import EstimateWrong, SelfReview, WrongStatus
from question_bank.models import DifficultySource, Item, ItemDifficulty, ItemEstimate, ItemType, RevisionStatus
from training import audit
from training.calendar import china_date
from training.models import Person
from training.rules import get_number, get_rules

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from question_bank.models import ItemRevision

_PERCENT = 100
_THOUSAND = 1000
_MOST_CERTAIN = 0.98  # nobody tells 98 of a hundred from 99
_REVIEWERS, _SE_FLOOR = "bank.reviewers.min", "bank.reviewers.se_min"


@dataclass(frozen=True, slots=True)
class Estimate:
    """What one reviewer thinks."""

    reviewer_id: UUID
    reviewer: str
    percent: int
    at: datetime


@dataclass(frozen=True, slots=True)
class DifficultyPanel:
    """What is known of a revision's difficulty, for one viewer.

    While `is_blind` the viewer has still to give an estimate, so neither the others' nor what
    follows from them is told. `counts` is the one that papers are equated by.
    """

    revision_id: UUID
    own: int | None
    given: int
    needed: int
    is_blind: bool
    may_estimate: bool
    estimates: tuple[Estimate, ...]
    prior: Difficulty
    reviewers: Difficulty | None
    calibrated: Difficulty | None

    @property
    def counts(self) -> Difficulty:
        """The best that there is."""
        return self.calibrated or self.reviewers or self.prior


def difficulty_of(
    percents: Sequence[int], kind: ItemType, *, cut_ability: int, se_floor: int, needed: int = 2
) -> Difficulty | None:
    """The difficulty by which a candidate at the cut gets the item right as often as the reviewers think.

    `cut_ability` and `se_floor` are thousandths of a logit. Guessing is taken off first; the
    standard error is that of the reviewers' mean, which a few who happen to agree do not bring
    under the floor. None from fewer than `needed`.
    """
    if len(percents) < max(needed, 2):
        return None
    logits = [_knows_logit(percent, kind) for percent in percents]
    spread = stdev(logits) / math.sqrt(len(logits))
    b = cut_ability - round(fmean(logits) * _THOUSAND)
    return Difficulty(b, max(round(spread * _THOUSAND), se_floor), DifficultySource.REVIEWERS)


def _knows_logit(percent: int, kind: ItemType) -> float:
    guessed = GUESSED_QUARTERS[kind] / 4
    knows = (percent / _PERCENT - guessed) / (1 - guessed)
    knows = min(max(knows, 1 - _MOST_CERTAIN), _MOST_CERTAIN)
    return math.log(knows / (1 - knows))


async def give_estimate(
    session: AsyncSession, *, revision_id: UUID, reviewer_id: UUID, percent: int, cut_ability: int, now: datetime
) -> None:
    """Say how many of a hundred borderline candidates would be right; one's last estimate counts.

    `cut_ability` is that of the blueprint's cut score now. Raises `EstimateWrong`, `SelfReview`, `WrongStatus`.
    """
    if not 0 < percent < _PERCENT:
        raise EstimateWrong(field="percent")
    revision = await lock_revision(session, revision_id)
    if revision.author_id == reviewer_id:
        raise SelfReview
    if revision.status is RevisionStatus.RETIRED:
        raise WrongStatus
    last = await _last_estimates(session, revision_id)
    if reviewer_id in last and last[reviewer_id].percent == percent:
        return
    session.add(ItemEstimate(revision_id=revision_id, reviewer_id=reviewer_id, at=now, percent=percent))
    audit.record(session, action="item.estimated", target=("item_revision", revision_id), actor_id=reviewer_id, now=now)
    await session.flush()
    percents = [row.percent for row in (await _last_estimates(session, revision_id)).values()]
    found = difficulty_of(
        percents, revision.type, cut_ability=cut_ability,
        se_floor=await get_number(session, _SE_FLOOR, on=china_date(now)),
        needed=await get_number(session, _REVIEWERS, on=china_date(now)),
    )  # fmt: skip
    if found:
        subject = (await session.get_one(Item, revision.item_id)).subject
        await record_difficulties(session, subject=subject, estimates={revision_id: found}, now=now)


async def _last_estimates(session: AsyncSession, revision_id: UUID) -> dict[UUID, ItemEstimate]:
    statement = select(ItemEstimate).where(ItemEstimate.revision_id == revision_id).order_by(col(ItemEstimate.at))
    return {row.reviewer_id: row for row in (await session.exec(statement)).all()}


async def get_difficulty_panel(
    session: AsyncSession, revision: ItemRevision, *, viewer_id: UUID, is_reviewer: bool, now: datetime
) -> DifficultyPanel:
    """What the viewer may know of a revision's difficulty."""
    last = await _last_estimates(session, revision.id)
    may_estimate = is_reviewer and viewer_id != revision.author_id and revision.status is not RevisionStatus.RETIRED
    is_blind = may_estimate and viewer_id not in last
    priors = Priors.read(await get_rules(session, PRIOR_RULES, on=china_date(now)))
    known = await _read_difficulties(session, revision.id)
    return DifficultyPanel(
        revision_id=revision.id,
        own=last[viewer_id].percent if viewer_id in last else None,
        given=len(last),
        needed=await get_number(session, _REVIEWERS, on=china_date(now)),
        is_blind=is_blind,
        may_estimate=may_estimate,
        estimates=() if is_blind else await _with_names(session, last),
        prior=priors.of(revision.level, revision.type),
        reviewers=None if is_blind else known.get(DifficultySource.REVIEWERS),
        calibrated=known.get(DifficultySource.CALIBRATED),
    )


async def _with_names(session: AsyncSession, last: dict[UUID, ItemEstimate]) -> tuple[Estimate, ...]:
    names = dict((await session.exec(select(Person.id, Person.name).where(col(Person.id).in_(last)))).all())
    return tuple(Estimate(who, names[who], row.percent, row.at) for who, row in last.items())


async def _read_difficulties(session: AsyncSession, revision_id: UUID) -> dict[DifficultySource, Difficulty]:
    statement = select(ItemDifficulty).where(ItemDifficulty.revision_id == revision_id).order_by(col(ItemDifficulty.at))
    rows = (await session.exec(statement)).all()
    return {row.source: Difficulty(int(row.b * _THOUSAND), int(row.se * _THOUSAND), row.source) for row in rows}

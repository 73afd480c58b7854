"""What the bank gives for a blueprint's target: the mean that papers meet by themselves, and how far they can go."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from exams.paper_bank import prepare
from exams.papers import BankTooSmall
from exams.rasch import SCALE
from question_bank.difficulty import PRIOR_RULES, Priors, load_ratings
from question_bank.queries import EquatingTarget, load_pool
from training.calendar import china_date
from training.rules import get_rules

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.paper_bank import Bank
    from exams.rasch import Whole
    from question_bank.difficulty import Ratings
    from question_bank.models import DifficultySource
    from question_bank.queries import BlueprintView, Pool

_THOUSAND = 1000


@dataclass(frozen=True, slots=True)
class Reach:
    """The least and the most that papers of a bank can have at an ability, in thousandths."""

    score: tuple[int, int]
    information: tuple[int, int]

    def holds(self, target: EquatingTarget) -> bool:
        """Whether a paper may come near the target."""
        score, information = self.score, self.information
        return score[0] <= target.score <= score[1] and information[0] <= target.information <= information[1]


@dataclass(frozen=True, slots=True)
class TargetFigures:
    """`mean` is what papers meet where no target is set; `reach` is at the ability of the target that is set.

    `sources` counts the bank's items by where their difficulty is known from.
    """

    mean: EquatingTarget
    target: EquatingTarget | None
    reach: Reach
    sources: Mapping[DifficultySource, int]

    @property
    def is_in_reach(self) -> bool:
        """Whether the target that is set can be met."""
        return self.target is None or self.reach.holds(self.target)


async def find_target_figures(
    session: AsyncSession, blueprint: BlueprintView, *, now: datetime
) -> TargetFigures | None:
    """The figures of a blueprint, stored or only thought of; None where the bank fills no paper of it."""
    priors = Priors.read(await get_rules(session, PRIOR_RULES, on=china_date(now)))
    pool = await load_pool(session, blueprint.code)
    ratings = await load_ratings(session, pool, priors=priors)
    if not blueprint.total_items:
        return None
    try:
        return await asyncio.to_thread(_work_out, blueprint, pool, ratings)
    except BankTooSmall:
        return None


async def get_cut_ability(session: AsyncSession, blueprint: BlueprintView, *, now: datetime) -> int:
    """The ability at a blueprint's cut score, in thousandths of a logit; the scale's zero while there is no bank."""
    if blueprint.target:
        return blueprint.target.ability
    figures = await find_target_figures(session, blueprint, now=now)
    return figures.mean.ability if figures else 0


def _work_out(blueprint: BlueprintView, pool: Pool, ratings: Ratings) -> TargetFigures:
    own = _prepare(replace(blueprint, target=None), pool, ratings)
    mean = EquatingTarget(own.ability, _thousandths(own.target_score), _thousandths(own.target_information))
    bank = _prepare(blueprint, pool, ratings) if blueprint.target else own
    reach = Reach(_range(bank, bank.score), _range(bank, bank.information))
    return TargetFigures(mean, blueprint.target, reach, Counter(each.source for each in ratings.difficulties))


def _prepare(blueprint: BlueprintView, pool: Pool, ratings: Ratings) -> Bank:
    cut = -(-blueprint.pass_score // blueprint.points_per_item)
    return prepare(pool.items, ratings.difficulties, blueprint.cells, cut=cut, target=blueprint.target)


def _range(bank: Bank, worth: Whole) -> tuple[int, int]:
    """What the items that are worth least, and those that are worth most, come to in each cell."""
    parts = [np.sort(part) for part in np.split(worth, bank.starts[1:-1])]
    least = sum(int(part[: cell.count].sum()) for cell, part in zip(bank.cells, parts, strict=True))
    most = sum(int(part[-cell.count :].sum()) for cell, part in zip(bank.cells, parts, strict=True))
    return _thousandths(least), _thousandths(most)


def _thousandths(scaled: int) -> int:
    return (scaled * _THOUSAND + SCALE // 2) // SCALE

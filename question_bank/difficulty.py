"""How hard the items of a bank are, how sure that is, and which of them must not meet on a paper."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, func
from sqlmodel import col, select

from question_bank.models import (
    DifficultySource,
    Item,
    ItemDifficulty,
    ItemEnemy,
    ItemLevel,
    ItemRevision,
    ItemType,
    RevisionStatus,
)
from training import audit
from training.errors import NotFound
from training.prepared import run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from question_bank.queries import Pool, PoolItem

PRIOR_RULES = ("bank.prior.level", "bank.prior.type", "bank.prior.se")
# The chance of guessing right, in quarters: one of two, one of four, and all of several together hardly ever.
GUESSED_QUARTERS = {ItemType.TF: 2, ItemType.SC: 1, ItemType.MC: 0}
_KEPT = 64
_THOUSAND = 1000
_SOURCES = list(DifficultySource)


@dataclass(frozen=True, slots=True)
class Difficulty:
    """Difficulty and standard error in whole thousandths of a logit, so that papers never hang on a rounding."""

    b: int
    se: int
    source: DifficultySource = DifficultySource.CALIBRATED


@dataclass(frozen=True, slots=True)
class Priors:
    """The rules `bank.prior.*`: what is thought of an item before anyone has answered it."""

    level: Mapping[str, int]
    type: Mapping[str, int]
    se: int

    @classmethod
    def read(cls, rules: Mapping[str, Any]) -> Priors:
        """The priors from the values of `PRIOR_RULES`."""
        return cls(*(rules[code] for code in PRIOR_RULES))

    def of(self, level: ItemLevel, kind: ItemType) -> Difficulty:
        """The difficulty of an item of which nothing but level and type is known."""
        return Difficulty(self.level[level] + self.type[kind], self.se, DifficultySource.PRIOR)


@dataclass(frozen=True, slots=True)
class Ratings:
    """Difficulties in the order of a pool's items, and the pairs of its revisions that are enemies.

    `digest` is SHA-256 (hex) over all of it: with the pool's, what a paper was equated by.
    """

    difficulties: tuple[Difficulty, ...]
    enemies: tuple[tuple[UUID, UUID], ...]
    digest: str


_ratings: dict[tuple[Any, ...], Ratings] = {}


def ratings_version(subject: Any) -> Any:  # noqa: ANN401 - SQL expressions
    """An expression of what tells one state of what is known of a subject's items from any other."""
    known = (
        select(func.count())
        .where(col(ItemDifficulty.subject) == subject)
        .correlate_except(ItemDifficulty)
        .scalar_subquery()
    )
    return (
        select(
            func.jsonb_build_array(
                known,
                func.count(),
                func.bit_xor(func.hash_record_extended(func.row(ItemEnemy.first_id, ItemEnemy.second_id), 0)),
            )
        )
        .where(col(ItemEnemy.subject) == subject)
        .correlate_except(ItemEnemy)
        .scalar_subquery()
    )


# For a statement with the parameter `subject`.
RATINGS_VERSION = ratings_version(bindparam("subject"))
_RATINGS_VERSION = select(RATINGS_VERSION)


async def load_ratings(
    session: AsyncSession, pool: Pool, *, priors: Priors, version: Sequence[int | None] = ()
) -> Ratings:
    """What is known of a pool's items; the prior where nothing is.

    Kept in the process like the pool itself. Estimates are only ever added, so their number
    tells whether any is new. `version` is `RATINGS_VERSION`, from whoever has read it in this transaction.
    """
    version = version or (await run(session, _RATINGS_VERSION, subject=pool.subject)).scalar_one()
    key = (pool.digest, *version, tuple(priors.level.items()), tuple(priors.type.items()), priors.se)
    known = _ratings.get(key)
    if known is not None:
        return known
    ratings = make_ratings(pool.items, await _read_difficulties(session, pool.subject), priors,
                           await _read_enemies(session, pool.subject))  # fmt: skip
    while len(_ratings) >= _KEPT:
        _ratings.pop(next(iter(_ratings)))
    _ratings[key] = ratings
    return ratings


def make_ratings(
    items: tuple[PoolItem, ...],
    known: Mapping[UUID, Difficulty],
    priors: Priors,
    enemies: tuple[tuple[UUID, UUID], ...] = (),
) -> Ratings:
    """The ratings of a pool from the estimates that there are."""
    difficulties = tuple(known.get(item.revision_id) or priors.of(item.level, item.type) for item in items)
    ordered = tuple(sorted((min(pair), max(pair)) for pair in enemies))
    digest = hashlib.sha256()
    for item, difficulty in zip(items, difficulties, strict=True):
        digest.update(item.revision_id.bytes + b"%d,%d;" % (difficulty.b, difficulty.se))
    for first, second in ordered:
        digest.update(first.bytes + second.bytes)
    return Ratings(difficulties, ordered, digest.hexdigest())


async def _read_difficulties(session: AsyncSession, subject: str) -> dict[UUID, Difficulty]:
    rows = (await session.exec(select(ItemDifficulty).where(ItemDifficulty.subject == subject))).all()
    ordered = sorted(rows, key=lambda row: (_SOURCES.index(row.source), row.at))
    return {row.revision_id: Difficulty(_thousandths(row.b), _thousandths(row.se), row.source) for row in ordered}


async def _read_enemies(session: AsyncSession, subject: str) -> tuple[tuple[UUID, UUID], ...]:
    """Pairs of published revisions; an item's enemies outlive its revisions."""
    pairs = (await session.exec(select(ItemEnemy).where(ItemEnemy.subject == subject))).all()
    statement = (
        select(ItemRevision.item_id, ItemRevision.id)
        .join(Item, col(Item.id) == ItemRevision.item_id)
        .where(Item.subject == subject, ItemRevision.status == RevisionStatus.PUBLISHED)
    )
    published = dict((await session.exec(statement)).all()) if pairs else {}
    return tuple(
        (published[pair.first_id], published[pair.second_id])
        for pair in pairs
        if pair.first_id in published and pair.second_id in published
    )


def _thousandths(number: Decimal) -> int:
    return int(number * _THOUSAND)


async def record_difficulties(
    session: AsyncSession, *, subject: str, estimates: Mapping[UUID, Difficulty], now: datetime
) -> None:
    """Add estimates by revision; those of the better source, and then the later, count from now on."""
    session.add_all(
        ItemDifficulty(
            revision_id=revision_id, source=estimate.source, at=now, subject=subject,
            b=Decimal(estimate.b) / _THOUSAND, se=Decimal(estimate.se) / _THOUSAND,
        )
        for revision_id, estimate in estimates.items()
    )  # fmt: skip
    await session.flush()


async def set_enemies(
    session: AsyncSession,
    *,
    item_id: UUID,
    other_id: UUID,
    are_enemies: bool,
    actor_id: UUID,
    now: datetime,
    reason: str = "",
) -> None:
    """Say that two items of a subject must never meet on a paper, or that they may, and why. Raises `NotFound`."""
    first, second = sorted((item_id, other_id))
    items = (await session.exec(select(Item).where(col(Item.id).in_((first, second))).with_for_update())).all()
    if len({item.id for item in items}) != 2 or len({item.subject for item in items}) != 1:  # noqa: PLR2004 - a pair
        raise NotFound
    known = await session.get(ItemEnemy, (first, second))
    if (known is not None) == are_enemies:
        return
    if known is not None:
        await session.delete(known)
    else:
        session.add(
            ItemEnemy(first_id=first, second_id=second, subject=items[0].subject, created_by=actor_id, created_at=now)
        )
    audit.record(session, action="item.enemies_set", target=("item", first), actor_id=actor_id, now=now,
                 other=str(second), are_enemies=are_enemies, reason=reason.strip())  # fmt: skip
    await session.flush()

"""Dealing one candidate's paper: what bank, rules and the seats beside say, and what is kept to deal it again."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Uuid, bindparam, cast
from sqlalchemy.dialects.postgresql import JSONPATH, aggregate_order_by
from sqlalchemy.orm import aliased
from sqlmodel import col, func, select

from exams.equating import Limits, equate_paper
from exams.models import Booking, RestingItem, Sitting, SittingStatus
from exams.paper_bank import prepare
from exams.papers import revision_id_of
from question_bank.difficulty import PRIOR_RULES, RATINGS_VERSION, Priors, load_ratings
from question_bank.queries import POOL_VERSION, load_pool
from training.calendar import china_date
from training.prepared import run
from training.rules import RULES, check_rules

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.paper_bank import Bank
    from exams.papers import Paper
    from question_bank.difficulty import Ratings
    from question_bank.queries import BlueprintView, Pool

_LIMIT_RULES = (
    "paper.local_percent",
    "paper.equate.score_tolerance",
    "paper.equate.information_percent",
    "paper.overlap.percent",
)
_RULES = (*_LIMIT_RULES, *PRIOR_RULES)
_KEPT = 64


@dataclass(frozen=True, slots=True)
class Dealt:
    """A paper, the bank that it is from, and for the sitting's first event everything else that decided it."""

    paper: Paper
    bank_digest: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Stock:
    """From what and within what limits papers are dealt, with the digests that name it."""

    bank: Bank
    limits: Limits
    pool_digest: str
    ratings_digest: str


# Made from versions that never change.
_banks: dict[tuple[UUID, str, str], Bank] = {}


async def deal_paper(
    session: AsyncSession, *, blueprint: BlueprintView, seed: int, booking_id: UUID | None, now: datetime
) -> Dealt:
    """Deal the paper of a seed, as hard as any other of the blueprint. Raises `BankTooSmall`.

    Two neighbours who start in the same instant do not see each other's papers.
    """
    facts = (
        await run(
            session, _FACTS, codes=list(_RULES), day=china_date(now), subject=blueprint.code, booking_id=booking_id
        )
    ).one()
    stock = await _read_stock(session, blueprint, facts)
    resting = sorted(facts.resting or ())
    beside = {sitting_id: frozenset(map(revision_id_of, found)) for sitting_id, found in facts.beside or ()}
    done = equate_paper(stock.bank, seed=seed, limits=stock.limits, resting=resting, neighbours=list(beside.values()))
    detail = {
        "repeated": list(done.paper.repeated),
        "equating": done.equating.detail(),
        "limits": asdict(stock.limits),
        "ratings": stock.ratings_digest,
        "resting": [str(revision_id) for revision_id in resting],
        "beside": list(beside),
    }
    return Dealt(done.paper, stock.pool_digest, detail)


async def load_stock(session: AsyncSession, blueprint: BlueprintView, *, now: datetime) -> Stock:
    """The blueprint's bank and limits as they are now. Raises `BankTooSmall`."""
    facts = await run(session, _STOCK, codes=list(_RULES), day=china_date(now), subject=blueprint.code)
    return await _read_stock(session, blueprint, facts.one())


async def _read_stock(session: AsyncSession, blueprint: BlueprintView, facts: Any) -> Stock:  # noqa: ANN401 - a row
    rules = check_rules(facts.rules, _RULES)
    limits = Limits(*(int(rules[code]) for code in _LIMIT_RULES))
    pool = await load_pool(session, blueprint.code, version=facts.pool)
    ratings = await load_ratings(session, pool, priors=Priors.read(rules), version=facts.ratings)
    return Stock(_bank_of(blueprint, pool, ratings), limits, pool.digest, ratings.digest)


def _bank_of(blueprint: BlueprintView, pool: Pool, ratings: Ratings) -> Bank:
    key = (blueprint.id, pool.digest, ratings.digest)
    known = _banks.get(key)
    if known is None:
        cut = -(-blueprint.pass_score // blueprint.points_per_item)
        known = prepare(
            pool.items, ratings.difficulties, blueprint.cells, cut=cut, enemies=ratings.enemies, target=blueprint.target
        )
        while len(_banks) >= _KEPT:
            _banks.pop(next(iter(_banks)))
        _banks[key] = known
    return known


_RESTING = (
    select(func.array_agg(RestingItem.revision_id))
    .where(RestingItem.blueprint_code == bindparam("subject"))
    .scalar_subquery()
)


def _select_beside() -> Any:  # noqa: ANN401 - an SQL expression
    """The sittings at the two seats beside, in the order of the seats, each with the revisions on its paper."""
    own = aliased(Booking)
    paper = func.jsonb_build_array(
        Sitting.id, func.jsonb_path_query_array(Sitting.paper, cast("$[*].revision", JSONPATH))
    )
    return (
        select(func.jsonb_agg(aggregate_order_by(paper, col(Booking.seat_no), col(Sitting.id))))
        .select_from(Sitting)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .join(own, col(own.exam_session_id) == Booking.exam_session_id)
        .where(
            own.id == bindparam("booking_id", type_=Uuid),
            col(Booking.seat_no).in_((own.seat_no - 1, own.seat_no + 1)),
            Sitting.status != SittingStatus.VOID,
        )
        .scalar_subquery()
    )


# Everything that a deal hangs on, in one question.
_STOCK = select(RULES.label("rules"), POOL_VERSION.label("pool"), RATINGS_VERSION.label("ratings"))
_FACTS = _STOCK.add_columns(_RESTING.label("resting"), _select_beside().label("beside"))

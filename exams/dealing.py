"""Dealing one candidate's paper: what bank, rules and the seats beside say, and what is kept to deal it again."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Uuid, bindparam, cast, true
from sqlalchemy.dialects.postgresql import JSONPATH, aggregate_order_by
from sqlalchemy.orm import aliased
from sqlmodel import col, func, select

from exams.equating import Limits, equate_paper
from exams.models import Booking, BookingStatus, DrawnPaper, RestingItem, Sitting, SittingStatus
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
DEAL_RULES = (*_LIMIT_RULES, *PRIOR_RULES)
_KEPT = 64
# Whoever did not come, or gave the seat back, is nobody's neighbour.
_SEATED = (BookingStatus.BOOKED, BookingStatus.CHECKED_IN, BookingStatus.DONE)


@dataclass(frozen=True, slots=True)
class Dealt:
    """A paper, the bank that it is from, and for the sitting's first event everything else that decided it.

    `made_of` tells in the database's own terms whether the paper would still be dealt from the same.
    """

    paper: Paper
    bank_digest: str
    detail: dict[str, Any]
    made_of: dict[str, Any]


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

    The papers of the seats beside are those that are sat there, or else those that are made ahead
    for them. Two neighbours without any who start in the same instant do not see each other's.
    """
    facts = (
        await run(
            session, _FACTS, codes=list(DEAL_RULES), day=china_date(now), subject=blueprint.code, booking_id=booking_id
        )
    ).one()
    stock = await _read_stock(session, blueprint, facts)
    resting = sorted(facts.resting or ())
    beside = {paper_id: frozenset(map(revision_id_of, found)) for paper_id, found in facts.beside or ()}
    done = equate_paper(stock.bank, seed=seed, limits=stock.limits, resting=resting, neighbours=list(beside.values()))
    detail = {
        "repeated": list(done.paper.repeated),
        "equating": done.equating.detail(),
        "limits": asdict(stock.limits),
        "ratings": stock.ratings_digest,
        "resting": [str(revision_id) for revision_id in resting],
        "beside": list(beside),
    }
    made_of = {"pool": facts.pool, "ratings": facts.ratings, "rules": facts.rules, "seat": facts.seat}
    return Dealt(done.paper, stock.pool_digest, detail, made_of)


async def load_stock(session: AsyncSession, blueprint: BlueprintView, *, now: datetime) -> Stock:
    """The blueprint's bank and limits as they are now. Raises `BankTooSmall`."""
    facts = await run(session, _STOCK, codes=list(DEAL_RULES), day=china_date(now), subject=blueprint.code)
    return await _read_stock(session, blueprint, facts.one())


async def _read_stock(session: AsyncSession, blueprint: BlueprintView, facts: Any) -> Stock:  # noqa: ANN401 - a row
    rules = check_rules(facts.rules, DEAL_RULES)
    limits = limits_of(blueprint, Limits(*(int(rules[code]) for code in _LIMIT_RULES)))
    pool = await load_pool(session, blueprint.code, version=facts.pool)
    ratings = await load_ratings(session, pool, priors=Priors.read(rules), version=facts.ratings)
    return Stock(_bank_of(blueprint, pool, ratings), limits, pool.digest, ratings.digest)


def limits_of(blueprint: BlueprintView, limits: Limits) -> Limits:
    """The rules' limits with those that the blueprint sets itself."""
    own = {"local_percent": blueprint.local_percent, "overlap_percent": blueprint.overlap_percent}
    return replace(limits, **{name: percent for name, percent in own.items() if percent is not None})


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


_SEAT = (
    select(func.jsonb_build_array(Booking.exam_session_id, Booking.seat_no))
    .where(col(Booking.id) == bindparam("booking_id", type_=Uuid))
    .scalar_subquery()
)


def _select_beside() -> Any:  # noqa: ANN401 - an SQL expression
    """The papers at the two seats beside, in the order of the seats, each with its revisions.

    A paper is named by the sitting, or by the drawn paper where nobody sits yet.
    """
    own, ahead = aliased(Booking), latest_paper(Booking.id)
    paper = func.jsonb_build_array(
        func.coalesce(Sitting.id, ahead.c.id),
        func.jsonb_path_query_array(func.coalesce(Sitting.paper, ahead.c.paper), cast("$[*].revision", JSONPATH)),
    )
    return (
        select(func.jsonb_agg(aggregate_order_by(paper, col(Booking.seat_no))))
        .select_from(own)
        .join(Booking, col(Booking.exam_session_id) == own.exam_session_id)
        .outerjoin(Sitting, (col(Sitting.booking_id) == Booking.id) & (col(Sitting.status) != SittingStatus.VOID))
        .outerjoin(ahead, true())
        .where(
            own.id == bindparam("booking_id", type_=Uuid),
            col(Booking.seat_no).in_((own.seat_no - 1, own.seat_no + 1)),
            col(Booking.status).in_(_SEATED),
            func.coalesce(Sitting.id, ahead.c.id).is_not(None),
        )
        .scalar_subquery()
    )


def latest_paper(booking_id: Any) -> Any:  # noqa: ANN401 - SQL expressions
    """The last paper drawn for a booking, to be joined laterally."""
    return (
        select(DrawnPaper)
        .where(col(DrawnPaper.booking_id) == booking_id)
        .order_by(col(DrawnPaper.number).desc())
        .limit(1)
        .lateral("latest")
    )


# Everything that a deal hangs on, in one question.
_STOCK = select(RULES.label("rules"), POOL_VERSION.label("pool"), RATINGS_VERSION.label("ratings"))
_FACTS = _STOCK.add_columns(_RESTING.label("resting"), _select_beside().label("beside"), _SEAT.label("seat"))

"""Papers made ahead: a job deals one to each booked candidate, seat by seat, so that a start only takes it.

So neighbours who start in the same instant have papers that know each other. A paper stays in
force while it would still be dealt from the same: blueprint, bank, ratings, rules and seat. What a
person drew, to be printed, always counts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import sqlalchemy
import structlog
from sqlalchemy import ARRAY, String, Uuid, any_, bindparam, func, literal_column, true
from sqlmodel import and_, col, or_, select

from exams.dealing import DEAL_RULES, deal_paper, latest_paper
from exams.equating import Shortfall
from exams.exposure import rest_tired_of
from exams.models import (
    Booking,
    BookingStatus,
    DrawnPaper,
    ExamPart,
    ExamSession,
    Qualification,
    SessionStatus,
    Sitting,
    SittingStatus,
)
from exams.papers import BankTooSmall
from question_bank.difficulty import ratings_version
from question_bank.models import Blueprint
from question_bank.queries import get_blueprint, pool_version
from training.calendar import china_date
from training.columns import INSTANT
from training.prepared import run
from training.rules import RULES, get_number

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement
    from sqlmodel.ext.asyncio.session import AsyncSession

    from question_bank.queries import BlueprintView

log = structlog.get_logger()
_WAITING = (BookingStatus.BOOKED, BookingStatus.CHECKED_IN)
_COMING = (SessionStatus.PLANNED, SessionStatus.RUNNING)
_SITS = (
    select(Sitting.id).where(Sitting.booking_id == Booking.id, Sitting.status != SittingStatus.VOID).correlate(Booking)
)


@dataclass(frozen=True, slots=True)
class Readiness:
    """How far the papers of a session are. `shortfalls` counts what the papers in force could not keep."""

    waiting: int = 0
    ready: int = 0
    printed: int = 0
    unequated: int = 0
    shortfalls: Mapping[Shortfall, int] = field(default_factory=dict)


def is_in_force(paper: Any, *, blueprint_id: Any, pool: Any, ratings: Any, rules: Any) -> ColumnElement[bool]:  # noqa: ANN401 - SQL expressions
    """Whether `latest_paper` of the `Booking` in hand, if there is one, may be sat as it is.

    A paper that was opened once, in a sitting that was set aside, is not dealt to the same person again.
    """
    made_of = paper.c.detail["made_of"]
    opened = (
        select(Sitting.id)
        .where(Sitting.person_id == Booking.person_id, Sitting.booking_id == Booking.id, Sitting.seed == paper.c.seed)
        .correlate(Booking, paper)
        .exists()
    )
    would_be_the_same = and_(
        paper.c.blueprint_id == blueprint_id,
        made_of["seat"] == func.jsonb_build_array(Booking.exam_session_id, Booking.seat_no),
        made_of["pool"] == pool,
        made_of["ratings"] == ratings,
        rules.op("@>")(made_of["rules"]),
    )
    return and_(paper.c.id.is_not(None), or_(paper.c.drawn_by.is_not(None), would_be_the_same), ~opened)


async def make_papers_ahead(session: AsyncSession, *, new_seed: Callable[[], int], now: datetime, limit: int) -> int:
    """Deal up to `limit` papers to those who have none in force, in sessions that run or begin soon. Gives how many.

    Any number of workers may do this: each holds the session that it deals for, and passes over
    those that others hold. A bank that is too small for its blueprint stops no other.
    """
    hours = await get_number(session, "paper.ahead_hours", on=china_date(now))
    too_small: list[str] = []
    made = 0
    while made < limit:
        rows = await run(
            session, _NEXT, until=now + timedelta(hours=hours), now=now, codes=list(DEAL_RULES), day=china_date(now),
            too_small=too_small,
        )  # fmt: skip
        found = rows.one_or_none()
        if found is None:
            break
        try:
            blueprint = await get_blueprint(session, found.code)
            made += await _deal_room(session, blueprint, found.id, new_seed=new_seed, now=now, limit=limit - made)
        except BankTooSmall as error:
            log.warning("papers_not_made_ahead", blueprint=found.code, error=type(error).__name__)
            too_small.append(found.code)
    return made


async def _deal_room(
    session: AsyncSession,
    blueprint: BlueprintView,
    exam_session_id: UUID,
    *,
    new_seed: Callable[[], int],
    now: datetime,
    limit: int,
) -> int:
    rows = await run(
        session, _CANDIDATES, exam_session_id=exam_session_id, code=blueprint.code, codes=list(DEAL_RULES),
        day=china_date(now), most=limit,
    )  # fmt: skip
    waiting = rows.all()
    # What comes on the papers of one room rests for those of the next.
    await rest_tired_of(session, blueprint, now=now)
    for booking_id, last in waiting:
        await draw_ahead(session, blueprint, booking_id=booking_id, number=(last or 0) + 1, seed=new_seed(), now=now)
    return len(waiting)


async def draw_ahead(
    session: AsyncSession,
    blueprint: BlueprintView,
    *,
    booking_id: UUID,
    number: int,
    seed: int,
    now: datetime,
    drawn_by: UUID | None = None,
) -> None:
    """Deal one paper and keep it for the booking. Raises `BankTooSmall`."""
    dealt = await deal_paper(session, blueprint=blueprint, seed=seed, booking_id=booking_id, now=now)
    session.add(
        DrawnPaper(
            booking_id=booking_id,
            number=number,
            blueprint_id=blueprint.id,
            seed=seed,
            algorithm=dealt.paper.algorithm,
            bank_digest=bytes.fromhex(dealt.bank_digest),
            paper=dealt.paper.stored(),
            detail={**dealt.detail, "made_of": dealt.made_of},
            drawn_by=drawn_by,
            drawn_at=now,
        )
    )
    await session.flush()


async def count_ready(
    session: AsyncSession, exam_session_ids: Sequence[UUID], *, now: datetime
) -> dict[UUID, Readiness]:
    """How many candidates of these sessions wait, and how many of them have a paper in force."""
    rows = await run(session, _READY, ids=list(exam_session_ids), codes=list(DEAL_RULES), day=china_date(now))
    return {
        row.id: Readiness(
            row.waiting,
            row.ready,
            row.printed,
            row.unequated,
            Counter(Shortfall(reason) for reasons in row.reasons or () for reason in reasons),
        )
        for row in rows
    }


def _stock(codes: Any) -> Any:  # noqa: ANN401 - SQL expressions
    """What each of the current blueprints of these codes is dealt from now, looked at once for all."""
    return (
        sqlalchemy.select(
            col(Blueprint.id), col(Blueprint.code), pool_version(Blueprint.code).label("pool"),
            ratings_version(Blueprint.code).label("ratings"), RULES.label("rules"),
        )
        .where(col(Blueprint.is_current), col(Blueprint.code).in_(codes))
        .cte("stock")
        .prefix_with("MATERIALIZED")
    )  # fmt: skip


def _next_session() -> Any:  # noqa: ANN401 - an SQL statement
    """The first session in which somebody has no paper in force, held against other workers."""
    is_due = and_(
        col(ExamSession.part) == ExamPart.THEORY,
        col(ExamSession.status).in_(_COMING),
        col(ExamSession.starts_at) <= bindparam("until", type_=INSTANT),
        col(ExamSession.ends_at) > bindparam("now", type_=INSTANT),
    )
    codes = (
        select(Qualification.blueprint_code)
        .join(ExamSession, col(ExamSession.qualification_code) == Qualification.code)
        .where(is_due)
    )
    stock = _stock(codes)
    return (
        sqlalchemy.select(col(ExamSession.id), stock.c.code)
        .join(Qualification, col(Qualification.code) == ExamSession.qualification_code)
        .join(stock, stock.c.code == Qualification.blueprint_code)
        .where(
            is_due,
            stock.c.code != sqlalchemy.all_(bindparam("too_small", type_=ARRAY(String))),
            _without_paper(stock)
            .where(col(Booking.exam_session_id) == ExamSession.id)
            .correlate(ExamSession, stock)
            .exists(),
        )
        .order_by(col(ExamSession.starts_at), col(ExamSession.id))
        .limit(1)
        .with_for_update(of=ExamSession, key_share=True, skip_locked=True)
    )


def _without_paper(stock: Any) -> Any:  # noqa: ANN401 - SQL expressions
    paper = latest_paper(Booking.id)
    in_force = is_in_force(
        paper, blueprint_id=stock.c.id, pool=stock.c.pool, ratings=stock.c.ratings, rules=stock.c.rules
    )
    return (
        sqlalchemy.select(col(Booking.id), paper.c.number)
        .select_from(Booking)
        .outerjoin(paper, true())
        .where(
            col(Booking.status).in_(_WAITING),
            ~_SITS.exists(),
            ~func.coalesce(in_force, literal_column("false")),
        )
    )


def _ready_by_session() -> Any:  # noqa: ANN401 - an SQL statement
    theirs = col(ExamSession.id) == any_(bindparam("ids", type_=ARRAY(Uuid)))
    stock = _stock(
        select(Qualification.blueprint_code)
        .join(ExamSession, col(ExamSession.qualification_code) == Qualification.code)
        .where(theirs)
    )
    paper = latest_paper(Booking.id)
    counts = is_in_force(
        paper, blueprint_id=stock.c.id, pool=stock.c.pool, ratings=stock.c.ratings, rules=stock.c.rules
    )
    equating = paper.c.detail["equating"]
    lines = (
        sqlalchemy.select(
            col(ExamSession.id), func.coalesce(counts, literal_column("false")).label("counts"),
            paper.c.drawn_by.is_not(None).label("is_printed"), equating.label("equating"),
        )
        .join(Qualification, col(Qualification.code) == ExamSession.qualification_code)
        .join(stock, stock.c.code == Qualification.blueprint_code)
        .join(Booking, col(Booking.exam_session_id) == ExamSession.id)
        .outerjoin(paper, true())
        .where(theirs, col(Booking.status).in_(_WAITING), ~_SITS.exists())
        .cte("lines")
        .prefix_with("MATERIALIZED")
    )  # fmt: skip
    counted = lines.c.counts
    return sqlalchemy.select(
        lines.c.id,
        func.count().label("waiting"),
        func.count().filter(counted).label("ready"),
        func.count().filter(counted, lines.c.is_printed).label("printed"),
        func.count().filter(counted, ~lines.c.equating["is_equated"].as_boolean()).label("unequated"),
        func.jsonb_agg(lines.c.equating["reasons"]).filter(counted).label("reasons"),
    ).group_by(lines.c.id)


_NEXT = _next_session()
_CANDIDATES = (
    _without_paper(_stock([bindparam("code")]))
    .where(col(Booking.exam_session_id) == bindparam("exam_session_id"))
    .order_by(col(Booking.seat_no))
    .limit(bindparam("most"))
)
_READY = _ready_by_session()

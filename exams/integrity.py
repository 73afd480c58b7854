"""What happened on a candidate's screen or beside it: facts for the people in the room, never a verdict."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, func, or_, select

from exams.answers import DeviceTaken, SittingEnded, WrongDevice, device_token, device_token_hash
from exams.identity.checks import record_officer_check
from exams.models import (
    Booking,
    CheckVerdict,
    ExamSession,
    IdentityCheck,
    IntegrityEvent,
    IntegrityKind,
    Sitting,
    SittingEvent,
    SittingStatus,
)
from training.calendar import china_date
from training.columns import new_id
from training.errors import N_, BadInput, Conflict, NotFound
from training.models import Person
from training.rules import get_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

MOST_FACTS = 20
MOST_PER_SITTING = 500
# The `kind` of the one SittingEvent that says that more came than were stored, and of a check of identity on the way.
FACTS_FULL, CHECKED_AGAIN = "FACTS_FULL", "CHECKED_AGAIN"
FROM_THE_PAGE = frozenset(
    {
        IntegrityKind.LEFT_FULL_SCREEN,
        IntegrityKind.TAB_HIDDEN,
        IntegrityKind.PASTE,
        IntegrityKind.COPY,
        IntegrityKind.NETWORK_GAP,
    }
)
_LONGEST = 24 * 3600
_MOST_DETAILS = 5
_KEY_LENGTH = 20
_ID_LENGTH = 40
# A refused page is asked for again and again: one fact stands for all that happens within this time.
_SAME_MOMENT = timedelta(minutes=1)


class BadFacts(BadInput):
    """Not what our page sends."""

    message = N_("提交的记录不完整或格式有误，没有保存。")


class NobodySits(Conflict):
    """A check on the way needs somebody who is answering."""

    message = N_("这名考生现在没有在答题，不需要再次核验。")


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact as a page tells it. `client_id` is the page's own, so that sending it again counts once."""

    client_id: str
    kind: IntegrityKind
    began_at: datetime
    seconds: int = 0
    detail: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """What the page may let go of, and how many of these were over the limit and not stored."""

    saved: tuple[str, ...]
    dropped: int


@dataclass(frozen=True, slots=True)
class FactLine:
    """One fact as people read it."""

    kind: IntegrityKind
    began_at: datetime
    seconds: int
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class SittingFacts:
    """One candidate of a session with the number of facts, by kind; empty where there is none."""

    sitting_id: UUID
    booking_id: UUID
    seat_no: int
    name: str
    status: SittingStatus
    counts: dict[IntegrityKind, int]


@dataclass(frozen=True, slots=True)
class _Held:
    """What decides whether facts of a sitting are still taken."""

    id: UUID
    status: SittingStatus
    started_at: datetime
    ends_at: datetime


def read_fact(
    client_id: str, kind: str, *, began_at: datetime | None, seconds: float, detail: Mapping[str, Any], now: datetime
) -> Fact:
    """A fact in its one stored form. Of the detail only numbers are kept: never what was typed or pasted.

    Raises `BadFacts`.
    """
    known = IntegrityKind(kind) if kind in FROM_THE_PAGE else None
    if known is None or not 0 < len(client_id) <= _ID_LENGTH:
        raise BadFacts(field="facts")
    numbers = {
        key[:_KEY_LENGTH]: int(value)
        for key, value in list(detail.items())[:_MOST_DETAILS]
        if isinstance(value, int | float) and abs(value) < 2**31
    }
    if began_at is not None and began_at.tzinfo is None:
        began_at = began_at.replace(tzinfo=UTC)
    return Fact(client_id, known, began_at or now, int(min(max(seconds, 0), _LONGEST)), numbers)


async def save_facts(
    session: AsyncSession, *, sitting_id: UUID, token: str, facts: Sequence[Fact], key: bytes, now: datetime
) -> Received:
    """Keep what the device that holds the sitting has seen: while it lasts, and up to the grace after its end.

    Beyond `MOST_PER_SITTING` facts are acknowledged and not stored, which is noted once.
    Raises `WrongDevice`, `DeviceTaken`, `SittingEnded`.
    """
    sitting = await _held_sitting(session, sitting_id, token=token, key=key)
    grace = await get_number(session, "exam.late_grace_seconds", on=china_date(now))
    if sitting.status is not SittingStatus.PAUSED and now >= sitting.ends_at + timedelta(seconds=grace):
        raise SittingEnded
    known = await _known_ids(session, sitting_id)
    fresh = [fact for fact in {fact.client_id: fact for fact in facts}.values() if fact.client_id not in known]
    room = max(MOST_PER_SITTING - len(known), 0)
    if rows := [_row(sitting, fact, now=now) for fact in fresh[:room]]:
        await session.exec(insert(IntegrityEvent).values(rows).on_conflict_do_nothing())
    if dropped := len(fresh) - len(rows):
        await _note_full(session, sitting_id, now=now)
    return Received(tuple(fact.client_id for fact in facts), dropped)


async def note_fact(
    session: AsyncSession, *, sitting_id: UUID, kind: IntegrityKind, now: datetime, **detail: int
) -> None:
    """Write down what the server itself has seen. The same kind again within a minute is the same fact."""
    again = select(IntegrityEvent.id).where(
        IntegrityEvent.sitting_id == sitting_id,
        IntegrityEvent.kind == kind,
        IntegrityEvent.began_at > now - _SAME_MOMENT,
    )
    if (await session.exec(again.limit(1))).one_or_none() is None:
        session.add(IntegrityEvent(sitting_id=sitting_id, kind=kind, began_at=now, detail=detail, received_at=now))
        await session.flush()


async def note_second_device(
    session: AsyncSession,
    *,
    person_id: UUID,
    now: datetime,
    booking_id: UUID | None = None,
    exam_id: UUID | None = None,
    sitting_id: UUID | None = None,
) -> None:
    """Write down that another device asked to go on with one's sitting and was turned away."""
    found = sitting_id or await find_open_sitting(session, person_id=person_id, booking_id=booking_id, exam_id=exam_id)
    if found is not None:
        await note_fact(session, sitting_id=found, kind=IntegrityKind.SECOND_DEVICE, now=now)


async def find_open_sitting(
    session: AsyncSession, *, person_id: UUID, booking_id: UUID | None = None, exam_id: UUID | None = None
) -> UUID | None:
    """The sitting of a person's own booking or exam that is going on, for a fact about it."""
    occasion = Sitting.booking_id == booking_id if booking_id else Sitting.enterprise_exam_id == exam_id
    statement = select(Sitting.id).where(
        Sitting.person_id == person_id, occasion, col(Sitting.status).in_([SittingStatus.OPEN, SittingStatus.PAUSED])
    )
    return (await session.exec(statement.limit(1))).one_or_none()


async def list_facts(session: AsyncSession, *, sitting_id: UUID) -> list[FactLine]:
    """The facts of a sitting, the newest first. Look the sitting up as the viewer's own before."""
    statement = (
        select(IntegrityEvent)
        .where(IntegrityEvent.sitting_id == sitting_id)
        .order_by(col(IntegrityEvent.began_at).desc(), col(IntegrityEvent.id))
    )
    return [
        FactLine(event.kind, event.began_at, event.seconds, event.detail)
        for event in (await session.exec(statement)).all()
    ]


async def list_exam_facts(session: AsyncSession, *, exam_id: UUID, person_id: UUID) -> list[FactLine]:
    """The facts of everything that somebody sat of an enterprise exam, the newest first."""
    statement = (
        select(IntegrityEvent)
        .join(Sitting, col(Sitting.id) == IntegrityEvent.sitting_id)
        .where(Sitting.enterprise_exam_id == exam_id, Sitting.person_id == person_id)
        .order_by(col(IntegrityEvent.began_at).desc(), col(IntegrityEvent.id))
    )
    return [
        FactLine(event.kind, event.began_at, event.seconds, event.detail)
        for event in (await session.exec(statement)).all()
    ]


async def count_facts(session: AsyncSession, *, exam_session_id: UUID) -> dict[UUID, int]:
    """How many facts each sitting of a session has; those without any are left out."""
    statement = (
        select(IntegrityEvent.sitting_id, func.count())
        .join(Sitting, col(Sitting.id) == IntegrityEvent.sitting_id)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .where(Booking.exam_session_id == exam_session_id)
        .group_by(col(IntegrityEvent.sitting_id))
    )
    return dict((await session.exec(statement)).all())


async def list_session_facts(session: AsyncSession, *, exam_session_id: UUID) -> list[SittingFacts]:
    """Every sitting of a session, also void ones, by seat, with its facts counted by kind."""
    counting = (
        select(IntegrityEvent.sitting_id, IntegrityEvent.kind, func.count())
        .join(Sitting, col(Sitting.id) == IntegrityEvent.sitting_id)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .where(Booking.exam_session_id == exam_session_id)
        .group_by(col(IntegrityEvent.sitting_id), col(IntegrityEvent.kind))
    )
    counts: dict[UUID, dict[IntegrityKind, int]] = {}
    for sitting_id, kind, count in (await session.exec(counting)).all():
        counts.setdefault(sitting_id, {})[IntegrityKind(kind)] = count
    statement = (
        select(Sitting, Booking.seat_no, Person.name)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .join(Person, col(Person.id) == Sitting.person_id)
        .where(Booking.exam_session_id == exam_session_id)
        .order_by(col(Booking.seat_no), col(Sitting.started_at))
    )
    return [
        SittingFacts(sitting.id, sitting.booking_id, seat_no, name, sitting.status, counts.get(sitting.id, {}))
        for sitting, seat_no, name in (await session.exec(statement)).all()
        if sitting.booking_id is not None
    ]


async def list_due_checks(session: AsyncSession, *, exam_session_id: UUID, now: datetime) -> dict[UUID, int]:
    """Bookings whose candidate is sitting and should be looked at again, with the minutes since the last check.

    By the rule exam.face_recheck_min; 0 means never.
    """
    every = await get_number(session, "exam.face_recheck_min", on=china_date(now))
    if every <= 0:
        return {}
    checked_at = func.max(col(IdentityCheck.at))
    statement = (
        select(Booking.id, checked_at)
        .join(Sitting, col(Sitting.booking_id) == Booking.id)
        .join(ExamSession, col(ExamSession.id) == Booking.exam_session_id)
        .join(IdentityCheck, col(IdentityCheck.booking_id) == Booking.id)
        .where(
            Booking.exam_session_id == exam_session_id,
            IdentityCheck.verdict == CheckVerdict.ACCEPT,
            or_(Sitting.status == SittingStatus.OPEN, Sitting.status == SittingStatus.PAUSED),
        )
        .group_by(col(Booking.id))
        .having(checked_at <= now - timedelta(minutes=every))
    )
    return {booking_id: (now - at) // timedelta(minutes=1) for booking_id, at in (await session.exec(statement)).all()}


async def check_again(
    session: AsyncSession,
    *,
    booking_id: UUID,
    exam_session_id: UUID,
    site_id: UUID,
    reason: str,
    officer_id: UUID,
    now: datetime,
) -> None:
    """An officer has looked again at a candidate who is sitting, and it is the same person.

    Whoever doubts it notes an incident instead. Raises `NotFound`, `ReasonMissing`, `NobodySits`.
    """
    statement = (
        select(Booking)
        .join(ExamSession, col(ExamSession.id) == Booking.exam_session_id)
        .where(Booking.id == booking_id, ExamSession.id == exam_session_id, ExamSession.site_id == site_id)
        .with_for_update(of=Booking)
    )
    booking = (await session.exec(statement)).one_or_none()
    if booking is None:
        raise NotFound
    sitting_id = await find_open_sitting(session, person_id=booking.person_id, booking_id=booking.id)
    if sitting_id is None:
        raise NobodySits
    await record_officer_check(session, booking, is_same=True, reason=reason, note="", officer_id=officer_id, now=now)
    session.add(SittingEvent(sitting_id=sitting_id, kind=CHECKED_AGAIN, actor_id=officer_id, reason=reason, at=now))
    await session.flush()


async def _held_sitting(session: AsyncSession, sitting_id: UUID, *, token: str, key: bytes) -> _Held:
    """The sitting, if the token is of the device that holds it; the same answer as for the answers otherwise."""
    # Not the whole row: the paper in it is large, and facts may come often.
    statement: Any = select(
        Sitting.id, Sitting.status, Sitting.started_at, func.coalesce(Sitting.submitted_at, Sitting.deadline)
    ).add_columns(col(Sitting.device_token_hash), col(Sitting.device_number))
    row = (await session.exec(statement.where(Sitting.id == sitting_id))).one_or_none()
    if row is None:
        raise WrongDevice
    held, token_hash, number = _Held(*row[:4]), row[4], row[5]
    if token_hash != device_token_hash(token):
        former = (device_token(key, sitting_id, one) for one in range(1, number + 1))
        raise DeviceTaken if any(hmac.compare_digest(token.encode(), one.encode()) for one in former) else WrongDevice
    return held


async def _known_ids(session: AsyncSession, sitting_id: UUID) -> set[str | None]:
    statement = select(IntegrityEvent.client_id).where(
        IntegrityEvent.sitting_id == sitting_id, col(IntegrityEvent.client_id).is_not(None)
    )
    return set((await session.exec(statement)).all())


def _row(sitting: _Held, fact: Fact, *, now: datetime) -> dict[str, Any]:
    began_at = min(max(fact.began_at, sitting.started_at), now)
    return {
        "id": new_id(), "sitting_id": sitting.id, "client_id": fact.client_id, "kind": fact.kind, "began_at": began_at,
        "seconds": fact.seconds, "detail": dict(fact.detail or {}), "received_at": now,
    }  # fmt: skip


async def _note_full(session: AsyncSession, sitting_id: UUID, *, now: datetime) -> None:
    said = select(SittingEvent.id).where(SittingEvent.sitting_id == sitting_id, SittingEvent.kind == FACTS_FULL)
    if (await session.exec(said.limit(1))).one_or_none() is None:
        session.add(SittingEvent(sitting_id=sitting_id, kind=FACTS_FULL, detail={"most": MOST_PER_SITTING}, at=now))
        await session.flush()

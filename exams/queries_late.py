"""Answers that were kept and not counted, for those who have to look at them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlmodel import col, select

from exams.late_answers import STILL_LATE
from exams.marking import last_choices
from exams.models import AnswerEvent, Booking, EnterpriseExam, LateAnswer, LateReason, Sitting, SittingStatus
from training.errors import NotFound
from training.models import Person

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession


@dataclass(frozen=True, slots=True)
class LateLine:
    """One answer that does not count, in the letters that the candidate saw; `counted` is what does there."""

    position: int
    choice: str
    counted: str
    answered_at: datetime | None
    received_at: datetime
    reason: LateReason


@dataclass(frozen=True, slots=True)
class LateCandidate:
    """A candidate with such answers. An enterprise's exam has no seats or tickets."""

    sitting_id: UUID
    person_name: str
    seat_no: int | None
    ticket_no: str | None
    status: SittingStatus
    deadline: datetime
    lines: tuple[LateLine, ...]


_LATE: Any = (
    sqlalchemy.select(
        LateAnswer, col(Person.name), col(Booking.seat_no), col(Booking.ticket_no), col(Sitting.status),
        col(Sitting.deadline),
    )
    .join(Sitting, col(Sitting.id) == LateAnswer.sitting_id)
    .join(Person, col(Person.id) == Sitting.person_id)
    .outerjoin(Booking, col(Booking.id) == Sitting.booking_id)
    .where(STILL_LATE)
    .order_by(
        col(Booking.seat_no), col(Person.name), col(LateAnswer.sitting_id), col(LateAnswer.seq),
        col(LateAnswer.received_at),
    )
)  # fmt: skip


async def list_session_late(session: AsyncSession, *, exam_session_id: UUID) -> list[LateCandidate]:
    """Of a scheduled exam, by seat."""
    return await _list(session, _LATE.where(col(Booking.exam_session_id) == exam_session_id))


async def list_exam_late(
    session: AsyncSession, *, exam_id: UUID, organisation_id: UUID
) -> tuple[str, list[LateCandidate]]:
    """Title and candidates of an enterprise's own exam. Raises `NotFound`."""
    exam = await session.get(EnterpriseExam, exam_id)
    if exam is None or exam.organisation_id != organisation_id:
        raise NotFound
    return exam.title, await _list(session, _LATE.where(col(Sitting.enterprise_exam_id) == exam_id))


async def _list(session: AsyncSession, statement: Any) -> list[LateCandidate]:  # noqa: ANN401 - an SQL expression
    rows: Sequence[Any] = (await session.exec(statement)).all()
    counted = await _read_counted(session, {row[0].sitting_id for row in rows})
    found = []
    for sitting_id, group in groupby(rows, key=lambda row: row[0].sitting_id):
        own = list(group)
        _, name, seat_no, ticket_no, status, deadline = own[0]
        choices = counted.get(sitting_id, {})
        lines = tuple(
            LateLine(
                late.position, late.choice, choices.get(late.position, ""), late.answered_at, late.received_at,
                late.reason,
            )
            for late, *_ in own
        )  # fmt: skip
        found.append(LateCandidate(sitting_id, name, seat_no, ticket_no, status, deadline, lines))
    return found


async def _read_counted(session: AsyncSession, ids: set[UUID]) -> dict[UUID, dict[int, str]]:
    statement = select(AnswerEvent).where(col(AnswerEvent.sitting_id).in_(ids)).order_by(col(AnswerEvent.sitting_id))
    events = (await session.exec(statement)).all()
    return {
        sitting_id: last_choices((event.seq, event.position, event.choice) for event in group)
        for sitting_id, group in groupby(events, key=lambda event: event.sitting_id)
    }

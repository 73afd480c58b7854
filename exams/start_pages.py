"""What a candidate is told before the clock starts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlmodel import col, select

from exams.accommodations import Accommodations
from exams.models import (
    Application,
    Booking,
    EnterpriseExam,
    EnterpriseExamCandidate,
    ExamSession,
    Qualification,
)
from exams.sheets import Occasion, list_occasions
from exams.timing import deadline_for
from question_bank.models import McRule
from question_bank.queries import get_blueprint
from training.calendar import china_date
from training.errors import NotFound
from training.people import get_masked_document, get_person
from training.rules import get_rules

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

_LEAVE, _GRACE, _FULL_SCREEN = "exam.leave_min", "exam.late_grace_seconds", "exam.full_screen"


@dataclass(frozen=True, slots=True)
class StartFacts:
    """The rules of one sitting and the data that the candidate confirms. `minutes` has the granted extra time."""

    occasion: Occasion
    is_certificate_exam: bool
    minutes: int
    items: int
    full_score: int
    pass_score: int
    mc_rule: McRule
    leave_minutes: int
    grace_minutes: int
    asks_full_screen: bool
    granted: Accommodations
    name: str
    document_masked: str


async def get_start_facts(
    session: AsyncSession,
    *,
    person_id: UUID,
    now: datetime,
    booking_id: UUID | None = None,
    exam_id: UUID | None = None,
) -> StartFacts:
    """The facts of one's own occasion. Raises `NotFound`."""
    occasions = await list_occasions(session, person_id=person_id, now=now)
    found = [
        occasion
        for occasion in occasions
        if (booking_id and occasion.booking_id == booking_id) or (exam_id and occasion.enterprise_exam_id == exam_id)
    ]
    if not found:
        raise NotFound
    blueprint = await get_blueprint(session, await _blueprint_code(session, booking_id, exam_id))
    is_certificate_exam = booking_id is not None
    rules = await get_rules(session, (_LEAVE, _GRACE, _FULL_SCREEN), on=china_date(now))
    person = await get_person(session, person_id)
    _, masked = await get_masked_document(session, person_id)
    granted = await _granted(session, booking_id, exam_id, person_id)
    whole = deadline_for(now, minutes=blueprint.minutes, extra_percent=granted.extra_percent) - now
    return StartFacts(
        occasion=found[0],
        is_certificate_exam=is_certificate_exam,
        minutes=-(-whole // timedelta(minutes=1)),
        items=blueprint.total_items,
        full_score=blueprint.full_score,
        pass_score=blueprint.pass_score,
        mc_rule=blueprint.mc_rule,
        leave_minutes=int(rules[_LEAVE]) if is_certificate_exam else 0,
        grace_minutes=-(-int(rules[_GRACE]) // 60),
        asks_full_screen=is_certificate_exam and bool(int(rules[_FULL_SCREEN])),
        granted=granted,
        name=person.name,
        document_masked=masked,
    )


async def _granted(
    session: AsyncSession, booking_id: UUID | None, exam_id: UUID | None, person_id: UUID
) -> Accommodations:
    if exam_id is not None:
        invited = await session.get_one(EnterpriseExamCandidate, (exam_id, person_id))
        return Accommodations.read(invited.accommodations)
    statement = (
        select(Application.accommodations)
        .join(Booking, col(Booking.application_id) == Application.id)
        .where(Booking.id == booking_id)
    )
    return Accommodations.read((await session.exec(statement)).one())


async def _blueprint_code(session: AsyncSession, booking_id: UUID | None, exam_id: UUID | None) -> str:
    if exam_id is not None:
        return (await session.get_one(EnterpriseExam, exam_id)).blueprint_code
    statement = (
        select(Qualification.blueprint_code)
        .join(ExamSession, col(ExamSession.qualification_code) == Qualification.code)
        .join(Booking, col(Booking.exam_session_id) == ExamSession.id)
        .where(Booking.id == booking_id)
    )
    return (await session.exec(statement)).one()

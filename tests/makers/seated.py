"""Candidates who sit at a seat of one session, one after the other."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from exams.models import Booking, ExamSession, Sitting
from exams.starting import start_sitting
from tests.makers.exams import make_booking
from tests.makers.people import make_person
from tests.makers.sittings import check_in, make_device

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault


async def make_seated(
    session: AsyncSession, vault: Vault, exam_session: ExamSession, *, seat: int, seed: int, now: datetime
) -> Sitting:
    """Start the sitting of somebody at a seat."""
    who = await make_person(session, vault, now=now)
    exam_session.starts_at, exam_session.ends_at = now + timedelta(hours=72), now + timedelta(hours=74)
    await session.flush()
    booking: Booking = await make_booking(session, vault, now=now, who=who, exam_session=exam_session)
    booking.seat_no = seat
    officer = await make_person(session, vault, now=now)
    await check_in(session, booking, officer=officer, now=now)
    device = await make_device(session, who, now=now)
    entry = await start_sitting(
        session, booking_id=booking.id, person_id=who.person.id, device=device, seed=seed, now=now
    )
    return await session.get_one(Sitting, entry.sitting_id)

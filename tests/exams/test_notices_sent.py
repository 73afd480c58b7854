"""What people are told by the act itself: applications, sessions and voided scores."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlmodel import select

from exams.applications import accept_application, refuse_application, return_application
from exams.handing_in import close_overdue
from exams.models import Booking, ExamSession
from exams.scheduling import cancel_session
from exams.voiding import void_sitting
from tests.makers.exams import make_booking, make_reviewer, make_submitted
from tests.makers.receipts import KEYS
from tests.makers.sittings import GRACE, make_sitting
from training.models import Notice

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault


async def told(session: AsyncSession, person_id: UUID, subject: str) -> list[tuple[str, str]]:
    rows = (await session.exec(select(Notice).where(Notice.person_id == person_id))).all()
    return [(row.kind, row.link) for row in rows if row.kind.startswith(subject)]


async def test_a_decision_on_an_application_is_told_once(session: AsyncSession, vault: Vault, now: datetime) -> None:
    reviewer_id = (await make_reviewer(session, vault, now=now)).person.id
    accepted, returned, refused = [await make_submitted(session, vault, now=now) for _ in range(3)]
    for _ in range(2):
        await accept_application(session, application_id=accepted.id, reviewer_id=reviewer_id, now=now)
        await refuse_application(
            session, application_id=refused.id, reviewer_id=reviewer_id, reason="材料不实", now=now
        )
    await return_application(
        session, application_id=returned.id, reviewer_id=reviewer_id, points=(), note="照片不清", now=now
    )
    for application, kind in ((accepted, "ACCEPTED"), (refused, "REFUSED"), (returned, "RETURNED")):
        link = f"/exams/applications/{application.id}"
        assert await told(session, application.person_id, "APPLICATION") == [(f"APPLICATION_{kind}", link)]


async def test_a_cancelled_session_is_told_to_those_who_had_a_seat(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    booking = await make_booking(session, vault, now=now)
    exam_session = await session.get_one(ExamSession, booking.exam_session_id)
    for _ in range(2):
        await cancel_session(
            session, exam_session_id=exam_session.id, site_id=exam_session.site_id, reason="线路检修",
            actor_id=booking.person_id, now=now,
        )  # fmt: skip
    link = f"/exams/applications/{booking.application_id}"
    assert await told(session, booking.person_id, "SESSION") == [("SESSION_CANCELLED", link)]


async def test_a_void_score_is_told_with_its_reason(session: AsyncSession, vault: Vault, now: datetime) -> None:
    sat = await make_sitting(session, vault, now=now)
    await close_overdue(session, now=sat.entry.deadline + GRACE, countersign=KEYS.countersign)
    assert await session.get(Booking, sat.booking_id)
    for _ in range(2):
        await void_sitting(
            session, sitting_id=sat.id, actor_id=sat.who.person.id, reason="替考属实", now=now + timedelta(hours=4)
        )
    assert await told(session, sat.who.person.id, "SCORE") == [("SCORE_VOID", f"/sittings/{sat.id}/result")]

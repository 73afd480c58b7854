"""A site whose doors are open, its staff and candidates, and a matcher that says what it is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from exams.identity.scores import DLIB, SFACE, MatchScores, Reason
from exams.models import (
    Booking,
    BookingStatus,
    CheckMethod,
    CheckVerdict,
    ExamPart,
    ExamSession,
    IdentityCheck,
    Sitting,
    SittingStatus,
)
from tests.makers.exams import (
    fill_bank,
    make_accepted,
    make_booking,
    make_reviewer,
    make_room,
    make_session,
    make_site_head,
)
from tests.makers.people import Known, make_person, make_role
from training.calendar import china_date
from training.models import Organisation, Role

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.identity.matcher import Matcher
    from training.files import FileStore
    from training.vault import Vault

_BOTH = dict.fromkeys((SFACE, DLIB), "1")
SAME = MatchScores(sface_cosine=0.8, dlib_distance=0.3, faces_live=1, faces_enrolled=1, engines=_BOTH)
OTHER = replace(SAME, sface_cosine=0.05, dlib_distance=0.9)
UNSURE = replace(SAME, sface_cosine=0.3, dlib_distance=0.55)
NO_FACE = MatchScores(faces_enrolled=1, reasons=(Reason.NO_FACE,), engines=_BOTH)


class ToldMatcher:
    """Says what the test wants, and remembers that it was asked."""

    def __init__(self, scores: MatchScores = SAME) -> None:
        self.scores = scores
        self.asked: list[tuple[list[bytes], bytes]] = []

    async def compare(self, *, enrolled: list[bytes], live: bytes) -> MatchScores:
        self.asked.append((enrolled, live))
        return self.scores

    async def aclose(self) -> None:
        pass


def told(scores: MatchScores) -> Matcher:
    return ToldMatcher(scores)


@dataclass(frozen=True)
class Desk:
    """An open desk. `doors_open` and `starts_at` are the session's."""

    site: Organisation
    head: Known
    invigilator: Known
    exam_session: ExamSession
    candidates: tuple[Known, ...]
    bookings: tuple[Booking, ...]

    @property
    def candidate(self) -> Known:
        return self.candidates[0]

    @property
    def booking(self) -> Booking:
        return self.bookings[0]

    def at(self, booking: Booking | None = None) -> dict[str, object]:
        """The keywords by which an operation finds the booking as the site's own."""
        return {
            "booking_id": (booking or self.booking).id,
            "exam_session_id": self.exam_session.id,
            "site_id": self.site.id,
        }


async def make_desk(
    session: AsyncSession,
    vault: Vault,
    *,
    now: datetime,
    candidates: int = 1,
    part: ExamPart = ExamPart.THEORY,
    seats: int = 6,
    in_minutes: float = 10,
    store: FileStore | None = None,
) -> Desk:
    """By default ten minutes before the start, with the doors open."""
    head, site = await make_site_head(session, vault, now=now)
    invigilator = await make_role(session, vault, role=Role.INVIGILATOR, organisation=site, now=now, name="孙监考")
    room = await make_room(session, site=site, head=head, now=now, is_practical=part is ExamPart.PRACTICAL)
    if part is ExamPart.THEORY:
        await fill_bank(session, vault, now=now)
    exam_session = await make_session(
        session, vault, now=now, room=room, head=head, part=part, seats=seats, in_hours=in_minutes / 60
    )
    reviewer = await make_reviewer(session, vault, now=now)
    known, bookings = [], []
    for number in range(candidates):
        who = await make_person(session, vault, now=now, name=f"张考{'一二三四五六七八九十'[number % 10]}")
        application = await make_accepted(session, vault, now=now, who=who, reviewer=reviewer, store=store)
        if part is ExamPart.PRACTICAL:
            application.theory_passed_on = china_date(now - timedelta(days=30))
            session.add(application)
            await session.flush()
        known.append(who)
        bookings.append(await make_booking(session, vault, now=now, exam_session=exam_session, application=application))
    return Desk(site, head, invigilator, exam_session, tuple(known), tuple(bookings))


async def make_checked_in(session: AsyncSession, desk: Desk, booking: Booking, *, now: datetime) -> Booking:
    """By an officer's word, whatever the hour."""
    booking.status, booking.checked_in_at = BookingStatus.CHECKED_IN, now
    session.add(booking)
    session.add(
        IdentityCheck(
            booking_id=booking.id,
            method=CheckMethod.OFFICER,
            verdict=CheckVerdict.ACCEPT,
            officer_id=desk.invigilator.person.id,
            reason="证件原件、登记照片与到场考生一致",
            at=now,
        )
    )
    await session.flush()
    return booking


async def make_assessor(session: AsyncSession, vault: Vault, *, site: Organisation, now: datetime, name: str) -> Known:
    return await make_role(session, vault, role=Role.ASSESSOR, organisation=site, now=now, name=name)


def is_open(sitting: Sitting) -> bool:
    return sitting.status is SittingStatus.OPEN

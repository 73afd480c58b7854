"""Exams that are over: whole cohorts from the application to the certificate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from certificates.issuing import issue_certificate
from certificates.requests import request_certificate
from exams.board import finish_session
from exams.handing_in import hand_in
from exams.models import ExamPart
from exams.practical import release_practical
from exams.scores import begin_review, release_scores
from seed.city.applying import Candidate, get_accepted
from seed.city.examining import (
    Held,
    Seat,
    answer,
    assess,
    begin,
    countersign,
    head_of,
    let_in,
    minutes,
    schedule,
    seat,
)
from seed.city.times import at, weekday

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from seed.city.state import City
    from seed.people import DemoPerson

ALL = 100
_GOOD_HANDS = (88, 90, 86, 92)


@dataclass(frozen=True)
class Result:
    """A candidate with the right answers of 100, or None for somebody who did not come."""

    candidate: Candidate
    right: int | None


async def accept_all(
    city: City, people: Sequence[DemoPerson], *, submitted: datetime, accepted: datetime
) -> list[Candidate]:
    """Accepted applications of all these people."""
    async with city.work() as session:
        return [await get_accepted(session, city, one, submitted=submitted, accepted=accepted) for one in people]


async def hold_theory(
    city: City, results: Sequence[Result], *, starts_at: datetime, site: str = "site-1", room: int = 0,
    plan_id: UUID | None = None,
) -> Held:  # fmt: skip
    """A theory session from its opening to its end; the scores stay provisional."""
    opened, booked = starts_at - timedelta(days=20), starts_at - timedelta(days=9)
    async with city.work() as session:
        held = await schedule(session, city, site=site, room=room, starts_at=starts_at, now=opened, plan_id=plan_id)
        seats = await seat(session, held, [result.candidate for result in results], now=booked)
    for place, (result, taken) in enumerate(zip(results, seats, strict=True)):
        if result.right is not None:
            async with city.work() as session:
                await _sit(session, city, held, taken, right=result.right, place=place)
    async with city.work() as session:
        await finish_session(
            session, exam_session_id=held.id, site_id=city.places[site], actor_id=head_of(city, site),
            now=starts_at + minutes(130),
        )  # fmt: skip
    return held


async def _sit(session: AsyncSession, city: City, held: Held, taken: Seat, *, right: int, place: int) -> None:
    came, began = held.starts_at - minutes(12 - place % 10), held.starts_at + minutes(0.5 + place % 3)
    await let_in(session, city, held, taken, now=came)
    entry = await begin(session, city, taken, now=began)
    half = entry.total // 2
    known = right * half // entry.total
    await answer(session, city, entry, right=known, upto=half, now=began + minutes(20))
    await answer(session, city, entry, right=right - known, first=half + 1, upto=entry.total, now=began + minutes(45))
    await hand_in(
        session, sitting_id=entry.sitting_id, person_id=taken.candidate.person.id,
        now=began + minutes(52 + place * 7 % 60), countersign=city.countersign,
    )  # fmt: skip


async def release(city: City, held: Held, *, now: datetime) -> None:
    """The authority releases the scores of a session; those of a theory exam are reviewed the day before."""
    if held.part is ExamPart.THEORY:
        await review(city, held, now=now - timedelta(days=1))
    async with city.work() as session:
        act = release_scores if held.part is ExamPart.THEORY else release_practical
        await act(session, exam_session_id=held.id, actor_id=city.who("issuer"), now=now)


async def review(city: City, held: Held, *, now: datetime) -> None:
    """The application reviewer takes the scores of a theory session under review."""
    async with city.work() as session:
        await begin_review(session, exam_session_id=held.id, actor_id=city.who("application_reviewer"), now=now)


async def hold_practical(
    city: City, candidates: Sequence[Candidate], *, starts_at: datetime, site: str = "site-1", room: int = 3
) -> tuple[Held, list[Seat]]:
    """A practical session in which everybody is checked in and nobody marked yet."""
    async with city.work() as session:
        held = await schedule(
            session, city, site=site, room=room, starts_at=starts_at, now=starts_at - timedelta(days=6),
            part=ExamPart.PRACTICAL, seats=min(len(candidates) + 1, 12 if site == "site-1" else 6),
        )  # fmt: skip
        seats = await seat(session, held, candidates, now=starts_at - timedelta(days=4))
        for taken in seats:
            await let_in(session, city, held, taken, now=starts_at - minutes(8))
    return held, seats


async def pass_practical(city: City, held: Held, seats: Sequence[Seat], *, points: Sequence[int] = _GOOD_HANDS) -> None:
    """Both assessors sign everybody's marks, and the session ends."""
    async with city.work() as session:
        for place, taken in enumerate(seats):
            done = held.starts_at + minutes(20 + place * 4)
            await assess(session, city, held, taken, points=points, now=done)
            await countersign(session, city, held, taken, now=done + minutes(3))
        await end_session(session, city, held)


async def end_session(session: AsyncSession, city: City, held: Held) -> None:
    """Close a practical session after its hour."""
    await finish_session(
        session, exam_session_id=held.id, site_id=city.places[held.site], actor_id=head_of(city, held.site),
        now=held.starts_at + minutes(80),
    )  # fmt: skip


async def graduate(city: City, people: Sequence[DemoPerson], *, by: date, site: str = "site-1") -> list[Candidate]:
    """Pass both parts, released some days before a day."""
    theory_day = weekday(by - timedelta(days=38))
    candidates = await accept_all(
        city,
        people,
        submitted=at(theory_day - timedelta(days=30), 10),
        accepted=at(theory_day - timedelta(days=26), 15),
    )
    results = [Result(candidate, city.chance.randrange(82, 99)) for candidate in candidates]
    held = await hold_theory(city, results, starts_at=at(theory_day, 9), site=site)
    await release(city, held, now=at(theory_day + timedelta(days=5), 16))
    practical_day = weekday(by - timedelta(days=22))
    practical, seats = await hold_practical(city, candidates, starts_at=at(practical_day, 13, 30), site=site)
    await pass_practical(city, practical, seats)
    await release(city, practical, now=at(practical_day + timedelta(days=4), 11))
    return candidates


async def certify(city: City, candidates: Sequence[Candidate], *, issued: datetime) -> list[UUID]:
    """Request and issue; gives the certificates' ids."""
    made = []
    async with city.work() as session:
        for candidate in candidates:
            request = await request_certificate(
                session, application_id=candidate.application_id, person_id=candidate.person.id,
                now=issued - timedelta(days=6),
            )  # fmt: skip
            certificate = await issue_certificate(
                session, request_id=request.id, issuer_id=city.places["city"], actor_id=city.who("issuer"),
                signer=city.signer, vault=city.vault, now=issued,
            )  # fmt: skip
            made.append(certificate.id)
    return made

"""Applications for the low-voltage electrician's certificate, and for others that nobody sits yet."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from exams.accommodations import Accommodations, wish_accommodations
from exams.applications import (
    EDUCATION_PROOF,
    Background,
    accept_application,
    attach_photo,
    attach_proof,
    save_background,
    sign_health,
    start_application,
    submit_application,
)
from exams.health import items_for
from exams.proofs import Proof
from exams.qualifications import get_qualification
from seed.people import DemoPerson, draw_portrait
from training.models import Education

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from seed.city.state import City

LOW_VOLTAGE = "SO_1_2"
_FACES = 24


@dataclass(frozen=True)
class Candidate:
    """Somebody with an application."""

    person: DemoPerson
    application_id: UUID


@cache
def _portrait(number: int) -> bytes:
    return draw_portrait(number)


def make_diploma() -> bytes:
    """A page of PDF that says what it is: a made-up proof for a demo."""
    text = b"BT /F1 18 Tf 60 760 Td (Demo proof of education - not a real document) Tj ET"
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        b" /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, part)
    rows = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1)
    tail = b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(parts) + 1, len(out))
    return out + head + rows + tail


async def fill_in(
    session: AsyncSession, city: City, person: DemoPerson, *, now: datetime, code: str = LOW_VOLTAGE
) -> Candidate:
    """An application with every step done, not yet submitted."""
    application = await start_application(
        session, person_id=person.id, qualification_code=code, has_valid_certificate=False, now=now
    )
    own = {"application_id": application.id, "person_id": person.id}
    qualification = await get_qualification(session, code)
    told = Background(Education.SENIOR_HIGH, application.employer or "个体", EDUCATION_PROOF)
    await save_background(session, told=told, now=now, **own)
    proof = Proof(make_diploma(), "application/pdf")
    await attach_proof(session, store=city.store, vault=city.vault, proof=proof, now=now, **own)
    photo = _portrait(person.id.int % _FACES)
    await attach_photo(session, store=city.store, vault=city.vault, jpeg=photo, now=now, **own)
    if qualification.so_code:
        confirmed = [item.code for item in items_for(qualification.so_code)]
        await sign_health(session, vault=city.vault, confirmed=confirmed, typed_name=person.name, now=now, **own)
    return Candidate(person, application.id)


async def hand_over(
    session: AsyncSession,
    city: City,
    person: DemoPerson,
    *,
    now: datetime,
    code: str = LOW_VOLTAGE,
    wanted: Accommodations | None = None,
) -> Candidate:
    """An application that waits for a reviewer, with a wish for accommodations if given."""
    candidate = await fill_in(session, city, person, now=now, code=code)
    if wanted is not None:
        await wish_accommodations(
            session, vault=city.vault, application_id=candidate.application_id, person_id=person.id, wanted=wanted,
            reason="矫正视力较低，阅读较慢（演示数据）", now=now,
        )  # fmt: skip
    await submit_application(
        session, application_id=candidate.application_id, person_id=person.id, has_valid_certificate=False, now=now
    )
    return candidate


async def get_accepted(
    session: AsyncSession, city: City, person: DemoPerson, *, submitted: datetime, accepted: datetime
) -> Candidate:
    """An application that may book."""
    candidate = await hand_over(session, city, person, now=submitted)
    await accept_application(
        session, application_id=candidate.application_id, reviewer_id=city.who("application_reviewer"), now=accepted
    )
    return candidate

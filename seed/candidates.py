"""Checked-in candidates for load drivers and outside clients: impossible people, made in bulk."""

from __future__ import annotations

import asyncio
import random
import secrets
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from argon2 import PasswordHasher
from sqlmodel import col, func, select

from exams.models import (
    Application,
    ApplicationStatus,
    Booking,
    BookingStatus,
    CheckMethod,
    CheckVerdict,
    ExamPart,
    ExamRoom,
    ExamSession,
    IdentityCheck,
    Qualification,
    SessionMode,
    SessionStatus,
)
from exams.papers import draw_paper
from exams.seating import next_ticket_no
from question_bank.queries import get_blueprint, load_pool
from seed.people import draw_name, impossible_number, impossible_phone, made_up_uscc
from training.masking import mask_number, mask_phone
from training.models import Account, Education, IdType, Organisation, OrganisationKind, Person, PersonDocument, Sex
from training.names import matched_name
from training.people import DOCUMENT, PHONE, document_index

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault

QUALIFICATION = "SO_1_2"
_SEATS = 500
_OPEN_HOURS = 8
_FIRST_SERIAL = 20_000_000  # far above the city's own
# These passwords are random and short-lived; a real account's hash costs twenty times as much.
_CHEAP = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)


@dataclass(frozen=True)
class CandidateAccount:
    """What a load driver needs of one candidate."""

    login: str
    password: str
    booking_id: UUID


@dataclass(frozen=True)
class _Rows:
    person: Person
    document: PersonDocument
    account: Account
    application: Application


async def make_candidates(session: AsyncSession, vault: Vault, n: int, now: datetime) -> list[CandidateAccount]:
    """Make `n` candidates who can start the low-voltage theory exam now.

    Each group of 500 has a room and an on-demand session of its own, open for eight hours; an
    officer has checked every identity. Raises `BankTooSmall` if no paper can be dealt.
    """
    blueprint = await get_blueprint(session, (await session.get_one(Qualification, QUALIFICATION)).blueprint_code)
    draw_paper((await load_pool(session, blueprint.code)).items, blueprint.cells, seed=0)
    first = _FIRST_SERIAL + (await session.exec(select(func.count()).select_from(Person))).one()
    site, officer = await _make_site(session, first, now=now)
    passwords = [f"{secrets.token_urlsafe(9)}7x" for _ in range(n)]
    hashes = await _hash_all(passwords)
    made: list[CandidateAccount] = []
    for start in range(0, n, _SEATS):
        group = range(start, min(start + _SEATS, n))
        people = [_make_rows(vault, first + 1 + place, hashes[place], officer.id, now=now) for place in group]
        bookings = await _seat(session, site, officer, people, now=now)
        made += [
            CandidateAccount(impossible_phone(first + 1 + place), passwords[place], booking.id)
            for place, booking in zip(group, bookings, strict=True)
        ]
    return made


async def _hash_all(passwords: list[str]) -> list[str]:
    with ThreadPoolExecutor(max_workers=4) as threads:
        loop = asyncio.get_running_loop()
        return await asyncio.gather(*(loop.run_in_executor(threads, _CHEAP.hash, one) for one in passwords))


async def _make_site(session: AsyncSession, serial: int, *, now: datetime) -> tuple[Organisation, Person]:
    officer = Person(name="演示监考", matched_name="演示监考", is_demo=True, created_at=now)
    site = Organisation(
        kind=OrganisationKind.SITE,
        name=f"压力测试考试点 {serial}",
        uscc=made_up_uscc(serial % 10_000_000),
        district_code="110105",
        is_demo=True,
        created_at=now,
    )
    session.add_all([officer, site])
    await session.flush()
    return site, officer


def _make_rows(vault: Vault, serial: int, password_hash: str, officer_id: UUID, *, now: datetime) -> _Rows:
    chance = random.Random(serial)
    sex = chance.choice((Sex.MALE, Sex.FEMALE))
    name, number, phone = draw_name(chance, sex), impossible_number(serial, sex=sex), impossible_phone(serial)
    person = Person(
        name=name,
        matched_name=matched_name(name),
        sex=sex,
        birth_date=date(1990, 1, 1) + timedelta(days=chance.randrange(5000)),
        education=Education.SENIOR_HIGH,
        is_demo=True,
        created_at=now,
    )
    document = PersonDocument(
        person_id=person.id,
        id_type=IdType.ID_CARD,
        number_sealed=vault.seal(number, context=DOCUMENT),
        number_index=document_index(vault, number),
        number_masked=mask_number(number),
        created_at=now,
    )
    account = Account(
        person_id=person.id,
        phone_sealed=vault.seal(phone, context=PHONE),
        phone_index=vault.blind(phone, context=PHONE),
        phone_masked=mask_phone(phone),
        password_hash=password_hash,
        created_at=now,
    )
    application = Application(
        person_id=person.id,
        qualification_code=QUALIFICATION,
        status=ApplicationStatus.ACCEPTED,
        education=Education.SENIOR_HIGH,
        created_at=now,
        submitted_at=now,
        decided_at=now,
        decided_by=officer_id,
    )
    return _Rows(person, document, account, application)


async def _seat(
    session: AsyncSession, site: Organisation, officer: Person, people: list[_Rows], *, now: datetime
) -> list[Booking]:
    session.add_all([rows.person for rows in people])
    await session.flush()
    session.add_all([row for rows in people for row in (rows.document, rows.account, rows.application)])
    rooms = select(func.count()).where(col(ExamRoom.site_id) == site.id)
    number = (await session.exec(rooms)).one() + 1
    room = ExamRoom(site_id=site.id, name=f"第{number}考场", seats=_SEATS)
    session.add(room)
    await session.flush()
    exam_session = ExamSession(
        site_id=site.id,
        room_id=room.id,
        qualification_code=QUALIFICATION,
        part=ExamPart.THEORY,
        mode=SessionMode.ON_DEMAND,
        starts_at=now,
        ends_at=now + timedelta(hours=_OPEN_HOURS),
        seats=_SEATS,
        status=SessionStatus.RUNNING,
        created_by=officer.id,
        created_at=now,
    )
    session.add(exam_session)
    await session.flush()
    bookings = [
        Booking(
            exam_session_id=exam_session.id,
            application_id=rows.application.id,
            person_id=rows.person.id,
            part=ExamPart.THEORY,
            seat_no=seat,
            ticket_no=await next_ticket_no(session, exam_session),
            ticket_token=secrets.token_urlsafe(16),
            status=BookingStatus.CHECKED_IN,
            booked_at=now,
            checked_in_at=now,
        )
        for seat, rows in enumerate(people, start=1)
    ]
    session.add_all(bookings)
    await session.flush()
    session.add_all(
        IdentityCheck(
            booking_id=booking.id,
            method=CheckMethod.OFFICER,
            verdict=CheckVerdict.ACCEPT,
            officer_id=officer.id,
            reason="演示数据：核对证件",
            at=now,
        )
        for booking in bookings
    )
    await session.flush()
    return bookings

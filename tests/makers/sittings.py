"""Checked-in candidates, sittings and enterprise exams with defaults for everything."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from exams.answers import AnswerAct, device_token_hash, save_answers
from exams.enterprise_exams import NewExam, create_exam, invite_staff
from exams.models import Booking, BookingStatus, CheckMethod, CheckVerdict, ExamSession, IdentityCheck, Sitting
from exams.papers import LETTERS, paper_items
from exams.scores import begin_review, release_scores
from exams.sittings import Device, Entry
from exams.starting import start_enterprise_sitting, start_sitting
from question_bank.queries import list_revisions
from tests.makers.exams import fill_bank, make_booking
from tests.makers.people import Known, make_employee, make_organisation, make_person
from training.accounts import open_sign_in

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.answers import Acknowledged
    from exams.models import EnterpriseExam
    from training.models import Organisation
    from training.vault import Vault

KEY = b"s" * 32
# exam.late_grace_seconds: so long a sitting stays open after its deadline.
GRACE = timedelta(minutes=2)
_seeds = itertools.count(1)


@dataclass(frozen=True)
class Sat:
    """A started sitting with what a test needs to go on."""

    who: Known
    entry: Entry
    device: Device
    booking_id: UUID | None = None
    exam: EnterpriseExam | None = None

    @property
    def id(self) -> UUID:
        return self.entry.sitting_id


async def make_device(session: AsyncSession, who: Known, *, now: datetime) -> Device:
    """Another browser in which somebody is signed in."""
    _, sign_in = await open_sign_in(session, account_id=who.account.id, client="test", address="", now=now)
    return Device(sign_in_id=sign_in.id, key=KEY)


async def check_in(session: AsyncSession, booking: Booking, *, officer: Known, now: datetime) -> None:
    """An officer accepts the candidate, and the session starts now."""
    exam_session = await session.get_one(ExamSession, booking.exam_session_id)
    exam_session.starts_at, exam_session.ends_at = now, now + timedelta(hours=2)
    booking.status, booking.checked_in_at = BookingStatus.CHECKED_IN, now
    session.add(
        IdentityCheck(
            booking_id=booking.id, method=CheckMethod.OFFICER, verdict=CheckVerdict.ACCEPT,
            officer_id=officer.person.id, reason="核对证件", at=now,
        )
    )  # fmt: skip
    session.add_all([exam_session, booking])
    await session.flush()


async def make_checked_in(
    session: AsyncSession, vault: Vault, *, now: datetime, who: Known | None = None
) -> tuple[Known, Booking]:
    who = who or await make_person(session, vault, now=now, name="赵电工")
    booking = await make_booking(session, vault, now=now, who=who)
    officer = await make_person(session, vault, now=now, name="孙监考")
    await check_in(session, booking, officer=officer, now=now)
    return who, booking


async def make_sitting(session: AsyncSession, vault: Vault, *, now: datetime, seed: int | None = None) -> Sat:
    """A certificate exam that has just begun."""
    who, booking = await make_checked_in(session, vault, now=now)
    device = await make_device(session, who, now=now)
    entry = await start_sitting(
        session, booking_id=booking.id, person_id=who.person.id, device=device, seed=seed or next(_seeds), now=now
    )
    return Sat(who, entry, device, booking_id=booking.id)


async def make_exam(
    session: AsyncSession,
    vault: Vault,
    *,
    now: datetime,
    organisation: Organisation | None = None,
    attempts_allowed: int = 2,
) -> tuple[EnterpriseExam, Known]:
    """An enterprise exam that is open, with one invited employee."""
    await fill_bank(session, vault, code="GEN", now=now)
    organisation = organisation or await make_organisation(session, now=now)
    who = await make_employee(session, vault, organisation=organisation, now=now)
    new = NewExam(
        title="年度安全考试", opens_at=now, closes_at=now + timedelta(days=7), attempts_allowed=attempts_allowed
    )
    exam = await create_exam(session, organisation_id=organisation.id, new=new, actor_id=who.person.id, now=now)
    await invite_staff(
        session, exam_id=exam.id, organisation_id=organisation.id, person_ids=[who.person.id], actor_id=who.person.id,
        now=now,
    )  # fmt: skip
    return exam, who


async def make_enterprise_sitting(session: AsyncSession, vault: Vault, *, now: datetime) -> Sat:
    exam, who = await make_exam(session, vault, now=now)
    device = await make_device(session, who, now=now)
    entry = await start_enterprise_sitting(
        session, exam_id=exam.id, person_id=who.person.id, device=device, seed=next(_seeds), now=now
    )
    return Sat(who, entry, device, exam=exam)


async def right_choices(session: AsyncSession, sitting_id: UUID) -> list[str]:
    """The right displayed letters of every position."""
    sitting = await session.get_one(Sitting, sitting_id)
    paper = paper_items(sitting.paper)
    revisions = await list_revisions(session, [item.revision_id for item in paper])
    choices = []
    for item in paper:
        key = revisions[item.revision_id].key
        if item.order:
            key = "".join(sorted(LETTERS[item.order.index(LETTERS.index(letter))] for letter in key))
        choices.append(key)
    return choices


async def answer(
    session: AsyncSession, sat: Sat, choices: Sequence[str], *, now: datetime, first_seq: int = 1, token: str = ""
) -> Acknowledged:
    """Answer positions 1, 2, … in order."""
    acts = [AnswerAct(first_seq + place, place + 1, choice) for place, choice in enumerate(choices)]
    return await save_answers(
        session, sitting_id=sat.id, token_hash=device_token_hash(token or sat.entry.device_token), acts=acts, now=now
    )


async def review_and_release(session: AsyncSession, *, exam_session_id: UUID, actor_id: UUID, now: datetime) -> int:
    """Review and release every score of a session; gives how many."""
    await begin_review(session, exam_session_id=exam_session_id, actor_id=actor_id, now=now)
    return await release_scores(session, exam_session_id=exam_session_id, actor_id=actor_id, now=now)

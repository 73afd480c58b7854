"""What a candidate asks for, what is granted, and what a sitting is given of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from sqlmodel import col, select

from exams.accommodations import (
    Accommodations,
    NotGrantable,
    TooMuchTime,
    UnknownLanguage,
    WishWithoutReason,
    grant_accommodations,
    open_own_reason,
    read_accommodation_reason,
    set_candidate_accommodations,
    wish_accommodations,
)
from exams.errors import NotEditable
from exams.models import Application, ApplicationStatus, Booking, Sitting
from exams.sheets import get_answer_sheet, get_sitting_state
from exams.starting import start_enterprise_sitting, start_sitting
from tests.makers.sittings import make_checked_in, make_device, make_exam
from training.errors import NotFound
from training.models import AuditEntry

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.makers.people import Known
    from training.vault import Vault

GRANTED = Accommodations(extra_percent=25, large_type=True, language="en")


async def make_application(
    session: AsyncSession, vault: Vault, *, now: datetime, status: ApplicationStatus
) -> tuple[Known, Booking, Application]:
    who, booking = await make_checked_in(session, vault, now=now)
    application = await session.get_one(Application, booking.application_id)
    application.status = status
    session.add(application)
    await session.flush()
    return who, booking, application


async def audited(session: AsyncSession, action: str) -> list[AuditEntry]:
    return list((await session.exec(select(AuditEntry).where(col(AuditEntry.action) == action))).all())


@pytest.mark.parametrize("wanted", [Accommodations(), GRANTED, Accommodations(read_aloud=True, high_contrast=True)])
def test_what_is_stored_reads_as_it_was(wanted: Accommodations) -> None:
    assert Accommodations.read(wanted.stored()) == wanted
    assert bool(wanted) == (wanted.stored() != {})


def test_nothing_is_stored_of_nothing() -> None:
    assert Accommodations().stored() == {}
    assert Accommodations.read(None) == Accommodations.read({}) == Accommodations()


async def test_the_reason_of_a_wish_is_sealed_and_reading_it_is_on_record(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    who, _, application = await make_application(session, vault, now=now, status=ApplicationStatus.DRAFT)
    wish: dict[str, Any] = {"vault": vault, "application_id": application.id, "person_id": who.person.id, "now": now}
    with pytest.raises(WishWithoutReason):
        await wish_accommodations(session, **wish, wanted=GRANTED, reason="  ")
    kept = await wish_accommodations(session, **wish, wanted=GRANTED, reason="视力低下")
    assert Accommodations.read(kept.accommodations_wanted) == GRANTED
    assert kept.accommodations == {}
    assert kept.accommodation_reason_sealed is not None
    assert "视力".encode() not in kept.accommodation_reason_sealed
    assert open_own_reason(vault, kept) == "视力低下"
    assert await audited(session, "application.accommodation_reason_read") == []
    read = await read_accommodation_reason(
        session, vault=vault, application_id=application.id, actor_id=who.person.id, now=now
    )
    assert read == "视力低下"
    (entry,) = await audited(session, "application.accommodation_reason_read")
    assert "视力" not in str(entry.detail)
    taken_back = await wish_accommodations(session, **wish, wanted=Accommodations(), reason="视力低下")
    assert (taken_back.accommodations_wanted, taken_back.accommodation_reason_sealed) == ({}, None)


async def test_a_wish_cannot_be_changed_once_the_application_is_with_the_authority(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    who, _, application = await make_application(session, vault, now=now, status=ApplicationStatus.SUBMITTED)
    wish: dict[str, Any] = {"vault": vault, "application_id": application.id, "wanted": GRANTED, "reason": "视力低下"}
    with pytest.raises(NotEditable):
        await wish_accommodations(session, **wish, person_id=who.person.id, now=now)
    with pytest.raises(NotFound):
        await wish_accommodations(session, **wish, person_id=application.id, now=now)


@pytest.mark.parametrize("percent", [-1, 51, 1000])
async def test_no_more_time_is_granted_than_the_rule_allows(
    session: AsyncSession, vault: Vault, now: datetime, percent: int
) -> None:
    who, _, application = await make_application(session, vault, now=now, status=ApplicationStatus.ACCEPTED)
    grant: dict[str, Any] = {"application_id": application.id, "actor_id": who.person.id, "now": now}
    with pytest.raises(TooMuchTime):
        await grant_accommodations(session, **grant, granted=Accommodations(extra_percent=percent))
    with pytest.raises(UnknownLanguage):
        await grant_accommodations(session, **grant, granted=Accommodations(language="fr"))


async def test_what_is_granted_is_given_to_the_sitting_that_begins_later(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    who, booking, application = await make_application(session, vault, now=now, status=ApplicationStatus.ACCEPTED)
    for _ in range(2):
        await grant_accommodations(
            session, application_id=application.id, actor_id=who.person.id, granted=GRANTED, now=now
        )
    (entry,) = await audited(session, "application.accommodations_granted")
    assert (entry.target_was, entry.detail) == ({"extra_percent": 0}, {"extra_percent": 25})
    device = await make_device(session, who, now=now)
    started = await start_sitting(
        session, booking_id=booking.id, person_id=who.person.id, device=device, seed=1, now=now
    )
    assert started.seconds_left == 9000
    await grant_accommodations(
        session, application_id=application.id, actor_id=who.person.id, granted=Accommodations(), now=now
    )
    own: dict[str, Any] = {"sitting_id": started.sitting_id, "person_id": who.person.id, "now": now}
    assert (await get_sitting_state(session, **own)).accommodations == GRANTED
    assert (await get_answer_sheet(session, **own, device=device)).accommodations == GRANTED
    assert await _minutes(session, started.sitting_id) == 150


async def _minutes(session: AsyncSession, sitting_id: UUID) -> float:
    sitting = await session.get_one(Sitting, sitting_id)
    return (sitting.deadline - sitting.started_at).total_seconds() / 60


@pytest.mark.parametrize("status", [ApplicationStatus.DRAFT, ApplicationStatus.REFUSED, ApplicationStatus.PASSED])
async def test_nothing_is_granted_to_an_application_that_does_not_wait(
    session: AsyncSession, vault: Vault, now: datetime, status: ApplicationStatus
) -> None:
    who, _, application = await make_application(session, vault, now=now, status=status)
    with pytest.raises(NotGrantable):
        await grant_accommodations(
            session, application_id=application.id, actor_id=who.person.id, granted=GRANTED, now=now
        )


async def test_an_enterprise_gives_its_own_invited_staff_more_time(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    exam, who = await make_exam(session, vault, now=now)
    given: dict[str, Any] = {"exam_id": exam.id, "granted": GRANTED, "actor_id": who.person.id, "now": now}
    of_exam: dict[str, Any] = {**given, "organisation_id": exam.organisation_id}
    with pytest.raises(NotFound):
        await set_candidate_accommodations(session, **given, organisation_id=exam.id, person_id=who.person.id)
    with pytest.raises(NotFound):
        await set_candidate_accommodations(session, **of_exam, person_id=exam.id)
    await set_candidate_accommodations(session, **of_exam, person_id=who.person.id)
    device = await make_device(session, who, now=now)
    started = await start_enterprise_sitting(
        session, exam_id=exam.id, person_id=who.person.id, device=device, seed=1, now=now
    )
    assert started.seconds_left == 60 * 75

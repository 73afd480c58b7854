"""An application from its first step to the decision."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlmodel import select

from exams import applications
from exams.applications import MISSING_POINTS, Background
from exams.errors import (
    BackgroundMissing,
    BadProof,
    HealthNotConfirmed,
    Incomplete,
    NotEditable,
    NotEligible,
    NotWaiting,
    NotWithdrawable,
    QualificationClosed,
    ReasonNeeded,
    SignatureDiffers,
)
from exams.health import items_for, open_statement
from exams.models import ApplicationStatus, Ban, Booking, BookingStatus, Qualification
from exams.proofs import check_proof
from tests.makers.exams import (
    PDF,
    make_accepted,
    make_booking,
    make_draft,
    make_reviewer,
    make_submitted,
    picture,
)
from tests.makers.people import make_person
from training.audit import list_entries
from training.errors import NotFound
from training.models import Education, Person

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault


async def test_starting_twice_gives_the_same_application(session: AsyncSession, vault: Vault, now: datetime) -> None:
    who = await make_person(session, vault, now=now)
    first, second = [
        await applications.start_application(
            session, person_id=who.person.id, qualification_code="SO_1_2", has_valid_certificate=False, now=now
        )
        for _ in range(2)
    ]
    assert first.id == second.id
    assert first.education == "SENIOR_HIGH"


async def test_nobody_under_eighteen_or_banned_or_certified_can_start(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    async def start(who: Person, *, certified: bool = False) -> None:
        await applications.start_application(
            session, person_id=who.id, qualification_code="SO_1_2", has_valid_certificate=certified, now=now
        )

    young = await make_person(session, vault, now=now, birth_date=date(2009, 1, 1))
    with pytest.raises(NotEligible, match="2027-01-01"):
        await start(young.person)
    grown = await make_person(session, vault, now=now)
    with pytest.raises(NotEligible, match="有效证书"):
        await start(grown.person, certified=True)
    session.add(
        Ban(
            person_id=grown.person.id,
            reason="弄虚作假",
            starts_on=date(2026, 1, 1),
            ends_on=date(2028, 12, 31),
            decided_by=young.person.id,
            created_at=now,
        )
    )
    await session.flush()
    with pytest.raises(NotEligible, match="2028-12-31"):
        await start(grown.person)


async def test_a_closed_qualification_takes_no_application(session: AsyncSession, vault: Vault, now: datetime) -> None:
    who = await make_person(session, vault, now=now)
    qualification = (await session.exec(select(Qualification).where(Qualification.code == "SO_1_2"))).one()
    qualification.is_open = False
    session.add(qualification)
    with pytest.raises(QualificationClosed):
        await applications.start_application(
            session, person_id=who.person.id, qualification_code="SO_1_2", has_valid_certificate=False, now=now
        )


async def test_an_incomplete_application_is_not_submitted(session: AsyncSession, vault: Vault, now: datetime) -> None:
    who = await make_person(session, vault, now=now)
    begun = await applications.start_application(
        session, person_id=who.person.id, qualification_code="SO_1_2", has_valid_certificate=False, now=now
    )
    with pytest.raises(Incomplete, match="3 项"):
        await applications.submit_application(
            session, application_id=begun.id, person_id=who.person.id, has_valid_certificate=False, now=now
        )


async def test_a_submitted_application_waits_and_is_held_within_sixty_days(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    application = await make_submitted(session, vault, now=now)
    again = await applications.submit_application(
        session, application_id=application.id, person_id=application.person_id, has_valid_certificate=False,
        now=now + timedelta(days=1),
    )  # fmt: skip
    assert again.status is ApplicationStatus.SUBMITTED
    assert again.submitted_at == now
    assert again.exam_by == date(2027, 1, 20)
    with pytest.raises(NotEditable):
        await applications.save_background(
            session, application_id=application.id, person_id=application.person_id,
            told=Background(Education.MASTER, "", "EDUCATION"), now=now,
        )  # fmt: skip


async def test_what_is_missing_is_asked_for_field_by_field(session: AsyncSession, vault: Vault, now: datetime) -> None:
    draft = await make_draft(session, vault, now=now)
    for told in (Background(None, "", "EDUCATION"), Background(Education.MASTER, "", "")):
        with pytest.raises(BackgroundMissing):
            await applications.save_background(
                session, application_id=draft.id, person_id=draft.person_id, told=told, now=now
            )


async def test_another_kind_of_proof_asks_for_another_file(session: AsyncSession, vault: Vault, now: datetime) -> None:
    draft = await make_draft(session, vault, now=now)
    changed = await applications.save_background(
        session, application_id=draft.id, person_id=draft.person_id,
        told=Background(Education.MASTER, "", "TRAINING"), now=now,
    )  # fmt: skip
    assert changed.proof_file_id is None


async def test_the_statement_is_sealed_and_signed_with_the_own_name(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    draft = await make_draft(session, vault, now=now)
    codes = [item.code for item in items_for("1.2")]
    own: dict[str, Any] = {"application_id": draft.id, "person_id": draft.person_id, "vault": vault, "now": now}
    with pytest.raises(HealthNotConfirmed):
        await applications.sign_health(session, confirmed=codes[1:], typed_name="张安全", **own)
    with pytest.raises(SignatureDiffers):
        await applications.sign_health(session, confirmed=codes, typed_name="李安全", **own)
    signed = await applications.sign_health(session, confirmed=codes, typed_name=" 张安全 ", **own)
    assert signed.health_sealed is not None
    assert "心脏".encode() not in signed.health_sealed
    assert [item.code for item in open_statement(vault, signed.health_sealed).items] == codes


def test_electricians_declare_their_colour_sight() -> None:
    assert "COLOUR" in {item.code for item in items_for("1.2")}
    assert "COLOUR" not in {item.code for item in items_for("11.1")}
    assert "HEIGHT" in {item.code for item in items_for("3.2")}


async def test_a_returned_application_lists_every_point_and_can_be_corrected(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    reviewer = await make_reviewer(session, vault, now=now)
    application = await make_submitted(session, vault, now=now)
    own: dict[str, Any] = {"application_id": application.id, "reviewer_id": reviewer.person.id, "now": now}
    with pytest.raises(ReasonNeeded):
        await applications.return_application(session, points=["not a point"], note=" ", **own)
    returned = await applications.return_application(session, points=MISSING_POINTS[:2], note="请补拍。", **own)
    assert returned.status is ApplicationStatus.RETURNED
    assert returned.missing == list(MISSING_POINTS[:2])
    with pytest.raises(NotWaiting):
        await applications.accept_application(session, **own)
    resubmitted = await applications.submit_application(
        session, application_id=application.id, person_id=application.person_id, has_valid_certificate=False, now=now
    )
    assert resubmitted.missing == []


async def test_an_accepted_photo_becomes_the_persons(session: AsyncSession, vault: Vault, now: datetime) -> None:
    application = await make_accepted(session, vault, now=now)
    person = await session.get(Person, application.person_id)
    assert person is not None
    assert person.photo_id == application.photo_id
    actions = [entry.action for entry in await list_entries(session, target=("application", application.id))]
    assert "application.accepted" in actions


async def test_a_refusal_needs_a_reason_and_stays(session: AsyncSession, vault: Vault, now: datetime) -> None:
    reviewer = await make_reviewer(session, vault, now=now)
    application = await make_submitted(session, vault, now=now)
    own: dict[str, Any] = {"application_id": application.id, "reviewer_id": reviewer.person.id, "now": now}
    with pytest.raises(ReasonNeeded):
        await applications.refuse_application(session, reason="  ", **own)
    await applications.refuse_application(session, reason="学历不符合要求", **own)
    again = await applications.refuse_application(session, reason="别的", **own)
    assert again.reason == "学历不符合要求"


async def test_withdrawing_frees_the_seat(session: AsyncSession, vault: Vault, now: datetime) -> None:
    booking = await make_booking(session, vault, now=now)
    own: dict[str, Any] = {"application_id": booking.application_id, "person_id": booking.person_id, "now": now}
    withdrawn = await applications.withdraw_application(session, **own)
    assert withdrawn.status is ApplicationStatus.WITHDRAWN
    assert (await session.get(Booking, booking.id)).status is BookingStatus.CANCELLED  # type: ignore[union-attr]
    assert (await applications.withdraw_application(session, **own)).status is ApplicationStatus.WITHDRAWN


async def test_once_checked_in_nothing_is_withdrawn(session: AsyncSession, vault: Vault, now: datetime) -> None:
    booking = await make_booking(session, vault, now=now)
    booking.status = BookingStatus.CHECKED_IN
    session.add(booking)
    with pytest.raises(NotWithdrawable):
        await applications.withdraw_application(
            session, application_id=booking.application_id, person_id=booking.person_id, now=now
        )


async def test_no_one_sees_anothers_application(session: AsyncSession, vault: Vault, now: datetime) -> None:
    draft = await make_draft(session, vault, now=now)
    other = await make_person(session, vault, now=now)
    with pytest.raises(NotFound):
        await applications.get_own_application(session, application_id=draft.id, person_id=other.person.id)


@pytest.mark.parametrize("data", [b"", b"MZ\x90 not a picture", b"%PDF-1.7 cut off", picture()[:200], b"GIF89a"])
def test_a_proof_is_judged_by_its_content(data: bytes) -> None:
    with pytest.raises(BadProof):
        check_proof(data)


def test_pdf_and_pictures_are_proofs() -> None:
    assert check_proof(PDF).media_type == "application/pdf"
    assert check_proof(picture()).media_type == "image/jpeg"

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from certificates.claims import claims_of
from certificates.credential import open_credential
from certificates.errors import (
    NoLongerPassed,
    NotAnAuthority,
    NotPassed,
    NotYours,
    PartTooOld,
    ProofNotYours,
    TrainingNotPassed,
)
from certificates.issuing import issue_certificate, issue_training_proof, register_issuer_key
from certificates.models import (
    Certificate,
    CertificateKind,
    CertificateRequestStatus,
    IssuerKey,
    IssuerType,
    RevocationGround,
)
from certificates.numbering import is_training_proof_number
from certificates.requests import refuse_request, request_certificate
from certificates.revocation import register_review, revoke_certificate
from certificates.signing import Signer
from exams.applications import find_ban
from exams.models import Application, ApplicationStatus
from tests.makers.certificates import (
    Office,
    make_issued,
    make_office,
    make_passed,
    make_request,
    make_training_proof,
)
from tests.makers.people import make_employee, make_organisation, make_person
from tests.makers.staff import make_record
from training.audit import list_entries
from training.errors import NotFound
from training.models import Notice, OrganisationKind

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from certificates.models import CertificateRequest
    from web.keys import Keys


async def issue(
    session: AsyncSession, keys: Keys, office: Office, request: CertificateRequest, now: datetime
) -> Certificate:
    return await issue_certificate(
        session, request_id=request.id, issuer_id=office.authority.id, actor_id=office.issuer.person.id,
        signer=Signer.newest(keys.issuer), vault=keys.vault, now=now,
    )  # fmt: skip


async def test_a_certificate_has_number_and_dates_by_rule(session: AsyncSession, keys: Keys, now: datetime) -> None:
    who = await make_person(session, keys.vault, now=now)
    certificate = await make_issued(session, keys, now=now, who=who)
    assert keys.vault.open(certificate.number_sealed, context="certificate.number") == f"T{who.number}"
    assert certificate.valid_from == date(2026, 11, 21)
    assert certificate.valid_to == date(2032, 11, 20)
    assert certificate.review_due_on == date(2029, 11, 20)
    assert certificate.kind is CertificateKind.SPECIAL_OPERATION
    assert certificate.issuer_type is IssuerType.AUTHORITY


async def test_a_manager_gets_three_years_and_no_review(session: AsyncSession, keys: Keys, now: datetime) -> None:
    certificate = await make_issued(session, keys, now=now, code="PRINCIPAL")
    assert certificate.valid_to == date(2029, 11, 20)
    assert certificate.review_due_on is None


async def test_its_credential_opens_with_the_pinned_key_and_says_what_the_row_says(
    session: AsyncSession, keys: Keys, now: datetime
) -> None:
    office = await make_office(session, keys, now=now)
    certificate = await make_issued(session, keys, now=now, office=office)
    pinned = await session.get_one(IssuerKey, certificate.kid)
    signer = Signer.newest(keys.issuer)
    assert pinned.public_key == signer.public_key
    said = open_credential(certificate.credential, keys={signer.kid: signer.key.public_key()})
    assert said == claims_of(certificate, issuer=office.authority.uscc)


async def test_the_credential_never_holds_the_number(session: AsyncSession, keys: Keys, now: datetime) -> None:
    who = await make_person(session, keys.vault, now=now)
    certificate = await make_issued(session, keys, now=now, who=who)
    assert who.number.encode() not in certificate.credential
    assert who.person.name.encode() not in certificate.credential


async def test_asking_and_issuing_twice_gives_the_same(session: AsyncSession, keys: Keys, now: datetime) -> None:
    office = await make_office(session, keys, now=now)
    request = await make_request(session, keys, now=now)
    again = await request_certificate(
        session, application_id=request.application_id, person_id=request.person_id, now=now
    )
    assert again.id == request.id
    first = await issue(session, keys, office, request, now)
    second = await issue(session, keys, office, request, now)
    assert first.id == second.id
    assert request.status is CertificateRequestStatus.APPROVED


async def test_nothing_is_asked_for_before_every_part_is_passed(
    session: AsyncSession, keys: Keys, now: datetime
) -> None:
    application = await make_passed(session, keys, now=now)
    application.practical_passed_on = None
    with pytest.raises(NotPassed):
        await request_certificate(session, application_id=application.id, person_id=application.person_id, now=now)
    application.practical_passed_on, application.status = application.theory_passed_on, ApplicationStatus.ACCEPTED
    with pytest.raises(NotPassed):
        await request_certificate(session, application_id=application.id, person_id=application.person_id, now=now)


async def test_a_part_counts_for_twelve_months(session: AsyncSession, keys: Keys, now: datetime) -> None:
    application = await make_passed(session, keys, now=now)
    application.theory_passed_on = date(2025, 11, 20)
    with pytest.raises(PartTooOld):
        await request_certificate(session, application_id=application.id, person_id=application.person_id, now=now)
    application.theory_passed_on = date(2025, 11, 21)
    assert await request_certificate(session, application_id=application.id, person_id=application.person_id, now=now)


async def test_another_persons_application_is_not_found(session: AsyncSession, keys: Keys, now: datetime) -> None:
    application = await make_passed(session, keys, now=now)
    other = await make_person(session, keys.vault, now=now)
    with pytest.raises(NotFound):
        await request_certificate(session, application_id=application.id, person_id=other.person.id, now=now)


async def test_the_decision_is_due_in_working_days(session: AsyncSession, keys: Keys, now: datetime) -> None:
    request = await make_request(session, keys, now=now)
    assert request.decide_by == date(2026, 12, 18)


async def test_after_a_refusal_one_may_ask_again(session: AsyncSession, keys: Keys, now: datetime) -> None:
    office = await make_office(session, keys, now=now)
    request = await make_request(session, keys, now=now)
    await refuse_request(
        session, request_id=request.id, actor_id=office.issuer.person.id, reason="照片不是本人", now=now
    )
    again = await request_certificate(
        session, application_id=request.application_id, person_id=request.person_id, now=now
    )
    assert again.id != request.id


async def test_nothing_is_issued_when_a_score_fell_after_the_request(
    session: AsyncSession, keys: Keys, now: datetime
) -> None:
    office = await make_office(session, keys, now=now)
    request = await make_request(session, keys, now=now)
    application = await session.get_one(Application, request.application_id)
    application.status, application.theory_passed_on = ApplicationStatus.ACCEPTED, None
    session.add(application)
    await session.flush()
    with pytest.raises(NoLongerPassed):
        await issue(session, keys, office, request, now)


async def test_holders_are_told_once_of_what_is_issued_refused_and_revoked(
    session: AsyncSession, keys: Keys, now: datetime
) -> None:
    office = await make_office(session, keys, now=now)
    request, refused = await make_request(session, keys, now=now), await make_request(session, keys, now=now)
    certificate = await issue(session, keys, office, request, now)
    own: dict[str, Any] = {"certificate_id": certificate.id, "issuer_id": office.authority.id, "now": now}
    for _ in range(2):
        await issue(session, keys, office, request, now)
        await refuse_request(
            session, request_id=refused.id, actor_id=office.issuer.person.id, reason="照片不是本人", now=now
        )
        await revoke_certificate(
            session,
            actor_id=office.issuer.person.id,
            ground=RevocationGround.UNFIT,
            reason="体检",
            with_ban=False,
            **own,
        )
    told = (await session.exec(select(Notice).order_by(col(Notice.kind)))).all()
    path = f"/certificates/{certificate.id}"
    assert [(notice.kind, notice.person_id, notice.link) for notice in told] == [
        ("CERTIFICATE_ISSUED", request.person_id, path),
        ("CERTIFICATE_REFUSED", refused.person_id, "/certificates"),
        ("CERTIFICATE_REVOKED", request.person_id, path),
    ]


async def test_nobody_issues_to_themselves(session: AsyncSession, keys: Keys, now: datetime) -> None:
    office = await make_office(session, keys, now=now)
    request = await make_request(session, keys, now=now, who=office.issuer)
    with pytest.raises(NotYours):
        await issue(session, keys, office, request, now)


async def test_only_an_authority_issues_what_is_regulated(session: AsyncSession, keys: Keys, now: datetime) -> None:
    centre = await make_organisation(session, now=now, kind=OrganisationKind.CENTRE)
    office = await make_office(session, keys, now=now)
    request = await make_request(session, keys, now=now)
    with pytest.raises(NotAnAuthority):
        await issue(session, keys, Office(centre, office.issuer), request, now)


async def test_the_database_refuses_a_regulated_certificate_of_another_issuer(
    session: AsyncSession, keys: Keys, now: datetime
) -> None:
    certificate = await make_issued(session, keys, now=now)
    certificate.issuer_type = IssuerType.TRAINING_ORG
    session.add(certificate)
    with pytest.raises(IntegrityError):
        await session.flush()


async def test_a_renewal_replaces_the_earlier_one_and_keeps_the_first_day(
    session: AsyncSession, keys: Keys, now: datetime
) -> None:
    office = await make_office(session, keys, now=now)
    who = await make_person(session, keys.vault, now=now)
    first = await make_issued(session, keys, now=now - timedelta(days=2150), who=who, office=office)
    second = await make_issued(session, keys, now=now, who=who, office=office)
    assert first.replaced_at == now
    assert second.first_issued_on == first.first_issued_on
    assert second.replaced_at is None
    third = await make_issued(session, keys, now=now, who=who, office=office, code="SO_1_1")
    assert second.replaced_at is None
    assert third.number_index == second.number_index


async def test_a_kid_never_gets_another_key(session: AsyncSession, keys: Keys, now: datetime) -> None:
    office = await make_office(session, keys, now=now)
    own: dict[str, Any] = {"kid": "k1", "issuer_id": office.authority.id, "now": now}
    await register_issuer_key(session, public_key=b"1" * 32, **own)
    await register_issuer_key(session, public_key=b"1" * 32, **own)
    with pytest.raises(ValueError, match="k1"):
        await register_issuer_key(session, public_key=b"2" * 32, **own)


async def test_a_training_proof_is_numbered_once(session: AsyncSession, keys: Keys, now: datetime) -> None:
    enterprise = await make_organisation(session, now=now)
    who = await make_employee(session, keys.vault, organisation=enterprise, now=now)
    proofs = [await make_training_proof(session, keys, now=now, enterprise=enterprise, who=who) for _ in range(3)]
    numbers = [keys.vault.open(proof.number_sealed, context="certificate.number") for proof in proofs]
    assert len(set(numbers)) == 3
    assert all(is_training_proof_number(number) for number in numbers)
    assert proofs[0].valid_to is None
    assert proofs[0].training_record_id is not None
    again = await issue_training_proof(
        session, training_record_id=proofs[0].training_record_id, issuer_id=enterprise.id,
        actor_id=who.person.id, signer=Signer.newest(keys.issuer), vault=keys.vault, now=now,
    )  # fmt: skip
    assert again.id == proofs[0].id


async def test_only_passed_training_of_ones_own_is_proved(session: AsyncSession, keys: Keys, now: datetime) -> None:
    enterprise = await make_organisation(session, now=now)
    other = await make_organisation(session, now=now, name="别的公司")
    who = await make_employee(session, keys.vault, organisation=enterprise, now=now)
    own: dict[str, Any] = {
        "actor_id": who.person.id,
        "signer": Signer.newest(keys.issuer),
        "vault": keys.vault,
        "now": now,
    }
    record = await make_record(session, person_id=who.person.id, organisation_id=enterprise.id, now=now)
    with pytest.raises(ProofNotYours):
        await issue_training_proof(session, training_record_id=record.id, issuer_id=other.id, **own)
    office = await make_office(session, keys, now=now)
    with pytest.raises(NotAnAuthority):
        await issue_training_proof(session, training_record_id=record.id, issuer_id=office.authority.id, **own)
    failed = await make_record(session, person_id=who.person.id, organisation_id=enterprise.id, now=now, passed=False)
    with pytest.raises(TrainingNotPassed):
        await issue_training_proof(session, training_record_id=failed.id, issuer_id=enterprise.id, **own)


async def test_a_revocation_for_fraud_bans_for_three_years(session: AsyncSession, keys: Keys, now: datetime) -> None:
    office = await make_office(session, keys, now=now)
    certificate = await make_issued(session, keys, now=now, office=office)
    own: dict[str, Any] = {
        "certificate_id": certificate.id,
        "issuer_id": office.authority.id,
        "actor_id": office.issuer.person.id,
    }
    await revoke_certificate(session, ground=RevocationGround.FRAUD, reason="替考", with_ban=True, now=now, **own)
    assert await find_ban(session, person_id=certificate.person_id, on=now.date()) == date(2029, 11, 20)
    await revoke_certificate(session, ground=RevocationGround.UNFIT, reason="另一个理由", with_ban=True, now=now, **own)
    assert certificate.revoked_reason == "替考"
    assert len(await list_entries(session, action="ban.decided")) == 1


async def test_revoking_takes_a_ground_and_an_own_certificate(session: AsyncSession, keys: Keys, now: datetime) -> None:
    office, stranger = await make_office(session, keys, now=now), await make_office(session, keys, now=now)
    certificate = await make_issued(session, keys, now=now, office=office)
    with pytest.raises(NotFound):
        await revoke_certificate(
            session, certificate_id=certificate.id, issuer_id=stranger.authority.id,
            actor_id=stranger.issuer.person.id, ground=RevocationGround.UNFIT, reason="x", with_ban=False, now=now,
        )  # fmt: skip


async def test_a_review_is_registered_within_its_window_only(session: AsyncSession, keys: Keys, now: datetime) -> None:
    from certificates.errors import NoReviewDue

    office = await make_office(session, keys, now=now)
    certificate = await make_issued(session, keys, now=now, office=office)
    own: dict[str, Any] = {
        "certificate_id": certificate.id,
        "issuer_id": office.authority.id,
        "actor_id": office.issuer.person.id,
    }
    with pytest.raises(NoReviewDue):
        await register_review(session, now=now, **own)
    reviewed = await register_review(session, now=now + timedelta(days=3 * 365 - 20), **own)
    assert reviewed.reviewed_on == date(2029, 10, 31)

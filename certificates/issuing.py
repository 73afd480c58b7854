"""Issuing: numbers, dates by rule, the signed credential, and the row that everything else reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from certificates.claims import claims_of
from certificates.credential import make_credential, make_public_id
from certificates.errors import (
    NoLongerPassed,
    NotAnAuthority,
    NotYours,
    ProofNotYours,
    RequestDecided,
    TrainingNotPassed,
)
from certificates.models import (
    Certificate,
    CertificateKind,
    CertificateRequestStatus,
    IssuerKey,
    IssuerType,
    ProofCounter,
)
from certificates.numbering import certificate_number, training_proof_number
from certificates.requests import has_passed, lock_request
from certificates.status import validity_for
from exams.models import Application, Qualification
from exams.qualifications import get_qualification
from training import audit
from training.calendar import china_date
from training.errors import NotFound
from training.masking import mask_number
from training.models import Organisation, OrganisationKind, Person, TrainingRecord
from training.notices import NoticeKind, notify
from training.organisations import get_organisation
from training.people import get_document, get_person
from training.rules import get_number

if TYPE_CHECKING:
    from datetime import date, datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from certificates.signing import Signer
    from certificates.status import Validity
    from training.vault import Vault

NUMBER = "certificate.number"
_YEARS = {
    CertificateKind.SPECIAL_OPERATION: "so.cert.years",
    CertificateKind.MANAGER: "pm.cert.years",
    CertificateKind.INSPECTOR: "inspector.cert.years",
}
_REVIEW_YEARS = "so.review.years"
_PROOF_ISSUERS = {
    OrganisationKind.CENTRE: IssuerType.TRAINING_ORG,
    OrganisationKind.ENTERPRISE: IssuerType.ENTERPRISE,
}


@dataclass(frozen=True)
class _Subject:
    """Who gets it and what it is for."""

    kind: CertificateKind
    person: Person
    number: str
    item_name: str
    class_name: str = ""
    qualification_code: str | None = None


def number_index(vault: Vault, number: str) -> bytes:
    """The blind index of a certificate number, however it was typed."""
    return vault.blind("".join(number.split()).upper(), context=NUMBER)


async def register_issuer_key(
    session: AsyncSession, *, kid: str, public_key: bytes, issuer_id: UUID, now: datetime
) -> None:
    """Pin the public half of a signing key, once. The same `kid` never gets another key."""
    values = {"kid": kid, "public_key": public_key, "issuer_id": issuer_id, "valid_from": now}
    statement = insert(IssuerKey).values(values).on_conflict_do_nothing(index_elements=["kid"])
    connection = await session.connection()
    added = (await connection.execute(statement)).rowcount
    if added:
        audit.record(session, action="issuer_key.registered", target=("issuer_key", kid), actor_id=None, now=now)
        return
    known = await session.get_one(IssuerKey, kid)
    if known.public_key != public_key:
        raise ValueError(f"another public key is registered as {kid}: key ids are never used twice")


async def issue_certificate(
    session: AsyncSession,
    *,
    request_id: UUID,
    issuer_id: UUID,
    actor_id: UUID,
    signer: Signer,
    vault: Vault,
    now: datetime,
) -> Certificate:
    """Approve a request and issue; asked again it gives the certificate that it led to.

    The person's certificate for the same item, if one is in force, is replaced by this one. Raises
    `NotAnAuthority`, `NotYours`, `RequestDecided`, `NotFound`.
    """
    issuer = await get_organisation(session, issuer_id)
    if issuer.kind is not OrganisationKind.AUTHORITY:
        raise NotAnAuthority
    request = await lock_request(session, request_id)
    if request.status is CertificateRequestStatus.APPROVED:
        return (await session.exec(select(Certificate).where(Certificate.request_id == request_id))).one()
    if request.status is not CertificateRequestStatus.SUBMITTED:
        raise RequestDecided
    if request.person_id == actor_id:
        raise NotYours
    qualification = await get_qualification(session, request.qualification_code)
    application = await session.get_one(
        Application, request.application_id, with_for_update={"read": True}, populate_existing=True
    )
    if not has_passed(application, qualification):
        raise NoLongerPassed
    person = await get_person(session, request.person_id)
    subject = await _subject(session, qualification, person, vault=vault)
    validity = await _validity(session, subject.kind, on=china_date(now))
    first_issued_on = await _replace_earlier(session, subject, now=now) or validity.valid_from
    certificate = await _issue(
        session, subject, validity, issuer=issuer, issuer_type=IssuerType.AUTHORITY, actor_id=actor_id,
        signer=signer, vault=vault, now=now,
    )  # fmt: skip
    certificate.request_id, certificate.first_issued_on = request.id, first_issued_on
    certificate.photo_id = application.photo_id or person.photo_id
    request.status, request.decided_at, request.decided_by = CertificateRequestStatus.APPROVED, now, actor_id
    session.add_all([certificate, request])
    await session.flush()
    audit.record(
        session, action="certificate.issued", target=("certificate", certificate.id), actor_id=actor_id, now=now,
        kind=subject.kind, item=qualification.code, request=request.id,
    )  # fmt: skip
    notify(
        session, [request.person_id], NoticeKind.CERTIFICATE_ISSUED, now=now, link=f"/certificates/{certificate.id}",
        title=qualification.name,
    )  # fmt: skip
    return certificate


async def issue_training_proof(
    session: AsyncSession,
    *,
    training_record_id: UUID,
    issuer_id: UUID,
    actor_id: UUID,
    signer: Signer,
    vault: Vault,
    now: datetime,
) -> Certificate:
    """A 培训合格证明 for a passed training that the organisation gave; of one record there is one.

    An enterprise also proves what its staff learnt on this service for it. Raises `NotAnAuthority` for
    other kinds of organisation, `ProofNotYours`, `TrainingNotPassed`.
    """
    issuer = await get_organisation(session, issuer_id)
    if issuer.kind not in _PROOF_ISSUERS:
        raise NotAnAuthority
    record = await session.get(TrainingRecord, training_record_id, with_for_update=True)
    if record is None:
        raise NotFound
    if not gave_training(record, issuer):
        raise ProofNotYours
    known = select(Certificate).where(Certificate.training_record_id == training_record_id)
    if found := (await session.exec(known)).one_or_none():
        return found
    corrected = select(TrainingRecord.id).where(TrainingRecord.corrects_id == training_record_id)
    if not record.passed or (await session.exec(corrected)).first():
        raise TrainingNotPassed
    person = await get_person(session, record.person_id)
    today = china_date(now)
    number = training_proof_number(today.year, await _next_proof(session, today.year))
    subject = _Subject(CertificateKind.TRAINING_PROOF, person, number, record.title)
    if record.corrects_id:
        await _replace_proof(session, record.corrects_id, now=now)
    certificate = await _issue(
        session, subject, validity_for(subject.kind, today, years=0), issuer=issuer,
        issuer_type=_PROOF_ISSUERS[issuer.kind], actor_id=actor_id, signer=signer, vault=vault, now=now,
        training_record_id=record.id,
    )  # fmt: skip
    certificate.photo_id = person.photo_id
    session.add(certificate)
    await session.flush()
    audit.record(
        session, action="training_proof.issued", target=("certificate", certificate.id), actor_id=actor_id, now=now,
        record=record.id,
    )  # fmt: skip
    return certificate


def gave_training(record: TrainingRecord, issuer: Organisation) -> bool:
    """Whether an organisation may prove a record: it taught, or its staff learnt for it without a teacher."""
    if record.provider_id is not None:
        return record.provider_id == issuer.id
    return issuer.kind is OrganisationKind.ENTERPRISE and record.organisation_id == issuer.id


async def _subject(session: AsyncSession, qualification: Qualification, person: Person, *, vault: Vault) -> _Subject:
    kind = CertificateKind(qualification.kind.value)
    document = await get_document(session, vault=vault, person_id=person.id)
    return _Subject(
        kind=kind,
        person=person,
        number=certificate_number(kind, document.number),
        item_name=qualification.name,
        class_name=qualification.class_name,
        qualification_code=qualification.code,
    )


async def _validity(session: AsyncSession, kind: CertificateKind, *, on: date) -> Validity:
    years = await get_number(session, _YEARS[kind], on=on)
    review_years = None
    if kind is CertificateKind.SPECIAL_OPERATION:
        review_years = await get_number(session, _REVIEW_YEARS, on=on)
    return validity_for(kind, on, years=years, review_years=review_years)


async def _issue(
    session: AsyncSession,
    subject: _Subject,
    validity: Validity,
    *,
    issuer: Organisation,
    issuer_type: IssuerType,
    actor_id: UUID,
    signer: Signer,
    vault: Vault,
    now: datetime,
    training_record_id: UUID | None = None,
) -> Certificate:
    await register_issuer_key(session, kid=signer.kid, public_key=signer.public_key, issuer_id=issuer.id, now=now)
    certificate = Certificate(
        public_id=make_public_id(),
        kind=subject.kind,
        person_id=subject.person.id,
        holder_name=subject.person.name,
        number_sealed=vault.seal(subject.number, context=NUMBER),
        number_index=number_index(vault, subject.number),
        number_masked=mask_number(subject.number),
        qualification_code=subject.qualification_code,
        class_name=subject.class_name,
        item_name=subject.item_name,
        issuer_id=issuer.id,
        issuer_type=issuer_type,
        training_record_id=training_record_id,
        first_issued_on=validity.valid_from,
        valid_from=validity.valid_from,
        valid_to=validity.valid_to,
        review_due_on=validity.review_due_on,
        kid=signer.kid,
        credential=b"",
        issued_at=now,
        issued_by=actor_id,
    )
    claims = claims_of(certificate, issuer=issuer.uscc)
    certificate.credential = make_credential(claims, kid=signer.kid, key=signer.key)
    session.add(certificate)
    await session.flush()
    return certificate


async def _replace_earlier(session: AsyncSession, subject: _Subject, *, now: datetime) -> date | None:
    """End the certificate for the same item; gives the day on which the person first held it."""
    # The person's row serialises; the partial unique index proves that one is in force.
    await session.exec(select(Person.id).where(Person.id == subject.person.id).with_for_update(key_share=True))
    statement = (
        select(Certificate)
        .where(
            Certificate.person_id == subject.person.id,
            Certificate.qualification_code == subject.qualification_code,
            col(Certificate.revoked_at).is_(None),
            col(Certificate.cancelled_at).is_(None),
            col(Certificate.replaced_at).is_(None),
        )
        .with_for_update()
    )
    earlier = (await session.exec(statement)).one_or_none()
    if earlier is None:
        return None
    earlier.replaced_at = now
    session.add(earlier)
    await session.flush()
    return earlier.first_issued_on


async def _replace_proof(session: AsyncSession, record_id: UUID, *, now: datetime) -> None:
    """The proof of a record that was corrected gives way to that of the correction."""
    statement = select(Certificate).where(Certificate.training_record_id == record_id).with_for_update()
    earlier = (await session.exec(statement)).one_or_none()
    if earlier is not None and earlier.replaced_at is None:
        earlier.replaced_at = now
        session.add(earlier)


async def _next_proof(session: AsyncSession, year: int) -> int:
    statement = (
        insert(ProofCounter)
        .values(year=year, last=1)
        .on_conflict_do_update(index_elements=["year"], set_={"last": col(ProofCounter.last) + 1})
        .returning(col(ProofCounter.last))
    )
    connection = await session.connection()
    return int((await connection.execute(statement)).scalar_one())

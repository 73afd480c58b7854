"""From the rows to what is printed: the number opened, the photo unsealed, the QR text made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from certificates.credential import qr_text
from certificates.document.certificate import PrintedCertificate
from certificates.document.proof import PrintedProof
from certificates.issuing import NUMBER
from certificates.models import Certificate, CertificateKind
from certificates.standing import get_windows
from exams.models import Qualification
from training.calendar import china_date
from training.errors import N_, Conflict, NotFound
from training.files import read_file
from training.models import Organisation, Person, TrainingRecord
from training.people import get_masked_document, get_person

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.files import FileStore
    from training.vault import Vault


class NoDocument(Conflict):
    """It ended by a decision; a printed form would only mislead."""

    message = N_("这张证书已经撤销、注销或换发新证，不再提供下载。")


async def fill_in(
    session: AsyncSession,
    *,
    certificate: Certificate,
    store: FileStore,
    vault: Vault,
    public_url: str,
    now: datetime,
) -> PrintedCertificate | PrintedProof:
    """What its page says. Raises `NoDocument`. Only for the holder and who issued it: the number is whole."""
    if certificate.revoked_at or certificate.cancelled_at or certificate.replaced_at:
        raise NoDocument
    person = await get_person(session, certificate.person_id)
    issuer = await session.get_one(Organisation, certificate.issuer_id)
    photo = await _photo(session, certificate, store=store, vault=vault)
    number = vault.open(certificate.number_sealed, context=NUMBER)
    qr = qr_text(public_url, certificate.public_id, certificate.credential)
    if certificate.kind is CertificateKind.TRAINING_PROOF:
        return await _proof(
            session, certificate, person, issuer, number=number, qr=qr, photo=photo, url=public_url, now=now
        )
    windows = await get_windows(session, on=china_date(now))
    qualification = await session.get_one(Qualification, certificate.qualification_code)
    return PrintedCertificate(
        kind=certificate.kind,
        number=number,
        holder_name=certificate.holder_name,
        sex=person.sex,
        class_name=certificate.class_name,
        item_name=certificate.item_name,
        item_name_en=qualification.name_en,
        first_issued_on=certificate.first_issued_on,
        valid_from=certificate.valid_from,
        valid_to=certificate.valid_to or certificate.valid_from,
        review_due_on=certificate.review_due_on,
        reviewed_on=certificate.reviewed_on,
        issuer_name=issuer.name,
        qr=qr,
        verify_url=f"{public_url}/verify",
        window_days=windows.of(certificate.kind),
        printed_at=now,
        photo=photo,
        is_specimen=person.is_demo,
    )


async def _proof(
    session: AsyncSession,
    certificate: Certificate,
    person: Person,
    issuer: Organisation,
    *,
    number: str,
    qr: str,
    photo: bytes | None,
    url: str,
    now: datetime,
) -> PrintedProof:
    record = await session.get_one(TrainingRecord, certificate.training_record_id)
    employer = await session.get(Organisation, record.organisation_id) if record.organisation_id else None
    _, masked = await get_masked_document(session, person.id)
    return PrintedProof(
        number=number,
        holder_name=certificate.holder_name,
        document_masked=masked,
        course_name=certificate.item_name,
        hours=record.class_hours,
        started_on=china_date(record.started_at),
        finished_on=china_date(record.ended_at),
        issued_on=certificate.valid_from,
        issuer_name=issuer.name,
        enterprise_name=employer.name if employer else "",
        result=record.assessment,
        qr=qr,
        verify_url=f"{url}/verify",
        printed_at=now,
        photo=photo,
        is_specimen=person.is_demo,
    )


async def _photo(session: AsyncSession, certificate: Certificate, *, store: FileStore, vault: Vault) -> bytes | None:
    if certificate.photo_id is None:
        return None
    try:
        _, data = await read_file(session, store=store, file_id=certificate.photo_id, vault=vault)
    except NotFound:
        return None
    return data

"""What holders see of their own certificates and of the requests for them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from sqlmodel import col, select

from certificates.models import (
    CancellationGround,
    Certificate,
    CertificateKind,
    CertificateRequest,
    CertificateRequestStatus,
    RevocationGround,
)
from certificates.standing import get_windows, status_of
from certificates.status import CertificateStatus
from exams.models import Application, ApplicationStatus, Qualification
from training.calendar import add_months, china_date
from training.errors import NotFound
from training.models import Organisation
from training.rules import get_number

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from certificates.standing import Windows


@dataclass(frozen=True)
class OwnCertificate:
    """One certificate for its holder; the number is masked here too, the document has it."""

    id: UUID
    public_id: str
    kind: CertificateKind
    class_name: str
    item_name: str
    number_masked: str
    issuer_name: str
    valid_from: date
    valid_to: date | None
    review_due_on: date | None
    reviewed_on: date | None
    status: CertificateStatus
    window_days: int
    credential: bytes
    revoked_ground: RevocationGround | None
    revoked_reason: str
    cancelled_ground: CancellationGround | None

    @property
    def has_document(self) -> bool:
        """Whether a printed form may still be made."""
        return self.status not in _ENDED


_ENDED = (CertificateStatus.REVOKED, CertificateStatus.CANCELLED, CertificateStatus.REPLACED)


@dataclass(frozen=True)
class OwnRequest:
    """A passed application: to be asked for, waiting, or decided."""

    application_id: UUID
    class_name: str
    item_name: str
    theory_passed_on: date | None
    practical_passed_on: date | None
    needs_practical: bool
    ask_by: date | None
    status: CertificateRequestStatus | None = None
    submitted_at: datetime | None = None
    decide_by: date | None = None
    reason: str = ""


def _own(certificate: Certificate, issuer_name: str, *, on: date, windows: Windows) -> OwnCertificate:
    return OwnCertificate(
        id=certificate.id,
        public_id=certificate.public_id,
        kind=certificate.kind,
        class_name=certificate.class_name,
        item_name=certificate.item_name,
        number_masked=certificate.number_masked,
        issuer_name=issuer_name,
        valid_from=certificate.valid_from,
        valid_to=certificate.valid_to,
        review_due_on=certificate.review_due_on,
        reviewed_on=certificate.reviewed_on,
        status=status_of(certificate, on=on, windows=windows),
        window_days=windows.of(certificate.kind),
        credential=certificate.credential,
        revoked_ground=certificate.revoked_ground,
        revoked_reason=certificate.revoked_reason,
        cancelled_ground=certificate.cancelled_ground,
    )


async def list_own_certificates(session: AsyncSession, *, person_id: UUID, now: datetime) -> list[OwnCertificate]:
    """One's certificates, those in force first, then by date."""
    today = china_date(now)
    windows = await get_windows(session, on=today)
    statement = (
        select(Certificate, Organisation.name)
        .join(Organisation, col(Organisation.id) == Certificate.issuer_id)
        .where(Certificate.person_id == person_id)
        .order_by(col(Certificate.valid_from).desc(), col(Certificate.id).desc())
    )
    rows = (await session.exec(statement)).all()
    own = [_own(certificate, name, on=today, windows=windows) for certificate, name in rows]
    return sorted(own, key=lambda each: not each.status.is_usable)


async def get_own_certificate(
    session: AsyncSession, *, certificate_id: UUID, person_id: UUID, now: datetime
) -> OwnCertificate:
    """Raises `NotFound`, also for another person's."""
    for own in await list_own_certificates(session, person_id=person_id, now=now):
        if own.id == certificate_id:
            return own
    raise NotFound


async def list_own_requests(session: AsyncSession, *, person_id: UUID, now: datetime) -> list[OwnRequest]:
    """Passed applications that have not led to a certificate yet."""
    months = await get_number(session, "so.part.valid_months", on=china_date(now))
    statement = (
        select(Application, Qualification)
        .join(Qualification, col(Qualification.code) == Application.qualification_code)
        .where(Application.person_id == person_id, Application.status == ApplicationStatus.PASSED)
        .order_by(col(Application.created_at).desc())
    )
    found = []
    for application, qualification in (await session.exec(statement)).all():
        newest = await _newest_request(session, application.id)
        if newest is not None and newest.status is CertificateRequestStatus.APPROVED:
            continue
        days = [day for day in (application.theory_passed_on, application.practical_passed_on) if day]
        found.append(
            OwnRequest(
                application_id=application.id,
                class_name=qualification.class_name,
                item_name=qualification.name,
                theory_passed_on=application.theory_passed_on,
                practical_passed_on=application.practical_passed_on,
                needs_practical=qualification.needs_practical,
                ask_by=add_months(min(days), months) if days else None,
                status=newest.status if newest else None,
                submitted_at=newest.submitted_at if newest else None,
                decide_by=newest.decide_by if newest else None,
                reason=newest.reason if newest else "",
            )
        )
    return found


async def _newest_request(session: AsyncSession, application_id: UUID) -> CertificateRequest | None:
    statement = (
        select(CertificateRequest)
        .where(CertificateRequest.application_id == application_id)
        .order_by(col(CertificateRequest.submitted_at).desc())
    )
    return (await session.exec(statement)).first()

"""Which certificates hang on applications, which the exam rules may not look up themselves. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from sqlmodel import col, select

from certificates.models import Certificate, CertificateRequest, CertificateRequestStatus

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlmodel.ext.asyncio.session import AsyncSession


@dataclass(frozen=True)
class Hanging:
    """A request for a certificate, and the certificate if it was issued. `is_in_force`: not taken back since."""

    request_id: UUID
    certificate_id: UUID | None
    number_masked: str
    is_in_force: bool


async def find_hanging(session: AsyncSession, application_ids: Iterable[UUID]) -> dict[UUID, Hanging]:
    """What was asked for or issued on each application; refused requests are left out."""
    statement = (
        select(CertificateRequest, Certificate)
        .outerjoin(Certificate, col(Certificate.request_id) == CertificateRequest.id)
        .where(
            col(CertificateRequest.application_id).in_(set(application_ids)),
            CertificateRequest.status != CertificateRequestStatus.REFUSED,
        )
    )
    return {
        request.application_id: Hanging(
            request_id=request.id,
            certificate_id=certificate.id if certificate else None,
            number_masked=certificate.number_masked if certificate else "",
            is_in_force=certificate is not None
            and (certificate.revoked_at, certificate.cancelled_at, certificate.replaced_at) == (None, None, None),
        )
        for request, certificate in (await session.exec(statement)).all()
    }


def certified(hanging: dict[UUID, Hanging]) -> list[UUID]:
    """The applications that led to a certificate."""
    return [application_id for application_id, each in hanging.items() if each.certificate_id is not None]

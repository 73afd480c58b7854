"""What a certificate row is worth on a day: its dates and decisions, with the windows of the rule table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certificates.models import Certificate, CertificateKind
from certificates.status import CertificateFacts, CertificateStatus, certificate_status
from training.calendar import china_date
from training.rules import get_number

if TYPE_CHECKING:
    from datetime import date, datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

SPECIAL_OPERATION_WINDOW, OTHER_WINDOW = "so.review.window_days", "pm.cert.extend_days"


@dataclass(frozen=True)
class Windows:
    """How many days before its date a review or renewal may be asked for."""

    special_operation: int
    other: int

    def of(self, kind: CertificateKind) -> int:
        """The days that count for a kind."""
        return self.special_operation if kind is CertificateKind.SPECIAL_OPERATION else self.other


async def get_windows(session: AsyncSession, *, on: date) -> Windows:
    """The windows in force on a day."""
    return Windows(
        special_operation=await get_number(session, SPECIAL_OPERATION_WINDOW, on=on),
        other=await get_number(session, OTHER_WINDOW, on=on),
    )


def facts_of(certificate: Certificate) -> CertificateFacts:
    """The days that decide the status."""
    return CertificateFacts(
        valid_from=certificate.valid_from,
        valid_to=certificate.valid_to,
        review_due_on=certificate.review_due_on,
        reviewed_on=certificate.reviewed_on,
        revoked_on=_day(certificate.revoked_at),
        cancelled_on=_day(certificate.cancelled_at),
        replaced_on=_day(certificate.replaced_at),
    )


def status_of(certificate: Certificate, *, on: date, windows: Windows) -> CertificateStatus:
    """The one status of a day."""
    return certificate_status(facts_of(certificate), on=on, window_days=windows.of(certificate.kind))


def _day(instant: datetime | None) -> date | None:
    return china_date(instant) if instant else None

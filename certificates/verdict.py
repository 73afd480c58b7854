"""The answer to "is this certificate good?", from the record, the signed data in the QR and the day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from certificates.credential import Credential, NotGenuine
from certificates.status import CertificateFacts, CertificateStatus, certificate_status
from training.calendar import china_date

if TYPE_CHECKING:
    from datetime import date

    from certificates.models import CertificateKind


class Outcome(StrEnum):
    """What the reader is told first. Only GENUINE means that the holder may work on it today."""

    GENUINE = "GENUINE"
    ON_RECORD = "ON_RECORD"
    ALTERED = "ALTERED"
    UNKNOWN = "UNKNOWN"
    UNREADABLE = "UNREADABLE"
    ELSEWHERE = "ELSEWHERE"
    REVOKED = "REVOKED"
    CANCELLED = "CANCELLED"
    REPLACED = "REPLACED"
    EXPIRED = "EXPIRED"
    REVIEW_OVERDUE = "REVIEW_OVERDUE"
    NOT_YET_VALID = "NOT_YET_VALID"


_ENDED = {
    CertificateStatus.REVOKED: Outcome.REVOKED,
    CertificateStatus.CANCELLED: Outcome.CANCELLED,
    CertificateStatus.REPLACED: Outcome.REPLACED,
    CertificateStatus.EXPIRED: Outcome.EXPIRED,
    CertificateStatus.REVIEW_OVERDUE: Outcome.REVIEW_OVERDUE,
    CertificateStatus.NOT_YET_VALID: Outcome.NOT_YET_VALID,
}


@dataclass(frozen=True)
class PublicRecord:
    """What anyone may see of a certificate: the name masked, no number. `claims` are what was signed."""

    public_id: str
    kind: CertificateKind
    holder_masked: str
    class_name: str
    item_name: str
    issuer_name: str
    facts: CertificateFacts
    window_days: int
    claims: Credential

    def status_on(self, day: date) -> CertificateStatus:
        """What it is worth on a day."""
        return certificate_status(self.facts, on=day, window_days=self.window_days)


@dataclass(frozen=True)
class Verdict:
    """`record` is shown only where the outcome does not make it misleading. `as_of` is when it was computed."""

    outcome: Outcome
    as_of: datetime
    status: CertificateStatus | None = None
    record: PublicRecord | None = None
    is_compared: bool = False
    host: str = ""

    @property
    def is_good(self) -> bool:
        """Signed by a known issuer, equal to the record, and in force now."""
        return self.outcome is Outcome.GENUINE


def verdict(record: PublicRecord | None, shown: Credential | NotGenuine | None, *, now: datetime) -> Verdict:
    """Judge. `shown` is what the QR said, or why that is no proof, or None where only an id was given.

    An unknown id is unknown whatever else was shown; altered data is said before the record's own state,
    and the record is then kept back, since the reader holds something else in hand.
    """
    if record is None:
        return Verdict(Outcome.UNKNOWN, now, is_compared=shown is not None)
    if shown is not None and shown != record.claims:
        return Verdict(Outcome.ALTERED, now, is_compared=True)
    status = record.status_on(china_date(now))
    in_force = Outcome.ON_RECORD if shown is None else Outcome.GENUINE
    return Verdict(_ENDED.get(status, in_force), now, status, record, is_compared=shown is not None)

"""What a certificate is worth on a day (domain.md §2.5, §2.6), from its dates and decisions alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from certificates.models import CertificateKind
from training.calendar import add_years

_ONE_DAY = timedelta(days=1)


class CertificateStatus(StrEnum):
    """Read at a moment, never stored."""

    VALID = "VALID"
    REVIEW_WINDOW = "REVIEW_WINDOW"
    REVIEW_OVERDUE = "REVIEW_OVERDUE"
    EXPIRY_WINDOW = "EXPIRY_WINDOW"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"
    CANCELLED = "CANCELLED"
    REPLACED = "REPLACED"
    NOT_YET_VALID = "NOT_YET_VALID"

    @property
    def is_usable(self) -> bool:
        """Whether the holder may work on it that day."""
        return self in _USABLE


_USABLE = frozenset({CertificateStatus.VALID, CertificateStatus.REVIEW_WINDOW, CertificateStatus.EXPIRY_WINDOW})


@dataclass(frozen=True)
class CertificateFacts:
    """Days in China. A decision counts from its day on."""

    valid_from: date
    valid_to: date | None = None
    review_due_on: date | None = None
    reviewed_on: date | None = None
    revoked_on: date | None = None
    cancelled_on: date | None = None
    replaced_on: date | None = None


def certificate_status(facts: CertificateFacts, *, on: date, window_days: int) -> CertificateStatus:
    """The one status of a day: decisions before dates, what ended before what is due.

    Of a review only the first is tracked: once `reviewed_on` has come, the next date is the expiry.
    """
    for status, day in (
        (CertificateStatus.REVOKED, facts.revoked_on),
        (CertificateStatus.CANCELLED, facts.cancelled_on),
        (CertificateStatus.REPLACED, facts.replaced_on),
    ):
        if _has_come(day, on):
            return status
    if on < facts.valid_from:
        return CertificateStatus.NOT_YET_VALID
    if facts.valid_to is not None and on > facts.valid_to:
        return CertificateStatus.EXPIRED
    review_due_on = None if _has_come(facts.reviewed_on, on) else facts.review_due_on
    if review_due_on is not None and on > review_due_on:
        return CertificateStatus.REVIEW_OVERDUE
    if _is_near(review_due_on, on, window_days):
        return CertificateStatus.REVIEW_WINDOW
    if _is_near(facts.valid_to, on, window_days):
        return CertificateStatus.EXPIRY_WINDOW
    return CertificateStatus.VALID


def _has_come(day: date | None, on: date) -> bool:
    return day is not None and day <= on


def _is_near(day: date | None, on: date, window_days: int) -> bool:
    return day is not None and (day - on).days <= window_days


@dataclass(frozen=True)
class Validity:
    """The days printed on a certificate; the last ones still count."""

    valid_from: date
    valid_to: date | None
    review_due_on: date | None


def validity_for(kind: CertificateKind, issued_on: date, *, years: int, review_years: int | None = None) -> Validity:
    """The dates of a new certificate ([D] of domain.md §2.5: whole years less a day).

    Only a special-operation certificate is reviewed, and only if that is due before it ends; a
    training proof states what happened and does not end.
    """
    if kind is CertificateKind.TRAINING_PROOF:
        return Validity(issued_on, None, None)
    review_due_on = None
    if kind is CertificateKind.SPECIAL_OPERATION and review_years is not None and review_years < years:
        review_due_on = add_years(issued_on, review_years) - _ONE_DAY
    return Validity(issued_on, add_years(issued_on, years) - _ONE_DAY, review_due_on)

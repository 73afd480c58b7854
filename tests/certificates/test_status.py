from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certificates.models import CertificateKind
from certificates.status import CertificateFacts, CertificateStatus, certificate_status, validity_for

DAY = timedelta(days=1)
CARD = CertificateFacts(valid_from=date(2026, 3, 1), valid_to=date(2032, 2, 29), review_due_on=date(2029, 2, 28))
days = st.dates(date(2020, 1, 1), date(2040, 12, 31))
maybe_days = st.none() | days


@st.composite
def facts(draw: st.DrawFn) -> CertificateFacts:
    start = draw(days)
    return CertificateFacts(
        valid_from=start,
        valid_to=draw(st.none() | st.dates(start, date(2045, 1, 1))),
        review_due_on=draw(maybe_days),
        reviewed_on=draw(maybe_days),
        revoked_on=draw(maybe_days),
        cancelled_on=draw(maybe_days),
        replaced_on=draw(maybe_days),
    )


def status(on: date, card: CertificateFacts = CARD) -> CertificateStatus:
    return certificate_status(card, on=on, window_days=60)


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (date(2026, 2, 28), CertificateStatus.NOT_YET_VALID),
        (date(2026, 3, 1), CertificateStatus.VALID),
        (date(2028, 12, 29), CertificateStatus.VALID),
        (date(2028, 12, 30), CertificateStatus.REVIEW_WINDOW),
        (date(2029, 2, 28), CertificateStatus.REVIEW_WINDOW),
        (date(2029, 3, 1), CertificateStatus.REVIEW_OVERDUE),
        (date(2032, 2, 29), CertificateStatus.REVIEW_OVERDUE),
        (date(2032, 3, 1), CertificateStatus.EXPIRED),
    ],
)
def test_an_unreviewed_certificate_goes_through_its_states_day_by_day(on: date, expected: CertificateStatus) -> None:
    assert status(on) is expected


@pytest.mark.parametrize(
    ("on", "expected"),
    [
        (date(2029, 1, 9), CertificateStatus.REVIEW_WINDOW),
        (date(2029, 1, 10), CertificateStatus.VALID),
        (date(2029, 3, 1), CertificateStatus.VALID),
        (date(2031, 12, 31), CertificateStatus.EXPIRY_WINDOW),
        (date(2032, 2, 29), CertificateStatus.EXPIRY_WINDOW),
        (date(2032, 3, 1), CertificateStatus.EXPIRED),
    ],
)
def test_a_reviewed_certificate_next_meets_its_end(on: date, expected: CertificateStatus) -> None:
    assert status(on, replace(CARD, reviewed_on=date(2029, 1, 10))) is expected


def test_a_late_review_makes_it_usable_again_from_its_day_on() -> None:
    late = replace(CARD, reviewed_on=date(2029, 3, 10))
    assert status(date(2029, 3, 9), late) is CertificateStatus.REVIEW_OVERDUE
    assert status(date(2029, 3, 10), late) is CertificateStatus.VALID


@given(facts(), days, st.integers(0, 120))
def test_every_day_has_one_status_and_none_after_the_end_is_usable(
    card: CertificateFacts, on: date, window: int
) -> None:
    found = certificate_status(card, on=on, window_days=window)
    assert found in CertificateStatus
    outside = on < card.valid_from or (card.valid_to is not None and on > card.valid_to)
    assert not (outside and found.is_usable)


@given(facts(), days, days)
def test_a_revocation_wins_from_its_day_on_whatever_else_happened(
    card: CertificateFacts, revoked_on: date, on: date
) -> None:
    revoked = certificate_status(replace(card, revoked_on=revoked_on), on=on, window_days=60)
    without = certificate_status(replace(card, revoked_on=None), on=on, window_days=60)
    assert revoked is (CertificateStatus.REVOKED if on >= revoked_on else without)


@given(facts(), days, st.integers(0, 120))
def test_a_longer_window_warns_earlier_but_never_changes_whether_it_is_usable(
    card: CertificateFacts, on: date, window: int
) -> None:
    shorter = certificate_status(card, on=on, window_days=window)
    longer = certificate_status(card, on=on, window_days=window + 1)
    assert shorter.is_usable is longer.is_usable


@given(facts(), days, days)
def test_what_is_over_stays_over(card: CertificateFacts, one: date, other: date) -> None:
    earlier, later = sorted((one, other))
    ends = {
        CertificateStatus.REVOKED,
        CertificateStatus.CANCELLED,
        CertificateStatus.REPLACED,
        CertificateStatus.EXPIRED,
    }
    if status(earlier, card) in ends:
        assert status(later, card) in ends


@pytest.mark.parametrize(
    ("issued_on", "valid_to", "review_due_on"),
    [
        (date(2026, 11, 21), date(2032, 11, 20), date(2029, 11, 20)),
        (date(2026, 1, 1), date(2031, 12, 31), date(2028, 12, 31)),
        (date(2024, 2, 29), date(2030, 2, 27), date(2027, 2, 27)),
        (date(2022, 3, 1), date(2028, 2, 29), date(2025, 2, 28)),
    ],
)
def test_a_special_operation_certificate_lasts_whole_years_less_a_day(
    issued_on: date, valid_to: date, review_due_on: date
) -> None:
    validity = validity_for(CertificateKind.SPECIAL_OPERATION, issued_on, years=6, review_years=3)
    assert (validity.valid_from, validity.valid_to, validity.review_due_on) == (issued_on, valid_to, review_due_on)


@given(days, st.integers(1, 10), st.integers(1, 10))
def test_dates_of_any_new_certificate_stand_in_order(issued_on: date, years: int, review_years: int) -> None:
    validity = validity_for(CertificateKind.SPECIAL_OPERATION, issued_on, years=years, review_years=review_years)
    assert validity.valid_to is not None
    assert issued_on < validity.valid_to
    if validity.review_due_on is not None:
        assert issued_on < validity.review_due_on < validity.valid_to
    assert (validity.review_due_on is None) is (review_years >= years)


def test_a_managers_certificate_is_not_reviewed_and_a_proof_never_ends() -> None:
    manager = validity_for(CertificateKind.MANAGER, date(2026, 1, 1), years=3, review_years=1)
    proof = validity_for(CertificateKind.TRAINING_PROOF, date(2026, 1, 1), years=3)
    assert (manager.valid_to, manager.review_due_on) == (date(2028, 12, 31), None)
    assert (proof.valid_to, proof.review_due_on) == (None, None)

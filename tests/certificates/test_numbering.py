from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from certificates.models import CertificateKind
from certificates.numbering import certificate_number, is_training_proof_number, training_proof_number

numbers = st.builds(training_proof_number, st.integers(2000, 2999), st.integers(1, 99_999_999))


def test_a_special_operation_number_is_t_and_the_document_number() -> None:
    assert certificate_number(CertificateKind.SPECIAL_OPERATION, "11010519491231002X") == "T11010519491231002X"


@pytest.mark.parametrize("kind", [CertificateKind.MANAGER, CertificateKind.INSPECTOR])
def test_other_regulated_numbers_cannot_be_taken_for_a_special_operation(kind: CertificateKind) -> None:
    assert certificate_number(kind, "11010519491231002X") == "AQ11010519491231002X"


def test_a_training_proof_number_has_the_documented_form() -> None:
    assert training_proof_number(2026, 1) == "TR20260000000152"


@given(numbers)
def test_every_proof_number_passes_its_own_check(number: str) -> None:
    assert len(number) == 16
    assert is_training_proof_number(number)


@given(numbers, st.integers(2, 15), st.sampled_from("0123456789"))
def test_one_wrong_digit_is_found(number: str, place: int, digit: str) -> None:
    assume(number[place] != digit)
    assert not is_training_proof_number(number[:place] + digit + number[place + 1 :])


@given(numbers, st.integers(2, 14))
def test_two_swapped_digits_are_found(number: str, place: int) -> None:
    swapped = number[:place] + number[place + 1] + number[place] + number[place + 2 :]
    assert is_training_proof_number(swapped) is (swapped == number)


@given(st.text())
def test_any_text_can_be_asked(text: str) -> None:
    assert isinstance(is_training_proof_number(text), bool)


@pytest.mark.parametrize("sequence", [0, -1, 100_000_000])
def test_a_sequence_that_does_not_fit_is_refused(sequence: int) -> None:
    with pytest.raises(ValueError, match="eight digits"):
        training_proof_number(2026, sequence)

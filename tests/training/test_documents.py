"""Document numbers, enterprise codes and phones: domain.md §6."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.documents import (
    BadDocument,
    BadPhone,
    BadUscc,
    check_character,
    organisation_check_character,
    parse_document,
    parse_phone,
    parse_uscc,
    uscc_check_character,
)
from training.models import IdType, Sex

TODAY = date(2026, 11, 21)


def test_the_standards_own_example_passes() -> None:
    document = parse_document(IdType.ID_CARD, "11010519491231002x", today=TODAY)
    assert document.number == "11010519491231002X"
    assert document.birth_date == date(1949, 12, 31)
    assert document.sex is Sex.FEMALE


@pytest.mark.parametrize("number", ["１１０１０１２０００02290018", "110101 2000 0229 0018", "110101-20000229-0018"])
def test_full_width_digits_and_spaces_are_normalised(number: str) -> None:
    assert parse_document(IdType.ID_CARD, number, today=TODAY).number == "110101200002290018"


@pytest.mark.parametrize(
    ("number", "why"),
    [
        ("440524188001010014", "出生日期"),
        ("110101198001010011", "校验位"),
        ("110101800101001", "15 位"),
        ("11010119800101001", "18 位"),
        ("991010519491231002", "校验位"),
        ("110101199002300013", "校验位|出生日期"),
    ],
)
def test_a_wrong_number_says_why(number: str, why: str) -> None:
    with pytest.raises(BadDocument, match=why):
        parse_document(IdType.ID_CARD, number, today=TODAY)


@given(st.integers(0, 10**17 - 1), st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_always_found(first_17: int, place: int, shift: int) -> None:
    digits = f"{first_17:017d}"
    wrong = digits[:place] + str((int(digits[place]) + shift) % 10) + digits[place + 1 :]
    assert check_character(digits) != check_character(wrong)


def test_residence_permits_carry_their_own_prefix() -> None:
    assert check_character("81000019900101001") == "9"
    assert check_character("83000019920229003") == "0"
    assert parse_document(IdType.HKMO_RESIDENCE, "810000199001010019", today=TODAY).birth_date == date(1990, 1, 1)
    with pytest.raises(BadDocument, match="地址码"):
        parse_document(IdType.TW_RESIDENCE, "810000199001010019", today=TODAY)


@pytest.mark.parametrize(
    ("id_type", "number"),
    [
        (IdType.FPR_2017, "USA110012345678"),
        (IdType.HKMO_PERMIT, "H12345678"),
        (IdType.TW_PERMIT, "12345678"),
        (IdType.PASSPORT, "EA1234567"),
        (IdType.MILITARY, "军字第2001988号"),
    ],
)
def test_other_documents_have_their_patterns(id_type: IdType, number: str) -> None:
    assert parse_document(id_type, number, today=TODAY).number == number


@pytest.mark.parametrize(
    "code",
    [
        "91110000802100433B",
        "914403001922038216",
        "9144030071526726XG",
        "91330100799655058B",
        "91110105MA0000015F",
        "91110105MA01ABCD5F",
    ],
)
def test_known_enterprise_codes_pass_both_checks(code: str) -> None:
    assert parse_uscc(code.lower()) == code
    assert organisation_check_character(code[8:16]) == code[16]
    assert uscc_check_character(code[:17]) == code[17]


@pytest.mark.parametrize("code", ["91110000802100433A", "9111000080210043", "91110000802IOSVZ3B"])
def test_a_wrong_enterprise_code_is_refused(code: str) -> None:
    with pytest.raises(BadUscc):
        parse_uscc(code)


def test_a_phone_is_eleven_digits() -> None:
    assert parse_phone("+86 138-0000-1234") == "13800001234"
    with pytest.raises(BadPhone):
        parse_phone("010-12345678")

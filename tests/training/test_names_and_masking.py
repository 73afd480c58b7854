"""Names and what may be shown of personal data."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.masking import mask_name, mask_number, mask_phone
from training.names import BadName, clean_name, matched_name


@pytest.mark.parametrize("dot", ["·", "•", "‧", "・", "･", "．", "."])
def test_every_middle_dot_becomes_one(dot: str) -> None:
    assert clean_name(f"阿卜杜拉{dot}买买提") == "阿卜杜拉·买买提"


def test_names_compare_without_dots_and_spaces() -> None:
    assert matched_name("阿卜杜拉·买买提") == matched_name("阿卜杜拉 买买提")
    assert matched_name("Mary  Ann O'Neil") == matched_name("MARY ANN O'NEIL")
    assert matched_name("张伟") != matched_name("张玮")


def test_rare_characters_beyond_the_basic_plane_are_kept() -> None:
    assert clean_name("张𠮷安") == "张𠮷安"


@pytest.mark.parametrize("name", ["", "张", "张<script>", "张" * 51, "张123"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(BadName):
        clean_name(name)


def test_masks_show_what_the_rule_allows() -> None:
    assert mask_name("张伟") == "张*"
    assert mask_name("张伟国") == "张**"
    assert mask_name("阿卜杜·买买提") == "阿**·***"
    assert mask_name("Mary Ann") == "M*** A**"
    assert mask_number("11010519491231002X") == "110*************2X"
    assert mask_phone("13800001234") == "138****1234"


@given(st.text("0123456789X", min_size=1, max_size=30))
def test_a_masked_number_keeps_its_length_and_hides_most(number: str) -> None:
    masked = mask_number(number)
    assert len(masked) == len(number)
    shown = sum(a == b for a, b in zip(masked, number, strict=True) if a != "*")
    assert shown <= 5

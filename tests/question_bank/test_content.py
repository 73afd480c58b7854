"""The rules that an item must meet."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from question_bank.content import clean_content, find_faults, fingerprint
from question_bank.models import ItemType
from tests.makers.items import make_content


def fields(content: object) -> list[str]:
    return [fault.field for fault in find_faults(content, areas={1})]  # type: ignore[arg-type]


@pytest.mark.parametrize("item_type", list(ItemType))
def test_a_sound_item_has_no_fault(item_type: ItemType) -> None:
    assert fields(make_content(item_type)) == []


@pytest.mark.parametrize(
    ("item_type", "changes", "wrong"),
    [
        (ItemType.TF, {"key": "A"}, ["key"]),
        (ItemType.TF, {"options": ("对", "错")}, ["options"]),
        (ItemType.SC, {"options": ("甲", "乙", "丙")}, ["options"]),
        (ItemType.SC, {"key": "AB"}, ["key"]),
        (ItemType.SC, {"key": ""}, ["key"]),
        (ItemType.MC, {"key": "A"}, ["key"]),
        (ItemType.MC, {"key": "AE"}, ["key"]),
        (ItemType.MC, {"options": ("甲", "乙", "丙", "丁", "戊", "己")}, ["options"]),
        (ItemType.SC, {"area": 9}, ["area"]),
        (ItemType.SC, {"explanation": "。"}, ["explanation"]),
        (ItemType.SC, {"source": "据" * 501}, ["source"]),
    ],
)
def test_each_fault_is_told_at_its_field(item_type: ItemType, changes: dict[str, object], wrong: list[str]) -> None:
    assert fields(make_content(item_type, **changes)) == wrong


@pytest.mark.parametrize(
    "option", ["以上都对", "以上均不正确", "上述全是", "A和B", "A、C", "选项B", "都正确", "ABC都对", "其他选项都错"]
)
def test_an_option_that_speaks_of_others_is_refused(option: str) -> None:
    assert fields(make_content(options=("切断电源", "报警", option, "离开"))) == ["options"]


@pytest.mark.parametrize("option", ["2 m以上", "AED", "A类火灾", "以上级批准为准", "A、B、C三相都断开", "是", "错误"])
def test_an_option_that_only_looks_like_it_is_kept(option: str) -> None:
    assert fields(make_content(options=("切断电源", "报警", option, "离开"))) == []


@given(st.permutations("ABCD"), st.integers(0, 3))
def test_the_order_of_options_does_not_make_another_question(order: list[str], right: int) -> None:
    content = make_content()
    shuffled = replace(content, options=tuple(content.options["ABCD".index(letter)] for letter in order))
    assert fingerprint(shuffled) == fingerprint(content)


@given(st.lists(st.sampled_from("abcdABCD ")))
def test_a_key_is_kept_in_order_without_repeats(letters: list[str]) -> None:
    key = clean_content(make_content(key="".join(letters))).key
    assert key == "".join(sorted({letter.upper() for letter in letters if letter != " "}))

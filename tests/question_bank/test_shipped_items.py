"""The items that we ship: enough, balanced, and each of them sound."""

from __future__ import annotations

import json
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from question_bank.content import ItemContent, find_faults, fingerprint, plain_text
from question_bank.models import ItemType
from seed.item_files import ITEMS, read_items

SUBJECTS = ["GEN", "SO_1_2"]
# Options are shuffled, so an explanation cannot count them.
BY_PLACE = re.compile(r"[前后][一二两三四五][项处]|选项 ?[A-E]|[A-E] ?项")
CERTAIN_WORDS = ("一定", "绝对", "肯定", "永远", "任何情况")


@cache
def shipped() -> dict[str, dict[str, ItemContent]]:
    return read_items(ITEMS)


@cache
def blueprint(subject: str) -> dict[str, Any]:
    listed = json.loads((Path(ITEMS).parent / "blueprints" / "blueprints.json").read_text("utf-8"))
    found: dict[str, Any] = next(row for row in listed if row["code"] == subject)
    return found


def cells(subject: str) -> list[tuple[int, ItemType, int]]:
    return [(a["no"], t, a[t.value.lower()]) for a in blueprint(subject)["areas"] for t in ItemType]


def in_cell(subject: str, area: int, item_type: ItemType) -> list[ItemContent]:
    return [item for item in shipped()[subject].values() if (item.area, item.type) == (area, item_type)]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_every_item_meets_the_rules_of_the_bank(subject: str) -> None:
    areas = {area["no"] for area in blueprint(subject)["areas"]}
    faults = {code: find_faults(item, areas=areas) for code, item in shipped()[subject].items()}
    assert {code: [str(f) for f in found] for code, found in faults.items() if found} == {}


@pytest.mark.parametrize(("subject", "at_least", "per_paper"), [("GEN", 260, 5), ("SO_1_2", 300, 3)])
def test_every_cell_holds_enough_for_many_papers(subject: str, at_least: int, per_paper: int) -> None:
    assert len(shipped()[subject]) >= at_least
    thin = [
        (area, kind.value, len(in_cell(subject, area, kind)))
        for area, kind, count in cells(subject)
        if len(in_cell(subject, area, kind)) < max(per_paper * count, 3 * (count > 0))
    ]
    assert thin == []


@pytest.mark.parametrize("subject", SUBJECTS)
def test_no_cell_must_put_two_items_of_one_key_point_on_a_paper(subject: str) -> None:
    for area, kind, count in cells(subject):
        points = {item.key_point for item in in_cell(subject, area, kind)}
        assert len(points) >= 2 * count, (area, kind)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_no_two_items_ask_the_same(subject: str) -> None:
    items = shipped()[subject].values()
    assert [stem for stem, n in Counter(plain_text(i.stem) for i in items).items() if n > 1] == []
    assert len({fingerprint(item) for item in items}) == len(items)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_guessing_by_letter_or_by_length_does_not_pay(subject: str) -> None:
    items = shipped()[subject].values()
    true_or_false = Counter(item.key for item in items if item.type is ItemType.TF)
    assert 0.4 <= true_or_false["T"] / true_or_false.total() <= 0.6
    single = [item for item in items if item.type is ItemType.SC]
    letters = Counter(item.key for item in single)
    assert all(0.2 <= letters[letter] / len(single) <= 0.3 for letter in "ABCD"), letters
    longest = sum(len(item.options["ABCD".index(item.key)]) > max(_others(item)) for item in single)
    assert longest / len(single) <= 0.4


def _others(item: ItemContent) -> list[int]:
    return [len(option) for letter, option in zip("ABCD", item.options, strict=True) if letter != item.key]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_true_or_false_items_carry_no_give_away_words(subject: str) -> None:
    told = [
        code
        for code, item in shipped()[subject].items()
        if item.type is ItemType.TF and item.key == "F" and any(word in item.stem for word in CERTAIN_WORDS)
    ]
    assert told == []


@pytest.mark.parametrize("subject", SUBJECTS)
def test_no_explanation_names_an_option_by_its_place(subject: str) -> None:
    by_place = [code for code, item in shipped()[subject].items() if BY_PLACE.search(item.explanation)]
    assert by_place == []

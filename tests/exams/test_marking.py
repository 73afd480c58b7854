"""Marking: exact, all or nothing or in parts, and independent of the order in which events came."""

from __future__ import annotations

import random
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exams.marking import earned_points, is_right, last_choices, mark_paper
from exams.papers import PaperItem
from question_bank.models import ItemLevel, ItemType, McRule
from question_bank.queries import RevisionText


def text(serial: int, *, area: int = 1, key: str = "T", kind: ItemType = ItemType.TF) -> RevisionText:
    return RevisionText(
        id=UUID(int=serial), item_id=UUID(int=serial), code=f"X-{serial}", subject="GEN", number=1, type=kind,
        area=area, level=ItemLevel.KNOW, key_point="", is_local=False, stem="", options=(), key=key, explanation="",
        source="",
    )  # fmt: skip


acts = st.lists(
    st.tuples(st.integers(1, 500), st.integers(1, 20), st.sampled_from(["", "T", "F"])), unique_by=lambda act: act[0]
)


@given(acts, st.randoms(use_true_random=False))
def test_the_highest_number_of_a_position_counts_in_whatever_order(
    events: list[tuple[int, int, str]], chance: random.Random
) -> None:
    shuffled = list(events)
    chance.shuffle(shuffled)
    expected = {position: choice for _, position, choice in sorted(events)}
    assert last_choices(shuffled) == {position: choice for position, choice in expected.items() if choice}


@pytest.mark.parametrize(
    ("key", "choice", "right"),
    [
        ("AC", "AC", False),
        ("AC", "BD", True),
        ("AC", "B", False),
        ("AC", "BCD", False),
        ("AC", "", False),
        ("B", "A", True),
        ("B", "T", False),
        ("B", "H", False),
    ],
)
def test_several_right_options_count_only_all_together(key: str, choice: str, right: bool) -> None:
    # Shown in the order B A D C: the revision's A is shown as B, its C as D.
    item = PaperItem(UUID(int=1), (1, 0, 3, 2))
    assert is_right(item, key, choice) is right


@given(st.dictionaries(st.integers(1, 40), st.sampled_from(["T", "F", "A", ""])), st.sampled_from(McRule))
def test_areas_add_up_to_the_whole_and_only_right_answers_earn(choices: dict[int, str], mc_rule: McRule) -> None:
    paper = [PaperItem(UUID(int=serial), ()) for serial in range(1, 41)]
    revisions = {UUID(int=s): text(s, area=s % 7, key="T" if s % 2 else "F") for s in range(1, 41)}
    mark = mark_paper(paper, revisions, choices, points_per_item=Decimal("2.5"), cut_score=Decimal(80), mc_rule=mc_rule)
    right = sum(choices.get(s) == ("T" if s % 2 else "F") for s in range(1, 41))
    assert mark.points == Decimal("2.5") * right == sum(area.points for area in mark.areas.values())
    assert mark.total == 100 == sum(area.of for area in mark.areas.values())
    assert mark.passed == (mark.points >= 80)


def test_the_cut_score_itself_passes() -> None:
    paper = [PaperItem(UUID(int=serial), ()) for serial in range(1, 101)]
    revisions = {UUID(int=serial): text(serial) for serial in range(1, 101)}
    for right, passed in ((79, False), (80, True)):
        choices = dict.fromkeys(range(1, right + 1), "T")
        mark = mark_paper(
            paper, revisions, choices, points_per_item=Decimal(1), cut_score=Decimal(80), mc_rule=McRule.ALL_OR_NOTHING
        )
        assert mark.passed is passed
        assert mark.stored_areas() == {"1": {"points": str(right), "of": "100"}}


letters = st.sets(st.sampled_from("ABCDE"))
keys = st.sets(st.sampled_from("ABCDE"), min_size=2)
orders = st.permutations(range(5))
points = st.sampled_from([Decimal(1), Decimal(2), Decimal("0.5"), Decimal("2.5"), Decimal(7)])


def earned(
    order: list[int], key: set[str], chosen: set[str], *, points: Decimal, mc_rule: McRule = McRule.PARTIAL
) -> Decimal:
    """What these letters of the revision earn, as a candidate with this order would have given them."""
    item = PaperItem(UUID(int=1), tuple(order))
    revision = text(1, key="".join(sorted(key)), kind=ItemType.MC)
    shown = item.displayed("".join(sorted(chosen)))
    return earned_points(item, revision, revision.key, shown, points=points, mc_rule=mc_rule)


@given(orders, keys, letters, points)
def test_in_parts_never_less_than_nothing_nor_more_than_all(
    order: list[int], key: set[str], chosen: set[str], points: Decimal
) -> None:
    found = earned(order, key, chosen, points=points)
    assert 0 <= found <= points
    assert (found == points) == (chosen == key)
    assert found == found.quantize(Decimal("0.01"))


@given(orders, keys, letters, points)
def test_the_order_of_the_options_changes_nothing(
    order: list[int], key: set[str], chosen: set[str], points: Decimal
) -> None:
    for mc_rule in McRule:
        found = earned(order, key, chosen, points=points, mc_rule=mc_rule)
        assert found == earned([0, 1, 2, 3, 4], key, chosen, points=points, mc_rule=mc_rule)


@given(orders, keys, letters, st.sampled_from("ABCDE"), points)
def test_one_more_right_letter_never_costs_and_one_wrong_letter_costs_everything(
    order: list[int], key: set[str], chosen: set[str], letter: str, points: Decimal
) -> None:
    before, after = earned(order, key, chosen, points=points), earned(order, key, chosen | {letter}, points=points)
    if letter in key:
        assert after >= before
    else:
        assert after == 0


@pytest.mark.parametrize(
    ("key", "chosen", "found"),
    [("ABC", "A", "0.33"), ("ABC", "AB", "0.66"), ("ABC", "ABC", "1"), ("ABC", "AD", "0"), ("AB", "B", "0.50"),
     ("ABC", "", "0"), ("ABC", "ABCD", "0"), ("ABC", "AA", "0"), ("ABC", "AX", "0")],
)  # fmt: skip
def test_parts_are_rounded_down_to_a_hundredth(key: str, chosen: str, found: str) -> None:
    item, revision = PaperItem(UUID(int=1), (0, 1, 2, 3)), text(1, key=key, kind=ItemType.MC)
    for mc_rule in McRule:
        got = earned_points(item, revision, key, chosen, points=Decimal(1), mc_rule=mc_rule)
        assert got == (Decimal(found) if mc_rule is McRule.PARTIAL or key == chosen else 0)


def test_only_items_with_several_right_options_earn_in_parts() -> None:
    item = PaperItem(UUID(int=1), (0, 1, 2, 3))
    for kind in (ItemType.SC, ItemType.TF):
        revision = text(1, key="AB", kind=kind)  # as a wrong import might leave it
        assert earned_points(item, revision, "AB", "A", points=Decimal(1), mc_rule=McRule.PARTIAL) == 0


def test_parts_are_added_exactly_and_stored_as_they_are() -> None:
    paper = [PaperItem(UUID(int=serial), (0, 1, 2, 3)) for serial in range(1, 4)]
    revisions = {UUID(int=serial): text(serial, key="ABC", kind=ItemType.MC) for serial in range(1, 4)}
    mark = mark_paper(
        paper, revisions, {1: "AB", 2: "ABC", 3: "B"}, points_per_item=Decimal(1), cut_score=Decimal("1.99"),
        mc_rule=McRule.PARTIAL,
    )  # fmt: skip
    assert (mark.points, mark.total, mark.right, mark.passed) == (Decimal("1.99"), Decimal(3), 1, True)
    assert mark.stored_areas() == {"1": {"points": "1.99", "of": "3"}}

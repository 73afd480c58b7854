"""Marking: exact, all or nothing, and independent of the order in which events came."""

from __future__ import annotations

import random
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exams.marking import is_right, last_choices, mark_paper
from exams.papers import PaperItem
from question_bank.models import ItemLevel, ItemType
from question_bank.queries import RevisionText


def text(serial: int, *, area: int = 1, key: str = "T") -> RevisionText:
    return RevisionText(
        id=UUID(int=serial), item_id=UUID(int=serial), code=f"X-{serial}", subject="GEN", number=1, type=ItemType.TF,
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


@given(st.dictionaries(st.integers(1, 40), st.sampled_from(["T", "F", "A", ""])))
def test_areas_add_up_to_the_whole_and_only_right_answers_earn(choices: dict[int, str]) -> None:
    paper = [PaperItem(UUID(int=serial), ()) for serial in range(1, 41)]
    revisions = {UUID(int=s): text(s, area=s % 7, key="T" if s % 2 else "F") for s in range(1, 41)}
    mark = mark_paper(paper, revisions, choices, points_per_item=Decimal("2.5"), cut_score=Decimal(80))
    right = sum(choices.get(s) == ("T" if s % 2 else "F") for s in range(1, 41))
    assert mark.points == Decimal("2.5") * right == sum(area.points for area in mark.areas.values())
    assert mark.total == 100 == sum(area.of for area in mark.areas.values())
    assert mark.passed == (mark.points >= 80)


def test_the_cut_score_itself_passes() -> None:
    paper = [PaperItem(UUID(int=serial), ()) for serial in range(1, 101)]
    revisions = {UUID(int=serial): text(serial) for serial in range(1, 101)}
    for right, passed in ((79, False), (80, True)):
        choices = dict.fromkeys(range(1, right + 1), "T")
        mark = mark_paper(paper, revisions, choices, points_per_item=Decimal(1), cut_score=Decimal(80))
        assert mark.passed is passed
        assert mark.stored_areas() == {"1": {"points": str(right), "of": "100"}}

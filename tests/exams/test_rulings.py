"""What a decision on an item does to a mark: pure."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exams.marking import Mark, mark_paper
from exams.models import RegradeKind
from exams.papers import PaperItem
from exams.rulings import Ruling, count_choices, item_figures, mark_by_rulings, points_by_ruling
from question_bank.models import ItemLevel, ItemType, McRule
from question_bank.queries import RevisionText

ITEMS = 10
IDS = [UUID(int=number + 1) for number in range(ITEMS)]
PAPER = [PaperItem(revision_id, (2, 0, 1, 3)) for revision_id in IDS]
TEXTS = {
    revision_id: RevisionText(
        id=revision_id, item_id=revision_id, code=f"T{number}", subject="T", number=1, type=ItemType.SC,
        area=number % 3, level=ItemLevel.GRASP, key_point="", is_local=False, stem="", options=("a", "b", "c", "d"),
        key="ABCD"[number % 4], explanation="", source="",
    )
    for number, revision_id in enumerate(IDS)
}  # fmt: skip
CHOICES = st.dictionaries(st.integers(1, ITEMS), st.sampled_from("ABCD"))
RULINGS = st.dictionaries(
    st.sampled_from(IDS),
    st.builds(Ruling, st.sampled_from(RegradeKind), st.sampled_from("ABCD")),
    max_size=ITEMS - 1,
)


def mark(choices: dict[int, str], rulings: dict[UUID, Ruling]) -> Mark:
    return mark_by_rulings(
        PAPER, TEXTS, choices, points_per_item=Decimal(2), cut_score=Decimal(16), mc_rule=McRule.ALL_OR_NOTHING,
        rulings=rulings,
    )  # fmt: skip


@given(CHOICES)
def test_without_a_decision_nothing_is_different(choices: dict[int, str]) -> None:
    assert mark(choices, {}) == mark_paper(
        PAPER, TEXTS, choices, points_per_item=Decimal(2), cut_score=Decimal(16), mc_rule=McRule.ALL_OR_NOTHING
    )


@given(CHOICES, RULINGS)
def test_areas_add_up_and_the_share_to_pass_never_rises(choices: dict[int, str], rulings: dict[UUID, Ruling]) -> None:
    found = mark(choices, rulings)
    assert sum(area.points for area in found.areas.values()) == found.points <= found.total
    assert sum(area.of for area in found.areas.values()) == found.total
    assert found.cut_score / found.total <= Decimal(16) / Decimal(20)


@given(CHOICES, st.sampled_from(IDS))
def test_giving_an_item_to_all_takes_from_nobody(choices: dict[int, str], revision_id: UUID) -> None:
    given_all = mark(choices, {revision_id: Ruling(RegradeKind.GIVE_ALL)})
    assert given_all.points - mark(choices, {}).points in {0, 2}
    assert given_all.total == 20


def test_a_dropped_item_shrinks_total_and_cut_score_alike() -> None:
    found = mark({}, {IDS[0]: Ruling(RegradeKind.DROP)})
    assert (found.points, found.total, found.cut_score) == (Decimal(0), Decimal(18), Decimal("14.40"))


def test_the_new_key_is_in_the_revisions_own_letters() -> None:
    # Shown as A stands the original C.
    assert mark({1: "A"}, {IDS[0]: Ruling(RegradeKind.CHANGE_KEY, "C")}).points == 2
    assert mark({1: "B"}, {IDS[0]: Ruling(RegradeKind.CHANGE_KEY, "C")}).points == 0


def test_the_point_biserial_is_known_by_hand() -> None:
    found = item_figures([(True, Decimal(9)), (True, Decimal(7)), (False, Decimal(5)), (False, Decimal(3))])
    assert found.p == 0.5
    assert found.discrimination == pytest.approx(0.894, abs=0.001)
    assert item_figures([(True, Decimal(1)), (True, Decimal(2))]).discrimination is None
    assert item_figures([]).p == 0


def test_several_letters_each_count_and_none_is_counted_too() -> None:
    assert count_choices(["AB", "B", ""], "ABC") == [("A", 1), ("B", 2), ("C", 0), ("", 1)]


@given(CHOICES, st.sampled_from(IDS), st.sets(st.sampled_from("ABCD"), min_size=2))
def test_of_several_keys_each_earns_and_nobody_loses_by_one_more(
    choices: dict[int, str], revision_id: UUID, keys: set[str]
) -> None:
    joined = "|".join(sorted(keys))
    found = mark(choices, {revision_id: Ruling(RegradeKind.ACCEPT_KEYS, joined)})
    singles = [mark(choices, {revision_id: Ruling(RegradeKind.CHANGE_KEY, key)}).points for key in keys]
    assert found.points == max(singles)


@given(st.sets(st.sampled_from("ABCD"), min_size=1), st.sampled_from(["AB|ACD", "A|BCD", "AC|BD", "AB|ABC"]))
def test_in_part_the_best_of_the_keys_counts(chosen: set[str], keys: str) -> None:
    revision_id = IDS[0]
    text = replace(TEXTS[revision_id], type=ItemType.MC, key="AD")
    shown = "".join(sorted("ABCD"[PAPER[0].order.index("ABCD".index(letter))] for letter in chosen))

    def points(ruling: Ruling) -> Decimal:
        return points_by_ruling(PAPER[0], text, shown, ruling, points=Decimal(2), mc_rule=McRule.PARTIAL)

    assert points(Ruling(RegradeKind.ACCEPT_KEYS, keys)) == max(
        points(Ruling(RegradeKind.CHANGE_KEY, key)) for key in keys.split("|")
    )

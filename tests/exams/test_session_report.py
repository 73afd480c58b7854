"""Reliability, consistency and item figures against vectors worked by hand or by other formulas."""

from __future__ import annotations

import math
from statistics import covariance, fmean, pstdev, pvariance
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exams.session_report import (
    Coefficient,
    ItemFlag,
    Response,
    Taker,
    consistency,
    kr20,
    kr21,
    list_items,
    point_biserial,
    reliability,
    subkoviak,
    summarise,
)
from question_bank.models import ItemType

# Five candidates, four items: p = .8 .6 .4 .2, Σpq = .8, scores 4 3 2 1 0 with variance 2.
GUTTMAN = [[True] * (4 - row) + [False] * row for row in range(5)]
ITEMS = [UUID(int=number) for number in range(1, 41)]


def taker(seat: int, choices: str, *, key: str, needed: int = 2, items: list[UUID] | None = None) -> Taker:
    """A candidate with one letter for each item, "-" for none."""
    rows = zip(items or ITEMS, choices, key, strict=False)
    return Taker(
        seat, tuple(Response(item, choice.strip("-"), choice == right) for item, choice, right in rows), needed
    )


def test_kr20_of_a_perfect_ladder_is_as_worked_by_hand() -> None:
    assert kr20(GUTTMAN) == pytest.approx(4 / 3 * (1 - 0.8 / 2))


def test_kr21_of_the_same_scores_is_as_worked_by_hand() -> None:
    assert kr21([4, 3, 2, 1, 0], 4) == pytest.approx(4 / 3 * (1 - 2 * 2 / (4 * 2)))


@given(st.lists(st.lists(st.booleans(), min_size=5, max_size=5), min_size=3, max_size=12))
def test_kr20_is_cronbachs_alpha_of_right_and_wrong(rows: list[list[bool]]) -> None:
    totals = [sum(row) for row in rows]
    found = kr20(rows)
    if not pvariance(totals):
        assert found is None
        return
    columns = [[int(right) for right in column] for column in zip(*rows, strict=True)]
    spread = sum(covariance(one, other) for one in columns for other in columns)
    alpha = 5 / 4 * (1 - sum(covariance(column, column) for column in columns) / spread)
    below = kr21(totals, 5)
    assert found is not None
    assert below is not None
    assert found == pytest.approx(alpha)
    assert below <= found + 1e-9


def test_nothing_is_computed_where_nothing_varies() -> None:
    assert kr20([]) is None
    assert kr20([[True, False]] * 4) is None
    assert kr20([[True], [False]]) is None
    assert kr21([3, 3], 4) is None


def test_one_paper_gets_kr20_and_drawn_papers_get_kr21() -> None:
    key = "AAAA"
    same = [taker(seat, "A" * (4 - seat) + "B" * seat, key=key) for seat in range(5)]
    found = reliability(same)
    assert found.coefficient is Coefficient.KR20
    assert found.value == pytest.approx(0.8)
    assert found.sem == pytest.approx(math.sqrt(2) * math.sqrt(0.2))
    drawn = [*same[:4], taker(5, "BBBB", key=key, items=ITEMS[2:6])]
    assert reliability(drawn).coefficient is Coefficient.KR21
    assert reliability(drawn).value == pytest.approx(2 / 3)


def test_papers_of_different_length_have_no_coefficient() -> None:
    takers = [taker(1, "AAAA", key="AAAA"), taker(2, "AB", key="AAAA"), taker(3, "AAB", key="AAAA")]
    found = reliability(takers)
    assert found.value is None
    assert consistency(takers, found) is None


def test_subkoviak_with_perfect_reliability_takes_each_score_as_true() -> None:
    # Two items, one needed: a share of 1/2 passes with 3/4, so 9/16 + 1/16 agree; 0 and 1 always agree.
    found = subkoviak([0, 1, 2], items=2, needed=1, reliability=1.0)
    assert found.agreement == pytest.approx((1 + 10 / 16 + 1) / 3)
    overall = (0 + 0.75 + 1) / 3
    chance = overall**2 + (1 - overall) ** 2
    assert found.kappa == pytest.approx((found.agreement - chance) / (1 - chance))


def test_subkoviak_without_reliability_is_chance_alone() -> None:
    found = subkoviak([0, 1, 2], items=2, needed=1, reliability=-0.3)
    assert found.agreement == pytest.approx(0.75**2 + 0.25**2)
    assert found.kappa == pytest.approx(0)


def test_subkoviak_regresses_as_kelley_does() -> None:
    # Scores 2 and 8 of 10, reliability .5: shares .35 and .65; at 6 of 10 the tails are .0949 and .7515.
    found = subkoviak([2, 8], items=10, needed=6, reliability=0.5)
    tails = (0.0949, 0.7515)
    assert found.agreement == pytest.approx(fmean(p * p + (1 - p) ** 2 for p in tails), abs=1e-4)


@given(st.lists(st.integers(0, 20), min_size=2, max_size=20), st.integers(0, 20), st.floats(0, 1))
def test_agreement_is_never_under_one_half(scores: list[int], needed: int, trust: float) -> None:
    found = subkoviak(scores, items=20, needed=needed, reliability=trust)
    assert 0.5 <= found.agreement <= 1 + 1e-12
    assert found.kappa is None or found.kappa <= 1 + 1e-12


def test_the_point_biserial_is_the_textbooks() -> None:
    rights, rests = [True, True, True, False, False], [9, 8, 7, 5, 1]
    share = 0.6
    mean_right, mean_wrong = 8, 3
    known = (mean_right - mean_wrong) / pstdev(rests) * math.sqrt(share * (1 - share))
    assert point_biserial(rights, rests) == pytest.approx(known)
    assert point_biserial([True, True], [1, 2]) is None
    assert point_biserial([True], [1]) is None


def test_the_item_table_counts_original_options_among_those_who_had_the_item() -> None:
    keys = dict.fromkeys(ITEMS[:3], (ItemType.SC, "A", 4))
    takers = [taker(1, "AAA", key="AAA"), taker(2, "AB-", key="AAA"), taker(3, "BB", key="AAA")]
    lines = {line.item: line for line in list_items(takers, keys)}
    assert lines[ITEMS[0]].options == {"A": 2, "B": 1, "C": 0, "D": 0}
    assert (lines[ITEMS[0]].count, lines[ITEMS[0]].right) == (3, 2)
    assert lines[ITEMS[0]].p == pytest.approx(2 / 3)
    assert (lines[ITEMS[2]].count, lines[ITEMS[2]].blank) == (2, 1)
    # The rest scores are 2, 0, 0 of those who were right, right and wrong.
    assert lines[ITEMS[0]].discrimination == pytest.approx(point_biserial([True, True, False], [2, 0, 0]))
    assert all(not line.flags for line in lines.values())


def test_several_options_of_one_answer_are_each_counted() -> None:
    item = ITEMS[0]
    takers = [
        Taker(seat, (Response(item, choice, choice == "AC"),), 1) for seat, choice in enumerate(["AC", "A", "ACD", ""])
    ]
    [line] = list_items(takers, {item: (ItemType.MC, "AC", 4)})
    assert line.options == {"A": 3, "B": 0, "C": 2, "D": 1}
    assert (line.right, line.blank) == (1, 1)


def test_a_wrong_key_is_flagged_and_stands_first() -> None:
    # Item 1's key says C; the strong say A, only the weakest said C.
    good, bad = "A" + "A" * 9, "C" + "B" * 9
    takers = [taker(seat, good, key="C" + "A" * 9) for seat in range(8)]
    takers += [taker(20 + seat, bad, key="C" + "A" * 9) for seat in range(2)]
    lines = list_items(takers, dict.fromkeys(ITEMS, (ItemType.SC, "A", 4)) | {ITEMS[0]: (ItemType.SC, "C", 4)})
    assert lines[0].item == ITEMS[0]
    assert lines[0].flags == (ItemFlag.NEGATIVE, ItemFlag.DISTRACTOR)
    assert lines[0].discrimination == pytest.approx(-1)


def test_few_candidates_never_flag_an_item() -> None:
    takers = [taker(seat, "B", key="A") for seat in range(9)]
    [line] = list_items(takers, {ITEMS[0]: (ItemType.SC, "A", 4)})
    assert line.flags == ()
    [line] = list_items([*takers, taker(9, "B", key="A")], {ITEMS[0]: (ItemType.SC, "A", 4)})
    assert line.flags == (ItemFlag.DISTRACTOR, ItemFlag.HARD)


def test_the_summary_counts_passes_at_the_needed_score() -> None:
    takers = [taker(seat, "A" * (4 - seat) + "B" * seat, key="AAAA", needed=3) for seat in range(5)]
    scores = summarise(takers)
    assert (scores.count, scores.passed, scores.mean, scores.lowest, scores.highest) == (5, 2, 2, 0, 4)
    assert scores.deviation == pytest.approx(math.sqrt(2))


def test_a_discrimination_just_under_zero_is_chance_and_no_flag() -> None:
    # Of 24 candidates the right and the wrong have nearly the same rest score.
    key = "A" * 10
    takers = [
        taker(seat, ("A" if seat % 2 else "B") + "A" * 5 + ("AB" if seat % 3 else "BA"), key=key) for seat in range(24)
    ]
    takers += [taker(30, "BAAAAAA", key=key)]
    first = next(
        line for line in list_items(takers, dict.fromkeys(ITEMS, (ItemType.SC, "A", 4))) if line.item == ITEMS[0]
    )
    assert first.discrimination is None or first.discrimination > -1.645 / 5
    assert ItemFlag.NEGATIVE not in first.flags

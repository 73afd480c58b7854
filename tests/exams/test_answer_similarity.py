"""Similar answers: the arithmetic, the false-alarm rate by simulation, and what really copying looks like."""

from __future__ import annotations

import math
from itertools import product
from typing import TYPE_CHECKING
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exams.answer_similarity import (
    FALSE_ALARM,
    FEWEST_SHARED,
    FEWEST_TAKERS,
    at_least,
    chances_right,
    compare_neighbours,
)
from exams.session_report import Response, Taker

if TYPE_CHECKING:
    from numpy.random import Generator

_GUESS = (0.5, 0.25, 0.0)
_BLENDS = ("A", "B", "AC", "ABC", "ABCD", "BC")


def simulate(rng: Generator, *, takers: int, items: int = 100, bank: int = 100, copied: int = 0) -> list[Taker]:
    """Honest candidates after the Rasch model with guessing and uneven distractors; another model than the index's.

    With `copied` the sixth takes so many answers from the fifth.
    """
    hardness, kinds = rng.normal(-0.8, 1.0, bank), rng.choice(3, bank, p=[0.3, 0.5, 0.2])
    distractors, blends = rng.dirichlet([1.5] * 3, bank), rng.dirichlet([0.6] * 6, bank)
    seated: list[Taker] = []
    for seat in range(takers):
        ability, answers = rng.normal(0, 0.7), {}
        for place in rng.choice(bank, items, replace=False):
            kind, guess = kinds[place], _GUESS[kinds[place]]
            right = bool(rng.random() < guess + (1 - guess) / (1 + math.exp(hardness[place] - ability)))
            if kind == 0:
                choice = "T" if right else "F"
            elif kind == 1:
                choice = "A" if right else "BCD"[rng.choice(3, p=distractors[place])]
            else:
                choice = "AB" if right else _BLENDS[rng.choice(6, p=blends[place])]
            item = UUID(int=int(place) + 1)
            answers[item] = Response(item, choice, right, bool(kind == 0))
        if copied and seat == 5:
            common = [response for response in seated[-1].responses if response.item in answers]
            answers |= {response.item: response for response in common[:copied]}
        seated.append(Taker(seat + 1, tuple(answers.values()), 80))
    return seated


def test_the_tail_is_the_binomials_where_all_chances_are_equal() -> None:
    known = sum(math.comb(10, n) * 0.3**n * 0.7 ** (10 - n) for n in range(6, 11))
    assert at_least(6, np.full(10, 0.3)) == pytest.approx(known)
    assert at_least(0, np.full(10, 0.3)) == pytest.approx(1)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=6), st.integers(0, 6))
def test_the_tail_is_that_of_all_outcomes(chances: list[float], count: int) -> None:
    whole = 0.0
    for outcome in product([0, 1], repeat=len(chances)):
        if sum(outcome) >= count:
            whole += math.prod(p if hit else 1 - p for p, hit in zip(chances, outcome, strict=True))
    assert at_least(count, np.array(chances)) == pytest.approx(whole, abs=1e-12)


@given(st.lists(st.floats(0.05, 0.95), min_size=5, max_size=40), st.data())
@settings(max_examples=50)
def test_the_chances_add_up_to_the_real_score(shares: list[float], data: st.DataObject) -> None:
    right = data.draw(st.integers(1, len(shares) - 1))
    chances = chances_right(np.array(shares), right)
    assert chances.sum() == pytest.approx(right, abs=0.05)
    assert np.all(np.diff(chances[np.argsort(shares)]) >= -1e-9)


def test_who_scores_as_the_session_has_the_sessions_shares() -> None:
    shares = np.array([0.2, 0.4, 0.6, 0.8])
    assert chances_right(shares, 2) == pytest.approx(shares, abs=1e-6)


@pytest.mark.parametrize(("takers", "bank"), [(12, 100), (25, 100), (25, 200)])
def test_honest_sessions_are_flagged_no_oftener_than_stated(takers: int, bank: int) -> None:
    rng = np.random.default_rng(2026)
    sessions, flagged, rare, pairs = 40, 0, 0, 0
    for _ in range(sessions):
        found = compare_neighbours(simulate(rng, takers=takers, bank=bank))
        flagged += any(pair.is_flagged for pair in found.pairs)
        rare += sum(pair.chance < 0.05 for pair in found.pairs)
        pairs += len(found.pairs)
    # With 1 % a session, three or more of forty have a chance of under 0.01.
    assert flagged <= 2
    assert pairs >= sessions * 5
    assert rare / pairs <= 0.05


def test_sixty_copied_answers_of_a_hundred_are_found() -> None:
    rng = np.random.default_rng(7)
    found = [compare_neighbours(simulate(rng, takers=25, copied=60)) for _ in range(12)]
    hits = [each for each in found if each.pairs[0].is_flagged]
    assert len(hits) >= 9
    assert all((each.pairs[0].seat_no, each.pairs[0].other_seat_no) == (5, 6) for each in hits)
    assert all(not pair.is_flagged for each in found for pair in each.pairs[1:])


def test_the_bound_shares_the_false_alarm_rate_among_the_pairs() -> None:
    found = compare_neighbours(simulate(np.random.default_rng(1), takers=15))
    assert len(found.pairs) == found.neighbours == 14
    assert found.bound == pytest.approx(FALSE_ALARM / 14)


def test_seats_with_a_gap_between_are_no_neighbours() -> None:
    seated = [Taker(taker.seat_no * 2, taker.responses, 80) for taker in simulate(np.random.default_rng(1), takers=15)]
    found = compare_neighbours(seated)
    assert (found.pairs, found.neighbours) == ((), 0)


def test_a_small_session_and_few_common_items_are_not_compared() -> None:
    rng = np.random.default_rng(3)
    assert compare_neighbours(simulate(rng, takers=FEWEST_TAKERS - 1)).pairs == ()
    assert compare_neighbours(simulate(rng, takers=15, items=FEWEST_SHARED - 1, bank=30)).pairs == ()
    assert compare_neighbours([]).pairs == ()


def test_blank_answers_in_common_are_no_agreement() -> None:
    def without(taker: Taker) -> Taker:
        kept, gone = taker.responses[:70], taker.responses[70:]
        blank = tuple(Response(response.item, "", False, response.has_one_wrong) for response in gone)
        return Taker(taker.seat_no, kept + blank, 80)

    seated = simulate(np.random.default_rng(5), takers=15)
    order = {response.item: place for place, response in enumerate(seated[0].responses)}
    aligned = [
        Taker(each.seat_no, tuple(sorted(each.responses, key=lambda response: order[response.item])), 80)
        for each in seated
    ]
    assert all(pair.shared == 70 for pair in compare_neighbours([without(taker) for taker in aligned]).pairs)

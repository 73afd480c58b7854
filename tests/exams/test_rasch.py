"""The model in whole numbers against the same in floating point."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exams.rasch import SCALE, judge, logistic
from question_bank.difficulty import GUESSED_QUARTERS
from question_bank.models import ItemType

LOGITS = st.integers(-9000, 9000)
KINDS = st.sampled_from(list(ItemType))


def whole(*numbers: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(numbers, dtype=np.int64)


@given(st.integers(-16_000, 16_000))
def test_the_logistic_curve_is_right_to_eight_digits(x: int) -> None:
    assert int(logistic(whole(x))[0]) / 2**30 == pytest.approx(1 / (1 + math.exp(-x / 1000)), abs=1e-8)


def test_far_away_the_curve_is_flat() -> None:
    assert logistic(whole(10**9)).tolist() == logistic(whole(16_383)).tolist()


@given(LOGITS, LOGITS, KINDS)
def test_chance_and_information_are_those_of_the_formula(ability: int, b: int, kind: ItemType) -> None:
    quarters = GUESSED_QUARTERS[kind]
    guessed, knows = quarters / 4, 1 / (1 + math.exp(-(ability - b) / 1000))
    right, slope = guessed + (1 - guessed) * knows, (1 - guessed) * knows * (1 - knows)
    score, information, error = judge(ability, whole(b), whole(0), whole(quarters))
    assert score[0] / SCALE == pytest.approx(right, abs=3e-6)
    assert information[0] / SCALE == pytest.approx(slope**2 / (right * (1 - right)), abs=1e-5)
    assert error[0] == 0


@given(LOGITS, KINDS, st.integers(0, 1000))
def test_an_uncertain_difficulty_pulls_the_chance_to_the_middle_of_its_range(b: int, kind: ItemType, se: int) -> None:
    quarters = GUESSED_QUARTERS[kind]
    sure = int(judge(0, whole(b), whole(0), whole(quarters))[0][0])
    unsure = int(judge(0, whole(b), whole(se), whole(quarters))[0][0])
    middle = SCALE * (quarters + 4) // 8
    assert abs(unsure - middle) <= abs(sure - middle) + 2


def test_the_error_of_a_chance_is_slope_times_error() -> None:
    _, _, error = judge(0, whole(0), whole(300), whole(0))
    assert math.sqrt(error[0] / SCALE) == pytest.approx(0.25 * 0.3, rel=0.05)

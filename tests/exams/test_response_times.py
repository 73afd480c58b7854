"""Times of answers: which count, and when somebody should look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from exams.response_times import Act, Pace, TimeFlag, judge_paces, pace_of

START = datetime(2026, 11, 20, 1, tzinfo=UTC)


def acts(gaps: list[float], *, right: bool = True, is_clocked: bool = True) -> list[Act]:
    """The first answer comes after 30 seconds, the others after these gaps; saved at the end unless not clocked."""
    moment, made = START + timedelta(seconds=30), []
    for position, gap in enumerate([0.0, *gaps], start=1):
        moment += timedelta(seconds=gap)
        made.append(Act(position, moment if is_clocked else None, moment, right))
    return made


def pace(given: list[Act], *, minutes: float = 60) -> Pace:
    return pace_of(1, started_at=START, ended_at=START + timedelta(minutes=minutes), acts=given)


def test_answers_under_three_seconds_are_rapid() -> None:
    found = pace(acts([2.9] * 5 + [3.0] * 20))
    assert (found.timed, found.rapid, found.rapid_right) == (25, 5, 5)
    assert found.effort == pytest.approx(0.8)
    assert found.minutes == 60


def test_changing_an_answer_is_no_rapid_answer() -> None:
    made = acts([30.0] * 4)
    last = made[-1].answered_at
    assert last
    again = [Act(position, last + timedelta(seconds=position), last, True) for position in (1, 2, 3)]
    assert pace([*made, *again]).rapid == 0
    assert pace([*made, *again]).timed == 4


def test_a_batch_saved_at_once_without_a_clock_tells_nothing() -> None:
    found = pace(acts([0.0] * 40, is_clocked=False))
    assert (found.timed, found.effort) == (0, None)
    assert pace([]).timed == 0


def test_a_clock_that_was_set_back_tells_nothing() -> None:
    assert pace(acts([-3600.0] + [20.0] * 3)).timed == 3


def test_low_effort_is_flagged_and_stands_first() -> None:
    guessing = pace(acts([1.0] * 12 + [20.0] * 28, right=False))
    knowing = pace(acts([1.0] * 12 + [20.0] * 28))
    steady = pace(acts([20.0] * 40))
    judged = judge_paces([steady, guessing, knowing])
    assert [each.flags for each in judged] == [(TimeFlag.RAPID,), (TimeFlag.RAPID, TimeFlag.RAPID_AND_RIGHT), ()]


def test_too_few_timed_answers_flag_nobody() -> None:
    assert judge_paces([pace(acts([1.0] * 19))])[0].flags == ()


def test_a_total_time_far_from_the_others_is_flagged() -> None:
    usual = [pace([], minutes=50 + minute) for minute in range(10)]
    judged = judge_paces([*usual, pace([], minutes=6), pace([], minutes=500)])
    assert [each.flags for each in judged[:3]] == [(TimeFlag.SHORT,), (TimeFlag.LONG,), ()]
    assert judge_paces([*usual[:8], pace([], minutes=6)])[0].flags == ()
    assert judge_paces([]) == []


def test_one_who_is_far_off_among_equal_times_is_flagged() -> None:
    judged = judge_paces([*[pace([], minutes=60)] * 12, pace([], minutes=6)])
    assert [each.flags for each in judged[:2]] == [(TimeFlag.SHORT,), ()]


def test_equal_times_flag_nobody() -> None:
    assert all(not each.flags for each in judge_paces([pace([], minutes=60)] * 12))

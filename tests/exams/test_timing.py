"""Each boundary, one instant on either side."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exams.timing import deadline_for, earliest_leave, extended, is_over, latest_entry, resumed, seconds_left

NINE = datetime(2026, 11, 21, 1, 0, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)


def test_the_deadline_itself_is_too_late() -> None:
    deadline = deadline_for(NINE, minutes=120)
    assert deadline == NINE + timedelta(hours=2)
    assert not is_over(deadline, now=deadline - INSTANT)
    assert is_over(deadline, now=deadline)


@pytest.mark.parametrize(("left", "shown"), [(120.0, 120), (0.5, 1), (0.0, 0), (-5.0, 0), (59.000001, 60)])
def test_the_last_begun_second_counts_as_one(left: float, shown: int) -> None:
    assert seconds_left(NINE + timedelta(seconds=left), now=NINE) == shown


def test_entry_ends_with_the_thirtieth_minute() -> None:
    assert latest_entry(NINE, late_minutes=30) == NINE + timedelta(minutes=30)


def test_leaving_is_possible_at_the_end_at_the_latest() -> None:
    assert earliest_leave(NINE, NINE + timedelta(minutes=10), leave_minutes=30) == NINE + timedelta(minutes=10)


@given(late=st.integers(0, 10_000), minutes=st.integers(1, 300), extra=st.lists(st.integers(1, 240), max_size=4))
def test_a_late_start_never_shortens_the_time_and_an_extension_never_takes_any(
    late: int, minutes: int, extra: list[int]
) -> None:
    started = NINE + timedelta(seconds=late)
    deadline = deadline_for(started, minutes=minutes)
    assert deadline - started == timedelta(minutes=minutes)
    for more in extra:
        longer = extended(deadline, now=started, minutes=more)
        assert longer - deadline == timedelta(minutes=more)
        deadline = longer


def test_an_extension_after_the_end_counts_from_now() -> None:
    assert extended(NINE, now=NINE + timedelta(minutes=3), minutes=10) == NINE + timedelta(minutes=13)


@pytest.mark.parametrize(
    ("minutes", "percent", "seconds"),
    [(120, 0, 7200), (120, 25, 9000), (60, 50, 5400), (90, 33, 7182), (1, 1, 61), (7, 33, 559), (0, 50, 0)],
)
def test_extra_time_counts_in_whole_seconds_rounded_up(minutes: int, percent: int, seconds: int) -> None:
    assert deadline_for(NINE, minutes=minutes, extra_percent=percent) == NINE + timedelta(seconds=seconds)


@given(minutes=st.integers(1, 300), percent=st.integers(0, 100))
def test_extra_time_is_never_less_than_granted_nor_a_second_more(minutes: int, percent: int) -> None:
    given_seconds = (deadline_for(NINE, minutes=minutes, extra_percent=percent) - NINE) // timedelta(seconds=1)
    assert 0 <= given_seconds * 100 - minutes * 60 * (100 + percent) < 100


@given(
    left=st.integers(1, 7200_000_000),
    pauses=st.lists(st.tuples(st.integers(0, 10**9), st.integers(0, 10**9)), max_size=5),
)
def test_pauses_leave_exactly_the_time_that_was_left(left: int, pauses: list[tuple[int, int]]) -> None:
    now, deadline = NINE, NINE + timedelta(microseconds=left)
    for run, pause in pauses:
        paused_at = min(now + timedelta(microseconds=run), deadline)
        before, now = deadline - paused_at, paused_at + timedelta(microseconds=pause)
        deadline = resumed(deadline, paused_at=paused_at, now=now)
        assert deadline - now == before

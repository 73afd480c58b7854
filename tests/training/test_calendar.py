"""Working days, years and months."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.calendar import add_months, add_working_days, add_years, china_date, is_working_day, start_of_day


def test_the_national_day_week_is_not_counted() -> None:
    assert add_working_days(date(2026, 9, 30), 1) == date(2026, 10, 8)


def test_a_year_without_a_notice_counts_monday_to_friday() -> None:
    assert is_working_day(date(2099, 1, 2))
    assert not is_working_day(date(2099, 1, 3))


def test_leap_days_are_clamped() -> None:
    assert add_years(date(2024, 2, 29), 3) == date(2027, 2, 28)
    assert add_months(date(2027, 12, 31), 2) == date(2028, 2, 29)


@pytest.mark.parametrize(("hour", "day"), [(15, 21), (16, 22)])
def test_the_day_turns_at_midnight_in_china(hour: int, day: int) -> None:
    assert china_date(datetime(2026, 11, 21, hour, tzinfo=UTC)) == date(2026, 11, day)
    assert china_date(start_of_day(date(2026, 11, day))) == date(2026, 11, day)


@given(st.dates(date(2005, 1, 1), date(2026, 6, 1)), st.integers(1, 30))
def test_a_limit_ends_on_a_working_day_and_spans_that_many(start: date, count: int) -> None:
    end = add_working_days(start, count)
    assert is_working_day(end)
    days = [date.fromordinal(n) for n in range(start.toordinal() + 1, end.toordinal() + 1)]
    assert sum(map(is_working_day, days)) == count

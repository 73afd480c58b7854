"""The filters of the templates."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from web.templating import clock_time, day, moment


@pytest.mark.parametrize(
    ("hour", "shown"), [(0, "2026年11月24日"), (15, "2026年11月24日"), (16, "2026年11月25日"), (23, "2026年11月25日")]
)
def test_the_day_of_an_instant_is_the_one_in_china(hour: int, shown: str) -> None:
    instant = datetime(2026, 11, 24, hour, 29, tzinfo=UTC)
    assert day(instant) == shown
    assert moment(instant) == f"{shown} {clock_time(instant)}"


def test_a_day_is_shown_as_it_is() -> None:
    assert day(date(2026, 11, 24)) == "2026年11月24日"
    assert day(None) == "—"

"""The code on the classroom's screen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from training.attendance_codes import code_at, is_code_current, seconds_left

INSTANTS = st.datetimes(
    min_value=datetime(2026, 1, 1),  # noqa: DTZ001 - hypothesis adds the time zone itself
    max_value=datetime(2040, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
SECONDS = st.integers(10, 600)
SECRETS = st.binary(min_size=32, max_size=32)


@given(SECRETS, INSTANTS, SECONDS, st.data())
def test_a_code_holds_until_the_end_of_the_next_step(
    secret: bytes, shown: datetime, seconds: int, data: st.DataObject
) -> None:
    code = code_at(secret, shown, seconds=seconds)
    holds = seconds_left(shown, seconds=seconds) + seconds
    later = data.draw(st.integers(0, holds - 1))
    start = shown.replace(microsecond=0)
    assert is_code_current(secret, code, now=start + timedelta(seconds=later), seconds=seconds)
    assert not is_code_current(secret, code, now=start + timedelta(seconds=holds), seconds=seconds)


@given(SECRETS, INSTANTS, SECONDS)
def test_a_code_is_not_there_before_its_time(secret: bytes, shown: datetime, seconds: int) -> None:
    code = code_at(secret, shown, seconds=seconds)
    assert not is_code_current(secret, code, now=shown - timedelta(seconds=seconds), seconds=seconds)


@given(SECRETS, SECRETS, INSTANTS, SECONDS)
def test_another_lessons_code_does_not_fit(one: bytes, other: bytes, now: datetime, seconds: int) -> None:
    if one != other:
        assert not is_code_current(one, code_at(other, now, seconds=seconds), now=now, seconds=seconds)


@given(SECRETS, INSTANTS, st.text(max_size=30))
def test_whatever_is_typed_is_judged_without_an_error(secret: bytes, now: datetime, typed: str) -> None:
    assert is_code_current(secret, typed, now=now, seconds=60) in {True, False}


def test_a_code_may_come_in_capitals() -> None:
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    assert is_code_current(b"s" * 32, code_at(b"s" * 32, now, seconds=60).upper(), now=now, seconds=60)

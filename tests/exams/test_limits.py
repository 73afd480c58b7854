"""Limits of the rules: ahead, near, past."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from exams.limits import LimitState, get_near_until, limit_state

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

FRIDAY = date(2026, 11, 20)


@pytest.mark.parametrize(
    ("days", "state"),
    [
        (-1, LimitState.PAST),
        (0, LimitState.NEAR),
        (5, LimitState.NEAR),
        (6, LimitState.AHEAD),
        (None, LimitState.AHEAD),
    ],
)
async def test_the_last_day_is_in_time_and_a_weekend_is_no_respite(
    session: AsyncSession, days: int | None, state: LimitState
) -> None:
    # Three working days after Friday are Wednesday.
    near_until = await get_near_until(session, today=FRIDAY)
    assert near_until == FRIDAY + timedelta(days=5)
    last_day = None if days is None else FRIDAY + timedelta(days=days)
    assert limit_state(last_day, today=FRIDAY, near_until=near_until) is state

"""How near a last day is: what pages show in words and colour before and after a limit of the rules."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from training.calendar import add_working_days
from training.rules import get_number

if TYPE_CHECKING:
    from datetime import date

    from sqlmodel.ext.asyncio.session import AsyncSession

_NEAR = "limit.near_wd"


class LimitState(StrEnum):
    """A limit is far off, so near that one should hurry, or over."""

    AHEAD = "AHEAD"
    NEAR = "NEAR"
    PAST = "PAST"


def limit_state(last_day: date | None, *, today: date, near_until: date) -> LimitState:
    """Where a last day stands; the last day itself is in time. `near_until` as `get_near_until` gives it."""
    if last_day is None or last_day > near_until:
        return LimitState.AHEAD
    return LimitState.NEAR if last_day >= today else LimitState.PAST


async def get_near_until(session: AsyncSession, *, today: date) -> date:
    """Limits that end on or before this day are near, by the rule `limit.near_wd`."""
    return add_working_days(today, await get_number(session, _NEAR, on=today))

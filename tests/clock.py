"""A clock that moves only when told to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

# A Saturday evening in Beijing; most tests start here.
START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class FixedClock:
    def __init__(self, instant: datetime = START) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant

    def advance(self, **span: float) -> datetime:
        self.instant += timedelta(**span)
        return self.instant

"""The only place that reads the time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Gives the instant, aware, in UTC."""

    def now(self) -> datetime:
        """The instant."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """The instant."""
        return datetime.now(UTC)

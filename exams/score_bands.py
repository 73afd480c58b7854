"""How scores lie: how many of them in each tenth of the full score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from decimal import Decimal

_WIDTH = 10
_FULL = 100


@dataclass(frozen=True, slots=True)
class Band:
    """From `low` to `high` per cent of the full score, in whole per cents; the last one takes in 100."""

    low: int
    high: int
    count: int

    @property
    def name(self) -> str:
        """As on an axis: 80–89."""
        return f"{self.low}–{self.high}"


def score_bands(results: Iterable[tuple[Decimal, Decimal]]) -> tuple[Band, ...]:
    """Count results (points, full score) by tenths, exactly; a paper without any points left counts nowhere."""
    lows = range(0, _FULL, _WIDTH)
    counts = dict.fromkeys(lows, 0)
    for points, total in results:
        if total > 0:
            counts[min(int(points * _FULL / total) // _WIDTH * _WIDTH, lows[-1])] += 1
    return tuple(Band(low, _FULL if low == lows[-1] else low + _WIDTH - 1, counts[low]) for low in lows)

"""Answers that came faster than an item can be read, and candidates far quicker or slower than the others.

Response-time effort after Wise and Kong (2005): the share of answers that took longer than a bound
under which nobody reads and thinks; below 0.90 one should look. Total times are held against the
session by the robust z of Iglewicz and Hoaglin (1993) on logarithms, with their bound of 3.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise
from statistics import fmean, median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

RAPID_SECONDS = 3.0
_LEAST_EFFORT = 0.90
_FAR = 3.5
_TIMED_FROM = 20  # answers with a time of their own
_RAPID_FROM = 10  # rapid answers, before their rights are counted
_RAPID_RIGHT = 0.8
_QUARTILE, _MEAN_AWAY = 0.6745, 0.7979  # of the normal curve, so that z counts its standard deviations
_COMPARED_FROM = 10


@dataclass(frozen=True, slots=True)
class Act:
    """One answer act: which position, when by the client's clock (or None), when saved, and whether it was right."""

    position: int
    answered_at: datetime | None
    saved_at: datetime
    is_right: bool


class TimeFlag(StrEnum):
    """Why somebody should look at a candidate's times."""

    RAPID = "RAPID"
    RAPID_AND_RIGHT = "RAPID_AND_RIGHT"
    SHORT = "SHORT"
    LONG = "LONG"


@dataclass(frozen=True, slots=True)
class Pace:
    """One candidate's times. `timed` answers have a time of their own, `rapid` of them were under the bound."""

    seat_no: int
    minutes: float
    timed: int
    rapid: int
    rapid_right: int
    flags: tuple[TimeFlag, ...] = ()

    @property
    def effort(self) -> float | None:
        """Response-time effort; None where too few answers have a time of their own."""
        return 1 - self.rapid / self.timed if self.timed >= _TIMED_FROM else None


def pace_of(seat_no: int, *, started_at: datetime, ended_at: datetime, acts: Sequence[Act]) -> Pace:
    """The times of one sitting, its acts in their order.

    The first answer to a position counts, since changing one takes a moment only. Acts that were
    saved together without the client's clock have no times of their own.
    """
    timed = rapid = rapid_right = 0
    met = {act.position for act in acts[:1]}
    for before, act in pairwise(acts):
        if act.position in met:
            continue
        met.add(act.position)
        seconds = _seconds(before, act)
        if seconds is None:
            continue
        timed += 1
        if seconds < RAPID_SECONDS:
            rapid, rapid_right = rapid + 1, rapid_right + act.is_right
    return Pace(seat_no, (ended_at - started_at).total_seconds() / 60, timed, rapid, rapid_right)


def _seconds(before: Act, act: Act) -> float | None:
    if before.answered_at is not None and act.answered_at is not None:
        passed = (act.answered_at - before.answered_at).total_seconds()
        return passed if passed >= 0 else None  # a clock that was set back tells nothing
    passed = (act.saved_at - before.saved_at).total_seconds()
    return passed if passed > 0 else None


def judge_paces(paces: Sequence[Pace]) -> list[Pace]:
    """The same with their flags, the flagged first, then by seat."""
    logs = [math.log(max(pace.minutes, 1 / 60)) for pace in paces]
    middle = median(logs) if logs else 0.0
    spread = _spread([abs(log - middle) for log in logs]) if logs else 0.0
    judged = []
    for pace, log in zip(paces, logs, strict=True):
        far = (log - middle) / spread if spread and len(paces) >= _COMPARED_FROM else 0.0
        judged.append(
            Pace(pace.seat_no, pace.minutes, pace.timed, pace.rapid, pace.rapid_right, _time_flags(pace, far))
        )
    return sorted(judged, key=lambda pace: (not pace.flags, pace.seat_no))


def _spread(away: Sequence[float]) -> float:
    """The standard deviation by the median distance or, where half are equal, by the mean distance."""
    return median(away) / _QUARTILE or fmean(away) / _MEAN_AWAY


def _time_flags(pace: Pace, far: float) -> tuple[TimeFlag, ...]:
    is_rapid = pace.effort is not None and pace.effort < _LEAST_EFFORT
    found = {
        TimeFlag.RAPID: is_rapid,
        TimeFlag.RAPID_AND_RIGHT: is_rapid
        and pace.rapid >= _RAPID_FROM
        and pace.rapid_right >= _RAPID_RIGHT * pace.rapid,
        TimeFlag.SHORT: far < -_FAR,
        TimeFlag.LONG: far > _FAR,
    }
    return tuple(flag for flag, holds in found.items() if holds)

"""Neighbours whose answers agree more than their abilities and the items explain.

Wesolowsky (2000), "Detecting excessive similarity in answers on multiple choice exams", J. Applied
Statistics 27: a candidate j is right on an item that the share r gets right with the chance
(1 - (1 - r)^a)^(1/a), where a is such that j's expected score is the real one; who is wrong takes
a wrong answer as the others do. Two candidates agree on an item by chance with P = p·p' + q·q'·s, s being
the chance that two wrong answers are the same. The tail is that of the generalized binomial (van
der Linden and Sotaridona 2006), which is exact where Wesolowsky used the normal curve.

Papers are drawn and shuffled for each candidate, so only items count that both answered, and
options are compared by their original letters. An item's figures leave the pair itself out. The
false-alarm rate is Bonferroni's: `FALSE_ALARM` at most that a session in which nobody copied gets
any flag. It is lower in fact, since two fixed scores leave less room for chance agreements than
independent trials do: simulated sessions of honest candidates stayed without a flag.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from numpy.typing import NDArray

    from exams.session_report import Response, Taker

FALSE_ALARM = 0.01
# With fewer candidates an item's difficulty is mostly guessed; with fewer common items nothing shows.
FEWEST_TAKERS = 12
FEWEST_SHARED = 20
_SHARE_WEIGHT = 2.0  # how many candidates the session's mean counts for in an item's share
_WRONG_WEIGHT = 3.0  # how many pairs of wrong answers the session's mean counts for
_EDGE = 0.01
_HALVINGS = 40


@dataclass(frozen=True, slots=True)
class Similarity:
    """Two neighbours; `chance` is that of so many agreements or more when nobody copied."""

    seat_no: int
    other_seat_no: int
    shared: int
    same: int
    expected: float
    same_wrong: int
    chance: float
    is_flagged: bool


@dataclass(frozen=True, slots=True)
class Similarities:
    """All pairs that could be compared, the least likely first, and the bound below which a pair is flagged."""

    pairs: tuple[Similarity, ...]
    bound: float
    neighbours: int


def compare_neighbours(takers: Sequence[Taker], *, false_alarm: float = FALSE_ALARM) -> Similarities:
    """Compare everybody with the next seat number; nothing is compared in a session that is too small."""
    seated = sorted(takers, key=lambda taker: taker.seat_no)
    neighbours = [(one, other) for one, other in pairwise(seated) if other.seat_no - one.seat_no == 1]
    if len(takers) < FEWEST_TAKERS:
        return Similarities((), 0.0, len(neighbours))
    room = _Room(takers)
    found = [pair for one, other in neighbours if (pair := room.compare(one, other)) is not None]
    bound = false_alarm / len(found) if found else 0.0
    flagged = (_flag(pair, bound=bound) for pair in found)
    return Similarities(tuple(sorted(flagged, key=lambda pair: pair.chance)), bound, len(neighbours))


def _flag(pair: _Pair, *, bound: float) -> Similarity:
    return Similarity(
        *pair.seats, pair.shared, pair.same, pair.expected, pair.same_wrong, pair.chance, pair.chance < bound
    )


@dataclass(frozen=True, slots=True)
class _Pair:
    seats: tuple[int, int]
    shared: int
    same: int
    expected: float
    same_wrong: int
    chance: float


class _Room:
    """What the whole session answered, so that each pair can be held against the others."""

    def __init__(self, takers: Sequence[Taker]) -> None:
        self._right: Counter[UUID] = Counter()
        self._wrong: dict[UUID, Counter[str]] = defaultdict(Counter)
        for response in (response for taker in takers for response in taker.responses if response.choice):
            if response.is_right:
                self._right[response.item] += 1
            else:
                self._wrong[response.item][response.choice] += 1
        right, wrong = self._right.total(), sum(counts.total() for counts in self._wrong.values())
        self._share = right / max(1, right + wrong)
        alike, pairs = 0.0, 0.0
        for counts in self._wrong.values():
            alike, pairs = alike + _alike(counts), pairs + _pairs(counts.total())
        self._same_wrong = (alike + _WRONG_WEIGHT / 2) / (pairs + _WRONG_WEIGHT)

    def compare(self, one: Taker, other: Taker) -> _Pair | None:
        """None where the two have too few answered items in common."""
        theirs = {response.item: response for response in other.responses if response.choice}
        both = [(mine, theirs[mine.item]) for mine in one.responses if mine.choice and mine.item in theirs]
        if len(both) < FEWEST_SHARED:
            return None
        shares, same_wrong = np.array([self._without(*pair) for pair in both]).T
        first = chances_right(shares, sum(mine.is_right for mine, _ in both))
        second = chances_right(shares, sum(yours.is_right for _, yours in both))
        agree = first * second + (1 - first) * (1 - second) * same_wrong
        same = sum(mine.choice == yours.choice for mine, yours in both)
        return _Pair(
            seats=(one.seat_no, other.seat_no),
            shared=len(both),
            same=same,
            expected=float(agree.sum()),
            same_wrong=sum(mine.choice == yours.choice and not mine.is_right for mine, yours in both),
            chance=at_least(same, agree),
        )

    def _without(self, mine: Response, yours: Response) -> tuple[float, float]:
        """The share who are right, and the chance that two wrong answers are alike, among the others."""
        right = self._right[mine.item] - mine.is_right - yours.is_right
        wrong = self._wrong[mine.item].copy()
        wrong.subtract(response.choice for response in (mine, yours) if not response.is_right)
        share = (right + _SHARE_WEIGHT * self._share) / (right + wrong.total() + _SHARE_WEIGHT)
        alike = (_alike(wrong) + _WRONG_WEIGHT * self._same_wrong) / (_pairs(wrong.total()) + _WRONG_WEIGHT)
        return min(1 - _EDGE, max(_EDGE, share)), 1.0 if mine.has_one_wrong else alike


def _pairs(count: int) -> float:
    return count * (count - 1) / 2


def _alike(counts: Counter[str]) -> float:
    return sum(_pairs(count) for count in counts.values())


def chances_right(shares: NDArray[np.float64], right: int) -> NDArray[np.float64]:
    """Wesolowsky's chances of one candidate, of whom so many answers to these items were right."""
    low, high = -8.0, 8.0
    chances = shares
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        ability = np.exp(middle)
        chances = (1 - (1 - shares) ** ability) ** (1 / ability)
        low, high = (middle, high) if chances.sum() < right else (low, middle)
    return chances


def at_least(count: int, chances: NDArray[np.float64]) -> float:
    """The chance of so many successes or more of independent trials with these chances."""
    ways = np.zeros(len(chances) + 1)
    ways[0] = 1.0
    for chance in chances:
        ways[1:] = ways[1:] * (1 - chance) + ways[:-1] * chance
        ways[0] *= 1 - chance
    return float(min(1.0, ways[count:].sum()))

"""Figures of a finished session: reliability, consistency of pass and fail, and how each item behaved.

Pure statistics over what candidates answered, for people who look after the exam: no figure here
decides about anybody (个人信息保护法 24). Every figure says from how many candidates it comes.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from enum import StrEnum
from statistics import fmean, pstdev, pvariance
from typing import TYPE_CHECKING

from question_bank.models import ItemType

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

# Below this many candidates a coefficient or a correlation moves by tenths when one of them changes.
RELIABLE_FROM = 30
_HARD, _EASY = 0.2, 0.95
_JUDGED_FROM = 10  # an item is flagged only when so many were dealt it
_CLEARLY = 1.645  # standard errors under zero: one item in twenty without any discrimination gets there by chance


@dataclass(frozen=True, slots=True)
class Response:
    """One candidate's last answer to one item; `choice` in the item's own letters, "" for none."""

    item: UUID
    choice: str
    is_right: bool
    has_one_wrong: bool = False  # true or false: all who are wrong gave the same answer


@dataclass(frozen=True, slots=True)
class Taker:
    """One candidate of the session. `needed` is how many right answers reach the cut score.

    `verdict` is what stands, where parts of items count too and right answers alone do not tell.
    """

    seat_no: int
    responses: tuple[Response, ...]
    needed: int
    verdict: bool | None = None

    @property
    def passed(self) -> bool:
        """Whether the cut score was reached."""
        return self.right >= self.needed if self.verdict is None else self.verdict

    @property
    def right(self) -> int:
        """The raw score."""
        return sum(response.is_right for response in self.responses)


class Coefficient(StrEnum):
    """Which reliability suits: all had the same items, or everybody an own draw from the bank."""

    KR20 = "KR20"
    KR21 = "KR21"


@dataclass(frozen=True, slots=True)
class Reliability:
    """`value` is None when it cannot be computed; `sem` is the standard error of measurement in items."""

    coefficient: Coefficient
    value: float | None
    sem: float | None


@dataclass(frozen=True, slots=True)
class Consistency:
    """The share who would get the same verdict on a second, equal paper, and the same beyond chance."""

    agreement: float
    kappa: float | None


@dataclass(frozen=True, slots=True)
class Scores:
    """Raw scores in items."""

    count: int
    passed: int
    mean: float
    deviation: float
    lowest: int
    highest: int


class ItemFlag(StrEnum):
    """Why somebody should look at an item, the gravest first."""

    NEGATIVE = "NEGATIVE"
    DISTRACTOR = "DISTRACTOR"
    HARD = "HARD"
    EASY = "EASY"


@dataclass(frozen=True, slots=True)
class ItemLine:
    """One item among those who were dealt it.

    `discrimination` is the point-biserial with the rest of the paper. `options` counts who chose
    each original option (of MC: ticked it, alone or with others); `blank` left it out.
    """

    item: UUID
    count: int
    right: int
    discrimination: float | None
    options: dict[str, int]
    blank: int
    flags: tuple[ItemFlag, ...]

    @property
    def p(self) -> float:
        """The share who were right."""
        return self.right / self.count

    @property
    def is_judged(self) -> bool:
        """Whether enough candidates had it for its figures to say anything."""
        return self.count >= _JUDGED_FROM


def kr20(rows: Sequence[Sequence[bool]]) -> float | None:
    """Kuder and Richardson (1937), formula 20: candidates in rows, the same items in columns."""
    items = len(rows[0]) if rows else 0
    variance = pvariance([sum(row) for row in rows]) if rows else 0
    if items <= 1 or not variance:
        return None
    shares = [fmean(column) for column in zip(*rows, strict=True)]
    return items / (items - 1) * (1 - sum(p * (1 - p) for p in shares) / variance)


def kr21(scores: Sequence[int], items: int) -> float | None:
    """Kuder and Richardson's formula 21, which is exact where everybody gets an own random draw of items.

    Lord (1955), "Sampling fluctuations resulting from the sampling of test items": the errors are
    binomial then. For papers that are alike it is a lower bound of formula 20.
    """
    variance = pvariance(scores) if scores else 0
    if items <= 1 or not variance:
        return None
    mean = fmean(scores)
    return items / (items - 1) * (1 - mean * (items - mean) / (items * variance))


def has_one_paper(takers: Sequence[Taker]) -> bool:
    """Whether everybody had the same items, in whatever order."""
    return len({frozenset(response.item for response in taker.responses) for taker in takers}) == 1


def reliability(takers: Sequence[Taker]) -> Reliability:
    """KR-20 where all had the same items, else KR-21; nothing where the papers differ in length."""
    scores = [taker.right for taker in takers]
    if has_one_paper(takers):
        order = sorted(response.item for response in takers[0].responses)
        rights = [{response.item: response.is_right for response in taker.responses} for taker in takers]
        kind, value = Coefficient.KR20, kr20([[row[item] for item in order] for row in rights])
    else:
        kind, length = Coefficient.KR21, _common_length(takers)
        value = kr21(scores, length) if length else None
    return Reliability(kind, value, None if value is None else pstdev(scores) * math.sqrt(max(0.0, 1 - value)))


def _common_length(takers: Sequence[Taker]) -> int | None:
    lengths = {len(taker.responses) for taker in takers}
    return lengths.pop() if len(lengths) == 1 else None


def subkoviak(scores: Sequence[int], *, items: int, needed: int, reliability: float) -> Consistency:
    """Subkoviak (1976), J. Educ. Measurement 13: consistency of the verdict from one administration.

    Each candidate's true share is Kelley's regressed estimate; a second score is binomial.
    """
    trust = min(1.0, max(0.0, reliability))
    mean = fmean(scores) / items
    passing = [_reaches(needed, items, trust * score / items + (1 - trust) * mean) for score in scores]
    agreement = fmean(chance**2 + (1 - chance) ** 2 for chance in passing)
    overall = fmean(passing)
    by_chance = overall**2 + (1 - overall) ** 2
    return Consistency(agreement, (agreement - by_chance) / (1 - by_chance) if by_chance < 1 else None)


def _reaches(needed: int, items: int, share: float) -> float:
    """The chance of at least so many right answers of so many items."""
    return math.fsum(
        math.comb(items, right) * share**right * (1 - share) ** (items - right) for right in range(needed, items + 1)
    )


def consistency(takers: Sequence[Taker], found: Reliability) -> Consistency | None:
    """Subkoviak's coefficients of a session, where its reliability is known and its papers are of one length.

    Nothing where points for parts of items decided: the coefficients are of whole ones.
    """
    length, needed = _common_length(takers), {taker.needed for taker in takers}
    if found.value is None or length is None or len(needed) > 1 or _parts_decided(takers):
        return None
    return subkoviak([taker.right for taker in takers], items=length, needed=needed.pop(), reliability=found.value)


def _parts_decided(takers: Sequence[Taker]) -> bool:
    return any(taker.passed != (taker.right >= taker.needed) for taker in takers)


def summarise(takers: Sequence[Taker]) -> Scores:
    """How the raw scores lie; there must be at least one."""
    scores = [taker.right for taker in takers]
    passed = sum(taker.passed for taker in takers)
    return Scores(len(scores), passed, fmean(scores), pstdev(scores), min(scores), max(scores))


def point_biserial(rights: Sequence[bool], rests: Sequence[int]) -> float | None:
    """The correlation of an item with the score on the rest of the paper; None where one of them never varies."""
    if len(rights) <= 1 or not (spread := pstdev(rights) * pstdev(rests)):
        return None
    mean, rest_mean = fmean(rights), fmean(rests)
    pairs = zip(rights, rests, strict=True)
    return fmean((right - mean) * (rest - rest_mean) for right, rest in pairs) / spread


def list_items(takers: Sequence[Taker], keys: Mapping[UUID, tuple[ItemType, str, int]]) -> list[ItemLine]:
    """The item table, the most doubtful first; `keys` gives each item's type, key (of several A|C) and options."""
    dealt: dict[UUID, list[tuple[Response, int]]] = defaultdict(list)
    for taker in takers:
        score = taker.right
        for response in taker.responses:
            dealt[response.item].append((response, score - response.is_right))
    lines = [_item_line(item, rows, *keys[item]) for item, rows in dealt.items()]
    order = list(ItemFlag)
    return sorted(lines, key=lambda line: (order.index(line.flags[0]) if line.flags else len(order), line.p, line.item))


def _item_line(
    item: UUID, rows: Sequence[tuple[Response, int]], item_type: ItemType, key: str, options: int
) -> ItemLine:
    rights = [response.is_right for response, _ in rows]
    letters = "TF" if item_type is ItemType.TF else "ABCDEFGH"[:options]
    chosen = Counter(letter for response, _ in rows for letter in response.choice)
    counts = {letter: chosen[letter] for letter in letters}
    discrimination = point_biserial(rights, [rest for _, rest in rows])
    return ItemLine(
        item=item,
        count=len(rows),
        right=sum(rights),
        discrimination=discrimination,
        options=counts,
        blank=sum(not response.choice for response, _ in rows),
        flags=_item_flags(item_type, key, counts, count=len(rows), right=sum(rights), discrimination=discrimination),
    )


def _item_flags(
    item_type: ItemType, key: str, counts: Mapping[str, int], *, count: int, right: int, discrimination: float | None
) -> tuple[ItemFlag, ...]:
    if count < _JUDGED_FROM:
        return ()
    wrong = [chosen for letter, chosen in counts.items() if letter not in key]
    right_ones = [chosen for letter, chosen in counts.items() if letter in key]
    found = {
        ItemFlag.NEGATIVE: discrimination is not None and discrimination < -_CLEARLY / math.sqrt(count),
        ItemFlag.DISTRACTOR: item_type is not ItemType.MC and max(wrong, default=0) > max(right_ones, default=0),
        ItemFlag.HARD: right / count < _HARD,
        ItemFlag.EASY: right / count > _EASY,
    }
    return tuple(flag for flag, holds in found.items() if holds)

"""Papers that are equally hard: a seeded search swaps items until a paper meets its blueprint's target.

Pure, and the same on any machine for the same seed, bank, limits, resting items and neighbours:
whole numbers only, and a random stream of our own.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np

from exams.papers import Choice, Paper, Stream, arrange
from exams.rasch import SCALE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from uuid import UUID

    from exams.paper_bank import Bank, Mask
    from exams.rasch import Whole

ALGORITHM = "equate-1"
_THOUSAND = 1000
_PERCENT = 100
_ROUNDS = 60  # of some random swaps each, one and two at a time; then rounds of every swap there is
_PAIRS = 320
_LAST_ROUNDS = 12
_NEVER = np.iinfo(np.int64).max


class Shortfall(StrEnum):
    """What a paper could not keep, for people to see."""

    SCORE = "SCORE"
    INFORMATION = "INFORMATION"
    KEY_POINTS = "KEY_POINTS"
    ENEMIES = "ENEMIES"
    OVERLAP = "OVERLAP"
    EXPOSURE = "EXPOSURE"


@dataclass(frozen=True, slots=True)
class Limits:
    """The rules `paper.*`. `score_tolerance` is in thousandths of an item."""

    local_percent: int = 10
    score_tolerance: int = 50
    information_percent: int = 4
    overlap_percent: int = 40


@dataclass(frozen=True, slots=True)
class Equating:
    """How a paper stands to its target, in thousandths of an item or logit.

    `error` is what the uncertain difficulties leave open of the expected score; `shared` the most
    items that it has in common with a neighbour's paper.
    """

    is_equated: bool
    reasons: tuple[Shortfall, ...]
    ability: int
    target_score: int
    score: int
    target_information: int
    information: int
    error: int
    swaps: int
    shared: int

    def detail(self) -> dict[str, Any]:
        """The form that the sitting's first event keeps."""
        return {**asdict(self), "reasons": [reason.value for reason in self.reasons]}

    @classmethod
    def read(cls, detail: Mapping[str, Any]) -> Equating:
        """What `detail` kept."""
        return cls(**{**detail, "reasons": tuple(map(Shortfall, detail["reasons"]))})


@dataclass(frozen=True, slots=True)
class EquatedPaper:
    """A paper with the proof that it is as hard as any other, or with the reasons why it may not be."""

    paper: Paper
    equating: Equating


def equate_paper(
    bank: Bank,
    *,
    seed: int,
    limits: Limits,
    resting: Collection[UUID] = (),
    neighbours: Sequence[Collection[UUID]] = (),
) -> EquatedPaper:
    """The paper of a seed, drawn by the blueprint's rules and then swapped to the target.

    `resting` are items that came too often (`overexposed`); `neighbours` are the revisions on the
    papers of the seats beside. A paper that misses the target still keeps the blueprint's rules,
    and `reasons` says what it misses.
    """
    search = _Search(bank, seed, limits, bank.mask(resting), [bank.mask(paper) for paper in neighbours])
    search.part_enemies()
    search.part_neighbours()
    search.near_target()
    items = [bank.items[place] for place in search.chosen.tolist()]
    paper = Paper(
        items=arrange(items, Stream(seed, algorithm=ALGORITHM)),
        local_count=search.local_count,
        repeated=search.repeated(),
        algorithm=ALGORITHM,
    )
    return EquatedPaper(paper, search.result())


class _Search:
    """A paper under way. A slot is a position of the paper and belongs to one cell for good."""

    def __init__(self, bank: Bank, seed: int, limits: Limits, resting: Mask, neighbours: Sequence[Mask]) -> None:
        self._bank, self._seed, self._limits, self._resting, self._neighbours = bank, seed, limits, resting, neighbours
        self._reasons: list[Shortfall] = []
        self._swaps = 0
        keys = np.frombuffer(self._noise("draw", 8 * len(bank.items)), dtype=">u8").astype(np.uint64)
        self._order = np.lexsort((keys, bank.cell))
        self.chosen = self._draw()
        self._taken = np.zeros(len(bank.items), dtype=np.bool_)
        self._taken[self.chosen] = True
        self._uses = np.bincount(bank.point[self.chosen], minlength=int(bank.point.max()) + 1)
        self._foes = np.zeros(len(bank.items), dtype=np.int64)
        for place in self.chosen.tolist():
            self._foes[bank.enemies.get(place, [])] += 1
        self.local_count = int(bank.is_local[self.chosen].sum())
        self._local_needed = min(math.ceil(bank.total * limits.local_percent / _PERCENT), self.local_count)
        self._shared = [int(mask[self.chosen].sum()) for mask in neighbours]
        self._most_shared = bank.total * limits.overlap_percent // _PERCENT
        self._score_gap = int(bank.score[self.chosen].sum()) - bank.target_score
        self._information_gap = int(bank.information[self.chosen].sum()) - bank.target_information
        self._score_tolerance = limits.score_tolerance * SCALE // _THOUSAND
        self._information_tolerance = max(bank.target_information * limits.information_percent // _PERCENT, 1)

    def _noise(self, purpose: str, size: int) -> bytes:
        return hashlib.shake_256(f"{ALGORITHM}:{self._seed}:{purpose}".encode()).digest(size)

    def _draw(self) -> Whole:
        """The places of a paper by the blueprint's rules; resting items come only where there is no other way."""
        choice, is_short = self._choose(self._resting)
        if choice.repeated() and self._resting.any():
            other, _ = self._choose(np.zeros_like(self._resting))
            if len(other.repeated()) < len(choice.repeated()):
                choice, is_short = other, True
        if is_short:
            self._reasons.append(Shortfall.EXPOSURE)
        return np.array([self._bank.place[item.revision_id] for item in choice.items()], dtype=np.int64)

    def _choose(self, left_out: Mask) -> tuple[Choice, bool]:
        bank, is_short = self._bank, False
        stock = []
        for number, cell in enumerate(bank.cells):
            there = self._order[bank.starts[number] : bank.starts[number + 1]]
            fresh = there[~left_out[there]]
            if len(fresh) < cell.count:
                fresh, is_short = np.concatenate([fresh, there[left_out[there]]]), True
            stock.append([bank.items[place] for place in fresh.tolist()])
        choice = Choice(bank.cells, stock)
        choice.fill()
        choice.favour_local(Stream(self._seed, algorithm=f"{ALGORITHM}:local"), share=self._limits.local_percent)
        return choice, is_short

    def _may_swap(self, slots: Whole, others: Whole) -> Mask:
        """Whether the items of the slots may give way to these others of their cells; broadcasts."""
        bank = self._bank
        leaving = self.chosen[slots]
        may: Mask = ~(self._taken[others] | self._resting[others]) & (self._foes[others] == 0)
        may &= self._uses[bank.point[others]] == (bank.point[others] == bank.point[leaving])
        if self.local_count <= self._local_needed:
            may &= bank.is_local[others] | ~bank.is_local[leaving]
        for shared, mask in zip(self._shared, self._neighbours, strict=True):
            if shared >= self._most_shared:
                may &= ~mask[others] | mask[leaving]
        return may

    def _swap(self, slot: int, place: int) -> None:
        bank, leaving = self._bank, int(self.chosen[slot])
        for one, step in ((leaving, -1), (place, 1)):
            self._taken[one] = step > 0
            self._uses[bank.point[one]] += step
            self._foes[bank.enemies.get(one, [])] += step
            self.local_count += step * int(bank.is_local[one])
            self._shared = [
                shared + step * int(mask[one]) for shared, mask in zip(self._shared, self._neighbours, strict=True)
            ]
            self._score_gap += step * int(bank.score[one])
            self._information_gap += step * int(bank.information[one])
        self.chosen[slot] = place
        self._swaps += 1

    def _cell_of(self, slot: int) -> Whole:
        """The places of a slot's cell, in the seed's order."""
        number = self._bank.cell[self.chosen[slot]]
        return self._order[self._bank.starts[number] : self._bank.starts[number + 1]]

    def part_enemies(self) -> None:
        """Send one of every two enemies away."""
        for slot in range(len(self.chosen)):
            if self._foes[self.chosen[slot]]:
                self._replace(slot, self._cell_of(slot))
        if self._foes[self.chosen].any():
            self._reasons.append(Shortfall.ENEMIES)

    def part_neighbours(self) -> None:
        """Exchange what is on too many papers of the seats beside."""
        for number, mask in enumerate(self._neighbours):
            for slot in np.flatnonzero(mask[self.chosen]).tolist():
                if self._shared[number] <= self._most_shared:
                    break
                cell = self._cell_of(slot)
                self._replace(slot, cell[~mask[cell]])
        if any(shared > self._most_shared for shared in self._shared):
            self._reasons.append(Shortfall.OVERLAP)

    def _replace(self, slot: int, others: Whole) -> None:
        fitting = others[self._may_swap(np.array(slot), others)]
        if len(fitting):
            self._swap(slot, int(fitting[0]))

    def near_target(self) -> None:
        """Swap until score and information are near enough, by the best of some random swaps, then of all."""
        for number in range(_ROUNDS):
            if self._is_near():
                return
            slots, others = self._random_swaps(number)
            if number % 2:
                self._take_best_two(slots, others)
            else:
                self._take_best(slots, others)
        if not self._is_near():
            slots, others = self._every_swap()
            for _ in range(_LAST_ROUNDS):
                if self._is_near() or not self._take_best(slots, others):
                    break
        if abs(self._score_gap) > self._score_tolerance:
            self._reasons.append(Shortfall.SCORE)
        if abs(self._information_gap) > self._information_tolerance:
            self._reasons.append(Shortfall.INFORMATION)

    def _is_near(self) -> bool:
        return (
            abs(self._score_gap) <= self._score_tolerance and abs(self._information_gap) <= self._information_tolerance
        )

    def _random_swaps(self, number: int) -> tuple[Whole, Whole]:
        noise = np.frombuffer(self._noise(f"round {number}", 8 * _PAIRS), dtype=">u4").astype(np.int64)
        slots = noise[:_PAIRS] % len(self.chosen)
        cell = self._bank.cell[self.chosen[slots]]
        start = self._bank.starts[cell]
        return slots, start + noise[_PAIRS:] % (self._bank.starts[cell + 1] - start)

    def _every_swap(self) -> tuple[Whole, Whole]:
        parts = [self._cell_of(slot) for slot in range(len(self.chosen))]
        slots = np.repeat(np.arange(len(parts), dtype=np.int64), [len(part) for part in parts])
        return slots, np.concatenate(parts)

    def _take_best(self, slots: Whole, others: Whole) -> bool:
        """Make the swap that brings the paper nearest, if any brings it nearer than it is."""
        gap = self._gap_after(*self._changes(slots, others))
        gap[~self._may_swap(slots, others)] = _NEVER
        best = int(gap.argmin())
        if gap[best] >= self._gap_now():
            return False
        self._swap(int(slots[best]), int(others[best]))
        return True

    def _take_best_two(self, slots: Whole, others: Whole) -> None:
        """The same with two swaps at once: within a cell, items of one score have one information."""
        half = len(slots) // 2
        score, information = self._changes(slots, others)
        gap = self._gap_after(score[:half] + score[half:], information[:half] + information[half:])
        may = self._may_swap(slots, others)
        gap[~(may[:half] & may[half:]) | (slots[:half] == slots[half:])] = _NEVER
        best = int(gap.argmin())
        if gap[best] >= self._gap_now():
            return
        first, second, leaving = int(slots[best]), int(slots[best + half]), int(self.chosen[slots[best]])
        self._swap(first, int(others[best]))
        if self._may_swap(slots[best + half], others[best + half]):
            self._swap(second, int(others[best + half]))
        else:
            self._swap(first, leaving)

    def _changes(self, slots: Whole, others: Whole) -> tuple[Whole, Whole]:
        bank, leaving = self._bank, self.chosen[slots]
        return bank.score[others] - bank.score[leaving], bank.information[others] - bank.information[leaving]

    def _gap_after(self, score: Whole, information: Whole) -> Whole:
        return self._distance(self._score_gap + score, self._information_gap + information)

    def _gap_now(self) -> int:
        return int(self._gap_after(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64))[0])

    def _distance(self, score_gap: Whole, information_gap: Whole) -> Whole:
        """Both gaps, each in its tolerance."""
        near: Whole = abs(score_gap) * self._information_tolerance + abs(information_gap) * self._score_tolerance
        return near

    def repeated(self) -> tuple[str, ...]:
        """Key points that are asked more than once."""
        again = self.chosen[self._uses[self._bank.point[self.chosen]] > 1]
        return tuple(sorted({self._bank.items[place].key_point for place in again.tolist()}))

    def result(self) -> Equating:
        """How the paper stands now."""
        bank = self._bank
        if self.repeated():
            self._reasons.append(Shortfall.KEY_POINTS)
        missed = {Shortfall.SCORE, Shortfall.INFORMATION} & set(self._reasons)
        return Equating(
            is_equated=not missed,
            reasons=tuple(one for one in Shortfall if one in self._reasons),
            ability=bank.ability,
            target_score=_thousandths(bank.target_score),
            score=_thousandths(bank.target_score + self._score_gap),
            target_information=_thousandths(bank.target_information),
            information=_thousandths(bank.target_information + self._information_gap),
            error=math.isqrt(int(bank.error[self.chosen].sum()) * _THOUSAND * _THOUSAND // SCALE),
            swaps=self._swaps,
            shared=max(self._shared, default=0),
        )


def _thousandths(scaled: int) -> int:
    return (scaled * _THOUSAND + SCALE // 2) // SCALE

"""How alike papers are: the equated deal against the plain one by the same blueprint, in the same run."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from exams.equating import Limits, equate_paper
from exams.paper_bank import overexposed, prepare
from exams.papers import draw_paper
from exams.rasch import GUESSED_QUARTERS
from question_bank.difficulty import Difficulty
from tests.makers.papers import CELLS, make_pool

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from uuid import UUID

    from numpy.typing import NDArray

    from exams.paper_bank import Bank
    from exams.papers import Paper
    from question_bank.queries import PoolItem

    Numbers = NDArray[np.float64]

PAPERS = 1000
CUT = 80
_ROW = 10  # seats of a row: whoever sits beside and in front is a neighbour
_COUNTED_EVERY = 50  # papers, as a background task would count exposure
_CEILING = 12
# design.md §6 and issue 3: range, highest exposure, milliseconds.
_EXPOSURE, _MILLISECONDS = 0.12, 10.0


@dataclass(frozen=True)
class _Case:
    """A bank and how well its difficulties are known. `widest` is the budget for the range."""

    name: str
    times: int
    error: float
    widest: float | None


CASES = (
    _Case("3,000 items, known", 30, 0.0, 0.05),
    _Case("600 items, known", 6, 0.0, 0.05),
    _Case("3,000 items, error 0.30", 30, 0.3, 0.30),
)


def run() -> Iterator[dict[str, Any]]:
    for case in CASES:
        yield from _measure(case)


def _measure(case: _Case) -> Iterator[dict[str, Any]]:
    chance = np.random.default_rng(20_261_121)
    pool = make_pool(case.times)
    true = chance.normal(-0.5, 1.0, len(pool))
    known = true + chance.normal(0.0, case.error, len(pool)) if case.error else true
    se = round(case.error * 1000)
    bank = prepare(pool, [Difficulty(round(b * 1000), se) for b in known], CELLS, cut=CUT)
    right = _chances(pool, true)
    missed: list[int] = []
    equated, equated_ms = _timed(lambda: list(_deal_rooms(bank, missed)))
    plain, plain_ms = _timed(lambda: [draw_paper(pool, CELLS, seed=seed) for seed in range(PAPERS)])
    ours, theirs = _Spread.of(equated, pool, right), _Spread.of(plain, pool, right)
    exposed = _EXPOSURE if case.times > 1 / _EXPOSURE else None  # a narrow bank deals each item more often than that
    for name, value, unit, other, budget in (
        ("range of a borderline candidate's chance to pass", ours.width, "", theirs.width, case.widest),
        ("SD of the expected score", ours.score_sd, "items", theirs.score_sd, None),
        ("highest exposure", ours.exposure, "", theirs.exposure, exposed),
        ("mean overlap of two papers", ours.overlap, "items", theirs.overlap, None),
        ("most items shared with a neighbour", ours.shared, "items", theirs.shared, None),
        ("CPU per paper", equated_ms, "ms", plain_ms, _MILLISECONDS),
        ("papers that missed the target", len(missed), "", None, None),
    ):
        yield {
            "name": f"{case.name}: {name}",
            "value": round(value, 4),
            "unit": unit,
            "reference": None if other is None else round(other, 4),
            "ratio": round(value / other, 4) if other else None,
            "budget": budget,
        }


def _chances(pool: list[PoolItem], b: Numbers) -> Numbers:
    """Of a candidate who would just pass if every item of the bank were asked in the blueprint's proportions."""
    guessed = np.array([GUESSED_QUARTERS[item.type] / 4 for item in pool])
    places = {(cell.area, cell.type): cell.count for cell in CELLS}
    sizes = Counter((item.area, item.type) for item in pool)
    weight = np.array([places[item.area, item.type] / sizes[item.area, item.type] for item in pool])
    low, high = -6.0, 6.0
    for _ in range(40):
        ability = (low + high) / 2
        right = guessed + (1 - guessed) / (1 + np.exp(b - ability))
        low, high = (low, ability) if weight @ right >= CUT else (ability, high)
    found: Numbers = right
    return found


def _deal_rooms(bank: Bank, missed: list[int]) -> Iterator[Paper]:
    """Papers seat after seat, as in practice: with neighbours, and items that come too often at rest."""
    dealt: Counter[UUID] = Counter()
    resting: frozenset[UUID] = frozenset()
    papers: list[frozenset[UUID]] = []
    for seed in range(PAPERS):
        if seed % _COUNTED_EVERY == 0:
            resting = overexposed(bank, dealt, papers=seed, ceiling_percent=_CEILING)
        beside = [papers[seed - away] for away in (1, _ROW) if seed >= away]
        done = equate_paper(bank, seed=seed, limits=Limits(), resting=resting, neighbours=beside)
        if not done.equating.is_equated:
            missed.append(seed)
        papers.append(frozenset(item.revision_id for item in done.paper.items))
        dealt.update(papers[-1])
        yield done.paper


def _timed(work: Callable[[], list[Paper]]) -> tuple[list[Paper], float]:
    before = time.process_time()
    papers = work()
    return papers, (time.process_time() - before) / PAPERS * 1000


@dataclass(frozen=True)
class _Spread:
    width: float
    score_sd: float
    exposure: float
    overlap: float
    shared: float

    @classmethod
    def of(cls, papers: list[Paper], pool: list[PoolItem], right: Numbers) -> _Spread:
        place = {item.revision_id: number for number, item in enumerate(pool)}
        asked = np.array([[place[item.revision_id] for item in paper.items] for paper in papers])
        on = np.zeros((len(papers), len(pool)))
        np.put_along_axis(on, asked, 1.0, axis=1)
        passes = _passes(right[asked])
        common = on @ on.T
        beside = [common.diagonal(away).max() for away in (1, _ROW)]
        return cls(
            width=float(passes.max() - passes.min()),
            score_sd=float(right[asked].sum(axis=1).std()),
            exposure=float(on.mean(axis=0).max()),
            overlap=float((common.sum() - common.trace()) / (len(papers) * (len(papers) - 1))),
            shared=float(max(beside)),
        )


def _passes(right: Numbers) -> Numbers:
    """The chance of `CUT` or more right answers on each paper, exactly."""
    papers, items = right.shape
    scores = np.zeros((papers, items + 1))
    scores[:, 0] = 1.0
    for number in range(items):
        chance = right[:, number : number + 1]
        scores[:, 1:] = scores[:, 1:] * (1 - chance) + scores[:, :-1] * chance
        scores[:, :1] *= 1 - chance
    found: Numbers = scores[:, CUT:].sum(axis=1)
    return found

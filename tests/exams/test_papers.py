"""Dealing papers: right counts, no repeats, local share, and the same for ever."""

from __future__ import annotations

from collections import Counter
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exams.papers import BankTooSmall, Paper, Stream, draw_paper, paper_items, stock_by_cell, wanted_cells
from question_bank.models import CellLevel, ItemLevel, ItemType
from question_bank.queries import Cell, PoolItem

TF, SC, MC = ItemType.TF, ItemType.SC, ItemType.MC


def item(
    serial: int, *, area: int = 1, kind: ItemType = TF, point: str = "", is_local: bool = False,
    level: ItemLevel = ItemLevel.GRASP,
) -> PoolItem:  # fmt: skip
    return PoolItem(
        revision_id=UUID(int=serial),
        area=area,
        type=kind,
        level=level,
        key_point=point or f"要点{serial}",
        is_local=is_local,
        option_count=0 if kind is TF else 4 if kind is SC else 5,
    )


def cell(area: int, kind: ItemType, count: int, level: CellLevel = CellLevel.ANY) -> Cell:
    return Cell(area=area, area_name=f"领域{area}", weight_percent=10, type=kind, count=count, level=level)


def big_pool() -> list[PoolItem]:
    return [
        item(area * 1000 + place * 10 + number, area=area, kind=kind, is_local=number == 9)
        for area in range(1, 6)
        for place, kind in enumerate((TF, SC, MC))
        for number in range(10)
    ]


CELLS = [cell(area, kind, count) for area in range(1, 6) for kind, count in ((TF, 4), (SC, 3), (MC, 1))]


FIRST = [(4009, ()), (2005, ())]
LAST = [(1029, (1, 3, 0, 4, 2))]
NUMBERS = [463, 40, 627, 574, 870]


def test_the_paper_of_a_seed_never_changes() -> None:
    """A stored sitting must be drawn again years later: if this fails, the algorithm needs a new name."""
    paper = draw_paper(big_pool(), CELLS, seed=20_261_121)
    assert paper.algorithm == "draw-1"
    assert [(entry.revision_id.int, entry.order) for entry in paper.items][:2] == FIRST
    assert [(entry.revision_id.int, entry.order) for entry in paper.items][-1:] == LAST


def test_the_random_numbers_are_those_of_the_written_rule() -> None:
    stream = Stream(7)
    assert [stream.below(1000) for _ in range(5)] == NUMBERS


def test_the_order_in_which_the_pool_is_read_does_not_matter() -> None:
    assert draw_paper(big_pool(), CELLS, seed=3) == draw_paper(reversed(big_pool()), reversed(CELLS), seed=3)


@given(st.integers(min_value=-(2**63), max_value=2**63 - 1))
@settings(max_examples=60, deadline=None)
def test_every_paper_follows_the_blueprint(seed: int) -> None:
    pool = {entry.revision_id: entry for entry in big_pool()}
    paper = draw_paper(pool.values(), CELLS, seed=seed)
    drawn = [pool[entry.revision_id] for entry in paper.items]
    assert Counter((entry.area, entry.type) for entry in drawn) == {(c.area, c.type): c.count for c in CELLS}
    assert len({entry.key_point for entry in drawn}) == len(drawn)
    assert paper.local_count == sum(entry.is_local for entry in drawn) >= 4
    assert [entry.type for entry in drawn] == sorted((entry.type for entry in drawn), key=list(ItemType).index)
    for entry, known in zip(paper.items, drawn, strict=True):
        assert sorted(entry.order) == list(range(known.option_count))


@st.composite
def tight_banks(draw: st.DrawFn) -> tuple[list[PoolItem], list[Cell]]:
    """One area whose types share key points: the first free item may be another cell's only one."""
    points = draw(st.integers(2, 6))
    pool = [
        item(kind_no * 100 + number, kind=kind, point=f"要点{draw(st.integers(1, points))}")
        for kind_no, kind in enumerate((TF, SC, MC))
        for number in range(draw(st.integers(1, 5)))
    ]
    there = Counter(entry.type for entry in pool)
    return pool, [cell(1, kind, draw(st.integers(0, there[kind]))) for kind in (TF, SC, MC)]


def most_distinct(pool: list[PoolItem], cells: list[Cell]) -> int:
    """By trying everything: how many different key points a paper can have."""
    slots = [c.type for c in cells for _ in range(c.count)]
    offered = {kind: {entry.key_point for entry in pool if entry.type is kind} for kind in (TF, SC, MC)}
    reachable: set[frozenset[str]] = {frozenset()}
    for kind in slots:
        reachable |= {used | {point} for used in reachable for point in offered[kind] - used}
    return max(len(used) for used in reachable)


@given(tight_banks(), st.integers(0, 2**32))
@settings(max_examples=150, deadline=None)
def test_a_key_point_is_repeated_only_when_there_is_no_other_way(
    bank: tuple[list[PoolItem], list[Cell]], seed: int
) -> None:
    pool, cells = bank
    by_id = {entry.revision_id: entry for entry in pool}
    paper = draw_paper(pool, cells, seed=seed, local_percent=0)
    drawn = [by_id[entry.revision_id] for entry in paper.items]
    assert len({entry.revision_id for entry in drawn}) == sum(c.count for c in cells)
    assert len({entry.key_point for entry in drawn}) == most_distinct(pool, cells)
    assert bool(paper.repeated) == (len({entry.key_point for entry in drawn}) < len(drawn))


def test_a_bank_that_is_too_small_names_the_cell() -> None:
    with pytest.raises(BankTooSmall, match="知识领域 2 的多选题需要 3 题，已发布 1 题"):
        draw_paper([item(1), item(2, area=2, kind=MC)], [cell(1, TF, 1), cell(2, MC, 3)], seed=1)


def test_local_items_fill_their_share_as_far_as_they_go() -> None:
    pool = [item(number, is_local=number < 2) for number in range(40)]
    assert draw_paper(pool, [cell(1, TF, 10)], seed=5, local_percent=20).local_count == 2
    assert draw_paper(pool, [cell(1, TF, 10)], seed=5, local_percent=50).local_count == 2


def test_no_item_comes_twice_though_its_key_point_must() -> None:
    pool = [item(number, point="要点", is_local=number == 3) for number in range(4)]
    for seed in range(40):
        paper = draw_paper(pool, [cell(1, TF, 3)], seed=seed, local_percent=50)
        assert len({entry.revision_id for entry in paper.items}) == 3


def test_every_item_has_the_same_chance() -> None:
    seen = Counter(
        entry.revision_id.int
        for seed in range(2000)
        for entry in draw_paper([item(number) for number in range(1, 11)], [cell(1, TF, 5)], seed=seed).items
    )
    assert min(seen.values()) > 900
    assert max(seen.values()) < 1100


def test_a_stored_paper_reads_back_the_same() -> None:
    paper: Paper = draw_paper(big_pool(), CELLS, seed=11)
    assert paper_items(paper.stored()) == paper.items


def test_shown_letters_lead_back_to_the_revisions_own() -> None:
    paper = draw_paper(big_pool(), CELLS, seed=11)
    multiple = paper.items[-1]
    shown = "AC"
    expected = "".join(sorted("ABCDE"[multiple.order["ABCDE".index(letter)]] for letter in shown))
    assert multiple.original(shown) == expected
    assert multiple.original("T") == "?"


levels = st.sampled_from(ItemLevel)


@given(st.lists(levels, min_size=12, max_size=30), st.dictionaries(levels, st.integers(1, 2)), st.integers(0, 2**32))
@settings(max_examples=80, deadline=None)
def test_each_level_gets_its_count_and_no_item_comes_twice(
    there: list[ItemLevel], wanted: dict[ItemLevel, int], seed: int
) -> None:
    pool = [item(serial, level=level) for serial, level in enumerate(there, start=1)]
    pool += [item(100 + serial, kind=SC, level=level) for serial, level in enumerate(there, start=1)]
    cells = [cell(1, TF, count, CellLevel(level.value)) for level, count in wanted.items()] + [cell(1, SC, 5)]
    if any(there.count(level) < count for level, count in wanted.items()):
        with pytest.raises(BankTooSmall):
            draw_paper(pool, cells, seed=seed)
        return
    by_id = {entry.revision_id: entry for entry in pool}
    drawn = [by_id[entry.revision_id] for entry in draw_paper(pool, cells, seed=seed).items]
    assert len(set(drawn)) == len(drawn) == sum(wanted.values()) + 5
    assert Counter(entry.level for entry in drawn if entry.type is TF) == wanted


def test_a_cell_for_any_level_leaves_the_levels_that_have_their_own() -> None:
    pool = [item(serial, level=level) for serial, level in enumerate([*ItemLevel] * 4, start=1)]
    stock = stock_by_cell(pool, wanted_cells([cell(1, TF, 3, CellLevel.KNOW), cell(1, TF, 8)]))
    assert [{entry.level for entry in part} for part in stock] == [
        {ItemLevel.GRASP, ItemLevel.MASTER},
        {ItemLevel.KNOW},
    ]
    with pytest.raises(BankTooSmall, match="熟练掌握"):
        draw_paper(pool, [cell(1, TF, 5, CellLevel.MASTER)], seed=1)

"""Dealing a paper from a pool by a blueprint's cells: pure, and the same on any machine for the same seed."""

from __future__ import annotations

import hashlib
import math
import struct
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from uuid import UUID

from question_bank.cells import cell_of
from question_bank.models import CellLevel, ItemType
from training.errors import N_, Conflict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from question_bank.cells import CellKey
    from question_bank.queries import Cell, PoolItem

ALGORITHM = "draw-1"
LETTERS = "ABCDEFGH"
_TYPES = tuple(ItemType)
_LEVELS = tuple(CellLevel)
_ALL = 1 << 32
_EIGHT_NUMBERS = struct.Struct(">8I").unpack
# The same few hundred keys come on every paper.
revision_id_of = lru_cache(maxsize=50_000)(UUID)
_text_of = lru_cache(maxsize=50_000)(str)


class BankTooSmall(Conflict):
    """A cell of the blueprint asks for more items than the bank has."""

    message = N_(
        "题库不足，暂时不能组卷：知识领域 {area} 的{type}需要 {needed} 题，已发布 {there} 题。请联系管理人员补充。"
    )
    of_level = N_(
        "题库不足，暂时不能组卷：知识领域 {area} 的{type}（{level}）需要 {needed} 题，已发布 {there} 题。"
        "请联系管理人员补充。"
    )


@dataclass(frozen=True, slots=True)
class PaperItem:
    """An item at its position. `order[0]` is the original index of the option that is shown as "A"."""

    revision_id: UUID
    order: tuple[int, ...]

    def original(self, choice: str) -> str:
        """The displayed letters as the revision's own letters; "T", "F" and nonsense stay as they are."""
        if not self.order:
            return choice
        places = [LETTERS.find(letter) for letter in choice]
        if any(not 0 <= place < len(self.order) for place in places):
            return "?"
        return "".join(sorted(LETTERS[self.order[place]] for place in places))

    def displayed(self, key: str) -> str:
        """The revision's own letters as this candidate saw them; the way back of `original`."""
        if not self.order:
            return key
        return "".join(sorted(LETTERS[self.order.index(LETTERS.index(letter))] for letter in key))


@dataclass(frozen=True, slots=True)
class Paper:
    """One candidate's paper. `repeated` names key points that the bank could not avoid asking twice."""

    items: tuple[PaperItem, ...]
    local_count: int
    repeated: tuple[str, ...] = ()
    algorithm: str = ALGORITHM

    def stored(self) -> list[dict[str, Any]]:
        """The form that a sitting keeps."""
        return [{"revision": _text_of(item.revision_id), "order": list(item.order)} for item in self.items]


def paper_items(stored: Iterable[Mapping[str, Any]]) -> tuple[PaperItem, ...]:
    """What `Paper.stored` kept, by position from 1 on."""
    return tuple(PaperItem(revision_id_of(row["revision"]), tuple(row["order"])) for row in stored)


class Stream:
    """Our own random numbers, since Python's `random` promises no stability between versions.

    Block n is SHA-256 of the algorithm's name ("draw-1"), the seed and n; each block gives eight
    numbers of 32 bits.
    """

    def __init__(self, seed: int, *, algorithm: str = ALGORITHM) -> None:
        self._key = hashlib.sha256(f"{algorithm}:{seed}:".encode())
        self._block = 0
        self._waiting: list[int] = []

    def below(self, limit: int) -> int:
        """A number from 0 to `limit` - 1, each equally likely (numbers that would bias are thrown away)."""
        fair = _ALL - _ALL % limit
        while True:
            if not self._waiting:
                self._refill()
            number = self._waiting.pop()
            if number < fair:
                return number % limit

    def _refill(self) -> None:
        block = self._key.copy()
        block.update(self._block.to_bytes(8, "big"))
        self._block += 1
        self._waiting = list(_EIGHT_NUMBERS(block.digest()))
        self._waiting.reverse()

    def shuffle(self, things: list[Any]) -> None:
        """Fisher-Yates, in place, by `below`, which is written out here: a paper asks it a thousand times."""
        for count in range(len(things), 1, -1):
            fair = _ALL - _ALL % count
            number = fair
            while number >= fair:
                if not self._waiting:
                    self._refill()
                number = self._waiting.pop()
            last, other = count - 1, number % count
            things[last], things[other] = things[other], things[last]


def draw_paper(pool: Iterable[PoolItem], cells: Iterable[Cell], *, seed: int, local_percent: int = 10) -> Paper:
    """The paper of a seed.

    Each cell gets its count; no key point is asked twice unless the bank leaves no other way; at
    least `local_percent` of the items are local where the bank allows. Items stand grouped by
    type, shuffled within; the options of SC and MC are shuffled. Raises `BankTooSmall`.
    """
    stream = Stream(seed)
    wanted = wanted_cells(cells)
    stock = stock_by_cell(pool, wanted)
    for items in stock:
        stream.shuffle(items)
    chosen = Choice(wanted, stock)
    chosen.fill()
    chosen.favour_local(stream, share=local_percent)
    return Paper(items=arrange(chosen.items(), stream), local_count=chosen.local_count(), repeated=chosen.repeated())


def wanted_cells(cells: Iterable[Cell]) -> list[Cell]:
    """The cells from which a paper takes anything, by area, type and level."""
    return sorted(
        (cell for cell in cells if cell.count),
        key=lambda cell: (cell.area, _TYPES.index(cell.type), _LEVELS.index(cell.level)),
    )


def stock_by_cell(pool: Iterable[PoolItem], cells: Sequence[Cell]) -> list[list[PoolItem]]:
    """What the pool offers each cell, by revision id; an item goes to one cell. Raises `BankTooSmall`."""
    by_cell: dict[CellKey, list[PoolItem]] = {cell.key: [] for cell in cells}
    for item in sorted(pool, key=lambda item: item.revision_id.bytes):
        if key := cell_of(item, by_cell):
            by_cell[key].append(item)
    for cell in cells:
        if (there := len(by_cell[cell.key])) < cell.count:
            raise _too_small(cell, there)
    return [by_cell[cell.key] for cell in cells]


def _too_small(cell: Cell, there: int) -> BankTooSmall:
    kind = _TYPE_NAMES[cell.type]
    if cell.level is CellLevel.ANY:
        return BankTooSmall(area=cell.area, type=kind, needed=cell.count, there=there)
    return BankTooSmall(
        BankTooSmall.of_level, area=cell.area, type=kind, level=_LEVEL_NAMES[cell.level], needed=cell.count, there=there
    )


def arrange(items: Iterable[PoolItem], stream: Stream) -> tuple[PaperItem, ...]:
    """Items grouped by type and shuffled within, each with its options shuffled."""
    groups: dict[ItemType, list[PoolItem]] = {kind: [] for kind in _TYPES}
    for item in items:
        groups[item.type].append(item)
    ordered: list[PaperItem] = []
    for group in groups.values():
        stream.shuffle(group)
        ordered.extend(PaperItem(item.revision_id, _option_order(item, stream)) for item in group)
    return tuple(ordered)


_TYPE_NAMES = {ItemType.TF: N_("判断题"), ItemType.SC: N_("单选题"), ItemType.MC: N_("多选题")}
_LEVEL_NAMES = {CellLevel.KNOW: N_("了解"), CellLevel.GRASP: N_("掌握"), CellLevel.MASTER: N_("熟练掌握")}


def _option_order(item: PoolItem, stream: Stream) -> tuple[int, ...]:
    order = list(range(item.option_count)) if item.type is not ItemType.TF else []
    stream.shuffle(order)
    return tuple(order)


class Choice:
    """Items chosen per cell, with the key points that are in use.

    A matching of cells to key points (each at most once): when a cell finds all its key points
    taken, another cell that took one moves to another of its own, and so on down the line.
    """

    def __init__(self, cells: Sequence[Cell], stock: list[list[PoolItem]]) -> None:
        self._cells = cells
        self._stock = stock
        self._chosen: list[dict[str, PoolItem]] = [{} for _ in cells]
        self._extra: list[list[PoolItem]] = [[] for _ in cells]
        self._holder: dict[str, int] = {}

    def fill(self) -> None:
        """Give each cell its count."""
        for index, cell in enumerate(self._cells):
            self._take_free(index, cell.count)
        for index, cell in enumerate(self._cells):
            while len(self._chosen[index]) < cell.count and self._find_way(index, set()):
                pass
        for index, cell in enumerate(self._cells):
            self._take_repeats(index, cell.count - len(self._chosen[index]))

    def _take_free(self, index: int, count: int) -> None:
        chosen = self._chosen[index]
        for item in self._stock[index]:
            if len(chosen) == count:
                return
            if item.key_point not in self._holder:
                chosen[item.key_point] = item
                self._holder[item.key_point] = index

    def _find_way(self, index: int, tried: set[str]) -> bool:
        for item in self._stock[index]:
            point = item.key_point
            holder = self._holder.get(point)
            if point in tried or holder == index:
                continue
            tried.add(point)
            if holder is not None:
                if not self._find_way(holder, tried):
                    continue
                del self._chosen[holder][point]
            self._chosen[index][point] = item
            self._holder[point] = index
            return True
        return False

    def _take_repeats(self, index: int, missing: int) -> None:
        if missing <= 0:
            return
        taken = {item.revision_id for item in self._chosen[index].values()}
        left = [item for item in self._stock[index] if item.revision_id not in taken]
        self._extra[index] = left[:missing]

    def items(self) -> list[PoolItem]:
        """Everything chosen, cell by cell."""
        return [
            item for chosen, extra in zip(self._chosen, self._extra, strict=True) for item in (*chosen.values(), *extra)
        ]

    def local_count(self) -> int:
        """How many of the chosen are local."""
        return sum(item.is_local for item in self.items())

    def repeated(self) -> tuple[str, ...]:
        """Key points that had to be asked more than once."""
        return tuple(sorted({item.key_point for extra in self._extra for item in extra}))

    def favour_local(self, stream: Stream, *, share: int) -> None:
        """Exchange items for local ones of the same cell until the share is reached or none is left."""
        total = sum(cell.count for cell in self._cells)
        missing = math.ceil(total * share / 100) - self.local_count()
        if missing <= 0:
            return
        offers = [
            (index, item)
            for index, stock in enumerate(self._stock)
            for item in stock
            if item.is_local and item is not self._chosen[index].get(item.key_point)
        ]
        stream.shuffle(offers)
        for index, item in offers:
            if missing > 0 and self._exchange(index, item):
                missing -= 1

    def _exchange(self, index: int, local: PoolItem) -> bool:
        if local in self._extra[index]:
            return False  # on the paper already
        chosen = self._chosen[index]
        holder = self._holder.get(local.key_point)
        if holder is not None and (holder != index or chosen[local.key_point].is_local):
            return False
        if holder == index:
            chosen[local.key_point] = local
            return True
        point = next((point for point, item in chosen.items() if not item.is_local), None)
        if point is None:
            return False
        del chosen[point], self._holder[point]
        chosen[local.key_point] = local
        self._holder[local.key_point] = index
        return True

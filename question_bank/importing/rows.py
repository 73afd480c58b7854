"""What the words in a row mean: types, levels, areas and answers as people write them."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from question_bank.content import LETTERS, ItemContent, clean_content, find_faults, plain_text
from question_bank.importing.enemies import read_names
from question_bank.models import ItemLevel, ItemType
from training.errors import N_, BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from question_bank.importing.sheets import SheetRow

_T = TypeVar("_T")
TYPE_WORDS = {
    ItemType.TF: ("判断", "判断题", "是非题", "tf"),
    ItemType.SC: ("单选", "单选题", "单项选择题", "单项选择", "sc"),
    ItemType.MC: ("多选", "多选题", "多项选择题", "多项选择", "mc"),
}
LEVEL_WORDS = {
    ItemLevel.KNOW: ("了解", "know"),
    ItemLevel.GRASP: ("掌握", "理解", "grasp"),
    ItemLevel.MASTER: ("熟练掌握", "熟练", "master"),
}
_RIGHT = frozenset({"正确", "对", "是", "√", "✓", "✔", "t", "true", "y", "yes", "1"})
_WRONG = frozenset({"错误", "错", "否", "×", "x", "✗", "✘", "f", "false", "n", "no", "0", "不正确", "不对"})
_BETWEEN_LETTERS = re.compile(r"[\s,、;/|.]+")
_AREA_NUMBER = re.compile(r"(?:第)?(\d{1,2})(?!\d)")


@dataclass(frozen=True)
class ReadRow:
    """A row as understood; `content` is None when its type or answer could not be."""

    sheet: str
    number: int
    stem: str
    content: ItemContent | None
    faults: tuple[BadInput, ...]
    enemies: tuple[str, ...] = ()


def understand(row: SheetRow, *, areas: Mapping[int, str]) -> ReadRow:
    """Read one row; every fault is told, not only the first."""
    texts = row.texts
    faults: list[BadInput] = []
    item_type = _find_word(texts.get("type", ""), TYPE_WORDS)
    level = _find_word(texts.get("level", ""), LEVEL_WORDS)
    area = _read_area(texts.get("area", ""), areas)
    if item_type is None:
        faults.append(_unknown(texts, "type", N_("请填写题型。"), N_("题型“{word}”无法识别，应填写判断、单选或多选。")))
    if level is None:
        faults.append(
            _unknown(texts, "level", N_("请填写等级。"), N_("等级“{word}”无法识别，应填写了解、掌握或熟练掌握。"))
        )
    if area is None:
        faults.append(
            _unknown(
                texts,
                "area",
                N_("请填写知识领域。"),
                N_("知识领域“{word}”无法识别，应填写本题库的领域序号或名称。"),
            )
        )
    if item_type is None:
        return ReadRow(row.sheet, row.number, texts.get("stem", ""), None, tuple(faults))
    content = clean_content(
        ItemContent(
            type=item_type,
            area=area or min(areas),
            level=level or ItemLevel.KNOW,
            key_point=texts.get("key_point", ""),
            stem=texts.get("stem", ""),
            key=_read_key(texts.get("key", ""), item_type),
            options=() if item_type is ItemType.TF else tuple(texts.get(letter, "") for letter in LETTERS),
            explanation=texts.get("explanation", ""),
            source=texts.get("source", ""),
            is_local=_fold(texts.get("is_local", "")) in _RIGHT,
        )
    )
    faults += find_faults(content, areas=areas)
    enemies = tuple(read_names(texts.get("enemies", "")))
    return ReadRow(row.sheet, row.number, content.stem, content, tuple(faults), enemies)


def _unknown(texts: Mapping[str, str], name: str, missing: str, unknown: str) -> BadInput:
    word = texts.get(name, "")
    return BadInput(unknown, field=name, word=word[:40]) if word else BadInput(missing, field=name)


def _fold(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).split()).casefold()


def _find_word(text: str, words: Mapping[_T, tuple[str, ...]]) -> _T | None:
    return next((value for value, known in words.items() if _fold(text) in known), None)


def _read_area(text: str, areas: Mapping[int, str]) -> int | None:
    plain = plain_text(text)
    if not plain:
        return None
    for number, name in areas.items():
        if plain == plain_text(name):
            return number
    if (told := _AREA_NUMBER.match(_fold(text))) and int(told[1]) in areas:
        return int(told[1])
    return None


def _read_key(text: str, item_type: ItemType) -> str:
    folded = _fold(text)
    if item_type is ItemType.TF:
        return "T" if folded in _RIGHT else "F" if folded in _WRONG else ""
    return _BETWEEN_LETTERS.sub("", folded).upper()

"""Reading rows of an xlsx file by the names of its columns. Slow: call in a thread."""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import openpyxl

from training.errors import N_, BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LARGEST_FILE = 8 * 1024 * 1024
_LARGEST_UNPACKED = 200 * 1024 * 1024
MOST_ROWS = 3000
_HEADER_WITHIN = 10
_MOST_COLUMNS = 40
_IN_BRACKETS = re.compile(r"[(（].*?[)）]")
# Our own template's name of each column first, then what other programs call it.
COLUMNS: dict[str, tuple[str, ...]] = {
    "type": ("题型", "试题类型", "题目类型", "类型"),
    "area": ("知识领域", "领域", "章节"),
    "level": ("等级", "掌握程度", "要求", "认知层次"),
    "key_point": ("考查要点", "知识点", "知识点名称", "要点"),
    "stem": ("题干", "题目内容", "试题", "题目", "试题内容"),
    "A": ("选项a", "a"),
    "B": ("选项b", "b"),
    "C": ("选项c", "c"),
    "D": ("选项d", "d"),
    "E": ("选项e", "e"),
    "key": ("答案", "正确答案", "题目答案", "参考答案"),
    "explanation": ("解析", "题目解析", "答案解析"),
    "source": ("依据", "来源", "出处"),
    "is_local": ("北京地方内容", "地方内容"),
    "enemies": ("互斥题", "互斥题号", "互斥试题"),
}
_NEEDED = {"type", "stem", "key"}


class NotAWorkbook(BadInput):
    """Not an xlsx file, or a damaged one."""

    message = N_("文件无法读取：应为未加密的 .xlsx 工作簿（不超过 8 MB）。旧的 .xls 文件请先另存为 .xlsx。")


class UnknownLayout(BadInput):
    """No sheet has the columns that are needed."""

    message = N_("没有找到所需的列：{missing}。请下载本系统的导入模板，把题目粘贴到模板中再上传。")


class NoRows(BadInput):
    """The columns are there, but nothing is filled in."""

    message = N_("文件中没有题目。请从模板第 2 行起填写，每行一题。")


class TooManyRows(BadInput):
    """More than one upload may hold."""

    message = N_("一次最多导入 {most} 题，请分成几个文件。")


@dataclass(frozen=True)
class SheetRow:
    """One filled row: its place in the file and its texts by the names in `COLUMNS`."""

    sheet: str
    number: int
    texts: dict[str, str]


def read_rows(data: bytes) -> list[SheetRow]:
    """Every filled row of every sheet whose head names the needed columns.

    Raises `NotAWorkbook`, `UnknownLayout`, `TooManyRows`.
    """
    if len(data) > LARGEST_FILE:
        raise NotAWorkbook(field="file")
    try:
        _refuse_bomb(data)
        with warnings.catch_warnings():
            # Drop-downs and styles that openpyxl does not know are no concern of ours.
            warnings.simplefilter("ignore")
            book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
            sheets = [(sheet.title, _texts_of(sheet)) for sheet in book.worksheets]
            book.close()
    except BadInput:
        raise
    except Exception as error:  # openpyxl raises whatever a broken part happens to break
        raise NotAWorkbook(field="file") from error
    found: list[SheetRow] = []
    has_head = False
    for title, rows in sheets:
        head = _find_head(rows)
        if head is not None:
            has_head = True
            found += _read_below(title, rows, head)
        if len(found) > MOST_ROWS:
            raise TooManyRows(most=MOST_ROWS, field="file")
    if not has_head:
        raise UnknownLayout(missing=_missing(sheets), field="file")
    if not found:
        raise NoRows(field="file")
    return found


def _refuse_bomb(data: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        if sum(part.file_size for part in packed.infolist()) > _LARGEST_UNPACKED:
            raise NotAWorkbook(field="file")


def _texts_of(sheet: Any) -> list[list[str]]:  # noqa: ANN401 - openpyxl has no types
    rows = []
    filled = 0
    for row in sheet.iter_rows(max_col=_MOST_COLUMNS, values_only=True):
        texts = [_text(value) for value in row]
        rows.append(texts)
        filled += any(texts)
        if filled > MOST_ROWS + _HEADER_WITHIN:
            raise TooManyRows(most=MOST_ROWS, field="file")
    return rows


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "正确" if value else "错误"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip()


def _find_head(rows: list[list[str]]) -> int | None:
    return next((place for place, row in enumerate(rows[:_HEADER_WITHIN]) if _columns_of(row).keys() >= _NEEDED), None)


def _read_below(title: str, rows: list[list[str]], head: int) -> Iterator[SheetRow]:
    columns = _columns_of(rows[head])
    for number, texts in enumerate(rows[head + 1 :], start=head + 2):
        if any(texts[column] for column in columns.values()):
            yield SheetRow(title, number, {name: texts[column] for name, column in columns.items()})


def _columns_of(header: Iterable[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for place, text in enumerate(header):
        plain = _IN_BRACKETS.sub("", "".join(unicodedata.normalize("NFKC", text).split())).casefold().strip("*:")
        for name, known in COLUMNS.items():
            if plain in known and name not in found:
                found[name] = place
    return found


def _missing(sheets: list[tuple[str, list[list[str]]]]) -> str:
    rows = [row for _, sheet in sheets for row in sheet[:_HEADER_WITHIN]]
    best = max((_columns_of(row) for row in rows), key=len, default={})
    return "、".join(known[0] for name, known in COLUMNS.items() if name in _NEEDED and name not in best)

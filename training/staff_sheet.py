"""The staff list as an xlsx file: its template, reading an upload safely, and writing bad rows back.

All of this runs for tens of milliseconds to seconds: call it in a thread.
"""

from __future__ import annotations

import io
import re
import zipfile
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from openpyxl import Workbook, load_workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet.datavalidation import DataValidation

from training.errors import N_, BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from openpyxl.cell import Cell
    from openpyxl.worksheet.worksheet import Worksheet

BYTES_AT_MOST = 5 * 1024 * 1024
ROWS_AT_MOST = 5_000
_UNPACKED_AT_MOST = 60 * 1024 * 1024
_PARTS_AT_MOST = 200
_LONGEST_CELL = 200
_EXACT_DIGITS = 10**15

# Column by column: key, heading, width.
COLUMNS: tuple[tuple[str, str, int], ...] = (
    ("name", N_("姓名"), 14),
    ("id_type", N_("证件类型"), 18),
    ("number", N_("证件号码"), 24),
    ("phone", N_("手机号码"), 16),
    ("education", N_("文化程度"), 16),
    ("category", N_("人员类别"), 20),
    ("department", N_("部门"), 18),
    ("post", N_("岗位"), 18),
    ("started_on", N_("入职日期"), 14),
)
NEEDED = ("name", "number", "post")
NOTES = (
    N_("每人一行，从第 2 行开始填写；不要改动第 1 行的列名。一次不超过 5000 人，文件不超过 5 MB。"),
    N_(
        "姓名、证件号码、岗位必须填写。其余可以留空：证件类型默认居民身份证，人员类别默认其他从业人员，入职日期默认今天。"
    ),
    N_("证件号码列已设为文本格式。从别处粘贴时请选择“只粘贴文本”，否则 18 位号码的后几位会丢失。"),
    N_("手机号码用于登录，同一个号码只能属于一个人；不填时本人用证件号码登录。"),
    N_("入职日期写成 2026-01-05。"),
    N_("已在系统中登记的人按证件号码和姓名认定，只建立任职关系，不重复建档。"),
)
_SHEET, _NOTES_SHEET, _LISTS_SHEET = N_("人员名单"), N_("填写说明"), "lists"
_WHY = N_("原因")


class BadSheet(BadInput):
    """A file that cannot be read as a staff list."""

    message = N_("文件无法读取：{why}")


@dataclass(frozen=True)
class RawRow:
    """One row as it was typed; `number` is the row's number in the sheet."""

    number: int
    cells: dict[str, str]


def write_text(cell: Cell, value: str) -> None:
    """Write a text as a text: a leading = would otherwise become a formula of whoever opens the file."""
    cell.value = ILLEGAL_CHARACTERS_RE.sub("", value)
    cell.data_type = "s"
    cell.number_format = "@"


def write_heading(sheet: Worksheet, row: int, headings: Iterable[tuple[str, int]]) -> None:
    """A bold row of headings with their columns' widths."""
    for place, (heading, width) in enumerate(headings, start=1):
        cell = sheet.cell(row=row, column=place)
        write_text(cell, heading)
        cell.font = Font(bold=True, color="FFFFFF")
        cell.fill = PatternFill("solid", fgColor="0B5394")
        cell.alignment = Alignment(vertical="center", wrap_text=True)
        sheet.column_dimensions[get_column_letter(place)].width = width


def to_bytes(book: Workbook) -> bytes:
    """The file."""
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _new_sheet(book: Workbook, say: Callable[[str], str], more: Sequence[tuple[str, int]] = ()) -> Worksheet:
    sheet: Worksheet = book.active
    sheet.title = say(_SHEET)
    headings = [(say(heading) + ("*" if key in NEEDED else ""), width) for key, heading, width in COLUMNS]
    write_heading(sheet, 1, [*headings, *more])
    sheet.freeze_panes = "A2"
    for place in range(1, len(COLUMNS) + 1):
        sheet.column_dimensions[get_column_letter(place)].number_format = "@"
    return sheet


def _add_choices(book: Workbook, sheet: Worksheet, choices: Mapping[str, Sequence[str]]) -> None:
    lists = book.create_sheet(_LISTS_SHEET)
    lists.sheet_state = "hidden"
    keys = [key for key, _, _ in COLUMNS]
    for place, (key, words) in enumerate(choices.items(), start=1):
        for row, word in enumerate(words, start=1):
            write_text(lists.cell(row=row, column=place), word)
        letter = get_column_letter(place)
        rule = DataValidation(
            type="list", formula1=f"{_LISTS_SHEET}!${letter}$1:${letter}${len(words)}", allow_blank=True
        )
        column = get_column_letter(keys.index(key) + 1)
        rule.add(f"{column}2:{column}{ROWS_AT_MOST + 1}")
        sheet.add_data_validation(rule)


def make_template(*, say: Callable[[str], str], choices: Mapping[str, Sequence[str]]) -> bytes:
    """The empty list with its notes; `choices` gives the words of the columns that have a fixed set."""
    book = Workbook()
    sheet = _new_sheet(book, say)
    notes = book.create_sheet(say(_NOTES_SHEET))
    notes.column_dimensions["A"].width = 100
    for row, note in enumerate(NOTES, start=1):
        cell = notes.cell(row=row, column=1)
        write_text(cell, f"{row}. {say(note)}")
        cell.alignment = Alignment(wrap_text=True)
    _add_choices(book, sheet, choices)
    return to_bytes(book)


def make_bad_rows(rows: Iterable[tuple[RawRow, str]], *, say: Callable[[str], str]) -> bytes:
    """The rows that could not be taken, as typed, with the reason in the last column; mend and upload again."""
    book = Workbook()
    sheet = _new_sheet(book, say, [(say(_WHY), 60)])
    for place, (row, why) in enumerate(rows, start=2):
        for column, (key, _, _) in enumerate(COLUMNS, start=1):
            write_text(sheet.cell(row=place, column=column), row.cells.get(key, ""))
        write_text(sheet.cell(row=place, column=len(COLUMNS) + 1), why)
    return to_bytes(book)


def check_package(data: bytes) -> None:
    """Refuse what is not a plain xlsx of bearable size, before any of it is unpacked. Raises `BadSheet`."""
    if len(data) > BYTES_AT_MOST:
        raise BadSheet(why=N_("超过 5 MB，请分批导入。"), field="sheet")
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            parts = package.infolist()
            if "xl/workbook.xml" not in package.namelist():
                raise BadSheet(why=N_("不是 xlsx 文件，请下载模板填写后再上传。"), field="sheet")
            if len(parts) > _PARTS_AT_MOST or sum(part.file_size for part in parts) > _UNPACKED_AT_MOST:
                raise BadSheet(why=N_("内容过大，请只保留人员名单后再上传。"), field="sheet")
            for part in parts:
                if part.filename.endswith((".xml", ".rels")):
                    _refuse_entities(package, part)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise BadSheet(why=N_("不是 xlsx 文件，请下载模板填写后再上传。"), field="sheet") from error


def _refuse_entities(package: zipfile.ZipFile, part: zipfile.ZipInfo) -> None:
    with package.open(part) as file:
        if b"<!DOCTYPE" in file.read(4096).replace(b"\x00", b""):
            raise BadSheet(why=N_("不是 xlsx 文件，请下载模板填写后再上传。"), field="sheet")


def _text(value: Any) -> str:  # noqa: ANN401 - whatever a cell holds
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.date().isoformat()
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT_DIGITS:
        value = int(value)
    if isinstance(value, int | float) and abs(value) >= _EXACT_DIGITS:
        # A spreadsheet keeps 15 digits of a number: what is shown here is no longer the document's.
        return f"{value:.4E}"
    return str(value).strip()[:_LONGEST_CELL]


def read_sheet(data: bytes, *, headings: Mapping[str, str]) -> list[RawRow]:
    """The filled rows of the first sheet. `headings` maps each accepted heading to its column's key.

    Raises `BadSheet`.
    """
    check_package(data)
    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        try:
            sheet = book.worksheets[0]
            sheet.reset_dimensions()
            lines = sheet.iter_rows(max_row=ROWS_AT_MOST + 2, max_col=40, values_only=True)
            keys = _read_headings(next(lines, ()), headings)
            rows = list(_filled(lines, keys))
        finally:
            book.close()
    except (
        InvalidFileException,
        KeyError,
        IndexError,
        ValueError,
        TypeError,
        zipfile.BadZipFile,
        SyntaxError,
    ) as error:
        raise BadSheet(why=N_("文件已损坏或不是 xlsx 格式，请下载模板填写后再上传。"), field="sheet") from error
    if not rows:
        raise BadSheet(why=N_("没有人员。请从第 2 行开始填写后再上传。"), field="sheet")
    if rows[-1].number > ROWS_AT_MOST + 1:
        raise BadSheet(why=N_("超过 5000 行，请分批导入。"), field="sheet")
    return rows


def _read_headings(line: Sequence[Any], headings: Mapping[str, str]) -> dict[int, str]:
    typed = {place: re.sub(r"[\s*＊]", "", _text(value)) for place, value in enumerate(line)}
    known = {re.sub(r"[\s*]", "", heading): key for heading, key in headings.items()}
    keys = {place: known[text] for place, text in typed.items() if text in known}
    missing = [heading for key, heading, _ in COLUMNS if key in NEEDED and key not in keys.values()]
    if missing:
        raise BadSheet(why=N_("第 1 行缺少必需的列（姓名、证件号码、岗位）。请使用下载的模板。"), field="sheet")
    return keys


def _filled(lines: Iterable[Sequence[Any]], keys: Mapping[int, str]) -> Iterable[RawRow]:
    for number, line in enumerate(lines, start=2):
        cells = {key: _text(line[place]) for place, key in keys.items() if place < len(line)}
        if any(cells.values()):
            yield RawRow(number, cells)

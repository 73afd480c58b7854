"""Licences and enforcement records as CSV files: the documented header, every row checked, errors by row."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

from training.calendar import add_years
from training.documents import parse_uscc
from training.errors import N_, AnpeiError, BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping

BYTES_AT_MOST = 4 * 1024 * 1024
ROWS_AT_MOST = 5000
_DATE = re.compile(r"(\d{4})(?:-|/|\.|年)(\d{1,2})(?:-|/|\.|月)(\d{1,2})日?")


class RecordKind(StrEnum):
    """What a file lists."""

    LICENCE = "LICENCE"
    ENFORCEMENT = "ENFORCEMENT"


@dataclass(frozen=True)
class Column:
    """One column of the header: its title in the file, our name, what it must be."""

    title: str
    name: str
    length: int
    is_required: bool = True
    is_date: bool = False


COLUMNS: dict[RecordKind, tuple[Column, ...]] = {
    RecordKind.LICENCE: (
        Column(N_("统一社会信用代码"), "uscc", 18),
        Column(N_("企业名称"), "enterprise_name", 200),
        Column(N_("许可证编号"), "licence_no", 80),
        Column(N_("许可范围"), "scope", 500, is_required=False),
        Column(N_("发证机关"), "issuer", 200),
        Column(N_("有效期起"), "valid_from", 10, is_date=True),
        Column(N_("有效期止"), "valid_to", 10, is_date=True),
    ),
    RecordKind.ENFORCEMENT: (
        Column(N_("统一社会信用代码"), "uscc", 18),
        Column(N_("企业名称"), "enterprise_name", 200),
        Column(N_("决定书文号"), "decision_no", 80),
        Column(N_("违法行为"), "act", 300),
        Column(N_("处罚内容"), "content", 1000),
        Column(N_("处罚机关"), "body", 200),
        Column(N_("决定日期"), "decided_on", 10, is_date=True),
        Column(N_("公示截止日期"), "public_until", 10, is_required=False, is_date=True),
    ),
}
KEYS = {RecordKind.LICENCE: "licence_no", RecordKind.ENFORCEMENT: "decision_no"}


class BadFile(BadInput):
    """A file that cannot be read at all."""

    message = N_("文件无法读取：{why}。请对照页面上的样例检查后重新上传。")


class BadCell(BadInput):
    """A cell that cannot be right."""

    message = N_("“{column}”{why}。")


@dataclass(frozen=True)
class RowError:
    """What is wrong in one row; `row` is its number in the file, the header being row 1."""

    row: int
    error: AnpeiError


@dataclass(frozen=True)
class ReadFile:
    """A file as read: good rows by column name (dates in ISO form) and what is wrong in the others."""

    rows: tuple[dict[str, str], ...]
    errors: tuple[RowError, ...]


def decode(data: bytes) -> str:
    """The text of a file in UTF-8 (with or without a mark) or GB 18030, as spreadsheets save it. Raises `BadFile`."""
    if len(data) > BYTES_AT_MOST:
        raise BadFile(why=N_("文件超过 4 MB"), field="file")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise BadFile(why=N_("不是 UTF-8 或 GB18030 编码的 CSV 文本"), field="file")


def read_file(kind: RecordKind, data: bytes, *, today: date, public_years: int) -> ReadFile:
    """Read and check a whole file. Raises `BadFile`; a bad row is reported, not raised."""
    try:
        lines = list(csv.reader(io.StringIO(decode(data), newline="")))
    except csv.Error as error:
        raise BadFile(why=N_("不是有效的 CSV 表格"), field="file") from error
    order = _read_header(kind, lines[0] if lines else [])
    body = [(number, line) for number, line in enumerate(lines[1:], 2) if any(cell.strip() for cell in line)]
    if not 0 < len(body) <= ROWS_AT_MOST:
        raise BadFile(why=N_("应有 1 到 5000 行数据"), field="file")
    rows: list[dict[str, str]] = []
    errors: list[RowError] = []
    seen: dict[str, int] = {}
    for number, line in body:
        cells = {name: line[place].strip() if place < len(line) else "" for name, place in order.items()}
        try:
            row = check_row(kind, cells, today=today, public_years=public_years)
            _check_once(row[KEYS[kind]], seen, number)
        except BadInput as error:
            errors.append(RowError(number, error))
        else:
            rows.append(row)
    return ReadFile(tuple(rows), tuple(errors))


def _check_once(key: str, seen: dict[str, int], number: int) -> None:
    if key in seen:
        raise BadInput(N_("编号与第 {row} 行重复。"), row=seen[key])
    seen[key] = number


def _read_header(kind: RecordKind, header: list[str]) -> dict[str, int]:
    places = {title.strip().lstrip("\ufeff"): place for place, title in enumerate(header)}
    missing = [column.title for column in COLUMNS[kind] if column.is_required and column.title not in places]
    if missing:
        raise BadFile(N_("表头缺少：{columns}。请使用页面上的样例表头。"), columns="、".join(missing), field="file")
    return {column.name: places[column.title] for column in COLUMNS[kind] if column.title in places}


def check_row(kind: RecordKind, cells: Mapping[str, str], *, today: date, public_years: int) -> dict[str, str]:
    """One row in the form that is stored. Raises `BadInput` with the first thing that is wrong."""
    row = {column.name: _check_cell(column, cells.get(column.name, "")) for column in COLUMNS[kind]}
    row["uscc"] = parse_uscc(row["uscc"])
    if kind is RecordKind.LICENCE:
        if row["valid_from"] > row["valid_to"]:
            raise BadCell(column=N_("有效期止"), why=N_("早于有效期起"))
        return row
    decided = date.fromisoformat(row["decided_on"])
    last = add_years(decided, public_years)
    if decided > today:
        raise BadCell(column=N_("决定日期"), why=N_("晚于今天"))
    row["public_until"] = row["public_until"] or last.isoformat()
    if not decided.isoformat() <= row["public_until"] <= last.isoformat():
        raise BadInput(
            N_("“公示截止日期”应在决定日期之后、{last} 之前（最长公示 {years} 年）。"), last=last, years=public_years
        )
    return row


def _check_cell(column: Column, typed: str) -> str:
    if not typed:
        if column.is_required:
            raise BadCell(column=column.title, why=N_("没有填写"))
        return ""
    if column.is_date:
        return _check_date(column, typed)
    # A code may have been typed with spaces; everything else is kept as it stands.
    if column.name != "uscc" and len(typed) > column.length:
        raise BadCell(column=column.title, why=N_("太长"))
    return typed


def _check_date(column: Column, typed: str) -> str:
    found = _DATE.fullmatch(typed)
    try:
        return date(*(int(part) for part in found.groups())).isoformat() if found else _no_date(column)
    except ValueError:
        return _no_date(column)


def _no_date(column: Column) -> str:
    raise BadCell(column=column.title, why=N_("不是日期，应写作 2026-01-31"))


def sample_file(kind: RecordKind) -> bytes:
    """A file with the header and one made-up row, in UTF-8 with a mark so that spreadsheets read it."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([column.title for column in COLUMNS[kind]])
    writer.writerow(_SAMPLES[kind])
    return out.getvalue().encode("utf-8-sig")


_SAMPLES = {
    RecordKind.LICENCE: (
        "91110105MA0000000Y", "北京演示化工有限公司", "（京）WH安许证字〔2026〕000001", "危险化学品经营（无仓储）",
        "北京市应急管理局", "2026-01-10", "2029-01-09",
    ),
    RecordKind.ENFORCEMENT: (
        "91110105MA0000000Y", "北京演示化工有限公司", "（京朝）应急罚〔2026〕0001号", "未如实记录安全生产教育培训情况",
        "罚款人民币二万元", "北京市朝阳区应急管理局", "2026-03-15", "",
    ),
}  # fmt: skip

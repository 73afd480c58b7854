"""The report of a session as xlsx: overview, items, neighbours, times. Writing takes a while: call it in a thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from openpyxl import Workbook

from training.calendar import CHINA
from training.errors import N_
from training.staff_sheet import to_bytes, write_heading, write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date
    from enum import StrEnum

    from openpyxl.worksheet.worksheet import Worksheet

    from exams.queries_report import SessionReport

    Value = str | int | float | None

_OVERVIEW = ((N_("指标"), 34), (N_("数值"), 40))
_BANDS = ((N_("分数段"), 14), (N_("人数"), 10))
_ITEMS = (
    (N_("题目编号"), 20), (N_("版本"), 8), (N_("题型"), 10), (N_("要点"), 34), (N_("抽到人数"), 10),
    (N_("正确率"), 10), (N_("区分度（校正点二列相关）"), 16), (N_("正确答案"), 10), (N_("各选项人数"), 34),
    (N_("未作答"), 10), (N_("提示"), 34),
)  # fmt: skip
_PAIRS = (
    (N_("座位"), 10), (N_("相邻座位"), 10), (N_("共同作答题数"), 14), (N_("相同答案"), 10), (N_("预期相同"), 10),
    (N_("相同的错误答案"), 16), (N_("偶然概率"), 14), (N_("提示"), 20),
)  # fmt: skip
_PACES = (
    (N_("座位"), 10), (N_("用时（分钟）"), 14), (N_("可计时作答"), 12), (N_("快速作答"), 12),
    (N_("快速作答中正确"), 16), (N_("作答投入度（RTE）"), 16), (N_("提示"), 34),
)  # fmt: skip
_NOTE = N_(
    "本报告只提示需要人工核查的情况，不是结论，不得单独据此认定违纪、作废成绩或作出其他决定（个人信息保护法第二十四条）。"
)


def make_report_sheets(
    report: SessionReport,
    *,
    made_on: date,
    say: Callable[[str], str],
    label: Callable[[StrEnum], str],
) -> bytes:
    """The workbook, each table on a sheet of its own."""
    book = Workbook()
    overview: Worksheet = book.active
    overview.title = say(N_("概况"))
    _fill(overview, _OVERVIEW, _overview_rows(report, made_on, say, label), say)
    tables: tuple[tuple[str, Sequence[tuple[str, int]], Iterable[Sequence[Value]]], ...] = (
        (N_("成绩分布"), _BANDS, ((band.name, band.count) for band in report.figures.bands)),
        (N_("各题情况"), _ITEMS, _item_rows(report, label)),
        (N_("相邻座位"), _PAIRS, _pair_rows(report, say)),
        (N_("作答时间"), _PACES, _pace_rows(report, label)),
    )
    for title, columns, rows in tables:
        _fill(book.create_sheet(say(title)), columns, rows, say)
    return to_bytes(book)


def _fill(
    sheet: Worksheet, columns: Sequence[tuple[str, int]], rows: Iterable[Sequence[Value]], say: Callable[[str], str]
) -> None:
    write_heading(sheet, 1, [(say(heading), width) for heading, width in columns])
    sheet.freeze_panes = "A2"
    for number, row in enumerate(rows, start=2):
        for place, value in enumerate(row, start=1):
            cell = sheet.cell(row=number, column=place)
            if isinstance(value, str):
                write_text(cell, value)
            else:
                cell.value = value


def _overview_rows(
    report: SessionReport, made_on: date, say: Callable[[str], str], label: Callable[[StrEnum], str]
) -> list[tuple[str, Value]]:
    figures, scores = report.figures, report.figures.scores
    agreed = figures.consistency
    return [
        (say(N_("说明")), say(_NOTE)),
        (
            say(N_("场次")),
            f"{report.session.qualification_name} {report.session.starts_at.astimezone(CHINA):%Y-%m-%d %H:%M}",
        ),
        (say(N_("考试点")), report.session.site_name),
        (say(N_("生成日期")), made_on.isoformat()),
        (say(N_("有成绩人数")), scores.count),
        (say(N_("合格人数")), scores.passed),
        (say(N_("平均答对题数")), round(scores.mean, 3)),
        (say(N_("标准差")), round(scores.deviation, 3)),
        (label(figures.reliability.coefficient), _rounded(figures.reliability.value)),
        (say(N_("测量标准误（题）")), _rounded(figures.reliability.sem)),
        (say(N_("判定一致性（Subkoviak）")), _rounded(agreed.agreement if agreed else None)),
        ("κ", _rounded(agreed.kappa if agreed else None)),
    ]


def _rounded(value: float | None, digits: int = 4) -> Value:
    return "—" if value is None else round(value, digits)


def _item_rows(report: SessionReport, label: Callable[[StrEnum], str]) -> Iterable[Sequence[Value]]:
    for line in report.figures.items:
        text = report.revisions[line.item]
        yield (
            text.code, text.number, label(text.type), text.key_point, line.count, round(line.p, 4),
            _rounded(line.discrimination), report.keys[line.item],
            " ".join(f"{letter}:{n}" for letter, n in line.options.items()), line.blank,
            "；".join(label(flag) for flag in line.flags),
        )  # fmt: skip


def _pair_rows(report: SessionReport, say: Callable[[str], str]) -> Iterable[Sequence[Value]]:
    for pair in report.figures.similarities.pairs:
        yield (
            pair.seat_no, pair.other_seat_no, pair.shared, pair.same, round(pair.expected, 2), pair.same_wrong,
            pair.chance, say(N_("请人工核查")) if pair.is_flagged else "",
        )  # fmt: skip


def _pace_rows(report: SessionReport, label: Callable[[StrEnum], str]) -> Iterable[Sequence[Value]]:
    for pace in report.figures.paces:
        yield (
            pace.seat_no, round(pace.minutes, 1), pace.timed, pace.rapid, pace.rapid_right, _rounded(pace.effort),
            "；".join(label(flag) for flag in pace.flags),
        )  # fmt: skip

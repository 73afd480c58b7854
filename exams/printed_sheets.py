"""The signed answer sheet on paper: what was chosen at each position, the chain's head and the signature."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from exams.receipts import instant
from training.calendar import CHINA
from training.fonts import Face
from training.printing import ACCENT, GREY, INK, PAGE_WIDTH, TINT, Sheet

if TYPE_CHECKING:
    from datetime import datetime

    from exams.signed_sheets import SignedSheet
    from training.fonts import FontSet

_LEFT, _RIGHT = 17.0, 193.0
_WIDTH = _RIGHT - _LEFT
_COLUMNS, _ROW = 10, 7.0
_TOP_OF_FIRST, _TOP, _BOTTOM = 98.0, 30.0, 280.0
_PROOF = 60.0
_A_LINE = 64
_ENDS = {"HANDED_IN": "考生交卷", "TIMED_OUT": "时间到，系统收卷", "CLOSED_BY_SITE": "考试点收卷"}
_NOTHING = "－"


def signed_sheet_pdf(shown: SignedSheet, fonts: FontSet, *, check_url: str) -> bytes:
    """A4 pages. Call it in a thread. Raises `training.fonts.NoGlyph`."""
    sheet = Sheet(fonts, title="作答回执", author="安培", now=shown.printed_at)
    pages = lay_out(shown.total)
    for number, positions in enumerate(pages, start=1):
        if number > 1:
            sheet.next_page()
        _draw_frame(sheet, shown, page=number, total=len(pages))
        if number == 1:
            _draw_head(sheet, shown)
        y = _draw_answers(sheet, shown, positions, top=_TOP_OF_FIRST if number == 1 else _TOP)
        if number == len(pages):
            _draw_proof(sheet, shown, y + 5, check_url=check_url)
    return sheet.finish()


def lay_out(total: int) -> list[range]:
    """The positions of each page; the last one has room for the proof below them."""
    pages: list[range] = []
    start, top = 1, _TOP_OF_FIRST
    while True:
        rows = int((_BOTTOM - top) // _ROW)
        left = -(-(total - start + 1) // _COLUMNS)
        if left <= rows and top + left * _ROW + _PROOF <= _BOTTOM:
            return [*pages, range(start, total + 1)]
        # So many that the rest is not empty: a page that ends with the proof alone still shows answers.
        taken = min(rows, max(left - 1, 1))
        pages.append(range(start, start + taken * _COLUMNS))
        start, top = start + taken * _COLUMNS, _TOP


def _draw_frame(sheet: Sheet, shown: SignedSheet, *, page: int, total: int) -> None:
    if shown.is_specimen:
        sheet.watermark("演示样张 SPECIMEN")
    sheet.text(_LEFT, 16, f"{shown.title} · 作答回执", size=8.5, colour=GREY, width=110)
    sheet.text(_RIGHT, 16, shown.holder_name, size=8.5, colour=GREY, align="right", width=60)
    sheet.line(_LEFT, 18.5, _RIGHT, 18.5)
    sheet.line(_LEFT, 284, _RIGHT, 284)
    sheet.text(_LEFT, 288.5, f"考试记录 {shown.receipt.sitting_id}", size=7.5, colour=GREY)
    sheet.text(PAGE_WIDTH / 2 + 14, 288.5, f"第 {page} 页　共 {total} 页", size=8.5, align="centre")
    sheet.text(_RIGHT, 288.5, f"生成时间 {_moment(shown.printed_at)}", size=7.5, colour=GREY, align="right")


def _draw_head(sheet: Sheet, shown: SignedSheet) -> None:
    receipt = shown.receipt
    middle = PAGE_WIDTH / 2
    sheet.text(middle, 31, "作答回执", size=18, face=Face.SERIF, colour=ACCENT, align="centre")
    sheet.text(middle, 37, "Signed answer sheet", size=8.5, colour=GREY, align="centre")
    sheet.box(_LEFT, 42, _WIDTH, 34, fill=TINT, weight=0.4)
    rows = [
        (f"姓名　{shown.holder_name}", f"证件号码　{shown.number_masked}"),
        (f"考试　{shown.title}", f"结束方式　{_ENDS[receipt.status]}"),
        (f"开始　{_moment(receipt.started_at)}", f"结束　{_moment(receipt.ended_at)}"),
        (f"作答　{receipt.answered} 题，共 {shown.total} 题", f"作答记录　{receipt.events} 条"),
    ]
    for number, (left, right) in enumerate(rows):
        y = 49.5 + number * 7.4
        sheet.text(_LEFT + 4, y, left, size=10, width=92)
        sheet.text(_LEFT + 100, y, right, size=10, width=_WIDTH - 104)
    sheet.text(
        _LEFT, 83, "每个题号旁是您最后保存的选项（按您的试卷显示的字母；T 正确，F 错误，－ 未作答）。"
        "本回执不含试题、标准答案和分数。", size=8.5, colour=GREY, width=_WIDTH,
    )  # fmt: skip
    if shown.late:
        late = f"另有 {shown.late} 个答案在考试结束后才到达，已保存并可供考核发证机关查看，没有计入成绩。"
        sheet.text(_LEFT, 88.5, late, size=8.5, colour=GREY, width=_WIDTH)


def _draw_answers(sheet: Sheet, shown: SignedSheet, positions: range, *, top: float) -> float:
    step = _WIDTH / _COLUMNS
    y = top
    for start in range(positions.start, positions.stop, _COLUMNS):
        for column, position in enumerate(range(start, min(start + _COLUMNS, positions.stop))):
            x = _LEFT + column * step
            sheet.text(x + 6, y, str(position), size=8, colour=GREY, align="right")
            choice = shown.choices.get(position)
            colour = INK if choice else GREY
            sheet.text(x + 8, y, choice or _NOTHING, size=10, face=Face.BOLD, width=step - 8.5, colour=colour)
        sheet.line(_LEFT, y + 2.2, _RIGHT, y + 2.2, weight=0.2)
        y += _ROW
    return y


def _draw_proof(sheet: Sheet, shown: SignedSheet, y: float, *, check_url: str) -> None:
    receipt = shown.receipt
    signed = base64.urlsafe_b64encode(shown.signature).rstrip(b"=").decode()
    sheet.text(_LEFT, y, "电子签名", size=12, face=Face.SERIF, colour=ACCENT)
    y += 6
    explained = (
        "您每次作答都与此前的全部作答连成一条哈希链；考试结束时，系统对作答链摘要、试卷摘要、起止时间和作答数量签名。"
        "作答或次序有任何改动，核验都会失败。"
        f"核验方法：在 {check_url} 选择与本回执一同下载的 JSON 文件，任何人均可核验。"
    )
    y = sheet.paragraph(_LEFT, y, explained, width=_WIDTH, size=8.5, leading=4.6, colour=GREY) + 2
    lines = [
        ("作答链摘要", receipt.head.hex()),
        ("试卷摘要", receipt.paper.hex()),
        ("起止时间", f"{instant(receipt.started_at)} – {instant(receipt.ended_at)}"),
        ("密钥编号", shown.key_id),
        ("签名", signed[:_A_LINE]),
        ("", signed[_A_LINE:]),
    ]
    for name, value in lines:
        sheet.text(_LEFT, y, name, size=8.5, colour=GREY)
        sheet.text(_LEFT + 20, y, value, size=8.5, width=_WIDTH - 20)
        y += 5


def _moment(at: datetime) -> str:
    return f"{at.astimezone(CHINA):%Y-%m-%d %H:%M:%S}"

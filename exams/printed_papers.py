"""A dealt paper on paper: the questions with an answer sheet for machines, and apart from it the answer key.

Whoever may not know the key gets a `PrintedPaper`, which holds none.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from exams.bubbles import A_PAGE as BUBBLES_A_PAGE
from exams.bubbles import (
    BAR_HEIGHT,
    BAR_LEFT,
    BAR_WIDTH,
    CORNER,
    CORNERS,
    RADIUS,
    list_bubbles,
    number_place,
    page_count,
    row_y,
    sheet_code,
)
from exams.bubbles import ROWS as BUBBLE_ROWS
from question_bank.models import ItemType, McRule
from training.calendar import CHINA
from training.fonts import Face
from training.printing import ACCENT, GREY, INK, LINE, PAGE_WIDTH, TINT, Sheet

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import datetime

    from training.fonts import FontSet

LEFT, RIGHT = 17.0, 193.0
_WIDTH = RIGHT - LEFT
_TOP, _TOP_OF_FIRST, _BOTTOM = 27.0, 84.0, 279.0
_SIZE, _LEADING, _GAP, _HEADING = 10.0, 5.1, 2.4, 7.2
_INDENT = 9.0
_KEYS_A_COLUMN = 50
_WARNING = "#9b1c1c"
_BLACK = "#000000"
_WEEKDAYS = "一二三四五六日"
_TYPES = {
    ItemType.TF: ("判断题", "正确的涂 T，错误的涂 F"),
    ItemType.SC: ("单选题", "只有一个选项正确"),
    ItemType.MC: ("多选题", "至少有两个选项正确，多选、少选、错选均不得分"),
}
_IN_PART = "至少有两个选项正确，少选按比例得分，有错选不得分"
_NUMERALS = "一二三"
# The fonts have ¹ ² ³ only; "10⁶" is printed as "10^6".
_POWER = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]*[⁰⁴⁵⁶⁷⁸⁹⁺⁻][⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]*")
_LOWERED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
KEY_WARNING = (
    "保密资料 · 标准答案：仅限考核发证机关阅卷和复核使用，不得向考生、考试点或其他人员提供，不得复制、拍照或外传。"
)


@dataclass(frozen=True, slots=True)
class PrintedItem:
    """A question as this candidate gets it. `letters` are what can be chosen."""

    position: int
    type: ItemType
    stem: str
    options: tuple[tuple[str, str], ...]
    letters: str
    points: int


@dataclass(frozen=True, slots=True)
class Provenance:
    """By what a paper can be dealt again."""

    seed: int
    algorithm: str
    bank_digest: str


@dataclass(frozen=True, slots=True)
class PrintedHead:
    """Whose paper this is, of which exam. `sheet_id` is opaque; `starts_at` is an instant."""

    sheet_id: UUID
    title: str
    exam_name: str
    holder_name: str
    ticket_no: str
    site_name: str
    room_name: str
    seat_no: int
    starts_at: datetime
    minutes: int
    full_score: int
    pass_score: int
    printed_at: datetime
    is_specimen: bool = False
    mc_rule: McRule = McRule.ALL_OR_NOTHING


@dataclass(frozen=True, slots=True)
class PrintedPaper:
    """A paper for the candidate, or with `provenance` and the `answers` that were given, for the archive."""

    head: PrintedHead
    items: tuple[PrintedItem, ...]
    provenance: Provenance | None = None
    answers: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class KeyLine:
    """The right displayed letters of a position."""

    position: int
    key: str
    points: int
    area: int
    area_name: str
    item: str


@dataclass(frozen=True, slots=True)
class PrintedKey:
    """The answer key of one paper."""

    head: PrintedHead
    lines: tuple[KeyLine, ...]


@dataclass(frozen=True, slots=True)
class _Row:
    """Texts side by side: (x, text, size, face), and the way to the next row."""

    texts: tuple[tuple[float, str, float, Face], ...]
    height: float = _LEADING


def paper_pdf(papers: Sequence[PrintedPaper], fonts: FontSet) -> bytes:
    """Each paper with its answer sheet, one after the other. Call it in a thread. Raises `training.fonts.NoGlyph`."""
    sheet = _new_sheet("试卷", papers[0].head, fonts)
    for number, paper in enumerate(papers):
        if number:
            sheet.next_page()
        _draw_paper(sheet, paper)
    return sheet.finish()


def answer_key_pdf(keys: Sequence[PrintedKey], fonts: FontSet) -> bytes:
    """Each key on pages of its own. Call it in a thread."""
    sheet = _new_sheet("标准答案", keys[0].head, fonts)
    for number, key in enumerate(keys):
        if number:
            sheet.next_page()
        _draw_key(sheet, key)
    return sheet.finish()


def _new_sheet(title: str, head: PrintedHead, fonts: FontSet) -> Sheet:
    return Sheet(fonts, title=title, author=head.site_name, now=head.printed_at)


def _draw_paper(sheet: Sheet, paper: PrintedPaper) -> None:
    pages = _paginate(list(_blocks(sheet, paper.items, paper.head.mc_rule)))
    answer_pages = page_count(len(paper.items))
    total = len(pages) + answer_pages
    for number, rows in enumerate(pages, start=1):
        if number > 1:
            sheet.next_page()
        _draw_frame(sheet, paper.head, "试卷", page=number, total=total)
        y = _TOP
        if number == 1:
            _draw_head(sheet, paper)
            y = _TOP_OF_FIRST
        for gap, row in rows:
            y += gap
            for x, text, size, face in row.texts:
                sheet.text(x, y, text, size=size, face=face)
            y += row.height
    for number in range(1, answer_pages + 1):
        sheet.next_page()
        _draw_answer_sheet(sheet, paper, page=number, number=len(pages) + number, total=total)


def _draw_frame(sheet: Sheet, head: PrintedHead, title: str, *, page: int, total: int) -> None:
    if head.is_specimen:
        sheet.watermark("演示样张 SPECIMEN")
    sheet.text(LEFT, 16, f"{head.title} · {title}", size=8.5, colour=GREY, width=110)
    sheet.text(RIGHT, 16, f"{head.ticket_no}　{head.holder_name}", size=8.5, colour=GREY, align="right", width=64)
    sheet.line(LEFT, 18.5, RIGHT, 18.5)
    sheet.line(LEFT, 284, RIGHT, 284)
    sheet.text(LEFT, 288.5, f"卷号 {_short(head.sheet_id)}", size=7.5, colour=GREY)
    sheet.text(PAGE_WIDTH / 2, 288.5, f"第 {page} 页　共 {total} 页", size=8.5, align="centre")
    printed = head.printed_at.astimezone(CHINA)
    sheet.text(RIGHT, 288.5, f"打印时间 {printed:%Y-%m-%d %H:%M}", size=7.5, colour=GREY, align="right")


def _draw_head(sheet: Sheet, paper: PrintedPaper) -> None:
    head = paper.head
    middle = PAGE_WIDTH / 2
    sheet.text(middle, 30, head.exam_name, size=11, colour=GREY, align="centre", width=_WIDTH)
    sheet.text(middle, 38.5, head.title, size=17, face=Face.SERIF, colour=ACCENT, align="centre", width=_WIDTH)
    sheet.box(LEFT, 43, _WIDTH, 26 if paper.provenance is None else 34, fill=TINT, weight=0.4)
    rows = [
        (f"姓名　{head.holder_name}", f"准考证号　{head.ticket_no}"),
        (f"考试点　{head.site_name}", f"考场　{head.room_name}　座位　{head.seat_no:02d}"),
        (
            f"开考时间　{_moment(head.starts_at)}",
            f"时限 {head.minutes} 分钟　满分 {head.full_score} 分　合格线 {head.pass_score} 分",
        ),
    ]
    for number, (left, right) in enumerate(rows):
        y = 49.5 + number * 7.4
        sheet.text(LEFT + 4, y, left, size=10, width=88)
        sheet.text(LEFT + 96, y, right, size=10, width=_WIDTH - 100)
    if paper.provenance is None:
        text = "请用 2B 铅笔把答案涂在最后的答题卡上，写在试卷上的答案不计分。试卷和答题卡考后一并交回。"
        sheet.text(LEFT, 75.5, text, size=9, colour=GREY, width=_WIDTH)
    else:
        made = paper.provenance
        text = f"存档　种子 {made.seed}　算法 {made.algorithm}　题库摘要 SHA-256 {made.bank_digest}"
        sheet.text(LEFT + 4, 73, text, size=7.5, colour=GREY, width=_WIDTH - 8)


def _blocks(sheet: Sheet, items: Sequence[PrintedItem], mc_rule: McRule) -> Iterator[list[_Row]]:
    """What must not be torn apart: an item, the first of a type with its heading."""
    kinds: list[ItemType] = []
    for item in items:
        rows = list(_item_rows(sheet, item))
        if item.type not in kinds:
            kinds.append(item.type)
            name, rule = _TYPES[item.type]
            rule = _IN_PART if item.type is ItemType.MC and mc_rule is McRule.PARTIAL else rule
            count = sum(other.type is item.type for other in items)
            title = f"{_NUMERALS[len(kinds) - 1]}、{name}（共 {count} 题，每题 {item.points} 分）"
            rows.insert(0, _Row(((LEFT, title, 11, Face.BOLD), (LEFT + 70, rule, 8.5, Face.SANS)), _HEADING))
        yield rows


def _item_rows(sheet: Sheet, item: PrintedItem) -> Iterator[_Row]:
    width = _WIDTH - _INDENT
    for number, line in enumerate(sheet.lines(spell_powers(item.stem), width=width, size=_SIZE)):
        texts = [(LEFT + _INDENT, line, _SIZE, Face.SANS)]
        if number == 0:
            texts.insert(0, (LEFT, f"{item.position}.", _SIZE, Face.BOLD))
        yield _Row(tuple(texts))
    options = [f"{letter}. {spell_powers(text)}" for letter, text in item.options]
    side_by_side = _side_by_side(sheet, options, width)
    step = width / side_by_side
    for start in range(0, len(options), side_by_side):
        part = options[start : start + side_by_side]
        if side_by_side > 1:
            yield _Row(
                tuple((LEFT + _INDENT + n * step, _one_line(text), _SIZE, Face.SANS) for n, text in enumerate(part))
            )
            continue
        for line_number, line in enumerate(sheet.lines(part[0], width=width - 5, size=_SIZE)):
            yield _Row(((LEFT + _INDENT + (5 if line_number else 0), line, _SIZE, Face.SANS),))


def spell_powers(text: str) -> str:
    """Raised digits that no font has, on the line after a caret."""
    return _POWER.sub(lambda found: "^" + found.group().translate(_LOWERED), text)


def _side_by_side(sheet: Sheet, options: Sequence[str], width: float) -> int:
    """How many options a row takes without breaking one."""
    for count in (4, 2):
        if all(len(sheet.lines(text, width=width / count - 4, size=_SIZE)) == 1 for text in options):
            return count
    return 1


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _paginate(blocks: Sequence[list[_Row]]) -> list[list[tuple[float, _Row]]]:
    """Pages of rows, each with the gap above it. An item higher than a page is torn after all."""
    pages: list[list[tuple[float, _Row]]] = [[]]
    y = _TOP_OF_FIRST
    for block in blocks:
        if pages[-1] and y + _GAP + sum(row.height for row in block) > _BOTTOM:
            pages.append([])
            y = _TOP
        for number, row in enumerate(block):
            gap = _GAP if number == 0 and pages[-1] else 0.0
            if y + gap > _BOTTOM:
                pages.append([])
                y, gap = _TOP, 0.0
            pages[-1].append((gap, row))
            y += gap + row.height
    return pages


def _draw_answer_sheet(sheet: Sheet, paper: PrintedPaper, *, page: int, number: int, total: int) -> None:
    head = paper.head
    if head.is_specimen:
        sheet.watermark("演示样张 SPECIMEN")
    for x, y in CORNERS:
        sheet.box(x, y, CORNER, CORNER, fill=_BLACK, weight=0)
    sheet.text(LEFT + 4, 30, "答题卡", size=20, face=Face.SERIF, colour=ACCENT)
    sheet.text(LEFT + 4, 36, "Answer sheet", size=8.5, colour=GREY)
    for row, text in enumerate(
        (
            f"{head.title}",
            f"姓名　{head.holder_name}　　准考证号　{head.ticket_no}",
            f"{head.site_name}　{head.room_name}　座位　{head.seat_no:02d}　　{_moment(head.starts_at)}",
        )
    ):
        sheet.text(LEFT + 4, 45 + row * 6.6, text, size=10.5, width=122)
    how = (
        "用 2B 铅笔把选中的圆圈涂满涂黑；改答案时用橡皮擦净。不要折叠，不要在黑色方块和二维码上书写。"
        if paper.provenance is None
        else "存档：涂黑的是考生最后保存的答案。"
    )
    sheet.paragraph(LEFT + 4, 67, how, width=122, size=9, leading=4.8, colour=GREY)
    sheet.text(LEFT + 4, 79, "考生签名　____________________", size=10)
    sheet.qr(154, 30, 34, sheet_code(head.sheet_id, page))
    sheet.text(171, 71.5, f"卷号 {_short(head.sheet_id)}", size=7.5, colour=GREY, align="centre")
    sheet.line(LEFT, 86, RIGHT, 86)
    for row in range(BUBBLE_ROWS):
        sheet.box(BAR_LEFT, row_y(row) - BAR_HEIGHT / 2, BAR_WIDTH, BAR_HEIGHT, fill=_BLACK, weight=0)
    for item in paper.items[(page - 1) * BUBBLES_A_PAGE : page * BUBBLES_A_PAGE]:
        x, y = number_place(item.position)
        sheet.text(x, y + 1.3, str(item.position), size=9.5, face=Face.BOLD, align="right")
    for bubble in list_bubbles([item.letters for item in paper.items]):
        if bubble.page != page:
            continue
        is_chosen = bubble.letter in paper.answers.get(bubble.position, "")
        sheet.circle(bubble.x, bubble.y, RADIUS, fill=INK if is_chosen else "", colour=INK if is_chosen else LINE)
        if not is_chosen:
            sheet.text(bubble.x, bubble.y + 1.0, bubble.letter, size=7.5, colour=GREY, align="centre")
    sheet.text(PAGE_WIDTH / 2, 288.5, f"第 {number} 页　共 {total} 页", size=8.5, align="centre")


def _draw_key(sheet: Sheet, key: PrintedKey) -> None:
    head = key.head
    a_page = 2 * _KEYS_A_COLUMN
    total = max(-(-len(key.lines) // a_page), 1)
    for page in range(1, total + 1):
        if page > 1:
            sheet.next_page()
        _draw_frame(sheet, head, "标准答案", page=page, total=total)
        sheet.box(LEFT, 22, _WIDTH, 9, fill="#fdf2f2", colour=_WARNING, weight=0.8)
        sheet.text(
            PAGE_WIDTH / 2, 28, KEY_WARNING, size=9, face=Face.BOLD, colour=_WARNING, align="centre", width=_WIDTH - 6
        )
        sheet.text(LEFT, 40, "标准答案 Answer key", size=14, face=Face.SERIF, colour=ACCENT)
        about = f"{head.holder_name}　{head.ticket_no}　{_moment(head.starts_at)}　满分 {head.full_score} 分"
        sheet.text(RIGHT, 40, about, size=9, align="right", width=118)
        for column in range(2):
            start = (page - 1) * a_page + column * _KEYS_A_COLUMN
            _draw_key_column(sheet, LEFT + column * (_WIDTH / 2 + 2), key.lines[start : start + _KEYS_A_COLUMN])


def _draw_key_column(sheet: Sheet, left: float, lines: Sequence[KeyLine]) -> None:
    if not lines:
        return
    places = (left + 7, left + 11, left + 28, left + 33, left + 58)
    for x, text, align in zip(
        places, ("题号", "答案", "分值", "题目", "知识领域"), ("right", "left", "right", "left", "left"), strict=True
    ):
        sheet.text(x, 47, text, size=7.5, colour=GREY, align="right" if align == "right" else "left")
    sheet.line(left, 48.6, left + _WIDTH / 2 - 2, 48.6)
    for number, line in enumerate(lines):
        y = 53 + number * 4.5
        sheet.text(places[0], y, str(line.position), size=9, align="right")
        sheet.text(places[1], y, line.key, size=10, face=Face.BOLD)
        sheet.text(places[2], y, str(line.points), size=9, align="right")
        sheet.text(places[3], y, line.item, size=7, colour=GREY, width=23)
        area = f"{line.area} {line.area_name}"
        sheet.text(places[4], y, area, size=7.5, width=left + _WIDTH / 2 - 2 - places[4])


def _short(sheet_id: UUID) -> str:
    """The tail of an id, to tell sheets apart at a glance."""
    return sheet_id.hex[-8:].upper()


def _moment(instant: datetime) -> str:
    day = instant.astimezone(CHINA)
    return f"{day:%Y-%m-%d}（周{_WEEKDAYS[day.weekday()]}）{day:%H:%M}"

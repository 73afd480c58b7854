"""The look of every printed page: a framed panel with fields, portrait and QR code, and numbered notes below.

Lengths in millimetres from the top left corner.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.calendar import china_date
from training.fonts import Face
from training.models import Sex
from training.printing import ACCENT, GREY, INK, LINE, PAGE_WIDTH, TINT, Sheet

if TYPE_CHECKING:
    from datetime import date, datetime

LEFT, RIGHT, TOP, BOTTOM = 15, 195, 16, 172
BELOW = BOTTOM + 12
FIELDS_LEFT, FIELDS_RIGHT = 25, 143
HALF = 92  # where the second field of a row begins
_HEADER_BOTTOM = 46
_ASIDE = 168  # the middle of the column with photo and code
_PHOTO = (33, 46.2)
_QR_SIDE = 38


@dataclass(frozen=True)
class Field:
    """A label in two languages and a value between `left` and `right`."""

    label: str
    label_en: str
    value: str
    value_en: str = ""
    is_large: bool = False
    label_width: float = 26
    left: float = FIELDS_LEFT
    right: float = FIELDS_RIGHT


def print_day(day: date | None) -> str:
    """As on the card: 2026-11-21, or a dash while there is none."""
    return day.isoformat() if day else "—"


def print_sex(sex: Sex | None) -> str:
    """男, 女, or a dash."""
    return {Sex.MALE: "男", Sex.FEMALE: "女", None: "—"}[sex]


def draw_panel(sheet: Sheet, title: str, title_en: str) -> None:
    """The frame and its heading."""
    sheet.box(LEFT, TOP, RIGHT - LEFT, BOTTOM - TOP, colour=ACCENT, weight=1.4)
    sheet.box(LEFT + 1.2, TOP + 1.2, RIGHT - LEFT - 2.4, BOTTOM - TOP - 2.4, colour=LINE, weight=0.4)
    sheet.box(LEFT + 1.2, TOP + 1.2, RIGHT - LEFT - 2.4, _HEADER_BOTTOM - TOP - 1.2, fill=TINT, weight=0)
    sheet.line(LEFT + 1.2, _HEADER_BOTTOM, RIGHT - 1.2, _HEADER_BOTTOM, colour=ACCENT, weight=0.8)
    middle = PAGE_WIDTH / 2
    sheet.text(middle, 33, title, size=25, face=Face.SERIF, colour=ACCENT, align="centre", width=160)
    sheet.text(middle, 40.5, title_en, size=9.5, colour=GREY, align="centre", width=160)


def draw_rows(sheet: Sheet, rows: list[list[Field]]) -> None:
    """The fields, evenly spaced below the heading; at most nine rows."""
    step = min(13.0, 105 / len(rows))
    for number, row in enumerate(rows):
        for field in row:
            draw_field(sheet, 60 + number * step, field)


def draw_field(sheet: Sheet, y: float, field: Field) -> None:
    """The label with its English below, the value on the label's line, a thin rule under both."""
    sheet.text(field.left, y, field.label, size=10, colour=GREY)
    sheet.text(field.left, y + 3.6, field.label_en, size=6.5, colour=GREY)
    start = field.left + field.label_width
    if field.is_large:
        sheet.text(start, y + 1, field.value, size=18, face=Face.BOLD, colour=INK, width=field.right - start)
    else:
        sheet.text(start, y, field.value, size=12, colour=INK, width=field.right - start)
        sheet.text(start, y + 3.8, field.value_en, size=7, colour=GREY, width=field.right - start)
    sheet.line(start, y + 5.2, field.right, y + 5.2, weight=0.4)


def draw_photo(sheet: Sheet, photo: bytes | None) -> None:
    """The portrait, or an empty frame that says so."""
    width, height = _PHOTO
    left, top = _ASIDE - width / 2, 52
    if photo:
        sheet.picture(left, top, width, height, photo)
    else:
        sheet.text(_ASIDE, top + height / 2, "无照片 No photo", size=9, colour=GREY, align="centre")
    sheet.box(left, top, width, height, colour=LINE)


def draw_code(sheet: Sheet, qr: str, caption: str, caption_en: str) -> None:
    """The QR code, well over the 25 mm that print needs, with its quiet zone."""
    top = 112
    sheet.qr(_ASIDE - _QR_SIDE / 2, top, _QR_SIDE, qr)
    sheet.text(_ASIDE, top + _QR_SIDE + 6.2, caption, size=10, face=Face.BOLD, colour=ACCENT, align="centre")
    sheet.text(_ASIDE, top + _QR_SIDE + 10, caption_en, size=7, colour=GREY, align="centre")


def draw_remark(sheet: Sheet, remark: str) -> None:
    """A line at the foot of the panel."""
    sheet.text(FIELDS_LEFT, BOTTOM - 5, remark, size=8.5, colour=GREY)


def draw_section(sheet: Sheet, y: float, title: str, title_en: str, points: list[str]) -> float:
    """A heading with numbered points. Gives the next `y`."""
    sheet.text(LEFT, y, title, size=11, face=Face.BOLD, colour=ACCENT)
    sheet.text(LEFT + 20, y, title_en, size=8, colour=GREY)
    y += 6
    for number, point in enumerate(points, 1):
        sheet.text(LEFT, y, f"{number}.", size=9, colour=GREY)
        y = sheet.paragraph(LEFT + 5, y, point, width=RIGHT - LEFT - 5, size=9, leading=5) + 0.6
    return y


def draw_footer(sheet: Sheet, printed_at: datetime) -> None:
    """When the page was made, so that an old print is known as one."""
    sheet.line(LEFT, 283, RIGHT, 283)
    sheet.text(LEFT, 287.5, "本页由系统生成，内容可能在打印后变化。", size=7.5, colour=GREY)
    day = china_date(printed_at).isoformat()
    sheet.text(RIGHT, 287.5, f"打印日期 Printed on {day}", size=7.5, colour=GREY, align="right")

"""The admission ticket (准考证): its number and its printed page, fields as in domain.md §4.3."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exams.models import ExamPart
from training.calendar import CHINA
from training.panels import (
    BELOW,
    HALF,
    Field,
    draw_code,
    draw_footer,
    draw_panel,
    draw_photo,
    draw_remark,
    draw_rows,
    draw_section,
)
from training.printing import Sheet

if TYPE_CHECKING:
    from datetime import date, datetime

    from training.fonts import FontSet

_SITE_DIGITS = 3
_LAST_SEQUENCE = 99_999
_WEEKDAYS = "一二三四五六日"
_PARTS = {
    ExamPart.THEORY: ("安全生产知识（理论）", "Theory"),
    ExamPart.PRACTICAL: ("实际操作", "Practical"),
}


def ticket_number(day: date, site_code: str, sequence: int) -> str:
    """`EX`, year and month of the exam, the site's three characters, five digits (domain.md §6.5)."""
    if len(site_code) != _SITE_DIGITS or not 0 < sequence <= _LAST_SEQUENCE:
        raise ValueError(f"no ticket number from site {site_code!r} and sequence {sequence}")
    return f"EX{day:%Y%m}{site_code}{sequence:05d}"


@dataclass(frozen=True)
class PrintedTicket:
    """What is printed. `qr` is the address with the opaque ticket token; times are instants."""

    ticket_no: str
    holder_name: str
    document_masked: str
    exam_name: str
    item_name: str
    part: ExamPart
    starts_at: datetime
    ends_at: datetime
    entry_from: datetime
    latest_entry: datetime
    leave_from: datetime
    change_until: datetime
    site_name: str
    address: str
    room_name: str
    seat_no: int
    qr: str
    printed_at: datetime
    photo: bytes | None = None
    is_specimen: bool = False


def ticket_pdf(ticket: PrintedTicket, fonts: FontSet) -> bytes:
    """One A4 page. Call it in a thread. Raises `training.fonts.NoGlyph`."""
    sheet = Sheet(fonts, title="准考证", author=ticket.site_name, now=ticket.printed_at)
    if ticket.is_specimen:
        sheet.watermark("演示样张 SPECIMEN")
    draw_panel(sheet, "准考证", "Exam Admission Ticket")
    draw_rows(sheet, _rows(ticket))
    draw_photo(sheet, ticket.photo)
    draw_code(sheet, ticket.qr, "入场扫码", "Scan at check-in")
    draw_remark(sheet, "二维码只供考试点核对座位，请勿转发。")
    draw_section(sheet, BELOW, "考生须知", "Notes for the candidate", _notes(ticket))
    draw_footer(sheet, ticket.printed_at)
    return sheet.finish()


def _rows(ticket: PrintedTicket) -> list[list[Field]]:
    part, part_en = _PARTS[ticket.part]
    return [
        [Field("姓名", "Name", ticket.holder_name, is_large=True)],
        [Field("准考证号", "Ticket No.", ticket.ticket_no)],
        [Field("证件号码", "Document No.", ticket.document_masked)],
        [Field("考试名称", "Exam", ticket.exam_name)],
        [
            Field("考试项目", "Item", ticket.item_name),
        ],
        [Field("考试科目", "Part", part, part_en)],
        [Field("考试时间", "Time", f"{_day(ticket.starts_at)} {_clock(ticket.starts_at)}–{_clock(ticket.ends_at)}")],
        [Field("考试点", "Site", ticket.site_name, ticket.address)],
        [
            Field("考场", "Room", ticket.room_name, right=HALF - 2),
            Field("座位号", "Seat", f"{ticket.seat_no:02d}", left=HALF, is_large=True),
        ],
    ]


def _notes(ticket: PrintedTicket) -> list[str]:
    return [
        f"{_clock(ticket.entry_from)} 起入场，{_clock(ticket.latest_entry)} 后不得入场，"
        f"{_clock(ticket.leave_from)} 前不得离场。请预留核验身份的时间。",
        f"地址：{ticket.address}。",
        "请携带本准考证（纸质或手机显示均可）和报名所用身份证件原件，缺一不可。",
        "核验身份时，人脸比对须另行征得您的同意；不同意的，由工作人员人工核验，不影响参加考试。",
        "手机等通讯工具和资料须关闭并放在指定位置。违反考场纪律的按规定处理，严重的责令离场、当场成绩记零分。",
        f"如需改期或取消，请在 {_day(ticket.change_until)} {_clock(ticket.change_until)} 前在系统中办理。",
    ]


def _day(instant: datetime) -> str:
    day = instant.astimezone(CHINA)
    return f"{day:%Y-%m-%d}（周{_WEEKDAYS[day.weekday()]}）"


def _clock(instant: datetime) -> str:
    return f"{instant.astimezone(CHINA):%H:%M}"

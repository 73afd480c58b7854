"""一人一档 and 一企一档 as xlsx (安全生产法 28, domain.md §3.4): time, content, people, result.

Writing takes up to seconds for a large enterprise: call it in a thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font

from training.calendar import CHINA
from training.errors import N_
from training.staff_sheet import to_bytes, write_heading, write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date, datetime
    from enum import StrEnum
    from uuid import UUID

    from openpyxl.worksheet.worksheet import Worksheet

    from training.records import RecordLine

_PERSON_COLUMNS = (
    (N_("姓名"), 14), (N_("证件类型"), 18), (N_("证件号码"), 24), (N_("人员类别"), 20), (N_("部门"), 18),
    (N_("岗位"), 18), (N_("入职日期"), 14), (N_("培训次数"), 10), (N_("合格学时"), 10),
)  # fmt: skip
_RECORD_COLUMNS = (
    (N_("姓名"), 14), (N_("开始时间"), 18), (N_("结束时间"), 18), (N_("培训课程"), 28), (N_("培训内容"), 44),
    (N_("培训方式"), 12), (N_("学时"), 8), (N_("培训单位"), 24), (N_("授课人"), 14), (N_("考核情况"), 20),
    (N_("结果"), 10), (N_("更正"), 10), (N_("记录编号"), 38),
)  # fmt: skip
_CERTIFICATE_COLUMNS = (
    (N_("姓名"), 14), (N_("证书种类"), 30), (N_("项目"), 28), (N_("证书编号"), 24), (N_("发证机关"), 28),
    (N_("有效期起"), 14), (N_("有效期止"), 14), (N_("应复审日期"), 14), (N_("状态"), 12),
)  # fmt: skip
_PASSED, _FAILED, _CORRECTED = N_("合格"), N_("不合格"), N_("更正后")


@dataclass(frozen=True)
class DossierPerson:
    """The head of one file. `number` is masked unless the rule table allows the full one."""

    person_id: UUID
    name: str
    id_type: StrEnum
    number: str
    category: StrEnum
    department: str
    post: str
    started_on: date


@dataclass(frozen=True)
class DossierCertificate:
    """A certificate as the file lists it; the words are ready."""

    person_id: UUID
    kind: str
    item: str
    number: str
    issuer: str
    valid_from: date
    valid_to: date | None
    review_due_on: date | None
    status: str


@dataclass(frozen=True)
class Dossier:
    """Everything that goes into the file."""

    organisation: str
    made_at: datetime
    made_by: str
    people: Sequence[DossierPerson]
    records: Sequence[RecordLine]
    certificates: Sequence[DossierCertificate]


def write_dossier(dossier: Dossier, *, say: Callable[[str], str], label: Callable[[StrEnum], str]) -> bytes:
    """The xlsx: people, records, certificates, and on each sheet for whom, by whom and when it was made."""
    book = Workbook()
    names = {person.person_id: person.name for person in dossier.people}
    sheet: Worksheet = book.active
    _begin(sheet, dossier, say(N_("人员档案")), _PERSON_COLUMNS, say)
    for row, person in enumerate(dossier.people, start=4):
        own = [record for record in dossier.records if record.person_id == person.person_id]
        _line(sheet, row, [
            person.name, label(person.id_type), person.number, label(person.category), person.department,
            person.post, person.started_on.isoformat(), len(own),
            sum((record.class_hours for record in own if record.passed), Decimal(0)),
        ])  # fmt: skip
    sheet = book.create_sheet()
    _begin(sheet, dossier, say(N_("培训记录")), _RECORD_COLUMNS, say)
    for row, record in enumerate(dossier.records, start=4):
        _line(sheet, row, [
            names.get(record.person_id, record.person_name), _moment(record.started_at), _moment(record.ended_at),
            record.title, record.content, label(record.mode), record.class_hours, record.provider_name,
            record.trainer, record.assessment, say(_PASSED if record.passed else _FAILED),
            say(_CORRECTED) if record.is_correction else "", str(record.id),
        ])  # fmt: skip
    sheet = book.create_sheet()
    _begin(sheet, dossier, say(N_("持证情况")), _CERTIFICATE_COLUMNS, say)
    for row, held in enumerate(dossier.certificates, start=4):
        _line(sheet, row, [
            names.get(held.person_id, ""), held.kind, held.item, held.number, held.issuer,
            held.valid_from.isoformat(), _day(held.valid_to), _day(held.review_due_on), held.status,
        ])  # fmt: skip
    return to_bytes(book)


def _begin(
    sheet: Worksheet,
    dossier: Dossier,
    title: str,
    columns: Sequence[tuple[str, int]],
    say: Callable[[str], str],
) -> None:
    sheet.title = title
    write_text(sheet.cell(row=1, column=1), f"{dossier.organisation} · {title}")
    sheet.cell(row=1, column=1).font = Font(bold=True, size=14)
    made = say(N_("生成时间 {time}，生成人 {name}")).format(time=_moment(dossier.made_at), name=dossier.made_by)
    write_text(sheet.cell(row=2, column=1), made)
    write_heading(sheet, 3, [(say(heading), width) for heading, width in columns])
    sheet.freeze_panes = "B4"
    sheet.page_setup.orientation = "landscape"
    sheet.page_setup.fitToHeight = 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.print_title_rows = "3:3"


def _line(sheet: Worksheet, row: int, values: Sequence[str | int | Decimal]) -> None:
    for place, value in enumerate(values, start=1):
        cell = sheet.cell(row=row, column=place)
        if isinstance(value, str):
            write_text(cell, value)
            cell.alignment = Alignment(wrap_text=True, vertical="top")
        else:
            cell.value = value
            cell.alignment = Alignment(vertical="top")


def _moment(value: datetime) -> str:
    return f"{value.astimezone(CHINA):%Y-%m-%d %H:%M}"


def _day(value: date | None) -> str:
    return value.isoformat() if value else ""

"""The printed 培训合格证明: what was learned, when, for how long. It is not a regulated certificate, and says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

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
    print_day,
)
from training.printing import Sheet

if TYPE_CHECKING:
    from datetime import date, datetime
    from decimal import Decimal

    from training.fonts import FontSet


@dataclass(frozen=True)
class PrintedProof:
    """What is printed. `document_masked` is masked already: an employer may hand this page on."""

    number: str
    holder_name: str
    document_masked: str
    course_name: str
    hours: Decimal
    started_on: date
    finished_on: date
    issued_on: date
    issuer_name: str
    qr: str
    verify_url: str
    printed_at: datetime
    enterprise_name: str = ""
    result: str = ""
    photo: bytes | None = None
    is_specimen: bool = False


def training_proof_pdf(facts: PrintedProof, fonts: FontSet) -> bytes:
    """One A4 page. Call it in a thread. Raises `training.fonts.NoGlyph`."""
    title = "培训合格证明"
    sheet = Sheet(fonts, title=title, author=facts.issuer_name, now=facts.printed_at)
    if facts.is_specimen:
        sheet.watermark("演示样张 SPECIMEN")
    draw_panel(sheet, title, "Certificate of Completed Safety Training")
    draw_rows(sheet, _rows(facts))
    draw_photo(sheet, facts.photo)
    draw_code(sheet, facts.qr, "扫码核验", "Scan to verify")
    draw_remark(sheet, "电子签名校验以二维码为准，本页不盖章。")
    draw_section(
        sheet,
        BELOW,
        "说明",
        "Notes",
        [
            f"扫描二维码，或打开 {facts.verify_url} 扫码或上传本页，可核验本证明；请先确认网址，再看结论。",
            "本证明由实施培训的单位签发，不是特种作业操作证等行政许可证件，不能代替依法应当取得的证件。",
            "培训档案由签发单位保存；内容如有疑问，请向签发单位核对。",
        ],
    )
    draw_footer(sheet, facts.printed_at)
    return sheet.finish()


def _rows(facts: PrintedProof) -> list[list[Field]]:
    hours = f"{facts.hours.normalize():f} 学时"
    rows = [
        [Field("姓名", "Name", facts.holder_name, is_large=True)],
        [Field("证件号码", "Document No.", facts.document_masked)],
        [
            Field("证明编号", "Proof No.", facts.number, right=HALF - 2),
            Field("签发日期", "Issued on", print_day(facts.issued_on), left=HALF),
        ],
        [Field("培训课程", "Course", facts.course_name)],
        [
            Field("培训学时", "Class hours", hours, right=HALF - 2),
            Field("考核结果", "Result", facts.result or "合格", left=HALF),
        ],
        [Field("培训日期", "Dates", f"{print_day(facts.started_on)} 至 {print_day(facts.finished_on)}")],
    ]
    if facts.enterprise_name:
        rows.append([Field("所在单位", "Employer", facts.enterprise_name)])
    rows.append([Field("签发单位", "Issued by", facts.issuer_name)])
    return rows

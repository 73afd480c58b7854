"""The printed certificate of a regulated kind: a card-like panel, how to check it, and notes for the holder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from certificates.models import CertificateKind
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
    print_sex,
)
from training.printing import Sheet

if TYPE_CHECKING:
    from datetime import date, datetime

    from training.fonts import FontSet
    from training.models import Sex


@dataclass(frozen=True)
class PrintedCertificate:
    """What is printed. The number is whole, as on the card: only holder and issuer may fetch the page.

    `photo` is a JPEG or PNG; `qr` is the text of `credential.qr_text`; `verify_url` is where anyone may check.
    """

    kind: CertificateKind
    number: str
    holder_name: str
    sex: Sex | None
    class_name: str
    item_name: str
    first_issued_on: date
    valid_from: date
    valid_to: date
    issuer_name: str
    qr: str
    verify_url: str
    window_days: int
    printed_at: datetime
    photo: bytes | None = None
    item_name_en: str = ""
    review_due_on: date | None = None
    reviewed_on: date | None = None
    is_specimen: bool = False


@dataclass(frozen=True)
class _Wording:
    title: str
    title_en: str
    class_label: tuple[str, str]
    item_label: tuple[str, str]


_WORDINGS = {
    CertificateKind.SPECIAL_OPERATION: _Wording(
        "中华人民共和国特种作业操作证",
        "Special Operation Certificate of the People's Republic of China",
        ("作业类别", "Category"),
        ("准操项目", "Permitted operation"),
    ),
    CertificateKind.MANAGER: _Wording(
        "安全生产知识和管理能力考核合格证",
        "Certificate of Work Safety Knowledge and Management Competence",
        ("单位类型", "Sector"),
        ("人员类别", "Position"),
    ),
    CertificateKind.INSPECTOR: _Wording(
        "专职安全员证",
        "Full-time Safety Officer Certificate",
        ("岗位类别", "Category"),
        ("岗位名称", "Position"),
    ),
}


def certificate_pdf(facts: PrintedCertificate, fonts: FontSet) -> bytes:
    """One A4 page. Takes some milliseconds of CPU: call it in a thread. Raises `training.fonts.NoGlyph`."""
    wording = _WORDINGS[facts.kind]
    sheet = Sheet(fonts, title=wording.title, author=facts.issuer_name, now=facts.printed_at)
    if facts.is_specimen:
        sheet.watermark("演示样张 SPECIMEN")
    draw_panel(sheet, wording.title, wording.title_en)
    draw_rows(sheet, _rows(facts, wording))
    draw_photo(sheet, facts.photo)
    draw_code(sheet, facts.qr, "扫码核验", "Scan to verify")
    draw_remark(sheet, "电子签名校验以二维码为准，本页不盖章。")
    y = draw_section(
        sheet,
        BELOW,
        "核验方法",
        "How to verify",
        [
            f"扫描二维码，或打开 {facts.verify_url} 扫码或上传本页。",
            f"先看地址：核验网址只有 {_host(facts.verify_url)}。地址不符的页面一律不可信，无论它显示什么。",
            "再看结论：页面显示“真实”，且姓名（部分隐去）、项目、日期与本页一致，才算通过；是否撤销、过期以当时显示为准。",
        ],
    )
    draw_section(sheet, y + 5, "持证须知", "Notes for the holder", _notes(facts))
    draw_footer(sheet, facts.printed_at)
    return sheet.finish()


def _rows(facts: PrintedCertificate, wording: _Wording) -> list[list[Field]]:
    rows = [
        [
            Field("姓名", "Name", facts.holder_name, is_large=True, right=118),
            Field("性别", "Sex", print_sex(facts.sex), left=121, label_width=11),
        ],
        [Field("证号", "Certificate No.", facts.number)],
    ]
    if facts.class_name:
        rows.append([Field(*wording.class_label, facts.class_name)])
    rows += [
        [Field(*wording.item_label, facts.item_name, facts.item_name_en)],
        [Field("初领日期", "First issued", print_day(facts.first_issued_on))],
        [Field("有效期限", "Valid", f"{print_day(facts.valid_from)} 至 {print_day(facts.valid_to)}")],
    ]
    if facts.review_due_on:
        rows.append(
            [
                Field("应复审日期", "Review due", print_day(facts.review_due_on), right=HALF - 2),
                Field("实际复审日期", "Reviewed", print_day(facts.reviewed_on), left=HALF),
            ]
        )
    rows.append([Field("签发机关", "Issued by", facts.issuer_name)])
    return rows


def _notes(facts: PrintedCertificate) -> list[str]:
    notes = ["电子证件与实体证件具有同等效力。请妥善保管，不得伪造、涂改、出借、转让。"]
    if facts.review_due_on:
        notes.append(f"请在应复审日期前 {facts.window_days} 日内申请复审；逾期未复审的，证件失效。")
    if facts.kind is not CertificateKind.SPECIAL_OPERATION:
        notes.append(f"请在有效期届满 {facts.window_days} 日前申请延期；未办理的，证件到期失效。")
    else:
        notes.append(f"请在有效期届满前 {facts.window_days} 日内申请延期；未办理的，证件到期失效。")
        notes.append("离开特种作业岗位达到规定时间的，须重新通过实际操作考试，确认合格后方可上岗。")
    notes.append("本页含证件号码，只供持证人和签发机关下载。向他人证明持证时，出示二维码即可，二维码内不含证件号码。")
    return notes


def _host(url: str) -> str:
    return url.split("://", 1)[-1].split("/", 1)[0]

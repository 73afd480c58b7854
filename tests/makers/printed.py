"""Printed pages with defaults for everything, and readers of what was printed."""

from __future__ import annotations

import io
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pypdfium2
import zxingcpp
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from PIL import Image, ImageDraw

from certificates.credential import Credential, make_credential, qr_text
from certificates.document.certificate import PrintedCertificate
from certificates.document.proof import PrintedProof
from certificates.models import CertificateKind
from certificates.signing import Signer
from exams.models import ExamPart
from exams.tickets import PrintedTicket
from training.fonts import FontSet
from training.models import Sex

FONTS_FOLDER = Path(__file__).parents[2] / "web" / "static" / "vendor" / "fonts"
NOW = datetime(2026, 11, 21, 2, 30, tzinfo=UTC)
SIGNER = Signer("abcd1234", Ed25519PrivateKey.from_private_bytes(b"1" * 32))
PUBLIC_URL = "https://anpei.example.gov.cn"


def make_fonts(rare_in: Path | None = None) -> FontSet:
    """The fonts of the build; no rare ones unless a folder is given, so that tests do not depend on the machine."""
    return FontSet.in_folder(FONTS_FOLDER, rare_in or FONTS_FOLDER / "none")


def make_rare_font(folder: Path, characters: str) -> Path:
    """A font that has these characters only, each drawn as a square."""
    names = [f"u{ord(character):05X}" for character in characters]
    pen = TTGlyphPen(None)
    for corner in ((100, 0), (100, 800), (900, 800), (900, 0)):
        (pen.moveTo if corner == (100, 0) else pen.lineTo)(corner)
    pen.closePath()
    square = pen.glyph()
    order = [".notdef", *names]
    font = FontBuilder(1000, isTTF=True)
    font.setupGlyphOrder(order)
    font.setupCharacterMap({ord(character): name for character, name in zip(characters, names, strict=True)})
    font.setupGlyf(dict.fromkeys(order, square))
    font.setupHorizontalMetrics(dict.fromkeys(order, (1000, 100)))
    font.setupHorizontalHeader(ascent=880, descent=-120)
    font.setupNameTable({"familyName": "Rare", "styleName": "Regular", "psName": "Rare-Regular"})
    font.setupOS2(sTypoAscender=880, sTypoDescender=-120)
    font.setupPost()
    path = folder / "BabelStoneHan.ttf"
    font.save(path)
    return path


def make_photo(width: int = 295, height: int = 413) -> bytes:
    """A face of sorts, of the size that domain.md §3.5 asks for."""
    picture = Image.new("RGB", (width, height), "#dfe7ee")
    draw = ImageDraw.Draw(picture)
    draw.ellipse((width * 0.3, height * 0.2, width * 0.7, height * 0.62), fill="#d8b79c")
    draw.ellipse((width * 0.08, height * 0.66, width * 0.92, height * 1.3), fill="#37506b")
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=90)
    return data.getvalue()


def make_qr_text() -> str:
    """What a low-voltage electrician's QR code says."""
    credential = Credential(
        issuer="BJ-YJ",
        public_id="ABCDEFGHIJKLMNOPQRSTUVWXYQ",
        kind=CertificateKind.SPECIAL_OPERATION,
        holder_masked="张**",
        item_code="SO_1_2",
        item_name="低压电工作业",
        issued_at=NOW,
        valid_from=date(2026, 11, 21),
        valid_to=date(2032, 11, 20),
        review_due_on=date(2029, 11, 20),
    )
    data = make_credential(credential, kid=SIGNER.kid, key=SIGNER.key)
    return qr_text(PUBLIC_URL, credential.public_id, data)


def make_certificate(**changes: Any) -> PrintedCertificate:  # noqa: ANN401 - any field
    """An electrician's."""
    defaults: dict[str, Any] = {
        "kind": CertificateKind.SPECIAL_OPERATION,
        "number": "T11010119000307761X",
        "holder_name": "张建国",
        "sex": Sex.MALE,
        "class_name": "电工作业",
        "item_name": "低压电工作业",
        "item_name_en": "Low-voltage electrician",
        "first_issued_on": date(2026, 11, 21),
        "valid_from": date(2026, 11, 21),
        "valid_to": date(2032, 11, 20),
        "review_due_on": date(2029, 11, 20),
        "issuer_name": "北京市应急管理局",
        "qr": make_qr_text(),
        "verify_url": f"{PUBLIC_URL}/verify",
        "window_days": 60,
        "printed_at": NOW,
        "photo": make_photo(),
    }
    return PrintedCertificate(**{**defaults, **changes})


def make_proof(**changes: Any) -> PrintedProof:  # noqa: ANN401 - any field
    """Of a fire-safety course."""
    defaults: dict[str, Any] = {
        "number": "TR20260000000152",
        "holder_name": "李晓梅",
        "document_masked": "110*************1X",
        "course_name": "消防安全知识与应急疏散",
        "hours": Decimal("8.00"),
        "started_on": date(2026, 11, 1),
        "finished_on": date(2026, 11, 20),
        "issued_on": date(2026, 11, 21),
        "issuer_name": "北京某某职业技能培训中心",
        "enterprise_name": "北京某某软件技术有限公司",
        "result": "合格（92 分）",
        "qr": make_qr_text(),
        "verify_url": f"{PUBLIC_URL}/verify",
        "printed_at": NOW,
        "photo": make_photo(),
    }
    return PrintedProof(**{**defaults, **changes})


def make_ticket(**changes: Any) -> PrintedTicket:  # noqa: ANN401 - any field
    """For a theory exam on a Saturday morning."""
    defaults: dict[str, Any] = {
        "ticket_no": "EX20261200300012",
        "holder_name": "张建国",
        "document_masked": "110*************1X",
        "exam_name": "2026 年 12 月特种作业人员安全生产资格考试",
        "item_name": "电工作业 · 低压电工作业",
        "part": ExamPart.THEORY,
        "starts_at": datetime(2026, 12, 5, 1, 0, tzinfo=UTC),
        "ends_at": datetime(2026, 12, 5, 3, 0, tzinfo=UTC),
        "entry_from": datetime(2026, 12, 5, 0, 45, tzinfo=UTC),
        "latest_entry": datetime(2026, 12, 5, 1, 30, tzinfo=UTC),
        "leave_from": datetime(2026, 12, 5, 1, 30, tzinfo=UTC),
        "change_until": datetime(2026, 12, 4, 1, 0, tzinfo=UTC),
        "site_name": "朝阳区安全生产考试点",
        "address": "北京市朝阳区示例路 1 号院 2 号楼",
        "room_name": "第一机考室",
        "seat_no": 7,
        "qr": f"{PUBLIC_URL}/t/7XK3QW5ZJ4M2N6P8R9S1T0V3",
        "printed_at": NOW,
        "photo": make_photo(),
    }
    return PrintedTicket(**{**defaults, **changes})


def read_text(pdf: bytes) -> str:
    """What copying the page gives, without line breaks and spaces."""
    text: str = pypdfium2.PdfDocument(pdf)[0].get_textpage().get_text_bounded()
    return "".join(text.split())


def photograph(pdf: bytes, dpi: int = 150) -> Image.Image:
    """The page as a scanner sees it."""
    picture: Image.Image = pypdfium2.PdfDocument(pdf)[0].render(scale=dpi / 72).to_pil().convert("L")
    return picture


def scan(picture: Image.Image) -> Any:  # noqa: ANN401 - zxing-cpp has no types
    """The one QR code in a picture, or None."""
    return next(
        iter(zxingcpp.read_barcodes(picture, formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode))), None
    )

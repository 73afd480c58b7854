from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pikepdf
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageDraw

from certificates.credential import open_credential, read_qr_text
from certificates.document.certificate import certificate_pdf
from certificates.document.proof import training_proof_pdf
from certificates.models import CertificateKind
from tests.makers.printed import (
    NOW,
    SIGNER,
    make_certificate,
    make_fonts,
    make_photo,
    make_proof,
    make_qr_text,
    make_rare_font,
    photograph,
    read_text,
    scan,
)
from training.fonts import NoGlyph, find_rare_fonts

FONTS = make_fonts()
SYSTEM_FONTS = Path("/usr/share/fonts")
MILLIMETRE_AT_150_DPI = 150 / 25.4


def test_the_page_says_what_the_card_says() -> None:
    text = read_text(certificate_pdf(make_certificate(), FONTS))
    for words in (
        "中华人民共和国特种作业操作证",
        "姓名",
        "张建国",
        "性别",
        "男",
        "T11010119000307761X",
        "作业类别",
        "电工作业",
        "准操项目",
        "低压电工作业",
        "初领日期",
        "2026-11-21至2032-11-20",
        "应复审日期",
        "2029-11-20",
        "实际复审日期",
        "北京市应急管理局",
        "电子签名校验以二维码为准",
        "https://anpei.example.gov.cn/verify",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        (CertificateKind.MANAGER, "安全生产知识和管理能力考核合格证"),
        (CertificateKind.INSPECTOR, "专职安全员证"),
    ],
)
def test_kinds_without_review_have_their_own_title_and_no_review_dates(kind: CertificateKind, title: str) -> None:
    text = read_text(certificate_pdf(make_certificate(kind=kind, review_due_on=None, class_name=""), FONTS))
    assert title in text
    assert "复审" not in text
    assert "特种作业" not in text


def test_a_training_proof_says_that_it_is_no_licence_and_shows_no_whole_number() -> None:
    text = read_text(training_proof_pdf(make_proof(), FONTS))
    for words in (
        "培训合格证明",
        "李晓梅",
        "消防安全知识与应急疏散",
        "8学时",
        "TR20260000000152",
        "不是特种作业操作证",
    ):
        assert words in text
    assert "110*************1X" in text


def test_the_qr_code_proves_the_certificate_from_a_scan_of_the_page() -> None:
    found = scan(photograph(certificate_pdf(make_certificate(), FONTS)))
    assert found.text == make_qr_text()
    scanned = read_qr_text(found.text)
    opened = open_credential(scanned.credential, keys={SIGNER.kid: SIGNER.key.public_key()})
    assert opened.public_id == scanned.public_id
    assert opened.item_name == "低压电工作业"


def test_the_qr_code_is_at_least_25_millimetres_wide() -> None:
    corners = scan(photograph(certificate_pdf(make_certificate(), FONTS))).position
    assert corners.top_right.x - corners.top_left.x >= 25 * MILLIMETRE_AT_150_DPI


@pytest.mark.parametrize("colour", [0, 255])
@pytest.mark.parametrize(("across", "down"), [(0.5, 0.5), (0.7, 0.45), (0.45, 0.7), (0.72, 0.72)])
def test_the_qr_code_is_read_with_15_percent_of_it_covered(across: float, down: float, colour: int) -> None:
    picture = photograph(certificate_pdf(make_certificate(), FONTS))
    corners = scan(picture).position
    side = corners.top_right.x - corners.top_left.x
    middle_x, middle_y = corners.top_left.x + side * across, corners.top_left.y + side * down
    half = side * 0.15**0.5 / 2
    ImageDraw.Draw(picture).rectangle((middle_x - half, middle_y - half, middle_x + half, middle_y + half), fill=colour)
    assert scan(picture).text == make_qr_text()


def test_a_rare_character_is_printed_from_another_font_and_copied_as_itself(tmp_path: Path) -> None:
    make_rare_font(tmp_path, "\U00020bb7\U000300f7")
    pdf = certificate_pdf(make_certificate(holder_name="\U00020bb7田㛃䶮\U000300f7"), make_fonts(tmp_path))
    assert "\U00020bb7田㛃䶮\U000300f7" in read_text(pdf)


def test_a_character_that_no_font_has_is_named_and_nothing_is_printed() -> None:
    with pytest.raises(NoGlyph, match="“\U00020bb7”（U\\+20BB7）"):
        certificate_pdf(make_certificate(holder_name="\U00020bb7田"), FONTS)


@pytest.mark.skipif(not find_rare_fonts(SYSTEM_FONTS), reason="no font with rare characters is installed")
def test_the_machines_own_rare_fonts_serve_where_there_are_any() -> None:
    pdf = certificate_pdf(make_certificate(holder_name="\U00020bb7田㛃䶮"), make_fonts(SYSTEM_FONTS))
    assert "\U00020bb7田㛃䶮" in read_text(pdf)


@given(st.text(st.characters(min_codepoint=0x4E00, max_codepoint=0x9F00), min_size=2, max_size=50))
@settings(max_examples=25, deadline=timedelta(seconds=5))
def test_any_name_of_common_characters_is_copied_as_it_was_given(name: str) -> None:
    assert name in read_text(certificate_pdf(make_certificate(holder_name=name, photo=None), FONTS))


@pytest.mark.parametrize("holder_name", ["张" * 50, "阿卜杜拉·艾合买提·麦麦提敏", "Maria-Antonia O'Higgins de la Cruz"])
def test_long_values_stay_inside_the_page(holder_name: str) -> None:
    long = make_certificate(
        holder_name=holder_name,
        class_name="危险化学品安全作业" * 4,
        item_name="化工自动化控制仪表作业" * 4,
        issuer_name="应急管理局" * 12,
    )
    page = pypdfium2.PdfDocument(certificate_pdf(long, FONTS))[0]
    letters = page.get_textpage()
    rights = [letters.get_charbox(index)[2] for index in range(letters.count_chars())]
    assert max(rights) <= 195 / 25.4 * 72 + 1


def test_the_page_is_one_a4_with_every_font_embedded_and_a_title() -> None:
    with pikepdf.open(io.BytesIO(certificate_pdf(make_certificate(), FONTS))) as pdf:
        assert len(pdf.pages) == 1
        assert [round(float(side)) for side in pdf.pages[0].mediabox] == [0, 0, 595, 842]
        fonts = pdf.pages[0].resources["/Font"].values()
        assert all("/FontFile2" in font["/FontDescriptor"] for font in fonts)
        assert str(pdf.docinfo["/Title"]) == "中华人民共和国特种作业操作证"
        assert str(pdf.docinfo["/CreationDate"]) == "D:20261121103000+08'00'"
        assert str(pdf.Root["/Lang"]) == "zh-CN"


def test_the_same_facts_give_the_same_bytes_also_from_many_threads() -> None:
    expected = {
        name: certificate_pdf(make_certificate(holder_name=name), FONTS) for name in ("张三丰", "李四光", "王五一")
    }
    names = list(expected) * 6
    with ThreadPoolExecutor(6) as pool:
        made = pool.map(lambda name: certificate_pdf(make_certificate(holder_name=name), FONTS), names)
        assert [expected[name] == pdf for name, pdf in zip(names, made, strict=True)] == [True] * len(names)


def test_a_page_with_a_camera_sized_photo_stays_light() -> None:
    pdf = certificate_pdf(make_certificate(photo=make_photo(1200, 1600)), FONTS)
    assert len(pdf) < 250_000


def test_without_a_photo_the_frame_says_so() -> None:
    assert "无照片" in read_text(certificate_pdf(make_certificate(photo=None), FONTS))


def test_a_demo_certificate_is_marked_as_a_specimen_and_its_code_still_reads() -> None:
    pdf = certificate_pdf(make_certificate(is_specimen=True, printed_at=NOW), FONTS)
    assert "SPECIMEN" in read_text(pdf)
    assert scan(photograph(pdf)).text == make_qr_text()

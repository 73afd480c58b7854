from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exams.models import ExamPart
from exams.tickets import ticket_number, ticket_pdf
from tests.makers.printed import make_fonts, make_ticket, photograph, read_text, scan

FONTS = make_fonts()


def test_a_ticket_number_has_the_documented_form() -> None:
    assert ticket_number(date(2026, 12, 5), "003", 12) == "EX20261200300012"


@given(st.dates(date(2000, 1, 1)), st.integers(0, 999), st.integers(1, 99_999))
def test_ticket_numbers_have_one_length(day: date, site: int, sequence: int) -> None:
    assert len(ticket_number(day, f"{site:03d}", sequence)) == 16


@pytest.mark.parametrize(("site", "sequence"), [("03", 1), ("0003", 1), ("003", 0), ("003", 100_000)])
def test_what_does_not_fit_a_ticket_number_is_refused(site: str, sequence: int) -> None:
    with pytest.raises(ValueError, match="no ticket number"):
        ticket_number(date(2026, 12, 5), site, sequence)


def test_the_ticket_says_who_when_and_where_in_chinese_time() -> None:
    text = read_text(ticket_pdf(make_ticket(), FONTS))
    for words in (
        "准考证",
        "EX20261200300012",
        "张建国",
        "110*************1X",
        "2026年12月特种作业人员安全生产资格考试",
        "低压电工作业",
        "安全生产知识（理论）",
        "2026-12-05（周六）09:00–11:00",
        "08:45起入场",
        "09:30后不得入场",
        "2026-12-04（周五）09:00前",
        "朝阳区安全生产考试点",
        "北京市朝阳区示例路1号院2号楼",
        "第一机考室",
        "07",
    ):
        assert words in text


def test_a_practical_exam_is_named_so() -> None:
    assert "实际操作" in read_text(ticket_pdf(make_ticket(part=ExamPart.PRACTICAL), FONTS))


def test_the_code_on_the_ticket_is_the_token_and_nothing_else() -> None:
    ticket = make_ticket()
    assert scan(photograph(ticket_pdf(ticket, FONTS))).text == ticket.qr


def test_a_refused_face_comparison_is_promised_to_do_no_harm() -> None:
    assert "不同意的，由工作人员人工核验，不影响参加考试" in read_text(ticket_pdf(make_ticket(), FONTS))

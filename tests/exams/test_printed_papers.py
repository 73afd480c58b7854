from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING

import pypdfium2
import pytest

from exams.bubbles import CORNER, CORNERS, list_bubbles, page_count, sheet_code
from exams.printed_papers import KEY_WARNING, Provenance, answer_key_pdf, paper_pdf, spell_powers
from question_bank.models import McRule
from tests.makers.printed import make_fonts, scan
from tests.makers.printed_papers import SHEET_ID, make_head, make_key, make_paper, make_printed_items, read_sheet
from training.fonts import characters_of

if TYPE_CHECKING:
    from PIL.Image import Image

FONTS = make_fonts()


def texts(pdf: bytes) -> list[str]:
    """What copying each page gives, without line breaks and spaces."""
    return ["".join(page.get_textpage().get_text_bounded().split()) for page in pypdfium2.PdfDocument(pdf)]


def photographs(pdf: bytes) -> list[Image]:
    return [page.render(scale=150 / 72).to_pil().convert("L") for page in pypdfium2.PdfDocument(pdf)]


def test_a_paper_has_every_question_once_and_in_order_with_the_displayed_letters() -> None:
    pages = texts(paper_pdf([make_paper()], FONTS))
    whole = "".join(pages[:-1])
    places = [whole.index(f"{number}.第{number}题的题干") for number in range(1, 101)]
    assert places == sorted(places)
    assert "A.断开电源并悬挂标示牌A" in whole
    assert "一、判断题（共30题，每题1分）" in whole
    assert "三、多选题（共20题，每题1分）" in whole


def test_the_heading_says_how_several_right_options_are_marked() -> None:
    for mc_rule, says in (
        (McRule.ALL_OR_NOTHING, "少选、错选均不得分"),
        (McRule.PARTIAL, "少选按比例得分，有错选不得分"),
    ):
        assert says in "".join(texts(paper_pdf([make_paper(head=make_head(mc_rule=mc_rule))], FONTS)))


def test_every_page_says_which_it_is_and_whose() -> None:
    pages = texts(paper_pdf([make_paper()], FONTS))
    for number, text in enumerate(pages, start=1):
        assert f"第{number}页共{len(pages)}页" in text
        assert "EX20261200300012" in text
        assert "张建国" in text


def test_an_item_is_not_torn_between_pages() -> None:
    for text in texts(paper_pdf([make_paper()], FONTS))[:-1]:
        for number in range(31, 101):
            assert (f"第{number}题的题干" in text) == (
                "标示牌D" in text.partition(f"第{number}题的题干")[2].partition(f"{number + 1}.第")[0]
            )


def test_only_the_archive_tells_seed_algorithm_and_bank() -> None:
    made = Provenance(4711, "equate-1", "ab" * 32)
    archived = "".join(texts(paper_pdf([make_paper(provenance=made)], FONTS)))
    assert "种子4711算法equate-1题库摘要SHA-256" + "ab" * 32 in archived
    given = "".join(texts(paper_pdf([make_paper()], FONTS)))
    assert "种子" not in given
    assert "题库摘要" not in given


def test_the_code_on_the_answer_sheet_is_an_opaque_id_and_nothing_of_the_person() -> None:
    sheet = photographs(paper_pdf([make_paper()], FONTS))[-1]
    assert scan(sheet).text == sheet_code(SHEET_ID, 1) == f"ANPEI-S1:{SHEET_ID.hex.upper()}:1"


def test_a_machine_reads_the_blackened_answers_at_the_documented_places() -> None:
    items = make_printed_items()
    answers = {1: "T", 30: "F", 31: "D", 55: "A", 81: "ACE", 100: "BD"}
    pages = photographs(paper_pdf([make_paper(answers=answers)], FONTS))
    assert read_sheet(pages[-1:], [item.letters for item in items]) == answers
    blank = photographs(paper_pdf([make_paper()], FONTS))
    assert read_sheet(blank[-1:], [item.letters for item in items]) == {}


def test_the_corners_are_black_where_a_machine_looks_for_them() -> None:
    sheet = photographs(paper_pdf([make_paper()], FONTS))[-1]
    for x, y in CORNERS:
        assert sheet.getpixel((round((x + CORNER / 2) * 150 / 25.4), round((y + CORNER / 2) * 150 / 25.4))) == 0


def test_bubbles_stay_on_the_page_and_apart() -> None:
    bubbles = list_bubbles(["ABCDE"] * 130)
    assert page_count(130) == 2 == max(bubble.page for bubble in bubbles)
    assert all(17 < bubble.x < 196 and 90 < bubble.y < 275 for bubble in bubbles)
    places = sorted((bubble.page, bubble.y, bubble.x) for bubble in bubbles)
    for (page, y, x), (next_page, next_y, next_x) in itertools.pairwise(places):
        assert (page, y) != (next_page, next_y) or next_x - x > 4.5
    with pytest.raises(ValueError, match="no row"):
        list_bubbles(["ABCDEF"])


def test_more_items_than_a_sheet_has_rows_go_on_another() -> None:
    pages = photographs(paper_pdf([make_paper(items=make_printed_items(130))], FONTS))
    assert [scan(page).text for page in pages[-2:]] == [sheet_code(SHEET_ID, 1), sheet_code(SHEET_ID, 2)]


def test_papers_of_a_room_follow_each_other_and_count_their_own_pages() -> None:
    other = make_head(holder_name="李晓梅", ticket_no="EX20261200300013")
    pages = texts(paper_pdf([make_paper(), make_paper(head=other)], FONTS))
    half = len(pages) // 2
    assert all("张建国" in text and "李晓梅" not in text for text in pages[:half])
    assert all("李晓梅" in text and "张建国" not in text for text in pages[half:])
    assert "第1页" in pages[half]


def test_the_key_tells_letters_points_and_areas_under_a_warning() -> None:
    [text] = texts(answer_key_pdf([make_key()], FONTS))
    assert "".join(KEY_WARNING.split()) in text
    assert "1T1SO_1_2-0001#12安全用电的法律法规和标准" in text
    assert "100ACD1" in text
    assert "EX20261200300012" in text


def test_a_demonstration_marks_its_papers() -> None:
    [text] = texts(answer_key_pdf([make_key(head=make_head(is_specimen=True))], FONTS))
    assert "演示样张SPECIMEN" in text


@pytest.mark.parametrize(
    ("text", "printed"), [("1×10⁶ Ω", "1×10^6 Ω"), ("10⁻³ m", "10^-3 m"), ("2.5 mm²，3 m³", "2.5 mm²，3 m³")]
)
def test_powers_without_a_glyph_are_spelt_out(text: str, printed: str) -> None:
    assert spell_powers(text) == printed


def test_every_character_of_the_shipped_banks_can_be_printed() -> None:
    known = characters_of(FONTS.sans)
    for path in (Path(__file__).parents[2] / "seed" / "items").rglob("*.toml"):
        missing = {character for character in spell_powers(path.read_text()) if ord(character) not in known}
        assert missing <= {"\n"}, path.name


def test_the_same_paper_prints_the_same_bytes() -> None:
    assert paper_pdf([make_paper()], FONTS) == paper_pdf([make_paper()], FONTS)

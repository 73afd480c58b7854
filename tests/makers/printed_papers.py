"""Papers to print, of made-up items, and a machine that reads answer sheets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from exams.bubbles import RADIUS, Bubble, list_bubbles
from exams.printed_papers import KeyLine, PrintedHead, PrintedItem, PrintedKey, PrintedPaper
from question_bank.models import ItemType
from tests.makers.printed import NOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL.Image import Image

SHEET_ID = UUID("0198f3a2-7c41-7d11-8a55-3f1e9b2c4d60")
_KINDS = [ItemType.TF] * 30 + [ItemType.SC] * 50 + [ItemType.MC] * 20
_LETTERS = {ItemType.TF: "TF", ItemType.SC: "ABCD", ItemType.MC: "ABCDE"}


def make_head(**changes: Any) -> PrintedHead:  # noqa: ANN401 - any field
    defaults: dict[str, Any] = {
        "sheet_id": SHEET_ID,
        "title": "低压电工作业",
        "exam_name": "2026 年 12 月特种作业人员安全生产资格考试",
        "holder_name": "张建国",
        "ticket_no": "EX20261200300012",
        "site_name": "朝阳区安全生产考试点",
        "room_name": "第一考场",
        "seat_no": 7,
        "starts_at": datetime(2026, 12, 5, 1, 0, tzinfo=UTC),
        "minutes": 120,
        "full_score": 100,
        "pass_score": 80,
        "printed_at": NOW,
    }
    return PrintedHead(**{**defaults, **changes})


def make_printed_items(count: int = 100) -> tuple[PrintedItem, ...]:
    """True-false, single and multiple choice, with short options and long ones."""
    items = []
    for position, kind in enumerate(_KINDS * (count // 100 + 1), start=1):
        if position > count:
            break
        letters = _LETTERS[kind]
        text = (
            "断开电源并悬挂标示牌"
            if position % 3
            else "先断开负荷侧的开关，再断开电源侧的隔离开关，验电、装设接地线并悬挂“禁止合闸，有人工作”标示牌"
        )
        options = () if kind is ItemType.TF else tuple((letter, f"{text}{letter}") for letter in letters)
        items.append(
            PrintedItem(
                position, kind, f"第{position}题的题干，在低压配电线路上工作时应当怎样做？", options, letters, 1
            )
        )
    return tuple(items)


def make_paper(**changes: Any) -> PrintedPaper:  # noqa: ANN401 - any field
    defaults: dict[str, Any] = {"head": make_head(), "items": make_printed_items()}
    return PrintedPaper(**{**defaults, **changes})


def make_key(**changes: Any) -> PrintedKey:  # noqa: ANN401 - any field
    lines = tuple(
        KeyLine(
            number,
            "ACD" if number > 80 else "T",
            1,
            number % 7 + 1,
            "安全用电的法律法规和标准",
            f"SO_1_2-{number:04d} #1",
        )
        for number in range(1, 101)
    )
    defaults: dict[str, Any] = {"head": make_head(), "lines": lines}
    return PrintedKey(**{**defaults, **changes})


def read_sheet(pages: Sequence[Image], letters: Sequence[str], *, dpi: int = 150) -> dict[int, str]:
    """The blackened letters of every position, found by nothing but the documented places."""
    found: dict[int, str] = {}
    for bubble in list_bubbles(letters):
        if _is_black(pages[bubble.page - 1], bubble, dpi):
            found[bubble.position] = found.get(bubble.position, "") + bubble.letter
    return found


def _is_black(page: Image, bubble: Bubble, dpi: int) -> bool:
    scale, reach = dpi / 25.4, RADIUS * 0.6
    left, top = round((bubble.x - reach) * scale), round((bubble.y - reach) * scale)
    side = round(2 * reach * scale)
    pixels = page.crop((left, top, left + side, top + side)).tobytes()
    return sum(pixels) / len(pixels) < 100

"""The form of an item: what was typed, and the content that it means."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from question_bank.content import LETTERS, ItemContent
from question_bank.models import ItemLevel, ItemType
from training.errors import N_

if TYPE_CHECKING:
    from litestar.datastructures import FormMultiDict

_DIGITS = 6
FIELDS = {
    "type": N_("题型"),
    "area": N_("知识领域"),
    "level": N_("等级"),
    "key_point": N_("考查要点"),
    "is_local": N_("北京地方内容"),
    "stem": N_("题干"),
    "options": N_("选项"),
    "option_A": N_("选项 A"),
    "option_B": N_("选项 B"),
    "option_C": N_("选项 C"),
    "option_D": N_("选项 D"),
    "option_E": N_("选项 E"),
    "key": N_("答案"),
    "explanation": N_("解析"),
    "source": N_("依据"),
    "code": N_("题目编号"),
}


@dataclass(frozen=True)
class ItemForm:
    """An item as typed; shown again as it was when something is wrong."""

    subject: str = ""
    code: str = ""
    based_on: int = 0
    type: str = ItemType.SC.value
    area: str = ""
    level: str = ItemLevel.GRASP.value
    key_point: str = ""
    is_local: bool = False
    stem: str = ""
    options: tuple[str, ...] = ("",) * len(LETTERS)
    right: str = ""
    truth: str = ""
    explanation: str = ""
    source: str = ""

    @property
    def rows(self) -> list[tuple[str, str, bool]]:
        """Letter, text and whether it is right, of each option."""
        return [(letter, text, letter in self.right) for letter, text in zip(LETTERS, self.options, strict=True)]

    def content(self) -> ItemContent:
        """What the form means. An unknown type or level falls back to the first one of the list."""
        item_type = ItemType(self.type) if self.type in set(ItemType) else ItemType.TF
        is_true_or_false = item_type is ItemType.TF
        return ItemContent(
            type=item_type,
            area=_whole(self.area),
            level=ItemLevel(self.level) if self.level in set(ItemLevel) else ItemLevel.KNOW,
            key_point=self.key_point,
            stem=self.stem,
            key=self.truth if is_true_or_false else self.right,
            options=() if is_true_or_false else self.options,
            explanation=self.explanation,
            source=self.source,
            is_local=self.is_local,
        )


def _whole(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) <= _DIGITS else 0


def read_form(data: FormMultiDict) -> ItemForm:
    """What a browser sent."""

    def text(name: str) -> str:
        return str(data.get(name, ""))

    options = [str(option) for option in data.getall("option", [])][: len(LETTERS)]
    return ItemForm(
        subject=text("subject"),
        code=text("code"),
        based_on=_whole(text("based_on")),
        type=text("type"),
        area=text("area"),
        level=text("level"),
        key_point=text("key_point"),
        is_local=bool(text("is_local")),
        stem=text("stem"),
        options=tuple(options + [""] * (len(LETTERS) - len(options))),
        right="".join(letter for letter in LETTERS if letter in data.getall("right", [])),
        truth=text("truth"),
        explanation=text("explanation"),
        source=text("source"),
    )


def fill_form(content: ItemContent, *, subject: str, code: str, based_on: int) -> ItemForm:
    """A stored content, ready to be changed."""
    is_true_or_false = content.type is ItemType.TF
    return ItemForm(
        subject=subject,
        code=code,
        based_on=based_on,
        type=content.type.value,
        area=str(content.area),
        level=content.level.value,
        key_point=content.key_point,
        is_local=content.is_local,
        stem=content.stem,
        options=content.options + ("",) * (len(LETTERS) - len(content.options)),
        right="" if is_true_or_false else content.key,
        truth=content.key if is_true_or_false else "",
        explanation=content.explanation,
        source=content.source,
    )

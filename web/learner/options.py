"""The options of an item as HTML, past the template: a paper has 350, and 3,000 papers are asked for in a minute."""

from __future__ import annotations

from typing import TYPE_CHECKING

from markupsafe import Markup, escape

from question_bank.models import ItemType
from web.i18n.catalogue import gettext

if TYPE_CHECKING:
    from exams.sheets import SheetItem


def option_labels(item: SheetItem) -> Markup:
    """A label with its radio or check box for each option, what is saved ticked."""
    if item.type is ItemType.TF:
        shown = [("T", "✓", gettext("正确")), ("F", "✕", gettext("错误"))]
    else:
        shown = [(option.letter, option.letter, option.text) for option in item.options]
    kind = "checkbox" if item.type is ItemType.MC else "radio"
    labels = [
        f'<label class="option"><input type="{kind}" name="choice" value="{letter}"'
        f"{' checked' if letter in item.answer else ''}>"
        f'<span class="letter">{mark}</span><span>{escape(text)}</span></label>'
        for letter, mark, text in shown
    ]
    return Markup("\n".join(labels))  # noqa: S704 - letters are ours, and the text is escaped

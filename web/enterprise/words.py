"""The words of staff lists in both languages: what the template offers and what an upload may say."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from training.models import Education, IdType, PersonCategory
from training.staff_sheet import COLUMNS
from web.i18n.catalogue import LANGUAGES, gettext, language
from web.labels import label

if TYPE_CHECKING:
    from enum import StrEnum

_SETS: tuple[tuple[str, type[StrEnum]], ...] = (
    ("id_type", IdType),
    ("education", Education),
    ("category", PersonCategory),
)


def offered() -> dict[str, list[str]]:
    """The words of each column with a fixed set, in the reader's language."""
    return {key: [label(value) for value in values] for key, values in _SETS}


@cache
def accepted() -> dict[str, StrEnum]:
    """Every word, in either language, and every code."""
    known: dict[str, StrEnum] = {}
    for each in LANGUAGES:
        chosen = language.set(each)
        for _, values in _SETS:
            known |= {word: value for value in values for word in (value.value, label(value))}
        language.reset(chosen)
    return known


@cache
def headings() -> dict[str, str]:
    """Every heading, in either language, with its column's key."""
    known: dict[str, str] = {}
    for each in LANGUAGES:
        chosen = language.set(each)
        known |= {gettext(heading): key for key, heading, _ in COLUMNS}
        language.reset(chosen)
    return known

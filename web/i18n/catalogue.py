"""Texts in the reader's language. The message id is the Chinese text itself.

zh-CN therefore needs no catalogue; English lies in `en/*.po`, one file per audience, merged at
start. A test holds every message of the templates and the code against them.
"""

from __future__ import annotations

from contextvars import ContextVar
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from babel.messages.pofile import read_po

from training.errors import AnpeiError

if TYPE_CHECKING:
    from collections.abc import Mapping

CHINESE, ENGLISH = "zh_CN", "en"
LANGUAGES = (CHINESE, ENGLISH)
HERE = Path(__file__).parent

# Set for each request by the web layer.
language: ContextVar[str] = ContextVar("language", default=CHINESE)


@cache
def english() -> Mapping[str, str]:
    """Every English text by its Chinese message id."""
    texts: dict[str, str] = {}
    for path in sorted((HERE / ENGLISH).glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=ENGLISH):
                if message.id and message.string and not message.fuzzy:
                    texts[str(message.id)] = str(message.string)
    return texts


def gettext(message: str, /, **values: object) -> str:
    """The text in the request's language, its `{placeholders}` filled in."""
    if language.get() == ENGLISH:
        message = english().get(message, message)
    return message.format(**values) if values else message


def sentence(error: AnpeiError) -> str:
    """What an error says, in the request's language."""
    values = {key: gettext(value) if isinstance(value, str) else value for key, value in error.params.items()}
    return gettext(error.template, **values)

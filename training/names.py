"""Names of people (domain.md §6.4): what may be stored and how two are compared."""

from __future__ import annotations

import re
import unicodedata

from training.errors import N_, BadInput

MIDDLE_DOT = "\u00b7"
_DOTS = "\u00b7\u2022\u2027\u30fb\uff65\uff0e."
_HAN = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af\ue000-\uf8ff"
_DOT_BETWEEN_HAN = re.compile(f"(?<=[{_HAN}])[{re.escape(_DOTS)}](?=[{_HAN}])")
_ALLOWED = re.compile(rf"[{_HAN}{MIDDLE_DOT}A-Za-z\u00c0-\u024f \-'’.]+")
_LEFT_OUT = re.compile(rf"[\s{re.escape(_DOTS)}]+")
_SHORTEST, _LONGEST = 2, 50


class BadName(BadInput):
    """A name that cannot be stored."""

    message = N_("姓名“{name}”无法使用：应为 2–50 个汉字或字母，可含间隔号“·”。请按证件上的写法填写。")


def clean_name(name: str) -> str:
    """The form that is stored and printed: NFC, one kind of middle dot, single spaces.

    Raises `BadName` unless it has 2–50 code points of Han, middle dot or Latin.
    """
    name = " ".join(unicodedata.normalize("NFC", name).split())
    name = _DOT_BETWEEN_HAN.sub(MIDDLE_DOT, name)
    if not (_SHORTEST <= len(name) <= _LONGEST and _ALLOWED.fullmatch(name)):
        raise BadName(name=name[:_LONGEST], field="name")
    return name


def matched_name(name: str) -> str:
    """The form that is compared: without dots and spaces, Latin in capitals. Never fuzzy."""
    return _LEFT_OUT.sub("", unicodedata.normalize("NFC", name)).upper()

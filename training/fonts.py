"""Fonts for printed pages: three faces, others for rare characters, and what reportlab needs mending for.

Measured on the way (design decision 4): copying a font's 10 MB outline table for every subset took most of a page's
time, and beyond U+FFFF reportlab writes a map from which the wrong text is copied.
"""

from __future__ import annotations

import functools
import threading
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fontTools.ttLib import TTFont as CharacterMap
from reportlab.pdfbase import pdfmetrics, ttfonts

from training.errors import N_, Conflict

if TYPE_CHECKING:
    from collections.abc import Sequence

# reportlab shares its fonts among documents without a lock; drawing is all Python, so that waiting costs nothing.
ONE_AT_A_TIME = threading.Lock()
_RARE_FONTS_FOLDER = Path("/usr/share/fonts")
# In the order of asking. BabelStone draws as mainland standards do, HanaMin as Japanese ones.
_RARE_FONTS = ("LXGWWenKai-Regular.ttf", "BabelStoneHan.ttf", "HanaMinA.ttf", "HanaMinB.ttf")
_BMP_END = 0xFFFF
_ROWS_A_BLOCK = 100


class NoGlyph(Conflict):
    """A character that no installed font has. A certificate never shows an empty box instead."""

    message = N_(
        "“{character}”（{code}）没有字形，无法打印。请管理员安装含此字的字体（如 BabelStone Han），重启服务后重试。"
    )


class Face(Enum):
    """The faces of a `FontSet`."""

    SANS = "sans"
    BOLD = "bold"
    SERIF = "serif"


@dataclass(frozen=True)
class FontSet:
    """TrueType files: three faces, and fonts to try in turn for characters that a face lacks."""

    sans: Path
    bold: Path
    serif: Path
    rare: tuple[Path, ...] = ()

    @classmethod
    def in_folder(cls, folder: Path, rare_in: Path = _RARE_FONTS_FOLDER) -> FontSet:
        """The fonts that the build puts into `folder`, with the rare ones that the machine has."""
        return cls(
            sans=folder / "NotoSansSC-Regular.ttf",
            bold=folder / "NotoSansSC-Bold.ttf",
            serif=folder / "NotoSerifSC-Bold.ttf",
            rare=find_rare_fonts(rare_in),
        )


@functools.cache
def find_rare_fonts(folder: Path) -> tuple[Path, ...]:
    """Those of Debian's fonts with rare characters that lie under `folder`, best first."""
    found = {path.name: path for path in folder.rglob("*.ttf")}
    return tuple(found[name] for name in _RARE_FONTS if name in found)


@functools.cache
def characters_of(path: Path) -> frozenset[int]:
    """Read without loading the font: most pages need no rare one, and each takes seconds."""
    with CharacterMap(path, lazy=True) as font:
        return frozenset(font.getBestCmap())


_loaded: dict[Path, Any] = {}


def load_font(path: Path) -> Any:  # noqa: ANN401 - reportlab has no types
    """The font, parsed once a process (some 0.4 s); its tables are sliced out once, not for every page."""
    if path in _loaded:
        return _loaded[path]
    with ONE_AT_A_TIME:
        if path not in _loaded:
            font = ttfonts.TTFont(f"{path.stem}-{len(_loaded)}", str(path), asciiReadable=False, shapable=False)
            font.face.get_table = functools.cache(font.face.get_table)
            pdfmetrics.registerFont(font)
            _loaded[path] = font
        return _loaded[path]


def load_fonts(fonts: FontSet) -> None:
    """Parse the three faces now, so that the first page of a process is as quick as the others."""
    for path in (fonts.sans, fonts.bold, fonts.serif):
        load_font(path)


def _to_unicode_map(fontname: str, subset: Sequence[int]) -> str:
    """What text is copied from the page. reportlab writes wrong rows beyond U+FFFF, and too many in a block."""
    rows = [f"<{index:02X}> <{_utf16(code)}>" for index, code in enumerate(subset)]
    blocks = [rows[start : start + _ROWS_A_BLOCK] for start in range(0, len(rows), _ROWS_A_BLOCK)]
    return "\n".join(
        [
            "/CIDInit /ProcSet findresource begin",
            "12 dict begin",
            "begincmap",
            f"/CIDSystemInfo << /Registry ({fontname}) /Ordering ({fontname}) /Supplement 0 >> def",
            f"/CMapName /{fontname} def",
            "/CMapType 2 def",
            "1 begincodespacerange",
            "<00> <FF>",
            "endcodespacerange",
            *(line for block in blocks for line in (f"{len(block)} beginbfchar", *block, "endbfchar")),
            "endcmap",
            "CMapName currentdict /CMap defineresource pop",
            "end",
            "end",
        ]
    )


def _utf16(code: int) -> str:
    return f"{code:04X}" if code <= _BMP_END else chr(code).encode("utf-16-be").hex().upper()


ttfonts.makeToUnicodeCMap = _to_unicode_map

"""Printed A4 pages as PDF: text with another font for each rare character, pictures and QR codes."""

from __future__ import annotations

import functools
import io
import itertools
import re
from typing import TYPE_CHECKING, Any, Literal

import qrcode
from PIL import Image
from qrcode.constants import ERROR_CORRECT_Q
from reportlab import rl_config
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.units import mm
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from training.calendar import CHINA
from training.fonts import ONE_AT_A_TIME, Face, NoGlyph, characters_of, load_font

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from training.fonts import FontSet

INK, GREY, FAINT, LINE, ACCENT, TINT = "#14202e", "#5a6878", "#e3e9ef", "#a9b8c8", "#17406d", "#f2f6fa"
PAGE_WIDTH, PAGE_HEIGHT = 210, 297
_PIXELS_AT_MOST = 720
_NARROWEST = 0.6
# May not begin a line.
_WORD = re.compile(r"(?:[!-~]+|[^\s!-~])[，。；：、！？）》”’·]*|\s+")

rl_config.useA85 = 0


class Sheet:
    """A4 pages, one at a time. Lengths in millimetres from the top left corner; `y` of a text is its baseline."""

    def __init__(self, fonts: FontSet, *, title: str, author: str, now: datetime) -> None:
        self._faces = {face: load_font(getattr(fonts, face.value)) for face in Face}
        self._rare = fonts.rare
        self._buffer = io.BytesIO()
        self._canvas = Canvas(
            self._buffer,
            pagesize=A4,
            pageCompression=1,
            invariant=1,
            initialFontName=self._faces[Face.SANS].fontName,
            lang="zh-CN",
        )
        self._canvas.setTitle(title)
        self._canvas.setAuthor(author)
        self._canvas.setCreator("Anpei")
        self._canvas.setProducer("Anpei")
        self._canvas.setViewerPreference("DisplayDocTitle", "true")
        stamp = now.astimezone(CHINA).strftime("D:%Y%m%d%H%M%S+08'00'")
        self._canvas.setDateFormatter(lambda *_clock: stamp)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float,
        face: Face = Face.SANS,
        colour: str = INK,
        align: Literal["left", "centre", "right"] = "left",
        width: float | None = None,
    ) -> None:
        """One line. Wider than `width` it is set smaller, at last narrower too; it is never cut off."""
        runs = self._runs(text, face)
        wide = _width(runs, size)
        squeeze = 1.0
        if width is not None and wide > width * mm:
            squeeze = width * mm / wide
            smaller = max(squeeze, _NARROWEST)
            size, wide, squeeze = size * smaller, width * mm, squeeze / smaller
        left = x * mm - {"left": 0.0, "centre": wide / 2, "right": wide}[align]
        line = self._canvas.beginText(left, _up(y))
        line.setFillColor(_colour(colour))
        line.setHorizScale(100 * squeeze)
        for font, run in runs:
            line.setFont(font.fontName, size)
            line.textOut(run)
        self._canvas.drawText(line)

    def paragraph(
        self, x: float, y: float, text: str, *, width: float, size: float, leading: float, colour: str = INK
    ) -> float:
        """Lines broken as Chinese is: anywhere but inside a Latin word or before closing marks. Gives the next `y`."""
        for line in self._lines(text, width * mm, size):
            self.text(x, y, line, size=size, colour=colour)
            y += leading
        return y

    def lines(self, text: str, *, width: float, size: float) -> list[str]:
        """A text of any number of lines as `paragraph` would break it, for measuring before drawing."""
        parts = [" ".join(part.split()) for part in text.splitlines()]
        return [line for part in parts for line in self._lines(part, width * mm, size)]

    def line(self, x1: float, y1: float, x2: float, y2: float, *, colour: str = LINE, weight: float = 0.5) -> None:
        """A straight line, `weight` in points."""
        self._canvas.setStrokeColor(_colour(colour))
        self._canvas.setLineWidth(weight)
        self._canvas.line(x1 * mm, _up(y1), x2 * mm, _up(y2))

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        *,
        fill: str = "",
        colour: str = LINE,
        weight: float = 0.5,
    ) -> None:
        """A rectangle, framed if `weight` > 0 and filled if `fill` is given."""
        if fill:
            self._canvas.setFillColor(_colour(fill))
        self._canvas.setStrokeColor(_colour(colour))
        self._canvas.setLineWidth(weight)
        self._canvas.rect(
            x * mm, _up(y + height), width * mm, height * mm, stroke=int(weight > 0), fill=int(bool(fill))
        )

    def circle(self, x: float, y: float, radius: float, *, fill: str = "", colour: str = LINE) -> None:
        """Around a middle, filled if `fill` is given."""
        if fill:
            self._canvas.setFillColor(_colour(fill))
        self._canvas.setStrokeColor(_colour(colour))
        self._canvas.setLineWidth(0.6)
        self._canvas.circle(x * mm, _up(y), radius * mm, stroke=1, fill=int(bool(fill)))

    def picture(self, x: float, y: float, width: float, height: float, data: bytes) -> None:
        """A JPEG or PNG that fills the frame, its middle shown."""
        reader = ImageReader(_at_print_size(data))
        pixels_wide, pixels_high = reader.getSize()
        scale = max(width * mm / pixels_wide, height * mm / pixels_high)
        wide, high = pixels_wide * scale, pixels_high * scale
        self._canvas.saveState()
        frame = self._canvas.beginPath()
        frame.rect(x * mm, _up(y + height), width * mm, height * mm)
        self._canvas.clipPath(frame, stroke=0, fill=0)
        middle_x, middle_y = (x + width / 2) * mm, _up(y + height / 2)
        self._canvas.drawImage(reader, middle_x - wide / 2, middle_y - high / 2, wide, high)
        self._canvas.restoreState()

    def qr(self, x: float, y: float, side: float, text: str) -> None:
        """A QR code of ECC level Q, `side` wide without its quiet zone of four modules, which is whitened."""
        rows = qr_rows(text)
        module = side * mm / len(rows)
        quiet = 4 * side / len(rows)
        self.box(x - quiet, y - quiet, side + 2 * quiet, side + 2 * quiet, fill="#ffffff", weight=0)
        self._canvas.saveState()
        self._canvas.setFillColor(_colour("#000000"))
        self._canvas.translate(x * mm, _up(y))
        self._canvas.scale(module, -module)
        # One path for all: `rect` for each run took longer than all the text.
        bars = [f"{start} {row} {length} 1 re" for row, bits in enumerate(rows) for start, length in _dark_runs(bits)]
        self._canvas._code.append(" ".join(bars) + " f")
        self._canvas.restoreState()

    def watermark(self, text: str) -> None:
        """Slanting across the page, light; to be drawn before the rest."""
        ((font, _run),) = self._runs(text, Face.BOLD)
        self._canvas.saveState()
        self._canvas.setFillColor(_colour(FAINT))
        self._canvas.setFont(font.fontName, 60)
        self._canvas.translate(PAGE_WIDTH * mm / 2, PAGE_HEIGHT * mm / 2)
        self._canvas.rotate(35)
        self._canvas.drawCentredString(0, 0, text)
        self._canvas.restoreState()

    def next_page(self) -> None:
        """Go on on another page."""
        with ONE_AT_A_TIME:
            self._canvas.showPage()

    def finish(self) -> bytes:
        """The PDF. To be called once."""
        with ONE_AT_A_TIME:
            self._canvas.showPage()
            self._canvas.save()
        return self._buffer.getvalue()

    def _runs(self, text: str, face: Face) -> list[tuple[Any, str]]:
        """Neighbouring characters that the same font has. Raises `NoGlyph`.

        Rare characters come in one weight only: beside them even a bold line is set in the regular one.
        """
        codes = set(map(ord, text))
        if codes <= self._faces[face].face.charToGlyph.keys():
            return [(self._faces[face], text)]
        own = self._faces[Face.SANS if face is Face.BOLD else face]
        runs = itertools.groupby(text, key=lambda character: self._font_for(character, own))
        return [(font, "".join(run)) for font, run in runs]

    def _font_for(self, character: str, own: Any) -> Any:  # noqa: ANN401 - reportlab has no types
        if ord(character) in own.face.charToGlyph:
            return own
        for path in self._rare:
            if ord(character) in characters_of(path):
                return load_font(path)
        raise NoGlyph(character=character, code=f"U+{ord(character):04X}")

    def _lines(self, text: str, width: float, size: float) -> Iterator[str]:
        line, left = "", width
        for word in _WORD.findall(text):
            wide = _width(self._runs(word, Face.SANS), size)
            if line and wide > left and not word.isspace():
                yield line.rstrip()
                line, left = "", width
            line, left = line + word, left - wide
        yield line.rstrip()


def qr_rows(text: str) -> Sequence[Sequence[bool]]:
    """The modules of a QR code, ECC level Q; long stretches in capitals and digits pack more tightly.

    The mask is fixed: trying all eight takes four fifths of the time, and these texts are mostly random already.
    """
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_Q, border=0, mask_pattern=3)
    code.add_data(text, optimize=20)
    code.make()
    modules: Sequence[Sequence[bool]] = code.modules
    return modules


def _dark_runs(bits: Sequence[bool]) -> Iterator[tuple[int, int]]:
    start = 0
    for is_dark, run in itertools.groupby(bits):
        length = len(list(run))
        if is_dark:
            yield start, length
        start += length


def _up(y: float) -> float:
    return float((PAGE_HEIGHT - y) * mm)


@functools.cache
def _colour(name: str) -> Any:  # noqa: ANN401 - reportlab has no types
    return HexColor(name)


def _width(runs: list[tuple[Any, str]], size: float) -> float:
    widths: Iterator[float] = (font.stringWidth(run, size) for font, run in runs)
    return sum(widths, 0.0)


def _at_print_size(data: bytes) -> io.BytesIO:
    """Large pictures made smaller: a camera's pixels are of no use on paper, and make the file heavy."""
    with Image.open(io.BytesIO(data)) as picture:
        if max(picture.size) <= _PIXELS_AT_MOST and picture.format == "JPEG":
            return io.BytesIO(data)
        picture.thumbnail((_PIXELS_AT_MOST, _PIXELS_AT_MOST))
        smaller = io.BytesIO()
        picture.convert("RGB").save(smaller, "JPEG", quality=90)
    smaller.seek(0)
    return smaller

"""Short teaching videos drawn from a list of slides, and the length of any video."""

from __future__ import annotations

import os
import sys
import tempfile
import tomllib
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:
    from collections.abc import Generator

    from PIL.ImageFont import FreeTypeFont

_SIZE = (640, 360)
_FRAMES_PER_SECOND = 5
_BLUE, _INK, _PAPER, _PALE = "#0b5394", "#1a2433", "#ffffff", "#dbe7f3"
_FADE_FRAMES = 3


def read_slides(text: str) -> list[dict[str, Any]]:
    """The `[[slide]]` entries: title, lines, seconds. Raises `ValueError` on any other form."""
    slides: list[dict[str, Any]] = tomllib.loads(text).get("slide", [])
    for slide in slides:
        if not (isinstance(slide.get("title"), str) and isinstance(slide.get("seconds"), int) and slide["seconds"] > 0):
            raise ValueError("slide needs title and seconds")
        if not all(isinstance(line, str) for line in slide.get("lines", [])):
            raise ValueError("lines must be texts")
    if not slides:
        raise ValueError("no [[slide]]")
    return slides


def _draw(slide: dict[str, Any], number: int, count: int, fonts: tuple[FreeTypeFont, FreeTypeFont]) -> Image.Image:
    title, body = fonts
    picture = Image.new("RGB", _SIZE, _PAPER)
    pen = ImageDraw.Draw(picture)
    pen.rectangle((0, 0, _SIZE[0], 92), fill=_BLUE)
    pen.text((36, 46), slide["title"], font=title, fill=_PAPER, anchor="lm")
    pen.text((_SIZE[0] - 28, 46), f"{number}/{count}", font=body, fill=_PALE, anchor="rm")
    for place, line in enumerate(slide.get("lines", [])):
        y = 142 + place * 58
        pen.ellipse((40, y - 9, 58, y + 9), fill=_BLUE)
        pen.text((78, y), line, font=body, fill=_INK, anchor="lm")
    return picture


@contextmanager
def _quiet() -> Generator[None, None, None]:
    """OpenCV grumbles on the process's error output that WebM knows no four-letter codes, and then writes it well."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def make_video(slides_text: str, *, font: Path) -> bytes:
    """A silent WebM (VP8) of the slides, with a bar that shows how far it is. Takes about a second."""
    import cv2

    slides = read_slides(slides_text)
    fonts = (ImageFont.truetype(str(font), 36), ImageFont.truetype(str(font), 29))
    pictures = [_draw(slide, number, len(slides), fonts) for number, slide in enumerate(slides, 1)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "slides.webm"
        with _quiet():
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), _FRAMES_PER_SECOND, _SIZE)
        if not writer.isOpened():
            raise OSError("OpenCV cannot write WebM here")
        for frame in _frames(pictures, [slide["seconds"] for slide in slides]):
            writer.write(cv2.cvtColor(np.asarray(frame), cv2.COLOR_RGB2BGR))
        writer.release()
        return path.read_bytes()


def _frames(pictures: list[Image.Image], seconds: list[int]) -> list[Image.Image]:
    still = [
        picture for picture, length in zip(pictures, seconds, strict=True) for _ in range(length * _FRAMES_PER_SECOND)
    ]
    changes = [at for at, (one, other) in enumerate(pairwise(still), 1) if one is not other]
    frames = []
    for at, picture in enumerate(still):
        began = max((change for change in changes if change <= at), default=-_FADE_FRAMES)
        frame = picture.copy()
        if 0 <= at - began < _FADE_FRAMES and began > 0:
            frame = Image.blend(still[began - 1], picture, (at - began + 1) / (_FADE_FRAMES + 1))
        # The bar moves once a second: equal frames cost next to nothing.
        width = _SIZE[0] * (at // _FRAMES_PER_SECOND + 1) // sum(seconds)
        ImageDraw.Draw(frame).rectangle((0, _SIZE[1] - 8, width, _SIZE[1]), fill=_BLUE)
        frames.append(frame)
    return frames


def video_seconds(path: Path) -> int:
    """The length of a video file. Raises `ValueError` if it is none."""
    import cv2

    opened = cv2.VideoCapture(str(path))
    try:
        frames, rate = opened.get(cv2.CAP_PROP_FRAME_COUNT), opened.get(cv2.CAP_PROP_FPS)
        if not opened.isOpened() or rate <= 0 or frames <= 0:
            raise ValueError("not a video that can be read")
        return round(frames / rate)
    finally:
        opened.release()

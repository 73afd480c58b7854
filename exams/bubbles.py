"""Where the marks of a printed answer sheet stand, in millimetres from the top left corner, for a reading machine.

Layout 1: four black corner marks, a bar at the left of every row, 100 positions a page in four columns.
A machine straightens the page by the corners, reads the QR code and looks at the places of `list_bubbles`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

LAYOUT = 1
ROWS, COLUMNS = 25, 4
A_PAGE = ROWS * COLUMNS
RADIUS = 2.1
CORNER = 6.0
CORNERS = ((10.0, 10.0), (194.0, 10.0), (10.0, 281.0), (194.0, 281.0))  # the top left points of squares
BAR_LEFT, BAR_WIDTH, BAR_HEIGHT = 10.0, 4.0, 1.6
MOST_LETTERS = 5
_FIRST_ROW, _ROW_STEP = 94.0, 7.2
_FIRST_COLUMN, _COLUMN_STEP = 19.0, 44.5
_FIRST_BUBBLE, _BUBBLE_STEP = 13.0, 6.4


@dataclass(frozen=True, slots=True)
class Bubble:
    """One place to blacken: its page from 1 on and its middle."""

    position: int
    letter: str
    page: int
    x: float
    y: float


def sheet_code(sheet_id: UUID, page: int) -> str:
    """What the QR code of a page says: layout, an opaque id and the page; nothing of the person."""
    return f"ANPEI-S{LAYOUT}:{sheet_id.hex.upper()}:{page}"


def row_y(row: int) -> float:
    """The middle of a row, counted from 0."""
    return _FIRST_ROW + row * _ROW_STEP


def number_place(position: int) -> tuple[float, float]:
    """Where the number of a position ends, at the height of its bubbles."""
    place = (position - 1) % A_PAGE
    return _FIRST_COLUMN + place // ROWS * _COLUMN_STEP + 8, row_y(place % ROWS)


def page_count(positions: int) -> int:
    """The pages of an answer sheet."""
    return -(-positions // A_PAGE)


def list_bubbles(letters: Sequence[str]) -> list[Bubble]:
    """Every bubble of a sheet. `letters` has for each position, from 1 on, what can be chosen: "TF", "ABCD" …"""
    found = []
    for position, choices in enumerate(letters, start=1):
        if not 0 < len(choices) <= MOST_LETTERS:
            raise ValueError(f"no row for the choices {choices!r}")
        place = (position - 1) % A_PAGE
        left = _FIRST_COLUMN + place // ROWS * _COLUMN_STEP + _FIRST_BUBBLE
        for number, letter in enumerate(choices):
            x = left + number * _BUBBLE_STEP
            found.append(Bubble(position, letter, (position - 1) // A_PAGE + 1, round(x, 2), row_y(place % ROWS)))
    return found

"""The route handlers of this audience."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web.centre import board, classes, closing, lessons, proofs

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

HANDLERS: list[ControllerRouterHandler] = [
    *board.HANDLERS,
    *classes.HANDLERS,
    *lessons.HANDLERS,
    *closing.HANDLERS,
    *proofs.HANDLERS,
]

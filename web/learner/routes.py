"""The route handlers of this audience."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web.learner import classes

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

HANDLERS: list[ControllerRouterHandler] = [
    *classes.HANDLERS,
]

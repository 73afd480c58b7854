"""The route handlers of this audience."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web.public import courses, health, home, sign_in, static

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

HANDLERS: list[ControllerRouterHandler] = [
    *home.HANDLERS,
    *sign_in.HANDLERS,
    *courses.HANDLERS,
    *health.HANDLERS,
    *static.HANDLERS,
]

"""The route handlers of this audience."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web import browser_keys
from web.site import board, check_in, papers, practical, sessions

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

HANDLERS: list[ControllerRouterHandler] = [
    *board.HANDLERS,
    browser_keys.SiteBrowserKeyController,
    *check_in.HANDLERS,
    *papers.HANDLERS,
    *practical.HANDLERS,
    *sessions.HANDLERS,
]

"""The route handlers of this audience."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web.learner import appeals, certificates, classes, home, lessons, sitting

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

HANDLERS: list[ControllerRouterHandler] = [
    *home.HANDLERS,
    *lessons.HANDLERS,
    *classes.HANDLERS,
    *sitting.HANDLERS,
    *appeals.HANDLERS,
    *certificates.HANDLERS,
]

"""The route handlers of this audience."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web import notices
from web.learner import appeals, certificates, classes, facts, home, lessons, receipts, safe_exam_browser, sitting

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

HANDLERS: list[ControllerRouterHandler] = [
    *home.HANDLERS,
    *lessons.HANDLERS,
    *classes.HANDLERS,
    *sitting.HANDLERS,
    *receipts.HANDLERS,
    *safe_exam_browser.HANDLERS,
    *facts.HANDLERS,
    *appeals.HANDLERS,
    *certificates.HANDLERS,
    *notices.HANDLERS,
]

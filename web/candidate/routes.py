"""The route handlers of this audience."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web.candidate import accommodations, applications, bookings, exams

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

HANDLERS: list[ControllerRouterHandler] = [
    *exams.HANDLERS,
    *applications.HANDLERS,
    *accommodations.HANDLERS,
    *bookings.HANDLERS,
]

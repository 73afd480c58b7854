"""The route handlers of this audience."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web.public import certificate, courses, health, home, receipts, register, sign_in, sign_up, static, verify

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

HANDLERS: list[ControllerRouterHandler] = [
    *home.HANDLERS,
    *sign_in.HANDLERS,
    *sign_up.HANDLERS,
    *courses.HANDLERS,
    *certificate.HANDLERS,
    *verify.HANDLERS,
    *receipts.HANDLERS,
    *register.HANDLERS,
    *health.HANDLERS,
    *static.HANDLERS,
]

"""The route handlers of this audience."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web.api.certificates import ApiCertificateController
from web.api.facts import ApiFactController
from web.api.sign_in import ApiSignInController
from web.api.sittings import ApiSittingController

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

HANDLERS: list[ControllerRouterHandler] = [
    ApiSignInController,
    ApiSittingController,
    ApiFactController,
    ApiCertificateController,
]

"""The route handlers of this audience."""

from __future__ import annotations

from typing import TYPE_CHECKING

import web.authority.administration
import web.authority.answer_sheets
import web.authority.appeals
import web.authority.applications
import web.authority.blueprints
import web.authority.certificates
import web.authority.home
import web.authority.imports
import web.authority.item_acts
import web.authority.items
import web.authority.late
import web.authority.licences
import web.authority.papers
import web.authority.plans
import web.authority.regrades
import web.authority.scores
import web.authority.session_reports
import web.authority.session_sittings

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

HANDLERS: list[ControllerRouterHandler] = [
    *web.authority.home.HANDLERS,
    *web.authority.applications.HANDLERS,
    *web.authority.plans.HANDLERS,
    *web.authority.scores.HANDLERS,
    *web.authority.late.HANDLERS,
    *web.authority.appeals.HANDLERS,
    *web.authority.regrades.HANDLERS,
    *web.authority.papers.HANDLERS,
    *web.authority.answer_sheets.HANDLERS,
    *web.authority.session_reports.HANDLERS,
    *web.authority.session_sittings.HANDLERS,
    *web.authority.administration.HANDLERS,
    *web.authority.items.HANDLERS,
    *web.authority.item_acts.HANDLERS,
    *web.authority.imports.HANDLERS,
    *web.authority.blueprints.HANDLERS,
    *web.authority.licences.HANDLERS,
    *web.authority.certificates.HANDLERS,
]

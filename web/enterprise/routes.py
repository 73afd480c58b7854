"""The route handlers of this audience."""

from __future__ import annotations

from typing import TYPE_CHECKING

from web import browser_keys
from web.enterprise import assignments, board, dossiers, exam_candidates, exams, imports, late, proofs, staff

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

HANDLERS: list[ControllerRouterHandler] = [
    *board.HANDLERS,
    *staff.HANDLERS,
    *imports.HANDLERS,
    *assignments.HANDLERS,
    *dossiers.HANDLERS,
    *exams.HANDLERS,
    *late.HANDLERS,
    browser_keys.EnterpriseBrowserKeyController,
    *exam_candidates.HANDLERS,
    *proofs.HANDLERS,
]

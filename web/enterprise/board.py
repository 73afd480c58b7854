"""`/enterprise`: how the enterprise stands, and what to do next."""

from __future__ import annotations

from datetime import datetime

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.response import Template
from sqlmodel.ext.asyncio.session import AsyncSession

from training.accounts import Viewer
from training.models import Role
from training.plans import AssignmentState, list_completion, list_deadlines
from training.staff import get_coverage
from web.auth import acting_as

_ROWS_ON_BOARD = 8


class BoardController(Controller):
    """The manager's home."""

    path = "/enterprise"

    @get()
    async def show(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
    ) -> Template:
        """Coverage, who is behind, what is due this week."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        behind = await list_deadlines(session, held.organisation_id, now=now, state=AssignmentState.OVERDUE)
        soon = await list_deadlines(session, held.organisation_id, now=now, state=AssignmentState.DUE_SOON)
        context = {
            "held": held,
            "coverage": await get_coverage(session, held.organisation_id, now=now),
            "counts": behind.counts,
            "urgent": [*behind.rows, *soon.rows][:_ROWS_ON_BOARD],
            "completion": await list_completion(session, held.organisation_id, now=now),
        }
        return Template("enterprise/board.html", context=context)


HANDLERS = [BoardController]

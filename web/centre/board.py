"""The training centre's first page."""

from __future__ import annotations

from datetime import datetime

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.response import Template
from sqlmodel.ext.asyncio.session import AsyncSession

from training.accounts import Viewer
from training.class_lists import get_board
from web.centre.seats import seat_of


class BoardController(Controller):
    """`/centre`."""

    @get("/centre")
    async def show(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
    ) -> Template:
        """Running classes, today's lessons and what to do next."""
        seat = seat_of(viewer)
        board = await get_board(session, centre_id=seat.centre_id, teacher_id=seat.teacher_id, now=now)
        return Template("centre/board.html", context={"board": board, "seat": seat, "now": now})


HANDLERS: list[type[Controller]] = [BoardController]

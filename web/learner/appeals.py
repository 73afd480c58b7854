"""`/sittings/…/appeal`: asking for a recount of one's own released score, from the page of the result."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from litestar import Controller, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.appeals import ask_appeal
from exams.sheets import get_result, read_sitting
from training.accounts import Viewer
from web.attempts import attempt
from web.learner.sitting import result_context


@dataclass
class AppealForm:
    """What is doubted."""

    reason: str = ""


class AppealController(Controller):
    """A candidate's appeal."""

    path = "/sittings/{sitting_id:uuid}/appeal"

    @post()
    async def ask(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        sitting_id: FromPath[UUID],
        data: URLEncodedBody[AppealForm],
    ) -> Template | Redirect:
        """Ask for a recount."""
        async with attempt(session) as tried:
            await ask_appeal(session, sitting_id=sitting_id, person_id=viewer.person_id, reason=data.reason, now=now)
        if tried.error is None:
            return Redirect(f"/sittings/{sitting_id}/result#appeals")
        sitting = await read_sitting(session, sitting_id=sitting_id, person_id=viewer.person_id, now=now)
        result = await get_result(session, sitting_id=sitting_id, person_id=viewer.person_id)
        context = await result_context(session, sitting, result, now=now, typed=data.reason, error=tried.error)
        return Template("learner/sitting_result.html", context=context, status_code=422)


HANDLERS: list[type[Controller]] = [AppealController]

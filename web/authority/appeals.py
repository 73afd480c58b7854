"""`/authority/appeals`: scores that candidates doubt, each with its recount, and the answer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.appeals import answer_appeal, get_appeal, list_appeals
from training.accounts import Viewer
from training.calendar import china_date
from training.errors import AnpeiError
from training.models import Role
from web.attempts import attempt
from web.auth import acting_as
from web.authority.affected import certified, find_hanging

_ROLES = (Role.ISSUER, Role.APPLICATION_REVIEWER)


@dataclass
class AnswerForm:
    """What the candidate is told."""

    answer: str = ""


class AppealController(Controller):
    """Appeals and their answers."""

    path = "/authority/appeals"

    @get()
    async def show_list(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
    ) -> Template:
        """The ones that wait, the most urgent first, then the answered."""
        acting_as(viewer, *_ROLES)
        appeals = await list_appeals(session, today=china_date(now))
        return Template("authority/appeals/list.html", context={"appeals": appeals})

    @get("/{appeal_id:uuid}")
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        appeal_id: FromPath[UUID],
    ) -> Template:
        """One appeal, counted again while one looks."""
        acting_as(viewer, *_ROLES)
        return await _page(session, viewer, appeal_id, now=now)

    @post("/{appeal_id:uuid}/answer")
    async def answer(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        appeal_id: FromPath[UUID],
        data: URLEncodedBody[AnswerForm],
    ) -> Template | Redirect:
        """Answer it; a score that the recount does not confirm is corrected with it."""
        acting_as(viewer, *_ROLES)
        sheet = await get_appeal(session, appeal_id, today=china_date(now))
        hanging = await find_hanging(session, [sheet.application_id])
        async with attempt(session) as tried:
            await answer_appeal(
                session, appeal_id=appeal_id, actor_id=viewer.person_id, answer=data.answer,
                certified=certified(hanging), now=now,
            )  # fmt: skip
        if tried.error:
            return await _page(session, viewer, appeal_id, now=now, typed=data.answer, error=tried.error)
        return Redirect(f"/authority/appeals/{appeal_id}")


async def _page(
    session: AsyncSession,
    viewer: Viewer,
    appeal_id: UUID,
    *,
    now: datetime,
    typed: str = "",
    error: AnpeiError | None = None,
) -> Template:
    sheet = await get_appeal(session, appeal_id, today=china_date(now))
    context = {
        "sheet": sheet,
        "typed": typed,
        "may_regrade": viewer.held(Role.ISSUER, Role.QUESTION_REVIEWER) is not None,
        "error": error,
    }
    return Template("authority/appeals/show.html", context=context, status_code=422 if error else 200)


HANDLERS = [AppealController]

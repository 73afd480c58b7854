"""`/sittings/{id}/facts`: what was written down of one's own screen."""

from __future__ import annotations

from uuid import UUID

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.integrity import list_facts
from exams.sheets import get_own_sitting
from training.accounts import Viewer


class OwnFactController(Controller):
    """Whoever is written about may read it."""

    path = "/sittings/{sitting_id:uuid}/facts"

    @get()
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        sitting_id: FromPath[UUID],
    ) -> Template:
        """The facts of one's own sitting, the newest first."""
        await get_own_sitting(session, sitting_id=sitting_id, person_id=viewer.person_id)
        facts = await list_facts(session, sitting_id=sitting_id)
        return Template("learner/sitting_facts.html", context={"facts": facts, "back": f"/sittings/{sitting_id}"})


HANDLERS: list[type[Controller]] = [OwnFactController]

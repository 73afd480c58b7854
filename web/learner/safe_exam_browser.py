"""`/sittings/seb`: the configuration of the Safe Exam Browser, and where it is left."""

from __future__ import annotations

from uuid import UUID

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.safe_exam_browser import MEDIA_TYPE, config_file
from training.errors import NotFound
from training.models import Organisation
from web.safe_exam_browser import settings_of
from web.services import Services


class SafeExamBrowserController(Controller):
    """For everybody: the program asks for its configuration before anybody has signed in."""

    path = "/sittings/seb"

    @get("/{organisation_id:uuid}/anpei.seb")
    async def download(
        self,
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        organisation_id: FromPath[UUID],
    ) -> Response[bytes]:
        """The `.seb` file for every exam of this organisation."""
        if await session.get(Organisation, organisation_id) is None:
            raise NotFound
        headers = {"content-disposition": 'attachment; filename="anpei.seb"', "cache-control": "no-store"}
        return Response(config_file(settings_of(services, organisation_id)), media_type=MEDIA_TYPE, headers=headers)

    @get("/quit")
    async def quit(self) -> Template:
        """The program closes itself here; another browser shows the page."""
        return Template("learner/sitting_quit.html")


HANDLERS: list[type[Controller]] = [SafeExamBrowserController]

"""`/exams/applications/{id}/accommodations`: what would make the exam fair for this candidate; nobody has to ask."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.accommodations import Accommodations, open_own_reason, wish_accommodations
from exams.applications import get_own_application
from exams.queries_applications import get_application_view
from training.accounts import Viewer
from training.errors import AnpeiError
from web.accommodations import AccommodationForm, extra_choices
from web.attempts import attempt
from web.services import Services


class AccommodationController(Controller):
    """The candidate's wish."""

    path = "/exams/applications/{application_id:uuid}/accommodations"

    @get()
    async def ask(
        self,
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        application_id: FromPath[UUID],
    ) -> Template | Redirect:
        """The form, with what was asked for before."""
        application = await get_own_application(session, application_id=application_id, person_id=viewer.person_id)
        form = AccommodationForm.of(
            Accommodations.read(application.accommodations_wanted),
            reason=open_own_reason(services.vault, application),
        )
        return await _page(session, viewer, now, application_id, form)

    @post()
    async def save(
        self,
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        application_id: FromPath[UUID],
        data: URLEncodedBody[AccommodationForm],
    ) -> Template | Redirect:
        """Keep it, the reason sealed."""
        async with attempt(session) as tried:
            await wish_accommodations(
                session, vault=services.vault, application_id=application_id, person_id=viewer.person_id,
                wanted=data.read(), reason=data.reason, now=now,
            )  # fmt: skip
        if tried.error:
            return await _page(session, viewer, now, application_id, data, error=tried.error)
        return Redirect(f"/exams/applications/{application_id}/check")


async def _page(
    session: AsyncSession,
    viewer: Viewer,
    now: datetime,
    application_id: UUID,
    form: AccommodationForm,
    *,
    error: AnpeiError | None = None,
) -> Template | Redirect:
    view = await get_application_view(session, application_id=application_id, person_id=viewer.person_id, now=now)
    if not view.is_editable and error is None:
        return Redirect(f"/exams/applications/{application_id}")
    context = {"application": view, "form": form, "extras": await extra_choices(session, now=now), "error": error}
    return Template("candidate/accommodations.html", context=context, status_code=422 if error else 200)


HANDLERS: list[type[Controller]] = [AccommodationController]

"""`/authority/applications`: what waits for a decision, and all that it is decided by."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.accommodations import grant_accommodations, read_accommodation_reason
from exams.applications import (
    MISSING_POINTS,
    accept_application,
    list_findings,
    refuse_application,
    return_application,
)
from exams.health import open_statement
from exams.models import Application, ApplicationStatus
from exams.queries_applications import get_review_sheet, list_queue
from training import audit
from training.accounts import Viewer
from training.calendar import china_date
from training.errors import AnpeiError, NotFound
from training.models import Role
from training.people import get_document, get_masked_document
from web.accommodations import AccommodationForm, extra_choices
from web.attempts import attempt
from web.auth import acting_as
from web.candidate.applications import send_file
from web.candidate.forms import many
from web.candidate.holding import holds_valid_certificate
from web.services import Services

_LISTED = (
    ApplicationStatus.SUBMITTED,
    ApplicationStatus.RETURNED,
    ApplicationStatus.ACCEPTED,
    ApplicationStatus.REFUSED,
    ApplicationStatus.PASSED,
    ApplicationStatus.FAILED,
    ApplicationStatus.WITHDRAWN,
)

_GRANTABLE = (ApplicationStatus.SUBMITTED, ApplicationStatus.ACCEPTED)


@dataclass
class ReturnForm:
    """Everything that is missing, and a note."""

    points: list[str] | str = field(default_factory=list)
    note: str = ""


@dataclass
class RefuseForm:
    """Why it is refused."""

    reason: str = ""


class ReviewController(Controller):
    """The reviewer's desk."""

    path = "/authority/applications"

    @get()
    async def queue(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        status: FromQuery[str] = ApplicationStatus.SUBMITTED.value,
        text: FromQuery[str] = "",
        page: FromQuery[int] = 1,
    ) -> Template:
        """Those that wait longest first."""
        acting_as(viewer, Role.APPLICATION_REVIEWER)
        chosen = next((one for one in _LISTED if one.value == status), ApplicationStatus.SUBMITTED)
        context = {
            "queue": await list_queue(session, status=chosen, text=text, page=page, now=now),
            "status": chosen,
            "statuses": _LISTED,
            "text": text.strip(),
            "today": china_date(now),
        }
        return Template("authority/applications/queue.html", context=context)

    @get("/{application_id:uuid}")
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        application_id: FromPath[UUID],
    ) -> Template:
        """One application with everything; seeing the full document number is noted."""
        acting_as(viewer, Role.APPLICATION_REVIEWER)
        return await _sheet_page(session, services, viewer, now, application_id)

    @get("/{application_id:uuid}/photo.jpg")
    async def photo(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        application_id: FromPath[UUID],
    ) -> Response[bytes]:
        """The applicant's photo."""
        application = await _submitted(session, viewer, application_id)
        return await send_file(session, services, application.photo_id)

    @get("/{application_id:uuid}/proof")
    async def proof(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        application_id: FromPath[UUID],
    ) -> Response[bytes]:
        """The applicant's proof: a picture is shown, a PDF is downloaded."""
        application = await _submitted(session, viewer, application_id)
        audit.record(
            session, action="application.proof_viewed", target=("application", application_id),
            actor_id=viewer.person_id, now=now,
        )  # fmt: skip
        return await send_file(session, services, application.proof_file_id, download_as="proof")

    @get("/{application_id:uuid}/proof.jpg")
    async def proof_picture(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        application_id: FromPath[UUID],
    ) -> Response[bytes]:
        """A proof that is a picture, to be seen on the page."""
        application = await _submitted(session, viewer, application_id)
        return await send_file(session, services, application.proof_file_id)

    @post("/{application_id:uuid}/accept")
    async def accept(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        application_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Accept."""
        acting_as(viewer, Role.APPLICATION_REVIEWER)
        async with attempt(session) as tried:
            await accept_application(session, application_id=application_id, reviewer_id=viewer.person_id, now=now)
        return await _after(session, services, viewer, now, application_id, tried.error)

    @post("/{application_id:uuid}/accommodations")
    async def grant(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        application_id: FromPath[UUID],
        data: URLEncodedBody[AccommodationForm],
    ) -> Template | Redirect:
        """Grant accommodations, or take them back."""
        await _submitted(session, viewer, application_id)
        async with attempt(session) as tried:
            await grant_accommodations(
                session, application_id=application_id, actor_id=viewer.person_id, granted=data.read(), now=now
            )
        return await _after(session, services, viewer, now, application_id, tried.error, granting=data)

    @post("/{application_id:uuid}/return")
    async def give_back(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        application_id: FromPath[UUID],
        data: URLEncodedBody[ReturnForm],
    ) -> Template | Redirect:
        """Return with everything that is missing."""
        acting_as(viewer, Role.APPLICATION_REVIEWER)
        async with attempt(session) as tried:
            await return_application(
                session, application_id=application_id, reviewer_id=viewer.person_id, points=many(data.points),
                note=data.note, now=now,
            )  # fmt: skip
        return await _after(session, services, viewer, now, application_id, tried.error, returned=data)

    @post("/{application_id:uuid}/refuse")
    async def refuse(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        application_id: FromPath[UUID],
        data: URLEncodedBody[RefuseForm],
    ) -> Template | Redirect:
        """Refuse with the reason."""
        acting_as(viewer, Role.APPLICATION_REVIEWER)
        async with attempt(session) as tried:
            await refuse_application(
                session, application_id=application_id, reviewer_id=viewer.person_id, reason=data.reason, now=now
            )
        return await _after(session, services, viewer, now, application_id, tried.error, refused=data)


async def _submitted(session: AsyncSession, viewer: Viewer, application_id: UUID) -> Application:
    acting_as(viewer, Role.APPLICATION_REVIEWER)
    application = await session.get(Application, application_id)
    if application is None or application.submitted_at is None:
        raise NotFound
    return application


async def _after(
    session: AsyncSession,
    services: Services,
    viewer: Viewer,
    now: datetime,
    application_id: UUID,
    error: AnpeiError | None,
    **typed: Any,  # noqa: ANN401 - one of the three forms
) -> Template | Redirect:
    if error is None:
        return Redirect(f"/authority/applications/{application_id}")
    return await _sheet_page(session, services, viewer, now, application_id, error=error, **typed)


async def _sheet_page(
    session: AsyncSession,
    services: Services,
    viewer: Viewer,
    now: datetime,
    application_id: UUID,
    *,
    error: AnpeiError | None = None,
    returned: ReturnForm | None = None,
    refused: RefuseForm | None = None,
    granting: AccommodationForm | None = None,
) -> Template:
    sheet = await get_review_sheet(session, application_id=application_id, now=now)
    if sheet.status is ApplicationStatus.SUBMITTED:
        # The decision compares the number with the proof; what is decided is shown masked.
        number = (await get_document(session, vault=services.vault, person_id=sheet.person_id)).number
        audit.record(
            session, action="person.document_viewed", target=("person", sheet.person_id), actor_id=viewer.person_id,
            now=now, application_id=application_id,
        )  # fmt: skip
    else:
        _, number = await get_masked_document(session, sheet.person_id)
    holds = await holds_valid_certificate(session, person_id=sheet.person_id, code=sheet.qualification.code, now=now)
    context = {
        "sheet": sheet,
        "number": number,
        "statement": open_statement(services.vault, sheet.health_sealed) if sheet.health_sealed else None,
        "findings": await list_findings(
            session, person_id=sheet.person_id, qualification=sheet.qualification,
            application=await session.get_one(Application, application_id), has_valid_certificate=holds, now=now,
        ),
        "points": MISSING_POINTS,
        "ticked": many(returned.points) if returned else [],
        "note": returned.note if returned else "",
        "reason": refused.reason if refused else "",
        "accommodation_reason": await read_accommodation_reason(
            session, vault=services.vault, application_id=application_id, actor_id=viewer.person_id, now=now
        ) if sheet.status in _GRANTABLE else "",
        "granting": granting or AccommodationForm.of(sheet.granted or sheet.wanted),
        "may_grant": sheet.status in _GRANTABLE,
        "extras": await extra_choices(session, now=now),
        "error": error,
        "today": china_date(now),
    }  # fmt: skip
    return Template("authority/applications/sheet.html", context=context, status_code=422 if error else 200)


HANDLERS: list[type[Controller]] = [ReviewController]

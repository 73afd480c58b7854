"""`/exams/applications/{id}`: an application in steps that keep what was given."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, MultipartBody, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.applications import (
    Background,
    attach_photo,
    attach_proof,
    get_own_application,
    list_findings,
    save_background,
    sign_health,
    submit_application,
    withdraw_application,
)
from exams.eligibility import Condition, Finding
from exams.health import items_for
from exams.proofs import check_proof
from exams.qualifications import get_qualification
from exams.queries_applications import ApplicationView, get_application_view, list_record_choices
from training.accounts import Viewer
from training.errors import AnpeiError, NotFound
from training.files import clean_photo, read_file
from training.models import Education
from web.attempts import attempt
from web.candidate.forms import BackgroundForm, HealthForm, PhotoForm, many, read_education, read_key
from web.candidate.holding import holds_valid_certificate
from web.services import Services

_STEP_OF = {
    Condition.EDUCATION: "background",
    Condition.EMPLOYER: "background",
    Condition.PROOF: "background",
    Condition.RETRAINED: "background",
    Condition.PHOTO: "photo",
    Condition.HEALTH: "health",
}


@dataclass(frozen=True)
class Step:
    """A step of the form."""

    key: str
    is_done: bool


class ApplicationController(Controller):
    """One's own application."""

    path = "/exams/applications/{application_id:uuid}"

    @get()
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        application_id: FromPath[UUID],
    ) -> Template:
        """Its way, its state and its next step."""
        return await _overview(session, viewer, now, application_id)

    @get("/background")
    async def ask_background(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        application_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Education, employer and proof."""
        return await _step(session, viewer, now, application_id, "background")

    @post("/background")
    async def save_background(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        application_id: FromPath[UUID],
        data: MultipartBody[BackgroundForm],
    ) -> Template | Redirect:
        """Keep them."""
        upload = await data.proof.read() if data.proof is not None else b""
        told = Background(
            read_education(data.education), data.employer, data.proof_kind, read_key(data.proof_record_id)
        )
        own = {"application_id": application_id, "person_id": viewer.person_id}
        async with attempt(session) as tried:
            await save_background(session, told=told, now=now, **own)
            if upload:
                proof = await asyncio.to_thread(check_proof, upload)
                await attach_proof(session, store=services.store, vault=services.vault, proof=proof, now=now, **own)
        if tried.error:
            return await _step(session, viewer, now, application_id, "background", error=tried.error, typed=data)
        return await _onwards(session, viewer, now, application_id, after="background")

    @get("/photo")
    async def ask_photo(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        application_id: FromPath[UUID],
    ) -> Template | Redirect:
        """The photo."""
        return await _step(session, viewer, now, application_id, "photo")

    @post("/photo")
    async def save_photo(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        application_id: FromPath[UUID],
        data: MultipartBody[PhotoForm],
    ) -> Template | Redirect:
        """Keep it, cleaned and sealed. Without a new file the kept one stays."""
        upload = await data.photo.read() if data.photo is not None else b""
        application = await get_own_application(session, application_id=application_id, person_id=viewer.person_id)
        async with attempt(session) as tried:
            if upload or application.photo_id is None:
                jpeg = await asyncio.to_thread(clean_photo, upload)
                await attach_photo(
                    session, store=services.store, vault=services.vault, application_id=application_id,
                    person_id=viewer.person_id, jpeg=jpeg, now=now,
                )  # fmt: skip
        if tried.error:
            return await _step(session, viewer, now, application_id, "photo", error=tried.error)
        return await _onwards(session, viewer, now, application_id, after="photo")

    @get("/health")
    async def ask_health(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        application_id: FromPath[UUID],
    ) -> Template | Redirect:
        """The statement of health."""
        return await _step(session, viewer, now, application_id, "health")

    @post("/health")
    async def save_health(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        application_id: FromPath[UUID],
        data: URLEncodedBody[HealthForm],
    ) -> Template | Redirect:
        """Sign it."""
        async with attempt(session) as tried:
            await sign_health(
                session, vault=services.vault, application_id=application_id, person_id=viewer.person_id,
                confirmed=many(data.confirmed), typed_name=data.typed_name, now=now,
            )  # fmt: skip
        if tried.error:
            return await _step(session, viewer, now, application_id, "health", error=tried.error, typed=data)
        return await _onwards(session, viewer, now, application_id, after="health")

    @get("/check")
    async def check(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        application_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Everything once more before it is handed in."""
        return await _step(session, viewer, now, application_id, "check")

    @post("/submit")
    async def submit(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        application_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Hand it in."""
        view = await get_application_view(session, application_id=application_id, person_id=viewer.person_id, now=now)
        holds = await holds_valid_certificate(
            session, person_id=viewer.person_id, code=view.qualification_code, now=now
        )
        async with attempt(session) as tried:
            await submit_application(
                session, application_id=application_id, person_id=viewer.person_id, has_valid_certificate=holds,
                now=now,
            )  # fmt: skip
        if tried.error:
            return await _step(session, viewer, now, application_id, "check", error=tried.error)
        return Redirect(f"/exams/applications/{application_id}")

    @post("/withdraw")
    async def withdraw(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        application_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Take it back."""
        async with attempt(session) as tried:
            await withdraw_application(session, application_id=application_id, person_id=viewer.person_id, now=now)
        if tried.error:
            return await _overview(session, viewer, now, application_id, error=tried.error)
        return Redirect(f"/exams/applications/{application_id}")

    @get("/photo.jpg")
    async def photo(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        application_id: FromPath[UUID],
    ) -> Response[bytes]:
        """One's own photo."""
        application = await get_own_application(session, application_id=application_id, person_id=viewer.person_id)
        return await send_file(session, services, application.photo_id)

    @get("/proof")
    async def proof(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        application_id: FromPath[UUID],
    ) -> Response[bytes]:
        """One's own proof."""
        application = await get_own_application(session, application_id=application_id, person_id=viewer.person_id)
        return await send_file(session, services, application.proof_file_id, download_as="proof")


async def send_file(
    session: AsyncSession, services: Services, file_id: UUID | None, *, download_as: str = ""
) -> Response[bytes]:
    """A sealed file, opened for whoever the caller has found to be allowed; never kept by the browser."""
    if file_id is None:
        raise NotFound
    kept, data = await read_file(session, store=services.store, file_id=file_id, vault=services.vault)
    headers = {"cache-control": "private, no-store"}
    if download_as:
        ending = "pdf" if kept.media_type == "application/pdf" else "jpg"
        headers["content-disposition"] = f'attachment; filename="{download_as}.{ending}"'
    return Response(data, media_type=kept.media_type, headers=headers)


async def _findings(session: AsyncSession, viewer: Viewer, now: datetime, view: ApplicationView) -> list[Finding]:
    application = await get_own_application(session, application_id=view.id, person_id=viewer.person_id)
    qualification = await get_qualification(session, view.qualification_code)
    holds = await holds_valid_certificate(session, person_id=viewer.person_id, code=qualification.code, now=now)
    return await list_findings(
        session, person_id=viewer.person_id, qualification=qualification, application=application,
        has_valid_certificate=holds, now=now,
    )  # fmt: skip


def _steps(view: ApplicationView, findings: list[Finding]) -> list[Step]:
    keys = ["background", "photo", "health", "check"] if view.is_special else ["background", "photo", "check"]
    unmet = {_STEP_OF.get(finding.condition, "") for finding in findings if not finding.is_met}
    return [Step(key, key != "check" and key not in unmet) for key in keys]


async def _overview(
    session: AsyncSession,
    viewer: Viewer,
    now: datetime,
    application_id: UUID,
    error: AnpeiError | None = None,
) -> Template:
    view = await get_application_view(session, application_id=application_id, person_id=viewer.person_id, now=now)
    steps = _steps(view, await _findings(session, viewer, now, view)) if view.is_editable else []
    next_step = next((step.key for step in steps if not step.is_done), "check")
    context = {"application": view, "steps": steps, "next_step": next_step, "error": error, "now": now}
    return Template("candidate/application.html", context=context, status_code=422 if error else 200)


async def _step(
    session: AsyncSession,
    viewer: Viewer,
    now: datetime,
    application_id: UUID,
    key: str,
    *,
    error: AnpeiError | None = None,
    typed: BackgroundForm | HealthForm | None = None,
) -> Template | Redirect:
    view = await get_application_view(session, application_id=application_id, person_id=viewer.person_id, now=now)
    if not view.is_editable and error is None:
        return Redirect(f"/exams/applications/{application_id}")
    findings = await _findings(session, viewer, now, view)
    context: dict[str, Any] = {
        "application": view,
        "findings": findings,
        "steps": _steps(view, findings),
        "step": key,
        "error": error,
        "records": await list_record_choices(session, viewer.person_id) if key == "background" else [],
        "health_items": items_for(view.so_code),
        "confirmed": many(typed.confirmed) if isinstance(typed, HealthForm) else [],
        "typed_name": typed.typed_name if isinstance(typed, HealthForm) else "",
        "form": typed if isinstance(typed, BackgroundForm) else _kept(view),
        "educations": Education,
    }
    return Template(f"candidate/{key}.html", context=context, status_code=422 if error else 200)


def _kept(view: ApplicationView) -> BackgroundForm:
    return BackgroundForm(
        education=view.education.value if view.education else "",
        employer=view.employer,
        proof_kind=view.proof_kind,
        proof_record_id=str(view.proof_record_id or ""),
    )


async def _onwards(
    session: AsyncSession, viewer: Viewer, now: datetime, application_id: UUID, *, after: str
) -> Redirect:
    view = await get_application_view(session, application_id=application_id, person_id=viewer.person_id, now=now)
    keys = [step.key for step in _steps(view, await _findings(session, viewer, now, view))]
    following = keys[min(keys.index(after) + 1, len(keys) - 1)] if after in keys else keys[-1]
    return Redirect(f"/exams/applications/{application_id}/{following}")


HANDLERS: list[type[Controller]] = [ApplicationController]

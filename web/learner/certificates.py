"""`/certificates`: one's own certificates, the request for a new one, and the printed document."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from certificates.credential import qr_text
from certificates.models import Certificate
from certificates.queries_holder import get_own_certificate, list_own_certificates, list_own_requests
from certificates.requests import request_certificate
from exams.applications import get_own_application
from exams.qualifications import get_qualification
from training.accounts import Viewer
from training.errors import N_, AnpeiError, BadInput, NotFound
from training.people import get_masked_document, get_person
from web.attempts import attempt
from web.centre.qr import qr_svg
from web.i18n.catalogue import gettext
from web.printed import certificate_document
from web.services import Services


@dataclass
class RequestForm:
    """That the holder has looked at the data."""

    is_checked: str = ""


class OwnCertificatesController(Controller):
    """What a holder does."""

    path = "/certificates"

    @get("/")
    async def index(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
    ) -> Template:
        """Requests and certificates, with what to do next."""
        context = {
            "requests": await list_own_requests(session, person_id=viewer.person_id, now=now),
            "certificates": await list_own_certificates(session, person_id=viewer.person_id, now=now),
        }
        return Template("learner/certificates.html", context=context)

    @get("/requests/{application_id:uuid}")
    async def ask(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        application_id: FromPath[UUID],
    ) -> Template:
        """The data that will be printed, to be checked."""
        return await _request_page(session, viewer, application_id)

    @post("/requests/{application_id:uuid}")
    async def request(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        application_id: FromPath[UUID],
        data: URLEncodedBody[RequestForm],
    ) -> Template | Redirect:
        """Ask for the certificate."""
        async with attempt(session) as tried:
            if not data.is_checked:
                raise BadInput(N_("请先核对信息，并勾选“信息无误”。"), field="is_checked")
            await request_certificate(session, application_id=application_id, person_id=viewer.person_id, now=now)
        if tried.error:
            return await _request_page(session, viewer, application_id, error=tried.error)
        return Redirect("/certificates")

    @get("/{certificate_id:uuid}")
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        certificate_id: FromPath[UUID],
    ) -> Template:
        """One certificate, with the QR code to be shown at the gate."""
        own = await get_own_certificate(session, certificate_id=certificate_id, person_id=viewer.person_id, now=now)
        text = qr_text(services.settings.public_url, own.public_id, own.credential)
        code = qr_svg(text, title=gettext(N_("证书二维码")))
        return Template("learner/certificate.html", context={"own": own, "code": code})

    @get("/{certificate_id:uuid}/document.pdf")
    async def document(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        certificate_id: FromPath[UUID],
    ) -> Response[bytes]:
        """The printed form: for the holder, and for an organisation that issued it."""
        certificate = await session.get(Certificate, certificate_id)
        own_organisations = {held.organisation_id for held in viewer.roles}
        if certificate is None or not (
            certificate.person_id == viewer.person_id or certificate.issuer_id in own_organisations
        ):
            raise NotFound
        return await certificate_document(session, services, certificate, actor_id=viewer.person_id, now=now)


async def _request_page(
    session: AsyncSession, viewer: Viewer, application_id: UUID, *, error: AnpeiError | None = None
) -> Template:
    application = await get_own_application(session, application_id=application_id, person_id=viewer.person_id)
    id_type, number_masked = await get_masked_document(session, viewer.person_id)
    context = {
        "application": application,
        "qualification": await get_qualification(session, application.qualification_code),
        "person": await get_person(session, viewer.person_id),
        "id_type": id_type,
        "number_masked": number_masked,
        "error": error,
    }
    return Template("learner/certificate_request.html", context=context, status_code=422 if error else 200)


HANDLERS: list[type[Controller]] = [OwnCertificatesController]

"""`/authority/certificates`: the queue of requests, issuing and refusing, and what ends a certificate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from certificates.issuing import issue_certificate
from certificates.models import CancellationGround, CertificateRequestStatus, RevocationGround
from certificates.queries_issuer import get_issued, get_request_page, list_issued, list_requests
from certificates.requests import refuse_request
from certificates.revocation import BANNING, cancel_certificate, register_review, revoke_certificate
from certificates.signing import Signer
from training import audit
from training.accounts import HeldRole, Viewer
from training.audit import list_entries
from training.errors import AnpeiError, NotFound
from training.files import read_file
from training.models import Role
from training.people import get_document
from web.attempts import attempt
from web.auth import acting_as
from web.services import Services

Ground = TypeVar("Ground", RevocationGround, CancellationGround)
_DECIDED = {"approved": CertificateRequestStatus.APPROVED, "refused": CertificateRequestStatus.REFUSED}


@dataclass
class ReasonForm:
    """Why a request is refused."""

    reason: str = ""


@dataclass
class EndForm:
    """On which ground a certificate ends, and why."""

    ground: str = ""
    reason: str = ""
    with_ban: str = ""


class CertificatesController(Controller):
    """For issuers only."""

    path = "/authority/certificates"

    @get("/")
    async def queue(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        show: FromQuery[str] = "waiting",
    ) -> Template:
        """Requests, the most urgent first."""
        _issuer(viewer)
        status = _DECIDED.get(show, CertificateRequestStatus.SUBMITTED)
        lines = await list_requests(session, status=status, now=now)
        return Template("authority/certificates/queue.html", context={"lines": lines, "status": status})

    @get("/requests/{request_id:uuid}")
    async def request(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        request_id: FromPath[UUID],
    ) -> Template:
        """One request with all its evidence; the whole document number is shown, and that is noted."""
        _issuer(viewer)
        return await _request_page(session, viewer, services, request_id, now=now)

    @get("/requests/{request_id:uuid}/photo")
    async def photo(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        request_id: FromPath[UUID],
    ) -> Response[bytes]:
        """The photo that will be printed."""
        _issuer(viewer)
        page = await get_request_page(session, request_id=request_id, now=now)
        if page.photo_id is None:
            raise NotFound
        kept, data = await read_file(session, store=services.store, file_id=page.photo_id, vault=services.vault)
        return Response(data, media_type=kept.media_type, headers={"cache-control": "private, no-store"})

    @post("/requests/{request_id:uuid}/issue")
    async def issue(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        request_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Approve and issue."""
        held = _issuer(viewer)
        async with attempt(session) as tried:
            certificate = await issue_certificate(
                session, request_id=request_id, issuer_id=held.organisation_id, actor_id=viewer.person_id,
                signer=Signer.newest(services.keys.issuer), vault=services.vault, now=now,
            )  # fmt: skip
        if tried.error:
            return await _request_page(session, viewer, services, request_id, now=now, error=tried.error)
        return Redirect(f"/authority/certificates/{certificate.id}")

    @post("/requests/{request_id:uuid}/refuse")
    async def refuse(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        request_id: FromPath[UUID],
        data: URLEncodedBody[ReasonForm],
    ) -> Template | Redirect:
        """Refuse with the reason."""
        _issuer(viewer)
        async with attempt(session) as tried:
            await refuse_request(session, request_id=request_id, actor_id=viewer.person_id, reason=data.reason, now=now)
        if tried.error:
            return await _request_page(
                session, viewer, services, request_id, now=now, error=tried.error, typed=data.reason
            )
        return Redirect("/authority/certificates")

    @get("/issued")
    async def issued(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        page: FromQuery[int] = 1,
    ) -> Template:
        """The authority's certificates, the newest first."""
        return await _issued_list(session, _issuer(viewer), services, search="", page=page, now=now)

    # Posted, since a number that is searched for must not stand in an address.
    @post("/issued", status_code=200)
    async def search(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        data: URLEncodedBody[dict[str, str]],
    ) -> Template:
        """By name, or by an exact document or certificate number."""
        return await _issued_list(
            session, _issuer(viewer), services, search=data.get("search", "")[:100], page=1, now=now
        )

    @get("/{certificate_id:uuid}")
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        certificate_id: FromPath[UUID],
    ) -> Template:
        """One certificate, its history, and what may be done with it."""
        return await _issued_page(session, _issuer(viewer), certificate_id, now=now)

    @post("/{certificate_id:uuid}/revoke")
    async def revoke(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        certificate_id: FromPath[UUID],
        data: URLEncodedBody[EndForm],
    ) -> Template | Redirect:
        """Take it back; the public page says so at once."""
        held = _issuer(viewer)
        async with attempt(session) as tried:
            await revoke_certificate(
                session, certificate_id=certificate_id, issuer_id=held.organisation_id, actor_id=viewer.person_id,
                ground=_member(RevocationGround, data.ground), reason=data.reason,
                with_ban=bool(data.with_ban), now=now,
            )  # fmt: skip
        return await _after(session, held, certificate_id, tried.error, data, "revoke", now=now)

    @post("/{certificate_id:uuid}/cancel")
    async def cancel(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        certificate_id: FromPath[UUID],
        data: URLEncodedBody[EndForm],
    ) -> Template | Redirect:
        """Strike it off."""
        held = _issuer(viewer)
        async with attempt(session) as tried:
            await cancel_certificate(
                session, certificate_id=certificate_id, issuer_id=held.organisation_id, actor_id=viewer.person_id,
                ground=_member(CancellationGround, data.ground), reason=data.reason, now=now,
            )  # fmt: skip
        return await _after(session, held, certificate_id, tried.error, data, "cancel", now=now)

    @post("/{certificate_id:uuid}/review")
    async def review(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        certificate_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Register a review that was passed."""
        held = _issuer(viewer)
        async with attempt(session) as tried:
            await register_review(
                session, certificate_id=certificate_id, issuer_id=held.organisation_id, actor_id=viewer.person_id,
                now=now,
            )  # fmt: skip
        return await _after(session, held, certificate_id, tried.error, EndForm(), "review", now=now)


def _issuer(viewer: Viewer) -> HeldRole:
    return acting_as(viewer, Role.ISSUER)


def _member(kind: type[Ground], value: str) -> Ground | None:
    return next((each for each in kind if each.value == value), None)


async def _request_page(
    session: AsyncSession,
    viewer: Viewer,
    services: Services,
    request_id: UUID,
    *,
    now: datetime,
    error: AnpeiError | None = None,
    typed: str = "",
) -> Template:
    page = await get_request_page(session, request_id=request_id, now=now)
    document = await get_document(session, vault=services.vault, person_id=page.person_id)
    audit.record(
        session, action="document.viewed", target=("person", page.person_id), actor_id=viewer.person_id, now=now,
        request=request_id,
    )  # fmt: skip
    context = {"page": page, "number": document.number, "error": error, "typed": typed}
    return Template("authority/certificates/request.html", context=context, status_code=422 if error else 200)


async def _issued_list(
    session: AsyncSession, held: HeldRole, services: Services, *, search: str, page: int, now: datetime
) -> Template:
    found = await list_issued(
        session, issuer_id=held.organisation_id, vault=services.vault, search=search, page=page, now=now
    )
    return Template("authority/certificates/issued.html", context={"found": found, "search": search})


async def _issued_page(
    session: AsyncSession,
    held: HeldRole,
    certificate_id: UUID,
    *,
    now: datetime,
    error: AnpeiError | None = None,
    form: EndForm | None = None,
    act: str = "",
) -> Template:
    found = await get_issued(session, certificate_id=certificate_id, issuer_id=held.organisation_id, now=now)
    context = {
        "found": found,
        "history": await list_entries(session, target=("certificate", certificate_id), limit=20),
        "grounds": list(RevocationGround),
        "banning": BANNING,
        "cancel_grounds": list(CancellationGround),
        "error": error,
        "form": form or EndForm(),
        "act": act,
    }
    return Template("authority/certificates/certificate.html", context=context, status_code=422 if error else 200)


async def _after(
    session: AsyncSession,
    held: HeldRole,
    certificate_id: UUID,
    error: AnpeiError | None,
    form: EndForm,
    act: str,
    *,
    now: datetime,
) -> Template | Redirect:
    if error is None:
        return Redirect(f"/authority/certificates/{certificate_id}")
    return await _issued_page(session, held, certificate_id, now=now, error=error, form=form, act=act)


HANDLERS: list[type[Controller]] = [CertificatesController]

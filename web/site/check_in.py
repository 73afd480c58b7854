"""The check-in desk: find the candidate by ticket, check identity, give the seat."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, MultipartBody, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams import board as boards
from exams import check_in as desk
from exams.identity.checks import NOT_ADMITTED, SAME_PERSON
from exams.identity.consent import TEXT, VERSION
from exams.seating import get_booking_for_token
from training import audit
from training.accounts import Viewer
from training.errors import N_, AnpeiError, NotFound
from training.files import BadPhoto
from web.attempts import attempt
from web.services import Services
from web.site.desk import Officer, officer_of

if TYPE_CHECKING:
    from litestar.types import ControllerRouterHandler

ADMIT, TURN_AWAY = "ADMIT", "TURN_AWAY"
_AGREE = "AGREE"
# What litestar still holds in memory; a larger upload would pass through a file. The page's script keeps below it.
PICTURE_BYTES_AT_MOST = 1024 * 1024


@dataclass
class TicketForm:
    """A typed number or a scanned code."""

    ticket: str = ""


@dataclass
class ConsentForm:
    """The candidate's own answer."""

    answer: str = ""


@dataclass
class PictureForm:
    """The picture taken at the desk; it never leaves memory."""

    picture: UploadFile


@dataclass
class OfficerForm:
    """What the officer decides, and by what."""

    outcome: str = ""
    admit_reason: str = ""
    refuse_reason: str = ""
    note: str = ""


@get("/t/{token:str}")
async def open_ticket(
    session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], token: FromPath[str]
) -> Redirect:
    """What a ticket's QR opens in any scanner: the desk for the site's staff, the ticket for its holder."""
    booking = await get_booking_for_token(session, token)
    if booking.person_id == viewer.person_id:
        return Redirect(f"/exams/bookings/{booking.id}")
    officer = officer_of(viewer)
    await desk.get_site_session(session, booking.exam_session_id, site_id=officer.site_id)
    return Redirect(_address(booking.exam_session_id, booking.id))


class DeskController(Controller):
    """`/site/sessions/{id}/check-in`."""

    path = "/site/sessions/{exam_session_id:uuid}/check-in"

    @get()
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
    ) -> Template:
        """Scan, type, or pick from the list."""
        return await _show_desk(session, officer_of(viewer), exam_session_id, now)

    @post()
    async def find(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        data: URLEncodedBody[TicketForm],
    ) -> Template | Redirect:
        """Go to the candidate of a ticket, or say why not."""
        officer = officer_of(viewer)
        async with attempt(session) as tried:
            booking = await desk.find_by_ticket(
                session, ticket=data.ticket, exam_session_id=exam_session_id, site_id=officer.site_id
            )
        if tried.error:
            return await _show_desk(session, officer, exam_session_id, now, error=tried.error, ticket=data.ticket)
        return Redirect(_address(exam_session_id, booking.id))

    @get("/{booking_id:uuid}")
    async def candidate(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        booking_id: FromPath[UUID],
        way: FromQuery[str] = "",
    ) -> Template:
        """One candidate and the next step; `way` is "officer" or "camera" to take that one."""
        return await _show_card(session, officer_of(viewer), services, exam_session_id, booking_id, now, way=way)

    @get("/{booking_id:uuid}/photo")
    async def photo(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        booking_id: FromPath[UUID],
    ) -> Response[bytes]:
        """The enrolled photo, for the officer's eyes alone; each look is on record."""
        officer = officer_of(viewer)
        photos = await desk.get_photos(
            session, booking_id=booking_id, exam_session_id=exam_session_id, site_id=officer.site_id,
            store=services.store, vault=services.vault,
        )  # fmt: skip
        if not photos:
            raise NotFound
        audit.record(
            session, action="photo.viewed", target=("booking", booking_id), actor_id=officer.person_id, now=now
        )
        return Response(photos[0], media_type="image/jpeg", headers={"cache-control": "no-store"})

    @post("/{booking_id:uuid}/consent")
    async def consent(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        booking_id: FromPath[UUID],
        data: URLEncodedBody[ConsentForm],
    ) -> Template | Redirect:
        """The candidate agrees to the comparison, or refuses, or withdraws."""
        officer = officer_of(viewer)
        act = desk.agree_to_face_check if data.answer == _AGREE else desk.withdraw_agreement
        async with attempt(session) as tried:
            await act(
                session, booking_id=booking_id, exam_session_id=exam_session_id, site_id=officer.site_id,
                officer_id=officer.person_id, now=now,
            )  # fmt: skip
        if tried.error:
            return await _show_card(session, officer, services, exam_session_id, booking_id, now, error=tried.error)
        way = "" if data.answer == _AGREE else "?way=officer"
        return Redirect(_address(exam_session_id, booking_id) + way)

    @post("/{booking_id:uuid}/face", request_max_body_size=PICTURE_BYTES_AT_MOST)
    async def face(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        booking_id: FromPath[UUID],
        data: MultipartBody[PictureForm],
    ) -> Template | Redirect:
        """Compare the picture taken at the desk with the enrolled photos, then forget it."""
        officer = officer_of(viewer)
        if services.matcher is None:
            raise NotFound
        here = {"booking_id": booking_id, "exam_session_id": exam_session_id, "site_id": officer.site_id}
        async with attempt(session) as tried:
            # A transaction of its own, over before the engines begin: nothing waits for them.
            async with services.sessions() as asking, asking.begin():
                enrolled = await desk.prepare_face_check(
                    asking, **here, officer_id=officer.person_id, store=services.store, vault=services.vault, now=now
                )
            scores = await services.matcher.compare(enrolled=enrolled, live=await _read_picture(data.picture))
            await desk.check_in_by_face(session, **here, scores=scores, officer_id=officer.person_id, now=now)
        if tried.error:
            return await _show_card(
                session, officer, services, exam_session_id, booking_id, now, error=tried.error, way="camera"
            )
        return Redirect(_address(exam_session_id, booking_id))

    @post("/{booking_id:uuid}/officer")
    async def officer(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        booking_id: FromPath[UUID],
        data: URLEncodedBody[OfficerForm],
    ) -> Template | Redirect:
        """The officer's own check."""
        officer = officer_of(viewer)
        is_same = data.outcome == ADMIT
        async with attempt(session) as tried:
            await desk.check_in_by_officer(
                session, booking_id=booking_id, exam_session_id=exam_session_id, site_id=officer.site_id,
                is_same=is_same, reason=data.admit_reason if is_same else data.refuse_reason, note=data.note,
                officer_id=officer.person_id, now=now,
            )  # fmt: skip
        if tried.error:
            return await _show_card(
                session, officer, services, exam_session_id, booking_id, now, error=tried.error, way="officer",
                form=data,
            )  # fmt: skip
        return Redirect(_address(exam_session_id, booking_id))


def _address(exam_session_id: UUID, booking_id: UUID) -> str:
    return f"/site/sessions/{exam_session_id}/check-in/{booking_id}"


async def _read_picture(picture: UploadFile) -> bytes:
    data = await picture.read()
    await picture.close()
    if not data:
        raise BadPhoto(why=N_("没有收到照片"), field="picture")
    return data


async def _show_desk(
    session: AsyncSession,
    officer: Officer,
    exam_session_id: UUID,
    now: datetime,
    *,
    error: AnpeiError | None = None,
    ticket: str = "",
) -> Template:
    board = await boards.get_board(session, exam_session_id=exam_session_id, site_id=officer.site_id, now=now)
    context = {"board": board, "error": error, "ticket": ticket}
    return Template("site/check_in.html", context=context, status_code=422 if error else 200)


async def _show_card(
    session: AsyncSession,
    officer: Officer,
    services: Services,
    exam_session_id: UUID,
    booking_id: UUID,
    now: datetime,
    *,
    way: str = "",
    error: AnpeiError | None = None,
    form: OfficerForm | None = None,
) -> Template:
    card = await desk.get_card(
        session, booking_id=booking_id, exam_session_id=exam_session_id, site_id=officer.site_id,
        has_matcher=services.matcher is not None, now=now,
    )  # fmt: skip
    context = {
        "card": card,
        "step": _chosen_step(card, way).value,
        "consent": {"version": VERSION, "lines": TEXT},
        "reasons": {"admit": SAME_PERSON, "refuse": NOT_ADMITTED},
        "form": form or OfficerForm(),
        "error": error,
    }
    return Template("site/check_in_candidate.html", context=context, status_code=422 if error else 200)


def _chosen_step(card: desk.CandidateCard, way: str) -> desk.Step:
    """The officer can always be asked for; the camera only where it is allowed (again)."""
    if card.step in (desk.Step.DONE, desk.Step.CLOSED):
        return card.step
    if way == "officer":
        return desk.Step.OFFICER
    if way == "camera" and card.may_retry:
        return desk.Step.CAMERA
    return card.step


HANDLERS: list[ControllerRouterHandler] = [open_ticket, DeskController]

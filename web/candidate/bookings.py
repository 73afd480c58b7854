"""Seats: the sessions to choose from, booking, changing, cancelling, and the admission ticket."""

from __future__ import annotations

import asyncio
from datetime import datetime
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, Template
from qrcode.constants import ERROR_CORRECT_Q
from qrcode.image.svg import SvgPathFillImage
from qrcode.main import QRCode
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.applications import get_own_application
from exams.models import BookingStatus, ExamPart
from exams.queries_applications import get_application_view
from exams.queries_seats import Ticket, get_ticket, list_bookable
from exams.seating import book_seat, cancel_booking, change_booking, check_may_sit
from exams.tickets import PrintedTicket, ticket_pdf
from training.accounts import Viewer
from training.errors import AnpeiError, NotFound
from training.files import read_file
from training.fonts import FontSet
from web.attempts import attempt
from web.candidate.forms import SeatForm
from web.services import Services
from web.templating import STATIC


class BookingController(Controller):
    """One's own seats."""

    path = "/exams"

    @get("/applications/{application_id:uuid}/sessions")
    async def choose(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        application_id: FromPath[UUID],
    ) -> Template:
        """The sessions of the part in turn."""
        return await _choose_page(session, viewer, now, application_id)

    @post("/applications/{application_id:uuid}/bookings")
    async def book(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        application_id: FromPath[UUID],
        data: URLEncodedBody[SeatForm],
    ) -> Template | Redirect:
        """Take a seat."""
        async with attempt(session) as tried:
            booking = await book_seat(
                session, exam_session_id=data.exam_session_id, application_id=application_id,
                person_id=viewer.person_id, now=now,
            )  # fmt: skip
        if tried.error:
            return await _choose_page(session, viewer, now, application_id, error=tried.error)
        return Redirect(f"/exams/bookings/{booking.id}")

    @get("/bookings/{booking_id:uuid}")
    async def ticket(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        booking_id: FromPath[UUID],
    ) -> Template:
        """The admission ticket."""
        return await _ticket_page(session, viewer, now, booking_id)

    @get("/bookings/{booking_id:uuid}/sessions")
    async def choose_other(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        booking_id: FromPath[UUID],
    ) -> Template:
        """The other sessions that one may change to."""
        ticket = await get_ticket(session, booking_id=booking_id, person_id=viewer.person_id)
        return await _choose_page(session, viewer, now, ticket.application_id, moving=ticket)

    @post("/bookings/{booking_id:uuid}/change")
    async def change(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        booking_id: FromPath[UUID],
        data: URLEncodedBody[SeatForm],
    ) -> Template | Redirect:
        """Move to another session."""
        async with attempt(session) as tried:
            await change_booking(
                session, booking_id=booking_id, exam_session_id=data.exam_session_id, person_id=viewer.person_id,
                now=now,
            )  # fmt: skip
        if tried.error:
            ticket = await get_ticket(session, booking_id=booking_id, person_id=viewer.person_id)
            return await _choose_page(session, viewer, now, ticket.application_id, moving=ticket, error=tried.error)
        return Redirect(f"/exams/bookings/{booking_id}")

    @post("/bookings/{booking_id:uuid}/cancel")
    async def cancel(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        booking_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Give the seat back."""
        async with attempt(session) as tried:
            await cancel_booking(session, booking_id=booking_id, person_id=viewer.person_id, now=now)
        if tried.error:
            return await _ticket_page(session, viewer, now, booking_id, error=tried.error)
        return Redirect(f"/exams/bookings/{booking_id}")

    @get("/bookings/{booking_id:uuid}/code.svg")
    async def code(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        booking_id: FromPath[UUID],
    ) -> Response[bytes]:
        """The ticket's QR, to be held up on a phone."""
        ticket = await get_ticket(session, booking_id=booking_id, person_id=viewer.person_id)
        if ticket.status is BookingStatus.CANCELLED:
            raise NotFound
        picture = QRCode(error_correction=ERROR_CORRECT_Q, image_factory=SvgPathFillImage)
        picture.add_data(_address(ticket, services))
        data = picture.make_image().to_string()
        return Response(data, media_type="image/svg+xml", headers={"cache-control": "private, no-store"})

    @get("/bookings/{booking_id:uuid}/ticket.pdf")
    async def ticket_file(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        booking_id: FromPath[UUID],
    ) -> Response[bytes]:
        """The ticket to print. A cancelled one is not printed."""
        ticket = await get_ticket(session, booking_id=booking_id, person_id=viewer.person_id)
        if ticket.status is BookingStatus.CANCELLED:
            raise NotFound
        photo = None
        if ticket.photo_id is not None:
            _, photo = await read_file(session, store=services.store, file_id=ticket.photo_id, vault=services.vault)
        printed = _printed(ticket, services=services, photo=photo, now=now)
        fonts = FontSet.in_folder(STATIC / "vendor" / "fonts")
        data = await asyncio.to_thread(ticket_pdf, printed, fonts)
        headers = {
            "cache-control": "private, no-store",
            "content-disposition": f'attachment; filename="{ticket.ticket_no}.pdf"',
        }
        return Response(data, media_type="application/pdf", headers=headers)


def _address(ticket: Ticket, services: Services) -> str:
    # What the desk scans: an opaque token, nothing of the person.
    return f"{services.settings.public_url}/t/{ticket.token}"


def _printed(ticket: Ticket, *, services: Services, photo: bytes | None, now: datetime) -> PrintedTicket:
    return PrintedTicket(
        ticket_no=ticket.ticket_no,
        holder_name=ticket.holder_name,
        document_masked=ticket.number_masked,
        exam_name=ticket.exam_name or "安全生产资格考试",
        item_name=ticket.qualification_name,
        part=ticket.part,
        starts_at=ticket.starts_at,
        ends_at=ticket.ends_at,
        entry_from=ticket.entry_from,
        latest_entry=ticket.latest_entry,
        leave_from=ticket.leave_from,
        change_until=ticket.change_until,
        site_name=ticket.site_name,
        address=ticket.site_address,
        room_name=ticket.room_name,
        seat_no=ticket.seat_no,
        qr=_address(ticket, services),
        printed_at=now,
        photo=photo,
        is_specimen=services.settings.is_demo,
    )


async def _ticket_page(
    session: AsyncSession, viewer: Viewer, now: datetime, booking_id: UUID, error: AnpeiError | None = None
) -> Template:
    ticket = await get_ticket(session, booking_id=booking_id, person_id=viewer.person_id)
    context = {"ticket": ticket, "now": now, "error": error}
    return Template("candidate/ticket.html", context=context, status_code=422 if error else 200)


async def _choose_page(
    session: AsyncSession,
    viewer: Viewer,
    now: datetime,
    application_id: UUID,
    *,
    moving: Ticket | None = None,
    error: AnpeiError | None = None,
) -> Template:
    view = await get_application_view(session, application_id=application_id, person_id=viewer.person_id, now=now)
    application = await get_own_application(session, application_id=application_id, person_id=viewer.person_id)
    part = moving.part if moving else view.part or ExamPart.THEORY
    hindrance: AnpeiError | None = None
    if moving is None:
        async with attempt(session) as tried:
            await check_may_sit(session, application=application, part=part, now=now)
        hindrance = tried.error
    context = {
        "application": view,
        "part": part,
        "sessions": await list_bookable(session, code=view.qualification_code, part=part, now=now),
        "moving": moving,
        "hindrance": hindrance,
        "error": error,
    }
    return Template("candidate/sessions.html", context=context, status_code=422 if error else 200)


HANDLERS: list[type[Controller]] = [BookingController]

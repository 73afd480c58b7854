"""Everything that a candidate does in a sitting, as calls."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Controller, Request, Response, get, post, put
from litestar.connection import ASGIConnection
from litestar.di import NamedDependency, Provide
from litestar.handlers import BaseRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, HeaderParameter, JSONBody
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.answers import device_token_hash, refusal, save_answers
from exams.handing_in import hand_in
from exams.integrity import note_second_device
from exams.sheets import get_answer_sheet, get_result, get_sitting_state, list_occasions
from exams.sittings import Device, OnAnotherDevice
from exams.starting import start_enterprise_sitting, start_sitting
from training.accounts import Viewer
from training.errors import N_, BadInput, Conflict, NotAllowed
from web.api.answers import AnswersIn, AnswersRefused, AnswersSaved, check_acts, refused_reply, saved_reply
from web.api.bodies import (
    OccasionOut,
    PaperOut,
    ResultOut,
    StartedOut,
    StartIn,
    StateOut,
    occasion_out,
    paper_out,
    result_out,
    started_out,
    state_out,
)
from web.auth import provide_caller
from web.errors import show_domain_error
from web.safe_exam_browser import check_browser
from web.services import Services

_SAFE = {"GET", "HEAD", "OPTIONS"}
_SEED_BITS = 63


class FromAnotherSite(NotAllowed):
    """A cookie alone does not prove that our own page sent the request."""

    message = N_("请求来源无法确认。请刷新页面后重试；程序调用请使用 Authorization 头。")


class NeitherNorBoth(BadInput):
    """A start names one occasion."""

    message = N_("请在 booking_id 与 enterprise_exam_id 中指定一个，且只能指定一个。")


class Refused(msgspec.Struct):
    """Why a call was refused."""

    error: str
    message: str
    field: str = ""


async def not_from_another_site(connection: ASGIConnection, _: BaseRouteHandler) -> None:  # type: ignore[type-arg]
    """A form of another site can send our cookie, but neither of these headers.

    Async, because litestar sends a synchronous guard to a thread.
    """
    headers = connection.headers
    proven = "authorization" in headers or "x-sitting-token" in headers or "x-requested-with" in headers
    if connection.scope.get("method", "") not in _SAFE and not proven:
        raise FromAnotherSite


def _device(viewer: Viewer, services: Services, token: str) -> Device:
    return Device(sign_in_id=viewer.sign_in_id, key=services.keys.session, token=token)


def _token(request: Request) -> str:  # type: ignore[type-arg]
    return request.headers.get("x-sitting-token", "")


class ApiSittingController(Controller):
    """`/api/v1/me/sittings`, `/api/v1/sittings`."""

    path = "/api/v1"
    tags = ("Sittings",)
    guards = (not_from_another_site,)
    dependencies = {"viewer": Provide(provide_caller)}  # noqa: RUF012 - declared by litestar as of the instance

    @get("/me/sittings", summary="What can I sit?")
    async def list_mine(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
    ) -> list[OccasionOut]:
        """List checked-in bookings and enterprise exams, each with its latest sitting."""
        return [occasion_out(one) for one in await list_occasions(session, person_id=viewer.person_id, now=now)]

    @post(
        "/sittings",
        status_code=200,
        summary="Start a sitting, or go on with it",
        responses={403: ResponseSpec(Refused, description="The exam needs the Safe Exam Browser (BrowserNeeded)")},
    )
    async def start(
        self,
        request: Request,  # type: ignore[type-arg]
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        data: JSONBody[StartIn],
    ) -> Response[StartedOut] | Response[Refused]:
        """Deal the paper and start the clock.

        Asked again by the same sign-in (or with the X-Sitting-Token it was given) it returns the same
        sitting and token. From elsewhere: 409 in a certificate exam until the site releases it; an
        enterprise exam moves over, and the device that held it gets 409 with code DEVICE.
        """
        if (data.booking_id is None) == (data.enterprise_exam_id is None):
            raise NeitherNorBoth(field="booking_id")
        device, seed = _device(viewer, services, _token(request)), secrets.randbits(_SEED_BITS)
        person_id = viewer.person_id
        await check_browser(
            request, session, services, person_id=person_id, booking_id=data.booking_id,
            exam_id=data.enterprise_exam_id,
        )  # fmt: skip
        try:
            if data.booking_id is not None:
                entry = await start_sitting(
                    session, booking_id=data.booking_id, person_id=person_id, device=device, seed=seed, now=now
                )
            elif data.enterprise_exam_id is not None:
                entry = await start_enterprise_sitting(
                    session, exam_id=data.enterprise_exam_id, person_id=person_id, device=device, seed=seed, now=now
                )
        except OnAnotherDevice as error:
            # Answered here, not by the error handler, so that the fact is committed with the refusal.
            await note_second_device(session, person_id=person_id, now=now, booking_id=data.booking_id)
            return show_domain_error(request, error)
        return Response(started_out(entry))

    @get("/sittings/{sitting_id:uuid}/paper", summary="The paper with what is saved")
    async def show_paper(
        self,
        request: Request,  # type: ignore[type-arg]
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        sitting_id: FromPath[UUID],
    ) -> PaperOut:
        """Give the questions in this candidate's order, without keys, with the saved answers.

        Only to the device that holds the sitting (409 elsewhere); a certificate exam's not after the end.
        """
        await check_browser(request, session, services, person_id=viewer.person_id, sitting_id=sitting_id)
        sheet = await get_answer_sheet(
            session, sitting_id=sitting_id, person_id=viewer.person_id, now=now,
            device=_device(viewer, services, _token(request)),
        )  # fmt: skip
        return paper_out(sheet)

    @get("/sittings/{sitting_id:uuid}", summary="The state of a sitting")
    async def show_state(
        self,
        request: Request,  # type: ignore[type-arg]
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        sitting_id: FromPath[UUID],
    ) -> StateOut:
        """Give status, time left, counts, and what was last done to it by others.

        A browser is told the same at once by `GET /sittings/{sitting_id}/events`.
        """
        state = await get_sitting_state(
            session, sitting_id=sitting_id, person_id=viewer.person_id, now=now,
            device=_device(viewer, services, _token(request)),
        )  # fmt: skip
        return state_out(state, now=now)

    @put(
        "/sittings/{sitting_id:uuid}/answers",
        summary="Save answers",
        responses={
            401: ResponseSpec(AnswersRefused, description="Wrong X-Sitting-Token (code TOKEN)"),
            409: ResponseSpec(AnswersRefused, description="Device taken over (DEVICE), or number used (NUMBER)"),
            410: ResponseSpec(AnswersRefused, description="Handed in or time is up (ENDED)"),
            422: ResponseSpec(AnswersRefused, description="An answer that makes no sense"),
            423: ResponseSpec(AnswersRefused, description="The site has paused the sitting: send again later (PAUSED)"),
            503: ResponseSpec(AnswersRefused, description="Busy: try again after Retry-After seconds (BUSY)"),
        },
    )
    async def save(
        self,
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        sitting_id: FromPath[UUID],
        sitting_token: Annotated[str, HeaderParameter(name="X-Sitting-Token")],
        data: JSONBody[AnswersIn],
    ) -> Response[AnswersSaved] | Response[AnswersRefused]:
        """Save up to 200 answer acts.

        Every number in `saved` is committed to the database before the reply. Number the acts of a
        sitting from 1 (the paper tells the last number used); sending one again is acknowledged
        again, also after the end. Acts that arrive after the deadline count only if their links
        prove that they were made before it; what does not count is kept, and listed in `kept_late`.
        No sign-in is needed: the device token is the proof. In production the hot path
        (web/hot.py) answers this call before it comes here.
        """
        token_hash = device_token_hash(sitting_token)
        found = None
        try:
            key = services.keys.session
            found = await save_answers(
                session, sitting_id=sitting_id, token_hash=token_hash, acts=check_acts(data), now=now, key=key
            )
            if error := refusal(found, key=key, sitting_id=sitting_id, token_hash=token_hash, now=now):
                raise error
        except (BadInput, NotAllowed, Conflict) as error:
            status, refused = refused_reply(error, now=now, found=found)
            return Response(refused, status_code=status)
        return Response(saved_reply(found, now=now))

    @post("/sittings/{sitting_id:uuid}/hand-in", status_code=200, summary="Hand in")
    async def hand_in(
        self,
        request: Request,  # type: ignore[type-arg]
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        sitting_id: FromPath[UUID],
    ) -> ResultOut:
        """End the sitting and mark it; asked again, give the same result.

        While it is open only the sign-in that holds it may, or whoever shows its X-Sitting-Token; others get 409.
        """
        await hand_in(
            session, sitting_id=sitting_id, person_id=viewer.person_id, now=now,
            countersign=services.keys.countersign, device=_device(viewer, services, _token(request)),
        )  # fmt: skip
        return result_out(await get_result(session, sitting_id=sitting_id, person_id=viewer.person_id))

    @get("/sittings/{sitting_id:uuid}/result", summary="The result")
    async def show_result(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], sitting_id: FromPath[UUID]
    ) -> ResultOut:
        """Give points per knowledge area once the sitting has ended."""
        return result_out(await get_result(session, sitting_id=sitting_id, person_id=viewer.person_id))

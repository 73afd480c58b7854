"""The candidate's sitting: what can be sat, the start, the paper, handing in and the result."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.answers import check_act, device_token_hash, refusal, save_answers
from exams.appeals import get_own_appeals
from exams.handing_in import TooEarlyToLeave, hand_in
from exams.models import SittingStatus
from exams.sheets import get_answer_sheet, get_own_sitting, get_result, get_sitting_state, list_occasions
from exams.sittings import Device, Entry, holds_sitting, resume_sitting
from exams.start_pages import get_start_facts
from exams.starting import start_enterprise_sitting, start_sitting
from training.accounts import Viewer
from web.attempts import attempt
from web.services import Services

_SEED_BITS = 63


@dataclass
class ItemForm:
    """One answer sent without a script; `choice` may stand several times."""

    position: int
    choice: str | list[str] = ""


def _device(viewer: Viewer, services: Services) -> Device:
    return Device(sign_in_id=viewer.sign_in_id, key=services.keys.session)


def _no_store(answer: Template) -> Template:
    # A paper and a device token stay out of every cache.
    answer.headers["cache-control"] = "no-store"
    return answer


class SittingController(Controller):
    """`/sittings`."""

    path = "/sittings"

    @get("/")
    async def list_mine(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
    ) -> Template:
        """What can be sat now, and what was."""
        occasions = await list_occasions(session, person_id=viewer.person_id, now=now)
        return Template("learner/sittings.html", context={"occasions": occasions, "now": now})

    @get("/start/booking/{booking_id:uuid}")
    async def ask_booking(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        booking_id: FromPath[UUID],
    ) -> Template:
        """The rules of a certificate exam, before the clock starts."""
        facts = await get_start_facts(session, person_id=viewer.person_id, now=now, booking_id=booking_id)
        return Template("learner/sitting_start.html", context={"facts": facts, "error": None, "now": now})

    @post("/start/booking/{booking_id:uuid}")
    async def start_booking(
        self,
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        booking_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Start, or go on."""
        async with attempt(session) as tried:
            entry = await start_sitting(
                session, booking_id=booking_id, person_id=viewer.person_id, device=_device(viewer, services),
                seed=secrets.randbits(_SEED_BITS), now=now,
            )  # fmt: skip
        if tried.error:
            facts = await get_start_facts(session, person_id=viewer.person_id, now=now, booking_id=booking_id)
            context = {"facts": facts, "error": tried.error, "now": now}
            return Template("learner/sitting_start.html", context=context, status_code=409)
        return Redirect(f"/sittings/{entry.sitting_id}")

    @get("/start/exam/{exam_id:uuid}")
    async def ask_exam(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_id: FromPath[UUID],
    ) -> Template:
        """The rules of an enterprise exam, before the clock starts."""
        facts = await get_start_facts(session, person_id=viewer.person_id, now=now, exam_id=exam_id)
        return Template("learner/sitting_start.html", context={"facts": facts, "error": None, "now": now})

    @post("/start/exam/{exam_id:uuid}")
    async def start_exam(
        self,
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Start an attempt, or go on with the open one."""
        async with attempt(session) as tried:
            entry = await start_enterprise_sitting(
                session, exam_id=exam_id, person_id=viewer.person_id, device=_device(viewer, services),
                seed=secrets.randbits(_SEED_BITS), now=now,
            )  # fmt: skip
        if tried.error:
            facts = await get_start_facts(session, person_id=viewer.person_id, now=now, exam_id=exam_id)
            context = {"facts": facts, "error": tried.error, "now": now}
            return Template("learner/sitting_start.html", context=context, status_code=409)
        return Redirect(f"/sittings/{entry.sitting_id}")

    @get("/{sitting_id:uuid}")
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        sitting_id: FromPath[UUID],
    ) -> Template | Redirect:
        """The paper; on another device the way to go on there; after the end the result."""
        device = _device(viewer, services)
        sitting = await get_own_sitting(session, sitting_id=sitting_id, person_id=viewer.person_id)
        state = await get_sitting_state(session, sitting_id=sitting_id, person_id=viewer.person_id, now=now)
        if state.status is not SittingStatus.OPEN:
            return Redirect(f"/sittings/{sitting_id}/result")
        if not holds_sitting(sitting, device):
            return Template("learner/sitting_elsewhere.html", context={"state": state, "error": None})
        entry = await resume_sitting(session, sitting_id=sitting_id, person_id=viewer.person_id, device=device, now=now)
        return await self._paper(session, viewer, device, entry, now)

    @staticmethod
    async def _paper(session: AsyncSession, viewer: Viewer, device: Device, entry: Entry, now: datetime) -> Template:
        sheet = await get_answer_sheet(
            session, sitting_id=entry.sitting_id, person_id=viewer.person_id, now=now, device=device
        )
        context = {"sheet": sheet, "entry": entry, "leave_in": max(int((sheet.leave_at - now).total_seconds()), 0)}
        return _no_store(Template("learner/sitting.html", context=context))

    @post("/{sitting_id:uuid}/resume")
    async def resume(
        self,
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        sitting_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Go on with the sitting on this device."""
        async with attempt(session) as tried:
            await resume_sitting(
                session, sitting_id=sitting_id, person_id=viewer.person_id, device=_device(viewer, services), now=now
            )
        if tried.error:
            state = await get_sitting_state(session, sitting_id=sitting_id, person_id=viewer.person_id, now=now)
            context = {"state": state, "error": tried.error}
            return Template("learner/sitting_elsewhere.html", context=context, status_code=409)
        return Redirect(f"/sittings/{sitting_id}")

    @post("/{sitting_id:uuid}/answers")
    async def save_one(
        self,
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        sitting_id: FromPath[UUID],
        data: Annotated[ItemForm, Body(media_type=RequestEncodingType.URL_ENCODED)],
    ) -> Redirect:
        """Save one answer of a browser without scripts; after the end, or from another device, show how it stands."""
        device = _device(viewer, services)
        sitting = await get_own_sitting(session, sitting_id=sitting_id, person_id=viewer.person_id)
        state = await get_sitting_state(session, sitting_id=sitting_id, person_id=viewer.person_id, now=now)
        if state.status is not SittingStatus.OPEN or not holds_sitting(sitting, device):
            return Redirect(f"/sittings/{sitting_id}")
        entry = await resume_sitting(session, sitting_id=sitting_id, person_id=viewer.person_id, device=device, now=now)
        token_hash = device_token_hash(entry.device_token)
        act = check_act(state.last_seq + 1, data.position, "".join(data.choice), now)
        found = await save_answers(session, sitting_id=sitting_id, token_hash=token_hash, acts=[act], now=now)
        if error := refusal(found, key=device.key, sitting_id=sitting_id, token_hash=token_hash, now=now):
            raise error
        return Redirect(f"/sittings/{sitting_id}#item-{min(data.position + 1, state.total)}")

    @get("/{sitting_id:uuid}/hand-in")
    async def ask_hand_in(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        sitting_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Ask once, and list what is not answered."""
        sheet = await get_answer_sheet(session, sitting_id=sitting_id, person_id=viewer.person_id, now=now)
        if sheet.status is not SittingStatus.OPEN:
            return Redirect(f"/sittings/{sitting_id}/result")
        return _no_store(
            Template(
                "learner/sitting_hand_in.html", context={"sheet": sheet, "error": None, "may": now >= sheet.leave_at}
            )
        )

    @post("/{sitting_id:uuid}/hand-in")
    async def hand_in(
        self,
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        sitting_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Hand in, from the device that holds the sitting."""
        sitting = await get_own_sitting(session, sitting_id=sitting_id, person_id=viewer.person_id)
        if sitting.status is SittingStatus.OPEN and not holds_sitting(sitting, _device(viewer, services)):
            return Redirect(f"/sittings/{sitting_id}")
        try:
            await hand_in(session, sitting_id=sitting_id, person_id=viewer.person_id, now=now)
        except TooEarlyToLeave as error:
            sheet = await get_answer_sheet(session, sitting_id=sitting_id, person_id=viewer.person_id, now=now)
            context = {"sheet": sheet, "error": error, "may": False}
            return Template("learner/sitting_hand_in.html", context=context, status_code=409)
        return Redirect(f"/sittings/{sitting_id}/result")

    @get("/{sitting_id:uuid}/result")
    async def show_result(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        sitting_id: FromPath[UUID],
    ) -> Template | Redirect | Response[str]:
        """The score with its state, by area, and what comes next."""
        state = await get_sitting_state(session, sitting_id=sitting_id, person_id=viewer.person_id, now=now)
        if state.status is SittingStatus.OPEN:
            return Redirect(f"/sittings/{sitting_id}")
        if state.status is SittingStatus.TIMED_OUT:
            # Over, though perhaps no job has closed it yet: asking is enough, and harmless twice.
            await hand_in(session, sitting_id=sitting_id, person_id=viewer.person_id, now=now)
        result = await get_result(session, sitting_id=sitting_id, person_id=viewer.person_id)
        own = await get_own_appeals(session, sitting_id=sitting_id, person_id=viewer.person_id, now=now)
        return Template(
            "learner/sitting_result.html", context={"result": result, "own": own, "typed": "", "error": None}
        )


HANDLERS: list[type[Controller]] = [SittingController]

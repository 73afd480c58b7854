"""The candidate's sitting: what can be sat, the start, the paper, handing in and the result."""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.di import NamedDependency
from litestar.enums import RequestEncodingType
from litestar.params import Body, FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.accommodations import Accommodations
from exams.advice import find_advice
from exams.answers import (
    DeviceTaken,
    SittingPaused,
    check_act,
    device_token,
    device_token_hash,
    refusal,
    save_answers,
)
from exams.appeals import get_own_appeals, list_own_changes
from exams.handing_in import TooEarlyToLeave, hand_in
from exams.integrity import note_second_device
from exams.models import ScoreState, SittingStatus
from exams.sheets import (
    NotMarkedYet,
    SittingResult,
    get_answer_sheet,
    get_result,
    get_sitting_state,
    list_occasions,
    make_sheet,
    read_sitting,
    state_of,
)
from exams.signed_sheets import make_receipt_note
from exams.sittings import Device, Entry, OnAnotherDevice, entry_for, holds_sitting, resume_sitting
from exams.start_pages import get_start_facts
from exams.starting import start_enterprise_sitting, start_sitting
from training.accounts import Viewer
from training.errors import NotFound
from training.rules import check_rules
from web.attempts import attempt
from web.auth import LANGUAGE_COOKIE
from web.i18n.catalogue import CHINESE, ENGLISH, language
from web.learner.options import option_labels
from web.packed import PackedTemplate
from web.safe_exam_browser import refuse_browser
from web.services import Services

if TYPE_CHECKING:
    from training.errors import AnpeiError

_SEED_BITS = 63
_FULL_SCREEN, _GRACE, _SPREAD = _PAGE_RULES = (
    "exam.full_screen",
    "exam.late_grace_seconds",
    "exam.hand_in_spread_seconds",
)
_LANGUAGES = {"zh": CHINESE, "en": ENGLISH}


@dataclass
class ItemForm:
    """One answer sent without a script; `choice` may stand several times."""

    position: int
    choice: str | list[str] = ""


def _device(viewer: Viewer, services: Services) -> Device:
    return Device(sign_in_id=viewer.sign_in_id, key=services.keys.session)


def outbox_key(key: bytes, sitting_id: UUID) -> str:
    """What a browser seals this sitting's waiting answers with, in hex: the same for every page of the sitting."""
    return hmac.digest(key, b"sitting outbox" + sitting_id.bytes, "sha256").hex()


@dataclass(frozen=True, slots=True)
class WaitingRows:
    """What a page needs that sends the answers which still wait in its browser."""

    token: str
    key: str


def _rows(
    sitting: Any,  # noqa: ANN401 - a Sitting or a row of its columns
    device: Device,
    services: Services,
) -> WaitingRows | None:
    if not holds_sitting(sitting, device):
        return None
    token = device_token(device.key, sitting.id, sitting.device_number)
    return WaitingRows(token, outbox_key(services.keys.session, sitting.id))


def _speak_as_granted(request: Request, granted: Accommodations) -> None:  # type: ignore[type-arg]  # litestar's own alias leaves them open
    """The granted language, until the candidate chooses one."""
    wanted = _LANGUAGES.get(granted.language)
    if wanted and LANGUAGE_COOKIE not in request.cookies:
        language.set(wanted)


@dataclass(frozen=True)
class _Door:
    """Who stands before which exam: a certificate exam by its booking, or an enterprise exam."""

    request: Request  # type: ignore[type-arg]  # litestar's own alias leaves them open
    session: AsyncSession
    services: Services
    viewer: Viewer
    now: datetime
    booking_id: UUID | None = None
    exam_id: UUID | None = None

    async def ask(self, error: AnpeiError | None = None) -> Template:
        """The rules before the clock starts, with the reason why it did not."""
        if not error and (refused := await self._refuse_browser()):
            return refused
        facts = await get_start_facts(
            self.session, person_id=self.viewer.person_id, now=self.now, booking_id=self.booking_id,
            exam_id=self.exam_id,
        )  # fmt: skip
        _speak_as_granted(self.request, facts.granted)
        context = {"facts": facts, "error": error, "now": self.now}
        status = int(HTTPStatus.CONFLICT if error else HTTPStatus.OK)
        return Template("learner/sitting_start.html", context=context, status_code=status)

    async def enter(self) -> Template | Redirect:
        """Start, or go on."""
        if refused := await self._refuse_browser():
            return refused
        async with attempt(self.session) as tried:
            entry = await self._start()
        if isinstance(tried.error, OnAnotherDevice):
            await note_second_device(
                self.session, person_id=self.viewer.person_id, now=self.now, booking_id=self.booking_id,
                exam_id=self.exam_id,
            )  # fmt: skip
        return await self.ask(tried.error) if tried.error else Redirect(f"/sittings/{entry.sitting_id}")

    async def _start(self) -> Entry:
        person_id, device = self.viewer.person_id, _device(self.viewer, self.services)
        seed = secrets.randbits(_SEED_BITS)
        if self.booking_id:
            return await start_sitting(
                self.session, booking_id=self.booking_id, person_id=person_id, device=device, seed=seed, now=self.now
            )
        if self.exam_id:
            return await start_enterprise_sitting(
                self.session, exam_id=self.exam_id, person_id=person_id, device=device, seed=seed, now=self.now
            )
        raise NotFound

    async def _refuse_browser(self) -> Template | None:
        return await refuse_browser(
            self.request, self.session, self.services, person_id=self.viewer.person_id, now=self.now,
            booking_id=self.booking_id, exam_id=self.exam_id,
        )  # fmt: skip


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
        request: Request,  # type: ignore[type-arg]  # litestar's own alias leaves them open
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        booking_id: FromPath[UUID],
    ) -> Template:
        """The rules of a certificate exam, before the clock starts."""
        return await _Door(request, session, services, viewer, now, booking_id=booking_id).ask()

    @post("/start/booking/{booking_id:uuid}")
    async def start_booking(
        self,
        request: Request,  # type: ignore[type-arg]  # litestar's own alias leaves them open
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        booking_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Start, or go on."""
        return await _Door(request, session, services, viewer, now, booking_id=booking_id).enter()

    @get("/start/exam/{exam_id:uuid}")
    async def ask_exam(
        self,
        request: Request,  # type: ignore[type-arg]  # litestar's own alias leaves them open
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_id: FromPath[UUID],
    ) -> Template:
        """The rules of an enterprise exam, before the clock starts."""
        return await _Door(request, session, services, viewer, now, exam_id=exam_id).ask()

    @post("/start/exam/{exam_id:uuid}")
    async def start_exam(
        self,
        request: Request,  # type: ignore[type-arg]  # litestar's own alias leaves them open
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Start an attempt, or go on with the open one."""
        return await _Door(request, session, services, viewer, now, exam_id=exam_id).enter()

    @get("/{sitting_id:uuid}")
    async def show(
        self,
        request: Request,  # type: ignore[type-arg]  # litestar's own alias leaves them open
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        sitting_id: FromPath[UUID],
    ) -> Template | Redirect:
        """The paper; what is waited for while there is none; on another device the way to go on there; the result."""
        if refused := await refuse_browser(
            request, session, services, person_id=viewer.person_id, now=now, sitting_id=sitting_id
        ):
            return refused
        device = _device(viewer, services)
        sitting = await read_sitting(
            session, sitting_id=sitting_id, person_id=viewer.person_id, now=now, rules=_PAGE_RULES
        )
        state = state_of(sitting, now=now)
        _speak_as_granted(request, state.accommodations)
        if state.status is SittingStatus.PAUSED or (state.is_closing and now < state.grace_ends_at):
            rows = _rows(sitting, device, services)
            return _no_store(Template("learner/sitting_waiting.html", context={"state": state, "rows": rows}))
        if state.status is not SittingStatus.OPEN:
            return Redirect(f"/sittings/{sitting_id}/result")
        if not holds_sitting(sitting, device):
            return Template("learner/sitting_elsewhere.html", context={"state": state, "error": None})
        # Read once and without a lock: of those who start together everyone asks for this page.
        sheet, rules = (
            await make_sheet(session, sitting, now=now, device=device),
            check_rules(sitting.rules, _PAGE_RULES),
        )
        context = {
            "sheet": sheet, "entry": entry_for(sitting, device, now=now), "now": now, "granted": state.accommodations,
            "leave_in": max(int((sheet.leave_at - now).total_seconds()), 0),
            "outbox_key": outbox_key(services.keys.session, sitting_id),
            "hand_in_spread": min(int(rules[_SPREAD]), int(rules[_GRACE]) // 2),
            "grace_minutes": -(-int(rules[_GRACE]) // 60),
            "offers_full_screen": sheet.is_certificate_exam and bool(int(rules[_FULL_SCREEN])),
            "option_labels": option_labels,
        }  # fmt: skip
        return _no_store(PackedTemplate("learner/sitting.html", context=context))

    @post("/{sitting_id:uuid}/resume")
    async def resume(
        self,
        request: Request,  # type: ignore[type-arg]  # litestar's own alias leaves them open
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        sitting_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Go on with the sitting on this device."""
        if refused := await refuse_browser(
            request, session, services, person_id=viewer.person_id, now=now, sitting_id=sitting_id
        ):
            return refused
        async with attempt(session) as tried:
            await resume_sitting(
                session, sitting_id=sitting_id, person_id=viewer.person_id, device=_device(viewer, services), now=now
            )
        if isinstance(tried.error, OnAnotherDevice):
            await note_second_device(session, person_id=viewer.person_id, now=now, sitting_id=sitting_id)
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
        sitting = await read_sitting(session, sitting_id=sitting_id, person_id=viewer.person_id, now=now)
        state = state_of(sitting, now=now)
        if state.status is not SittingStatus.OPEN or not holds_sitting(sitting, device):
            return Redirect(f"/sittings/{sitting_id}")
        entry = await resume_sitting(session, sitting_id=sitting_id, person_id=viewer.person_id, device=device, now=now)
        token_hash = device_token_hash(entry.device_token)
        act = check_act(state.last_seq + 1, data.position, "".join(data.choice), now)
        found = await save_answers(
            session, sitting_id=sitting_id, token_hash=token_hash, acts=[act], now=now, key=device.key
        )
        if error := refusal(found, key=device.key, sitting_id=sitting_id, token_hash=token_hash, now=now):
            raise error
        return Redirect(f"/sittings/{sitting_id}#item-{min(data.position + 1, state.total)}")

    @get("/{sitting_id:uuid}/hand-in")
    async def ask_hand_in(
        self,
        request: Request,  # type: ignore[type-arg]  # litestar's own alias leaves them open
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        sitting_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Ask once, and list what is not answered."""
        if refused := await refuse_browser(
            request, session, services, person_id=viewer.person_id, now=now, sitting_id=sitting_id
        ):
            return refused
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
        request: Request,  # type: ignore[type-arg]  # litestar's own alias leaves them open
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        sitting_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Hand in, from the device that holds the sitting."""
        if refused := await refuse_browser(
            request, session, services, person_id=viewer.person_id, now=now, sitting_id=sitting_id
        ):
            return refused
        try:
            await hand_in(
                session, sitting_id=sitting_id, person_id=viewer.person_id, now=now,
                countersign=services.keys.countersign, device=_device(viewer, services),
            )  # fmt: skip
        except (DeviceTaken, SittingPaused):
            return Redirect(f"/sittings/{sitting_id}")
        except TooEarlyToLeave as error:
            sheet = await get_answer_sheet(session, sitting_id=sitting_id, person_id=viewer.person_id, now=now)
            context = {"sheet": sheet, "error": error, "may": False}
            return Template("learner/sitting_hand_in.html", context=context, status_code=409)
        return Redirect(f"/sittings/{sitting_id}/result")

    @get("/{sitting_id:uuid}/result")
    async def show_result(
        self,
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        sitting_id: FromPath[UUID],
    ) -> Template | Redirect | Response[str]:
        """The score with its state, by area, and what comes next."""
        sitting = await read_sitting(session, sitting_id=sitting_id, person_id=viewer.person_id, now=now)
        state = state_of(sitting, now=now)
        if not state.has_ended and not (state.is_closing and now >= state.grace_ends_at):
            # Under way, or what was answered in time may still be on its way from the device that holds it.
            return Redirect(f"/sittings/{sitting_id}")
        if state.is_closing:
            # No job has closed it yet: asking is enough, and harmless twice.
            await hand_in(
                session, sitting_id=sitting_id, person_id=viewer.person_id, now=now,
                countersign=services.keys.countersign,
            )  # fmt: skip
            sitting = await read_sitting(session, sitting_id=sitting_id, person_id=viewer.person_id, now=now)
            state = state_of(sitting, now=now)
        rows = _rows(sitting, _device(viewer, services), services)
        try:
            result = await get_result(session, sitting_id=sitting_id, person_id=viewer.person_id)
        except NotMarkedYet:
            if state.status is not SittingStatus.VOID:
                raise
            return _no_store(Template("learner/sitting_void.html", context={"state": state, "rows": rows}))
        context = await result_context(session, sitting, result, now=now)
        return _no_store(Template("learner/sitting_result.html", context=context | {"rows": rows}))


async def result_context(
    session: AsyncSession,
    sitting: Any,  # noqa: ANN401 - what `read_sitting` gives
    result: SittingResult,
    *,
    now: datetime,
    typed: str = "",
    error: AnpeiError | None = None,
) -> dict[str, Any]:
    """What the result page says of a marked sitting; with what was typed into an appeal that was refused, and why."""
    context: dict[str, Any] = {
        "state": state_of(sitting, now=now), "rows": None, "result": result, "typed": typed, "error": error,
        "receipt": await make_receipt_note(session, sitting), "own": None, "advice": (), "changes": (),
    }  # fmt: skip
    # Of a certificate exam's score there is nothing to doubt, study or correct until the authority has seen it,
    # and a whole city looks at this page in one minute.
    if error or not (result.is_certificate_exam and result.state is ScoreState.PROVISIONAL):
        own = {"sitting_id": sitting.id, "person_id": sitting.person_id}
        context["own"] = await get_own_appeals(session, now=now, **own)
        context["advice"] = await find_advice(session, **own)
        context["changes"] = await list_own_changes(session, **own)
    return context


HANDLERS: list[type[Controller]] = [SittingController]

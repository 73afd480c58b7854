"""`/authority/scores/…/sittings`: each sitting of a session with its facts, and voiding one before its score is out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.board import list_happenings
from exams.integrity import SittingFacts, list_facts, list_session_facts
from exams.models import IntegrityKind
from exams.queries_scores import get_session_facts
from exams.voiding import void_sitting
from training import audit
from training.accounts import Viewer
from training.errors import AnpeiError, NotFound
from training.models import Role
from web.attempts import attempt
from web.auth import acting_as
from web.site.board import HAPPENINGS, SHOWN_FACTS, group_facts, merge_moments

_ROLES = (Role.ISSUER, Role.APPLICATION_REVIEWER)


@dataclass
class VoidForm:
    """Why, and whether the candidate may sit again in the same session."""

    reason: str = ""
    may_sit_again: str = ""


class SessionSittingController(Controller):
    """The sittings of a session, for the authority."""

    path = "/authority/scores/{exam_session_id:uuid}/sittings"

    @get()
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        exam_session_id: FromPath[UUID],
    ) -> Template:
        """By seat, with the facts counted by kind."""
        acting_as(viewer, *_ROLES)
        context = {
            "about": await get_session_facts(session, exam_session_id=exam_session_id),
            "lines": await list_session_facts(session, exam_session_id=exam_session_id),
            "kinds": IntegrityKind,
            "path": f"/authority/scores/{exam_session_id}",
        }
        return Template("authority/scores/sittings.html", context=context)

    @get("/{sitting_id:uuid}")
    async def show_one(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        sitting_id: FromPath[UUID],
    ) -> Template:
        """Everything that happened in one sitting, acts and facts in one time line."""
        acting_as(viewer, *_ROLES)
        audit.record(
            session, action="sitting.facts_viewed", target=("sitting", sitting_id), actor_id=viewer.person_id, now=now
        )
        return await _page(session, exam_session_id, sitting_id, VoidForm())

    @post("/{sitting_id:uuid}/void")
    async def void(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        sitting_id: FromPath[UUID],
        data: URLEncodedBody[VoidForm],
    ) -> Template | Redirect:
        """Void it, with a reason, before its score is released."""
        acting_as(viewer, *_ROLES)
        await _find(session, exam_session_id, sitting_id)
        async with attempt(session) as tried:
            await void_sitting(
                session, sitting_id=sitting_id, actor_id=viewer.person_id, reason=data.reason, now=now,
                may_sit_again=bool(data.may_sit_again),
            )  # fmt: skip
        if tried.error:
            return await _page(session, exam_session_id, sitting_id, data, error=tried.error)
        return Redirect(f"/authority/scores/{exam_session_id}/sittings/{sitting_id}")


async def _find(session: AsyncSession, exam_session_id: UUID, sitting_id: UUID) -> SittingFacts:
    lines = await list_session_facts(session, exam_session_id=exam_session_id)
    found = next((line for line in lines if line.sitting_id == sitting_id), None)
    if found is None:
        raise NotFound
    return found


async def _page(
    session: AsyncSession,
    exam_session_id: UUID,
    sitting_id: UUID,
    form: VoidForm,
    *,
    error: AnpeiError | None = None,
) -> Template:
    line = await _find(session, exam_session_id, sitting_id)
    facts = await list_facts(session, sitting_id=sitting_id)
    context = {
        "about": await get_session_facts(session, exam_session_id=exam_session_id),
        "line": line,
        "groups": group_facts(facts),
        "moments": merge_moments(await list_happenings(session, booking_id=line.booking_id), facts),
        "unseen": max(len(facts) - SHOWN_FACTS, 0),
        "words": HAPPENINGS,
        "form": form,
        "error": error,
        "path": f"/authority/scores/{exam_session_id}/sittings",
    }
    return Template("authority/scores/sitting.html", context=context, status_code=422 if error else 200)


HANDLERS: list[type[Controller]] = [SessionSittingController]

"""`/enterprise/exams/{id}/candidates/{person}`: what makes an exam fair for one of those invited."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.accommodations import get_candidate_accommodations, set_candidate_accommodations
from exams.enterprise_exams import get_exam
from exams.integrity import list_exam_facts
from training.accounts import HeldRole, Viewer
from training.errors import AnpeiError
from training.models import Role
from training.people import get_person
from web.accommodations import AccommodationForm, extra_choices
from web.attempts import attempt
from web.auth import acting_as
from web.site.board import group_facts


class ExamCandidateController(Controller):
    """One of the staff who may sit an exam."""

    path = "/enterprise/exams/{exam_id:uuid}/candidates/{person_id:uuid}"

    @get()
    async def ask(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_id: FromPath[UUID],
        person_id: FromPath[UUID],
    ) -> Template:
        """What this person is given now."""
        return await _page(session, acting_as(viewer, Role.ENTERPRISE_MANAGER), now, exam_id, person_id)

    @post()
    async def save(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_id: FromPath[UUID],
        person_id: FromPath[UUID],
        data: URLEncodedBody[AccommodationForm],
    ) -> Template | Redirect:
        """Change it, from the next attempt on."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        async with attempt(session) as tried:
            await set_candidate_accommodations(
                session, exam_id=exam_id, organisation_id=held.organisation_id, person_id=person_id,
                granted=data.read(), actor_id=viewer.person_id, now=now,
            )  # fmt: skip
        if tried.error:
            return await _page(session, held, now, exam_id, person_id, form=data, error=tried.error)
        return Redirect(f"/enterprise/exams/{exam_id}")


async def _page(
    session: AsyncSession,
    held: HeldRole,
    now: datetime,
    exam_id: UUID,
    person_id: UUID,
    *,
    form: AccommodationForm | None = None,
    error: AnpeiError | None = None,
) -> Template:
    granted = await get_candidate_accommodations(
        session, exam_id=exam_id, organisation_id=held.organisation_id, person_id=person_id
    )
    context = {
        "held": held,
        "exam": await get_exam(session, exam_id=exam_id, organisation_id=held.organisation_id),
        "person": await get_person(session, person_id),
        "form": form or AccommodationForm.of(granted),
        "groups": group_facts(await list_exam_facts(session, exam_id=exam_id, person_id=person_id)),
        "extras": await extra_choices(session, now=now),
        "error": error,
    }
    return Template("enterprise/exam_candidate.html", context=context, status_code=422 if error else 200)


HANDLERS: list[type[Controller]] = [ExamCandidateController]

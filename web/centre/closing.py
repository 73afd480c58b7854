"""Closing a class with everybody's result, and correcting a record afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from litestar import Controller, Request, get, post
from litestar.datastructures import FormMultiDict
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from training.accounts import Viewer
from training.class_closing import Result, assessment_text, check_score, close_class
from training.class_lists import LearnerLine, RecordInForce, get_class_line, list_class_records, list_learners
from training.errors import N_, AnpeiError, BadInput, NotFound
from training.models import Role
from training.records import Correction, correct_record
from web.attempts import attempt
from web.auth import acting_as
from web.centre.seats import CentreSeat, seat_of

_PASSED = {"passed": True, "failed": False}


@dataclass
class CorrectionForm:
    """What a record should have said, and why it is changed."""

    result: str = ""
    score: str = ""
    reason: str = ""


class ClosingController(Controller):
    """`/centre/classes/{id}/close` and `/centre/classes/{id}/records/{id}`."""

    path = "/centre/classes/{class_id:uuid}"

    @get("/close")
    async def ask(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        class_id: FromPath[UUID],
    ) -> Template:
        """Everybody's hours, with their results to be entered."""
        return await _page(session, seat_of(viewer), class_id, now=now)

    @post("/close")
    async def close(
        self,
        request: Request,  # type: ignore[type-arg]
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        class_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Credit the hours and close the class."""
        seat = seat_of(viewer)
        await get_class_line(session, class_id, centre_id=seat.centre_id, teacher_id=seat.teacher_id)
        form = await request.form()
        learners = await list_learners(session, class_id)
        async with attempt(session) as tried:
            await close_class(
                session,
                class_id=class_id,
                centre_id=seat.centre_id,
                teacher_id=seat.teacher_id,
                results=_read_results(form, learners),
                actor_id=viewer.person_id,
                now=now,
            )
        if tried.error is None:
            return Redirect(f"/centre/classes/{class_id}")
        typed = {str(key): str(value) for key, value in form.items()}
        return await _page(session, seat, class_id, now=now, error=tried.error, typed=typed)

    @get("/records/{record_id:uuid}")
    async def ask_correction(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        class_id: FromPath[UUID],
        record_id: FromPath[UUID],
    ) -> Template:
        """The form for a correction."""
        held = acting_as(viewer, Role.CENTRE_MANAGER)
        record = await _own_record(session, class_id, record_id, centre_id=held.organisation_id)
        form = CorrectionForm(result="passed" if record.passed else "failed")
        return _correction_page(class_id, record, form)

    @post("/records/{record_id:uuid}")
    async def correct(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        class_id: FromPath[UUID],
        record_id: FromPath[UUID],
        data: URLEncodedBody[CorrectionForm],
    ) -> Template | Redirect:
        """Put a corrected record in the place of one."""
        held = acting_as(viewer, Role.CENTRE_MANAGER)
        record = await _own_record(session, class_id, record_id, centre_id=held.organisation_id)
        async with attempt(session) as tried:
            await correct_record(
                session,
                record_id=record_id,
                correction=_read_correction(data),
                actor_id=viewer.person_id,
                now=now,
                provider_id=held.organisation_id,
            )
        if tried.error is None:
            return Redirect(f"/centre/classes/{class_id}#records")
        return _correction_page(class_id, record, data, error=tried.error)


def _read_results(form: FormMultiDict, learners: list[LearnerLine]) -> dict[UUID, Result]:
    results = {}
    for learner in learners:
        passed = _PASSED.get(str(form.get(f"result-{learner.enrolment_id}", "")))
        if passed is not None:
            score = check_score(str(form.get(f"score-{learner.enrolment_id}", "")))
            results[learner.enrolment_id] = Result(passed=passed, score=score)
    return results


def _read_correction(data: CorrectionForm) -> Correction:
    passed = _PASSED.get(data.result)
    if passed is None:
        raise BadInput(N_("请选择“合格”或“不合格”。"), field="result")
    if not data.reason.strip():
        raise BadInput(N_("请填写更正原因，它会与记录一起保存。"), field="reason")
    result = Result(passed=passed, score=check_score(data.score))
    return Correction(reason=data.reason.strip()[:500], passed=passed, assessment=assessment_text(result))


async def _own_record(session: AsyncSession, class_id: UUID, record_id: UUID, *, centre_id: UUID) -> RecordInForce:
    await get_class_line(session, class_id, centre_id=centre_id)
    for record in await list_class_records(session, class_id):
        if record.id == record_id:
            return record
    raise NotFound


async def _page(
    session: AsyncSession,
    seat: CentreSeat,
    class_id: UUID,
    *,
    now: datetime,
    error: AnpeiError | None = None,
    typed: dict[str, str] | None = None,
) -> Template:
    line = await get_class_line(session, class_id, centre_id=seat.centre_id, teacher_id=seat.teacher_id)
    context = {
        "line": line,
        "learners": await list_learners(session, class_id),
        "typed": typed or {},
        "error": error,
        "now": now,
    }
    return Template("centre/close.html", context=context, status_code=422 if error else 200)


def _correction_page(
    class_id: UUID, record: RecordInForce, form: CorrectionForm, *, error: AnpeiError | None = None
) -> Template:
    context = {"class_id": class_id, "record": record, "form": form, "error": error}
    return Template("centre/correction.html", context=context, status_code=422 if error else 200)


HANDLERS: list[type[Controller]] = [ClosingController]

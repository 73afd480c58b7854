"""Learning: start a course, read a lesson, answer, take the quiz, see the record."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from training.accounts import Viewer
from training.calendar import china_date
from training.errors import BadInput, NotFound
from training.learning import QuizNotOpen, answer_question, hand_in_quiz, start_learning
from training.lessons import (
    LearningView,
    Step,
    find_lesson_place,
    get_learning,
    get_lesson,
    get_quick_question,
    get_quiz,
)
from training.progress import (
    Counting,
    Sign,
    VideoSign,
    get_lesson_progress,
    open_lesson,
    take_pulse,
)
from training.records import list_records
from training.rules import get_number
from web.attempts import attempt as trying
from web.learner.markdown import render

# Half of rule learn.pulse_seconds, so that one lost sign loses no time.
_SIGNS_IN_A_PULSE = 2


@dataclass
class StartForm:
    """Whether a finished course is learnt anew."""

    afresh: str = ""


@dataclass
class PulseForm:
    """A sign of the reader, and where the video is."""

    sign: str = "READING"
    video_block: str = ""
    video_second: int = 0


def step_path(learning_id: UUID, step: Step | None) -> str:
    """The address of a lesson or a quiz; of the course when nothing is left."""
    if step is None:
        return f"/learn/{learning_id}"
    return f"/learn/{learning_id}/{step.module}/{'quiz' if step.is_quiz else step.lesson}"


def _is_htmx(request: Request) -> bool:  # type: ignore[type-arg]
    return "hx-request" in request.headers


def _video(form: PulseForm) -> VideoSign | None:
    try:
        return VideoSign(UUID(form.video_block), max(form.video_second, 0)) if form.video_block else None
    except ValueError:
        return None


async def _ticked(request: Request) -> dict[str, list[str]]:  # type: ignore[type-arg]
    form = await request.form()
    return {name: [str(value) for value in form.getall(name)] for name in form}


class LessonController(Controller):
    """`/courses/{code}/start` and `/learn/{learning}/…`."""

    @post("/courses/{code:str}/start")
    async def start(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        code: FromPath[str],
        data: URLEncodedBody[StartForm],
    ) -> Redirect:
        """Start, or go on where one stopped."""
        learning = await start_learning(
            session, person_id=viewer.person_id, code=code, now=now, afresh=data.afresh == "1"
        )
        view = await get_learning(session, learning_id=learning.id, person_id=viewer.person_id)
        return Redirect(step_path(view.id, None if view.finished_at else view.resume))

    @get("/learn/{learning_id:uuid}")
    async def show(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], learning_id: FromPath[UUID]
    ) -> Template:
        """One's way through a course; the record once it is finished."""
        learning = await get_learning(session, learning_id=learning_id, person_id=viewer.person_id)
        record = None
        if learning.finished_at is not None:
            mine = await list_records(session, person_id=viewer.person_id)
            record = next((line for line in mine if line.learning_id == learning_id), None)
        context = {"learning": learning, "record": record, "step_path": step_path}
        return Template("learner/course.html", context=context)

    @get("/learn/{learning_id:uuid}/{module:int}/{lesson:int}")
    async def lesson(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        learning_id: FromPath[UUID],
        module: FromPath[int],
        lesson: FromPath[int],
    ) -> Template:
        """A lesson, opened for counting on this device."""
        place = await find_lesson_place(
            session, learning_id=learning_id, person_id=viewer.person_id, module=module, lesson=lesson
        )
        took_over = await open_lesson(
            session, learning_id=learning_id, person_id=viewer.person_id, sign_in_id=viewer.sign_in_id, place=place,
            now=now,
        )  # fmt: skip
        view = await get_lesson(
            session, learning_id=learning_id, person_id=viewer.person_id, module=module, lesson=lesson
        )
        pulse_seconds = await get_number(session, "learn.pulse_seconds", on=china_date(now))
        context = {
            "view": view,
            "progress": view.progress,
            "counting": Counting.FINISHED if view.learning.finished_at else Counting.ON,
            "here": step_path(learning_id, Step(module, lesson, "")),
            "took_over": took_over,
            "step_path": step_path,
            "render": render,
            "pulse_seconds": max(pulse_seconds // _SIGNS_IN_A_PULSE, 1),
            "error": None,
            "error_block": "",
        }
        return Template("learner/lesson.html", context=context)

    @post("/learn/{learning_id:uuid}/{module:int}/{lesson:int}/pulse")
    async def pulse(
        self,
        *,
        request: Request,  # type: ignore[type-arg]
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        learning_id: FromPath[UUID],
        module: FromPath[int],
        lesson: FromPath[int],
        data: URLEncodedBody[PulseForm],
    ) -> Template | Redirect:
        """Count the time since the last sign."""
        place = await find_lesson_place(
            session, learning_id=learning_id, person_id=viewer.person_id, module=module, lesson=lesson
        )
        sign = Sign(data.sign) if data.sign in set(Sign) else Sign.READING
        progress = await take_pulse(
            session, learning_id=learning_id, person_id=viewer.person_id, sign_in_id=viewer.sign_in_id, place=place,
            sign=sign, video=_video(data), now=now,
        )  # fmt: skip
        here = step_path(learning_id, Step(module, lesson, ""))
        if not _is_htmx(request):
            return Redirect(here)
        context = {"progress": progress, "counting": progress.counting, "here": here, "is_aside": False}
        return Template("learner/_lesson_progress.html", context=context)

    @post("/learn/{learning_id:uuid}/{module:int}/{lesson:int}/answers/{block_id:uuid}")
    async def answer(
        self,
        *,
        request: Request,  # type: ignore[type-arg]
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        learning_id: FromPath[UUID],
        module: FromPath[int],
        lesson: FromPath[int],
        block_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Answer a quick question and see at once how it was."""
        ticked = await _ticked(request)
        here = step_path(learning_id, Step(module, lesson, ""))
        async with trying(session) as tried:
            await answer_question(
                session, learning_id=learning_id, person_id=viewer.person_id, block_id=block_id,
                shown=ticked.get("answer", []), now=now,
            )  # fmt: skip
        if not _is_htmx(request):
            return Redirect(f"{here}#q-{block_id}")
        block = await get_quick_question(
            session, learning_id=learning_id, person_id=viewer.person_id, block_id=block_id
        )
        place = await find_lesson_place(
            session, learning_id=learning_id, person_id=viewer.person_id, module=module, lesson=lesson
        )
        progress = await get_lesson_progress(session, learning_id=learning_id, place=place)
        learning = await get_learning(session, learning_id=learning_id, person_id=viewer.person_id)
        context = {
            "block": block, "here": here, "error": tried.error, "progress": progress, "is_aside": True,
            "counting": Counting.FINISHED if learning.finished_at else Counting.ON,
        }  # fmt: skip
        return Template("learner/_answered.html", context=context, status_code=422 if tried.error else 200)

    @get("/learn/{learning_id:uuid}/{module:int}/quiz")
    async def quiz(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        learning_id: FromPath[UUID],
        module: FromPath[int],
        attempt: FromQuery[int] = 0,
    ) -> Template:
        """The next attempt, the result of an earlier one, or what is still to be learnt first."""
        try:
            view = await get_quiz(
                session, learning_id=learning_id, person_id=viewer.person_id, module=module, now=now,
                attempt=attempt or None,
            )  # fmt: skip
        except QuizNotOpen as error:
            learning = await get_learning(session, learning_id=learning_id, person_id=viewer.person_id)
            return Template("learner/quiz_closed.html", context=_closed(learning, module, error), status_code=409)
        context = {"view": view, "ticked": {}, "error": None, "step_path": step_path}
        return Template("learner/quiz.html", context=context)

    @post("/learn/{learning_id:uuid}/{module:int}/quiz")
    async def hand_in(
        self,
        request: Request,  # type: ignore[type-arg]
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        learning_id: FromPath[UUID],
        module: FromPath[int],
    ) -> Template | Redirect:
        """Hand the quiz in; what was ticked stays when a question was left out."""
        ticked = await _ticked(request)
        attempt = _number(ticked.get("attempt", ["1"])[0])
        answers = {_number(name[1:]): letters for name, letters in ticked.items() if name[:1] == "q"}
        async with trying(session) as tried:
            await hand_in_quiz(
                session, learning_id=learning_id, person_id=viewer.person_id, module_number=module, attempt=attempt,
                ticked=answers, now=now,
            )  # fmt: skip
        if isinstance(tried.error, BadInput):
            view = await get_quiz(session, learning_id=learning_id, person_id=viewer.person_id, module=module, now=now)
            context = {"view": view, "ticked": answers, "error": tried.error, "step_path": step_path}
            return Template("learner/quiz.html", context=context, status_code=422)
        if tried.error:
            raise tried.error
        learning = await get_learning(session, learning_id=learning_id, person_id=viewer.person_id)
        count = learning.course.modules[module - 1].quiz_attempts
        return Redirect(f"/learn/{learning_id}/{module}/quiz?attempt={min(attempt, count)}")


def _number(text: str) -> int:
    return int(text) if text.isdecimal() else 0


def _closed(learning: LearningView, module: int, error: QuizNotOpen) -> dict[str, object]:
    if not 1 <= module <= len(learning.course.modules):
        raise NotFound
    outline = learning.course.modules[module - 1]
    undone = next(lesson for lesson in outline.lessons if not lesson.is_done)
    step = Step(module, undone.number, undone.title)
    return {"learning": learning, "module": outline, "step": step, "path": step_path(learning.id, step), "error": error}


HANDLERS: list[type[Controller]] = [LessonController]

"""What learners see: the catalogue, a course, their way through it, a lesson, a quiz, their home."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from sqlmodel import col, select

from training.calendar import china_date
from training.course_text import Question
from training.errors import NotFound
from training.learning import attempt_seed, block_seed, check_quiz_open, count_attempts, find_attempt, get_module
from training.models import (
    BlockKind,
    BlockProgress,
    Course,
    CourseModule,
    CourseStatus,
    CourseVersion,
    Learning,
    LessonBlock,
    PersonCategory,
    QuizAttempt,
)
from training.progress import BlockState, LessonProgress, Place, get_lesson_progress, state_of
from training.quizzes import Asked, ask, quiz_seed
from training.rules import get_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel.ext.asyncio.session import AsyncSession


@dataclass(frozen=True)
class CourseCard:
    """A course in a list."""

    code: str
    title: str
    title_en: str
    summary: str
    class_hours: Decimal
    audience: tuple[PersonCategory, ...]


@dataclass(frozen=True)
class LessonOutline:
    """A lesson in a table of contents; of a learner also how far it is."""

    number: int
    title: str
    source: str
    minutes: int
    is_done: bool = False
    is_begun: bool = False


@dataclass(frozen=True)
class ModuleOutline:
    """A module in a table of contents; of a learner also its quiz and the minutes that count."""

    number: int
    title: str
    minutes: int
    lessons: tuple[LessonOutline, ...]
    questions: int
    quiz_passed: bool = False
    quiz_attempts: int = 0
    seconds: int = 0

    @property
    def lessons_done(self) -> bool:
        """Whether the quiz is open."""
        return all(lesson.is_done for lesson in self.lessons)


@dataclass(frozen=True)
class CourseOutline:
    """A course with its table of contents."""

    code: str
    title: str
    title_en: str
    summary: str
    class_hours: Decimal
    number: int
    audience: tuple[PersonCategory, ...]
    sources: tuple[str, ...]
    modules: tuple[ModuleOutline, ...]

    @property
    def lesson_count(self) -> int:
        """All lessons."""
        return sum(len(module.lessons) for module in self.modules)

    @property
    def steps(self) -> int:
        """Lessons and quizzes."""
        return self.lesson_count + len(self.modules)

    @property
    def steps_done(self) -> int:
        """Finished lessons and passed quizzes."""
        return sum(sum(lesson.is_done for lesson in module.lessons) + module.quiz_passed for module in self.modules)

    @property
    def seconds(self) -> int:
        """All time that counts."""
        return sum(module.seconds for module in self.modules)


@dataclass(frozen=True)
class Step:
    """A lesson or, with `lesson` 0, a quiz."""

    module: int
    lesson: int
    title: str

    @property
    def is_quiz(self) -> bool:
        """Whether it is the module's quiz."""
        return self.lesson == 0


@dataclass(frozen=True)
class LearningView:
    """A learner's way through a course."""

    id: UUID
    course: CourseOutline
    started_at: datetime
    finished_at: datetime | None
    current: Step | None

    @property
    def percent(self) -> int:
        """Steps done of a hundred, rounded down."""
        return self.course.steps_done * 100 // self.course.steps

    @property
    def order(self) -> list[Step]:
        """Every step in the order in which it is taught."""
        return [
            step
            for module in self.course.modules
            for step in (
                *(Step(module.number, lesson.number, lesson.title) for lesson in module.lessons),
                Step(module.number, 0, module.title),
            )
        ]

    @property
    def resume(self) -> Step | None:
        """Where to go on: the lesson left open if it is unfinished, else the first step not done."""
        undone = [step for step in self.order if not self._is_done(step)]
        if self.current in undone:
            return self.current
        return undone[0] if undone else None

    def _is_done(self, step: Step) -> bool:
        module = self.course.modules[step.module - 1]
        return module.quiz_passed if step.is_quiz else module.lessons[step.lesson - 1].is_done

    def before(self, module: int, lesson: int) -> Step | None:
        """The step that comes before one."""
        at = self._index(module, lesson)
        return self.order[at - 1] if at > 0 else None

    def after(self, module: int, lesson: int) -> Step | None:
        """The step that follows one."""
        at = self._index(module, lesson)
        return self.order[at + 1] if at + 1 < len(self.order) else None

    def _index(self, module: int, lesson: int) -> int:
        places = [(step.module, step.lesson) for step in self.order]
        try:
            return places.index((module, lesson))
        except ValueError as error:
            raise NotFound from error


@dataclass(frozen=True)
class BlockView:
    """A block as the page shows it."""

    id: UUID
    kind: BlockKind
    text: str
    file_id: str
    state: BlockState
    question: Asked | None


@dataclass(frozen=True)
class LessonView:
    """A lesson page."""

    learning: LearningView
    place: Place
    module: ModuleOutline
    lesson: LessonOutline
    blocks: tuple[BlockView, ...]
    progress: LessonProgress
    before: Step | None
    after: Step | None


@dataclass(frozen=True)
class QuizView:
    """A quiz page: open questions, or an attempt with its result."""

    learning: LearningView
    module: ModuleOutline
    attempt: int
    questions: tuple[Asked, ...]
    pass_percent: int
    right: int | None = None
    passed: bool = False
    after: Step | None = None


@dataclass(frozen=True)
class LearningCard:
    """A course that one is in the middle of."""

    id: UUID
    code: str
    title: str
    title_en: str
    percent: int
    resume: Step | None
    started_at: datetime


def _card(course: Course, version: CourseVersion) -> CourseCard:
    audience = tuple(PersonCategory(code) for code in version.audience)
    return CourseCard(course.code, version.title, version.title_en, version.summary, version.class_hours, audience)


async def list_courses(
    session: AsyncSession, *, words: str = "", category: PersonCategory | None = None
) -> list[CourseCard]:
    """The published courses that have all words in title, summary or code and are meant for a category."""
    statement = (
        select(Course, CourseVersion)
        .join(CourseVersion, col(CourseVersion.course_id) == Course.id)
        .where(CourseVersion.status == CourseStatus.PUBLISHED)
        .order_by(col(Course.code))
    )
    for word in words.split()[:8]:
        statement = statement.where(
            col(CourseVersion.title).icontains(word, autoescape=True)
            | col(CourseVersion.title_en).icontains(word, autoescape=True)
            | col(CourseVersion.summary).icontains(word, autoescape=True)
            | col(Course.code).icontains(word, autoescape=True)
        )
    cards = [_card(course, version) for course, version in (await session.exec(statement)).all()]
    return [card for card in cards if category is None or category in card.audience]


async def get_course(session: AsyncSession, code: str) -> CourseOutline:
    """The published version of a course. Raises `NotFound`."""
    statement = (
        select(Course, CourseVersion)
        .join(CourseVersion, col(CourseVersion.course_id) == Course.id)
        .where(Course.code == code, CourseVersion.status == CourseStatus.PUBLISHED)
    )
    row = (await session.exec(statement)).one_or_none()
    if row is None:
        raise NotFound
    return await _outline(session, *row, learning_id=None)


async def _outline(
    session: AsyncSession, course: Course, version: CourseVersion, *, learning_id: UUID | None
) -> CourseOutline:
    statement = (
        select(CourseModule).where(CourseModule.course_version_id == version.id).order_by(col(CourseModule.number))
    )
    modules = (await session.exec(statement)).all()
    blocks = await _blocks(session, version.id, learning_id)
    attempts: Sequence[QuizAttempt] = ()
    if learning_id is not None:
        attempts = (await session.exec(select(QuizAttempt).where(QuizAttempt.learning_id == learning_id))).all()
    return CourseOutline(
        code=course.code,
        title=version.title,
        title_en=version.title_en,
        summary=version.summary,
        class_hours=version.class_hours,
        number=version.number,
        audience=tuple(PersonCategory(code) for code in version.audience),
        sources=tuple(version.sources),
        modules=tuple(
            _module_outline(
                module,
                [pair for pair in blocks if pair[0].module_id == module.id],
                [attempt for attempt in attempts if attempt.module_id == module.id],
            )
            for module in modules
        ),
    )


async def _blocks(
    session: AsyncSession, version_id: UUID, learning_id: UUID | None
) -> list[tuple[LessonBlock, BlockState]]:
    statement = (
        select(LessonBlock, BlockProgress)
        .join(CourseModule, col(CourseModule.id) == LessonBlock.module_id)
        .outerjoin(
            BlockProgress,
            (col(BlockProgress.block_id) == LessonBlock.id) & (col(BlockProgress.learning_id) == learning_id),
        )
        .where(CourseModule.course_version_id == version_id)
        .order_by(col(CourseModule.number), col(LessonBlock.number))
    )
    return [(block, state_of(block, progress)) for block, progress in (await session.exec(statement)).all()]


def _module_outline(
    module: CourseModule, blocks: list[tuple[LessonBlock, BlockState]], attempts: list[QuizAttempt]
) -> ModuleOutline:
    numbers = list(dict.fromkeys(block.lesson_number for block, _ in blocks))
    return ModuleOutline(
        number=module.number,
        title=module.title,
        minutes=module.minutes,
        lessons=tuple(
            _lesson_outline(number, [p for p in blocks if p[0].lesson_number == number]) for number in numbers
        ),
        questions=len(module.quiz),
        quiz_passed=any(attempt.passed for attempt in attempts),
        quiz_attempts=len(attempts),
        seconds=sum(state.seconds for _, state in blocks),
    )


def _lesson_outline(number: int, blocks: list[tuple[LessonBlock, BlockState]]) -> LessonOutline:
    first = blocks[0][0]
    seconds = sum(block.needed_seconds for block, _ in blocks)
    return LessonOutline(
        number=number,
        title=first.lesson_title,
        source=first.source,
        minutes=max(1, round(seconds / 60)),
        is_done=all(state.is_done for _, state in blocks),
        is_begun=any(state.seconds or state.answer for _, state in blocks),
    )


async def get_learning(session: AsyncSession, *, learning_id: UUID, person_id: UUID) -> LearningView:
    """A person's own way through a course. Raises `NotFound`."""
    statement = (
        select(Learning, CourseVersion, Course)
        .join(CourseVersion, col(CourseVersion.id) == Learning.course_version_id)
        .join(Course, col(Course.id) == CourseVersion.course_id)
        .where(Learning.id == learning_id, Learning.person_id == person_id)
    )
    row = (await session.exec(statement)).one_or_none()
    if row is None:
        raise NotFound
    learning, version, course = row
    outline = await _outline(session, course, version, learning_id=learning.id)
    return LearningView(
        id=learning.id,
        course=outline,
        started_at=learning.started_at,
        finished_at=learning.finished_at,
        current=await _current(session, learning, outline),
    )


async def _current(session: AsyncSession, learning: Learning, outline: CourseOutline) -> Step | None:
    if learning.current_block_id is None:
        return None
    block = await session.get_one(LessonBlock, learning.current_block_id)
    module = await session.get_one(CourseModule, block.module_id)
    lessons = outline.modules[module.number - 1].lessons
    return Step(module.number, block.lesson_number, lessons[block.lesson_number - 1].title)


async def find_learning(session: AsyncSession, *, person_id: UUID, code: str) -> Learning | None:
    """The person's open learning of a course, else the last finished one."""
    statement = (
        select(Learning)
        .join(CourseVersion, col(CourseVersion.id) == Learning.course_version_id)
        .join(Course, col(Course.id) == CourseVersion.course_id)
        .where(Learning.person_id == person_id, Course.code == code)
        .order_by(col(Learning.finished_at).desc().nulls_first(), col(Learning.started_at).desc())
    )
    return (await session.exec(statement)).first()


async def list_open_learnings(session: AsyncSession, *, person_id: UUID) -> list[LearningCard]:
    """What a person is in the middle of, the one read last first."""
    statement = (
        select(Learning.id)
        .where(Learning.person_id == person_id, col(Learning.finished_at).is_(None))
        .order_by(col(Learning.pulse_at).desc().nulls_last(), col(Learning.started_at).desc())
    )
    cards = []
    for learning_id in (await session.exec(statement)).all():
        view = await get_learning(session, learning_id=learning_id, person_id=person_id)
        course = view.course
        cards.append(
            LearningCard(
                view.id, course.code, course.title, course.title_en, view.percent, view.resume, view.started_at
            )
        )
    return cards


async def find_lesson_place(
    session: AsyncSession, *, learning_id: UUID, person_id: UUID, module: int, lesson: int
) -> Place:
    """A lesson by its numbers, of a person's own learning. Raises `NotFound`."""
    learning = await session.get(Learning, learning_id)
    if learning is None or learning.person_id != person_id:
        raise NotFound
    return Place((await get_module(session, learning.course_version_id, module)).id, lesson)


async def get_lesson(
    session: AsyncSession, *, learning_id: UUID, person_id: UUID, module: int, lesson: int
) -> LessonView:
    """A lesson page. Raises `NotFound`."""
    view = await get_learning(session, learning_id=learning_id, person_id=person_id)
    before, after = view.before(module, lesson), view.after(module, lesson)
    place = await find_lesson_place(session, learning_id=learning_id, person_id=person_id, module=module, lesson=lesson)
    progress = await get_lesson_progress(session, learning_id=learning_id, place=place)
    outline = view.course.modules[module - 1]
    return LessonView(
        learning=view,
        place=place,
        module=outline,
        lesson=outline.lessons[lesson - 1],
        blocks=await _lesson_blocks(session, learning_id, place, progress),
        progress=progress,
        before=before,
        after=after,
    )


async def _lesson_blocks(
    session: AsyncSession, learning_id: UUID, place: Place, progress: LessonProgress
) -> tuple[BlockView, ...]:
    statement = (
        select(LessonBlock)
        .where(LessonBlock.module_id == place.module_id, LessonBlock.lesson_number == place.lesson_number)
        .order_by(col(LessonBlock.number))
    )
    rows = (await session.exec(statement)).all()
    return tuple(_block_view(row, state, learning_id) for row, state in zip(rows, progress.blocks, strict=True))


def _block_view(row: LessonBlock, state: BlockState, learning_id: UUID) -> BlockView:
    question = None
    if row.kind is BlockKind.QUESTION:
        question = ask(
            Question.from_body(row.body), number=row.number, seed=block_seed(learning_id, row.id),
            answer=state.answer, is_judged=bool(state.answer),
        )  # fmt: skip
    text = str(row.body.get("markdown") or row.body.get("text", ""))
    return BlockView(row.id, row.kind, text, str(row.body.get("file_id", "")), state, question)


async def get_quick_question(session: AsyncSession, *, learning_id: UUID, person_id: UUID, block_id: UUID) -> BlockView:
    """One quick question of a person's own learning. Raises `NotFound`."""
    learning, block = await session.get(Learning, learning_id), await session.get(LessonBlock, block_id)
    if learning is None or learning.person_id != person_id or block is None or block.kind is not BlockKind.QUESTION:
        raise NotFound
    progress = await session.get(BlockProgress, (learning_id, block_id))
    return _block_view(block, state_of(block, progress), learning_id)


async def get_quiz(
    session: AsyncSession, *, learning_id: UUID, person_id: UUID, module: int, now: datetime, attempt: int | None = None
) -> QuizView:
    """The next attempt at a quiz, or with `attempt` the result of one. Raises `NotFound`, `QuizNotOpen`."""
    view = await get_learning(session, learning_id=learning_id, person_id=person_id)
    if not 1 <= module <= len(view.course.modules):
        raise NotFound
    version_id = (await session.get_one(Learning, learning_id)).course_version_id
    row = await get_module(session, version_id, module)
    done = await find_attempt(session, learning_id=learning_id, module_id=row.id, number=attempt) if attempt else None
    if attempt and done is None:
        raise NotFound
    if done is None:
        await check_quiz_open(session, learning_id=learning_id, module_id=row.id)
    number = attempt or await count_attempts(session, learning_id=learning_id, module_id=row.id) + 1
    seed = attempt_seed(learning_id, row.id, number)
    questions = tuple(
        ask(
            Question.from_body(body), number=place, seed=quiz_seed(seed, place),
            answer=done.answers[str(place)] if done else "", is_judged=done is not None,
        )
        for place, body in enumerate(row.quiz, 1)
    )  # fmt: skip
    return QuizView(
        learning=view,
        module=view.course.modules[module - 1],
        attempt=number,
        questions=questions,
        pass_percent=await get_number(session, "learn.quiz.pass_percent", on=china_date(now)),
        right=done.right if done else None,
        passed=bool(done and done.passed),
        after=view.after(module, 0),
    )

"""Learners on their way through a course."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlmodel import col, select

from training.course_text import Question, QuestionType
from training.learning import answer_question, attempt_seed, block_seed, hand_in_quiz
from training.models import BlockKind, CourseModule, Learning, LessonBlock
from training.progress import Place, Sign, VideoSign, open_lesson, take_pulse
from training.quizzes import order_of, quiz_seed

if TYPE_CHECKING:
    from collections.abc import Container, Sequence
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock

_LETTERS = "ABCDE"


def shown_letters(question: Question, seed: str, key: str) -> list[str]:
    """Where the stored letters stand on this learner's page."""
    order = order_of(question, seed)
    names: Sequence[str] = order if question.type is QuestionType.TF else _LETTERS
    return [names[order.index(letter)] for letter in key]


async def read_lessons(
    session: AsyncSession,
    learning: Learning,
    *,
    sign_in_id: UUID,
    clock: FixedClock,
    modules: Container[int] = range(1, 100),
) -> None:
    """Open every lesson, read it for as long as it takes and answer its questions."""
    statement = (
        select(LessonBlock, CourseModule.number)
        .join(CourseModule, col(CourseModule.id) == LessonBlock.module_id)
        .where(CourseModule.course_version_id == learning.course_version_id)
        .order_by(col(CourseModule.number), col(LessonBlock.number))
    )
    blocks = [block for block, module in (await session.exec(statement)).all() if module in modules]
    who = {"learning_id": learning.id, "person_id": learning.person_id}
    for place in dict.fromkeys(Place(block.module_id, block.lesson_number) for block in blocks):
        await open_lesson(session, **who, sign_in_id=sign_in_id, place=place, now=clock.now())
        own = [block for block in blocks if Place(block.module_id, block.lesson_number) == place]
        video = next((VideoSign(b.id, b.needed_seconds) for b in own if b.kind is BlockKind.VIDEO), None)
        for _ in range(sum(block.needed_seconds for block in own) // 15 + 1):
            await take_pulse(
                session, **who, sign_in_id=sign_in_id, place=place, sign=Sign.READING, video=video,
                now=clock.advance(seconds=15),
            )  # fmt: skip
        for block in own:
            if block.kind is BlockKind.QUESTION:
                question = Question.from_body(block.body)
                shown = shown_letters(question, block_seed(learning.id, block.id), question.key)
                await answer_question(session, **who, block_id=block.id, shown=shown, now=clock.now())


async def pass_quizzes(
    session: AsyncSession, learning: Learning, *, clock: FixedClock, modules: Container[int] = range(1, 100)
) -> None:
    """Hand in every quiz with the right answers."""
    statement = select(CourseModule).where(CourseModule.course_version_id == learning.course_version_id)
    for module in (await session.exec(statement.order_by(col(CourseModule.number)))).all():
        if module.number not in modules:
            continue
        seed = attempt_seed(learning.id, module.id, 1)
        questions = [Question.from_body(body) for body in module.quiz]
        ticked = {
            number: shown_letters(question, quiz_seed(seed, number), question.key)
            for number, question in enumerate(questions, 1)
        }
        await hand_in_quiz(
            session, learning_id=learning.id, person_id=learning.person_id, module_number=module.number, attempt=1,
            ticked=ticked, now=clock.now() + timedelta(seconds=module.number),
        )  # fmt: skip

"""A person's way through a course: start, answer, take the module quizzes, finish with a training record."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from sqlmodel import col, func, select

from training import audit
from training.calendar import china_date
from training.course_text import Question
from training.errors import N_, Conflict, NotFound
from training.hours import Credit, credited_hours
from training.models import (
    Assignment,
    BlockKind,
    BlockProgress,
    Course,
    CourseModule,
    CourseStatus,
    CourseVersion,
    Learning,
    LessonBlock,
    Person,
    QuizAttempt,
    TrainingMode,
    TrainingRecord,
)
from training.plans import finish_assignments
from training.progress import lock_learning, state_of
from training.quizzes import mark_quiz, to_key
from training.records import NewRecord, add_record, find_post
from training.rules import get_number, get_rule

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession


class QuizNotOpen(Conflict):
    """The quiz comes after the lessons of its module."""

    message = N_("本模块还有课时没有学完。学完全部课时后，即可参加测验。")


async def start_learning(
    session: AsyncSession, *, person_id: UUID, code: str, now: datetime, afresh: bool = False
) -> Learning:
    """Start the published version of a course, or give the learning that is open or was last finished.

    An open learning of an older version goes on. `afresh` starts again after a finished one.
    """
    course = await _get_course(session, code)
    # The person's own row: a double click starts once.
    await session.get_one(Person, person_id, with_for_update={"key_share": True})
    mine = (
        await session.exec(
            select(Learning)
            .join(CourseVersion, col(CourseVersion.id) == Learning.course_version_id)
            .where(Learning.person_id == person_id, CourseVersion.course_id == course.id)
            .order_by(col(Learning.finished_at).desc().nulls_first(), col(Learning.started_at).desc())
        )
    ).first()
    if mine is not None and not (afresh and mine.finished_at is not None):
        return mine
    version = (
        await session.exec(
            select(CourseVersion).where(
                CourseVersion.course_id == course.id, CourseVersion.status == CourseStatus.PUBLISHED
            )
        )
    ).one_or_none()
    if version is None:
        raise NotFound
    learning = Learning(
        person_id=person_id,
        course_version_id=version.id,
        organisation_id=await _employer(session, person_id=person_id, course_id=course.id, now=now),
        started_at=now,
    )
    session.add(learning)
    await session.flush()
    audit.record(
        session, action="learning.started", target=("learning", learning.id), actor_id=person_id, now=now, course=code
    )
    return learning


async def _get_course(session: AsyncSession, code: str) -> Course:
    course = (await session.exec(select(Course).where(Course.code == code))).one_or_none()
    if course is None:
        raise NotFound
    return course


async def _employer(session: AsyncSession, *, person_id: UUID, course_id: UUID, now: datetime) -> UUID | None:
    """Who assigned the course, else the employer."""
    statement = (
        select(Assignment.organisation_id)
        .where(
            Assignment.person_id == person_id,
            Assignment.course_id == course_id,
            col(Assignment.finished_at).is_(None),
            col(Assignment.withdrawn_at).is_(None),
        )
        .order_by(col(Assignment.due_on))
    )
    assigned = (await session.exec(statement)).first()
    return assigned or (await find_post(session, person_id=person_id, on=china_date(now))).organisation_id


def block_seed(learning_id: UUID, block_id: UUID) -> str:
    """In which order a quick question shows its options to this learner."""
    return f"{learning_id}:{block_id}"


def attempt_seed(learning_id: UUID, module_id: UUID, attempt: int) -> str:
    """In which order an attempt at a quiz shows its options."""
    return f"{learning_id}:{module_id}:{attempt}"


async def answer_question(
    session: AsyncSession, *, learning_id: UUID, person_id: UUID, block_id: UUID, shown: Sequence[str], now: datetime
) -> None:
    """Answer a quick question; the first answer stands. `shown` are the letters as they stood on the page."""
    learning = await lock_learning(session, learning_id=learning_id, person_id=person_id)
    block = await session.get(LessonBlock, block_id)
    if block is None or block.kind is not BlockKind.QUESTION:
        raise NotFound
    module = await session.get_one(CourseModule, block.module_id)
    if module.course_version_id != learning.course_version_id:
        raise NotFound
    progress = await session.get(BlockProgress, (learning_id, block_id))
    if progress is not None and progress.answer:
        return
    key = to_key(Question.from_body(block.body), block_seed(learning_id, block_id), shown)
    session.add(BlockProgress(learning_id=learning_id, block_id=block_id, answer=key, done_at=now))
    await session.flush()


async def count_attempts(session: AsyncSession, *, learning_id: UUID, module_id: UUID) -> int:
    """How often a quiz was handed in."""
    statement = (
        select(func.count())
        .select_from(QuizAttempt)
        .where(QuizAttempt.learning_id == learning_id, QuizAttempt.module_id == module_id)
    )
    return (await session.exec(statement)).one()


async def find_attempt(session: AsyncSession, *, learning_id: UUID, module_id: UUID, number: int) -> QuizAttempt | None:
    """The n-th attempt at a quiz, counted from 1."""
    statement = (
        select(QuizAttempt)
        .where(QuizAttempt.learning_id == learning_id, QuizAttempt.module_id == module_id)
        .order_by(col(QuizAttempt.at), col(QuizAttempt.id))
        .offset(number - 1)
        .limit(1)
    )
    return (await session.exec(statement)).one_or_none()


async def check_quiz_open(session: AsyncSession, *, learning_id: UUID, module_id: UUID) -> None:
    """Raises `QuizNotOpen` while a lesson of the module is unfinished."""
    statement = (
        select(LessonBlock, BlockProgress)
        .outerjoin(
            BlockProgress,
            (col(BlockProgress.block_id) == LessonBlock.id) & (col(BlockProgress.learning_id) == learning_id),
        )
        .where(LessonBlock.module_id == module_id)
    )
    if not all(state_of(block, progress).is_done for block, progress in (await session.exec(statement)).all()):
        raise QuizNotOpen


async def hand_in_quiz(
    session: AsyncSession,
    *,
    learning_id: UUID,
    person_id: UUID,
    module_number: int,
    attempt: int,
    ticked: Mapping[int, Sequence[str]],
    now: datetime,
) -> QuizAttempt:
    """Mark an attempt (counted from 1); the same one handed in again gives its first result.

    The last quiz that is passed finishes the course. Raises `QuizNotOpen`, `QuestionOpen`.
    """
    learning = await lock_learning(session, learning_id=learning_id, person_id=person_id)
    module = await get_module(session, learning.course_version_id, module_number)
    if known := await find_attempt(session, learning_id=learning_id, module_id=module.id, number=attempt):
        return known
    await check_quiz_open(session, learning_id=learning_id, module_id=module.id)
    # Whatever number a client sends, the next attempt is the next one.
    number = await count_attempts(session, learning_id=learning_id, module_id=module.id) + 1
    questions = [Question.from_body(body) for body in module.quiz]
    marked = mark_quiz(questions, attempt_seed(learning_id, module.id, number), ticked)
    pass_percent = await get_number(session, "learn.quiz.pass_percent", on=china_date(now))
    handed_in = QuizAttempt(
        learning_id=learning_id,
        module_id=module.id,
        answers=marked.answers,
        right=marked.right,
        total=marked.total,
        passed=marked.is_passed(pass_percent),
        at=now,
    )
    session.add(handed_in)
    await session.flush()
    if handed_in.passed and learning.finished_at is None:
        await _finish_if_complete(session, learning, now=now)
    return handed_in


async def get_module(session: AsyncSession, version_id: UUID, number: int) -> CourseModule:
    """A module of a version. Raises `NotFound`."""
    statement = select(CourseModule).where(CourseModule.course_version_id == version_id, CourseModule.number == number)
    module = (await session.exec(statement)).one_or_none()
    if module is None:
        raise NotFound
    return module


async def _finish_if_complete(session: AsyncSession, learning: Learning, *, now: datetime) -> TrainingRecord | None:
    """A quiz opens only after its lessons, so a course with every quiz passed is complete."""
    statement = (
        select(CourseModule)
        .where(CourseModule.course_version_id == learning.course_version_id)
        .order_by(col(CourseModule.number))
    )
    modules = (await session.exec(statement)).all()
    attempts = (await session.exec(select(QuizAttempt).where(QuizAttempt.learning_id == learning.id))).all()
    passed = {attempt.module_id: attempt for attempt in attempts if attempt.passed}
    if len(passed) < len(modules):
        return None
    learning.finished_at, learning.pulse_at, learning.sign_in_id = now, None, None
    session.add(learning)
    await session.flush()
    return await _write_record(session, learning, modules, [passed[module.id] for module in modules], now=now)


async def _write_record(
    session: AsyncSession,
    learning: Learning,
    modules: Sequence[CourseModule],
    passed: Sequence[QuizAttempt],
    *,
    now: datetime,
) -> TrainingRecord:
    today = china_date(now)
    version = await session.get_one(CourseVersion, learning.course_version_id)
    course = await session.get_one(Course, version.course_id)
    seconds = await seconds_seen(session, learning_id=learning.id)
    hours = credited_hours(
        version.class_hours,
        seconds=seconds,
        minutes_per_hour=await get_number(session, "hour.minutes", on=today),
        credit=Credit(await get_rule(session, "learn.credit", on=today)),
    )
    right, total = sum(quiz.right for quiz in passed), sum(quiz.total for quiz in passed)
    post = await find_post(session, person_id=learning.person_id, on=today, organisation_id=learning.organisation_id)
    new = NewRecord(
        person_id=learning.person_id,
        organisation_id=learning.organisation_id,
        category=post.category,
        post=post.post,
        mode=TrainingMode.ONLINE,
        title=version.title,
        content="；".join(module.title for module in modules),
        course_version_id=version.id,
        learning_id=learning.id,
        started_at=learning.started_at,
        ended_at=now,
        class_hours=hours,
        trainer=f"在线课程 {course.code}（第 {version.number} 版）",
        assessment=f"各模块测验合格，答对 {right}/{total} 题",
        passed=True,
        evidence={"seconds_seen": seconds, "quiz_right": right, "quiz_total": total},
    )
    record = await add_record(session, new=new, created_by=learning.person_id, now=now)
    await finish_assignments(session, person_id=learning.person_id, course_id=course.id, now=now)
    return record


async def seconds_seen(session: AsyncSession, *, learning_id: UUID) -> int:
    """All the time of a learning that counts."""
    statement = select(func.coalesce(func.sum(BlockProgress.seconds), 0)).where(
        BlockProgress.learning_id == learning_id
    )
    return int((await session.exec(statement)).one())

"""Learning in enterprises and centres: records, assignments, half-way learners, classes, proofs."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlmodel import col, select

from certificates.issuing import issue_training_proof
from seed.city.state import Course, Firm, Worker
from seed.city.times import days_ago
from training.accounts import open_sign_in
from training.calendar import china_date
from training.course_text import Question, QuestionType
from training.learning import answer_question, attempt_seed, block_seed, hand_in_quiz, start_learning
from training.models import Account, BlockKind, CourseModule, LessonBlock, TrainingMode
from training.plans import assign_course, finish_assignments
from training.progress import Place, Sign, VideoSign, open_lesson, take_pulse
from training.quizzes import order_of, quiz_seed
from training.records import NewRecord, add_record

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from seed.city.state import City
    from training.models import Learning, TrainingRecord

_LETTERS = "ABCDE"
_PULSE = timedelta(seconds=30)
_BY_INDUSTRY = ("C01", "C02", "C06", "C09")


async def add_past_record(
    session: AsyncSession, worker: Worker, firm: Firm, course: Course, *, ended: datetime, passed: bool = True
) -> TrainingRecord:
    """A course that was learnt on this service for the enterprise."""
    right = 18 if passed else 9
    new = NewRecord(
        person_id=worker.person.id,
        organisation_id=firm.id,
        category=worker.category,
        post=worker.post,
        mode=TrainingMode.ONLINE,
        title=course.title,
        content=course.title,
        course_version_id=course.version_id,
        started_at=ended - timedelta(days=2, hours=3),
        ended_at=ended,
        class_hours=Decimal(course.class_hours) if passed else Decimal(0),
        trainer=f"在线课程 {course.code}（第 1 版）",
        assessment=f"各模块测验{'合格' if passed else '不合格'}，答对 {right}/20 题",
        passed=passed,
    )
    record = await add_record(session, new=new, created_by=worker.person.id, now=ended)
    if passed:
        await finish_assignments(session, person_id=worker.person.id, course_id=course.id, now=ended)
    return record


async def train_main_enterprise(city: City) -> None:
    """Sixty people: some ahead, some behind, some overdue."""
    firm = city.firms[0]
    chance = random.Random("board")
    today = china_date(city.now)
    everyone = [worker.person.id for worker in firm.staff]
    engineers = [worker.person.id for worker in firm.staff if worker.department in {"研发部", "运维部", "产品部"}]
    async with city.work() as session:
        for code, people, assigned_ago, due_in in (
            ("C02", everyone, 45, -9), ("C07", engineers, 25, 5), ("C01", everyone, 12, 24),
            ("C08", engineers[:20], 60, -25),
        ):  # fmt: skip
            await assign_course(
                session, organisation_id=firm.id, course_id=city.courses[code].id, person_ids=people,
                due_on=today + timedelta(days=due_in), actor_id=firm.manager.id,
                now=days_ago(city.now, assigned_ago, 10),
            )  # fmt: skip
    async with city.work() as session:
        for place, worker in enumerate(firm.staff):
            if worker.person.id == city.who("learner"):
                continue
            for code, share, first, last in (("C02", 0.72, 3, 40), ("C07", 0.45, 2, 20), ("C01", 0.3, 1, 10),
                                             ("C08", 0.7, 26, 55), ("C09", 0.2, 60, 200)):  # fmt: skip
                is_asked = worker.person.id in engineers or code not in {"C07", "C08"}
                if is_asked and chance.random() < share:
                    ended = days_ago(city.now, chance.randrange(first, last), chance.randrange(9, 18), place)
                    await add_past_record(session, worker, firm, city.courses[code], ended=ended)
        learner = next(worker for worker in firm.staff if worker.person.id == city.who("learner"))
        await add_past_record(session, learner, firm, city.courses["C07"], ended=days_ago(city.now, 15, 16))


async def train_other_enterprises(city: City) -> None:
    """Each a little, by its own habits; some hardly at all."""
    today = china_date(city.now)
    for number, firm in enumerate(city.firms[1:], 1):
        chance = random.Random(firm.name)
        share = chance.choice((0.1, 0.35, 0.5, 0.65, 0.8))
        code = "C11" if number % 4 == 3 else _BY_INDUSTRY[number % len(_BY_INDUSTRY)]  # noqa: PLR2004 - every fourth
        course = city.courses[code]
        async with city.work() as session:
            await assign_course(
                session, organisation_id=firm.id, course_id=course.id,
                person_ids=[worker.person.id for worker in firm.staff],
                due_on=today + timedelta(days=chance.randrange(-8, 20)), actor_id=firm.manager.id,
                now=days_ago(city.now, 18, 9),
            )  # fmt: skip
            for worker in firm.staff:
                if chance.random() < share:
                    ended = days_ago(city.now, chance.randrange(1, 16), chance.randrange(9, 18))
                    await add_past_record(
                        session, worker, firm, course, ended=ended, passed=chance.random() > 0.06  # noqa: PLR2004
                    )  # fmt: skip


async def prove_trainings(city: City) -> None:
    """培训合格证明 by two enterprises for what their staff learnt."""
    for firm in (city.firms[0], city.firms[7]):
        async with city.work() as session:
            for worker in firm.staff[2:6]:
                record = await add_past_record(
                    session, worker, firm, city.courses["C03"], ended=days_ago(city.now, 70, 15)
                )
                await issue_training_proof(
                    session, training_record_id=record.id, issuer_id=firm.id, actor_id=firm.manager.id,
                    signer=city.signer, vault=city.vault, now=days_ago(city.now, 68, 10),
                )  # fmt: skip


async def leave_learners_half_way(city: City) -> None:
    """The cast's learner has read and passed the first module of C02; two others have just begun courses."""
    await _read(city, city.who("learner"), "C02", began=days_ago(city.now, 3, 19, 10), lessons=3, with_quiz=True)
    staff = city.firms[0].staff
    await _read(city, staff[6].person.id, "C01", began=days_ago(city.now, 2, 12, 30), lessons=1)
    await _read(city, city.who("ready"), "C11", began=days_ago(city.now, 5, 20), lessons=1)


async def _read(
    city: City, person_id: UUID, code: str, *, began: datetime, lessons: int, with_quiz: bool = False
) -> None:
    async with city.work() as session:
        learning = await start_learning(session, person_id=person_id, code=code, now=began)
        account = (await session.exec(select(Account).where(Account.person_id == person_id))).one()
        _, sign_in = await open_sign_in(
            session, account_id=account.id, client="演示浏览器", address="", now=began - timedelta(minutes=1)
        )
        statement = (
            select(LessonBlock, CourseModule)
            .join(CourseModule, col(CourseModule.id) == LessonBlock.module_id)
            .where(CourseModule.course_version_id == learning.course_version_id)
            .order_by(col(CourseModule.number), col(LessonBlock.number))
        )
        rows = (await session.exec(statement)).all()
        first = rows[0][1]
        now = began
        places = list(dict.fromkeys(Place(block.module_id, block.lesson_number) for block, _ in rows))
        if with_quiz:
            lessons = sum(place.module_id == first.id for place in places) + 1
        for place in places[:lessons]:
            own = [block for block, _ in rows if Place(block.module_id, block.lesson_number) == place]
            now = await _read_lesson(session, learning, sign_in.id, place, own, now=now)
        if with_quiz:
            await _pass_quiz(session, learning, first, now=now)


async def _read_lesson(
    session: AsyncSession,
    learning: Learning,
    sign_in_id: UUID,
    place: Place,
    blocks: Sequence[LessonBlock],
    *,
    now: datetime,
) -> datetime:
    """Read a lesson for as long as it takes; gives the instant at its end."""
    who = {"learning_id": learning.id, "person_id": learning.person_id}
    await open_lesson(session, **who, sign_in_id=sign_in_id, place=place, now=now)
    video = next((VideoSign(block.id, block.needed_seconds) for block in blocks if block.kind is BlockKind.VIDEO), None)
    needed = timedelta(seconds=sum(block.needed_seconds for block in blocks))
    ends = now + needed
    while now < ends:
        now += _PULSE
        await take_pulse(session, **who, sign_in_id=sign_in_id, place=place, sign=Sign.READING, video=video, now=now)
    for block in blocks:
        if block.kind is BlockKind.QUESTION:
            question = Question.from_body(block.body)
            shown = _shown(question, block_seed(learning.id, block.id))
            await answer_question(session, **who, block_id=block.id, shown=shown, now=now)
    return now


async def _pass_quiz(session: AsyncSession, learning: Learning, module: CourseModule, *, now: datetime) -> None:
    seed = attempt_seed(learning.id, module.id, 1)
    ticked = {
        number: _shown(question, quiz_seed(seed, number))
        for number, question in enumerate((Question.from_body(body) for body in module.quiz), 1)
    }
    await hand_in_quiz(
        session, learning_id=learning.id, person_id=learning.person_id, module_number=module.number, attempt=1,
        ticked=ticked, now=now + timedelta(minutes=3),
    )  # fmt: skip


def _shown(question: Question, seed: str) -> list[str]:
    """The right letters as they stand on this learner's page."""
    order = order_of(question, seed)
    names: Sequence[str] = order if question.type is QuestionType.TF else _LETTERS
    return [names[order.index(letter)] for letter in question.key]

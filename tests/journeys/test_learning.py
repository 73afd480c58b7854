"""Journey (a): an employee learns C02 on a phone and gets the record.

The first module and the one with the video go through the page; the others, which show nothing new,
through the same operations. The slides of the video last a second each, so that it plays to its end quickly.
"""

from __future__ import annotations

import re
import shutil
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlmodel import col, select

from seed.course_files import COURSES, load_course
from tests.clock import FixedClock
from tests.journeys.conftest import DESK, PHONE, inspect, sign_in
from tests.makers.learnings import pass_quizzes, read_lessons
from tests.makers.people import PASSWORD, make_employee, make_organisation
from training.course_text import Question
from training.models import Course, CourseModule, CourseVersion, Learning, SignIn, TrainingRecord

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page
    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.journeys.conftest import Server
    from tests.makers.people import Known


BY_OPERATIONS = (2, 3, 4, 6)


def _with_short_videos(code: str, place: Path) -> Path:
    """The shipped course with slides of one second."""
    folder = place / code
    shutil.copytree(COURSES / code, folder)
    for slides in folder.glob("media/*.toml"):
        slides.write_text(re.sub(r"^seconds = \d+$", "seconds = 1", slides.read_text("utf-8"), flags=re.MULTILINE))
    return folder


def _prepare(server: Server, code: str, place: Path) -> Known:
    folder = _with_short_videos(code, place)

    async def act(session: AsyncSession) -> Known:
        now = server.clock.now()
        await load_course(session, server.services.store, folder, now)
        organisation = await make_organisation(session, now=now)
        return await make_employee(session, server.vault, organisation=organisation, now=now)

    known: Known = server.do(act)
    return known


def _questions(server: Server, code: str) -> dict[str, Question]:
    """Every quiz question by its stem: what a learner knows who has paid attention."""

    async def act(session: AsyncSession) -> dict[str, Question]:
        statement = (
            select(CourseModule)
            .join(CourseVersion, col(CourseVersion.id) == CourseModule.course_version_id)
            .join(Course, col(Course.id) == CourseVersion.course_id)
            .where(Course.code == code)
        )
        modules = (await session.exec(statement)).all()
        found = [Question.from_body(body) for module in modules for body in module.quiz]
        return {question.stem: question for question in found}

    questions: dict[str, Question] = server.do(act)
    return questions


def _both_sizes(page: Page, name: str) -> None:
    for size in (DESK, PHONE):
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        inspect(page, name)


def _until(page: Page, expression: str, *, seconds: int = 15) -> None:
    """Wait for a JavaScript condition; Playwright's own wait would need `eval`, which our policy refuses."""
    for _ in range(seconds * 10):
        if page.evaluate(expression):
            return
        page.wait_for_timeout(100)
    raise AssertionError(expression)


def _watch(page: Page) -> None:
    """Play the video to its end; the clock of the server moves with it."""
    video = page.locator("video")
    video.scroll_into_view_if_needed()
    _until(page, "document.querySelector('video').readyState >= 2")
    # A jump forward springs back.
    page.evaluate("document.querySelector('video').currentTime = 4")
    _until(page, "document.querySelector('video').currentTime < 1")
    video.evaluate("video => { video.muted = true; return video.play(); }")
    _until(page, "document.querySelector('video').ended", seconds=60)


def _read(server: Server, page: Page) -> None:
    """Spend the lesson's time: thirty seconds of the server's clock for each sign of the page."""
    for _ in range(40):
        panel = page.locator("#lesson-progress")
        if panel.get_attribute("data-seen") == "1":
            return
        server.clock.advance(seconds=30)
        with page.expect_response(lambda answer: answer.url.endswith("/pulse")):
            page.evaluate("htmx.trigger('#pulse', 'pulse')")
        _until(page, "!document.querySelector('.htmx-request, .htmx-swapping, .htmx-settling')")
    raise AssertionError("the lesson's time does not fill")


def _answer_quick_questions(page: Page) -> None:
    for at in range(page.locator(".question").count()):
        question = page.locator(".question").nth(at)
        question.locator("label").first.tap()
        question.get_by_role("button", name="提交答案").tap()
        page.locator(".question").nth(at).locator(".verdict").wait_for()


def _answer_quiz(page: Page, questions: dict[str, Question]) -> None:
    for at in range(page.locator(".question").count()):
        block = page.locator(".question").nth(at)
        question = questions[block.locator("legend").inner_text()]
        right = {"T": "正确", "F": "错误"}.get(question.key)
        texts = [right] if right else [question.options["ABCDE".index(letter)] for letter in question.key]
        for text in texts:
            pattern = re.compile(rf"^\s*(?:[A-E]\. )?{re.escape(text)}\s*$")
            block.locator("label").filter(has_text=pattern).tap()
    page.get_by_role("button", name="交卷").tap()


def _learn_by_operations(server: Server, known: Known) -> None:
    """The other modules, in the same sign-in; the clock of the server ends where they end."""
    clock = FixedClock(server.clock.now())

    async def act(session: AsyncSession) -> None:
        mine = select(Learning).where(Learning.person_id == known.person.id)
        learning = (await session.exec(mine)).one()
        signed_in = select(SignIn.id).where(SignIn.account_id == known.account.id)
        sign_in_id = (await session.exec(signed_in)).one()
        await read_lessons(session, learning, sign_in_id=sign_in_id, clock=clock, modules=BY_OPERATIONS)
        await pass_quizzes(session, learning, clock=clock, modules=BY_OPERATIONS)

    server.do(act)
    server.clock.set(clock.now() + timedelta(minutes=1))


def _learn_by_pages(server: Server, page: Page, questions: dict[str, Question], *, is_first: bool) -> None:
    """Lesson by lesson, quiz by quiz, until a quiz leads to a module for the operations or to the record."""
    step = 0
    while True:
        step += 1
        if "/quiz" in page.url:
            if is_first:
                page.get_by_role("button", name="交卷").tap()
                page.get_by_role("alert").wait_for()
                _both_sizes(page, "quiz")
            _answer_quiz(page, questions)
            page.get_by_text(re.compile("答对 .* 题")).wait_for()
            if is_first:
                _both_sizes(page, "quiz-result")
                return
            if page.get_by_role("link", name="全部学完，查看培训记录").count():
                return
            onward = page.get_by_role("link", name="继续下一模块")
        else:
            if page.locator("video").count():
                _watch(page)
            _read(server, page)
            _answer_quick_questions(page)
            page.get_by_text("本节已完成。").wait_for()
            if is_first and step == 1:
                _both_sizes(page, "lesson-done")
            onward = page.locator(".lesson-nav .btn-primary")
        target = str(onward.get_attribute("href"))
        onward.tap()
        page.wait_for_url(f"**{target}")


def test_an_employee_learns_fire_prevention_on_a_phone_and_gets_the_record(
    server: Server, phone: Page, tmp_path: Path
) -> None:
    known = _prepare(server, "C02", tmp_path)
    questions = _questions(server, "C02")
    sign_in(phone, known.phone, PASSWORD)
    phone.goto("/learn")
    _both_sizes(phone, "learner-home-empty")
    phone.goto("/courses?q=火灾")
    _both_sizes(phone, "courses")
    phone.get_by_role("link", name="火灾预防").tap()
    phone.wait_for_url("**/courses/C02")
    _both_sizes(phone, "course")
    phone.get_by_role("button", name="开始学习").tap()
    phone.wait_for_url("**/1/1")
    _both_sizes(phone, "lesson")

    _learn_by_pages(server, phone, questions, is_first=True)
    _learn_by_operations(server, known)
    phone.goto("/learn")
    phone.get_by_role("button", name="继续").tap()
    phone.wait_for_url("**/5/1")
    _learn_by_pages(server, phone, questions, is_first=False)
    phone.get_by_role("link", name="全部学完，查看培训记录").tap()
    phone.get_by_role("heading", name="学完了：火灾预防").wait_for()
    _both_sizes(phone, "learner-result")
    phone.goto("/learn/records")
    _both_sizes(phone, "records")
    phone.goto("/learn")
    _both_sizes(phone, "learner-home")

    async def records(session: AsyncSession) -> list[TrainingRecord]:
        statement = select(TrainingRecord).where(TrainingRecord.person_id == known.person.id)
        return list((await session.exec(statement)).all())

    [record] = server.do(records)
    assert record.passed
    assert record.title == "火灾预防"
    assert 0 < record.class_hours <= 3
    assert timedelta(seconds=record.evidence["seconds_seen"]) <= record.ended_at - record.started_at


def test_the_page_itself_tells_the_server_that_it_is_read(server: Server, phone: Page, tmp_path: Path) -> None:
    known = _prepare(server, "C08", tmp_path)
    sign_in(phone, known.phone, PASSWORD)
    phone.clock.install()
    phone.goto("/courses/C08")
    phone.get_by_role("button", name="开始学习").tap()
    phone.wait_for_url("**/1/1")
    phone.wait_for_load_state()
    before = int(phone.locator("#lesson-progress").get_attribute("data-left") or 0)
    server.clock.advance(seconds=16)
    with phone.expect_response(lambda answer: answer.url.endswith("/pulse")):
        phone.clock.fast_forward(16_000)
    _until(phone, f"Number(document.querySelector('#lesson-progress').dataset.left) <= {before - 12}")

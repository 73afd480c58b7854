"""Journey (a): an employee learns C02 on a phone and gets the record."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlmodel import col, select

from seed.course_files import COURSES, load_course
from tests.journeys.conftest import DESK, PHONE, inspect, sign_in
from tests.makers.people import PASSWORD, make_employee, make_organisation
from training.course_text import Question
from training.models import Course, CourseModule, CourseVersion, TrainingRecord

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.journeys.conftest import Server
    from tests.makers.people import Known


def _prepare(server: Server, code: str) -> Known:
    async def act(session: AsyncSession) -> Known:
        now = server.clock.now()
        await load_course(session, server.services.store, COURSES / code, now)
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
    page.evaluate("document.querySelector('video').currentTime = 20")
    _until(page, "document.querySelector('video').currentTime < 2")
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


def test_an_employee_learns_fire_prevention_on_a_phone_and_gets_the_record(server: Server, phone: Page) -> None:
    known = _prepare(server, "C02")
    questions = _questions(server, "C02")
    sign_in(phone, known.phone, PASSWORD)
    phone.goto("/learn")
    _both_sizes(phone, "learner-home-empty")
    phone.goto("/courses?q=火灾")
    _both_sizes(phone, "courses")
    phone.get_by_role("link", name="火灾预防").tap()
    _both_sizes(phone, "course")
    phone.get_by_role("button", name="开始学习").tap()
    phone.wait_for_url("**/1/1")
    _both_sizes(phone, "lesson")

    seen_a_failure = False
    for step in range(40):
        if "/quiz" in phone.url:
            if not seen_a_failure:
                phone.get_by_role("button", name="交卷").tap()
                phone.get_by_role("alert").wait_for()
                seen_a_failure = True
                _both_sizes(phone, "quiz")
            _answer_quiz(phone, questions)
            phone.get_by_text(re.compile("答对 .* 题")).wait_for()
            if step < 10:
                _both_sizes(phone, "quiz-result")
            if phone.get_by_role("link", name="全部学完，查看培训记录").count():
                break
            onward = phone.get_by_role("link", name="继续下一模块")
        else:
            if phone.locator("video").count():
                _watch(phone)
            _read(server, phone)
            _answer_quick_questions(phone)
            phone.get_by_text("本节已完成。").wait_for()
            if step == 1:
                _both_sizes(phone, "lesson-done")
            onward = phone.locator(".lesson-nav .btn-primary")
        target = str(onward.get_attribute("href"))
        onward.tap()
        phone.wait_for_url(f"**{target}")
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


def test_the_page_itself_tells_the_server_that_it_is_read(server: Server, phone: Page) -> None:
    known = _prepare(server, "C08")
    sign_in(phone, known.phone, PASSWORD)
    phone.goto("/courses/C08")
    phone.get_by_role("button", name="开始学习").tap()
    phone.wait_for_url("**/1/1")
    before = int(phone.locator("#lesson-progress").get_attribute("data-left") or 0)
    with phone.expect_response(lambda answer: answer.url.endswith("/pulse"), timeout=25_000):
        pass
    _until(phone, f"Number(document.querySelector('#lesson-progress').dataset.left) <= {before - 12}")

"""An enterprise examines its staff, an employee sits on a phone, and an authority releases scores."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from playwright.sync_api import expect

from exams.handing_in import close_overdue
from exams.models import Booking, EnterpriseExam
from exams.starting import start_enterprise_sitting
from tests.journeys.conftest import DESK, PHONE, inspect, sign_in
from tests.makers.exams import fill_bank
from tests.makers.people import PASSWORD, make_employee, make_organisation, make_role
from tests.makers.sittings import GRACE, Sat, answer, make_device, make_sitting, right_choices
from training.models import OrganisationKind, Role

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.journeys.conftest import Server
    from tests.makers.people import Known

ITEMS = 50
STAFF = ("王建国", "李秀英", "买买提·吐尔逊", "赵六", "钱七", "孙八")
KEYS = {"T": "1", "F": "2"}


def _prepare(server: Server) -> tuple[Known, list[Known]]:
    async def act(session: AsyncSession) -> tuple[Known, list[Known]]:
        now, vault = server.clock.now(), server.vault
        await fill_bank(session, vault, code="GEN", now=now)
        firm = await make_organisation(session, now=now)
        manager = await make_role(session, vault, role=Role.ENTERPRISE_MANAGER, organisation=firm, now=now)
        return manager, [await make_employee(session, vault, organisation=firm, now=now, name=name) for name in STAFF]

    made: tuple[Known, list[Known]] = server.do(act)
    return made


def _let_others_sit(server: Server, exam_id: UUID, staff: list[Known]) -> None:
    """All but the first hand in by the clock, each with fewer right answers; the last never comes."""

    async def act(session: AsyncSession) -> None:
        now = server.clock.now()
        exam = await session.get_one(EnterpriseExam, exam_id)
        for place, who in enumerate(staff[1:-1]):
            device = await make_device(session, who, now=now)
            entry = await start_enterprise_sitting(
                session, exam_id=exam_id, person_id=who.person.id, device=device, seed=place, now=now
            )
            sat = Sat(who, entry, device, exam=exam)
            await answer(session, sat, (await right_choices(session, sat.id))[: 44 - 8 * place], now=now)
        await close_overdue(session, now=sat.entry.deadline + GRACE, countersign=server.keys.countersign)

    server.do(act)


def _both_sizes(page: Page, name: str) -> None:
    for size in (DESK, PHONE):
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        inspect(page, name)


def _sit_by_keys(server: Server, page: Page) -> None:
    """From the home to the result: two taps, a key or two for each question, two taps."""
    page.goto("/learn")
    _both_sizes(page, "learner-home-exam")
    page.get_by_role("link", name="进入考试").tap()
    page.get_by_role("button", name="信息无误，开始考试").tap()
    page.locator("#items").wait_for()
    page.wait_for_load_state()
    path = page.url.removeprefix(server.url)
    choices = server.do(lambda session: right_choices(session, UUID(path.rpartition("/")[2])))
    for position, choice in enumerate(choices, 1):
        expect(page.locator(f"#item-{position}")).to_be_visible()
        for letter in choice:
            page.keyboard.press(KEYS.get(letter, letter.lower()))
        page.keyboard.press("ArrowRight")
    expect(page.locator("#save-state")).to_have_text(f"全部已保存 · 已答 {ITEMS}/{ITEMS}")
    page.get_by_role("link", name="交卷").tap()
    page.get_by_role("button", name="确认交卷").tap()
    page.wait_for_url("**/result")


def test_a_manager_sets_an_exam_an_employee_passes_it_and_the_manager_sees_it(
    server: Server, desk: Page, phone: Page
) -> None:
    manager, staff = _prepare(server)
    sign_in(desk, manager.phone, PASSWORD)
    desk.goto("/enterprise/exams")
    _both_sizes(desk, "enterprise-exams-empty")
    desk.get_by_role("link", name="安排考试").first.click()
    desk.wait_for_url("**/new")
    desk.get_by_label("考试名称").fill("冬季防火知识考试")
    _both_sizes(desk, "enterprise-exam-new")
    desk.get_by_role("button", name="安排考试").click()
    desk.get_by_text("应考 6 人，已考 0 人，合格 0 人").wait_for()
    exam_id = UUID(desk.url.rpartition("/")[2])

    sign_in(phone, staff[0].phone, PASSWORD)
    _sit_by_keys(server, phone)
    expect(phone.locator(".score strong")).to_have_text("100")
    _both_sizes(phone, "sitting-result-passed")
    phone.get_by_role("link", name="查看培训记录").tap()
    phone.get_by_text("冬季防火知识考试").first.wait_for()
    phone.goto("/sittings")
    _both_sizes(phone, "sittings")

    _let_others_sit(server, exam_id, staff)
    server.clock.advance(hours=2)
    desk.reload()
    desk.get_by_text("应考 6 人，已考 5 人，合格 2 人").wait_for()
    desk.locator(".chart canvas").wait_for()
    _both_sizes(desk, "enterprise-exam")
    desk.goto("/enterprise/exams")
    _both_sizes(desk, "enterprise-exams")


def test_an_authority_looks_at_a_sessions_scores_keeps_one_back_and_releases_them(server: Server, desk: Page) -> None:
    async def act(session: AsyncSession) -> tuple[Known, Known]:
        now, vault = server.clock.now(), server.vault
        authority = await make_organisation(session, now=now, kind=OrganisationKind.AUTHORITY, name="演示市应急管理局")
        sat = await make_sitting(session, vault, now=now)
        await answer(session, sat, (await right_choices(session, sat.id))[:85], now=now)
        await close_overdue(session, now=sat.entry.deadline + GRACE, countersign=server.keys.countersign)
        assert await session.get(Booking, sat.booking_id)
        issuer = await make_role(session, vault, role=Role.ISSUER, organisation=authority, now=now)
        return issuer, sat.who

    issuer, candidate = server.do(act)
    server.clock.advance(hours=3)
    sign_in(desk, issuer.phone, PASSWORD)
    desk.goto("/authority/scores")
    _both_sizes(desk, "scores")
    desk.set_viewport_size({"width": DESK["width"], "height": DESK["height"]})
    desk.locator("main td a").first.click()
    desk.locator(".chart canvas").wait_for()
    desk.locator("summary").filter(has_text="暂缓").click()
    _both_sizes(desk, "scores-preview")
    desk.get_by_label("原因（考生可见）").fill("核查考场录像")
    desk.get_by_role("button", name="确认暂缓").click()
    desk.get_by_text("核查考场录像").wait_for()
    _both_sizes(desk, "scores-withheld")
    desk.get_by_role("button", name="解除暂缓").click()
    desk.get_by_role("button", name="开始审核 1 人").click()
    desk.on("dialog", lambda dialog: dialog.accept())
    desk.get_by_role("button", name="公布 1 人的成绩").click()
    desk.get_by_text("没有待办的成绩").wait_for()

    desk.context.clear_cookies()
    sign_in(desk, candidate.phone, PASSWORD)
    desk.goto("/sittings")
    desk.get_by_role("link", name="查看成绩").click()
    desk.get_by_text("理论考试合格").wait_for()
    _both_sizes(desk, "sitting-result-released")

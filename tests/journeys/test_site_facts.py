"""Facts, pauses, accommodations and the Safe Exam Browser in real browsers, at a desk and on a phone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from playwright.sync_api import expect

from exams.integrity import Fact, note_fact, save_facts
from exams.models import ExamSession, IntegrityKind
from exams.safe_exam_browser import config_key, request_hash
from exams.starting import start_sitting
from tests.journeys.conftest import DESK, PHONE, inspect, new_context, sign_in
from tests.makers.check_in import make_checked_in, make_desk
from tests.makers.exams import make_draft, make_reviewer
from tests.makers.people import PASSWORD, make_person, make_role
from tests.makers.sittings import make_device, make_enterprise_sitting
from training.models import Organisation, Role
from web.safe_exam_browser import settings_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route
    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.journeys.conftest import Server
    from tests.makers.check_in import Desk


def at_both_sizes(page: Page, name: str) -> None:
    """Look at the page at a desk and on a phone."""
    for size in (PHONE, DESK):
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        inspect(page, name)


def test_facts_and_pauses_at_the_site_and_at_the_authority(server: Server, browser: Browser) -> None:
    async def prepare(session: AsyncSession) -> tuple[Desk, str, str]:
        now = server.clock.now()
        desk = await make_desk(session, server.vault, now=now, candidates=2)
        reviewer = await make_reviewer(session, server.vault, now=now)
        at = desk.exam_session.starts_at
        await make_checked_in(session, desk, desk.booking, now=at)
        who = desk.candidate
        device = await make_device(session, who, now=at)
        entry = await start_sitting(
            session, booking_id=desk.booking.id, person_id=who.person.id, device=device, seed=1, now=at
        )
        kinds = [*[IntegrityKind.TAB_HIDDEN] * 3, IntegrityKind.PASTE, IntegrityKind.NETWORK_GAP]
        facts = [
            Fact(str(number), kind, at + timedelta(minutes=number), 11, {"length": 40} if kind == "PASTE" else {})
            for number, kind in enumerate(kinds)
        ]
        await save_facts(
            session, sitting_id=entry.sitting_id, token=entry.device_token, facts=facts, key=device.key,
            now=at + timedelta(minutes=6),
        )  # fmt: skip
        return desk, reviewer.phone, str(entry.sitting_id)

    desk, reviewer, sitting_id = server.do(prepare)
    server.clock.set(desk.exam_session.starts_at + timedelta(minutes=7))
    page = new_context(browser, server, DESK).new_page()
    page.on("dialog", lambda dialog: dialog.accept())
    sign_in(page, desk.head.phone, PASSWORD)
    page.goto(f"/site/sessions/{desk.exam_session.id}")
    expect(page.locator(".seat").first).to_contain_text("5 条屏幕事实")
    at_both_sizes(page, "board-facts")
    page.locator(".seat").first.get_by_role("link").click()
    expect(page.locator(".history")).to_contain_text("40 个字符")
    at_both_sizes(page, "seat-facts")
    page.locator("summary", has_text="暂停考试").click()
    page.locator("#pause-reason").fill("键盘失灵，更换键盘")
    page.get_by_role("button", name="确认暂停").click()
    expect(page.get_by_role("button", name="确认继续")).to_be_visible()
    at_both_sizes(page, "seat-paused")

    office = new_context(browser, server, DESK).new_page()
    office.on("dialog", lambda dialog: dialog.accept())
    sign_in(office, reviewer, PASSWORD)
    office.goto(f"/authority/scores/{desk.exam_session.id}/sittings")
    at_both_sizes(office, "authority-sittings")
    office.get_by_role("link", name="查看经过").click()
    at_both_sizes(office, "authority-sitting")
    office.get_by_label("理由和依据（考生会看到）").fill("试卷发错")
    office.get_by_role("button", name="作废这次考试").click()
    expect(office.locator(".history")).to_contain_text("考核发证机关作废考试")
    assert sitting_id in office.url

    own = new_context(browser, server, PHONE).new_page()
    sign_in(own, desk.candidate.phone, PASSWORD)
    own.goto(f"/sittings/{sitting_id}/facts")
    expect(own.get_by_text("网络中断", exact=True)).to_be_visible()
    at_both_sizes(own, "own-facts")


def test_accommodations_from_the_wish_to_the_grant(server: Server, browser: Browser) -> None:
    async def prepare(session: AsyncSession) -> tuple[str, str, str]:
        now = server.clock.now()
        who = await make_person(session, server.vault, now=now, name="赵电工")
        draft = await make_draft(session, server.vault, now=now, who=who, store=server.services.store)
        reviewer = await make_reviewer(session, server.vault, now=now)
        return who.phone, reviewer.phone, str(draft.id)

    candidate, reviewer, application_id = server.do(prepare)
    page = new_context(browser, server, PHONE).new_page()
    sign_in(page, candidate, PASSWORD)
    page.goto(f"/exams/applications/{application_id}")
    page.get_by_role("link", name="考试便利（选填）").click()
    page.get_by_label("延长考试时间").select_option("25")
    page.get_by_label("大字").check()
    page.get_by_label("原因（申请延长时间时必填）").fill("左眼视力 0.2")
    at_both_sizes(page, "accommodations-wish")
    page.get_by_role("button", name="保存，去核对提交").click()
    expect(page.locator(".facts")).to_contain_text("时间延长 25%、大字")
    page.get_by_role("button", name="提交申请").click()
    office = new_context(browser, server, DESK).new_page()
    sign_in(office, reviewer, PASSWORD)
    office.goto(f"/authority/applications/{application_id}")
    expect(office.get_by_text("左眼视力 0.2")).to_be_visible()
    at_both_sizes(office, "accommodations-grant")
    office.get_by_role("button", name="批准以上便利").click()
    page.reload()
    expect(page.locator("main")).to_contain_text("批准的便利")
    at_both_sizes(page, "accommodations-granted")


def test_an_enterprise_arranges_an_exam_for_one_of_its_staff(server: Server, browser: Browser) -> None:
    async def prepare(session: AsyncSession) -> tuple[str, str]:
        now = server.clock.now()
        sat = await make_enterprise_sitting(session, server.vault, now=now)
        assert sat.exam is not None
        organisation = await session.get_one(Organisation, sat.exam.organisation_id)
        role = Role.ENTERPRISE_MANAGER
        manager = await make_role(session, server.vault, role=role, organisation=organisation, now=now)
        await note_fact(session, sitting_id=sat.id, kind=IntegrityKind.SECOND_DEVICE, now=now)
        return manager.phone, f"/enterprise/exams/{sat.exam.id}"

    manager, exam = server.do(prepare)
    page = new_context(browser, server, DESK).new_page()
    sign_in(page, manager, PASSWORD)
    page.goto(exam)
    at_both_sizes(page, "enterprise-exam")
    page.get_by_role("link", name="便利和经过").click()
    at_both_sizes(page, "enterprise-candidate")
    page.get_by_label("延长考试时间").select_option("10")
    page.get_by_role("button", name="保存便利").click()
    page.wait_for_url(f"**{exam}")


def test_an_exam_that_needs_the_safe_exam_browser(server: Server, browser: Browser) -> None:
    async def prepare(session: AsyncSession) -> Desk:
        now = server.clock.now()
        desk = await make_desk(session, server.vault, now=now)
        exam_session = await session.get_one(ExamSession, desk.exam_session.id)
        exam_session.needs_seb = True
        await make_checked_in(session, desk, desk.booking, now=exam_session.starts_at)
        return desk

    desk = server.do(prepare)
    server.clock.set(desk.exam_session.starts_at)
    head = new_context(browser, server, DESK).new_page()
    sign_in(head, desk.head.phone, PASSWORD)
    head.goto("/site/browser-keys")
    head.get_by_label("说明").fill("Windows 3.9 机房一")
    head.get_by_label("浏览器考试密钥（Browser Exam Key）").fill("ab" * 32)
    head.get_by_role("button", name="登记密钥").click()
    expect(head.locator("table")).to_contain_text("abababab…abababab")
    at_both_sizes(head, "browser-keys")
    head.goto("/site/sessions")
    at_both_sizes(head, "sessions-browser")

    context = new_context(browser, server, DESK)
    page = context.new_page()
    sign_in(page, desk.candidate.phone, PASSWORD)
    start = f"/sittings/start/booking/{desk.booking.id}"
    page.goto(start)
    expect(page.get_by_role("link", name="用安全考试浏览器打开")).to_be_visible()
    at_both_sizes(page, "browser-needed")

    key = config_key(settings_of(server.services, desk.site.id))

    def as_the_program(route: Route) -> None:
        url = route.request.url
        headers = {
            **route.request.headers,
            "x-safeexambrowser-configkeyhash": request_hash(url, key),
            "x-safeexambrowser-requesthash": request_hash(url, "ab" * 32),
        }
        route.continue_(headers=headers)

    # Like the program: every request carries its own two hashes, a redirected one too.
    page.route("**/*", as_the_program)
    page.goto(start)
    page.get_by_role("button", name="信息无误，开始考试").click()
    page.wait_for_url("**/sittings/*")
    sitting = page.url.partition("#")[0]
    page.goto(sitting)
    expect(page.locator("#item-1")).to_be_visible()
    page.locator("#item-1 .option").first.click()
    expect(page.locator(".save-state")).to_contain_text("已保存")

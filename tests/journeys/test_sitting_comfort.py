"""What makes the exam page easy on eyes, ears and hands, and what it tells the invigilators."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from exams.accommodations import Accommodations
from exams.integrity import list_facts
from exams.models import Application, IntegrityKind
from tests.journeys.conftest import DESK, PHONE, inspect, new_context, sign_in
from tests.journeys.exam_page import ITEMS, begin, choose, expect_saved, expect_waiting, go_to, the_id
from tests.journeys.test_sitting_tabs import begin_certificate_exam
from tests.makers.people import PASSWORD
from tests.makers.sittings import make_checked_in

if TYPE_CHECKING:
    from typing import Any

    from playwright.sync_api import Browser, Page

    from tests.journeys.conftest import Server

# Chromium without a screen has no voices: this one says down what it is asked to say.
SPEECH = """
window.spoken = [];
const synthesis = {
    getVoices: () => [{ lang: "en-US" }, { lang: "zh-CN" }],
    speak: (speech) => window.spoken.push(speech.lang + " " + speech.text),
    cancel: () => window.spoken.push("stopped"),
};
Object.defineProperty(window, "speechSynthesis", { value: synthesis });
window.SpeechSynthesisUtterance = class { constructor(text) { this.text = text; } };
"""


def set_display(page: Page, name: str) -> None:
    page.locator(".comfort summary").click()
    page.get_by_role("button", name=name).click()
    page.locator(".comfort summary").click()


def test_ten_to_a_page_with_keys_palette_and_hand_in(server: Server, desk: Page) -> None:
    path, choices, _, _ = begin(server, desk)
    mark = desk.locator(".palette-grid .mark")
    expect(mark.nth(0)).to_have_attribute("aria-label", "第 1 题，看过未答")
    expect(mark.nth(10)).to_have_attribute("aria-label", "第 11 题，未看")
    set_display(desk, "一页十题")
    expect(desk.locator(".item:visible")).to_have_count(10)
    inspect(desk, "sitting-ten")
    desk.get_by_role("button", name="下一页").click()
    expect(desk.locator("#item-11")).to_be_visible()
    expect(desk.locator("#item-10")).to_be_hidden()
    expect(mark.nth(10)).to_have_attribute("aria-label", "第 11 题，看过未答")
    choose(desk, 13, choices[12][0])
    expect(mark.nth(12)).to_have_attribute("aria-label", "第 13 题，已答")
    desk.keyboard.press("f")
    expect(mark.nth(12)).to_have_attribute("aria-label", "第 13 题，已答，已标记")
    desk.keyboard.press("ArrowRight")
    desk.keyboard.press("1")
    expect(desk.locator("#item-14 input[name=choice]").first).to_be_checked()
    expect_saved(desk, 2)
    desk.reload()
    expect(desk.locator(".item:visible")).to_have_count(10)
    desk.get_by_role("link", name="交卷").click()
    expect(desk.get_by_text(f"还有 {ITEMS - 2} 题没有作答")).to_be_visible()
    desk.get_by_role("link", name="第 33 题").click()
    expect(desk.locator("#item-33")).to_be_visible()
    expect(desk.locator("#item-31")).to_be_visible()
    assert path in desk.url


def test_large_type_and_high_contrast_stay_readable_and_stay_on(server: Server, browser: Browser) -> None:
    for size in (PHONE, DESK):
        context = new_context(browser, server, size)
        page = context.new_page()
        _, choices, _, _ = begin(server, page)
        choose(page, 1, choices[0][0])
        set_display(page, "大字")
        inspect(page, "sitting-large")
        set_display(page, "高对比度")
        page.locator(".comfort summary").click()
        inspect(page, "sitting-contrast")
        page.reload()
        expect(page.locator("html")).to_have_class("has-script large-type high-contrast")
        context.close()


def test_questions_are_read_aloud_in_chinese_and_stop_on_leaving(server: Server, desk: Page) -> None:
    desk.add_init_script(SPEECH)
    begin(server, desk)
    expect(desk.locator("#item-1 .read-item")).to_be_hidden()
    set_display(desk, "朗读题目")
    button = desk.locator("#item-1 .read-item")
    button.focus()
    desk.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-pressed", "true")
    stem = desk.locator("#item-1 .item-stem").inner_text()
    [said] = desk.evaluate("window.spoken")
    assert said.startswith(f"zh-CN {stem}。")
    desk.keyboard.press("ArrowRight")
    assert desk.evaluate("window.spoken")[-1] == "stopped"
    expect(button).to_have_attribute("aria-pressed", "false")
    inspect(desk, "sitting-aloud")


def test_without_a_voice_nothing_offers_to_read(server: Server, browser: Browser) -> None:
    context = new_context(browser, server, DESK)
    context.add_init_script("delete Window.prototype.speechSynthesis; delete window.speechSynthesis")
    page = context.new_page()
    begin(server, page)
    page.locator(".comfort summary").click()
    expect(page.get_by_role("button", name="一页十题")).to_be_visible()
    expect(page.locator("#aloud")).to_be_hidden()
    context.close()


def test_the_language_changes_without_losing_place_or_answers(server: Server, desk: Page) -> None:
    _, choices, _, _ = begin(server, desk)
    go_to(desk, 7)
    desk.route("**/answers", lambda route: route.abort())
    choose(desk, 7, choices[6][0])
    expect_waiting(desk, 1)
    desk.locator(".comfort summary").click()
    desk.get_by_role("button", name="English").click()
    expect(desk.locator("#item-7")).to_be_visible()
    expect(desk.locator("#save-state")).to_have_text("1 waiting to be sent, keep going")
    expect(desk.locator(f"#item-7 input[value='{choices[6][0]}']")).to_be_checked()
    desk.unroute("**/answers")
    desk.evaluate("window.dispatchEvent(new Event('online'))")
    expect(desk.locator("#save-state")).to_have_text(f"All saved · 1/{ITEMS} answered", timeout=20_000)
    inspect(desk, "sitting-english")


def test_a_granted_accommodation_is_on_from_the_start(server: Server, phone: Page) -> None:
    phone.add_init_script(SPEECH)

    async def prepare(session: Any) -> Any:  # noqa: ANN401 - handed to server.do
        known, booking = await make_checked_in(session, server.vault, now=server.clock.now())
        await grant(session, booking.application_id)
        return known.phone, booking.id

    login, booking_id = server.do(prepare)
    sign_in(phone, login, PASSWORD)
    phone.goto(f"/sittings/start/booking/{booking_id}")
    expect(phone.get_by_text("考试时间延长 25%，共 150 分钟。")).to_be_visible()
    inspect(phone, "sitting-start-granted")
    phone.get_by_role("button", name="信息无误，开始考试").click()
    expect(phone.locator("#item-1 .read-item")).to_be_visible()
    expect(phone.locator("html")).to_have_class("has-script large-type high-contrast reads-aloud")
    expect(phone.locator("#time-left")).to_contain_text("2:29:")
    inspect(phone, "sitting-granted")


async def grant(session: Any, application_id: object) -> None:  # noqa: ANN401 - of server.do
    application = await session.get_one(Application, application_id)
    granted = Accommodations(extra_percent=25, large_type=True, high_contrast=True, read_aloud=True)
    application.accommodations = granted.stored()
    session.add(application)


def facts_of(server: Server, path: str) -> list[Any]:
    return server.do(lambda session: list_facts(session, sitting_id=the_id(path)))  # type: ignore[no-any-return]


def test_facts_of_the_screen_reach_the_server_once_and_wait_for_the_network(server: Server, desk: Page) -> None:
    path, _, _ = begin_certificate_exam(server, desk)
    desk.keyboard.press("Control+C")
    desk.evaluate("document.dispatchEvent(new ClipboardEvent('copy'))")
    desk.context.set_offline(True)
    desk.evaluate("document.dispatchEvent(new ClipboardEvent('paste'))")
    desk.evaluate(
        """() => {
            const set = (hidden) => {
                Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
                document.dispatchEvent(new Event("visibilitychange"));
            };
            set(true);
            setTimeout(() => set(false), 2200);
        }"""
    )
    desk.wait_for_timeout(6000)
    desk.context.set_offline(False)
    wanted = {IntegrityKind.COPY, IntegrityKind.PASTE, IntegrityKind.TAB_HIDDEN, IntegrityKind.NETWORK_GAP}
    for _ in range(40):
        facts = facts_of(server, path)
        if wanted <= {fact.kind for fact in facts}:
            break
        desk.wait_for_timeout(500)
    assert wanted <= {fact.kind for fact in facts}
    assert next(fact.seconds for fact in facts if fact.kind is IntegrityKind.TAB_HIDDEN) in {2, 3}
    assert next(fact.seconds for fact in facts if fact.kind is IntegrityKind.NETWORK_GAP) >= 3
    assert not desk.evaluate(f"localStorage.getItem('anpei-facts-{the_id(path)}')")


def test_leaving_full_screen_is_said_and_recorded_but_handing_in_is_not_leaving(server: Server, desk: Page) -> None:
    path, _, _ = begin_certificate_exam(server, desk)
    button = desk.get_by_role("button", name="全屏作答")
    button.click()
    desk.wait_for_function("() => document.fullscreenElement !== null")
    expect(button).to_be_hidden()
    desk.evaluate("document.exitFullscreen()")
    expect(desk.locator("#notice")).to_contain_text("您已离开全屏")
    desk.wait_for_timeout(1200)
    button.click()
    for _ in range(20):
        facts = facts_of(server, path)
        if facts:
            break
        desk.wait_for_timeout(300)
    assert [fact.kind for fact in facts] == [IntegrityKind.LEFT_FULL_SCREEN]
    server.clock.advance(minutes=40)
    desk.reload()
    desk.get_by_role("link", name="交卷").click()
    expect(desk.get_by_role("heading", name="确认交卷")).to_be_visible()
    desk.go_back()
    desk.wait_for_timeout(500)
    assert len(facts_of(server, path)) == 1

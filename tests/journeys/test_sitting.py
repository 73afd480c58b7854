"""A candidate sits an exam on a phone: the network fails twice, the page is reloaded, nothing is lost."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from playwright.sync_api import expect

from exams.sheets import get_result
from tests.journeys.conftest import DESK, PHONE, inspect, new_context, sign_in
from tests.journeys.exam_page import ITEMS, begin, choose
from tests.makers.people import PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.journeys.conftest import Server


def test_the_network_is_cut_twice_and_the_page_reloaded_and_every_answer_counts(server: Server, phone: Page) -> None:
    path, choices, person_id, _ = begin(server, phone)
    inspect(phone, "sitting")
    saved = phone.locator("#save-state")
    for position in range(1, 11):
        choose(phone, position, choices[position - 1])
        phone.get_by_role("button", name="下一题").click()
    expect(saved).to_have_text(f"全部已保存 · 已答 10/{ITEMS}")

    phone.context.set_offline(True)
    for position in range(11, 21):
        choose(phone, position, choices[position - 1])
        phone.get_by_role("button", name="下一题").click()
    expect(saved).to_contain_text("条等待上传")
    inspect(phone, "sitting-waiting")
    phone.context.set_offline(False)
    expect(saved).to_have_text(f"全部已保存 · 已答 20/{ITEMS}", timeout=20_000)

    phone.context.set_offline(True)
    choose(phone, 21, choices[20])
    phone.get_by_role("button", name="下一题").click()
    choose(phone, 22, choices[21])
    expect(saved).to_contain_text("2 条等待上传")
    phone.context.set_offline(False)
    phone.goto(path)
    expect(saved).to_have_text(f"全部已保存 · 已答 22/{ITEMS}", timeout=20_000)
    assert phone.locator("#item-22 input[name=choice]:checked").count() == len(choices[21])

    for position in range(23, ITEMS):
        phone.evaluate("() => {}")
        phone.locator(f".palette-grid .mark[data-position='{position}']").evaluate("mark => mark.click()")
        choose(phone, position, choices[position - 1])
    expect(saved).to_have_text(f"全部已保存 · 已答 {ITEMS - 1}/{ITEMS}", timeout=20_000)
    phone.get_by_role("link", name="交卷").click()
    expect(phone.get_by_text("还有 1 题没有作答")).to_be_visible()
    inspect(phone, "sitting-hand-in")
    phone.get_by_role("button", name="确认交卷").click()
    phone.wait_for_url("**/result")
    inspect(phone, "sitting-result")
    sitting_id = UUID(path.rpartition("/")[2])
    result = server.do(lambda session: get_result(session, sitting_id=sitting_id, person_id=person_id))
    assert result.points == 98
    assert result.passed


def test_keys_answer_flag_and_turn_the_page(server: Server, desk: Page) -> None:
    begin(server, desk)
    inspect(desk, "sitting")
    desk.keyboard.press("1")
    expect(desk.locator("#item-1 input[name=choice]").first).to_be_checked()
    desk.keyboard.press("f")
    expect(desk.locator("#flag")).to_have_attribute("aria-pressed", "true")
    desk.keyboard.press("ArrowRight")
    expect(desk.locator("#item-2")).to_be_visible()
    desk.keyboard.press("b")
    expect(desk.locator("#item-2 input[name=choice]").nth(1)).to_be_checked()
    expect(desk.locator("#save-state")).to_have_text(f"全部已保存 · 已答 2/{ITEMS}")


def test_of_two_tabs_the_newer_answers(server: Server, desk: Page) -> None:
    path, _, _, _ = begin(server, desk)
    other = desk.context.new_page()
    other.goto(path)
    expect(desk.locator("#notice")).to_contain_text("另一个标签页")
    other.keyboard.press("1")
    expect(other.locator("#save-state")).to_have_text(f"全部已保存 · 已答 1/{ITEMS}")
    other.close()
    desk.get_by_role("button", name="改在这里作答").click()
    expect(desk.locator("#save-state")).to_have_text(f"全部已保存 · 已答 1/{ITEMS}")
    desk.keyboard.press("2")
    expect(desk.locator("#save-state")).to_have_text(f"全部已保存 · 已答 1/{ITEMS}")
    expect(desk.locator("#item-1 input[name=choice]").nth(1)).to_be_checked()


def test_another_device_takes_over_an_enterprise_exam_with_a_notice(
    server: Server, browser: Browser, phone: Page
) -> None:
    path, _, _, login = begin(server, phone)
    phone.locator("#item-1 label.option").first.click()
    expect(phone.locator("#save-state")).to_have_text(f"全部已保存 · 已答 1/{ITEMS}")
    context = new_context(browser, server, DESK)
    page = context.new_page()
    sign_in(page, login, PASSWORD)
    page.goto(path)
    inspect(page, "sitting-elsewhere")
    page.get_by_role("button", name="在这台设备上继续").click()
    expect(page.locator("#save-state")).to_have_text(f"全部已保存 · 已答 1/{ITEMS}")
    expect(phone.locator("#notice")).to_contain_text("另一台设备")  # told by push, before the next answer
    expect(phone.locator("#item-1 input[name=choice]").first).to_be_disabled()
    context.close()


def test_without_a_script_every_answer_can_still_be_saved(server: Server, browser: Browser, phone: Page) -> None:
    path, _, _, _ = begin(server, phone)
    cookies = phone.context.cookies()
    context = new_context(browser, server, PHONE, java_script_enabled=False)
    context.add_cookies(cookies)  # type: ignore[arg-type]  # what one context gives, another takes
    page = context.new_page()
    page.goto(path)
    page.locator("#item-1 input[name=choice]").first.check()
    page.locator("#item-1").get_by_role("button", name="保存本题").click()
    page.goto(path)
    expect(page.locator("#save-state")).to_have_text(f"全部已保存 · 已答 1/{ITEMS}")
    expect(page.locator("#item-1 input[name=choice]").first).to_be_checked()
    context.close()

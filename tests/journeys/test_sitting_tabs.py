"""One candidate, several pages: tabs of one browser, another program with the same token, the site's own acts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
from playwright.sync_api import expect

from exams.answers import list_events
from exams.chain import verify_chain
from exams.marking import last_choices
from exams.models import ExamSession
from exams.sittings import extend_sitting, pause_sitting, release_device, resume_paused
from tests.journeys.conftest import DESK, inspect, new_context, sign_in
from tests.journeys.exam_page import (
    begin,
    choose,
    end_soon,
    expect_saved,
    expect_waiting,
    go_to,
    read_events,
    read_sitting,
    stored_rows,
    the_id,
)
from tests.makers.people import PASSWORD, make_person
from tests.makers.sittings import make_checked_in

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from uuid import UUID

    from playwright.sync_api import Browser, Page

    from tests.journeys.conftest import Server


def begin_certificate_exam(server: Server, page: Page) -> tuple[str, UUID, UUID]:
    """A checked-in candidate signs in and starts. Gives the page's path, the site and its head."""

    async def prepare(session: Any) -> Any:  # noqa: ANN401 - handed to server.do
        now = server.clock.now()
        known, booking = await make_checked_in(session, server.vault, now=now)
        exam_session = await session.get_one(ExamSession, booking.exam_session_id)
        head = await make_person(session, server.vault, now=now, name="周主任")
        return known.phone, booking.id, exam_session.site_id, head.person.id

    login, booking_id, site_id, head_id = server.do(prepare)
    sign_in(page, login, PASSWORD)
    page.goto(f"/sittings/start/booking/{booking_id}")
    inspect(page, "sitting-start-certificate")
    page.get_by_role("button", name="信息无误，开始考试").click()
    page.wait_for_url(lambda url: "start" not in url)
    expect(page.locator("#item-1")).to_be_visible()
    return page.url.removeprefix(server.url), site_id, head_id


def at_site(
    server: Server, act: Callable[..., Awaitable[Any]], path: str, site_id: UUID, actor_id: UUID, **more: object
) -> None:
    """What the site head does to the sitting."""
    server.do(
        lambda session: act(
            session, sitting_id=the_id(path), site_id=site_id, actor_id=actor_id, now=server.clock.now(), **more
        )
    )


def test_a_newer_tab_takes_over_what_the_older_could_not_send(server: Server, desk: Page) -> None:
    path, choices, _, _ = begin(server, desk)
    desk.route("**/answers", lambda route: route.abort())
    for position in (1, 2):
        go_to(desk, position)
        choose(desk, position, choices[position - 1][0])
    expect_waiting(desk, 2)
    other = desk.context.new_page()
    other.goto(path)
    expect_saved(other, 2)
    expect(desk.locator("#notice")).to_contain_text("另一个标签页")
    expect(desk.locator("#item-1 input[name=choice]").first).to_be_disabled()
    go_to(other, 3)
    choose(other, 3, choices[2][0])
    expect_saved(other, 3)
    desk.unroute("**/answers")
    desk.get_by_role("button", name="改在这里作答").click()
    expect_saved(desk, 3)
    expect(other.locator("#notice")).to_contain_text("另一个标签页")
    assert [event.seq for event in read_events(server, path)] == [1, 2, 3]
    other.close()


def test_two_tabs_that_both_answer_lose_nothing(server: Server, desk: Page) -> None:
    """The rule of one tab relies on the browser's storage events; here they do not come."""
    path, choices, _, _ = begin(server, desk)
    other = desk.context.new_page()
    other.goto(path)
    # Awake again, each with its own idea of the next number.
    desk.reload()
    other.add_init_script("window.addEventListener('storage', (event) => event.stopImmediatePropagation(), true)")
    desk.add_init_script("window.addEventListener('storage', (event) => event.stopImmediatePropagation(), true)")
    other.reload()
    desk.reload()
    for page in (desk, other):
        page.route("**/answers", lambda route: route.abort())
    choose(desk, 1, choices[0][0])
    go_to(other, 2)
    choose(other, 2, choices[1][0])
    go_to(desk, 3)
    choose(desk, 3, choices[2][0])
    desk.wait_for_timeout(500)
    assert len(stored_rows(desk)) == 3
    for page in (desk, other):
        page.unroute("**/answers")
        page.evaluate("window.dispatchEvent(new Event('online'))")
    desk.wait_for_timeout(4000)
    desk.reload()
    expect_saved(desk, 3)
    assert {event.position for event in read_events(server, path)} == {1, 2, 3}
    other.close()


def test_of_numbers_that_something_else_used_the_later_act_stays_the_later(server: Server, desk: Page) -> None:
    path, choices, _, _ = begin(server, desk)
    desk.route("**/answers", lambda route: route.abort())
    place = next(place for place, letters in enumerate(choices, 1) if len(letters) == 1)
    go_to(desk, place)
    desk.keyboard.press("1")
    desk.keyboard.press("2")
    expect_waiting(desk, 2)
    token = desk.locator("#sitting").get_attribute("data-token") or ""
    other = place + 1
    reply = httpx.put(
        f"{server.url}/api/v1{path}/answers",
        headers={"x-sitting-token": token},
        json={"answers": [{"seq": 1, "position": other, "choice": choices[other - 1]}]},
    )
    assert reply.status_code == 200
    desk.unroute("**/answers")
    desk.evaluate("window.dispatchEvent(new Event('online'))")
    expect_saved(desk, 2)
    assert stored_rows(desk) == []
    events = server.do(lambda session: list_events(session, the_id(path)))
    assert events[0].position == other
    chosen = last_choices((event.seq, event.position, event.choice) for event in events)
    desk.reload()
    expect(desk.locator(f"#item-{place} input[name=choice]").nth(1)).to_be_checked()
    assert chosen[place] == desk.locator(f"#item-{place} input[name=choice]").nth(1).get_attribute("value")
    # What comes now continues the chain, so that it would be proven if it came late.
    go_to(desk, place)
    desk.keyboard.press("1")
    expect_saved(desk, 2)
    desk.wait_for_function("() => !document.getElementById('save-state').classList.contains('is-waiting')")
    events = server.do(lambda session: list_events(session, the_id(path)))
    head = verify_chain(the_id(path), events).head
    assert events[-1].link == head


def test_a_reload_in_the_middle_of_an_answer_keeps_it(server: Server, phone: Page) -> None:
    path, choices, _, _ = begin(server, phone)
    for position in (1, 2, 3, 4):
        go_to(phone, position)
        choose(phone, position, choices[position - 1])
        phone.reload()
        expect(phone.locator(f"#item-{position} input[name=choice]:checked")).to_have_count(len(choices[position - 1]))
    expect_saved(phone, 4)
    assert {event.position for event in read_events(server, path)} == {1, 2, 3, 4}


def test_more_time_a_pause_and_a_release_are_shown_at_once_with_their_reasons(server: Server, desk: Page) -> None:
    path, site_id, head_id = begin_certificate_exam(server, desk)
    inspect(desk, "sitting-certificate")
    notice = desk.locator("#notice")
    at_site(server, extend_sitting, path, site_id, head_id, minutes=15, reason="停电补时")
    expect(notice).to_contain_text("考试点为您延长了 15 分钟。原因：停电补时", timeout=5000)
    expect(desk.locator("#time-left")).to_contain_text("2:14:")
    at_site(server, pause_sitting, path, site_id, head_id, reason="火警疏散")
    expect(desk.get_by_role("heading", name="考试已暂停")).to_be_visible(timeout=5000)
    expect(desk.locator("#paused-reason")).to_contain_text("火警疏散")
    expect(desk.locator("#items")).to_be_hidden()
    inspect(desk, "sitting-paused")
    left = desk.locator("#time-left").inner_text()
    desk.keyboard.press("1")
    desk.wait_for_timeout(2500)
    assert desk.locator("#time-left").inner_text() == left
    desk.reload()
    expect(desk.get_by_text("考试已暂停")).to_be_visible()
    inspect(desk, "sitting-paused-reloaded")
    at_site(server, resume_paused, path, site_id, head_id, reason="警报解除")
    expect(desk.locator("#item-1.is-shown")).to_be_visible(timeout=10_000)  # the script has begun
    desk.keyboard.press("1")
    expect(desk.locator("#save-state")).to_contain_text("全部已保存 · 已答 1/")
    at_site(server, release_device, path, site_id, head_id, reason="鼠标坏了")
    expect(notice).to_contain_text("考试点已放行换机", timeout=5000)
    expect(notice).to_contain_text("鼠标坏了")


def test_without_server_push_the_page_asks(server: Server, desk: Page) -> None:
    desk.add_init_script("delete window.EventSource")
    desk.clock.install()
    path, site_id, head_id = begin_certificate_exam(server, desk)
    at_site(server, extend_sitting, path, site_id, head_id, minutes=15, reason="停电补时")
    desk.clock.run_for(31_000)
    expect(desk.locator("#notice")).to_contain_text("考试点为您延长了 15 分钟", timeout=10_000)


def test_more_time_that_a_page_had_not_heard_of_is_not_cut_off(server: Server, desk: Page) -> None:
    path, choices, _, _ = begin(server, desk)
    end_soon(server, path, 8)
    desk.add_init_script("delete window.EventSource")
    desk.reload()
    choose(desk, 1, choices[0][0])
    expect_saved(desk, 1)
    end_soon(server, path, 600)
    desk.wait_for_timeout(9000)
    expect(desk.locator("#notice")).to_contain_text("考试时间已调整", timeout=10_000)
    go_to(desk, 2)
    choose(desk, 2, choices[1][0])
    expect_saved(desk, 2)
    assert read_sitting(server, path).submitted_at is None


def test_when_the_time_is_up_the_page_hands_in_by_itself(server: Server, desk: Page) -> None:
    server.spread_hand_ins(4)
    path, choices, _, _ = begin(server, desk)
    end_soon(server, path, 6)
    desk.reload()
    choose(desk, 1, choices[0][0])
    expect(desk.locator("#notice")).to_contain_text("正在依次交卷，请稍候，不超过 9 秒", timeout=20_000)
    desk.wait_for_url("**/result", timeout=30_000)
    expect(desk.get_by_text("到时自动交卷")).to_be_visible()
    sitting = read_sitting(server, path)
    assert sitting.submitted_at == sitting.deadline


def test_looking_from_another_device_when_the_time_is_up_cuts_nothing_off(
    server: Server, browser: Browser, phone: Page
) -> None:
    path, choices, _, login = begin(server, phone)
    end_soon(server, path, 8)
    phone.reload()
    phone.context.set_offline(True)
    choose(phone, 1, choices[0])
    expect(phone.locator("#notice")).to_contain_text("个答案等待联网上传", timeout=20_000)
    context = new_context(browser, server, DESK)
    desk = context.new_page()
    sign_in(desk, login, PASSWORD)
    desk.goto(f"{path}/result")
    expect(desk.get_by_text("作答的那台设备可能还在上传")).to_be_visible()
    inspect(desk, "sitting-closing-elsewhere")
    desk.wait_for_timeout(2000)
    assert read_sitting(server, path).submitted_at is None
    phone.context.set_offline(False)
    phone.wait_for_url("**/result", timeout=30_000)
    assert {event.position for event in read_events(server, path)} == {1}
    desk.wait_for_url("**/result", timeout=30_000)
    context.close()

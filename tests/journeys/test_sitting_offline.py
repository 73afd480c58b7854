"""The network, the power, the store or the clock of a candidate's computer fails: what was answered counts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from playwright.sync_api import expect
from sqlmodel import col, select

from exams.late_answers import list_late
from exams.models import IntegrityEvent, IntegrityKind, LateReason, SittingStatus
from exams.sheets import get_result
from tests.exams.test_chain import FIRST, GOLDEN, SITTING
from tests.journeys.conftest import PHONE, inspect, new_context
from tests.journeys.exam_page import (
    ITEMS,
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
from tests.makers.servers import stage

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.journeys.conftest import Server


def test_the_browser_makes_the_same_links_as_the_server(server: Server, phone: Page) -> None:
    begin(server, phone)
    links = phone.evaluate(
        """([first, acts]) => {
            let head = AnpeiChain.bytesOf(first);
            return acts.map(([seq, position, choice, at]) => {
                head = AnpeiChain.nextLink(head, { seq, position, choice, at });
                return AnpeiChain.hexOf(head);
            });
        }""",
        [FIRST, [act[:4] for act in GOLDEN]],
    )
    assert SITTING
    assert links == [act[4] for act in GOLDEN]


def test_what_waits_in_the_browser_is_sealed_and_survives_a_reload(server: Server, phone: Page) -> None:
    path, choices, _, _ = begin(server, phone)
    phone.route("**/answers", lambda route: route.abort())
    for position in (1, 2, 3):
        go_to(phone, position)
        choose(phone, position, choices[position - 1])
    acts = sum(len(choice) for choice in choices[:3])
    expect_waiting(phone, acts)
    rows = stored_rows(phone)
    assert len(rows) == acts
    for row in rows:
        assert set(row) == {"sitting", "seq", "iv", "sealed"}
    assert not phone.evaluate("Object.keys(localStorage).filter(key => key.includes('anpei-act'))")
    phone.reload()
    expect_waiting(phone, len(rows))
    phone.unroute("**/answers")
    phone.evaluate("window.dispatchEvent(new Event('online'))")
    expect_saved(phone, 3)
    assert stored_rows(phone) == []
    events = read_events(server, path)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert all(event.link for event in events)


def test_plain_rows_of_an_older_page_are_still_sent(server: Server, phone: Page) -> None:
    path, choices, _, _ = begin(server, phone)
    phone.goto("/sittings")
    phone.evaluate(
        """([sitting, choice]) => new Promise((resolve) => {
            const request = indexedDB.open("anpei", 1);
            request.onsuccess = () => {
                const transaction = request.result.transaction("acts", "readwrite");
                transaction.objectStore("acts").put({
                    sitting, seq: 1, position: 1, choice, at: new Date().toISOString(),
                });
                transaction.oncomplete = resolve;
            };
        })""",
        [str(the_id(path)), choices[0]],
    )
    phone.goto(path)
    expect_saved(phone, 1)
    assert phone.locator("#item-1 input[name=choice]:checked").count() == len(choices[0])
    [event] = read_events(server, path)
    assert event.choice == choices[0]
    assert event.link  # made as the row was taken in


def test_without_crypto_subtle_answers_are_kept_as_they_are_and_none_is_lost(server: Server, browser: Browser) -> None:
    context = new_context(browser, server, PHONE)
    context.add_init_script("Object.defineProperty(crypto, 'subtle', { value: undefined })")
    page = context.new_page()
    path, choices, _, _ = begin(server, page)
    page.route("**/answers", lambda route: route.abort())
    choose(page, 1, choices[0][0])
    expect_waiting(page, 1)
    [row] = stored_rows(page)
    assert row["choice"] == choices[0][0]
    page.unroute("**/answers")
    page.reload()
    expect_saved(page, 1)
    assert len(read_events(server, path)) == 1
    context.close()


def test_without_indexeddb_answers_wait_sealed_in_local_storage(server: Server, browser: Browser) -> None:
    context = new_context(browser, server, PHONE)
    context.add_init_script("Object.defineProperty(window, 'indexedDB', { value: undefined })")
    page = context.new_page()
    _, choices, _, _ = begin(server, page)
    page.route("**/answers", lambda route: route.abort())
    choose(page, 1, choices[0][0])
    expect_waiting(page, 1)
    [row] = page.evaluate("Object.keys(localStorage).filter(k => k.includes('act')).map(k => localStorage[k])")
    assert "sealed" in row
    assert "choice" not in row
    page.unroute("**/answers")
    page.reload()
    expect_saved(page, 1)
    context.close()


def test_five_minutes_without_network_lose_nothing_and_the_times_are_true(server: Server, phone: Page) -> None:
    phone.clock.install()
    path, choices, _, _ = begin(server, phone)
    choose(phone, 1, choices[0])
    expect_saved(phone, 1)
    phone.context.set_offline(True)
    for position in range(2, 6):
        go_to(phone, position)
        choose(phone, position, choices[position - 1])
    left = server.clock.now()
    server.clock.advance(minutes=5)
    phone.clock.fast_forward("05:00")
    for position in range(6, 11):
        go_to(phone, position)
        choose(phone, position, choices[position - 1])
    expect(phone.locator("#time-left")).to_contain_text("0:54:")
    inspect(phone, "sitting-five-minutes-offline")
    phone.context.set_offline(False)
    phone.clock.run_for(16_000)
    expect_saved(phone, 10, timeout=30_000)
    events = read_events(server, path)
    times = {event.position: event.answered_at for event in events if event.answered_at}
    assert all(times[position] < left for position in range(1, 6))
    assert all(times[position] >= left + timedelta(minutes=4, seconds=59) for position in range(6, 11))
    expect_fact(server, phone, path, IntegrityKind.NETWORK_GAP, at_least=290)


def expect_fact(server: Server, page: Page, path: str, kind: IntegrityKind, *, at_least: int) -> None:
    """The fact arrives, soon."""
    statement = select(IntegrityEvent).where(
        IntegrityEvent.sitting_id == the_id(path), col(IntegrityEvent.kind) == kind
    )

    async def read(session):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - handed to server.do
        return (await session.exec(statement)).all()

    for _ in range(20):
        if facts := server.do(read):
            assert max(fact.seconds for fact in facts) >= at_least
            return
        page.wait_for_timeout(500)
    pytest.fail(f"no fact of {kind}")


def test_time_runs_out_offline_and_what_arrives_within_the_grace_counts(server: Server, phone: Page) -> None:
    path, choices, person_id, _ = begin(server, phone)
    deadline = end_soon(server, path, 10)
    phone.reload()
    choose(phone, 1, choices[0])
    expect_saved(phone, 1)
    phone.context.set_offline(True)
    for position in (2, 3):
        go_to(phone, position)
        choose(phone, position, choices[position - 1])
    expect(phone.locator("#notice")).to_contain_text("个答案等待联网上传（宽限 2 分钟内凭作答链计分）", timeout=20_000)
    expect(phone.locator("#item-3 input[name=choice]").first).to_be_disabled()
    inspect(phone, "sitting-time-up-offline")
    phone.context.set_offline(False)
    phone.wait_for_url("**/result", timeout=30_000)
    events = read_events(server, path)
    assert {event.position for event in events} == {1, 2, 3}
    assert all(event.answered_at < deadline for event in events if event.answered_at)
    assert max(event.saved_at for event in events) >= deadline
    sitting = read_sitting(server, path)
    assert (sitting.status, sitting.submitted_at) == (SittingStatus.TIMED_OUT, deadline)
    result = server.do(lambda session: get_result(session, sitting_id=the_id(path), person_id=person_id))
    assert result.points == 6


def test_time_runs_out_offline_and_the_browser_dies_and_it_still_counts(server: Server, phone: Page) -> None:
    path, choices, _, _ = begin(server, phone)
    end_soon(server, path, 8)
    phone.reload()
    phone.route("**/answers", lambda route: route.abort())
    choose(phone, 1, choices[0])
    expect(phone.locator("#notice")).to_contain_text("个答案等待联网上传", timeout=20_000)
    phone.goto("about:blank")
    phone.goto(path)
    expect(phone.get_by_text("时间到，正在收卷")).to_be_visible()
    inspect(phone, "sitting-closing")
    phone.unroute("**/answers")
    phone.wait_for_url("**/result", timeout=30_000)
    assert {event.position for event in read_events(server, path)} == {1}


def test_what_arrives_after_the_grace_is_kept_and_said_not_to_count(server: Server, phone: Page) -> None:
    path, choices, person_id, _ = begin(server, phone)
    end_soon(server, path, 8)
    phone.reload()
    phone.context.set_offline(True)
    for position in (1, 2):
        go_to(phone, position)
        choose(phone, position, choices[position - 1][0])
    expect(phone.locator("#notice")).to_contain_text("2 个答案等待联网上传", timeout=20_000)
    server.clock.advance(minutes=5)
    phone.context.set_offline(False)
    expect(phone.locator("#notice")).to_contain_text("有 2 个答案在规定时间之后才到达", timeout=30_000)
    expect(phone.locator("#notice")).to_contain_text("没有计入成绩")
    inspect(phone, "sitting-kept-late")
    assert stored_rows(phone) == []
    assert len(read_events(server, path)) == 0
    late = server.do(lambda session: list_late(session, [the_id(path)]))
    assert [(act.position, act.reason) for act in late] == [(1, LateReason.AFTER_GRACE), (2, LateReason.AFTER_GRACE)]
    phone.get_by_role("link", name="查看成绩").click()
    phone.wait_for_url("**/result")
    result = server.do(lambda session: get_result(session, sitting_id=the_id(path), person_id=person_id))
    assert result.points == 0


def test_rows_left_in_a_browser_after_the_end_still_reach_the_authority(server: Server, phone: Page) -> None:
    path, choices, _, _ = begin(server, phone)
    phone.route("**/answers", lambda route: route.abort())
    choose(phone, 1, choices[0][0])
    expect_waiting(phone, 1)
    phone.goto("about:blank")
    phone.unroute("**/answers")
    server.clock.advance(minutes=70)
    phone.goto(path)
    phone.wait_for_url("**/result")
    expect(phone.locator("#notice")).to_contain_text("有 1 个答案在规定时间之后才到达", timeout=20_000)
    inspect(phone, "sitting-result-kept-late")
    [late] = server.do(lambda session: list_late(session, [the_id(path)]))
    assert late.choice == choices[0][0]
    phone.reload()
    expect(phone.locator("#notice")).to_be_hidden()


@pytest.mark.parametrize("days", [-1, 1])
def test_a_computer_whose_clock_is_a_day_off_keeps_the_right_time(server: Server, phone: Page, days: int) -> None:
    phone.clock.install(time=datetime.now(UTC) + timedelta(days=days))  # noqa: TID251 - the browser's clock
    path, choices, _, _ = begin(server, phone)
    choose(phone, 1, choices[0][0])
    expect_saved(phone, 1)
    phone.clock.set_system_time(datetime.now(UTC) - timedelta(days=days))  # noqa: TID251 - as above
    go_to(phone, 2)
    choose(phone, 2, choices[1][0])
    expect_saved(phone, 2)
    expect(phone.locator("#time-left")).to_contain_text("0:59:")
    sitting = read_sitting(server, path)
    for event in read_events(server, path):
        assert event.answered_at
        assert sitting.started_at <= event.answered_at <= event.saved_at
        assert event.saved_at - event.answered_at < timedelta(seconds=10)


def test_the_server_is_killed_while_a_candidate_answers(browser: Browser) -> None:
    # What runs an event loop of its own gets another thread than Playwright's.
    with ThreadPoolExecutor(1) as pool, ExitStack() as left_at_end:
        real = pool.submit(left_at_end.enter_context, stage()).result()
        real.start_web()
        [sitting] = pool.submit(real.make_sittings, 1).result()
        context = browser.new_context(base_url=real.url, locale="zh-CN", viewport={"width": 390, "height": 844})
        context.add_cookies([{"name": "anpei_sign_in", "value": sitting.sign_in_token, "url": real.url}])
        page = context.new_page()
        page.goto(f"/sittings/{UUID(str(sitting.sitting_id))}")
        saved = page.locator("#save-state")
        page.locator("#item-1 label.option").first.click()
        expect(saved).to_contain_text("全部已保存 · 已答 1/")
        real.kill_web()
        for position in (2, 3, 4):
            go_to(page, position)
            page.locator(f"#item-{position} label.option").first.click()
        expect(saved).to_contain_text("3 条等待上传，请继续答题")
        real.start_web()
        expect(saved).to_contain_text("全部已保存 · 已答 4/", timeout=40_000)
        page.reload()
        expect(saved).to_contain_text("全部已保存 · 已答 4/")
        context.close()


def test_a_page_at_360_px_shows_everything(server: Server, browser: Browser) -> None:
    context = new_context(browser, server, {"width": 360, "height": 640})
    page = context.new_page()
    begin(server, page)
    inspect(page, "sitting-narrow")
    page.get_by_text("显示", exact=True).click()
    inspect(page, "sitting-narrow-menu")
    assert page.locator(".item").count() == ITEMS
    context.close()

"""The first page and the sign-in page, as anyone meets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.journeys.conftest import inspect, sign_in
from tests.makers.people import PASSWORD, make_person

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.journeys.conftest import Server

_FIRST_VISIT_BYTES = 250_000


def test_the_first_visit_is_light_and_accessible(server: Server, phone: Page) -> None:
    weights: list[int] = []
    client = phone.context.new_cdp_session(phone)
    client.send("Network.enable")
    client.on("Network.loadingFinished", lambda event: weights.append(int(event["encodedDataLength"])))
    phone.goto("/", wait_until="networkidle")
    inspect(phone, "home")
    assert sum(weights) <= _FIRST_VISIT_BYTES, weights


def test_one_signs_in_by_keyboard_and_signs_out(server: Server, desk: Page) -> None:
    known = server.do(lambda session: make_person(session, server.vault, now=server.clock.now()))
    desk.goto("/sign-in")
    inspect(desk, "sign-in")
    sign_in(desk, known.phone, PASSWORD)
    desk.locator("details.account-menu summary").focus()
    desk.keyboard.press("Enter")
    desk.get_by_role("button", name="退出登录", exact=True).click()
    desk.get_by_role("link", name="登录").wait_for()

"""Journey (d): a centre opens a class, a learner signs in by the QR on the screen, the hours are credited."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import TYPE_CHECKING

import zxingcpp
from PIL import Image

from tests.journeys.conftest import inspect, sign_in
from tests.makers.classes import MadeCentre, make_centre
from tests.makers.people import PASSWORD, make_employee, make_organisation
from training.calendar import CHINA

if TYPE_CHECKING:
    from datetime import datetime

    from playwright.sync_api import Page
    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.journeys.conftest import Server
    from tests.makers.people import Known

TITLE = "低压电工初训（周末班）"


def _prepare(server: Server) -> tuple[MadeCentre, Known]:
    async def act(session: AsyncSession) -> tuple[MadeCentre, Known]:
        now = server.clock.now()
        centre = await make_centre(session, server.vault, now=now)
        employer = await make_organisation(session, now=now)
        return centre, await make_employee(session, server.vault, organisation=employer, now=now, name="吴学员")

    made: tuple[MadeCentre, Known] = server.do(act)
    return made


def _sign_in_anew(page: Page, known: Known) -> None:
    page.context.clear_cookies()
    sign_in(page, known.phone, PASSWORD)


def _open_class(page: Page, first: datetime) -> None:
    page.goto("/centre")
    inspect(page, "centre-empty")
    page.get_by_role("link", name="开班").first.click()
    page.get_by_label("课程", exact=True).select_option(label="低压电工初训")
    page.get_by_label("班名").fill(TITLE)
    page.get_by_label("教师", exact=True).select_option(label="郑老师")
    page.locator("#f-room").fill("三楼 301 教室")
    page.get_by_label("名额").fill("20")
    for number, topic in enumerate(("安全用电基础", "触电急救"), 1):
        row = page.get_by_role("group", name=f"第 {number} 次课")
        row.get_by_label("内容").fill(topic)
        row.get_by_label("日期").fill(f"{first + timedelta(days=number - 1):%Y-%m-%d}")
        row.get_by_label("上课").fill("09:00")
        row.get_by_label("下课").fill("12:00")
        row.get_by_label("学时").fill("4")
    inspect(page, "centre-class-form")
    page.get_by_role("button", name="开班").click()
    page.get_by_role("heading", name=TITLE, level=1).wait_for()
    inspect(page, "centre-class")


def _scan(page: Page) -> str:
    """What a camera reads from the classroom's screen."""
    picture = Image.open(io.BytesIO(page.locator("#attendance-code svg").screenshot()))
    (found,) = zxingcpp.read_barcodes(picture)
    return found.text


def test_a_centre_opens_a_class_and_credits_hours(server: Server, desk: Page, phone: Page) -> None:
    centre, learner = _prepare(server)
    tomorrow = (server.clock.now() + timedelta(days=1)).astimezone(CHINA)
    first = tomorrow.replace(hour=9, minute=0, second=0, microsecond=0)

    sign_in(desk, centre.manager.phone, PASSWORD)
    _open_class(desk, first)

    sign_in(phone, learner.phone, PASSWORD)
    phone.goto("/classes")
    inspect(phone, "classes")
    phone.get_by_role("link", name=f"查看{TITLE}").click()
    phone.get_by_role("button", name="报名").click()
    phone.get_by_text("您已报名").wait_for()
    inspect(phone, "class-enrolled")

    # The first lesson: the learner scans the screen.
    server.clock.set(first + timedelta(minutes=5))
    _sign_in_anew(desk, centre.teacher)
    desk.goto("/centre")
    desk.get_by_role("link", name="签到与点名").first.click()
    desk.get_by_role("link", name="在教室大屏显示签到码").click()
    inspect(desk, "attendance-screen")
    address = _scan(desk)
    assert address.startswith(f"{server.url}/attend/")
    phone.goto(address)
    phone.get_by_role("button", name="我已到课，签到").click()
    phone.get_by_text("签到成功").wait_for()
    inspect(phone, "attended")
    # The screen counts by itself, without a reload.
    desk.get_by_text("已到 1 / 1 人").wait_for(timeout=30_000)

    # The second lesson: the teacher ticks the list afterwards, then closes the class.
    server.clock.set(first + timedelta(days=1, hours=4))
    _sign_in_anew(desk, centre.teacher)
    desk.goto("/centre")
    desk.get_by_role("link", name=TITLE).first.click()
    desk.get_by_role("row", name="触电急救").get_by_role("link", name="签到与点名").click()
    desk.get_by_label("吴学员").check()
    desk.get_by_role("button", name="保存名单").click()
    desk.get_by_text("名单已保存").wait_for()
    inspect(desk, "attendance-sheet")
    desk.get_by_role("link", name="返回本班").click()
    desk.get_by_role("link", name="结班").click()
    desk.get_by_label("合格", exact=True).check()
    desk.get_by_label("吴学员的得分").fill("88")
    inspect(desk, "class-closing")
    desk.on("dialog", lambda dialog: dialog.accept())
    desk.get_by_role("button", name="结班并计入学时").click()
    desk.get_by_text("1 名学员的学时已计入培训记录").wait_for()
    inspect(desk, "class-closed")

    # The learner sees the record, with the hours of both lessons.
    _sign_in_anew(phone, learner)
    phone.goto("/learn/records")
    record = phone.get_by_text("低压电工初训").first
    record.wait_for()
    assert "合格，得分 88" in phone.content()
    inspect(phone, "record-of-a-class")

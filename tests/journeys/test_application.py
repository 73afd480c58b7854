"""First half of journey (b): an electrician applies by phone, is reviewed at a desk, books and holds a ticket."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pypdfium2
import zxingcpp
from sqlmodel import select

from exams.applications import MISSING_POINTS
from exams.models import Booking
from tests.journeys.conftest import DESK, PHONE, inspect, sign_in
from tests.makers.exams import PDF, fill_bank, make_reviewer, make_site_head, picture
from tests.makers.people import PASSWORD, make_person

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page
    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.journeys.conftest import Server
    from tests.makers.people import Known


def _prepare(server: Server) -> tuple[Known, Known, Known]:
    async def act(session: AsyncSession) -> tuple[Known, Known, Known]:
        now = server.clock.now()
        await fill_bank(session, server.vault, now=now)
        head, _ = await make_site_head(session, server.vault, now=now)
        reviewer = await make_reviewer(session, server.vault, now=now)
        who = await make_person(session, server.vault, now=now, name="欧阳电工")
        return who, head, reviewer

    people: tuple[Known, Known, Known] = server.do(act)
    return people


def _look(page: Page, name: str, *, first: dict[str, int]) -> None:
    for size in (DESK if first is PHONE else PHONE, first):
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        inspect(page, name)


def _open_session(page: Page, head: Known) -> None:
    sign_in(page, head.phone, PASSWORD)
    page.goto("/site/sessions")
    _look(page, "site-sessions-empty", first=DESK)
    page.get_by_role("link", name="登记考场").click()
    page.get_by_label("名称").fill("第一机房")
    page.get_by_label("座位数").fill("40")
    page.get_by_role("button", name="登记").click()
    _look(page, "site-rooms", first=DESK)
    page.goto("/site/sessions/new")
    page.get_by_label("考试项目").select_option("SO_1_2")
    page.get_by_label("开放座位数").fill("30")
    page.get_by_label("考试日期").fill("2099-01-05")
    _look(page, "site-session-new", first=DESK)
    page.get_by_role("button", name="开放预约").click()
    page.wait_for_url("**/site/sessions")
    _look(page, "site-sessions", first=DESK)


def _apply(page: Page, who: Known) -> None:
    sign_in(page, who.phone, PASSWORD)
    page.goto("/exams")
    _look(page, "exams-empty", first=PHONE)
    page.get_by_role("link", name="查看可报名的项目").click()
    _look(page, "exams-qualifications", first=PHONE)
    page.get_by_role("link", name="低压电工作业").click()
    _look(page, "exams-qualification", first=PHONE)
    page.get_by_role("button", name="开始报名").click()
    _look(page, "exams-application-draft", first=PHONE)
    page.get_by_role("link", name="继续：").click()
    page.get_by_label("学历", exact=True).select_option("COLLEGE")
    page.get_by_label("任职单位").fill("北京演示科技有限公司")
    page.get_by_text("学历证明：").click()
    page.get_by_label("上传证明文件").set_input_files({"name": "x.pdf", "mimeType": "application/pdf", "buffer": PDF})
    _look(page, "exams-background", first=PHONE)
    page.get_by_role("button", name="保存，下一步").click()
    _look(page, "exams-photo", first=PHONE)
    page.get_by_role("button", name="打开摄像头").click()
    page.get_by_role("button", name="拍照", exact=True).click()
    page.get_by_text("已拍好").wait_for()
    page.get_by_role("button", name="保存，下一步").click()
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.get_by_label("签名").fill("别人")
    page.get_by_role("button", name="签署").click()
    _look(page, "exams-health-error", first=PHONE)
    page.get_by_label("签名").fill("欧阳电工")
    page.get_by_role("button", name="签署").click()
    page.wait_for_url("**/check")
    _look(page, "exams-check", first=PHONE)
    page.get_by_role("button", name="提交申请").click()
    page.get_by_text("待审核").wait_for()
    _look(page, "exams-application-submitted", first=PHONE)


def _return_it(page: Page, reviewer: Known) -> None:
    sign_in(page, reviewer.phone, PASSWORD)
    page.goto("/authority/applications")
    _look(page, "authority-queue", first=DESK)
    page.get_by_role("link", name="审核", exact=True).click()
    _look(page, "authority-sheet", first=DESK)
    page.get_by_text("退回补正").click()
    page.get_by_label(MISSING_POINTS[0]).check()
    page.get_by_label("补充说明").fill("请在浅色背景前重拍。")
    page.get_by_role("button", name="确认退回").click()
    page.get_by_text("待补正").first.wait_for()


def _correct(page: Page) -> None:
    page.goto("/exams")
    _look(page, "exams-returned", first=PHONE)
    page.get_by_role("link", name="去补正").click()
    page.get_by_role("link", name="照片").click()
    page.get_by_label("选择照片").set_input_files(
        {"name": "me.jpg", "mimeType": "image/jpeg", "buffer": picture(side=600, colour="#cfe0f5")}
    )
    page.get_by_role("button", name="保存，下一步").click()
    page.wait_for_url("**/health")
    page.get_by_role("link", name="核对提交").click()
    page.get_by_role("button", name="提交申请").click()
    page.get_by_text("待审核").wait_for()


def _accept(page: Page) -> None:
    page.goto("/authority/applications")
    page.get_by_role("link", name="审核", exact=True).click()
    page.get_by_role("button", name="审核通过").click()
    page.get_by_text("作出决定").wait_for()


def _book(page: Page, server: Server, tmp_path: Path) -> None:
    page.goto("/exams")
    page.get_by_role("link", name="预约考试").click()
    _look(page, "exams-sessions", first=PHONE)
    page.get_by_role("button", name="预约").click()
    page.wait_for_url("**/exams/bookings/*")
    _look(page, "exams-ticket", first=PHONE)
    with page.expect_download() as started:
        page.get_by_role("link", name="下载准考证").click()
    file = tmp_path / "ticket.pdf"
    started.value.save_as(file)
    image = pypdfium2.PdfDocument(file)[0].render(scale=150 / 72).to_pil()
    token = server.do(_token)
    assert [code.text for code in zxingcpp.read_barcodes(image)] == [f"{server.url}/t/{token}"]
    page.goto("/exams")
    _look(page, "exams-booked", first=PHONE)


async def _token(session: AsyncSession) -> str:
    return (await session.exec(select(Booking.ticket_token))).one()


def test_an_electrician_applies_corrects_books_and_holds_a_ticket(
    server: Server, phone: Page, desk: Page, tmp_path: Path
) -> None:
    who, head, reviewer = _prepare(server)
    _open_session(desk, head)
    desk.context.clear_cookies()
    _apply(phone, who)
    _return_it(desk, reviewer)
    _correct(phone)
    _accept(desk)
    _book(phone, server, tmp_path)

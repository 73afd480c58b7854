"""The exam site in a browser: a camera at the desk, a ticket scanned, a session run on the board."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import qrcode
from playwright.sync_api import expect
from sqlmodel import select

from exams.models import Application, Booking, BookingStatus, CheckMethod, CheckVerdict, ExamPart, IdentityCheck
from exams.starting import start_sitting
from tests.faces import as_jpeg, camera_video, person_a, person_a_again, person_b
from tests.journeys.conftest import DESK, PHONE, browser_with, inspect, new_context, sign_in
from tests.makers.check_in import Desk, make_assessor, make_checked_in, make_desk
from tests.makers.people import PASSWORD
from tests.makers.sittings import make_device
from training.files import keep_file
from training.models import StoredFile

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page, Playwright
    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.journeys.conftest import Server


def make(server: Server, *, candidates: int = 1, part: ExamPart = ExamPart.THEORY) -> Desk:
    """A desk whose candidates all look like person A on file."""

    async def prepare(session: AsyncSession) -> Desk:
        now, store = server.clock.now(), server.services.store
        made = await make_desk(session, server.vault, now=now, candidates=candidates, part=part, store=store)
        for booking in made.bookings:
            photo = await keep_file(
                session, store=store, data=person_a()[0], media_type="image/jpeg", purpose="application-photo",
                now=now, owner_id=booking.person_id, vault=server.vault,
            )  # fmt: skip
            application = await session.get_one(Application, booking.application_id)
            person = await session.get_one(type(made.candidate.person), booking.person_id)
            application.photo_id = person.photo_id = photo.id
            session.add_all([application, person])
        return made

    desk: Desk = server.do(prepare)
    return desk


def find(server: Server, desk: Desk) -> tuple[BookingStatus, list[tuple[CheckMethod, CheckVerdict]], int]:
    async def read(session: AsyncSession) -> tuple[BookingStatus, list[tuple[CheckMethod, CheckVerdict]], int]:
        booking = await session.get_one(Booking, desk.booking.id)
        checks = select(IdentityCheck).where(IdentityCheck.booking_id == booking.id).order_by(IdentityCheck.at)  # type: ignore[arg-type]
        found = [(check.method, check.verdict) for check in (await session.exec(checks)).all()]
        return booking.status, found, len((await session.exec(select(StoredFile.id))).all())

    result: tuple[BookingStatus, list[tuple[CheckMethod, CheckVerdict]], int] = server.do(read)
    return result


@pytest.mark.parametrize("is_same", [True, False])
def test_the_same_person_is_let_in_and_another_goes_to_the_officer(
    server: Server, playwright: Playwright, tmp_path: Path, is_same: bool
) -> None:
    desk = make(server)
    _, _, files = find(server, desk)
    video = camera_video(tmp_path / "face.mjpeg", person_a_again() if is_same else person_b())
    with browser_with(playwright, video) as browser:
        page = new_context(browser, server, PHONE, permissions=["camera"], has_touch=True, is_mobile=True).new_page()
        sign_in(page, desk.invigilator.phone, PASSWORD)
        page.goto("/site")
        inspect(page, "site-home")
        page.get_by_role("link", name="签到").click()
        inspect(page, "check-in")
        page.get_by_label("准考证号").fill(desk.booking.ticket_no)
        page.get_by_role("button", name="查找").click()
        inspect(page, "check-in-consent")
        agree, refuse = page.get_by_role("button", name="同意，用人脸比对"), page.get_by_role("button", name="不同意")
        box, other = agree.bounding_box(), refuse.bounding_box()
        assert box is not None
        assert other is not None
        assert (box["width"], box["height"]) == (other["width"], other["height"])
        agree.click()
        expect(page.locator("form[data-camera][data-ready]")).to_be_attached()
        page.wait_for_timeout(500)
        inspect(page, "check-in-camera")
        page.get_by_role("button", name="拍照并比对").click()
        if is_same:
            expect(page.get_by_role("heading", name="已签到")).to_be_visible(timeout=40_000)
            inspect(page, "check-in-done")
        else:
            expect(page.get_by_role("heading", name="由工作人员核对")).to_be_visible(timeout=40_000)
            expect(page.get_by_role("alert")).to_contain_text("机器比对认为不是同一人")
            inspect(page, "check-in-officer")
            page.get_by_label("不能确认是本人，不予入场").check()
            page.get_by_role("button", name="确认并记录").click()
            expect(page.get_by_role("alert")).to_contain_text("不予入场")
    status, checks, files_after = find(server, desk)
    assert files_after == files, "the picture of the desk was kept"
    if is_same:
        assert (status, checks) == (BookingStatus.CHECKED_IN, [(CheckMethod.FACE, CheckVerdict.ACCEPT)])
    else:
        assert status is BookingStatus.BOOKED
        assert checks == [(CheckMethod.FACE, CheckVerdict.REJECT), (CheckMethod.OFFICER, CheckVerdict.REJECT)]


def test_a_ticket_is_scanned_by_the_camera(server: Server, playwright: Playwright, tmp_path: Path) -> None:
    desk = make(server)
    code = qrcode.QRCode(border=4, box_size=10)
    code.add_data(f"{server.url}/t/{desk.booking.ticket_token}")
    modules = np.array(code.get_matrix(), dtype=np.uint8)
    still = np.full((480, 640, 3), 255, dtype=np.uint8)
    side = 360
    drawn = cv2.resize((1 - modules) * 255, (side, side), interpolation=cv2.INTER_NEAREST)
    still[60 : 60 + side, 140 : 140 + side] = drawn[:, :, None]
    video = camera_video(tmp_path / "ticket.mjpeg", as_jpeg(still, 95))
    with browser_with(playwright, video) as browser:
        page = new_context(browser, server, PHONE, permissions=["camera"]).new_page()
        sign_in(page, desk.invigilator.phone, PASSWORD)
        page.goto(f"/site/sessions/{desk.exam_session.id}/check-in")
        page.get_by_role("button", name="扫描准考证二维码").click()
        expect(page.get_by_role("heading", name="核验身份")).to_be_visible(timeout=20_000)
        assert page.url.endswith(f"/check-in/{desk.booking.id}")


def stop_and_go_on(page: Page, server: Server) -> None:
    """A fire alarm: every clock stands still for four minutes."""
    first = page.locator(".seat").first
    page.locator("#pause-reason").fill("火警演练")
    page.get_by_role("button", name="暂停全场").click()
    expect(first).to_contain_text("已暂停")
    server.clock.advance(minutes=4)
    page.locator("#resume-reason").fill("演练结束")
    page.get_by_role("button", name="全部继续").click()
    expect(first).to_contain_text("答题中")


def test_a_site_head_runs_a_session_from_the_board(server: Server, browser: Browser) -> None:
    desk = make(server, candidates=3)
    server.clock.set(desk.exam_session.starts_at)

    async def begin(session: AsyncSession) -> None:
        now = server.clock.now()
        for number in (0, 1):
            await make_checked_in(session, desk, desk.bookings[number], now=now)
        who = desk.candidates[0]
        device = await make_device(session, who, now=now)
        await start_sitting(
            session, booking_id=desk.booking.id, person_id=who.person.id, device=device, seed=1, now=now
        )

    page = new_context(browser, server, DESK).new_page()
    sign_in(page, desk.head.phone, PASSWORD)
    page.goto(f"/site/sessions/{desk.exam_session.id}")
    first = page.locator(".seat").first
    expect(first).to_contain_text("未到")
    server.do(begin)
    expect(first).to_contain_text("答题中", timeout=10_000)  # by htmx, without a reload
    inspect(page, "site-board")
    page.on("dialog", lambda dialog: dialog.accept())
    stop_and_go_on(page, server)
    first.get_by_role("link").click()
    page.locator("summary", has_text="放行换机").click()
    page.locator("#release-reason").fill("键盘失灵，更换 5 号机")
    page.get_by_role("button", name="确认放行").click()
    expect(page.get_by_text("已放行，等待考生在新设备上登录")).to_be_visible()
    page.locator("summary", has_text="延长时间").click()
    page.locator("#extend-minutes").fill("5")
    page.locator("#extend-reason").fill("更换设备耽误")
    page.get_by_role("button", name="确认延长").click()
    page.get_by_label("发生了什么").fill("1 号座键盘失灵，孙监考在场，已换机。")
    page.get_by_role("button", name="记入考场记录").click()
    expect(page.locator(".history")).to_contain_text("已换机")
    inspect(page, "site-seat")
    page.get_by_role("link", name="返回看板").click()
    page.get_by_role("button", name="结束本场").click()
    expect(page.locator("#form-error")).to_contain_text("仍可入场")
    server.clock.advance(minutes=31)
    page.goto(f"/site/sessions/{desk.exam_session.id}")
    page.locator(".seat").nth(2).get_by_role("link").click()
    page.get_by_role("button", name="登记缺考").click()
    expect(page.locator(".facts")).to_contain_text("缺考")
    small = new_context(browser, server, PHONE).new_page()
    sign_in(small, desk.head.phone, PASSWORD)
    small.goto(f"/site/sessions/{desk.exam_session.id}")
    inspect(small, "site-board")
    small.locator(".seat").first.get_by_role("link").click()
    inspect(small, "site-seat")


def test_two_assessors_sign_a_practical_result(server: Server, browser: Browser) -> None:
    desk = make(server, part=ExamPart.PRACTICAL)

    async def prepare(session: AsyncSession) -> tuple[str, str]:
        now = server.clock.now()
        await make_checked_in(session, desk, desk.booking, now=now)
        first = await make_assessor(session, server.vault, site=desk.site, now=now, name="吴考评")
        second = await make_assessor(session, server.vault, site=desk.site, now=now, name="冯考评")
        return first.phone, second.phone

    first, second = server.do(prepare)
    page = new_context(browser, server, PHONE).new_page()
    sign_in(page, first, PASSWORD)
    page.goto("/site/practical")
    inspect(page, "practical")
    page.get_by_role("link", name="评分表").click()
    inspect(page, "practical-session")
    page.get_by_role("link", name="打开").click()
    for field in page.get_by_label("得分").all():
        field.fill("85.5")
    inspect(page, "practical-sheet")
    page.get_by_role("button", name="签名提交").click()
    expect(page.get_by_role("heading", name="成绩 85.5 分")).to_be_visible()
    address = page.url
    other = new_context(browser, server, DESK).new_page()
    sign_in(other, second, PASSWORD)
    other.goto(address)
    inspect(other, "practical-second")
    other.get_by_role("button", name="同意并签名").click()
    expect(other.get_by_text("第二考评员 冯考评")).to_be_visible()

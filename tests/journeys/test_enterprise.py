"""Journey (e): an enterprise imports twenty staff, assigns a course, and sees the deadlines."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tests.journeys.conftest import inspect, sign_in
from tests.makers.people import PASSWORD, make_organisation, make_role
from tests.makers.staff import make_course, make_sheet, staff_row
from training.calendar import china_date
from training.models import Role

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page
    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.journeys.conftest import Server
    from tests.makers.people import Known

COURSE = "消防安全常识"


def _prepare(server: Server) -> Known:
    async def act(session: AsyncSession) -> Known:
        now = server.clock.now()
        await make_course(session, now=now, title=COURSE)
        firm = await make_organisation(session, now=now)
        return await make_role(session, server.vault, role=Role.ENTERPRISE_MANAGER, organisation=firm, now=now)

    manager: Known = server.do(act)
    return manager


def test_an_enterprise_imports_twenty_staff_and_sees_their_deadlines(
    server: Server, phone: Page, tmp_path: Path
) -> None:
    manager = _prepare(server)
    page = phone
    sign_in(page, manager.phone, PASSWORD)
    page.goto("/enterprise")
    inspect(page, "enterprise-empty")
    page.get_by_role("link", name="批量导入人员").click()

    sheet = tmp_path / "名单.xlsx"
    sheet.write_bytes(make_sheet(*(staff_row(n) for n in range(20)), staff_row(20) | {"number": "123"}))
    page.get_by_label("人员名单").set_input_files(sheet)
    page.get_by_role("button", name="上传并检查").click()
    page.get_by_text("应为 18 位").wait_for()
    inspect(page, "enterprise-import")
    page.get_by_role("button", name="确认导入 20 人").click()
    page.get_by_text("新登记 20 人").wait_for()
    assert page.get_by_role("button", name="复制链接").count() == 20
    link = page.locator("#link-1").inner_text()

    page.get_by_role("link", name="安排学习").click()
    page.get_by_role("checkbox", name=COURSE).check()
    page.get_by_label("请在这一天结束前完成").fill((china_date(server.clock.now()) + timedelta(days=2)).isoformat())
    page.get_by_role("button", name="安排学习").click()
    page.get_by_text("新增 20 项").wait_for()
    page.locator(".chart canvas").wait_for()
    assert page.get_by_text("还有 2 天").count() == 20
    inspect(page, "enterprise-deadlines")

    server.clock.advance(days=3)
    page.goto("/enterprise")
    page.get_by_text("20 人有逾期任务").wait_for()
    page.get_by_role("link", name="查看逾期").click()
    assert page.get_by_text("已逾期 · 超过 1 天").count() == 20
    inspect(page, "enterprise-overdue")

    page.context.clear_cookies()
    page.goto(link)
    page.locator("#f-password").fill("first-pass-1")
    page.locator("#f-again").fill("first-pass-1")
    page.get_by_role("button", name="设置密码并登录").click()
    page.wait_for_url("**/learn")

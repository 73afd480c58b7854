"""A printed answer sheet: two people of the authority enter it by keyboard, and it becomes a marked sitting."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from sqlmodel import select

from exams.bubbles import sheet_code
from exams.drawn_papers import draw_papers
from exams.made_ahead import make_papers_ahead
from exams.models import DrawnPaper, Score
from exams.papers import paper_items
from question_bank.queries import list_revisions
from tests.journeys.conftest import inspect, sign_in
from tests.makers.exams import make_booking, make_room, make_session, make_site_head
from tests.makers.items import make_bank
from tests.makers.people import PASSWORD, Known, make_organisation, make_person, make_role
from tests.makers.sittings import check_in
from training.models import OrganisationKind, Role

if TYPE_CHECKING:
    from playwright.sync_api import Page
    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.journeys.conftest import Server


def _prepare(server: Server) -> tuple[list[Known], str, str, list[str]]:
    """Two readers, a coming session's page, the code on the sheet, and the right letters."""

    async def act(session: AsyncSession) -> tuple[list[Known], str, str, list[str]]:
        now, vault = server.clock.now(), server.vault
        authority = await make_organisation(session, now=now, kind=OrganisationKind.AUTHORITY, name="演示区应急管理局")
        readers = [
            await make_role(session, vault, role=role, organisation=authority, now=now, name=name)
            for role, name in ((Role.APPLICATION_REVIEWER, "周审核"), (Role.ISSUER, "吴发证"))
        ]
        await make_bank(session, vault, now=now)
        head, site = await make_site_head(session, vault, now=now)
        room = await make_room(session, site=site, head=head, now=now)
        held, coming = [
            await make_session(session, vault, now=now, room=room, head=head, in_hours=hours) for hours in (20, 30)
        ]
        candidate = await make_person(session, vault, now=now, name="王焊工")
        booking = await make_booking(session, vault, now=now, exam_session=held, who=candidate)
        await make_booking(session, vault, now=now, exam_session=coming, who=await make_person(session, vault, now=now))
        seeds = itertools.count(1)
        await draw_papers(
            session, exam_session_id=held.id, actor_id=head.person.id, new_seed=lambda: next(seeds), now=now
        )
        await check_in(session, booking, officer=head, now=now)
        server.clock.advance(hours=8)
        await make_papers_ahead(session, new_seed=lambda: next(seeds), now=server.clock.now(), limit=9)
        drawn = (await session.exec(select(DrawnPaper).where(DrawnPaper.booking_id == booking.id))).one()
        items = paper_items(drawn.paper)
        texts = await list_revisions(session, [item.revision_id for item in items])
        right = [item.displayed(texts[item.revision_id].key) for item in items]
        return readers, f"/authority/papers/{coming.id}", sheet_code(drawn.id, 1), right

    made: tuple[list[Known], str, str, list[str]] = server.do(act)
    return made


def _scan(page: Page, code: str) -> None:
    """A scanner types what it reads, and Enter."""
    page.goto("/authority/papers")
    page.get_by_label("录入答题卡").fill(code)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="录入答题卡", level=1).wait_for()


def _type(page: Page, letters: list[str]) -> None:
    """Key by key from the first position on, as somebody does who looks at the sheet alone."""
    page.locator("#f-mark-1").focus()
    for letter in letters:
        for key in letter or ("Enter",):
            page.keyboard.press(key.lower() if len(key) == 1 else key)
        if len(letter) > 1:
            page.keyboard.press("Enter")


def test_two_people_enter_a_sheet_by_keyboard(server: Server, desk: Page, phone: Page) -> None:
    (first, second), coming, code, right = _prepare(server)
    sign_in(desk, first.phone, PASSWORD)
    desk.goto(coming)
    desk.get_by_text("已备好 1 份试卷").wait_for()
    inspect(desk, "papers-ready")
    _scan(desk, code)
    inspect(desk, "sheet-empty")
    # No item of this bank has several right options; the keys would work so.
    desk.evaluate("document.querySelector('#f-mark-80').dataset.many = ''")
    desk.locator("#f-mark-80").focus()
    for key in ("c", "1", "d", "d", "Enter"):
        desk.keyboard.press(key)
    assert desk.locator("#f-mark-80").input_value() == "AC"
    assert desk.evaluate("document.activeElement.id") == "f-mark-81"
    desk.evaluate("delete document.querySelector('#f-mark-80').dataset.many")
    _type(desk, right)
    desk.get_by_text("已录入 100 / 100").wait_for()
    assert [desk.locator(f"#f-mark-{place}").input_value() for place in range(1, 101)] == right
    desk.keyboard.press("Tab")
    desk.get_by_role("button", name="提交录入").click()
    desk.get_by_text("等待另一名工作人员独立录入").wait_for()

    sign_in(phone, second.phone, PASSWORD)
    phone.goto("/authority/papers")
    inspect(phone, "papers-list")
    _scan(phone, code)
    phone.get_by_text("已有人录入过这张答题卡").wait_for()
    # A letter that is not printed there, then an unclear mark.
    phone.locator("#f-mark-1").focus()
    phone.keyboard.press("q")
    phone.get_by_text("第 1 题不能录入“q”").wait_for()
    _type(phone, ["X", *right[1:]])
    phone.get_by_role("button", name="提交录入").click()
    phone.get_by_text("两人录入的有 1 处不同").wait_for()
    inspect(phone, "sheet-different")

    desk.reload()
    desk.get_by_text("两人录入的有 1 处不同").wait_for()
    inspect(desk, "sheet-different")
    assert desk.evaluate("document.activeElement.id") == "f-mark-1"
    desk.keyboard.press("x")
    desk.get_by_role("button", name="提交录入").click()
    desk.get_by_text("这名考生已有考试记录").wait_for()
    inspect(desk, "sheet-done")
    desk.get_by_role("link", name="回到场次，录入下一张").click()
    inspect(desk, "sheet-session")

    async def points(session: AsyncSession) -> int:
        return int((await session.exec(select(Score))).one().points)

    assert server.do(points) == 99

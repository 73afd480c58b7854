"""`/authority/papers/sheets`: two people of the authority enter a printed answer sheet."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from sqlmodel import select

from exams.bubbles import sheet_code
from exams.made_ahead import make_papers_ahead
from exams.models import Booking, DrawnPaper, ExamSession, Score
from exams.papers import paper_items
from question_bank.queries import list_revisions
from tests.makers.exams import fill_bank, make_booking, make_room, make_session, make_site_head
from tests.makers.people import PASSWORD, Known, make_organisation, make_person, make_role
from tests.makers.sittings import check_in
from training.models import OrganisationKind, Role

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.conftest import Client
    from training.vault import Vault


@dataclass
class Desk:
    """Two of the authority, a site's head, and a session with one candidate whose paper is printed."""

    first: Known
    second: Known
    head: Known
    held: ExamSession
    booking: Booking
    drawn: DrawnPaper
    right: list[str]

    @property
    def session_path(self) -> str:
        return f"/authority/papers/{self.held.id}"

    @property
    def path(self) -> str:
        return f"/authority/papers/sheets/{self.drawn.id}"


@pytest.fixture
async def desk(client: Client, session: AsyncSession, vault: Vault, now: datetime, clock: FixedClock) -> Desk:
    authority = await make_organisation(session, now=now, kind=OrganisationKind.AUTHORITY, name="演示区应急管理局")
    first, second = [
        await make_role(session, vault, role=role, organisation=authority, now=now, name=name)
        for role, name in ((Role.APPLICATION_REVIEWER, "周审核"), (Role.ISSUER, "吴发证"))
    ]
    await fill_bank(session, vault, now=now)
    head, site = await make_site_head(session, vault, now=now)
    room = await make_room(session, site=site, head=head, now=now)
    held = await make_session(session, vault, now=now, room=room, head=head)
    booking = await make_booking(
        session, vault, now=now, exam_session=held, who=await make_person(session, vault, now=now, name="王焊工")
    )
    await session.commit()
    await become(client, first)
    await client.submit(f"/authority/papers/{held.id}/draw")
    await check_in(session, booking, officer=head, now=now)
    await session.commit()
    drawn = (await session.exec(select(DrawnPaper))).one()
    items = paper_items(drawn.paper)
    texts = await list_revisions(session, [item.revision_id for item in items])
    right = [item.displayed(texts[item.revision_id].key) for item in items]
    clock.advance(hours=2)
    return Desk(first, second, head, held, booking, drawn, right)


async def become(client: Client, known: Known) -> None:
    client.cookies.clear()
    await client.sign_in(known.phone, PASSWORD)


def marks(choices: list[str], **others: str) -> dict[str, str]:
    return {f"mark-{place}": choice for place, choice in enumerate(choices, start=1)} | others


async def test_two_people_enter_a_sheet_and_it_is_marked(client: Client, session: AsyncSession, desk: Desk) -> None:
    page = await client.get(desk.session_path)
    assert "未录入" in page.text
    assert desk.path in page.text
    reply = await client.submit(desk.path, marks(desk.right))
    assert reply.headers["location"] == desk.path
    assert "等待另一名工作人员独立录入" in (await client.get(desk.path)).text
    await become(client, desk.second)
    page = await client.get(desk.path)
    assert "请您独立录入" in page.text
    assert 'value=""' in page.text
    assert 'value="T"' not in page.text
    await client.submit(desk.path, marks(desk.right))
    page = await client.get(desk.path)
    assert "这名考生已有考试记录" in page.text
    assert "mark-1" not in page.text
    score = (await session.exec(select(Score))).one()
    assert (score.points, score.passed) == (Decimal(100), True)
    page = await client.get(desk.session_path)
    assert "已有考试记录" in page.text
    assert "paper.pdf" in page.text


async def test_what_differs_is_shown_to_both(client: Client, desk: Desk) -> None:
    await client.submit(desk.path, marks(desk.right))
    await become(client, desk.second)
    other = ["X", *desk.right[1:]]
    await client.submit(desk.path, marks(other, remark="第 1 题涂了两个圆圈"))
    for known in (desk.second, desk.first):
        await become(client, known)
        page = await client.get(desk.path)
        assert "两人录入的有 1 处不同" in page.text
        assert page.text.count("is-different") == 1
    assert "第 1 题涂了两个圆圈" not in page.text
    await client.submit(desk.path, marks(other))
    assert "这名考生已有考试记录" in (await client.get(desk.path)).text


async def test_a_wrong_letter_is_told_and_nothing_typed_is_lost(client: Client, desk: Desk) -> None:
    reply = await client.submit(desk.path, marks(["Q", *desk.right[1:50], *[""] * 50], remark="备注"))
    assert reply.status_code == 422
    assert "第 1 题不能录入“Q”" in reply.text
    assert 'value="Q"' in reply.text
    assert "备注</textarea>" in reply.text
    reply = await client.submit(desk.path, marks(desk.right[:99]))
    assert reply.status_code == 422
    assert "提交的题数与答题卡不符" in reply.text


async def test_a_scanner_finds_the_sheet(client: Client, desk: Desk) -> None:
    for code in (sheet_code(desk.drawn.id, 1), desk.booking.ticket_no):
        reply = await client.get("/authority/papers/sheets", params={"code": code})
        assert reply.headers["location"] == desk.path
    reply = await client.get("/authority/papers/sheets", params={"code": "123"})
    assert reply.status_code == 422
    assert "没有找到这张答题卡" in reply.text


async def test_a_site_enters_nothing(client: Client, desk: Desk) -> None:
    await become(client, desk.head)
    for address in (desk.path, "/authority/papers/sheets?code=1"):
        assert (await client.get(address)).status_code == 403
    assert (await client.submit(desk.path, marks(desk.right))).status_code == 403


async def test_the_session_page_tells_how_many_papers_lie_ready(
    client: Client, session: AsyncSession, vault: Vault, desk: Desk, clock: FixedClock
) -> None:
    coming = await make_session(session, vault, now=clock.now(), in_hours=20)
    for _ in range(2):
        await make_booking(session, vault, now=clock.now(), exam_session=coming)
    await session.commit()
    path = f"/authority/papers/{coming.id}"
    assert "2 名考生尚未开考，已备好 0 份试卷" in (await client.get(path)).text
    await make_papers_ahead(session, new_seed=lambda: 5, now=clock.now(), limit=10)
    await session.commit()
    page = await client.get(path)
    assert "2 名考生尚未开考，已备好 2 份试卷，其中纸质试卷 0 份" in page.text
    assert "2 / 2" in (await client.get("/authority/papers")).text

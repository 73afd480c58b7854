"""`/authority/scores/…/report`: what it tells, to whom, and the workbook."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from openpyxl import load_workbook
from sqlmodel import select

from exams.handing_in import close_overdue
from exams.models import Booking, Regrade, RegradeKind, RegradeStatus, Score, ScoreState, Sitting
from exams.papers import paper_items
from question_bank.models import ItemType
from question_bank.queries import list_revisions
from tests.makers.people import PASSWORD, Known, make_organisation, make_person, make_role
from tests.makers.receipts import KEYS
from tests.makers.scored import add_takers
from tests.makers.sittings import Sat, answer, make_sitting, right_choices
from training.models import AuditEntry, OrganisationKind, Role

if TYPE_CHECKING:
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.conftest import Client
    from training.vault import Vault


@dataclass
class Desk:
    """A question reviewer, and a session in which one candidate has 85 points."""

    reviewer: Known
    sat: Sat
    exam_session_id: UUID

    @property
    def path(self) -> str:
        return f"/authority/scores/{self.exam_session_id}/report"


@pytest.fixture
async def desk(client: Client, session: AsyncSession, vault: Vault, clock: FixedClock) -> Desk:
    now = clock.now()
    authority = await make_organisation(session, now=now, kind=OrganisationKind.AUTHORITY, name="演示市应急管理局")
    reviewer = await make_role(session, vault, role=Role.QUESTION_REVIEWER, organisation=authority, now=now)
    sat = await make_sitting(session, vault, now=now)
    await answer(session, sat, (await right_choices(session, sat.id))[:85], now=now)
    clock.advance(hours=3)
    await close_overdue(session, now=clock.now(), countersign=KEYS.countersign)
    booking = await session.get_one(Booking, sat.booking_id)
    await session.commit()
    await client.sign_in(reviewer.phone, PASSWORD)
    return Desk(reviewer, sat, booking.exam_session_id)


async def test_one_candidate_gives_a_report_that_warns_of_its_size(client: Client, desk: Desk) -> None:
    page = await client.get(desk.path)
    assert page.status_code == 200
    assert "本场只有 1 人有成绩，少于 30 人" in page.text
    assert "不是结论" in page.text
    assert "个人信息保护法第二十四条" in page.text
    assert "<td>80–89</td><td>1</td>" in page.text.replace("\n", "")
    assert "没有可以比较的座位：本场须至少有 12 人" in page.text
    assert "无法计算信度" in page.text


async def test_candidates_are_seats_and_have_no_names(client: Client, desk: Desk) -> None:
    for address in (desk.path, "/authority/scores/reports"):
        text = (await client.get(address)).text
        assert desk.sat.who.person.name not in text
        assert desk.sat.who.number not in text
        assert str(desk.sat.id) not in text


async def test_a_question_reviewer_finds_it_from_home_and_is_shown_no_way_to_the_scores(
    client: Client, desk: Desk
) -> None:
    assert "/authority/scores/reports" in (await client.get("/authority")).text
    assert desk.path in (await client.get("/authority/scores/reports")).text
    assert f'href="/authority/scores/{desk.exam_session_id}"' not in (await client.get(desk.path)).text
    assert (await client.get(f"/authority/scores/{desk.exam_session_id}")).status_code == 403


@pytest.mark.parametrize("role", [Role.ISSUER, Role.APPLICATION_REVIEWER])
async def test_who_releases_scores_finds_it_there(
    client: Client, session: AsyncSession, vault: Vault, desk: Desk, clock: FixedClock, role: Role
) -> None:
    authority = await make_organisation(session, now=clock.now(), kind=OrganisationKind.AUTHORITY, name="演示区局")
    known = await make_role(session, vault, role=role, organisation=authority, now=clock.now())
    await session.commit()
    client.cookies.clear()
    await client.sign_in(known.phone, PASSWORD)
    assert desk.path in (await client.get(f"/authority/scores/{desk.exam_session_id}")).text
    assert f'href="/authority/scores/{desk.exam_session_id}"' in (await client.get(desk.path)).text


async def test_nobody_else_sees_a_report(
    client: Client, session: AsyncSession, vault: Vault, desk: Desk, clock: FixedClock
) -> None:
    authority = await make_organisation(session, now=clock.now(), kind=OrganisationKind.AUTHORITY, name="演示区局")
    editor = await make_role(session, vault, role=Role.QUESTION_EDITOR, organisation=authority, now=clock.now())
    nobody = await make_person(session, vault, now=clock.now())
    await session.commit()
    client.cookies.clear()
    assert "/sign-in" in (await client.get(desk.path)).headers["location"]
    for known in (editor, nobody, desk.sat.who):
        client.cookies.clear()
        await client.sign_in(known.phone, PASSWORD)
        for address in (desk.path, f"{desk.path}.xlsx", "/authority/scores/reports"):
            assert (await client.get(address)).status_code == 403


async def test_the_workbook_holds_every_item_and_its_download_is_noted(
    client: Client, session: AsyncSession, desk: Desk
) -> None:
    reply = await client.get(f"{desk.path}.xlsx")
    assert reply.status_code == 200
    book = load_workbook(io.BytesIO(reply.content))
    assert book.sheetnames == ["概况", "成绩分布", "各题情况", "相邻座位", "作答时间"]
    items = list(book["各题情况"].iter_rows(min_row=2, values_only=True))
    assert len(items) == 100
    assert sum(row[9] for row in items) == 15
    assert [row[1] for row in book["成绩分布"].iter_rows(min_row=2, values_only=True)] == [0] * 8 + [1, 0]
    assert "不是结论" in str(book["概况"]["B2"].value)
    noted = (await session.exec(select(AuditEntry).where(AuditEntry.action == "session.report_exported"))).one()
    assert (noted.target_id, noted.actor_id) == (str(desk.exam_session_id), desk.reviewer.person.id)


async def test_a_void_score_is_left_out_and_a_session_without_scores_has_no_report(
    client: Client, session: AsyncSession, desk: Desk
) -> None:
    score = (await session.exec(select(Score).where(Score.sitting_id == desk.sat.id))).one()
    score.state = ScoreState.VOID
    session.add(score)
    await session.commit()
    for address in (desk.path, f"{desk.path}.xlsx", f"/authority/scores/{desk.sat.id}/report"):
        assert (await client.get(address)).status_code == 404
    assert "还没有可以分析的场次" in (await client.get("/authority/scores/reports")).text


async def test_what_was_decided_of_an_item_counts_in_the_report(
    client: Client, session: AsyncSession, desk: Desk, clock: FixedClock
) -> None:
    sitting = await session.get_one(Sitting, desk.sat.id)
    texts = await list_revisions(session, [item.revision_id for item in paper_items(sitting.paper)])
    changed, dropped = next(text for text in texts.values() if text.type is ItemType.SC), list(texts.values())[-1]
    for text, kind, key in ((changed, RegradeKind.CHANGE_KEY, "B"), (dropped, RegradeKind.DROP, "")):
        session.add(
            Regrade(
                revision_id=text.id, kind=kind, new_key=key, reason="x", status=RegradeStatus.APPROVED,
                proposed_by=desk.sat.who.person.id, proposed_at=clock.now(), decided_by=desk.reviewer.person.id,
                decided_at=clock.now(),
            )
        )  # fmt: skip
    await session.commit()
    book = load_workbook(io.BytesIO((await client.get(f"{desk.path}.xlsx")).content))
    rows = {row[0]: row for row in book["各题情况"].iter_rows(min_row=2, values_only=True)}
    assert len(rows) == 99
    assert dropped.code not in rows
    assert rows[changed.code][5:8:2] == (0, "B")
    overview = dict(book["概况"].iter_rows(min_row=2, values_only=True))
    assert overview["平均答对题数"] == 84


async def test_the_report_speaks_english(client: Client, desk: Desk) -> None:
    await client.submit("/language", {"language": "en", "next": "/"})
    page = (await client.get(desk.path)).text
    assert "Only 1 candidates have a score, fewer than 30" in page
    assert "It is no verdict" in page
    assert "at most 1 %" in page
    book = load_workbook(io.BytesIO((await client.get(f"{desk.path}.xlsx")).content))
    assert book["Items"]["A1"].value == "Item code"


async def test_a_copied_paper_and_hurried_answers_are_shown_as_things_to_look_into(
    client: Client, session: AsyncSession, vault: Vault, desk: Desk, clock: FixedClock
) -> None:
    await add_takers(session, vault, sitting_id=desk.sat.id, now=clock.now(), copies=True, rapid=True)
    await session.commit()
    page = (await client.get(desk.path)).text
    assert "比较了 13 对相邻座位，1 对需要人工核查" in page
    assert "112–113" in page
    assert "KR-20 信度" in page
    assert "快速作答偏多" in page
    book = load_workbook(io.BytesIO((await client.get(f"{desk.path}.xlsx")).content))
    pairs = list(book["相邻座位"].iter_rows(min_row=2, values_only=True))
    assert [row[7] or "" for row in pairs] == ["请人工核查", *[""] * 12]
    paces = {row[0]: row for row in book["作答时间"].iter_rows(min_row=2, values_only=True)}
    assert paces[100][1:4] == (pytest.approx(2.7), 99, 99)
    assert "总用时明显偏短" in str(paces[100][6])


async def test_honest_neighbours_are_not_pointed_out(
    client: Client, session: AsyncSession, vault: Vault, desk: Desk, clock: FixedClock
) -> None:
    await add_takers(session, vault, sitting_id=desk.sat.id, now=clock.now())
    await session.commit()
    page = (await client.get(desk.path)).text
    assert "比较了 13 对相邻座位，0 对需要人工核查" in page
    assert "请人工核查" not in page

"""`/authority/papers` and a site's papers: who may draw, print and see keys, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pypdfium2
import pytest

from exams.handing_in import close_overdue
from exams.models import Booking, ExamSession
from tests.makers.exams import fill_bank, make_booking, make_room, make_session, make_site_head
from tests.makers.people import PASSWORD, Known, make_organisation, make_person, make_role
from tests.makers.receipts import KEYS
from tests.makers.sittings import Sat, make_sitting
from training.audit import list_entries
from training.models import OrganisationKind, Role

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.conftest import Client
    from training.vault import Vault


@dataclass
class Desk:
    """A reviewer of the authority, the head of a site, and a session there with one candidate."""

    reviewer: Known
    head: Known
    held: ExamSession
    booking: Booking

    @property
    def path(self) -> str:
        return f"/authority/papers/{self.held.id}"

    @property
    def site_file(self) -> str:
        return f"/site/sessions/{self.held.id}/papers.pdf"


@pytest.fixture
async def desk(session: AsyncSession, vault: Vault, now: datetime) -> Desk:
    authority = await make_organisation(session, now=now, kind=OrganisationKind.AUTHORITY, name="演示区应急管理局")
    reviewer = await make_role(
        session, vault, role=Role.APPLICATION_REVIEWER, organisation=authority, now=now, name="周审核"
    )
    await fill_bank(session, vault, now=now)
    head, site = await make_site_head(session, vault, now=now)
    room = await make_room(session, site=site, head=head, now=now)
    held = await make_session(session, vault, now=now, room=room, head=head)
    who = await make_person(session, vault, now=now, name="王焊工")
    booking = await make_booking(session, vault, now=now, exam_session=held, who=who)
    await session.commit()
    return Desk(reviewer, head, held, booking)


async def become(client: Client, known: Known) -> None:
    client.cookies.clear()
    await client.sign_in(known.phone, PASSWORD)


def words(pdf: bytes) -> str:
    pages = [page.get_textpage().get_text_bounded() for page in pypdfium2.PdfDocument(pdf)]
    return "".join("".join(pages).split())


async def test_the_authority_draws_and_the_site_prints_without_keys(
    client: Client, session: AsyncSession, desk: Desk
) -> None:
    await become(client, desk.reviewer)
    page = await client.get("/authority/papers")
    assert desk.path in page.text
    assert "生成 1 份试卷" in (await client.get(desk.path)).text
    for _ in range(2):
        reply = await client.submit(f"{desk.path}/draw")
        assert reply.headers["location"] == desk.path
    page = await client.get(desk.path)
    assert "已生成 1 份" in page.text
    assert "papers.pdf" in page.text
    assert "keys.pdf" not in page.text
    await become(client, desk.head)
    assert desk.site_file in (await client.get("/site/sessions")).text
    file = await client.get(desk.site_file)
    assert file.headers["content-type"] == "application/pdf"
    assert file.headers["cache-control"] == "private, no-store"
    text = words(file.content)
    assert desk.booking.ticket_no in text
    assert "答题卡" in text
    assert "标准答案" not in text
    noted = await list_entries(session, target=("exam_session", desk.held.id), action="session.papers")
    assert {(entry.action, entry.actor_id) for entry in noted} == {
        ("session.papers_drawn", desk.reviewer.person.id),
        ("session.papers_printed", desk.head.person.id),
    }


async def test_a_site_head_neither_draws_nor_sees_a_key(client: Client, desk: Desk, clock: FixedClock) -> None:
    await become(client, desk.reviewer)
    await client.submit(f"{desk.path}/draw")
    clock.advance(hours=80)
    await become(client, desk.head)
    for address in ("/authority/papers", desk.path, f"{desk.path}/papers.pdf", f"{desk.path}/keys.pdf"):
        assert (await client.get(address)).status_code == 403
    assert (await client.submit(f"{desk.path}/draw")).status_code == 403


async def test_another_site_gets_nothing(
    client: Client, session: AsyncSession, vault: Vault, desk: Desk, now: datetime
) -> None:
    await become(client, desk.reviewer)
    await client.submit(f"{desk.path}/draw")
    other, _ = await make_site_head(session, vault, now=now)
    await session.commit()
    await become(client, other)
    assert (await client.get(desk.site_file)).status_code == 404


async def test_keys_open_to_the_authority_after_the_end(
    client: Client, session: AsyncSession, desk: Desk, clock: FixedClock
) -> None:
    await become(client, desk.reviewer)
    await client.submit(f"{desk.path}/draw")
    early = await client.get(f"{desk.path}/keys.pdf")
    assert early.status_code == 409
    assert "考试结束前不能导出标准答案" in early.text
    clock.advance(hours=75)
    await become(client, desk.reviewer)
    assert "keys.pdf" in (await client.get(desk.path)).text
    file = await client.get(f"{desk.path}/keys.pdf")
    assert "保密资料·标准答案" in words(file.content)
    [noted] = await list_entries(session, target=("exam_session", desk.held.id), action="session.keys_printed")
    assert noted.actor_id == desk.reviewer.person.id


async def test_too_late_says_what_is_wrong(client: Client, desk: Desk, clock: FixedClock) -> None:
    clock.advance(hours=73)
    await become(client, desk.reviewer)
    assert "只能在开考前" in (await client.get(desk.path)).text
    reply = await client.submit(f"{desk.path}/draw")
    assert reply.status_code == 422
    assert "场次已经开考或取消" in reply.text


async def test_nothing_drawn_says_who_draws(client: Client, desk: Desk) -> None:
    await become(client, desk.head)
    assert desk.site_file not in (await client.get("/site/sessions")).text
    reply = await client.get(desk.site_file)
    assert reply.status_code == 409
    assert "请由考核发证机关在开考前生成" in reply.text


async def test_the_archive_gives_paper_and_key_after_the_hand_in(
    client: Client, session: AsyncSession, vault: Vault, desk: Desk, clock: FixedClock
) -> None:
    sat: Sat = await make_sitting(session, vault, now=clock.now())
    booking = await session.get_one(Booking, sat.booking_id)
    await session.commit()
    path = f"/authority/papers/{booking.exam_session_id}"
    await become(client, desk.reviewer)
    assert "正在答题" in (await client.get(path)).text
    for name in ("paper", "key"):
        assert (await client.get(f"{path}/{sat.id}/{name}.pdf")).status_code == 409
    clock.advance(hours=3)
    await close_overdue(session, now=clock.now(), countersign=KEYS.countersign)
    await session.commit()
    await become(client, desk.reviewer)
    assert f"{path}/{sat.id}/key.pdf" in (await client.get(path)).text
    assert path in (await client.get(f"/authority/scores/{booking.exam_session_id}")).text
    paper = words((await client.get(f"{path}/{sat.id}/paper.pdf")).content)
    assert "题库摘要SHA-256" in paper
    assert sat.who.number not in paper
    assert "保密资料·标准答案" in words((await client.get(f"{path}/{sat.id}/key.pdf")).content)
    actions = {entry.action for entry in await list_entries(session, target=("sitting", sat.id), action="paper.")}
    assert actions == {"paper.printed", "paper.key_printed"}


async def test_question_editors_and_candidates_get_nothing(
    client: Client, session: AsyncSession, vault: Vault, desk: Desk, now: datetime
) -> None:
    authority = await make_organisation(session, now=now, kind=OrganisationKind.AUTHORITY, name="演示市局")
    editor = await make_role(session, vault, role=Role.QUESTION_EDITOR, organisation=authority, now=now, name="编辑")
    nobody = await make_person(session, vault, now=now)
    await session.commit()
    for known in (editor, nobody):
        await become(client, known)
        for address in ("/authority/papers", desk.path, f"{desk.path}/papers.pdf", desk.site_file):
            assert (await client.get(address)).status_code == 403


async def test_no_session_to_print_for_says_so(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    authority = await make_organisation(session, now=now, kind=OrganisationKind.AUTHORITY)
    issuer = await make_role(session, vault, role=Role.ISSUER, organisation=authority, now=now)
    await session.commit()
    await become(client, issuer)
    assert "没有可印制或存档的场次" in (await client.get("/authority/papers")).text


async def test_the_pages_speak_english(client: Client, desk: Desk) -> None:
    await become(client, desk.reviewer)
    await client.submit("/language", {"language": "en", "next": "/"})
    assert "Papers: print and archive" in (await client.get("/authority/papers")).text
    assert "Draw 1 papers" in (await client.get(desk.path)).text

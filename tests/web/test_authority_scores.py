"""`/authority/scores`: what waits, the preview, release, and keeping one score back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from sqlmodel import select

from exams.handing_in import close_overdue, hand_in
from exams.models import Application, Booking, Score, ScoreState
from exams.queries_scores import list_scores
from tests.makers.people import PASSWORD, Known, make_organisation, make_person, make_role
from tests.makers.receipts import KEYS
from tests.makers.sittings import Sat, answer, make_enterprise_sitting, make_sitting, right_choices
from training.models import AuditEntry, OrganisationKind, Role

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.conftest import Client
    from training.vault import Vault


@dataclass
class Desk:
    """An issuer, and a session in which one candidate has 85 points."""

    issuer: Known
    sat: Sat
    booking: Booking
    score_id: UUID

    @property
    def path(self) -> str:
        return f"/authority/scores/{self.booking.exam_session_id}"

    @property
    def own(self) -> str:
        return f"{self.path}/{self.score_id}"


@pytest.fixture
async def desk(client: Client, session: AsyncSession, vault: Vault, clock: FixedClock) -> Desk:
    now = clock.now()
    authority = await make_organisation(session, now=now, kind=OrganisationKind.AUTHORITY, name="演示市应急管理局")
    issuer = await make_role(session, vault, role=Role.ISSUER, organisation=authority, now=now)
    sat = await make_sitting(session, vault, now=now)
    await answer(session, sat, (await right_choices(session, sat.id))[:85], now=now)
    clock.advance(hours=3)
    await close_overdue(session, now=clock.now(), countersign=KEYS.countersign)
    booking = await session.get_one(Booking, sat.booking_id)
    [line] = await list_scores(session, exam_session_id=booking.exam_session_id)
    await session.commit()
    await client.sign_in(issuer.phone, PASSWORD)
    return Desk(issuer, sat, booking, line.score_id)


async def state(session: AsyncSession, desk: Desk) -> tuple[ScoreState, str]:
    score = await session.get_one(Score, desk.score_id, populate_existing=True)
    return score.state, score.withheld_reason


async def test_nothing_to_release_says_so(client: Client, session: AsyncSession, vault: Vault, now: datetime) -> None:
    authority = await make_organisation(session, now=now, kind=OrganisationKind.AUTHORITY)
    issuer = await make_role(session, vault, role=Role.ISSUER, organisation=authority, now=now)
    await session.commit()
    await client.sign_in(issuer.phone, PASSWORD)
    assert "没有待公布的成绩" in (await client.get("/authority/scores")).text


async def test_a_session_waits_with_its_last_day_and_is_told_when_late(
    client: Client, desk: Desk, clock: FixedClock
) -> None:
    page = await client.get("/authority/scores")
    assert desk.path in page.text
    assert "2026年12月4日" in page.text
    assert "已逾期" not in page.text
    clock.advance(days=14)
    await client.sign_in(desk.issuer.phone, PASSWORD)
    assert "已逾期" in (await client.get("/authority/scores")).text


async def test_the_preview_tells_each_score_and_no_numbers(client: Client, desk: Desk) -> None:
    page = await client.get(desk.path)
    assert "共 1 人，合格 1 人；待审 1 人，审核中 0 人" in page.text
    assert "开始审核 1 人" in page.text
    assert "公布 1 人的成绩" not in page.text
    assert "<strong>85</strong> / 100" in page.text
    assert "<td>80–89</td><td>1</td>" in page.text
    assert desk.booking.ticket_no in page.text
    assert desk.sat.who.number not in page.text
    assert desk.sat.who.phone not in page.text


async def test_releasing_settles_the_application_once(client: Client, session: AsyncSession, desk: Desk) -> None:
    await client.submit(f"{desk.path}/release")
    assert await state(session, desk) == (ScoreState.PROVISIONAL, "")
    for _ in range(2):
        reply = await client.submit(f"{desk.path}/review")
        assert reply.headers["location"] == desk.path
    assert "公布 1 人的成绩" in (await client.get(desk.path)).text
    for _ in range(2):
        reply = await client.submit(f"{desk.path}/release")
        assert reply.headers["location"] == desk.path
    page = await client.get(desk.path)
    assert "没有待办的成绩" in page.text
    assert f'action="{desk.path}/release"' not in page.text
    assert "没有待公布的成绩" in (await client.get("/authority/scores")).text
    application = await session.get_one(Application, desk.booking.application_id, populate_existing=True)
    assert application.theory_attempts == 1
    noted = select(AuditEntry).where(AuditEntry.action == "session.scores_released")
    assert (await session.exec(noted)).one().actor_id == desk.issuer.person.id


async def test_a_withheld_score_keeps_its_reason_until_it_is_lifted(
    client: Client, session: AsyncSession, desk: Desk
) -> None:
    for _ in range(2):
        reply = await client.submit(f"{desk.own}/withhold", {"reason": " 核查替考 "})
        assert reply.headers["location"] == desk.path
    assert await state(session, desk) == (ScoreState.WITHHELD, "核查替考")
    page = await client.get(desk.path)
    assert "核查替考" in page.text
    assert f'action="{desk.path}/release"' not in page.text
    await client.submit(f"{desk.path}/release")
    assert (await state(session, desk))[0] is ScoreState.WITHHELD
    for _ in range(2):
        reply = await client.submit(f"{desk.own}/lift")
        assert reply.headers["location"] == desk.path
    assert await state(session, desk) == (ScoreState.PROVISIONAL, "")


@pytest.mark.parametrize("reason", ["", "  ", "长" * 501])
async def test_withholding_needs_a_reason(client: Client, session: AsyncSession, desk: Desk, reason: str) -> None:
    reply = await client.submit(f"{desk.own}/withhold", {"reason": reason})
    assert reply.status_code == 422
    assert "请写明暂缓公布成绩的原因" in reply.text
    assert (await state(session, desk))[0] is ScoreState.PROVISIONAL


async def test_chosen_scores_are_reviewed_alone(client: Client, session: AsyncSession, desk: Desk) -> None:
    for typed in ({"whom": "chosen"}, {"whom": "chosen", "score_ids": "nonsense"}):
        reply = await client.submit(f"{desk.path}/review", typed)
        assert (reply.status_code, "没有选中待审的成绩" in reply.text) == (422, True)
    await client.submit(f"{desk.path}/review", {"whom": "chosen", "score_ids": [str(desk.sat.id)]})
    assert (await state(session, desk))[0] is ScoreState.PROVISIONAL
    await client.submit(f"{desk.path}/review", {"whom": "chosen", "score_ids": [str(desk.score_id), str(desk.sat.id)]})
    assert (await state(session, desk))[0] is ScoreState.UNDER_REVIEW


async def test_a_limit_that_is_near_is_told(client: Client, desk: Desk, clock: FixedClock) -> None:
    assert "即将到期" not in (await client.get("/authority/scores")).text
    clock.advance(days=11)
    await client.sign_in(desk.issuer.phone, PASSWORD)
    assert "即将到期" in (await client.get("/authority/scores")).text
    assert "最迟 2026年12月4日 公布" in (await client.get(desk.path)).text
    assert "即将到期 1" in (await client.get("/authority")).text


async def test_what_was_released_stands(client: Client, session: AsyncSession, desk: Desk) -> None:
    await client.submit(f"{desk.path}/review")
    await client.submit(f"{desk.path}/release")
    reply = await client.submit(f"{desk.own}/withhold", {"reason": "再查"})
    assert reply.status_code == 422
    assert "成绩已经公布，不能再暂缓" in reply.text
    await client.submit(f"{desk.own}/lift")
    assert (await state(session, desk))[0] is ScoreState.RELEASED


async def test_an_enterprises_own_exam_is_none_of_the_authoritys(
    client: Client, session: AsyncSession, vault: Vault, desk: Desk, clock: FixedClock
) -> None:
    sat = await make_enterprise_sitting(session, vault, now=clock.now())
    await hand_in(
        session, sitting_id=sat.id, person_id=sat.who.person.id, now=clock.now(), countersign=KEYS.countersign
    )
    score = (await session.exec(select(Score).where(Score.sitting_id == sat.id))).one()
    await session.commit()
    assert (await client.submit(f"{desk.path}/{score.id}/withhold", {"reason": "x"})).status_code == 404
    assert (await client.submit(f"{desk.path}/{score.id}/lift")).status_code == 404
    assert sat.exam
    assert sat.exam.title not in (await client.get("/authority/scores")).text


async def test_a_session_without_scores_is_not_found(client: Client, desk: Desk) -> None:
    unknown = desk.score_id
    assert (await client.get(f"/authority/scores/{unknown}")).status_code == 404
    assert (await client.submit(f"{desk.path}/{desk.sat.id}/withhold", {"reason": "x"})).status_code == 404


async def test_only_issuers_and_reviewers_see_scores(
    client: Client, session: AsyncSession, vault: Vault, desk: Desk, clock: FixedClock
) -> None:
    authority = await make_organisation(session, now=clock.now(), kind=OrganisationKind.AUTHORITY, name="演示区局")
    editor = await make_role(
        session, vault, role=Role.QUESTION_EDITOR, organisation=authority, now=clock.now(), name="编辑"
    )
    nobody = await make_person(session, vault, now=clock.now())
    await session.commit()
    client.cookies.clear()
    assert "/sign-in" in (await client.get(desk.path)).headers["location"]
    for known in (editor, nobody, desk.sat.who):
        client.cookies.clear()
        await client.sign_in(known.phone, PASSWORD)
        for address in ("/authority/scores", desk.path):
            assert (await client.get(address)).status_code == 403
        for address in (f"{desk.path}/review", f"{desk.path}/release", f"{desk.own}/lift"):
            assert (await client.submit(address)).status_code == 403
        assert (await client.submit(f"{desk.own}/withhold", {"reason": "x"})).status_code == 403
    assert (await state(session, desk))[0] is ScoreState.PROVISIONAL


async def test_the_pages_speak_english(client: Client, desk: Desk) -> None:
    await client.submit("/language", {"language": "en", "next": "/"})
    assert "Release of scores" in (await client.get("/authority/scores")).text
    assert "1 people, 1 passed; 1 provisional, 0 under review." in (await client.get(desk.path)).text


async def test_the_preview_names_its_session_and_who_is_still_answering(
    client: Client, session: AsyncSession, vault: Vault, desk: Desk, clock: FixedClock
) -> None:
    page = await client.get(desk.path)
    assert "低压电工作业 · 演示第一考试点 · 2026年11月21日" in page.text
    assert "正在答题" not in page.text
    other = await make_sitting(session, vault, now=clock.now())
    booking = await session.get_one(Booking, other.booking_id)
    booking.exam_session_id, booking.seat_no = desk.booking.exam_session_id, desk.booking.seat_no + 1
    session.add(booking)
    await session.commit()
    assert "还有 1 人正在答题" in (await client.get(desk.path)).text

"""The authority's view of a session's sittings: facts, what happened, and voiding one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlmodel import select

from exams.handing_in import hand_in_by_site
from exams.models import BookingStatus, IntegrityEvent, IntegrityKind, Score, ScoreState, Sitting, SittingStatus
from tests.makers.check_in import Desk, make_desk
from tests.makers.exams import make_reviewer
from tests.makers.people import PASSWORD
from tests.makers.receipts import KEYS
from tests.web.test_site_board import begin

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.conftest import Client
    from training.vault import Vault


@pytest.fixture
async def desk(session: AsyncSession, vault: Vault, now: datetime) -> Desk:
    return await make_desk(session, vault, now=now, candidates=2)


@pytest.fixture
async def sitting_id(
    session: AsyncSession, vault: Vault, client: Client, desk: Desk, clock: FixedClock, now: datetime
) -> UUID:
    """An open sitting with one fact, and a reviewer signed in."""
    reviewer = await make_reviewer(session, vault, now=now)
    sitting_id = await begin(session, desk, 0)
    at = desk.exam_session.starts_at + timedelta(minutes=4)
    session.add(
        IntegrityEvent(
            sitting_id=sitting_id, client_id="1", kind=IntegrityKind.TAB_HIDDEN, began_at=at, seconds=7, received_at=at
        )
    )
    await session.commit()
    clock.instant = desk.exam_session.starts_at + timedelta(minutes=10)
    await client.sign_in(reviewer.phone, PASSWORD)
    return sitting_id


def page_of(desk: Desk) -> str:
    return f"/authority/scores/{desk.exam_session.id}/sittings"


async def test_facts_stand_by_candidate_without_full_names(client: Client, desk: Desk, sitting_id: UUID) -> None:
    page = (await client.get(page_of(desk))).text
    for words in ("切换到其他页面或程序 1 次", "是事实，不是结论", "张**"):
        assert words in page
    assert desk.candidate.person.name not in page
    one = (await client.get(f"{page_of(desk)}/{sitting_id}")).text
    for words in ("共 7 秒", "开始考试", "作废这次考试"):
        assert words in one
    assert desk.candidate.person.name not in one


async def test_a_session_that_nobody_sat_says_so(client: Client, desk: Desk, sitting_id: UUID) -> None:
    assert (await client.get(f"/authority/scores/{sitting_id}/sittings")).status_code == 404
    other = f"/authority/scores/{desk.exam_session.id}/sittings/{desk.booking.id}"
    assert (await client.get(other)).status_code == 404


async def test_voiding_needs_a_reason_and_lets_the_candidate_sit_again(
    client: Client, session: AsyncSession, desk: Desk, sitting_id: UUID
) -> None:
    void = f"{page_of(desk)}/{sitting_id}/void"
    empty = await client.submit(void, {"reason": " ", "may_sit_again": "1"})
    assert (empty.status_code, "请写明原因" in empty.text) == (422, True)
    assert (await client.submit(void, {"reason": "发错试卷", "may_sit_again": "1"})).status_code in {302, 303}
    sitting = await session.get_one(Sitting, sitting_id, populate_existing=True)
    assert sitting.status is SittingStatus.VOID
    booking = desk.booking
    await session.refresh(booking)
    assert booking.status is BookingStatus.CHECKED_IN
    page = (await client.get(f"{page_of(desk)}/{sitting_id}")).text
    for words in ("考核发证机关作废考试", "发错试卷"):
        assert words in page
    assert void not in page


async def test_a_released_score_keeps_its_sitting(
    client: Client, session: AsyncSession, desk: Desk, sitting_id: UUID, clock: FixedClock
) -> None:
    await hand_in_by_site(
        session, sitting_id=sitting_id, site_id=desk.site.id, actor_id=desk.head.person.id, reason="停电",
        now=clock.now(), countersign=KEYS.countersign,
    )  # fmt: skip
    score = (await session.exec(select(Score).where(Score.sitting_id == sitting_id))).one()
    score.state = ScoreState.RELEASED
    session.add(score)
    await session.commit()
    answer = await client.submit(f"{page_of(desk)}/{sitting_id}/void", {"reason": "抄袭"})
    assert (answer.status_code, "成绩已经公布" in answer.text) == (422, True)
    assert "抄袭" in answer.text


async def test_a_site_does_not_void(client: Client, desk: Desk, sitting_id: UUID) -> None:
    await client.sign_in(desk.head.phone, PASSWORD)
    void = f"{page_of(desk)}/{sitting_id}/void"
    assert (await client.submit(void, {"reason": "x"})).status_code == 403
    assert (await client.get(page_of(desk))).status_code == 403

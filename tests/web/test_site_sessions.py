"""`/site/sessions`: rooms and sessions of a site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import select

from exams.models import ExamRoom, ExamSession, SessionStatus
from tests.makers.exams import fill_bank, make_booking, make_room, make_session, make_site_head
from tests.makers.people import PASSWORD, make_person

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.conftest import Client
    from training.vault import Vault

PATH = "/site/sessions"


async def test_a_site_head_adds_a_room_and_opens_a_session(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    head, site = await make_site_head(session, vault, now=now)
    await fill_bank(session, vault, now=now)
    await session.commit()
    await client.sign_in(head.phone, PASSWORD)
    assert "还没有考场" in (await client.get(PATH)).text
    wrong = await client.submit(f"{PATH}/rooms", {"name": "第一机房", "seats": "abc"})
    assert wrong.status_code == 422
    assert "第一机房" in wrong.text
    await client.submit(f"{PATH}/rooms", {"name": "第一机房", "seats": "40"})
    room = (await session.exec(select(ExamRoom).where(ExamRoom.site_id == site.id))).one()
    assert (await client.get(f"{PATH}/new")).status_code == 200
    form = {
        "qualification_code": "SO_1_2", "part": "THEORY", "mode": "ON_DEMAND", "room_id": str(room.id),
        "seats": "30", "day": "2026-12-01", "time": "09:00", "plan_id": "",
    }  # fmt: skip
    too_many = await client.submit(f"{PATH}/new", form | {"seats": "41"})
    assert too_many.status_code == 422
    assert "共有 40 个座位" in too_many.text
    bad_day = await client.submit(f"{PATH}/new", form | {"day": "someday"})
    assert "请填写考试日期" in bad_day.text
    for _ in range(2):
        await client.submit(f"{PATH}/new", form)
    page = (await client.get(PATH)).text
    assert "0 / 30" in page
    assert "2026年12月1日 09:00" in page
    assert len((await session.exec(select(ExamSession))).all()) == 1


async def test_a_session_is_cancelled_with_a_reason_that_candidates_see(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    await fill_bank(session, vault, now=now)
    head, site = await make_site_head(session, vault, now=now)
    room = await make_room(session, site=site, head=head, now=now)
    opened = await make_session(session, vault, now=now, room=room, head=head)
    who = await make_person(session, vault, now=now)
    booking = await make_booking(session, vault, now=now, exam_session=opened, who=who)
    stranger, _ = await make_site_head(session, vault, now=now)
    await session.commit()
    await client.sign_in(stranger.phone, PASSWORD)
    assert (await client.get(f"{PATH}/{opened.id}/cancel")).status_code == 404
    assert (await client.submit(f"{PATH}/{opened.id}/cancel", {"reason": "x"})).status_code == 404
    client.cookies.clear()
    await client.sign_in(head.phone, PASSWORD)
    assert "已有 1 人预约" in (await client.get(f"{PATH}/{opened.id}/cancel")).text
    assert (await client.submit(f"{PATH}/{opened.id}/cancel", {"reason": " "})).status_code == 422
    await client.submit(f"{PATH}/{opened.id}/cancel", {"reason": "设备检修"})
    found = await session.get(ExamSession, opened.id, populate_existing=True)
    assert found is not None
    assert found.status is SessionStatus.CANCELLED
    client.cookies.clear()
    await client.sign_in(who.phone, PASSWORD)
    assert "设备检修" in (await client.get(f"/exams/bookings/{booking.id}")).text


async def test_only_a_site_head_arranges_sessions(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    who = await make_person(session, vault, now=now)
    await session.commit()
    await client.sign_in(who.phone, PASSWORD)
    for page in ("", "/rooms", "/new"):
        assert (await client.get(PATH + page)).status_code == 403

"""The assessors' pages and the authority's release."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exams.models import Application, ApplicationStatus, ExamPart
from tests.makers.check_in import make_assessor, make_checked_in, make_desk
from tests.makers.exams import make_reviewer
from tests.makers.people import PASSWORD, Known

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.conftest import Client
    from training.vault import Vault


async def switch(client: Client, who: Known) -> None:
    client.cookies.clear()
    await client.sign_in(who.phone, PASSWORD)


async def test_a_practical_result_from_sheet_to_release(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk = await make_desk(session, vault, now=now, part=ExamPart.PRACTICAL)
    await make_checked_in(session, desk, desk.booking, now=now)
    first = await make_assessor(session, vault, site=desk.site, now=now, name="吴考评")
    second = await make_assessor(session, vault, site=desk.site, now=now, name="冯考评")
    reviewer = await make_reviewer(session, vault, now=now)
    await session.commit()
    sheet = f"/site/practical/{desk.booking.id}"

    await switch(client, first)
    listed = await client.get(f"/site/practical/sessions/{desk.exam_session.id}")
    assert "待评分" in listed.text
    assert "K2 安全操作技术" in (await client.get(sheet)).text
    marks = {f"points_K{number}": "90" for number in range(1, 5)}
    odd = await client.submit(sheet, {**marks, "points_K3": "九十"})
    assert odd.status_code == 422
    assert 'value="九十"' in odd.text
    assert (await client.submit(sheet, marks)).status_code in {302, 303}
    assert "请另一名考评员登录" in (await client.get(sheet)).text
    assert (await client.submit(f"{sheet}/confirm")).status_code == 422

    await switch(client, second)
    assert "同意并签名" in (await client.get(sheet)).text
    await client.submit(f"{sheet}/confirm")
    assert "第二考评员 冯考评" in (await client.get(sheet)).text

    await switch(client, reviewer)
    assert "/authority/practical" in (await client.get("/authority")).text
    assert "公布 1 人" in (await client.get("/authority/practical")).text
    await client.submit(f"/authority/practical/{desk.exam_session.id}/release")
    application = await session.get_one(Application, desk.booking.application_id, populate_existing=True)
    assert application.status is ApplicationStatus.PASSED
    assert "没有可公布的成绩" in (await client.get("/authority/practical")).text


async def test_a_site_head_reads_the_sheet_but_does_not_sign(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk = await make_desk(session, vault, now=now, part=ExamPart.PRACTICAL)
    await make_checked_in(session, desk, desk.booking, now=now)
    await session.commit()
    await switch(client, desk.head)
    sheet = f"/site/practical/{desk.booking.id}"
    assert (await client.get(sheet)).status_code == 200
    assert (await client.submit(sheet, {"points_K1": "90"})).status_code == 403
    assert (await client.get("/authority/practical")).status_code == 403

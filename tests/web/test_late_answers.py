"""Answers that came too late, before the eyes of the authority and of the enterprise."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from exams.handing_in import close_overdue
from exams.models import Booking
from tests.makers.people import PASSWORD, Known, make_organisation, make_role
from tests.makers.receipts import KEYS, next_acts, send
from tests.makers.sittings import GRACE, Sat, make_enterprise_sitting, make_sitting
from training.models import Organisation, OrganisationKind, Role
from web.auth import LANGUAGE_COOKIE

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.conftest import Client
    from training.vault import Vault


async def be_late(session: AsyncSession, sat: Sat, clock: FixedClock) -> None:
    """Two answers in time, then the network is gone until the grace is over."""
    acts = await next_acts(session, sat.id, ["A", "B"], at=clock.now())
    await send(session, sat, acts, now=clock.now())
    late = await next_acts(session, sat.id, ["C", "D"], at=sat.entry.deadline - timedelta(seconds=7), first=2)
    clock.instant = sat.entry.deadline + GRACE
    await close_overdue(session, now=clock.now(), countersign=KEYS.countersign)
    await send(session, sat, late, now=clock.now())
    await session.commit()


async def session_of(session: AsyncSession, sat: Sat) -> str:
    return f"/authority/scores/{(await session.get_one(Booking, sat.booking_id)).exam_session_id}"


async def make_authority(session: AsyncSession, vault: Vault, clock: FixedClock, role: Role = Role.ISSUER) -> Known:
    now = clock.now()
    authority = await make_organisation(session, now=now, kind=OrganisationKind.AUTHORITY, name="演示市应急管理局")
    known = await make_role(session, vault, role=role, organisation=authority, now=now)
    await session.commit()
    return known


async def test_the_authority_sees_what_came_late_beside_what_counts(
    client: Client, session: AsyncSession, vault: Vault, clock: FixedClock
) -> None:
    sat = await make_sitting(session, vault, now=clock.now())
    await be_late(session, sat, clock)
    issuer = await make_authority(session, vault, clock)
    await client.sign_in(issuer.phone, PASSWORD)
    path = await session_of(session, sat)
    assert f"{path}/late" in (await client.get(path)).text
    page = (await client.get(f"{path}/late")).text
    assert "1 名考生的 2 个答案。" in page
    assert sat.who.person.name in page
    assert "超过宽限时间才到达" in page
    rows = page.split("<tbody>")[1]
    assert ">2<" in rows
    assert ">C<" in rows
    # Position 2 counts with what was saved in time, position 3 has nothing.
    assert ">B<" in rows
    assert "（未作答）" in rows
    assert "21:59:53" in rows
    client.cookies.set(LANGUAGE_COOKIE, "en")
    assert "2 answers of 1 candidates." in (await client.get(f"{path}/late")).text


async def test_a_session_without_late_answers_says_so(
    client: Client, session: AsyncSession, vault: Vault, clock: FixedClock
) -> None:
    sat = await make_sitting(session, vault, now=clock.now())
    issuer = await make_authority(session, vault, clock)
    await client.sign_in(issuer.phone, PASSWORD)
    assert "没有未计入的答案" in (await client.get(f"{await session_of(session, sat)}/late")).text


async def test_only_who_decides_on_scores_may_look(
    client: Client, session: AsyncSession, vault: Vault, clock: FixedClock
) -> None:
    sat = await make_sitting(session, vault, now=clock.now())
    editor = await make_authority(session, vault, clock, Role.QUESTION_EDITOR)
    path = f"{await session_of(session, sat)}/late"
    await client.sign_in(editor.phone, PASSWORD)
    assert (await client.get(path)).status_code == 403
    await client.sign_in(sat.who.phone, PASSWORD)
    assert (await client.get(path)).status_code == 403


async def test_the_enterprise_sees_those_of_its_own_exam(
    client: Client, session: AsyncSession, vault: Vault, clock: FixedClock
) -> None:
    sat = await make_enterprise_sitting(session, vault, now=clock.now())
    assert sat.exam
    await be_late(session, sat, clock)
    now = clock.now()
    other = await make_organisation(session, now=now)
    stranger = await make_role(session, vault, role=Role.ENTERPRISE_MANAGER, organisation=other, now=now)
    own = await session.get_one(Organisation, sat.exam.organisation_id)
    manager = await make_role(session, vault, role=Role.ENTERPRISE_MANAGER, organisation=own, now=now)
    await session.commit()
    path = f"/enterprise/exams/{sat.exam.id}/late"
    await client.sign_in(stranger.phone, PASSWORD)
    assert (await client.get(path)).status_code == 404
    await client.sign_in(manager.phone, PASSWORD)
    page = (await client.get(path)).text
    assert "1 名考生的 2 个答案。" in page
    assert "座位" not in page
    assert path in (await client.get(f"/enterprise/exams/{sat.exam.id}")).text
    await client.sign_in(sat.who.phone, PASSWORD)
    result = (await client.get(f"/sittings/{sat.id}/result")).text
    assert "有 2 个答案在考试结束后才到达，已保存并可供考试组织单位查看，没有计入成绩。" in result

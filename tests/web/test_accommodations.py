"""Accommodations: asked for by the candidate, granted by the reviewer or an enterprise, shown where they matter."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from exams.accommodations import Accommodations, grant_accommodations
from exams.models import Application, EnterpriseExam, EnterpriseExamCandidate, Sitting
from exams.starting import start_enterprise_sitting
from tests.makers.exams import make_draft, make_reviewer, make_submitted
from tests.makers.people import PASSWORD, make_person, make_role
from tests.makers.sittings import make_checked_in, make_device, make_enterprise_sitting, make_exam
from training import audit
from training.models import Organisation, Role

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.conftest import Client
    from training.vault import Vault

REASON = "左眼视力 0.2，阅读较慢"


async def test_a_candidate_asks_and_the_reason_is_sealed(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    who = await make_person(session, vault, now=now)
    application = await make_draft(session, vault, now=now, who=who)
    await session.commit()
    await client.sign_in(who.phone, PASSWORD)
    path = f"/exams/applications/{application.id}"
    assert f"{path}/accommodations" in (await client.get(path)).text
    without = await client.submit(f"{path}/accommodations", {"extra_percent": "25", "large_type": "1"})
    assert (without.status_code, "请写明原因" in without.text) == (422, True)
    too_much = await client.submit(f"{path}/accommodations", {"extra_percent": "60", "reason": REASON})
    assert (too_much.status_code, REASON in too_much.text) == (422, True)
    saved = await client.submit(
        f"{path}/accommodations", {"extra_percent": "25", "large_type": "1", "reason": REASON, "language": "en"}
    )
    assert saved.headers["location"] == f"{path}/check"
    stored = await session.get_one(Application, application.id, populate_existing=True)
    assert Accommodations.read(stored.accommodations_wanted) == Accommodations(25, large_type=True, language="en")
    assert REASON.encode() not in (stored.accommodation_reason_sealed or b"")
    check = (await client.get(f"{path}/check")).text
    assert "时间延长 25%、大字、英文界面" in check
    assert REASON not in check
    assert REASON in (await client.get(f"{path}/accommodations")).text


async def test_the_reviewer_reads_the_reason_on_record_and_grants(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    who = await make_person(session, vault, now=now)
    application = await make_submitted(session, vault, now=now, who=who)
    application.accommodations_wanted = Accommodations(25, read_aloud=True).stored()
    application.accommodation_reason_sealed = vault.seal(REASON, context="application.accommodation_reason")
    session.add(application)
    reviewer = await make_reviewer(session, vault, now=now)
    await session.commit()
    await client.sign_in(reviewer.phone, PASSWORD)
    path = f"/authority/applications/{application.id}"
    sheet = (await client.get(path)).text
    assert REASON in sheet
    assert "时间延长 25%、朗读题目" in sheet
    read = await audit.list_entries(session, target=("application", application.id), action="application.accommod")
    assert [entry.actor_id for entry in read] == [reviewer.person.id]
    too_much = await client.submit(f"{path}/accommodations", {"extra_percent": "80"})
    assert (too_much.status_code, "0% 到 50%" in too_much.text) == (422, True)
    await client.submit(f"{path}/accommodations", {"extra_percent": "20", "read_aloud": "1"})
    stored = await session.get_one(Application, application.id, populate_existing=True)
    assert Accommodations.read(stored.accommodations) == Accommodations(20, read_aloud=True)
    await client.sign_in(who.phone, PASSWORD)
    own = (await client.get(f"/exams/applications/{application.id}")).text
    assert "时间延长 20%、朗读题目" in own
    assert REASON not in own


async def test_what_is_granted_stands_on_the_ticket_and_lengthens_the_sitting(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    who, booking = await make_checked_in(session, vault, now=now)
    reviewer = await make_reviewer(session, vault, now=now)
    await grant_accommodations(
        session, application_id=booking.application_id, actor_id=reviewer.person.id,
        granted=Accommodations(25, high_contrast=True), now=now,
    )  # fmt: skip
    await session.commit()
    await client.sign_in(who.phone, PASSWORD)
    assert "时间延长 25%、高对比度" in (await client.get(f"/exams/bookings/{booking.id}")).text
    start = f"/sittings/start/booking/{booking.id}"
    assert "25%" in (await client.get(start)).text
    started = await client.submit(start)
    sitting = await session.get_one(Sitting, started.headers["location"].rpartition("/")[2])
    assert sitting.deadline - sitting.started_at == timedelta(minutes=150)


async def test_nobody_else_asks_or_grants(client: Client, session: AsyncSession, vault: Vault, now: datetime) -> None:
    application = await make_submitted(session, vault, now=now)
    other = await make_person(session, vault, now=now)
    await session.commit()
    await client.sign_in(other.phone, PASSWORD)
    assert (await client.get(f"/exams/applications/{application.id}/accommodations")).status_code == 404
    grant = f"/authority/applications/{application.id}/accommodations"
    assert (await client.submit(grant, {"extra_percent": "25"})).status_code == 403


@pytest.mark.parametrize("percent", ["", "x", "-5", "51", "９"])
async def test_an_enterprise_sets_it_for_one_of_its_own(
    client: Client, session: AsyncSession, vault: Vault, now: datetime, percent: str
) -> None:
    exam, who = await make_exam(session, vault, now=now)
    organisation = await session.get_one(Organisation, exam.organisation_id)
    manager = await make_role(session, vault, role=Role.ENTERPRISE_MANAGER, organisation=organisation, now=now)
    await session.commit()
    await client.sign_in(manager.phone, PASSWORD)
    path = f"/enterprise/exams/{exam.id}/candidates/{who.person.id}"
    assert path in (await client.get(f"/enterprise/exams/{exam.id}")).text
    assert (await client.get(path)).status_code == 200
    assert (await client.submit(path, {"extra_percent": percent})).status_code == 422
    assert (await client.submit(path, {"extra_percent": "10", "large_type": "1"})).status_code in {302, 303}
    stored = await session.get_one(EnterpriseExamCandidate, (exam.id, who.person.id), populate_existing=True)
    assert Accommodations.read(stored.accommodations) == Accommodations(10, large_type=True)
    stranger = f"/enterprise/exams/{exam.id}/candidates/{manager.person.id}"
    assert (await client.get(stranger)).status_code == 404


async def test_an_enterprise_can_ask_for_the_safe_exam_browser(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    exam, _ = await make_exam(session, vault, now=now)
    organisation = await session.get_one(Organisation, exam.organisation_id)
    manager = await make_role(session, vault, role=Role.ENTERPRISE_MANAGER, organisation=organisation, now=now)
    await session.commit()
    await client.sign_in(manager.phone, PASSWORD)
    made = await client.submit(
        "/enterprise/exams/new",
        {
            "title": "年度考试", "opens_at": f"{now:%Y-%m-%dT%H:%M}",
            "closes_at": f"{now + timedelta(days=9):%Y-%m-%dT%H:%M}",
            "attempts_allowed": "1", "whom": "everyone", "needs_seb": "1",
        },
    )  # fmt: skip
    page = made.headers["location"]
    assert (await session.get_one(EnterpriseExam, page.rpartition("/")[2])).needs_seb
    assert "使用安全考试浏览器" in (await client.get(page)).text


async def test_an_enterprise_sees_the_facts_of_its_own_exam(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat = await make_enterprise_sitting(session, vault, now=now)
    assert sat.exam is not None
    organisation = await session.get_one(Organisation, sat.exam.organisation_id)
    manager = await make_role(session, vault, role=Role.ENTERPRISE_MANAGER, organisation=organisation, now=now)
    device = await make_device(session, sat.who, now=now)
    await start_enterprise_sitting(
        session, exam_id=sat.exam.id, person_id=sat.who.person.id, device=device, seed=2, now=now
    )
    await session.commit()
    await client.sign_in(manager.phone, PASSWORD)
    page = (await client.get(f"/enterprise/exams/{sat.exam.id}/candidates/{sat.who.person.id}")).text
    for words in ("另一台设备请求进入", "1 次", "不是结论"):
        assert words in page

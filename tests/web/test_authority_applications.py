"""`/authority/applications` and `/authority/plans`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exams.applications import MISSING_POINTS
from exams.models import Application, ApplicationStatus
from tests.makers.exams import make_draft, make_reviewer, make_submitted
from tests.makers.people import PASSWORD, make_person
from training.audit import list_entries

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.conftest import Client
    from training.vault import Vault
    from web.storage import Store

LIST = "/authority/applications"


async def test_those_that_wait_are_listed_with_their_deadline(
    client: Client, session: AsyncSession, vault: Vault, clock: FixedClock
) -> None:
    now = clock.now()
    reviewer = await make_reviewer(session, vault, now=now)
    await make_submitted(session, vault, now=now, who=await make_person(session, vault, now=now, name="孙等待"))
    await make_draft(session, vault, now=now, who=await make_person(session, vault, now=now, name="周草稿"))
    await session.commit()
    await client.sign_in(reviewer.phone, PASSWORD)
    page = (await client.get(LIST)).text
    assert "孙等待" in page
    assert "周草稿" not in page
    assert "2026年11月27日" in page
    assert "已超期" not in page
    assert "没有符合条件" in (await client.get(LIST, params={"text": "吴"})).text
    clock.advance(days=8)
    assert "已超期" in (await client.get(LIST)).text


async def test_the_full_number_is_shown_once_needed_and_noted(
    client: Client, session: AsyncSession, vault: Vault, now: datetime, store: Store
) -> None:
    reviewer = await make_reviewer(session, vault, now=now)
    who = await make_person(session, vault, now=now)
    application = await make_submitted(session, vault, now=now, who=who, store=store)
    await session.commit()
    await client.sign_in(reviewer.phone, PASSWORD)
    page = await client.get(f"{LIST}/{application.id}")
    assert who.number in page.text
    assert "没有器质性心脏病" in page.text
    entries = await list_entries(session, target=("person", who.person.id), action="person.document_viewed")
    assert [entry.actor_id for entry in entries] == [reviewer.person.id]
    assert (await client.get(f"{LIST}/{application.id}/photo.jpg")).headers["content-type"] == "image/jpeg"
    assert (await client.get(f"{LIST}/{application.id}/proof")).content.startswith(b"%PDF")
    answer = await client.submit(f"{LIST}/{application.id}/accept")
    page = await client.get(answer.headers["location"])
    assert "审核通过" in page.text
    assert who.number not in page.text


async def test_returning_takes_all_points_at_once_and_keeps_them_on_error(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    reviewer = await make_reviewer(session, vault, now=now)
    application = await make_submitted(session, vault, now=now)
    await session.commit()
    await client.sign_in(reviewer.phone, PASSWORD)
    path = f"{LIST}/{application.id}"
    assert (await client.submit(f"{path}/return", {"note": " "})).status_code == 422
    await client.submit(f"{path}/return", {"points": list(MISSING_POINTS[:2]), "note": "请补拍"})
    page = await client.get(path)
    assert MISSING_POINTS[1] in page.text
    again = await client.submit(f"{path}/accept")
    assert again.status_code == 422
    assert "不在待审核状态" in again.text


async def test_refusing_needs_a_reason(client: Client, session: AsyncSession, vault: Vault, now: datetime) -> None:
    reviewer = await make_reviewer(session, vault, now=now)
    application = await make_submitted(session, vault, now=now)
    await session.commit()
    await client.sign_in(reviewer.phone, PASSWORD)
    assert (await client.submit(f"{LIST}/{application.id}/refuse", {"reason": ""})).status_code == 422
    await client.submit(f"{LIST}/{application.id}/refuse", {"reason": "不符合第4条"})
    found = await session.get(Application, application.id, populate_existing=True)
    assert found is not None
    assert found.status is ApplicationStatus.REFUSED


@pytest.mark.parametrize("path", [LIST, "/authority/plans"])
async def test_the_desk_is_for_reviewers_alone(
    client: Client, session: AsyncSession, vault: Vault, now: datetime, path: str
) -> None:
    who = await make_person(session, vault, now=now)
    await session.commit()
    assert (await client.get(path)).headers["location"].startswith("/sign-in")
    await client.sign_in(who.phone, PASSWORD)
    assert (await client.get(path)).status_code == 403


async def test_a_draft_is_not_the_authoritys_to_see(
    client: Client, session: AsyncSession, vault: Vault, now: datetime, store: Store
) -> None:
    reviewer = await make_reviewer(session, vault, now=now)
    draft = await make_draft(session, vault, now=now, store=store)
    await session.commit()
    await client.sign_in(reviewer.phone, PASSWORD)
    for page in ("", "/photo.jpg", "/proof"):
        assert (await client.get(f"{LIST}/{draft.id}{page}")).status_code == 404


async def test_a_plan_is_made_and_published(client: Client, session: AsyncSession, vault: Vault, now: datetime) -> None:
    reviewer = await make_reviewer(session, vault, now=now)
    await session.commit()
    await client.sign_in(reviewer.phone, PASSWORD)
    wrong = await client.submit(
        "/authority/plans", {"title": "十二月计划", "starts_on": "2026-12-31", "ends_on": "2026-12-01"}
    )
    assert wrong.status_code == 422
    assert "十二月计划" in wrong.text
    await client.submit("/authority/plans", {"title": "十二月计划", "starts_on": "2026-12-01", "ends_on": "2026-12-31"})
    page = (await client.get("/authority/plans")).text
    action = page.split('action="/authority/plans/')[1].split('"')[0]
    assert "十二月计划" not in (await client.get("/exams/qualifications")).text
    await client.submit(f"/authority/plans/{action}")
    assert "十二月计划" in (await client.get("/exams/qualifications")).text

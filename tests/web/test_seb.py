"""Entering an exam that needs the Safe Exam Browser."""

from __future__ import annotations

import plistlib
from typing import TYPE_CHECKING

import pytest

from exams.browser_exam_keys import add_browser_key
from exams.integrity import list_facts
from exams.models import EnterpriseExam, ExamSession, IntegrityKind, Sitting
from exams.safe_exam_browser import config_key, request_hash
from tests.makers.check_in import make_desk
from tests.makers.people import PASSWORD, make_organisation, make_role
from tests.makers.sittings import make_checked_in, make_exam
from training.models import OrganisationKind, Role
from web.safe_exam_browser import config_path, settings_of

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.models import Booking
    from tests.clock import FixedClock
    from tests.conftest import Client
    from tests.makers.people import Known
    from training.vault import Vault
    from web.services import Services

ORIGIN = "http://testserver"
PROGRAM = "ab" * 32


class Seat:
    """A candidate whose session needs the program."""

    def __init__(self, who: Known, booking: Booking, exam_session: ExamSession, services: Services) -> None:
        self.who, self.booking, self.exam_session = who, booking, exam_session
        self.start = f"/sittings/start/booking/{booking.id}"
        self._config = config_key(settings_of(services, exam_session.site_id))

    def headers(self, path: str, *, program: str = PROGRAM) -> dict[str, str]:
        url = ORIGIN + path
        return {
            "X-SafeExamBrowser-ConfigKeyHash": request_hash(url, self._config),
            "X-SafeExamBrowser-RequestHash": request_hash(url, program),
        }


@pytest.fixture
async def seat(session: AsyncSession, vault: Vault, services: Services, client: Client, clock: FixedClock) -> Seat:
    who, booking = await make_checked_in(session, vault, now=clock.now())
    exam_session = await session.get_one(ExamSession, booking.exam_session_id)
    exam_session.needs_seb = True
    session.add(exam_session)
    await session.commit()
    await client.sign_in(who.phone, PASSWORD)
    return Seat(who, booking, exam_session, services)


async def test_another_browser_is_told_what_to_do(client: Client, seat: Seat) -> None:
    refused = await client.submit(seat.start)
    assert refused.status_code == 403
    assert config_path(seat.exam_session.site_id) in refused.text
    assert f"seb://testserver{config_path(seat.exam_session.site_id)}" in refused.text
    assert "安全考试浏览器" in refused.text


async def test_the_program_with_our_configuration_starts_reads_and_hands_in(
    client: Client, session: AsyncSession, seat: Seat, clock: FixedClock
) -> None:
    started = await client.submit(seat.start, headers=seat.headers(seat.start))
    assert started.status_code in {302, 303}
    paper = started.headers["location"]
    shown = await client.get(paper, headers=seat.headers(paper))
    assert (shown.status_code, "data-position" in shown.text or "item-1" in shown.text) == (200, True)
    clock.advance(minutes=1)
    assert (await client.get(paper)).status_code == 403
    assert (await client.get(paper, headers=seat.headers(seat.start))).status_code == 403
    sitting_id = paper.rpartition("/")[2]
    [fact] = await list_facts(session, sitting_id=(await session.get_one(Sitting, sitting_id)).id)
    assert fact.kind is IntegrityKind.SEB_MISSING
    clock.advance(minutes=90)
    hand_in = f"{paper}/hand-in"
    assert (await client.submit(hand_in)).status_code == 403
    assert (await client.submit(hand_in, headers=seat.headers(hand_in))).status_code in {302, 303}
    assert (await client.get(f"{paper}/result")).status_code == 200


async def test_where_keys_are_listed_only_a_listed_program_gets_in(
    client: Client, session: AsyncSession, seat: Seat, now: datetime
) -> None:
    await add_browser_key(
        session, organisation_id=seat.exam_session.site_id, key=PROGRAM, label="机房一",
        actor_id=seat.exam_session.created_by, now=now,
    )  # fmt: skip
    await session.commit()
    other = seat.headers(seat.start, program="cd" * 32) | {"User-Agent": "SEB/3.9"}
    refused = await client.submit(seat.start, headers=other)
    assert refused.status_code == 403
    assert "已登记的安全考试浏览器版本" in refused.text
    assert (await client.submit(seat.start, headers=seat.headers(seat.start))).status_code in {302, 303}


async def test_a_program_call_cannot_go_round_it(client: Client, seat: Seat) -> None:
    body = {"booking_id": str(seat.booking.id)}
    token = (await client.post("/api/v1/sign-in", json={"login": seat.who.phone, "password": PASSWORD})).json()["token"]
    headers = {"Authorization": f"Bearer {token}"}
    answer = await client.post("/api/v1/sittings", json=body, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (403, "BrowserNeeded")
    path = "/api/v1/sittings"
    assert (await client.post(path, json=body, headers=headers | seat.headers(path))).status_code == 200


async def test_anybody_may_fetch_the_configuration_and_nobody_an_unknown_one(client: Client, seat: Seat) -> None:
    answer = await client.get(config_path(seat.exam_session.site_id))
    assert answer.headers["content-type"].startswith("application/seb")
    assert plistlib.loads(answer.content)["startURL"] == f"{ORIGIN}/sittings/"
    assert (await client.get(config_path(seat.booking.id))).status_code == 404
    assert (await client.get("/sittings/seb/quit")).status_code == 200


async def test_an_enterprise_exam_can_need_it_too(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    exam, who = await make_exam(session, vault, now=now)
    stored = await session.get_one(EnterpriseExam, exam.id)
    stored.needs_seb = True
    session.add(stored)
    await session.commit()
    await client.sign_in(who.phone, PASSWORD)
    assert (await client.submit(f"/sittings/start/exam/{exam.id}")).status_code == 403


async def test_a_second_device_of_a_certificate_exam_is_a_fact(
    client: Client, session: AsyncSession, seat: Seat
) -> None:
    started = await client.submit(seat.start, headers=seat.headers(seat.start))
    client.cookies.clear()
    await client.sign_in(seat.who.phone, PASSWORD)
    assert (await client.submit(seat.start, headers=seat.headers(seat.start))).status_code == 409
    sitting = await session.get_one(Sitting, started.headers["location"].rpartition("/")[2])
    assert [fact.kind for fact in await list_facts(session, sitting_id=sitting.id)] == [IntegrityKind.SECOND_DEVICE]


async def test_the_site_head_lists_and_retires_keys(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk = await make_desk(session, vault, now=now)
    await session.commit()
    await client.sign_in(desk.head.phone, PASSWORD)
    assert "没有登记密钥" in (await client.get("/site/browser-keys")).text
    odd = await client.submit("/site/browser-keys", {"key": "xyz", "label": "机房一"})
    assert (odd.status_code, "机房一" in odd.text) == (422, True)
    await client.submit("/site/browser-keys", {"key": PROGRAM, "label": "机房一"})
    page = (await client.get("/site/browser-keys")).text
    assert "abababab…abababab" in page
    assert PROGRAM not in page
    path = page.partition('action="/site/browser-keys/')[2].partition('"')[0]
    assert (await client.submit(f"/site/browser-keys/{path}")).status_code in {302, 303}
    assert "没有登记密钥" in (await client.get("/site/browser-keys")).text


async def test_the_keys_are_for_the_head_alone(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk = await make_desk(session, vault, now=now)
    await session.commit()
    await client.sign_in(desk.invigilator.phone, PASSWORD)
    assert (await client.get("/site/browser-keys")).status_code == 403


async def test_an_enterprise_lists_its_own_keys(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    enterprise = await make_organisation(session, now=now, kind=OrganisationKind.ENTERPRISE, name="明达机械")
    manager = await make_role(session, vault, role=Role.ENTERPRISE_MANAGER, organisation=enterprise, now=now)
    await session.commit()
    await client.sign_in(manager.phone, PASSWORD)
    await client.submit("/enterprise/browser-keys", {"key": PROGRAM, "label": "会议室"})
    assert "会议室" in (await client.get("/enterprise/browser-keys")).text


async def test_a_session_is_changed_until_it_begins(
    client: Client, session: AsyncSession, vault: Vault, clock: FixedClock
) -> None:
    desk = await make_desk(session, vault, now=clock.now())
    await session.commit()
    await client.sign_in(desk.head.phone, PASSWORD)
    path = f"/site/sessions/{desk.exam_session.id}/browser"
    assert path in (await client.get("/site/sessions")).text
    for _ in range(2):
        assert (await client.submit(path, {"needs_seb": "1"})).status_code in {302, 303}
    page = (await client.get("/site/sessions")).text
    assert "不再要求安全考试浏览器" in page
    exam_session = await session.get_one(ExamSession, desk.exam_session.id, populate_existing=True)
    assert exam_session.needs_seb
    clock.instant = exam_session.starts_at
    assert path not in (await client.get("/site/sessions")).text
    late = await client.submit(path, {"needs_seb": ""})
    assert late.status_code == 422
    await client.sign_in(desk.invigilator.phone, PASSWORD)
    assert (await client.submit(path, {"needs_seb": ""})).status_code == 403

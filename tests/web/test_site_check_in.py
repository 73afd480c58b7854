"""The desk's pages: finding the candidate, consent, camera and officer."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from exams.identity.checks import NOT_ADMITTED, SAME_PERSON
from exams.models import BookingStatus
from tests.makers.check_in import OTHER, SAME, Desk, ToldMatcher, make_desk
from tests.makers.exams import picture
from tests.makers.people import PASSWORD, Known
from training.audit import list_entries

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.conftest import Client
    from training.vault import Vault
    from web.services import Services
    from web.storage import Store


@pytest.fixture
def matcher() -> ToldMatcher:
    return ToldMatcher(SAME)


@pytest.fixture
def services(services: Services, matcher: ToldMatcher) -> Services:
    return replace(services, matcher=matcher)


@pytest.fixture
async def desk(session: AsyncSession, vault: Vault, now: datetime, store: Store) -> Desk:
    made = await make_desk(session, vault, now=now, store=store, candidates=2)
    await session.commit()
    return made


def address(desk: Desk) -> str:
    return f"/site/sessions/{desk.exam_session.id}/check-in"


def card(desk: Desk) -> str:
    return f"{address(desk)}/{desk.booking.id}"


async def sign_in(client: Client, who: Known) -> None:
    await client.sign_in(who.phone, PASSWORD)


async def test_a_ticket_leads_to_the_candidate_and_a_wrong_one_says_why(client: Client, desk: Desk) -> None:
    await sign_in(client, desk.invigilator)
    page = await client.get(address(desk))
    assert page.status_code == 200
    assert desk.booking.ticket_no in page.text
    assert "张考一" not in page.text
    found = await client.submit(address(desk), {"ticket": f"http://testserver/t/{desk.booking.ticket_token}"})
    assert found.headers["location"] == card(desk)
    wrong = await client.submit(address(desk), {"ticket": "EX999"})
    assert wrong.status_code == 422
    assert "没有找到这张准考证" in wrong.text
    assert "EX999" in wrong.text


async def test_consent_is_asked_with_equal_buttons_and_then_the_camera_checks_in(
    client: Client, session: AsyncSession, desk: Desk, matcher: ToldMatcher
) -> None:
    await sign_in(client, desk.invigilator)
    asked = await client.get(card(desk))
    assert asked.text.count("btn-choice") == 2
    assert "张考一" in asked.text
    assert desk.candidate.number not in asked.text
    agreed = await client.submit(f"{card(desk)}/consent", {"answer": "AGREE"})
    assert agreed.headers["location"] == card(desk)
    assert "data-camera" in (await client.get(card(desk))).text
    live = picture(side=300, colour="#010203")
    sent = await client.submit(f"{card(desk)}/face", files={"picture": ("picture.jpg", live, "image/jpeg")})
    assert sent.status_code in {302, 303}, sent.text
    [(enrolled, seen)] = matcher.asked
    assert seen == live
    assert len(enrolled) == 1
    done = await client.get(card(desk))
    assert "已签到 · 座位 01" in done.text
    await session.refresh(desk.booking)
    assert desk.booking.status is BookingStatus.CHECKED_IN


async def test_a_picture_too_large_for_memory_is_refused_before_it_is_read(
    client: Client, desk: Desk, matcher: ToldMatcher
) -> None:
    await sign_in(client, desk.invigilator)
    await client.submit(f"{card(desk)}/consent", {"answer": "AGREE"})
    huge = await client.submit(f"{card(desk)}/face", files={"picture": ("p.jpg", bytes(2**20), "image/jpeg")})
    assert huge.status_code == 413
    empty = await client.submit(f"{card(desk)}/face", files={"picture": ("p.jpg", b"", "image/jpeg")})
    assert empty.status_code == 422
    assert "没有收到照片" in empty.text
    assert matcher.asked == []


async def test_another_face_goes_to_the_officer_who_needs_a_reason(
    client: Client, session: AsyncSession, desk: Desk, matcher: ToldMatcher
) -> None:
    matcher.scores = OTHER
    await sign_in(client, desk.invigilator)
    await client.submit(f"{card(desk)}/consent", {"answer": "AGREE"})
    await client.submit(f"{card(desk)}/face", files={"picture": ("p.jpg", picture(), "image/jpeg")})
    asked = await client.get(card(desk))
    assert "机器比对认为不是同一人" in asked.text
    assert " checked" not in asked.text  # the officer decides; the page suggests nothing
    bare = {"outcome": "ADMIT", "admit_reason": SAME_PERSON[2], "refuse_reason": NOT_ADMITTED[0], "note": ""}
    refused = await client.submit(f"{card(desk)}/officer", bare)
    assert refused.status_code == 422
    assert "请写明您核对了什么" in refused.text
    await client.submit(f"{card(desk)}/officer", {**bare, "note": "证件芯片照片一致"})
    await session.refresh(desk.booking)
    assert desk.booking.status is BookingStatus.CHECKED_IN


async def test_refusing_consent_takes_as_many_steps(
    client: Client, session: AsyncSession, desk: Desk, matcher: ToldMatcher
) -> None:
    await sign_in(client, desk.invigilator)
    refused = await client.submit(f"{card(desk)}/consent", {"answer": "REFUSE"})
    form = await client.get(refused.headers["location"])
    assert "由工作人员核对" in form.text
    decided = await client.submit(f"{card(desk)}/officer", {"outcome": "ADMIT", "admit_reason": SAME_PERSON[1]})
    assert decided.status_code in {302, 303}
    await session.refresh(desk.booking)
    assert desk.booking.status is BookingStatus.CHECKED_IN
    assert matcher.asked == []


async def test_turning_away_is_on_record_and_the_seat_stays(client: Client, session: AsyncSession, desk: Desk) -> None:
    await sign_in(client, desk.invigilator)
    await client.submit(f"{card(desk)}/officer", {"outcome": "TURN_AWAY", "refuse_reason": NOT_ADMITTED[0]})
    page = await client.get(card(desk))
    assert "工作人员已决定不予入场" in page.text
    await session.refresh(desk.booking)
    assert desk.booking.status is BookingStatus.BOOKED


async def test_the_photo_is_shown_to_the_officer_alone_and_each_look_is_noted(
    client: Client, session: AsyncSession, desk: Desk
) -> None:
    await sign_in(client, desk.candidate)
    assert (await client.get(f"{card(desk)}/photo")).status_code == 403
    await client.submit("/sign-out")
    await sign_in(client, desk.head)
    photo = await client.get(f"{card(desk)}/photo")
    assert photo.content.startswith(b"\xff\xd8")
    assert photo.headers["cache-control"] == "no-store"
    actions = [entry.action for entry in await list_entries(session, target=("booking", desk.booking.id))]
    assert "photo.viewed" in actions


async def test_closed_doors_are_explained(client: Client, desk: Desk, clock: FixedClock) -> None:
    clock.instant = desk.exam_session.starts_at - timedelta(minutes=16)
    await sign_in(client, desk.invigilator)
    assert "请考生稍候" in (await client.get(card(desk))).text
    clock.instant = desk.exam_session.starts_at + timedelta(minutes=30)
    assert "停止入场" in (await client.get(card(desk))).text
    late = await client.submit(f"{card(desk)}/consent", {"answer": "AGREE"})
    assert late.status_code == 422


async def test_the_code_on_the_ticket_opens_the_desk_for_staff_and_the_ticket_for_its_holder(
    client: Client, desk: Desk
) -> None:
    code = f"/t/{desk.booking.ticket_token}"
    await sign_in(client, desk.invigilator)
    assert (await client.get(code)).headers["location"] == card(desk)
    client.cookies.clear()
    await sign_in(client, desk.candidate)
    assert (await client.get(code)).headers["location"] == f"/exams/bookings/{desk.booking.id}"
    client.cookies.clear()
    await sign_in(client, desk.candidates[1])
    assert (await client.get(code)).status_code == 403


async def test_another_site_sees_nothing(
    client: Client, session: AsyncSession, vault: Vault, now: datetime, desk: Desk
) -> None:
    other = await make_desk(session, vault, now=now)
    await session.commit()
    await sign_in(client, other.head)
    for path in (address(desk), card(desk), f"{card(desk)}/photo", f"/site/sessions/{desk.exam_session.id}"):
        assert (await client.get(path)).status_code == 404


@pytest.mark.parametrize("matcher", [None])
async def test_without_engines_the_officer_is_asked_at_once(client: Client, desk: Desk) -> None:
    await sign_in(client, desk.invigilator)
    page = await client.get(card(desk))
    assert "btn-choice" not in page.text
    assert "准予入场的依据" in page.text

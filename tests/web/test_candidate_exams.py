"""`/exams` as a candidate sees it: conditions, steps, booking and the ticket."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlmodel import select

from exams.applications import MISSING_POINTS, accept_application, return_application
from exams.health import items_for
from exams.models import Application, ApplicationStatus, Booking, BookingStatus
from tests.makers.exams import (
    PDF,
    fill_bank,
    make_accepted,
    make_booking,
    make_draft,
    make_reviewer,
    make_session,
    make_submitted,
    picture,
)
from tests.makers.people import PASSWORD, make_person

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.conftest import Client
    from training.vault import Vault
    from web.storage import Store


async def test_conditions_are_public_and_ask_for_no_course(client: Client) -> None:
    answer = await client.get("/exams/qualifications")
    assert "低压电工作业" in answer.text
    answer = await client.get("/exams/qualifications/SO_1_2")
    assert answer.status_code == 200
    assert "80 分合格" in answer.text
    assert "任选其一" in answer.text
    assert "登录并报名" in answer.text
    assert (await client.get("/exams/qualifications/SO_9_99")).status_code == 404


async def test_search_finds_by_part_of_a_name_and_says_when_nothing_fits(client: Client) -> None:
    found = await client.get("/exams/qualifications", params={"text": "焊接"})
    assert "熔化焊接" in found.text
    assert "低压电工作业" not in found.text
    assert "没有找到" in (await client.get("/exams/qualifications", params={"text": "潜水"})).text


async def test_a_candidate_goes_from_conditions_to_the_ticket(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    who = await make_person(session, vault, now=now)
    await fill_bank(session, vault, now=now)
    exam_session = await make_session(session, vault, now=now)
    reviewer = await make_reviewer(session, vault, now=now)
    await session.commit()
    await client.sign_in(who.phone, PASSWORD)
    assert "还没有报名" in (await client.get("/exams")).text

    answer = await client.submit("/exams/qualifications/SO_1_2/applications")
    path = answer.headers["location"]
    assert "未完成" in (await client.get(path)).text
    answer = await client.submit(
        f"{path}/background",
        {"education": "COLLEGE", "employer": "北京演示科技有限公司", "proof_kind": "EDUCATION"},
        files={"proof": ("证明.pdf", PDF, "application/pdf")},
    )
    assert answer.headers["location"] == f"{path}/photo"
    assert (await client.get(f"{path}/photo")).status_code == 200
    answer = await client.submit(f"{path}/photo", files={"photo": ("me.jpg", picture(), "image/jpeg")})
    assert answer.headers["location"] == f"{path}/health"
    assert (await client.get(f"{path}/health")).status_code == 200
    codes = [item.code for item in items_for("1.2")]
    answer = await client.submit(f"{path}/health", {"confirmed": codes, "typed_name": "张安全"})
    assert answer.headers["location"] == f"{path}/check"
    page = await client.get(f"{path}/check")
    assert "提交申请" in page.text
    assert "finding-unmet" not in page.text
    answer = await client.submit(f"{path}/submit")
    assert answer.headers["location"] == path
    assert "等待审核" in (await client.get("/exams")).text
    assert (await client.get(f"{path}/background")).headers["location"] == path

    application = (await session.exec(select(Application))).one()
    await accept_application(session, application_id=application.id, reviewer_id=reviewer.person.id, now=now)
    await session.commit()
    page = await client.get(f"{path}/sessions")
    assert "剩 3 个座位" in page.text
    answer = await client.submit(f"{path}/bookings", {"exam_session_id": str(exam_session.id)})
    ticket = answer.headers["location"]
    page = await client.get(ticket)
    number = re.search(r"EX\d{14}|EX\d{6}\d{3}\d{5}", page.text)
    assert number is not None
    assert who.number not in page.text
    assert "<svg" in (await client.get(f"{ticket}/code.svg")).text
    file = await client.get(f"{ticket}/ticket.pdf")
    assert file.content.startswith(b"%PDF-")
    assert file.headers["cache-control"] == "private, no-store"
    assert "查看准考证" in (await client.get("/exams")).text
    answer = await client.submit(f"{ticket}/cancel")
    assert "座位已释放" in (await client.get(ticket)).text
    assert (await client.get(f"{ticket}/ticket.pdf")).status_code == 404


async def test_an_error_keeps_what_was_typed(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    who = await make_person(session, vault, now=now)
    await session.commit()
    await client.sign_in(who.phone, PASSWORD)
    path = (await client.submit("/exams/qualifications/SO_1_2/applications")).headers["location"]
    answer = await client.submit(
        f"{path}/background",
        {"education": "COLLEGE", "employer": "某某电力公司", "proof_kind": "TRAINING"},
        files={"proof": ("x.pdf", b"MZ not a pdf", "application/pdf")},
    )
    assert answer.status_code == 422
    assert "某某电力公司" in answer.text
    assert "内容不是 PDF" in answer.text
    answer = await client.submit(f"{path}/photo", files={"photo": ("me.jpg", b"nonsense", "image/jpeg")})
    assert answer.status_code == 422
    assert "照片无法使用" in answer.text
    answer = await client.submit(f"{path}/health", {"confirmed": "HEART", "typed_name": "张安全"})
    assert answer.status_code == 422
    assert re.search(r'value="HEART" required checked', answer.text)
    answer = await client.submit(f"{path}/submit")
    assert answer.status_code == 422
    assert "还有 3 项没有完成" in answer.text


async def test_a_returned_application_shows_every_point_at_once(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    who = await make_person(session, vault, now=now)
    reviewer = await make_reviewer(session, vault, now=now)
    application = await make_submitted(session, vault, now=now, who=who)
    await return_application(
        session, application_id=application.id, reviewer_id=reviewer.person.id, points=MISSING_POINTS[:3],
        note="请白天拍摄", now=now,
    )  # fmt: skip
    await session.commit()
    await client.sign_in(who.phone, PASSWORD)
    for page in ("", "/photo"):
        text = (await client.get(f"/exams/applications/{application.id}{page}")).text
        assert all(point in text for point in MISSING_POINTS[:3])
        assert "请白天拍摄" in text


async def test_photo_and_proof_are_for_their_owner_alone(
    client: Client, session: AsyncSession, vault: Vault, now: datetime, store: Store
) -> None:
    who = await make_person(session, vault, now=now)
    other = await make_person(session, vault, now=now)
    application = await make_draft(session, vault, now=now, who=who, store=store)
    await session.commit()
    path = f"/exams/applications/{application.id}"
    await client.sign_in(who.phone, PASSWORD)
    assert (await client.get(f"{path}/photo.jpg")).headers["content-type"] == "image/jpeg"
    assert "attachment" in (await client.get(f"{path}/proof")).headers["content-disposition"]
    client.cookies.clear()
    await client.sign_in(other.phone, PASSWORD)
    for page in ("", "/photo.jpg", "/proof", "/check", "/sessions"):
        assert (await client.get(path + page)).status_code == 404


async def test_a_booking_is_changed_on_its_page(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    who = await make_person(session, vault, now=now)
    booking = await make_booking(session, vault, now=now, who=who)
    other = await make_session(session, vault, now=now, in_hours=120)
    await session.commit()
    await client.sign_in(who.phone, PASSWORD)
    path = f"/exams/bookings/{booking.id}"
    page = await client.get(f"{path}/sessions")
    assert "当前场次" in page.text
    for _ in range(2):
        answer = await client.submit(f"{path}/change", {"exam_session_id": str(other.id)})
        assert answer.headers["location"] == path
    answer = await client.submit(f"{path}/change", {"exam_session_id": str(booking.exam_session_id)})
    page = await client.get(path)
    assert "改签（" not in page.text


async def test_a_full_session_says_so(client: Client, session: AsyncSession, vault: Vault, now: datetime) -> None:
    await fill_bank(session, vault, now=now)
    exam_session = await make_session(session, vault, now=now, seats=1)
    await make_booking(session, vault, now=now, exam_session=exam_session)
    who = await make_person(session, vault, now=now)
    application = await make_accepted(session, vault, now=now, who=who)
    await session.commit()
    await client.sign_in(who.phone, PASSWORD)
    path = f"/exams/applications/{application.id}"
    assert "已约满" in (await client.get(f"{path}/sessions")).text
    answer = await client.submit(f"{path}/bookings", {"exam_session_id": str(exam_session.id)})
    assert answer.status_code == 422
    assert "刚刚约满" in answer.text


async def test_withdrawing_asks_first_and_then_frees_the_seat(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    who = await make_person(session, vault, now=now)
    booking = await make_booking(session, vault, now=now, who=who)
    await session.commit()
    await client.sign_in(who.phone, PASSWORD)
    path = f"/exams/applications/{booking.application_id}"
    assert "data-confirm" in (await client.get(path)).text
    await client.submit(f"{path}/withdraw")
    assert "已撤回" in (await client.get(path)).text
    await session.refresh(booking)
    assert booking.status is BookingStatus.CANCELLED
    application = await session.get(Application, booking.application_id, populate_existing=True)
    assert application is not None
    assert application.status is ApplicationStatus.WITHDRAWN
    assert (await session.exec(select(Booking))).all()


async def test_the_pages_speak_english_on_request(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    who = await make_person(session, vault, now=now)
    booking = await make_booking(session, vault, now=now, who=who)
    await session.commit()
    await client.sign_in(who.phone, PASSWORD)
    await client.submit("/language", {"language": "en", "next": "/exams"})
    assert "Next: be at" in (await client.get("/exams")).text
    page = (await client.get("/exams/qualifications/SO_1_2")).text
    assert "Low-voltage electrician" in page
    assert "Basis: Order No. 30" in page
    assert "Show this code" in (await client.get(f"/exams/bookings/{booking.id}")).text

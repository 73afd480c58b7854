"""A candidate downloads the receipt and anybody checks it; the authority looks at what came too late."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from playwright.sync_api import expect

from exams.handing_in import close_overdue
from exams.models import Booking
from tests.journeys.conftest import DESK, PHONE, inspect, sign_in
from tests.makers.people import PASSWORD, make_organisation, make_role
from tests.makers.receipts import next_acts, send
from tests.makers.sittings import GRACE, Sat, make_sitting, right_choices
from training.models import OrganisationKind, Role

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page
    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.journeys.conftest import Server
    from tests.makers.people import Known


def _sit_and_lose_the_network(server: Server) -> tuple[Sat, Known, UUID]:
    """Eighty answers in time; three more arrive when the grace is over."""

    async def act(session: AsyncSession) -> tuple[Sat, Known, UUID]:
        began = server.clock.now() - timedelta(hours=3)
        authority = await make_organisation(
            session, now=began, kind=OrganisationKind.AUTHORITY, name="演示市应急管理局"
        )
        issuer = await make_role(session, server.vault, role=Role.ISSUER, organisation=authority, now=began)
        sat = await make_sitting(session, server.vault, now=began)
        right = await right_choices(session, sat.id)
        acts = await next_acts(session, sat.id, right[:80], at=began + timedelta(minutes=40))
        await send(session, sat, acts, now=began + timedelta(minutes=40))
        end = sat.entry.deadline
        late = await next_acts(session, sat.id, right[79:82], at=end - timedelta(seconds=5), first=80)
        await close_overdue(session, now=end + GRACE, countersign=server.keys.countersign)
        await send(session, sat, late, now=end + GRACE + timedelta(minutes=1))
        booking = await session.get_one(Booking, sat.booking_id)
        return sat, issuer, booking.exam_session_id

    made: tuple[Sat, Known, UUID] = server.do(act)
    return made


def _both_sizes(page: Page, name: str) -> None:
    for size in (DESK, PHONE):
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        inspect(page, name)


def test_a_receipt_is_downloaded_checked_and_forged_in_vain(
    server: Server, phone: Page, desk: Page, tmp_path: Path
) -> None:
    sat, issuer, exam_session_id = _sit_and_lose_the_network(server)
    sign_in(phone, sat.who.phone, PASSWORD)
    phone.goto(f"/sittings/{sat.id}/result")
    expect(phone.get_by_text("有 3 个答案在考试结束后才到达")).to_be_visible()
    _both_sizes(phone, "result-receipt")
    with phone.expect_download() as printed:
        phone.get_by_role("link", name="作答回执（PDF）").click()
    assert printed.value.suggested_filename.endswith(".pdf")
    with phone.expect_download() as given:
        phone.get_by_role("link", name="作答回执（JSON，供核验）").click()
    file = tmp_path / "receipt.json"
    given.value.save_as(file)

    desk.goto("/receipts")
    _both_sizes(desk, "receipts")
    desk.get_by_label("作答回执（JSON 文件）").set_input_files(file)
    desk.get_by_role("button", name="核验").click()
    expect(desk.get_by_role("heading", name="回执属实")).to_be_visible()
    _both_sizes(desk, "receipts-genuine")

    text = file.read_text("utf-8")
    forged = tmp_path / "forged.json"
    forged.write_text(text.replace('"position": 80', '"position": 81'), "utf-8")
    desk.goto("/receipts")
    desk.get_by_label("作答回执（JSON 文件）").set_input_files(forged)
    desk.get_by_role("button", name="核验").click()
    expect(desk.get_by_role("heading", name="作答与签名时不一致")).to_be_visible()
    _both_sizes(desk, "receipts-forged")
    forged.write_text("not a receipt", "utf-8")
    desk.get_by_role("link", name="核验另一份").click()
    desk.get_by_label("作答回执（JSON 文件）").set_input_files(forged)
    desk.get_by_role("button", name="核验").click()
    expect(desk.get_by_role("alert")).to_contain_text("这个文件不是作答回执")
    _both_sizes(desk, "receipts-no-receipt")

    sign_in(desk, issuer.phone, PASSWORD)
    desk.goto(f"/authority/scores/{exam_session_id}")
    desk.get_by_role("link", name="未计入的答案").click()
    expect(desk.get_by_text("1 名考生的 3 个答案。")).to_be_visible()
    _both_sizes(desk, "late-answers")

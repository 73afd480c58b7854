"""Journey (b): from the first form on a phone to a stranger who scans the certificate, and what revoking it does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from playwright.sync_api import expect
from sqlmodel import select

from exams.models import Application, Booking, BookingStatus, CheckMethod, CheckVerdict, ExamPart, IdentityCheck
from exams.practical import TaskMark, confirm_result, draw_tasks, enter_result, get_plan, release_practical
from exams.qualifications import get_qualification
from exams.seating import book_seat
from exams.sheets import get_result
from seed.item_files import ITEMS, load_items
from tests.faces import camera_video, person_a, person_a_again, person_b
from tests.journeys.conftest import PHONE, browser_with, inspect, new_context, sign_in
from tests.journeys.test_site import make as make_desk_with_faces
from tests.makers.certificates import make_office
from tests.makers.check_in import make_assessor
from tests.makers.exams import LOW_VOLTAGE, PDF, make_room, make_session, make_site_head
from tests.makers.people import PASSWORD, make_person, make_role
from tests.makers.printed import photograph, scan
from tests.makers.sittings import right_choices
from training.calendar import china_date
from training.models import Role

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page, Playwright
    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.models import ExamSession
    from tests.journeys.conftest import Server
    from tests.makers.check_in import Desk
    from tests.makers.people import Known
    from training.models import Organisation

NAME, SHOWN = "欧阳电工", "欧***"
ITEMS_OF_A_PAPER = 100


@dataclass(frozen=True)
class City:
    """Everybody whom the electrician meets."""

    electrician: Known
    reviewer: Known
    issuer: Known
    invigilator: Known
    head: Known
    site: Organisation
    theory: ExamSession


def found_city(server: Server) -> City:
    """The items that we ship, an authority, and a site with a session in three days."""

    async def act(session: AsyncSession) -> City:
        now, vault = server.clock.now(), server.vault
        author = await make_person(session, vault, now=now, name="出题人")
        editor = await make_person(session, vault, now=now, name="审题人")
        await load_items(
            session, ITEMS, author_id=author.person.id, reviewer_id=editor.person.id, now=now - timedelta(days=1)
        )
        office = await make_office(session, server.keys, now=now)
        reviewer = await make_role(
            session, vault, role=Role.APPLICATION_REVIEWER, organisation=office.authority, now=now, name="赵审核"
        )
        head, site = await make_site_head(session, vault, now=now)
        invigilator = await make_role(session, vault, role=Role.INVIGILATOR, organisation=site, now=now, name="孙监考")
        room = await make_room(session, site=site, head=head, now=now)
        theory = await make_session(session, vault, now=now, room=room, head=head, in_hours=72)
        electrician = await make_person(session, vault, now=now, name=NAME)
        return City(electrician, reviewer, office.issuer, invigilator, head, site, theory)

    city: City = server.do(act)
    return city


def apply_by_phone(page: Page, who: Known) -> None:
    sign_in(page, who.phone, PASSWORD)
    inspect(page, "learner-home")
    page.goto("/exams/qualifications")
    page.get_by_role("link", name="低压电工作业").click()
    page.get_by_role("button", name="开始报名").click()
    page.get_by_role("link", name="继续：").click()
    page.get_by_label("学历", exact=True).select_option("COLLEGE")
    page.get_by_label("任职单位").fill("北京演示科技有限公司")
    page.get_by_text("学历证明：").click()
    page.get_by_label("上传证明文件").set_input_files({"name": "x.pdf", "mimeType": "application/pdf", "buffer": PDF})
    page.get_by_role("button", name="保存，下一步").click()
    page.get_by_label("选择照片").set_input_files({"name": "me.jpg", "mimeType": "image/jpeg", "buffer": person_a()[0]})
    page.get_by_role("button", name="保存，下一步").click()
    page.wait_for_url("**/health")
    for box in page.get_by_role("checkbox").all():
        box.check()
    page.get_by_label("签名").fill(NAME)
    page.get_by_role("button", name="签署").click()
    page.wait_for_url("**/check")
    page.get_by_role("button", name="提交申请").click()
    page.get_by_text("待审核").wait_for()


def accept(page: Page, reviewer: Known) -> None:
    sign_in(page, reviewer.phone, PASSWORD)
    page.goto("/authority/applications")
    page.get_by_role("link", name="审核", exact=True).click()
    page.get_by_role("button", name="审核通过").click()
    page.get_by_text("作出决定").wait_for()
    page.context.clear_cookies()


def book(page: Page, folder: Path) -> tuple[str, UUID]:
    """Take the seat and print the ticket. Gives what its QR says, and the booking."""
    page.goto("/exams")
    page.get_by_role("link", name="预约考试").click()
    page.get_by_role("button", name="预约").click()
    page.wait_for_url("**/exams/bookings/*")
    with page.expect_download() as started:
        page.get_by_role("link", name="下载准考证").click()
    started.value.save_as(folder / "ticket.pdf")
    code = scan(photograph((folder / "ticket.pdf").read_bytes()))
    return code.text, UUID(page.url.rpartition("/")[2])


def check_in_by_face(server: Server, playwright: Playwright, folder: Path, officer: Known, ticket: str) -> None:
    """The invigilator scans the ticket; the camera of the desk sees the electrician."""
    with browser_with(playwright, camera_video(folder / "face.mjpeg", person_a_again())) as browser:
        page = desk_page(server, browser)
        sign_in(page, officer.phone, PASSWORD)
        page.goto(ticket)
        expect(page.locator("#candidate-name")).to_have_text(NAME)
        inspect(page, "check-in-consent")
        page.get_by_role("button", name="同意，用人脸比对").click()
        take_picture(page)
        expect(page.get_by_role("heading", name="已签到")).to_be_visible(timeout=40_000)
        inspect(page, "check-in-done")


def desk_page(server: Server, browser: Browser) -> Page:
    return new_context(browser, server, PHONE, permissions=["camera"], has_touch=True, is_mobile=True).new_page()


def take_picture(page: Page) -> None:
    expect(page.locator("form[data-camera][data-ready]")).to_be_attached()
    page.wait_for_timeout(500)
    page.get_by_role("button", name="拍照并比对").click()


def keys_for(letters: str) -> list[str]:
    """What to press: options by their letter, true or false by its place."""
    return ["1"] if letters == "T" else ["2"] if letters == "F" else list(letters)


def sit(server: Server, page: Page) -> UUID:
    """A hundred items, by hand and by keys, with the network cut twice. Gives the sitting."""
    page.goto("/sittings")
    page.get_by_role("link", name="进入考试").click()
    page.get_by_role("button", name="信息无误，开始考试").click()
    page.wait_for_url(lambda url: "/sittings/" in url and "start" not in url)
    sitting_id = UUID(page.url.rpartition("/")[2])
    choices: list[str] = server.do(lambda session: right_choices(session, sitting_id))
    assert len(choices) == ITEMS_OF_A_PAPER
    saved = page.locator("#save-state")
    answer_by_hand(page, choices, range(1, 13))
    expect(saved).to_have_text("全部已保存 · 已答 12/100")
    page.context.set_offline(True)
    answer_by_hand(page, choices, range(13, 17))
    answer_by_keys(page, choices, range(17, 31))
    expect(saved).to_contain_text("条等待上传")
    page.context.set_offline(False)
    expect(saved).to_have_text("全部已保存 · 已答 30/100", timeout=20_000)
    answer_by_keys(page, choices, range(31, 71))
    page.context.set_offline(True)
    answer_by_keys(page, choices, range(71, 86))
    expect(saved).to_contain_text("条等待上传")
    page.context.set_offline(False)
    # What this browser has kept and not yet handed over outlives the page.
    page.reload()
    expect(page.locator("#item-86")).to_be_visible()
    answer_by_keys(page, choices, range(86, ITEMS_OF_A_PAPER + 1))
    expect(saved).to_have_text("全部已保存 · 已答 100/100", timeout=20_000)
    return sitting_id


def answer_by_hand(page: Page, choices: list[str], places: range) -> None:
    for place in places:
        item = page.locator(f"#item-{place}")
        expect(item).to_be_visible()
        for letter in choices[place - 1]:
            item.locator(f"label.option:has(input[value='{letter}'])").click()
        page.get_by_role("button", name="下一题").click()


def answer_by_keys(page: Page, choices: list[str], places: range) -> None:
    for place in places:
        for key in keys_for(choices[place - 1]):
            page.keyboard.press(key)
        page.keyboard.press("ArrowRight")


def hand_in(server: Server, page: Page) -> None:
    """Not before the leaving time of the room."""
    page.get_by_role("link", name="交卷").click()
    expect(page.locator("#notice")).to_contain_text("还要 30 分钟才能交卷离场")
    server.clock.advance(minutes=30)
    page.reload()
    page.get_by_role("link", name="交卷").click()
    expect(page.get_by_text("100 题全部作答，均已保存")).to_be_visible()
    page.get_by_role("button", name="确认交卷").click()
    page.wait_for_url("**/result")
    expect(page.locator(".score")).to_contain_text("100")
    expect(page.get_by_role("status")).to_contain_text("这是待审成绩")
    inspect(page, "result-provisional")


def release_theory(page: Page, issuer: Known) -> None:
    sign_in(page, issuer.phone, PASSWORD)
    page.goto("/authority/scores")
    page.get_by_role("link", name="低压电工作业").click()
    inspect(page, "authority-scores")
    page.get_by_role("button", name="开始审核 1 人").click()
    page.get_by_role("button", name="公布 1 人的成绩").click()
    expect(page.get_by_text("没有待办的成绩")).to_be_visible()


def pass_practical(server: Server, city: City) -> None:
    """Two assessors mark a practical test next week, and the authority releases it."""
    now = server.clock.now()

    async def prepare(session: AsyncSession) -> Booking:
        application = (await session.exec(select(Application))).one()
        room = await make_room(session, site=city.site, head=city.head, now=now, is_practical=True)
        held = await make_session(
            session, server.vault, now=now, room=room, head=city.head, part=ExamPart.PRACTICAL, in_hours=72
        )
        return await book_seat(
            session, exam_session_id=held.id, application_id=application.id, person_id=city.electrician.person.id,
            now=now,
        )  # fmt: skip

    booking: Booking = server.do(prepare)
    server.clock.advance(hours=72)

    async def mark(session: AsyncSession) -> int:
        then, key = server.clock.now(), server.keys.session
        seated = await session.get_one(Booking, booking.id)
        seated.status, seated.checked_in_at = BookingStatus.CHECKED_IN, then
        session.add(seated)
        assessors = [
            await make_assessor(session, server.vault, site=city.site, now=then, name=name)
            for name in ("吴考评", "冯考评")
        ]
        plan = await get_plan(session, await get_qualification(session, LOW_VOLTAGE), on=china_date(then))
        marks = {task.subject: TaskMark(Decimal(90)) for task in draw_tasks(plan, booking_id=booking.id, key=key)}
        here = {"booking_id": booking.id, "site_id": city.site.id}
        await enter_result(session, **here, marks=marks, assessor_id=assessors[0].person.id, key=key, now=then)
        await confirm_result(session, **here, assessor_id=assessors[1].person.id, now=then)
        return await release_practical(
            session, exam_session_id=booking.exam_session_id, actor_id=city.issuer.person.id, now=then
        )

    assert server.do(mark) == 1


def request_certificate(page: Page) -> None:
    page.goto("/exams")
    page.get_by_role("link", name="申领证书").click()
    page.get_by_role("link", name="核对信息并申请证书").click()
    page.get_by_label("以上信息无误").check()
    page.get_by_role("button", name="提交证书申请").click()
    page.wait_for_url("**/certificates")
    expect(page.get_by_role("main")).to_contain_text("发证机关应在")


def issue(page: Page) -> None:
    page.goto("/authority/certificates")
    page.get_by_role("link", name=NAME).click()
    inspect(page, "authority-certificate-request")
    page.get_by_role("button", name="签发证书").click()
    page.get_by_role("group").filter(has_text="撤销证书").first.wait_for()


def print_certificate(page: Page, folder: Path) -> str:
    """Download the certificate. Gives what the QR on it says."""
    page.goto("/certificates")
    page.get_by_role("link", name="低压电工作业").click()
    inspect(page, "certificate-own")
    with page.expect_download() as started:
        page.get_by_role("link", name="下载电子证件（PDF）").click()
    started.value.save_as(folder / "certificate.pdf")
    text: str = scan(photograph((folder / "certificate.pdf").read_bytes())).text
    return text


def revoke(page: Page) -> None:
    page.locator("summary", has_text="撤销证书").click()
    page.locator("#f-ground").select_option("FRAUD")
    page.locator("#f-revoke").fill("核查发现替考。")
    page.get_by_role("button", name="撤销证书").click()
    expect(page.get_by_role("main")).to_contain_text("核查发现替考。")


def test_an_electrician_applies_sits_is_certified_and_verified_by_a_stranger(
    server: Server, playwright: Playwright, browser: Browser, phone: Page, desk: Page, tmp_path: Path
) -> None:
    desk.on("dialog", lambda dialog: dialog.accept())
    city = found_city(server)
    apply_by_phone(phone, city.electrician)
    accept(desk, city.reviewer)
    ticket, booking_id = book(phone, tmp_path)
    assert ticket.startswith(f"{server.url}/t/")

    server.clock.set(city.theory.starts_at - timedelta(minutes=10))
    check_in_by_face(server, playwright, tmp_path, city.invigilator, ticket)
    assert server.do(lambda session: checks_of(session, booking_id)) == [(CheckMethod.FACE, CheckVerdict.ACCEPT)]
    server.clock.set(city.theory.starts_at)
    sitting_id = sit(server, phone)
    hand_in(server, phone)
    result = server.do(lambda session: get_result(session, sitting_id=sitting_id, person_id=city.electrician.person.id))
    assert (result.points, result.passed) == (100, True)

    release_theory(desk, city.issuer)
    phone.reload()
    expect(phone.get_by_role("main")).to_contain_text("请在报名页面预约实际操作考试")
    pass_practical(server, city)
    request_certificate(phone)
    issue(desk)
    text = print_certificate(phone, tmp_path)
    assert text.lower().startswith(f"{server.url}/c/")

    stranger = new_context(browser, server, PHONE, has_touch=True, is_mobile=True).new_page()
    stranger.goto(text)
    verdict = stranger.locator("#verdict")
    expect(verdict).to_have_attribute("data-outcome", "GENUINE")
    expect(verdict).to_contain_text(SHOWN)
    assert NAME not in stranger.content()
    assert city.electrician.number not in stranger.content()
    inspect(stranger, "certificate-public")
    revoke(desk)
    stranger.reload()
    expect(verdict).to_have_attribute("data-outcome", "REVOKED")
    expect(verdict).not_to_contain_text("替考")
    inspect(stranger, "certificate-revoked")
    stranger.context.close()


async def checks_of(session: AsyncSession, booking_id: UUID) -> list[tuple[CheckMethod, CheckVerdict]]:
    statement = select(IdentityCheck).where(IdentityCheck.booking_id == booking_id)
    checks = sorted((await session.exec(statement)).all(), key=lambda check: check.at)
    return [(check.method, check.verdict) for check in checks]


def decide(page: Page, *, note: str = "") -> None:
    """The officer has compared the document, the photo on file and the person, and admits."""
    page.get_by_label("是本人，准予入场").check()
    page.get_by_label("补充说明").fill(note)
    page.get_by_role("button", name="确认并记录").click()


def test_another_face_goes_to_the_officer_who_must_give_a_reason(
    server: Server, playwright: Playwright, tmp_path: Path
) -> None:
    desk = make_desk_with_faces(server)
    with browser_with(playwright, camera_video(tmp_path / "other.mjpeg", person_b())) as browser:
        page = open_card(server, browser, desk, 0)
        page.get_by_role("button", name="同意，用人脸比对").click()
        take_picture(page)
        expect(page.get_by_role("heading", name="由工作人员核对")).to_be_visible(timeout=40_000)
        expect(page.get_by_role("alert")).to_contain_text("由您决定并写明依据")
        decide(page)
        expect(page.locator("#form-error")).to_be_visible()
        inspect(page, "check-in-reason-missing")
        assert server.do(lambda session: checks_of(session, desk.bookings[0].id)) == [
            (CheckMethod.FACE, CheckVerdict.REJECT)
        ]
        decide(page, note="证件原件与本人一致；登记照片为多年前拍摄。")
        expect(page.get_by_role("heading", name="已签到")).to_be_visible()
        expect(page.locator(".history")).to_contain_text("登记照片为多年前拍摄")
        inspect(page, "check-in-by-officer")
    assert server.do(lambda session: checks_of(session, desk.bookings[0].id)) == [
        (CheckMethod.FACE, CheckVerdict.REJECT), (CheckMethod.OFFICER, CheckVerdict.ACCEPT),
    ]  # fmt: skip


def test_whoever_does_not_consent_is_seated_by_the_officer_and_sits_like_anybody(
    server: Server, browser: Browser, phone: Page
) -> None:
    desk = make_desk_with_faces(server, candidates=2)
    page = open_card(server, browser, desk, 1)
    page.get_by_role("button", name="不同意，由工作人员核对证件").click()
    expect(page.get_by_role("heading", name="由工作人员核对")).to_be_visible()
    inspect(page, "check-in-no-consent")
    decide(page)  # no note is asked of the officer where no machine said otherwise
    expect(page.get_by_role("heading", name="已签到")).to_be_visible()
    assert server.do(lambda session: checks_of(session, desk.bookings[1].id)) == [
        (CheckMethod.OFFICER, CheckVerdict.ACCEPT)
    ]
    server.clock.set(desk.exam_session.starts_at)
    sign_in(phone, desk.candidates[1].phone, PASSWORD)
    phone.goto("/sittings")
    phone.get_by_role("link", name="进入考试").click()
    expect(phone.get_by_role("main")).to_contain_text("120 分钟")
    phone.get_by_role("button", name="信息无误，开始考试").click()
    expect(phone.locator("#save-state")).to_have_text("全部已保存 · 已答 0/100")
    phone.locator("#item-1 label.option").first.click()
    expect(phone.locator("#save-state")).to_have_text("全部已保存 · 已答 1/100")
    page.context.close()


def open_card(server: Server, browser: Browser, desk: Desk, number: int) -> Page:
    """The invigilator has typed the number of a candidate's ticket."""
    page = desk_page(server, browser)
    sign_in(page, desk.invigilator.phone, PASSWORD)
    page.goto(f"/site/sessions/{desk.exam_session.id}/check-in")
    page.get_by_label("准考证号").fill(desk.bookings[number].ticket_no)
    page.get_by_role("button", name="查找").click()
    page.get_by_role("heading", name="核验身份").wait_for()
    return page

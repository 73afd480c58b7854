"""`/enterprise/exams`: setting an exam, whom it invites, how it went."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from openpyxl import load_workbook
from sqlmodel import func, select

from exams.handing_in import hand_in
from exams.models import EnterpriseExam, EnterpriseExamCandidate
from exams.starting import start_enterprise_sitting
from tests.makers.exams import fill_bank
from tests.makers.people import PASSWORD, Known, make_employee, make_organisation, make_person, make_role
from tests.makers.receipts import KEYS
from tests.makers.sittings import Sat, answer, make_device, right_choices
from training.models import AuditEntry, Employment, Organisation, Role
from training.organisations import end_employment

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.conftest import Client
    from training.vault import Vault


STAFF = ("王甲", "王乙", "王丙")


class Office:
    """A signed-in manager, the enterprise and three of its staff in two departments."""

    def __init__(self, organisation: Organisation, manager: Known, staff: list[Known]) -> None:
        self.organisation, self.manager, self.staff = organisation, manager, staff


@pytest.fixture
async def office(client: Client, session: AsyncSession, vault: Vault, now: datetime) -> Office:
    await fill_bank(session, vault, code="GEN", now=now)
    organisation = await make_organisation(session, now=now)
    manager = await make_role(session, vault, role=Role.ENTERPRISE_MANAGER, organisation=organisation, now=now)
    staff = [await make_employee(session, vault, organisation=organisation, now=now, name=name) for name in STAFF]
    for known, department in zip(staff, ("一车间", "一车间", "二车间"), strict=True):
        employment = (await session.exec(select(Employment).where(Employment.person_id == known.person.id))).one()
        employment.department = department
        session.add(employment)
    await session.commit()
    await client.sign_in(manager.phone, PASSWORD)
    return Office(organisation, manager, staff)


def form(**changed: object) -> dict[str, object]:
    whole: dict[str, object] = {
        "title": "年度考试",
        "opens_at": "2026-11-21T20:00",
        "closes_at": "2026-12-05T20:00",
        "attempts_allowed": "2",
        "whom": "everyone",
    }
    return whole | changed


async def set_exam(client: Client, **changed: object) -> str:
    """Gives the path of the exam."""
    reply = await client.submit("/enterprise/exams/new", form(**changed))
    assert reply.status_code in {302, 303}, reply.text
    path: str = reply.headers["location"]
    return path


async def count(session: AsyncSession, table: type[EnterpriseExam | EnterpriseExamCandidate]) -> int:
    return (await session.exec(select(func.count()).select_from(table))).one()


async def sit(session: AsyncSession, who: Known, path: str, *, right: int, now: datetime) -> None:
    """One handed-in attempt."""
    exam = (await session.exec(select(EnterpriseExam))).one()
    assert path.endswith(str(exam.id))
    device = await make_device(session, who, now=now)
    entry = await start_enterprise_sitting(
        session, exam_id=exam.id, person_id=who.person.id, device=device, seed=7, now=now
    )
    sat = Sat(who, entry, device, exam=exam)
    await answer(session, sat, (await right_choices(session, sat.id))[:right], now=now)
    await hand_in(session, sitting_id=sat.id, person_id=who.person.id, now=now, countersign=KEYS.countersign)
    await session.commit()


async def test_without_exams_the_page_says_what_they_are_for(client: Client, office: Office) -> None:
    page = await client.get("/enterprise/exams")
    assert "还没有安排考试" in page.text
    assert 'href="/enterprise/exams/new"' in page.text


async def test_the_form_comes_filled_in(client: Client, office: Office) -> None:
    page = await client.get("/enterprise/exams/new")
    for words in ("2026 年度安全知识考试", "2026-11-21T20:00", "2026-12-05T20:00", "全体在职人员（3 人）", "二车间"):
        assert words in page.text


async def test_an_exam_for_everyone_stands_in_the_list_with_its_numbers(client: Client, office: Office) -> None:
    path = await set_exam(client)
    page = await client.get(path)
    assert "应考 3 人，已考 0 人，合格 0 人" in page.text
    assert page.text.count("未参加") == 3
    assert "echarts" not in page.text
    listed = await client.get("/enterprise/exams")
    assert "0 / 3" in listed.text
    assert "开放中" in listed.text


@pytest.mark.parametrize(("departments", "invited"), [("二车间", 1), (["一车间", "二车间"], 3), ("一车间", 2)])
async def test_departments_are_invited_by_their_ticks(
    client: Client, session: AsyncSession, office: Office, departments: object, invited: int
) -> None:
    await set_exam(client, whom="departments", departments=departments)
    assert await count(session, EnterpriseExamCandidate) == invited


async def test_the_same_form_sent_twice_sets_one_exam(client: Client, session: AsyncSession, office: Office) -> None:
    assert await set_exam(client) == await set_exam(client)
    assert await count(session, EnterpriseExam) == 1
    assert await count(session, EnterpriseExamCandidate) == 3
    noted = select(func.count()).where(AuditEntry.action == "enterprise_exam.created")
    assert (await session.exec(noted)).one() == 1
    await set_exam(client, title="另一场")
    assert await count(session, EnterpriseExam) == 2


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"title": " "}, "请填写考试名称"),
        ({"title": "长" * 201}, "不超过 200 个字"),
        ({"opens_at": "明天"}, "请选择日期和时间"),
        ({"opens_at": ""}, "请选择日期和时间"),
        ({"closes_at": "0001-01-01T00:00"}, "请选择日期和时间"),
        ({"closes_at": "9999-12-31T23:59"}, "请选择日期和时间"),
        ({"closes_at": "2026-11-21T19:59"}, "截止时间应晚于开始时间"),
        ({"opens_at": "2020-01-01T00:00", "closes_at": "2020-02-01T00:00"}, "并且晚于现在"),
        ({"attempts_allowed": "0"}, "应为 1 到 10 次"),
        ({"attempts_allowed": "11"}, "应为 1 到 10 次"),
        ({"attempts_allowed": "²"}, "请填写允许的考试次数"),
        ({"attempts_allowed": "9" * 5000}, "请填写允许的考试次数"),
        ({"attempts_allowed": "-1"}, "请填写允许的考试次数"),
        ({"whom": "departments"}, "没有选中任何在职人员"),
        ({"whom": "departments", "departments": "没有的部门"}, "没有选中任何在职人员"),
    ],
)
async def test_a_wrong_form_is_shown_again_with_the_reason(
    client: Client, session: AsyncSession, office: Office, changed: dict[str, str], words: str
) -> None:
    reply = await client.submit("/enterprise/exams/new", form(**changed))
    assert reply.status_code == 422
    assert words in reply.text
    assert 'role="alert"' in reply.text
    if "title" not in changed:
        assert 'value="年度考试"' in reply.text
    assert await count(session, EnterpriseExam) == 0


async def test_a_bank_too_small_for_a_paper_is_told_before_anyone_is_invited(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    organisation = await make_organisation(session, now=now)
    manager = await make_role(session, vault, role=Role.ENTERPRISE_MANAGER, organisation=organisation, now=now)
    await make_employee(session, vault, organisation=organisation, now=now)
    await session.commit()
    await client.sign_in(manager.phone, PASSWORD)
    reply = await client.submit("/enterprise/exams/new", form())
    assert reply.status_code in {409, 422}
    assert "题库不足" in reply.text
    assert await count(session, EnterpriseExam) == 0


async def test_results_are_the_best_of_each_with_a_histogram_that_reads_without_a_script(
    client: Client, session: AsyncSession, office: Office, clock: FixedClock
) -> None:
    path = await set_exam(client)
    first, second, _ = office.staff
    await sit(session, first, path, right=20, now=clock.now())
    await sit(session, first, path, right=45, now=clock.advance(minutes=5))
    await sit(session, second, path, right=50, now=clock.now())
    page = await client.get(path)
    assert "应考 3 人，已考 2 人，合格 2 人" in page.text
    assert "90 / 100" in page.text
    assert "40 / 100" not in page.text
    assert "<td>90–100%</td><td>2</td>" in page.text
    assert "echarts.min.js" in page.text
    for known in office.staff:
        assert known.number not in page.text
        assert known.phone not in page.text


async def test_who_is_answering_is_shown_so(
    client: Client, session: AsyncSession, office: Office, now: datetime
) -> None:
    path = await set_exam(client)
    exam = (await session.exec(select(EnterpriseExam))).one()
    who = office.staff[0]
    device = await make_device(session, who, now=now)
    await start_enterprise_sitting(session, exam_id=exam.id, person_id=who.person.id, device=device, seed=1, now=now)
    await session.commit()
    assert "答题中" in (await client.get(path)).text


async def test_someone_who_left_keeps_the_result(
    client: Client, session: AsyncSession, office: Office, clock: FixedClock
) -> None:
    path = await set_exam(client)
    who = office.staff[0]
    await sit(session, who, path, right=50, now=clock.now())
    employment = (await session.exec(select(Employment).where(Employment.person_id == who.person.id))).one()
    await end_employment(
        session, employment_id=employment.id, organisation_id=office.organisation.id,
        actor_id=office.manager.person.id, now=clock.advance(days=1),
    )  # fmt: skip
    await session.commit()
    assert "合格 1 人" in (await client.get(path)).text


async def test_times_can_be_moved_and_wrong_ones_are_refused(
    client: Client, session: AsyncSession, office: Office
) -> None:
    path = await set_exam(client)
    for _ in range(2):
        reply = await client.submit(f"{path}/times", {"opens_at": "2026-12-01T08:00", "closes_at": "2026-12-02T18:00"})
        assert reply.headers["location"] == path
    page = await client.get(path)
    assert "2026年12月1日" in page.text
    assert "未开始" in page.text
    wrong = await client.submit(f"{path}/times", {"opens_at": "2026-12-03T08:00", "closes_at": "2026-12-02T18:00"})
    assert wrong.status_code == 422
    assert "截止时间应晚于开始时间" in wrong.text
    assert 'value="2026-12-03T08:00"' in wrong.text


async def test_the_spreadsheet_holds_results_no_numbers_and_no_formula(
    client: Client, session: AsyncSession, office: Office, clock: FixedClock
) -> None:
    path = await set_exam(client, title="=HYPERLINK(1)")
    await sit(session, office.staff[0], path, right=45, now=clock.now())
    reply = await client.get(f"{path}/results.xlsx")
    assert "attachment" in reply.headers["content-disposition"]
    sheet = load_workbook(io.BytesIO(reply.content)).worksheets[0]
    assert (sheet["A1"].value, sheet["A1"].data_type) == ("=HYPERLINK(1)", "s")
    rows = [[cell.value for cell in row] for row in sheet.iter_rows(min_row=2)]
    assert rows[0] == ["姓名", "考试次数", "最好成绩", "满分", "结果"]
    assert sorted(rows[1:], key=str) == sorted(
        [["王甲", 1, 90, 100, "合格"], ["王乙", 0, None, None, "未参加"], ["王丙", 0, None, None, "未参加"]], key=str
    )
    noted = select(AuditEntry).where(AuditEntry.action == "enterprise_exam.exported")
    assert (await session.exec(noted)).one().actor_id == office.manager.person.id


async def test_an_exam_belongs_to_its_enterprise_alone(
    client: Client, session: AsyncSession, vault: Vault, office: Office, now: datetime
) -> None:
    path = await set_exam(client)
    elsewhere = await make_organisation(session, now=now, name="另一家公司")
    manager = await make_role(session, vault, role=Role.ENTERPRISE_MANAGER, organisation=elsewhere, now=now)
    await session.commit()
    client.cookies.clear()
    await client.sign_in(manager.phone, PASSWORD)
    for address in (path, f"{path}/results.xlsx"):
        assert (await client.get(address)).status_code == 404
    times = {"opens_at": "2026-12-01T08:00", "closes_at": "2026-12-02T18:00"}
    assert (await client.submit(f"{path}/times", times)).status_code == 404
    assert "年度考试" not in (await client.get("/enterprise/exams")).text


async def test_only_a_manager_sets_exams(
    client: Client, session: AsyncSession, vault: Vault, office: Office, now: datetime
) -> None:
    path = await set_exam(client)
    known = await make_person(session, vault, now=now)
    await session.commit()
    client.cookies.clear()
    for address in ("/enterprise/exams", "/enterprise/exams/new", path):
        assert "/sign-in" in (await client.get(address)).headers["location"]
    await client.sign_in(known.phone, PASSWORD)
    for address in ("/enterprise/exams", "/enterprise/exams/new", path, f"{path}/results.xlsx"):
        assert (await client.get(address)).status_code == 403
    assert (await client.submit("/enterprise/exams/new", form())).status_code == 403
    assert (await client.submit(f"{path}/times", {"opens_at": "", "closes_at": ""})).status_code == 403


async def test_the_pages_speak_english(client: Client, office: Office) -> None:
    await client.submit("/language", {"language": "en", "next": "/"})
    assert "Safety knowledge exam 2026" in (await client.get("/enterprise/exams/new")).text
    path = await set_exam(client)
    assert "Invited 3, sat 0, passed 0." in (await client.get(path)).text

"""The enterprise's pages: staff, import, assignments, files."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from openpyxl import load_workbook
from sqlmodel import func, select

from tests.makers.people import PASSWORD, Known, make_employee, make_organisation, make_person, make_role
from tests.makers.staff import make_course, make_record, make_sheet, staff_row
from training.calendar import china_date
from training.models import AuditEntry, Employment, Organisation, Person, Role
from training.people import find_person_by_document
from training.plans import assign_course, list_assignments
from training.rules import change_rule

if TYPE_CHECKING:
    from datetime import datetime

    import httpx
    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.conftest import Client
    from training.vault import Vault

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Office:
    """A signed-in manager with the enterprise."""

    def __init__(self, organisation: Organisation, manager: Known) -> None:
        self.organisation, self.manager = organisation, manager


@pytest.fixture
async def office(client: Client, session: AsyncSession, vault: Vault, now: datetime) -> Office:
    organisation = await make_organisation(session, now=now)
    manager = await make_role(session, vault, role=Role.ENTERPRISE_MANAGER, organisation=organisation, now=now)
    await session.commit()
    await client.sign_in(manager.phone, PASSWORD)
    return Office(organisation, manager)


async def upload(client: Client, *rows: dict[str, str]) -> httpx.Response:
    return await client.submit("/enterprise/staff/import", files={"sheet": ("名单.xlsx", make_sheet(*rows), XLSX)})


def form(**changed: str) -> dict[str, str]:
    row = staff_row(50)
    row |= {"id_type": "ID_CARD", "education": "", "category": "EMPLOYEE"}
    return row | changed


async def test_an_empty_board_says_what_to_do_first(client: Client, office: Office) -> None:
    for path in ("/enterprise", "/enterprise/staff", "/enterprise/assignments/new"):
        answer = await client.get(path)
        assert answer.status_code == 200
        assert "还没有登记人员" in answer.text
    answer = await client.get("/enterprise/assignments")
    assert "还没有安排学习" in answer.text


async def test_only_a_manager_enters(client: Client, session: AsyncSession, vault: Vault, now: datetime) -> None:
    known = await make_person(session, vault, now=now)
    await session.commit()
    assert (await client.get("/enterprise")).status_code in {302, 303}
    await client.sign_in(known.phone, PASSWORD)
    for path in ("/enterprise", "/enterprise/staff", "/enterprise/files.xlsx", "/enterprise/assignments"):
        assert (await client.get(path)).status_code == 403


async def test_twenty_staff_are_imported_assigned_and_seen_on_the_board(
    client: Client, session: AsyncSession, office: Office, now: datetime
) -> None:
    course_id = await make_course(session, now=now)
    await session.commit()
    answer = await upload(client, *(staff_row(n) for n in range(20)), staff_row(20) | {"number": "1"})
    assert answer.status_code in {302, 303}
    address = answer.headers["location"]
    preview = await client.get(address)
    assert "确认导入 20 人" in preview.text
    assert "应为 18 位" in preview.text
    assert staff_row(0)["number"] not in preview.text
    assert (await session.exec(select(func.count()).select_from(Employment))).one() == 0
    for _ in range(2):
        answer = await client.submit(address, {"expected": "20"})
        assert answer.status_code in {302, 303}
    done = await client.get(address)
    assert "新登记 20 人" in done.text
    links = re.findall(r"http://testserver(/invitations/[\w-]+)", done.text)
    assert len(links) == 20
    due = china_date(now) + timedelta(days=5)
    answer = await client.submit(
        "/enterprise/assignments/new", {"courses": str(course_id), "whom": "everyone", "due_on": due.isoformat()}
    )
    assert answer.headers["location"] == "/enterprise/assignments?done=20-0"
    board = await client.get("/enterprise/assignments?done=20-0")
    assert "新增 20 项" in board.text
    assert "还有 5 天" in board.text
    home = await client.get("/enterprise")
    assert "20 人的任务即将到期" in home.text
    client.cookies.clear()
    answer = await client.submit(links[0], {"password": "first-pass-1", "again": "first-pass-1"})
    assert answer.status_code in {302, 303}


async def test_bad_rows_can_be_downloaded_with_their_reasons(client: Client, office: Office) -> None:
    answer = await upload(client, staff_row(0) | {"phone": "12"}, staff_row(1))
    answer = await client.get(answer.headers["location"] + "/bad.xlsx")
    sheet = load_workbook(io.BytesIO(answer.content)).worksheets[0]
    assert sheet.max_row == 2
    assert "手机号码" in sheet.cell(row=2, column=10).value


async def test_a_manager_elsewhere_does_not_see_the_list(
    client: Client, session: AsyncSession, vault: Vault, office: Office, now: datetime
) -> None:
    address = (await upload(client, staff_row(0))).headers["location"]
    other = await make_organisation(session, now=now, name="另一家公司")
    manager = await make_role(session, vault, role=Role.ENTERPRISE_MANAGER, organisation=other, now=now)
    await session.commit()
    client.cookies.clear()
    await client.sign_in(manager.phone, PASSWORD)
    assert (await client.get(address)).status_code == 404


@pytest.mark.parametrize("content", [b"", b"hello", b"PK\x03\x04"])
async def test_a_file_that_is_no_list_is_told_so(client: Client, office: Office, content: bytes) -> None:
    answer = await client.submit("/enterprise/staff/import", files={"sheet": ("a.xlsx", content, XLSX)})
    assert answer.status_code == 422
    assert "不是 xlsx 文件" in answer.text


async def test_an_upload_without_a_file_is_told_so(client: Client, office: Office) -> None:
    answer = await client.submit("/enterprise/staff/import", files={"other": ("a", b"", "text/plain")})
    assert answer.status_code == 422


async def test_the_template_is_a_real_workbook_in_the_readers_language(client: Client, office: Office) -> None:
    answer = await client.get("/enterprise/staff/template.xlsx")
    book = load_workbook(io.BytesIO(answer.content))
    assert book.worksheets[0]["A1"].value == "姓名*"
    assert len(book.worksheets[0].data_validations.dataValidation) == 3
    await client.submit("/language", {"language": "en", "next": "/"})
    answer = await client.get("/enterprise/staff/template.xlsx")
    assert load_workbook(io.BytesIO(answer.content)).worksheets[0]["A1"].value == "Name*"


async def test_one_person_is_added_and_the_link_shown_once(
    client: Client, session: AsyncSession, vault: Vault, office: Office
) -> None:
    answer = await client.submit("/enterprise/staff/new", form())
    assert answer.status_code in {200, 201}
    assert "/invitations/" in answer.text
    assert answer.headers["cache-control"] == "no-store"
    person = await find_person_by_document(session, vault=vault, number=form()["number"])
    assert person
    answer = await client.get(f"/enterprise/staff/{person.id}")
    assert "已邀请，未启用" in answer.text
    assert "/invitations/" not in answer.text
    assert form()["number"] not in answer.text


async def test_what_was_typed_stays_when_it_is_wrong(client: Client, office: Office) -> None:
    answer = await client.submit("/enterprise/staff/new", form(number="110101198001010011"))
    assert answer.status_code == 422
    assert "校验位不符" in answer.text
    assert form()["name"] in answer.text


async def test_someone_known_is_linked_only_under_the_right_name(
    client: Client, session: AsyncSession, vault: Vault, office: Office, now: datetime
) -> None:
    known = await make_person(session, vault, now=now, name="赵一")
    await session.commit()
    answer = await client.submit("/enterprise/staff/new", form(name="钱一", number=known.number, phone=""))
    assert "姓名与登记的不一致" in answer.text
    answer = await client.submit("/enterprise/staff/new", form(name="赵一", number=known.number, phone=""))
    assert answer.headers["location"] == f"/enterprise/staff/{known.person.id}"


async def test_a_manager_cannot_reset_the_password_of_an_account_in_use_elsewhere(
    client: Client, session: AsyncSession, vault: Vault, office: Office, now: datetime
) -> None:
    known = await make_employee(session, vault, organisation=office.organisation, now=now)
    await session.commit()
    answer = await client.submit(f"/enterprise/staff/{known.person.id}/invite")
    assert answer.status_code == 409
    assert "不能由本单位重设密码" in answer.text


async def test_inviting_again_ends_the_earlier_link(
    client: Client, session: AsyncSession, vault: Vault, office: Office
) -> None:
    first = await client.submit("/enterprise/staff/new", form())
    person = await find_person_by_document(session, vault=vault, number=form()["number"])
    assert person
    second = await client.submit(f"/enterprise/staff/{person.id}/invite")
    old, new = (re.search(r"/invitations/[\w-]+", answer.text) for answer in (first, second))
    assert old
    assert new
    client.cookies.clear()
    password = {"password": "first-pass-1", "again": "first-pass-1"}
    assert (await client.submit(old.group(), password)).status_code == 422
    assert (await client.submit(new.group(), password)).status_code in {302, 303}


async def test_staff_are_found_by_part_of_the_name_or_the_whole_number(
    client: Client, session: AsyncSession, vault: Vault, office: Office, now: datetime
) -> None:
    known = await make_employee(session, vault, organisation=office.organisation, now=now, name="欧阳安")
    await make_employee(session, vault, organisation=office.organisation, now=now, name="赵一")
    await session.commit()
    answer = await client.submit("/enterprise/staff/search", {"search": "阳安"})
    assert answer.status_code in {302, 303}
    answer = await client.get(answer.headers["location"])
    assert "欧阳安" in answer.text
    assert "赵一" not in answer.text
    answer = await client.submit("/enterprise/staff/search", {"search": known.number})
    assert "欧阳安" in answer.text
    assert "赵一" not in answer.text
    answer = await client.submit("/enterprise/staff/search", {"search": known.number[:-4]})
    assert "没有找到" in answer.text


async def test_who_leaves_keeps_the_records_and_owes_nothing(
    client: Client, session: AsyncSession, vault: Vault, office: Office, now: datetime
) -> None:
    known = await make_employee(session, vault, organisation=office.organisation, now=now)
    await make_record(session, person_id=known.person.id, organisation_id=office.organisation.id, now=now)
    await assign_course(
        session, organisation_id=office.organisation.id, course_id=await make_course(session, now=now),
        person_ids=[known.person.id], due_on=china_date(now), actor_id=office.manager.person.id, now=now,
    )  # fmt: skip
    await session.commit()
    for _ in range(2):
        answer = await client.submit(f"/enterprise/staff/{known.person.id}/leave")
        assert answer.status_code in {302, 303}
    assert await list_assignments(session, known.person.id, now=now) == ()
    answer = await client.get(f"/enterprise/staff/{known.person.id}")
    assert "已离职" in answer.text
    assert "消防安全常识" in answer.text
    assert "王员工" not in (await client.get("/enterprise/staff")).text


async def test_a_date_can_be_moved_and_a_task_withdrawn(
    client: Client, session: AsyncSession, vault: Vault, office: Office, now: datetime
) -> None:
    known = await make_employee(session, vault, organisation=office.organisation, now=now)
    await assign_course(
        session, organisation_id=office.organisation.id, course_id=await make_course(session, now=now),
        person_ids=[known.person.id], due_on=china_date(now), actor_id=office.manager.person.id, now=now,
    )  # fmt: skip
    await session.commit()
    [mine] = await list_assignments(session, known.person.id, now=now)
    path = f"/enterprise/assignments/{mine.assignment_id}"
    late = await client.submit(f"{path}/due", {"due_on": "2020-01-01"})
    assert late.status_code == 422
    assert "不能早于今天" in late.text
    await client.submit(f"{path}/due", {"due_on": "2026-12-31"})
    assert "2026年12月31日" in (await client.get("/enterprise/assignments")).text
    await client.submit(f"{path}/withdraw")
    assert "还没有安排学习" in (await client.get("/enterprise/assignments")).text


async def test_assigning_needs_a_course_and_people(
    client: Client, session: AsyncSession, vault: Vault, office: Office, now: datetime
) -> None:
    await make_employee(session, vault, organisation=office.organisation, now=now)
    course_id = await make_course(session, now=now)
    await session.commit()
    answer = await client.submit("/enterprise/assignments/new", {"whom": "everyone", "due_on": "2026-12-31"})
    assert "至少选择一门课程" in answer.text
    answer = await client.submit(
        "/enterprise/assignments/new", {"whom": "posts", "courses": str(course_id), "due_on": "2026-12-31"}
    )
    assert "没有选中任何在职人员" in answer.text
    answer = await client.submit(
        "/enterprise/assignments/new",
        {"whom": "posts", "posts": ["电工", "焊工"], "courses": str(course_id), "due_on": "2026-12-31"},
    )
    assert answer.headers["location"].endswith("done=1-0")


async def test_the_file_is_masked_unless_the_rule_allows_numbers_and_every_export_is_noted(
    client: Client, session: AsyncSession, vault: Vault, office: Office, now: datetime
) -> None:
    known = await make_employee(session, vault, organisation=office.organisation, now=now)
    record = await make_record(session, person_id=known.person.id, organisation_id=office.organisation.id, now=now)
    await make_record(
        session, person_id=known.person.id, organisation_id=office.organisation.id, now=now, corrects_id=record.id,
        title="=更正后的课程", class_hours="1.5",
    )  # fmt: skip
    await session.commit()
    answer = await client.get("/enterprise/files.xlsx")
    assert "20261121" in answer.headers["content-disposition"]
    people, records, _ = load_workbook(io.BytesIO(answer.content)).worksheets
    assert people["C4"].value != known.number
    assert people["C4"].value.startswith(known.number[:3] + "*")
    assert (people["H4"].value, people["I4"].value) == (1, 1.5)
    assert (records["D4"].value, records["D4"].data_type) == ("=更正后的课程", "s")
    await change_rule(
        session, code="training.export.full_numbers", value=True, basis="测试", effective_from=china_date(now),
        changed_by=None,
    )  # fmt: skip
    await session.commit()
    answer = await client.get(f"/enterprise/staff/{known.person.id}/file.xlsx")
    assert load_workbook(io.BytesIO(answer.content)).worksheets[0]["C4"].value == known.number
    noted = select(AuditEntry).where(AuditEntry.action == "training_file.exported")
    assert len((await session.exec(noted)).all()) == 2


async def test_people_of_other_enterprises_are_not_to_be_seen(
    client: Client, session: AsyncSession, vault: Vault, office: Office, now: datetime
) -> None:
    other = await make_organisation(session, now=now, name="另一家公司")
    known = await make_employee(session, vault, organisation=other, now=now)
    await session.commit()
    for path in ("", "/file.xlsx"):
        assert (await client.get(f"/enterprise/staff/{known.person.id}{path}")).status_code == 404
    for act in ("invite", "leave"):
        assert (await client.submit(f"/enterprise/staff/{known.person.id}/{act}")).status_code == 404
    assert (await session.exec(select(func.count()).select_from(Person))).one() == 2

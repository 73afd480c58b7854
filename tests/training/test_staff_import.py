"""Importing a staff list: every fault is told, and a list is taken on whole or not at all."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from openpyxl import Workbook, load_workbook
from sqlmodel import func, select

from tests.makers.people import make_employee, make_organisation, make_person, make_role
from tests.makers.staff import HEADINGS, WORDS, make_sheet, staff_row
from training.models import Employment, Invitation, Person, Role
from training.staff_import import ListChanged, Preview, confirm_import, find_imported, get_preview, keep_upload
from training.staff_sheet import BadSheet, make_bad_rows, make_template, read_sheet

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault


class Desk:
    """A manager with the session and the vault at hand."""

    def __init__(
        self, session: AsyncSession, vault: Vault, organisation_id: UUID, manager_id: UUID, now: datetime
    ) -> None:
        self.session, self.vault, self.now = session, vault, now
        self.organisation_id, self.manager_id = organisation_id, manager_id

    async def upload(self, *rows: dict[str, str]) -> UUID:
        return await keep_upload(
            self.session,
            vault=self.vault,
            organisation_id=self.organisation_id,
            rows=read_sheet(make_sheet(*rows), headings=HEADINGS),
            actor_id=self.manager_id,
            now=self.now,
        )

    async def preview(self, import_id: UUID) -> Preview:
        return await get_preview(
            self.session, vault=self.vault, import_id=import_id, organisation_id=self.organisation_id,
            actor_id=self.manager_id, words=WORDS, now=self.now,
        )  # fmt: skip

    async def confirm(self, import_id: UUID, expected: int) -> None:
        await confirm_import(
            self.session, vault=self.vault, import_id=import_id, organisation_id=self.organisation_id,
            expected=expected, actor_id=self.manager_id, words=WORDS, now=self.now,
        )  # fmt: skip

    async def reasons(self, *rows: dict[str, str]) -> list[str]:
        preview = await self.preview(await self.upload(*rows))
        return [reason.template.format(**reason.params) for row in preview.rows for reason in row.reasons]

    async def count(self, table: type[Person | Employment | Invitation]) -> int:
        return (await self.session.exec(select(func.count()).select_from(table))).one()


@pytest.fixture
async def desk(session: AsyncSession, vault: Vault, now: datetime) -> Desk:
    organisation = await make_organisation(session, now=now)
    manager = await make_role(session, vault, role=Role.ENTERPRISE_MANAGER, organisation=organisation, now=now)
    return Desk(session, vault, organisation.id, manager.person.id, now)


async def test_a_list_is_taken_on_whole_and_only_once(desk: Desk) -> None:
    import_id = await desk.upload(*(staff_row(n) for n in range(20)))
    preview = await desk.preview(import_id)
    assert len(preview.good) == 20
    before = await desk.count(Person)
    for _ in range(2):
        await desk.confirm(import_id, 20)
    assert await desk.count(Person) == before + 20
    assert await desk.count(Employment) == 20
    assert await desk.count(Invitation) == 20
    done = await find_imported(
        desk.session, vault=desk.vault, import_id=import_id, organisation_id=desk.organisation_id,
        actor_id=desk.manager_id, now=desk.now,
    )  # fmt: skip
    assert done
    assert (done.new, done.linked, len(done.links)) == (20, 0, 20)
    later = await find_imported(
        desk.session, vault=desk.vault, import_id=import_id, organisation_id=desk.organisation_id,
        actor_id=desk.manager_id, now=desk.now + timedelta(hours=24),
    )  # fmt: skip
    assert later
    assert later.links == ()


async def test_every_fault_of_a_row_is_told_at_once(desk: Desk) -> None:
    row = staff_row(1) | {"name": "1", "number": "110101198001010011", "phone": "123", "post": "", "education": "神童"}
    told = await desk.reasons(row)
    assert len(told) == 5
    for part in ("缺少岗位", "神童", "姓名", "证件号码有误", "手机号码"):
        assert any(part in reason for reason in told)


async def test_the_second_of_two_rows_with_one_number_is_refused(desk: Desk) -> None:
    told = await desk.reasons(
        staff_row(1), staff_row(1) | {"phone": ""}, staff_row(2) | {"phone": staff_row(1)["phone"]}
    )
    assert told == ["与第 2 行的证件号码重复", "与第 2 行的手机号码重复"]


async def test_a_number_that_lost_its_digits_says_so(desk: Desk) -> None:
    book = Workbook()
    book.active.append(["姓名", "证件号码", "岗位"])
    book.active.append(["王一", 110101190001010011.0, "电工"])
    out = io.BytesIO()
    book.save(out)
    [row] = read_sheet(out.getvalue(), headings=HEADINGS)
    import_id = await keep_upload(
        desk.session, vault=desk.vault, organisation_id=desk.organisation_id, rows=[row], actor_id=desk.manager_id,
        now=desk.now,
    )  # fmt: skip
    [checked] = (await desk.preview(import_id)).rows
    assert [reason.template for reason in checked.reasons] == [
        "证件号码单元格是数字格式，后几位已丢失。请把该列设为文本后重新填写"
    ]


async def test_known_people_are_linked_and_not_made_again(desk: Desk) -> None:
    known = await make_person(desk.session, desk.vault, now=desk.now, name="赵一")
    rows = [staff_row(1) | {"name": "赵一", "number": known.number, "phone": ""}]
    import_id = await desk.upload(*rows)
    [row] = (await desk.preview(import_id)).rows
    assert row.known == known.person.id
    before = await desk.count(Person)
    await desk.confirm(import_id, 1)
    assert await desk.count(Person) == before
    assert await desk.count(Invitation) == 0
    assert await desk.reasons(rows[0] | {"name": "钱一"}) == ["该证件号码已登记，但姓名与登记的不一致"]


async def test_a_phone_of_someone_else_is_refused(desk: Desk) -> None:
    known = await make_person(desk.session, desk.vault, now=desk.now)
    assert await desk.reasons(staff_row(1) | {"phone": known.phone}) == ["手机号码已被其他账号使用"]


async def test_nothing_is_taken_on_when_the_register_changed_since_the_preview(desk: Desk) -> None:
    known = await make_person(desk.session, desk.vault, now=desk.now)
    import_id = await desk.upload(staff_row(1), staff_row(2) | {"phone": known.phone})
    before = await desk.count(Employment)
    with pytest.raises(ListChanged):
        await desk.confirm(import_id, 2)
    assert await desk.count(Employment) == before


async def test_staff_who_are_there_get_the_new_post(desk: Desk, session: AsyncSession) -> None:
    organisation = await make_organisation(session, now=desk.now)
    desk.organisation_id = organisation.id
    there = await make_employee(session, desk.vault, organisation=organisation, now=desk.now)
    row = staff_row(1) | {"name": there.person.name, "number": there.number, "phone": "", "post": "焊工"}
    import_id = await desk.upload(row)
    assert (await desk.preview(import_id)).rows[0].is_employed
    await desk.confirm(import_id, 1)
    posts = (await session.exec(select(Employment.post).where(Employment.person_id == there.person.id))).all()
    assert posts == ["焊工"]


def test_the_template_can_be_read_back_and_holds_choices() -> None:
    data = make_template(say=str, choices={"id_type": ["居民身份证", "护照"]})
    sheet = load_workbook(io.BytesIO(data)).worksheets[0]
    assert sheet["A1"].value == "姓名*"
    assert len(sheet.data_validations.dataValidation) == 1
    with pytest.raises(BadSheet, match="没有人员"):
        read_sheet(data, headings=HEADINGS)


def test_bad_rows_come_back_as_typed_with_their_reason() -> None:
    rows = read_sheet(make_sheet({"name": "=1+1", "number": "123", "post": "电工"}), headings=HEADINGS)
    data = make_bad_rows([(rows[0], "号码有误")], say=str)
    sheet = load_workbook(io.BytesIO(data)).worksheets[0]
    assert (sheet["A2"].value, sheet["A2"].data_type) == ("=1+1", "s")
    assert sheet.cell(row=2, column=10).value == "号码有误"
    assert read_sheet(data, headings=HEADINGS)[0].cells["name"] == "=1+1"


@pytest.mark.parametrize("data", [b"", b"not a zip", b"PK\x03\x04broken"])
def test_what_is_no_xlsx_is_refused(data: bytes) -> None:
    with pytest.raises(BadSheet):
        read_sheet(data, headings=HEADINGS)


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("xl/workbook.xml", "<workbook/>")
        package.writestr("xl/worksheets/sheet1.xml", b"0" * (61 * 1024 * 1024))
    with pytest.raises(BadSheet, match="内容过大"):
        read_sheet(out.getvalue(), headings=HEADINGS)


def test_entities_are_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        package.writestr("xl/workbook.xml", '<!DOCTYPE w [<!ENTITY a "b">]><workbook>&a;</workbook>')
    with pytest.raises(BadSheet):
        read_sheet(out.getvalue(), headings=HEADINGS)


def test_more_rows_than_allowed_are_refused() -> None:
    book = Workbook(write_only=True)
    sheet = book.create_sheet()
    sheet.append(["姓名", "证件号码", "岗位"])
    for number in range(5001):
        sheet.append(["王一", str(number), "电工"])
    out = io.BytesIO()
    book.save(out)
    with pytest.raises(BadSheet, match="5000"):
        read_sheet(out.getvalue(), headings=HEADINGS)

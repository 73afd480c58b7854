"""Licences and enforcement records from CSV files."""

from __future__ import annotations

import contextlib
from datetime import date
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from certificates.register.licences import (
    NoReason,
    confirm_import,
    get_preview,
    keep_import,
    list_enforcement,
    list_licences,
    read_records,
    search_enforcement,
    search_licences,
    withdraw_record,
)
from certificates.register.record_files import BadFile, RecordKind, decode, read_file, sample_file
from tests.makers.people import Known, made_up_uscc, make_organisation, make_role
from training.errors import BadInput, NotFound
from training.models import OrganisationKind, Role

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault

TODAY = date(2026, 11, 21)
USCC = made_up_uscc(700001)
LICENCE_HEADER = "统一社会信用代码,企业名称,许可证编号,许可范围,发证机关,有效期起,有效期止"
DECISION_HEADER = "统一社会信用代码,企业名称,决定书文号,违法行为,处罚内容,处罚机关,决定日期,公示截止日期"


def licence_file(number: str = "L-1", *, until: str = "2027-01-09", name: str = "甲公司") -> bytes:
    return f"{LICENCE_HEADER}\n{USCC},{name},{number},生产,市局,2024-01-10,{until}\n".encode()


def decision_file(number: str = "D-1", *, on: str = "2026-03-15", until: str = "") -> bytes:
    return f"{DECISION_HEADER}\n{USCC},甲公司,{number},未培训,罚款,区局,{on},{until}\n".encode()


def read(kind: RecordKind, data: bytes) -> list[tuple[int, str]]:
    return [(each.row, str(each.error)) for each in read_file(kind, data, today=TODAY, public_years=3).errors]


@pytest.fixture
async def issuer(session: AsyncSession, vault: Vault, now: datetime) -> Known:
    authority = await make_organisation(session, now=now, kind=OrganisationKind.AUTHORITY, name="演示应急管理局")
    return await make_role(session, vault, role=Role.ISSUER, organisation=authority, now=now)


async def _import(session: AsyncSession, kind: RecordKind, data: bytes, issuer: Known, now: datetime) -> int:
    parsed = await read_records(session, kind=kind, data=data, now=now)
    kept = await keep_import(session, kind=kind, read=parsed, actor_id=issuer.person.id, now=now)
    return await confirm_import(session, import_id=kept.id, actor_id=issuer.person.id, now=now)


@pytest.mark.parametrize("kind", list(RecordKind))
def test_the_sample_is_itself_without_errors(kind: RecordKind) -> None:
    parsed = read_file(kind, sample_file(kind), today=TODAY, public_years=3)
    assert parsed.errors == ()
    assert len(parsed.rows) == 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "gbk"])
def test_a_file_is_read_however_a_spreadsheet_saved_it(encoding: str) -> None:
    data = licence_file().decode().encode(encoding)
    assert read_file(RecordKind.LICENCE, data, today=TODAY, public_years=3).rows[0]["enterprise_name"] == "甲公司"


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused_with_a_sentence(data: bytes) -> None:
    with contextlib.suppress(BadFile):
        read_file(RecordKind.LICENCE, data, today=TODAY, public_years=3)


def test_a_file_that_is_no_table_is_refused() -> None:
    for data in (b"", b"\xff\xfe\x00\x01", "名称,编号\nx,y\n".encode(), (LICENCE_HEADER + "\n").encode()):
        with pytest.raises(BadFile):
            read_file(RecordKind.LICENCE, data, today=TODAY, public_years=3)
    with pytest.raises(BadFile, match="4 MB"):
        decode(b"x" * (4 * 1024 * 1024 + 1))


def test_errors_name_the_row_of_the_file() -> None:
    good = f"{USCC},甲公司,L-9,,市局,2024年1月10日,2027/1/9"
    lines = [
        LICENCE_HEADER,
        good,
        "",
        good,
        good.replace("L-9", ""),
        good.replace("L-9", "L-2").replace("2027/1/9", "2027/13/9"),
        good.replace("L-9", "L-3").replace("2027/1/9", "2023/1/9"),
        good.replace("L-9", "L-4").replace(USCC, USCC[:-1] + ("0" if USCC[-1] != "0" else "1")),
    ]
    errors = read(RecordKind.LICENCE, "\n".join(lines).encode())
    assert [row for row, _ in errors] == [4, 5, 6, 7, 8]
    assert "第 2 行重复" in errors[0][1]
    assert "没有填写" in errors[1][1]
    assert "不是日期" in errors[2][1]
    assert "早于有效期起" in errors[3][1]
    assert "校验位" in errors[4][1]


def test_columns_may_stand_in_any_order_and_others_are_left_out() -> None:
    header = "备注,有效期止,有效期起,发证机关,许可证编号,企业名称,统一社会信用代码"
    data = f"{header}\nx,2027-01-09,2024-01-10,市局,L-1,甲,{USCC}\n"
    (row,) = read_file(RecordKind.LICENCE, data.encode(), today=TODAY, public_years=3).rows
    assert (row["licence_no"], row["scope"], "备注" in row) == ("L-1", "", False)


@pytest.mark.parametrize(
    ("on", "until", "shown"),
    [
        ("2026-03-15", "", "2029-03-15"),
        ("2024-02-29", "", "2027-02-28"),
        ("2026-03-15", "2027-01-01", "2027-01-01"),
        ("2026-03-15", "2029-03-16", None),
        ("2026-03-15", "2026-03-14", None),
        ("2026-11-22", "", None),
    ],
)
def test_a_record_is_public_for_no_longer_than_the_rule_allows(on: str, until: str, shown: str | None) -> None:
    parsed = read_file(RecordKind.ENFORCEMENT, decision_file(on=on, until=until), today=TODAY, public_years=3)
    assert [row["public_until"] for row in parsed.rows] == ([shown] if shown else [])
    assert len(parsed.errors) == (0 if shown else 1)


async def test_the_same_number_updates_and_a_second_confirmation_changes_nothing(
    session: AsyncSession, issuer: Known, now: datetime
) -> None:
    assert await _import(session, RecordKind.LICENCE, licence_file(), issuer, now) == 1
    parsed = await read_records(session, kind=RecordKind.LICENCE, data=licence_file(until="2028-01-09"), now=now)
    kept = await keep_import(session, kind=RecordKind.LICENCE, read=parsed, actor_id=issuer.person.id, now=now)
    preview = await get_preview(session, kept.id, actor_id=issuer.person.id)
    assert [row.is_new for row in preview.rows] == [False]
    for _ in range(2):
        await confirm_import(session, import_id=kept.id, actor_id=issuer.person.id, now=now)
    (line,) = await list_licences(session, USCC)
    assert line.valid_to == date(2028, 1, 9)
    assert line.is_valid(date(2028, 1, 9))
    assert not line.is_valid(date(2028, 1, 10))


async def test_a_file_with_an_error_writes_nothing(session: AsyncSession, issuer: Known, now: datetime) -> None:
    data = licence_file() + b"bad,row\n"
    parsed = await read_records(session, kind=RecordKind.LICENCE, data=data, now=now)
    with pytest.raises(BadInput):
        await keep_import(session, kind=RecordKind.LICENCE, read=parsed, actor_id=issuer.person.id, now=now)
    assert await list_licences(session, USCC) == []


async def test_a_record_leaves_public_view_after_its_last_day_or_when_withdrawn(
    session: AsyncSession, issuer: Known, now: datetime
) -> None:
    await _import(session, RecordKind.ENFORCEMENT, decision_file(), issuer, now)
    (line,) = await list_enforcement(session, USCC, on=date(2029, 3, 15))
    assert await list_enforcement(session, USCC, on=date(2029, 3, 16)) == []
    with pytest.raises(NoReason):
        await withdraw_record(
            session, kind=RecordKind.ENFORCEMENT, record_id=line.id, reason=" ", actor_id=issuer.person.id, now=now
        )
    for _ in range(2):
        await withdraw_record(
            session, kind=RecordKind.ENFORCEMENT, record_id=line.id, reason="决定被撤销", actor_id=issuer.person.id,
            now=now,
        )  # fmt: skip
    assert await list_enforcement(session, USCC, on=TODAY) == []
    # Listed again by a later file, it stays out of view.
    await _import(session, RecordKind.ENFORCEMENT, decision_file(), issuer, now)
    assert await list_enforcement(session, USCC, on=TODAY) == []
    (kept,) = await search_enforcement(session, words="D-1")
    assert kept.withdrawn_at == now


async def test_a_withdrawn_licence_is_no_longer_public(session: AsyncSession, issuer: Known, now: datetime) -> None:
    await _import(session, RecordKind.LICENCE, licence_file(), issuer, now)
    (line,) = await search_licences(session, words="甲公")
    await withdraw_record(
        session, kind=RecordKind.LICENCE, record_id=line.id, reason="吊销", actor_id=issuer.person.id, now=now
    )
    assert await list_licences(session, USCC) == []


async def test_another_persons_import_is_not_found(
    session: AsyncSession, vault: Vault, issuer: Known, now: datetime
) -> None:
    parsed = await read_records(session, kind=RecordKind.LICENCE, data=licence_file(), now=now)
    kept = await keep_import(session, kind=RecordKind.LICENCE, read=parsed, actor_id=issuer.person.id, now=now)
    with pytest.raises(NotFound):
        await get_preview(session, kept.id, actor_id=issuer.account.id)
    with pytest.raises(NotFound):
        await confirm_import(session, import_id=kept.id, actor_id=issuer.account.id, now=now)

"""Taking a filled template into the bank."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import func, select

from question_bank.enemies import list_enemies
from question_bank.importing.imports import NotClean, confirm_import, get_import, preview_import
from question_bank.importing.rows import understand
from question_bank.importing.sheets import COLUMNS, NoRows, NotAWorkbook, SheetRow, UnknownLayout
from question_bank.importing.template import HEADER, make_template
from question_bank.models import Item, ItemRevision, RevisionStatus
from tests.makers.items import Desk, make_content, make_desk, make_published
from training.errors import NotFound

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault

AREAS = {1: "法律法规与从业人员权利义务", 3: "消防安全、疏散逃生"}
SOURCE = "某法第一条"
GOOD: list[tuple[object, ...]] = [
    ("判断", "3 消防安全、疏散逃生", "掌握", "甲", "可以乘电梯逃生。", *[""] * 5, "×", "会停运。", SOURCE, ""),
    ("单选", 1, "熟练掌握", "乙", "火警电话是（　）。", "110", "119", "120", "122", "", "b", "119。", SOURCE, "是"),
    ("多选题", AREAS[1], "了解", "丙", "应（　）。", "甲", "乙", "丙", "丁", "戊", "A、C,E", "见法。", SOURCE, None),
]


def workbook(*rows: tuple[object, ...], header: tuple[str, ...] = HEADER) -> bytes:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append(header)
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.fixture
async def desk(session: AsyncSession, vault: Vault, now: datetime) -> Desk:
    return await make_desk(session, vault, now=now)


async def test_a_clean_file_becomes_drafts_once(session: AsyncSession, desk: Desk, now: datetime) -> None:
    me = desk.editor.person.id
    kept = await preview_import(session, subject="GEN", data=workbook(*GOOD), actor_id=me, now=now)
    view = await get_import(session, kept.id, viewer_id=me)
    assert [(row.number, row.area, row.key) for row in view.rows] == [(2, 3, "F"), (3, 1, "B"), (4, 1, "ACE")]
    assert view.faulty == ()
    for _ in range(2):
        assert await confirm_import(session, import_id=kept.id, actor_id=me, now=now) == 3
    revisions = (await session.exec(select(ItemRevision))).all()
    assert {(r.status, r.author_id) for r in revisions} == {(RevisionStatus.DRAFT, me)}
    codes = set((await session.exec(select(Item.code))).all())
    assert codes == {"GEN-03-TF-001", "GEN-01-SC-001", "GEN-01-MC-001"}


async def test_one_bad_row_keeps_the_whole_file_out(session: AsyncSession, desk: Desk, now: datetime) -> None:
    bad = ("单选", "99", "精通", "", "题（　）。", "甲", "甲", "", "", "", "F", "", "", "")
    me = desk.editor.person.id
    kept = await preview_import(session, subject="GEN", data=workbook(*GOOD, bad), actor_id=me, now=now)
    faulty = (await get_import(session, kept.id, viewer_id=me)).faulty
    assert [row.number for row in faulty] == [5]
    sentences = [message.format(**values) for message, values in faulty[0].faults]
    assert any("知识领域“99”" in sentence for sentence in sentences)
    assert any("等级“精通”" in sentence for sentence in sentences)
    assert len(sentences) >= 6
    with pytest.raises(NotClean):
        await confirm_import(session, import_id=kept.id, actor_id=me, now=now)
    assert (await session.exec(select(func.count()).select_from(Item))).one() == 0


async def test_a_missing_column_is_told_once_for_all_rows(session: AsyncSession, desk: Desk, now: datetime) -> None:
    header = ("试题类型(判断题、单选题)", "题目内容", "题目答案")
    rows = [("判断题", f"题{number}", "对") for number in range(5)]
    me = desk.editor.person.id
    kept = await preview_import(session, subject="GEN", data=workbook(*rows, header=header), actor_id=me, now=now)
    common = (await get_import(session, kept.id, viewer_id=me)).common
    assert [message[:6] for message in common] == [
        "请填写等级。",
        "请填写知识领",
        "请填写考查要",
        "请填写解析：",
        "请填写依据：",
    ]


async def test_duplicates_are_told_within_the_file_and_against_the_bank(
    session: AsyncSession, desk: Desk, now: datetime
) -> None:
    await make_published(
        session, desk, now=now, content=make_content(stem="火警电话是（ ）", options=("119", "110", "122", "120"))
    )
    me = desk.editor.person.id
    kept = await preview_import(session, subject="GEN", data=workbook(*GOOD, GOOD[0]), actor_id=me, now=now)
    told = {
        row.number: [message.format(**values) for message, values in row.faults]
        for row in (await get_import(session, kept.id, viewer_id=me)).faulty
    }
    assert told.keys() == {3, 5}
    assert "已有相同的题目" in told[3][0]
    assert told[5] == ["与第 2 行重复。"]


async def test_what_came_into_the_bank_since_the_preview_is_not_doubled(
    session: AsyncSession, desk: Desk, now: datetime
) -> None:
    me = desk.editor.person.id
    first = await preview_import(session, subject="GEN", data=workbook(*GOOD), actor_id=me, now=now)
    second = await preview_import(session, subject="GEN", data=workbook(*GOOD), actor_id=me, now=now)
    await confirm_import(session, import_id=first.id, actor_id=me, now=now)
    with pytest.raises(NotClean):
        await confirm_import(session, import_id=second.id, actor_id=me, now=now)


async def test_an_upload_is_its_owners_alone(session: AsyncSession, desk: Desk, now: datetime) -> None:
    kept = await preview_import(session, subject="GEN", data=workbook(*GOOD), actor_id=desk.editor.person.id, now=now)
    with pytest.raises(NotFound):
        await get_import(session, kept.id, viewer_id=desk.reviewer.person.id)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", NotAWorkbook),
        (b"PK\x03\x04 broken", NotAWorkbook),
        ("序号,题干".encode(), NotAWorkbook),
        (workbook(("1", "x"), header=("序号", "试题")), UnknownLayout),
        (workbook(), NoRows),
        (make_template(subject="GEN", areas=AREAS), NoRows),
    ],
)
async def test_a_file_that_cannot_be_read_is_told_in_a_sentence(
    session: AsyncSession, desk: Desk, now: datetime, data: bytes, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await preview_import(session, subject="GEN", data=data, actor_id=desk.editor.person.id, now=now)


@given(st.dictionaries(st.sampled_from(list(COLUMNS)), st.text(max_size=30)))
def test_whatever_stands_in_a_row_is_read_without_breaking(texts: dict[str, str]) -> None:
    read = understand(SheetRow("题目", 2, texts), areas=AREAS)
    assert read.content is not None or read.faults


@pytest.mark.parametrize(
    ("word", "key"),
    [("正确", "T"), ("√", "T"), ("对", "T"), ("T", "T"), ("错误", "F"), ("×", "F"), ("Ｆ", "F"), ("?", "")],
)
def test_true_and_false_are_understood_as_people_write_them(word: str, key: str) -> None:
    row = SheetRow("题目", 2, {"type": "判断题", "stem": "题", "key": word, "area": "1", "level": "掌握"})
    content = understand(row, areas=AREAS).content
    assert content is not None
    assert content.key == key


async def test_a_file_names_enemies_by_code_or_by_row(session: AsyncSession, desk: Desk, now: datetime) -> None:
    there = await make_published(session, desk, now=now)
    code = (await session.exec(select(Item.code).where(Item.id == there))).one()
    rows = [(*row, "") for row in GOOD]
    rows[0] = (*GOOD[0], f" 第 4 行、{code.lower()}")
    rows[2] = (*GOOD[2], "2行")  # the same pair from the other side
    me = desk.editor.person.id
    kept = await preview_import(session, subject="GEN", data=workbook(*rows), actor_id=me, now=now)
    view = await get_import(session, kept.id, viewer_id=me)
    assert view.faulty == ()
    assert [row.enemies for row in view.rows] == [("4行", code), (), ("2行",)]
    await confirm_import(session, import_id=kept.id, actor_id=me, now=now)
    first = (await session.exec(select(Item.id).where(Item.code == "GEN-03-TF-001"))).one()
    found = {enemy.item.code: enemy.reason for enemy in await list_enemies(session, first)}
    assert found == dict.fromkeys(("GEN-01-MC-001", code), "由导入的题目表设定")


@pytest.mark.parametrize("named", ["GEN-99-SC-001", "第 9 行", "第 2 行"])
async def test_an_enemy_that_is_not_there_keeps_the_file_out(
    session: AsyncSession, desk: Desk, now: datetime, named: str
) -> None:
    me = desk.editor.person.id
    data = workbook((*GOOD[0], named), *GOOD[1:])
    kept = await preview_import(session, subject="GEN", data=data, actor_id=me, now=now)
    [row] = (await get_import(session, kept.id, viewer_id=me)).faulty
    assert (row.number, len(row.faults)) == (2, 1)

"""The pages of the question bank."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING
from uuid import UUID

import openpyxl
import pytest

from question_bank.authoring import create_item, submit_revision
from question_bank.importing.template import HEADER
from question_bank.listing import get_item
from question_bank.models import ItemType, RevisionStatus
from tests.makers.items import Desk, make_content, make_desk, make_published
from tests.makers.people import PASSWORD, make_organisation, make_person, make_role
from training.models import OrganisationKind, Role
from training.organisations import ROLES_OF_KIND

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.conftest import Client
    from training.vault import Vault

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
TYPED = {
    "subject": "GEN",
    "type": "SC",
    "level": "GRASP",
    "area": "3",
    "key_point": "报警电话",
    "stem": "火警电话是（　）。",
    "option": ["110", "119", "120", "122", ""],
    "right": ["B"],
    "explanation": "119 是火警电话。",
    "source": "《中华人民共和国消防法》第四十四条",
}


@pytest.fixture
async def desk(session: AsyncSession, vault: Vault, now: datetime) -> Desk:
    made = await make_desk(session, vault, now=now)
    await session.commit()
    return made


async def submitted(session: AsyncSession, desk: Desk, now: datetime) -> tuple[UUID, UUID]:
    me = desk.editor.person.id
    revision = await create_item(session, subject="GEN", content=make_content(), author_id=me, now=now)
    await submit_revision(session, revision_id=revision.id, actor_id=me, now=now)
    await session.commit()
    return revision.item_id, revision.id


async def test_the_pages_are_closed_to_people_without_a_role_here(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    known = await make_person(session, vault, now=now)
    await session.commit()
    await client.sign_in(known.phone, PASSWORD)
    for path in ("", "/items", "/items/new", "/items/import", "/items/template.xlsx", "/blueprints", "/blueprints/GEN"):
        assert (await client.get(f"/authority{path}")).status_code == 403, path


async def test_the_board_shows_what_waits_by_role(
    client: Client, session: AsyncSession, desk: Desk, now: datetime
) -> None:
    await submitted(session, desk, now)
    await client.sign_in(desk.reviewer.phone, PASSWORD)
    board = await client.get("/authority")
    assert "待审核的题目" in board.text
    assert "GEN-01-SC-001" in board.text
    await client.sign_in(desk.editor.phone, PASSWORD)
    board = await client.get("/authority")
    assert "我的草稿" in board.text
    assert "待审核的题目" not in board.text


@pytest.mark.parametrize("role", ROLES_OF_KIND[OrganisationKind.AUTHORITY])
async def test_every_place_on_the_board_opens_for_its_role(
    client: Client, session: AsyncSession, vault: Vault, now: datetime, role: Role
) -> None:
    authority = await make_organisation(session, now=now, kind=OrganisationKind.AUTHORITY)
    known = await make_role(session, vault, role=role, organisation=authority, now=now)
    await session.commit()
    await client.sign_in(known.phone, PASSWORD)
    board = await client.get("/authority")
    places = re.findall(r'class="card tile place" href="([^"]+)"', board.text)
    assert places
    for path in places:
        assert (await client.get(path)).status_code == 200, path


async def test_an_editor_writes_an_item_and_a_reviewer_publishes_it(
    client: Client, session: AsyncSession, desk: Desk
) -> None:
    await client.sign_in(desk.editor.phone, PASSWORD)
    assert "GEN" in (await client.get("/authority/items/new")).text
    assert "考查要点" in (await client.get("/authority/items/new?subject=GEN")).text
    answer = await client.submit("/authority/items/new", TYPED | {"then": "submit"})
    assert answer.status_code in {302, 303}, answer.text
    page = answer.headers["location"]
    assert "等待另一位审核人员审核" in (await client.get(page)).text
    item_id = UUID(page.rpartition("/")[2])
    revision_id = str((await get_item(session, item_id)).newest.id)
    assert (await client.submit(f"{page}/review", {"revision_id": revision_id, "act": "approve"})).status_code == 403
    await client.sign_in(desk.reviewer.phone, PASSWORD)
    done = await client.submit(f"{page}/review", {"revision_id": revision_id, "act": "approve_publish"})
    assert done.status_code in {302, 303}, done.text
    assert "正在使用" in (await client.get(page)).text


async def test_what_was_typed_stays_when_something_is_wrong(client: Client, desk: Desk) -> None:
    await client.sign_in(desk.editor.phone, PASSWORD)
    wrong = TYPED | {"source": "", "right": ["A", "B"], "area": "9" * 5000, "key_point": "独一无二的要点"}
    answer = await client.submit("/authority/items/new", wrong)
    assert answer.status_code == 422
    for sentence in ("请填写依据", "单选题只能有一个正确答案", "独一无二的要点", "题目有 3 处需要修改"):
        assert sentence in answer.text


async def test_a_change_on_a_stale_page_is_told_and_can_be_saved_again(
    client: Client, session: AsyncSession, desk: Desk, now: datetime
) -> None:
    item_id = await make_published(session, desk, now=now)
    await session.commit()
    await client.sign_in(desk.editor.phone, PASSWORD)
    page = f"/authority/items/{item_id}"
    typed = TYPED | {"based_on": "1"}
    assert (await client.submit(page, typed | {"stem": "甲（　）。"})).status_code in {302, 303}
    stale = await client.submit(page, typed | {"stem": "乙（　）。"})
    assert stale.status_code == 422
    assert "已有新的版本（第 2 版）" in stale.text
    assert 'name="based_on" value="2"' in stale.text
    history = (await client.get(page)).text
    assert "旧版" not in history
    assert "第 1 版使用中" in history
    assert "<ins>" in history


async def test_a_return_needs_a_reason_and_shows_it_to_the_author(
    client: Client, session: AsyncSession, desk: Desk, now: datetime
) -> None:
    item_id, revision_id = await submitted(session, desk, now)
    page = f"/authority/items/{item_id}"
    await client.sign_in(desk.reviewer.phone, PASSWORD)
    form = {"revision_id": str(revision_id), "act": "return", "note": ""}
    assert "请写明原因" in (await client.submit(f"{page}/review", form)).text
    await client.submit(f"{page}/review", form | {"note": "选项 C 有歧义"})
    await client.sign_in(desk.editor.phone, PASSWORD)
    assert "选项 C 有歧义" in (await client.get(page)).text


async def test_a_revision_of_another_item_is_not_found(
    client: Client, session: AsyncSession, desk: Desk, now: datetime
) -> None:
    item_id, _ = await submitted(session, desk, now)
    _, other = await submitted(session, desk, now)
    await client.sign_in(desk.reviewer.phone, PASSWORD)
    form = {"revision_id": str(other), "act": "approve"}
    assert (await client.submit(f"/authority/items/{item_id}/review", form)).status_code == 404


async def test_the_list_filters_and_says_when_nothing_is_found(
    client: Client, session: AsyncSession, desk: Desk, now: datetime
) -> None:
    await client.sign_in(desk.reviewer.phone, PASSWORD)
    assert "题库还是空的" in (await client.get("/authority/items")).text
    await make_published(session, desk, now=now, content=make_content(ItemType.TF, stem="灭火器可以随意移动。"))
    await session.commit()
    assert "灭火器" in (await client.get("/authority/items?subject=GEN&area=1&type=TF&level=GRASP&words=灭火")).text
    assert "没有符合条件" in (await client.get("/authority/items?words=不存在的&page=999999999999")).text
    odd = await client.get("/authority/items", params={"subject": "<b>", "area": "x", "type": "ZZ", "status": "?"})
    assert odd.status_code == 200


def filled(*rows: list[str]) -> bytes:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append(HEADER)
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


ROW = ["判断", "3", "掌握", "甲", "火灾时可以乘电梯。", "", "", "", "", "", "错误", "会停运。", "某法", ""]


async def test_a_file_is_previewed_and_taken_in_whole(client: Client, session: AsyncSession, desk: Desk) -> None:
    await client.sign_in(desk.editor.phone, PASSWORD)
    template = await client.get("/authority/items/template.xlsx?subject=GEN")
    assert template.headers["content-type"] == XLSX
    assert openpyxl.load_workbook(io.BytesIO(template.content)).sheetnames == ["题目", "填写说明"]
    upload = await client.submit(
        "/authority/items/import", {"subject": "GEN"}, files={"file": ("a.xlsx", filled(ROW), XLSX)}
    )
    assert upload.status_code in {302, 303}, upload.text
    page = upload.headers["location"]
    assert "确认导入 1 题" in (await client.get(page)).text
    for _ in range(2):
        assert (await client.submit(page)).status_code in {302, 303}
    assert "已导入 1 题" in (await client.get(page)).text
    listed = await client.get("/authority/items?status=DRAFT")
    assert "GEN-03-TF-001" in listed.text


async def test_bad_rows_are_told_by_number(client: Client, desk: Desk) -> None:
    await client.sign_in(desk.editor.phone, PASSWORD)
    bad = ["单选", "77", "", "", "题", "甲", "", "", "", "", "Z", "", "", ""]
    files = {"file": ("a.xlsx", filled(ROW, bad), XLSX)}
    upload = await client.submit("/authority/items/import", {"subject": "GEN"}, files=files)
    page = upload.headers["location"]
    shown = (await client.get(page)).text
    assert "第 3 行" in shown
    assert "知识领域“77”无法识别" in shown
    refused = await client.submit(page)
    assert refused.status_code == 422
    assert "没有导入任何题目" in refused.text


async def test_a_file_that_is_no_workbook_is_told_in_a_sentence(client: Client, desk: Desk) -> None:
    await client.sign_in(desk.editor.phone, PASSWORD)
    files = {"file": ("a.xlsx", b"hello", XLSX)}
    answer = await client.submit("/authority/items/import", {"subject": "GEN"}, files=files)
    assert answer.status_code == 422
    assert "文件无法读取" in answer.text
    missing = await client.submit("/authority/items/import", {"subject": "GEN"})
    assert missing.status_code in {400, 422}


async def test_the_editor_speaks_english_on_request(client: Client, session: AsyncSession, desk: Desk) -> None:
    await client.sign_in(desk.editor.phone, PASSWORD)
    await client.submit("/language", {"language": "en", "next": "/"})
    page = (await client.get("/authority/items/new?subject=GEN")).text
    assert "Save draft" in page
    assert "What the candidate sees" in page


async def test_a_retired_item_leaves_with_its_reason(
    client: Client, session: AsyncSession, desk: Desk, now: datetime
) -> None:
    item_id = await make_published(session, desk, now=now)
    await session.commit()
    revision_id = (await get_item(session, item_id)).newest.id
    await client.sign_in(desk.reviewer.phone, PASSWORD)
    form = {"revision_id": str(revision_id), "act": "retire", "note": "标准已废止"}
    await client.submit(f"/authority/items/{item_id}/review", form)
    session.expire_all()
    assert (await get_item(session, item_id)).newest.status is RevisionStatus.RETIRED


async def test_a_reviewer_estimates_at_review_and_sees_the_others_afterwards(
    client: Client, session: AsyncSession, vault: Vault, desk: Desk, now: datetime
) -> None:
    item_id, revision_id = await submitted(session, desk, now)
    second = await make_role(
        session, vault, role=Role.QUESTION_REVIEWER, organisation=desk.authority, now=now, name="吴审题"
    )
    await session.commit()
    page = f"/authority/items/{item_id}"
    await client.sign_in(desk.reviewer.phone, PASSWORD)
    assert "100 个刚好够格的考生中" in (await client.get(page)).text
    typed = {"revision_id": str(revision_id), "act": "approve_publish", "percent": "120"}
    wrong = await client.submit(f"{page}/review", typed)
    assert (wrong.status_code, "请填写 1–99 的整数" in wrong.text) == (422, True)
    unclear = await client.submit(f"{page}/review", typed | {"act": "", "percent": "70"})
    assert (unclear.status_code, 'value="70"' in unclear.text) == (422, True)
    done = await client.submit(f"{page}/review", typed | {"percent": "70"})
    assert done.status_code in {302, 303}, done.text
    seen = (await client.get(page)).text
    assert "周审题：70 人答对" in seen
    assert "1 人已估计，满 2 人后计入" in seen
    await client.sign_in(second.phone, PASSWORD)
    assert str(item_id) in (await client.get("/authority/items?unjudged=1")).text
    blind = (await client.get(page)).text
    assert "您估计之后显示" in blind
    assert "70 人答对" not in blind
    done = await client.submit(f"{page}/estimates", {"revision_id": str(revision_id), "percent": "85"})
    assert done.status_code in {302, 303}, done.text
    seen = (await client.get(page)).text
    assert "周审题：70 人答对" in seen
    assert "± 0.49" in seen
    assert seen.count("组卷采用") == 1
    assert str(item_id) not in (await client.get("/authority/items?unjudged=1")).text
    await client.sign_in(desk.editor.phone, PASSWORD)
    refused = await client.submit(f"{page}/estimates", {"revision_id": str(revision_id), "percent": "85"})
    assert refused.status_code == 403


async def test_two_items_are_made_enemies_with_a_reason_and_parted_again(
    client: Client, session: AsyncSession, desk: Desk, now: datetime
) -> None:
    one = await make_published(session, desk, now=now, content=make_content(stem="动火作业前应当（　）。"))
    other = await make_published(session, desk, now=now, content=make_content(stem="动火作业中应当有人（　）。"))
    await session.commit()
    page, far = f"/authority/items/{one}", f"/authority/items/{other}"
    await client.sign_in(desk.editor.phone, PASSWORD)
    assert "还没有互斥题" in (await client.get(page)).text
    assert "没有找到其他题目" in (await client.get(f"{page}?words=不存在")).text
    found = (await client.get(f"{page}?words=动火")).text
    assert str(other) in found
    assert f'value="{one}"' not in found
    typed = {"other_id": str(other), "act": "add", "words": "动火"}
    wrong = await client.submit(f"{page}/enemies", typed)
    assert (wrong.status_code, "请写明为什么" in wrong.text, str(other) in wrong.text) == (422, True, True)
    for _ in range(2):
        done = await client.submit(f"{page}/enemies", typed | {"reason": "题干透露答案"})
        assert done.status_code in {302, 303}, done.text
    assert "题干透露答案" in (await client.get(page)).text
    assert "题干透露答案" in (await client.get(far)).text
    done = await client.submit(f"{far}/enemies", {"other_id": str(one), "act": "remove", "reason": "已改写题干"})
    assert done.status_code in {302, 303}
    assert "还没有互斥题" in (await client.get(page)).text

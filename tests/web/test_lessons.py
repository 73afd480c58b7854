"""A learner's pages, from the first lesson to the record, without scripts as far as that goes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from sqlmodel import col, select

from tests.makers.courses import make_course
from tests.makers.people import PASSWORD, make_employee, make_organisation
from training.models import CourseModule, Learning, LessonBlock

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.conftest import Client
    from tests.makers.people import Known
    from training.models import CourseVersion
    from training.vault import Vault
    from web.storage import Store

HTMX = {"hx-request": "true"}


@pytest.fixture
async def version(session: AsyncSession, store: Store, clock: FixedClock) -> CourseVersion:
    return await make_course(session, store, now=clock.now(), code="C77")


@pytest.fixture
async def learner(
    session: AsyncSession, vault: Vault, clock: FixedClock, client: Client, version: CourseVersion
) -> Known:
    organisation = await make_organisation(session, now=clock.now())
    known = await make_employee(session, vault, organisation=organisation, now=clock.now())
    await session.commit()
    await client.sign_in(known.phone, PASSWORD)
    return known


async def start(client: Client) -> str:
    answer = await client.submit("/courses/C77/start")
    assert answer.status_code in {302, 303}
    return re.sub(r"/1/1$", "", answer.headers["location"])


async def read(client: Client, clock: FixedClock, path: str, *, seconds: int, **more: object) -> str:
    text = ""
    await client.get(path)
    for _ in range(0, seconds, 15):
        clock.advance(seconds=15)
        answer = await client.submit(f"{path}/pulse", {"sign": "READING", **more}, headers=HTMX)
        assert answer.status_code == 200, answer.text
        text = answer.text
    return text


async def answer_all(client: Client, session: AsyncSession, learning: str, version: CourseVersion) -> None:
    statement = (
        select(LessonBlock)
        .join(CourseModule, col(CourseModule.id) == LessonBlock.module_id)
        .where(CourseModule.course_version_id == version.id, LessonBlock.kind == "QUESTION")
        .order_by(col(LessonBlock.number))
    )
    for block in (await session.exec(statement)).all():
        letter = "F" if block.body["type"] == "TF" else "A"
        path = f"{learning}/1/{block.lesson_number}/answers/{block.id}"
        answer = await client.submit(path, {"answer": letter}, headers=HTMX)
        assert block.body["explanation"] in answer.text


async def video_of(session: AsyncSession) -> str:
    return str((await session.exec(select(LessonBlock.id).where(LessonBlock.kind == "VIDEO"))).one())


def right_ticks(page: str) -> dict[str, list[str]]:
    """Tick what is right, by the texts of the maker's quiz."""
    right = {"断电", "人走断电", "不串接", "用合格产品"}
    found = re.findall(r'name="(q\d)" value="(\w)"[^>]*>\s*<span>(?:\w\. )?([^<]*)</span>', page)
    ticks: dict[str, list[str]] = {}
    for name, letter, text in found:
        if text in right or (letter == "F" and text == "错误"):
            ticks.setdefault(name, []).append(letter)
    return ticks


async def test_a_course_is_learnt_and_gives_one_record(
    client: Client, session: AsyncSession, clock: FixedClock, learner: Known, version: CourseVersion
) -> None:
    learning = await start(client)
    text = await read(client, clock, f"{learning}/1/1", seconds=75)
    assert "时间已够，还有 1 道随堂题未答" in text
    closed = await client.get(f"{learning}/1/quiz")
    assert closed.status_code == 409
    assert "先学完，再测验" in closed.text
    await read(client, clock, f"{learning}/1/2", seconds=60, video_block=await video_of(session), video_second=20)
    await answer_all(client, session, learning, version)
    page = (await client.get(f"{learning}/1/quiz")).text
    assert "正确答案" not in page
    result = await client.submit(f"{learning}/1/quiz", {"attempt": "1", **right_ticks(page)}, follow_redirects=True)
    assert "全部学完，查看培训记录" in result.text
    again = await client.submit(f"{learning}/1/quiz", {"attempt": "1", **right_ticks(page)}, follow_redirects=True)
    assert "答对 3 / 3 题" in again.text
    done = await client.get(learning)
    for part in ("学完了", "时间", "王员工", "北京演示科技有限公司", "用电", "答对 3/3 题"):
        assert part in done.text
    records = await client.get("/learn/records")
    assert records.text.count("<tr>") == 2
    table = await client.get("/learn/records.csv")
    assert table.content.startswith(b"\xef\xbb\xbf")
    assert "用电小课" in table.text


async def test_a_failed_quiz_explains_and_can_be_taken_again(
    client: Client, session: AsyncSession, clock: FixedClock, learner: Known, version: CourseVersion
) -> None:
    learning = await start(client)
    await read(client, clock, f"{learning}/1/1", seconds=75)
    await read(client, clock, f"{learning}/1/2", seconds=60, video_block=await video_of(session), video_second=20)
    await answer_all(client, session, learning, version)
    missing = await client.submit(f"{learning}/1/quiz", {"attempt": "1", "q1": "T"})
    assert missing.status_code == 422
    assert "第 2 题还没有作答" in missing.text
    assert re.search(r'name="q1" value="T" checked', missing.text)
    failed = await client.submit(
        f"{learning}/1/quiz", {"attempt": "1", "q1": "T", "q2": "A", "q3": ["A"]}, follow_redirects=True
    )
    assert "还没有合格" in failed.text
    assert "湿手会触电" in failed.text
    page = (await client.get(f"{learning}/1/quiz")).text
    assert 'name="attempt" value="2"' in page
    passed = await client.submit(f"{learning}/1/quiz", {"attempt": "2", **right_ticks(page)}, follow_redirects=True)
    assert "合格" in passed.text


async def test_the_key_is_not_on_the_page_before_the_answer(
    client: Client, session: AsyncSession, learner: Known, version: CourseVersion
) -> None:
    learning = await start(client)
    page = (await client.get(f"{learning}/1/1")).text
    assert "串接会过载" not in page
    assert "依据：" in page
    block = (
        await session.exec(select(LessonBlock).where(LessonBlock.kind == "QUESTION", LessonBlock.lesson_number == 1))
    ).one()
    empty = await client.submit(f"{learning}/1/1/answers/{block.id}", {}, headers=HTMX)
    assert empty.status_code == 422
    assert "还没有选择答案" in empty.text
    plain = await client.submit(f"{learning}/1/1/answers/{block.id}", {"answer": "A"})
    assert plain.headers["location"].endswith(f"#q-{block.id}")
    assert "串接会过载" in (await client.get(f"{learning}/1/1")).text


async def test_a_second_device_takes_over_and_the_first_is_told(
    client: Client, app: object, clock: FixedClock, learner: Known
) -> None:
    learning = await start(client)
    await read(client, clock, f"{learning}/1/1", seconds=15)
    first = dict(client.cookies)
    client.cookies.clear()
    await client.sign_in(learner.phone, PASSWORD)
    taken = await client.get(f"{learning}/1/1")
    assert "另一台设备上的学习已暂停" in taken.text
    client.cookies.clear()
    client.cookies.update(first)
    clock.advance(seconds=15)
    told = await client.submit(f"{learning}/1/1/pulse", {"sign": "READING"}, headers=HTMX)
    assert "您已在另一处打开学习" in told.text


async def test_another_persons_learning_is_not_found(
    client: Client, session: AsyncSession, vault: Vault, clock: FixedClock, learner: Known
) -> None:
    learning = await start(client)
    organisation = await make_organisation(session, now=clock.now())
    other = await make_employee(session, vault, organisation=organisation, now=clock.now())
    await session.commit()
    client.cookies.clear()
    await client.sign_in(other.phone, PASSWORD)
    for path in (learning, f"{learning}/1/1", f"{learning}/1/quiz"):
        assert (await client.get(path)).status_code == 404
    assert (await client.submit(f"{learning}/1/1/pulse", {})).status_code == 404


async def test_starting_twice_gives_the_same_learning(client: Client, session: AsyncSession, learner: Known) -> None:
    assert await start(client) == await start(client)
    assert len((await session.exec(select(Learning))).all()) == 1


async def test_the_home_says_what_is_next(client: Client, clock: FixedClock, learner: Known) -> None:
    before = await client.get("/learn")
    assert "现在没有正在学习的课程" in before.text
    assert "用电小课" in before.text
    await start(client)
    after = await client.get("/learn")
    assert "继续学习" in after.text
    assert "插线板" in after.text


async def test_reading_without_scripts_counts_by_page_loads(client: Client, clock: FixedClock, learner: Known) -> None:
    learning = await start(client)
    await client.get(f"{learning}/1/1")
    for _ in range(2):
        clock.advance(seconds=300)
        answer = await client.submit(f"{learning}/1/1/pulse", {"sign": "READING"})
        assert answer.headers["location"] == f"{learning}/1/1"
        page = await client.get(f"{learning}/1/1")
    assert re.search(r'data-left="0"', page.text)

"""The public catalogue."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.makers.courses import SVG, make_course

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.conftest import Client
    from web.storage import Store


async def test_the_empty_catalogue_says_so(client: Client) -> None:
    answer = await client.get("/courses")
    assert answer.status_code == 200
    assert "还没有发布课程" in answer.text


async def test_courses_are_found_by_word_and_audience(
    client: Client, session: AsyncSession, store: Store, now: datetime
) -> None:
    await make_course(session, store, now=now, code="C77", title="电梯安全")
    await session.commit()
    assert "电梯安全" in (await client.get("/courses")).text
    assert "电梯安全" in (await client.get("/courses", params={"q": "电梯", "audience": "EMPLOYEE"})).text
    for params in ({"q": "燃气"}, {"audience": "INSPECTOR"}, {"q": "100%"}):
        answer = await client.get("/courses", params=params)
        assert 'href="/courses/C77"' not in answer.text
    assert "没有找到相符的课程" in answer.text


async def test_a_course_shows_what_is_learnt_and_on_what_it_rests(
    client: Client, session: AsyncSession, store: Store, now: datetime
) -> None:
    await make_course(session, store, now=now, code="C77")
    await session.commit()
    answer = await client.get("/courses/C77")
    assert "插线板" in answer.text
    assert "《中华人民共和国安全生产法》" in answer.text
    assert "登录后开始学习" in answer.text
    assert (await client.get("/courses/C78")).status_code == 404


async def test_a_player_gets_the_part_that_it_asks_for(
    client: Client, session: AsyncSession, store: Store, now: datetime
) -> None:
    from sqlmodel import select

    from training.models import StoredFile

    await make_course(session, store, now=now)
    await session.commit()
    picture = (await session.exec(select(StoredFile).where(StoredFile.media_type == "image/svg+xml"))).one()
    path = f"/courses/media/{picture.id}"
    whole = await client.get(path)
    assert whole.content == SVG
    part = await client.get(path, headers={"range": "bytes=1-3"})
    assert (part.status_code, part.content) == (206, b"svg")
    assert part.headers["content-range"] == f"bytes 1-3/{len(SVG)}"
    tail = await client.get(path, headers={"range": "bytes=-6"})
    assert tail.content == b"</svg>"
    assert (await client.get(path, headers={"range": "bytes=9-2"})).status_code == 200

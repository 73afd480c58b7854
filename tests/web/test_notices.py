"""`/notices`: the badge, the list, opening one, marking all, and every kind in words."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.makers.people import PASSWORD, Known, make_person
from training.notices import PER_PAGE, NoticeKind, NoticeLine, count_unread, list_notices, mark_read, notify
from web.notices import _WORDS, in_words

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.conftest import Client
    from training.vault import Vault

DETAIL: dict[str, Any] = {
    "title": "低压电工作业", "points": "80.00", "before": "79.50", "total": "100", "reason": "核查",
    "code": "SO_1_2-001", "count": 3, "rising": 1, "falling": 2, "starts_on": "2026-12-01",
}  # fmt: skip


@pytest.fixture
async def who(session: AsyncSession, vault: Vault, now: datetime) -> Known:
    known = await make_person(session, vault, now=now)
    await session.commit()
    return known


def test_every_kind_has_its_words() -> None:
    assert set(_WORDS) == set(NoticeKind)


@pytest.mark.parametrize("kind", list(NoticeKind))
@pytest.mark.parametrize("passed", [True, False])
def test_every_kind_is_filled_in(kind: NoticeKind, passed: bool, now: datetime) -> None:
    line = NoticeLine(uuid4(), kind, DETAIL | {"passed": passed}, "/exams", now, is_read=False)
    shown = in_words(line)
    assert "{" not in shown.text
    assert ".00" not in shown.text


def test_a_kind_of_the_past_is_still_shown(now: datetime) -> None:
    assert in_words(NoticeLine(uuid4(), "GONE", {}, "", now, is_read=True)).title == "通知"


async def test_nothing_yet_says_so(client: Client, who: Known) -> None:
    await client.sign_in(who.phone, PASSWORD)
    page = await client.get("/notices")
    assert "还没有通知" in page.text
    assert "条未读" not in page.text


async def test_a_notice_is_told_in_the_header_opened_and_then_read(
    client: Client, session: AsyncSession, who: Known, now: datetime
) -> None:
    notify(session, [who.person.id, who.person.id], NoticeKind.SCORE_RELEASED, now=now, link="/exams", passed=True,
           **{key: DETAIL[key] for key in ("title", "points", "total")})  # fmt: skip
    await session.commit()
    await client.sign_in(who.phone, PASSWORD)
    page = await client.get("/notices")
    assert "低压电工作业：80 分（满分 100 分），合格" in page.text
    assert page.text.count("<h2") == 1
    assert "有 1 条未读" in page.text
    assert "条未读</span>" in (await client.get("/exams")).text
    [line] = (await list_notices(session, person_id=who.person.id)).lines
    for _ in range(2):
        reply = await client.submit(f"/notices/{line.id}")
        assert reply.headers["location"] == "/exams"
    assert "全部已读" in (await client.get("/notices")).text
    assert await count_unread(session, person_id=who.person.id) == 0


async def test_marking_all_leaves_what_came_since(
    client: Client, session: AsyncSession, who: Known, clock: FixedClock
) -> None:
    seen = clock.now()
    notify(session, [who.person.id], NoticeKind.CERTIFICATE_ISSUED, now=seen, title="证书")
    clock.advance(minutes=1)
    notify(session, [who.person.id], NoticeKind.CERTIFICATE_ISSUED, now=clock.now(), title="另一证书")
    await session.commit()
    await client.sign_in(who.phone, PASSWORD)
    await client.submit("/notices/read", {"until": seen.isoformat()})
    assert await count_unread(session, person_id=who.person.id) == 1
    await client.submit("/notices/read", {"until": "gibberish"})
    assert await count_unread(session, person_id=who.person.id) == 0


async def test_nobody_reads_or_marks_anothers(
    client: Client, session: AsyncSession, vault: Vault, who: Known, now: datetime
) -> None:
    other = await make_person(session, vault, now=now, name="别人")
    notify(session, [other.person.id], NoticeKind.CERTIFICATE_ISSUED, now=now, title="他人的证书")
    await session.commit()
    [line] = (await list_notices(session, person_id=other.person.id)).lines
    assert (await client.get("/notices")).status_code in {302, 303}
    await client.sign_in(who.phone, PASSWORD)
    assert "他人的证书" not in (await client.get("/notices")).text
    assert (await client.submit(f"/notices/{line.id}")).status_code == 404
    await client.submit("/notices/read", {"until": (now + timedelta(days=1)).isoformat()})
    assert await count_unread(session, person_id=other.person.id) == 1


async def test_unread_ones_stand_first_and_many_are_paged(session: AsyncSession, who: Known, now: datetime) -> None:
    for number in range(PER_PAGE + 1):
        at = now + timedelta(minutes=number)
        notify(session, [who.person.id], NoticeKind.CERTIFICATE_ISSUED, now=at, title=str(number))
    await session.flush()
    await mark_read(session, person_id=who.person.id, until=now + timedelta(minutes=PER_PAGE - 2), now=now)
    first = await list_notices(session, person_id=who.person.id)
    assert [line.detail["title"] for line in first.lines[:3]] == [str(PER_PAGE), str(PER_PAGE - 1), str(PER_PAGE - 2)]
    assert [line.is_read for line in first.lines[:3]] == [False, False, True]
    assert (first.pages, first.unread, len(first.lines)) == (2, 2, PER_PAGE)
    assert len((await list_notices(session, person_id=who.person.id, page=9)).lines) == 1


async def test_the_page_speaks_english(client: Client, session: AsyncSession, who: Known, now: datetime) -> None:
    notify(
        session, [who.person.id], NoticeKind.SESSION_CANCELLED, now=now, title="A", starts_on="2026-12-01", reason="B"
    )
    await session.commit()
    await client.sign_in(who.phone, PASSWORD)
    await client.submit("/language", {"language": "en", "next": "/"})
    assert "The session of A on 1 Dec 2026 was cancelled: B." in (await client.get("/notices")).text

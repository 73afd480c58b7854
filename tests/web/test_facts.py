"""Facts as the sitting's page tells them, and what the server notes itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exams.integrity import list_facts
from exams.models import IntegrityKind
from tests.makers.people import PASSWORD, make_person
from tests.makers.sittings import make_checked_in
from tests.web.test_api_sittings import Caller

if TYPE_CHECKING:
    import httpx
    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.conftest import Client
    from training.vault import Vault


@pytest.fixture
async def caller(session: AsyncSession, vault: Vault, client: Client, clock: FixedClock) -> Caller:
    who, booking = await make_checked_in(session, vault, now=clock.now())
    await session.commit()
    caller = Caller(client)
    await caller.sign_in(who)
    assert (await caller.start(booking_id=booking.id)).status_code == 200
    caller.sitting["booking_id"] = str(booking.id)
    return caller


async def tell(caller: Caller, *facts: dict[str, Any], token: str = "") -> httpx.Response:
    headers = {"X-Sitting-Token": token or caller.sitting["device_token"]}
    return await caller.client.post(f"{caller.path}/facts", json={"facts": list(facts)}, headers=headers)


def fact(client_id: str, kind: str = "TAB_HIDDEN", **more: object) -> dict[str, Any]:
    return {"client_id": client_id, "kind": kind, "began_at": "2026-03-02T01:00:00.000Z", "seconds": 3.6, **more}


async def test_a_page_tells_facts_and_is_told_which_are_kept(caller: Caller, session: AsyncSession) -> None:
    answer = await tell(caller, fact("a"), fact("b", "PASTE", detail={"length": 12, "text": "偷看"}))
    assert (answer.status_code, answer.json()) == (200, {"saved": ["a", "b"]})
    lines = await list_facts(session, sitting_id=caller.sitting["sitting_id"])
    assert {line.kind for line in lines} == {IntegrityKind.TAB_HIDDEN, IntegrityKind.PASTE}
    assert [line.detail for line in lines if line.detail] == [{"length": 12}]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"facts": []}, 400),
        ({"facts": [fact("a", "VERDICT")]}, 422),
        ({"facts": [fact(str(n)) for n in range(21)]}, 400),
        ({"facts": "x"}, 400),
    ],
)
async def test_facts_that_no_page_of_ours_sends_are_refused(caller: Caller, body: dict[str, Any], status: int) -> None:
    headers = {"X-Sitting-Token": caller.sitting["device_token"]}
    answer = await caller.client.post(f"{caller.path}/facts", json=body, headers=headers)
    assert answer.status_code == status, answer.text


async def test_another_token_tells_nothing(caller: Caller) -> None:
    answer = await tell(caller, fact("a"), token="x")
    assert (answer.status_code, answer.json()["code"]) == (401, "TOKEN")


async def test_long_after_the_end_the_page_lets_go(caller: Caller, clock: FixedClock) -> None:
    clock.advance(minutes=123)
    answer = await tell(caller, fact("a"))
    assert (answer.status_code, answer.json()["code"]) == (410, "ENDED")


async def test_a_candidate_reads_what_was_written_down_and_nobody_else_does(
    caller: Caller, session: AsyncSession, vault: Vault, clock: FixedClock
) -> None:
    await tell(caller, fact("a"), fact("b", "COPY", seconds=0, detail={"position": 7}))
    page = f"/sittings/{caller.sitting['sitting_id']}/facts"
    assert caller.who is not None
    await caller.client.sign_in(caller.who.phone, PASSWORD)
    text = (await caller.client.get(page)).text
    for words in ("切换到其他页面或程序", "3 秒", "复制", "第 7 题", "不是结论"):
        assert words in text
    other = await make_person(session, vault, now=clock.now(), name="钱旁人")
    await session.commit()
    await caller.client.sign_in(other.phone, PASSWORD)
    assert (await caller.client.get(page)).status_code == 404

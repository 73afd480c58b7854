"""What is done to a sitting reaches the candidate's page at once, and idle pages cost nothing."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import asyncpg
import msgspec
import pytest
from litestar.datastructures import State

from exams.models import Booking, ExamSession
from exams.sheets import get_sitting_state
from exams.sittings import (
    CHANNEL,
    extend_sitting,
    pause_sitting,
    release_device,
    resume_paused,
    resume_sitting,
    tell_candidates,
)
from exams.voiding import void_sitting
from tests.makers.people import make_person
from tests.makers.sittings import make_device, make_enterprise_sitting, make_sitting
from training.accounts import open_sign_in
from web.api.bodies import state_out
from web.auth import SIGN_IN_COOKIE
from web.database import make_engine, make_sessions
from web.pushing import Streams, wrap
from web.settings import libpq_url

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.makers.sittings import Sat
    from training.vault import Vault
    from web.services import Services


class Page:
    """A browser's side of a stream, without a network."""

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.is_over = False
        self._changed = asyncio.Event()
        self._gone = asyncio.Event()
        self._asked = False

    async def receive(self) -> Any:  # noqa: ANN401
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:  # noqa: ANN401
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            self.body += message["body"]
            self.is_over = not message["more_body"]
        if self.is_over:
            self._gone.set()
        self._changed.set()

    def leave(self) -> None:
        self._gone.set()

    @property
    def states(self) -> list[dict[str, Any]]:
        blocks = self.body.decode().split("\n\n")
        return [json.loads(block.split("data: ", 1)[1]) for block in blocks if block.startswith("event: state")]

    async def until_opened(self) -> None:
        async with asyncio.timeout(5):
            while not self.status or (self.status == 200 and not self.states):
                self._changed.clear()
                await self._changed.wait()

    async def until(self, count: int) -> dict[str, Any]:
        async with asyncio.timeout(5):
            while len(self.states) < count:
                self._changed.clear()
                await self._changed.wait()
        return self.states[-1]


class OneAtATime:
    """Sessions of a test share one connection, which serves one of them at a time."""

    def __init__(self, services: Services) -> None:
        self._sessions = services.sessions
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def __call__(self) -> AsyncIterator[AsyncSession]:
        async with self._lock, self._sessions() as session:
            yield session


class Pages:
    """Opens pages on the front, and sees them off at the end."""

    def __init__(self, services: Services) -> None:
        async def beyond(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
            await send({"type": "http.response.start", "status": 299, "headers": []})
            await send({"type": "http.response.body", "body": b"", "more_body": False})

        services = replace(services, sessions=cast("Any", OneAtATime(services)))
        self.streams = Streams(services)
        self.app = wrap(beyond, self.streams, services)
        self.open: list[tuple[Page, asyncio.Task[None]]] = []

    async def visit(self, path: str, token: str, *, query: bytes = b"", method: str = "GET") -> Page:
        page = Page()
        headers = [(b"cookie", f"{SIGN_IN_COOKIE}={token}".encode())] if token else []
        scope: Any = {
            "type": "http", "method": method, "path": path, "query_string": query, "headers": headers, "state": State(),
        }  # fmt: skip
        task = asyncio.create_task(self.app(scope, page.receive, page.send))
        self.open.append((page, task))
        await page.until_opened()
        return page

    async def watch(self, sat: Sat, token: str, *, query: bytes = b"") -> Page:
        return await self.visit(f"/sittings/{sat.id}/events", token, query=query)

    async def tell(self, sat: Sat) -> None:
        """What the database tells once an act is committed, which a test never is."""
        self.streams.hear([sat.id])
        await asyncio.sleep(0.05)

    async def close(self) -> None:
        for page, _ in self.open:
            page.leave()
        await asyncio.gather(*(task for _, task in self.open))
        await self.streams.stop()


@pytest.fixture
async def pages(services: Services) -> AsyncGenerator[Pages, None]:
    made = Pages(services)
    made.streams.start()
    yield made
    await made.close()


@asynccontextmanager
async def at_site(session: AsyncSession, sat: Sat) -> AsyncIterator[dict[str, Any]]:
    """The arguments that every act of the site takes."""
    booking = await session.get_one(Booking, sat.booking_id)
    exam_session = await session.get_one(ExamSession, booking.exam_session_id)
    yield {
        "sitting_id": sat.id, "site_id": exam_session.site_id, "actor_id": sat.who.person.id, "reason": "消防演练",
    }  # fmt: skip


async def token_of(session: AsyncSession, sat: Sat, *, now: Any) -> str:  # noqa: ANN401
    token, _ = await open_sign_in(session, account_id=sat.who.account.id, client="", address="", now=now)
    return token


async def test_a_page_is_told_how_its_sitting_stands(
    session: AsyncSession, vault: Vault, clock: FixedClock, pages: Pages
) -> None:
    sat = await make_sitting(session, vault, now=clock.now())
    page = await pages.watch(sat, await token_of(session, sat, now=clock.now()))
    assert (page.status, page.headers["content-type"]) == (200, "text/event-stream; charset=utf-8")
    assert page.headers["cache-control"] == "no-store"
    assert page.body.startswith(b"retry: ")
    state = await page.until(1)
    assert (state["status"], state["seconds_left"], state["device_number"]) == ("OPEN", 7200, 1)
    assert (state["is_paused"], state["has_ended"], state["notice"]) == (False, False, None)


async def test_pause_and_going_on_are_told_with_the_reason_and_the_exact_time(
    session: AsyncSession, vault: Vault, clock: FixedClock, pages: Pages
) -> None:
    sat = await make_sitting(session, vault, now=clock.now())
    page = await pages.watch(sat, await token_of(session, sat, now=clock.now()))
    async with at_site(session, sat) as site:
        clock.advance(minutes=10)
        await pause_sitting(session, **site, now=clock.now())
        await pages.tell(sat)
        paused = await page.until(2)
        clock.advance(minutes=7)
        await resume_paused(session, **site, now=clock.now())
        await pages.tell(sat)
        gone_on = await page.until(3)
    assert (paused["status"], paused["seconds_left"], paused["notice"]["kind"]) == ("PAUSED", 6600, "PAUSED")
    assert paused["notice"]["reason"] == "消防演练"
    assert (gone_on["status"], gone_on["seconds_left"], gone_on["notice"]["kind"]) == ("OPEN", 6600, "RESUMED")


async def test_more_time_is_told_in_minutes(
    session: AsyncSession, vault: Vault, clock: FixedClock, pages: Pages
) -> None:
    sat = await make_sitting(session, vault, now=clock.now())
    page = await pages.watch(sat, await token_of(session, sat, now=clock.now()))
    async with at_site(session, sat) as site:
        await extend_sitting(session, **site, minutes=15, now=clock.now())
    await pages.tell(sat)
    state = await page.until(2)
    assert (state["notice"]["minutes"], state["seconds_left"]) == (15, 8100)


async def test_a_page_that_no_longer_holds_the_sitting_is_told_so(
    session: AsyncSession, vault: Vault, clock: FixedClock, pages: Pages
) -> None:
    sat = await make_sitting(session, vault, now=clock.now())
    page = await pages.watch(sat, await token_of(session, sat, now=clock.now()), query=b"device=1")
    assert page.states[0]["is_holder"]
    async with at_site(session, sat) as site:
        await release_device(session, **site, now=clock.now())
    await pages.tell(sat)
    state = await page.until(2)
    assert (state["is_holder"], state["is_released"], state["notice"]["kind"]) == (False, True, "RELEASED")


async def test_another_device_that_takes_over_is_told_to_the_page_that_held_the_sitting(
    session: AsyncSession, vault: Vault, clock: FixedClock, pages: Pages
) -> None:
    sat = await make_enterprise_sitting(session, vault, now=clock.now())
    page = await pages.watch(sat, await token_of(session, sat, now=clock.now()))
    assert page.states[0]["is_holder"]
    other = await make_device(session, sat.who, now=clock.now())
    await resume_sitting(session, sitting_id=sat.id, person_id=sat.who.person.id, device=other, now=clock.now())
    await pages.tell(sat)
    state = await page.until(2)
    assert (state["is_holder"], state["device_number"], state["notice"]["kind"]) == (False, 2, "TAKEN_OVER")


async def test_the_end_is_told_and_ends_the_stream_and_nobody_comes_back(
    session: AsyncSession, vault: Vault, clock: FixedClock, pages: Pages
) -> None:
    sat = await make_sitting(session, vault, now=clock.now())
    token = await token_of(session, sat, now=clock.now())
    page = await pages.watch(sat, token)
    await void_sitting(session, sitting_id=sat.id, actor_id=sat.who.person.id, reason="替考", now=clock.now())
    await pages.tell(sat)
    assert (await page.until(2))["status"] == "VOID"
    assert page.is_over
    assert (await pages.watch(sat, token)).status == 204


async def test_the_same_state_is_told_once(
    session: AsyncSession, vault: Vault, clock: FixedClock, pages: Pages
) -> None:
    sat = await make_sitting(session, vault, now=clock.now())
    page = await pages.watch(sat, await token_of(session, sat, now=clock.now()))
    await pages.tell(sat)
    await pages.tell(sat)
    assert len(page.states) == 1


async def test_time_that_is_up_is_noticed_in_the_streams_turn(
    session: AsyncSession, vault: Vault, clock: FixedClock, pages: Pages
) -> None:
    sat = await make_sitting(session, vault, now=clock.now())
    page = await pages.watch(sat, await token_of(session, sat, now=clock.now()))
    clock.advance(hours=2)
    for turn in range(20):
        pages.streams.take_turn(turn)
    state = await page.until(2)
    assert b": \n\n" in page.body
    assert (state["status"], state["has_ended"], state["seconds_left"]) == ("TIMED_OUT", False, 0)


async def test_of_three_pages_of_one_sitting_the_oldest_ends_and_waits(
    session: AsyncSession, vault: Vault, clock: FixedClock, pages: Pages
) -> None:
    sat = await make_sitting(session, vault, now=clock.now())
    token = await token_of(session, sat, now=clock.now())
    first, second, third = [await pages.watch(sat, token) for _ in range(3)]
    assert (first.is_over, second.is_over, third.is_over) == (True, False, False)
    assert b"retry: 30000" in first.body


async def test_only_the_candidate_may_listen(
    session: AsyncSession, vault: Vault, clock: FixedClock, pages: Pages
) -> None:
    sat = await make_sitting(session, vault, now=clock.now())
    other = await make_person(session, vault, now=clock.now(), name="钱某")
    token, _ = await open_sign_in(session, account_id=other.account.id, client="", address="", now=clock.now())
    path = f"/sittings/{sat.id}/events"
    assert (await pages.visit(path, token)).status == 404
    assert (await pages.visit(path, "no such token")).status == 401
    assert (await pages.visit(path, "")).status == 401
    assert (await pages.visit(f"/sittings/{uuid4()}/events", token)).status == 404


@pytest.mark.parametrize(("method", "path"), [("POST", "/sittings/{}/events"), ("GET", "/sittings/{}"), ("GET", "/")])
async def test_everything_else_passes_through(pages: Pages, method: str, path: str) -> None:
    assert (await pages.visit(path.format(uuid4()), "", method=method)).status == 299


async def test_a_process_that_ends_lets_every_page_go(
    session: AsyncSession, vault: Vault, clock: FixedClock, pages: Pages
) -> None:
    sat = await make_sitting(session, vault, now=clock.now())
    token = await token_of(session, sat, now=clock.now())
    page = await pages.watch(sat, token)
    pages.streams.end_all()
    await asyncio.sleep(0.05)
    assert page.is_over
    assert (await pages.watch(sat, token)).status == 503


async def test_what_the_database_tells_is_heard(
    session: AsyncSession, vault: Vault, clock: FixedClock, pages: Pages, services: Services
) -> None:
    """The act itself, in a transaction that is committed, tells the process."""
    sat = await make_sitting(session, vault, now=clock.now())
    page = await pages.watch(sat, await token_of(session, sat, now=clock.now()))
    await _until_listening(services.settings.database_url)
    async with at_site(session, sat) as site:
        await pause_sitting(session, **site, now=clock.now())
    engine = make_engine(services.settings.database_url)
    async with make_sessions(engine)() as other, other.begin():
        await tell_candidates(other, [sat.id])
    await engine.dispose()
    assert (await page.until(2))["status"] == "PAUSED"


async def test_a_database_that_was_away_is_listened_to_again_and_nothing_is_missed(
    session: AsyncSession, vault: Vault, clock: FixedClock, pages: Pages, services: Services
) -> None:
    sat = await make_sitting(session, vault, now=clock.now())
    page = await pages.watch(sat, await token_of(session, sat, now=clock.now()))
    await _until_listening(services.settings.database_url)
    async with at_site(session, sat) as site:
        await pause_sitting(session, **site, now=clock.now())
    connection = await asyncpg.connect(libpq_url(services.settings.database_url))
    await connection.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'anpei pushes'"
    )
    await connection.close()
    # Nobody tells of the pause: it is found when the line stands again.
    assert (await page.until(2))["status"] == "PAUSED"


async def test_without_a_line_to_the_database_each_stream_is_looked_at_in_its_turn(
    session: AsyncSession, vault: Vault, clock: FixedClock, services: Services
) -> None:
    pages = Pages(services)
    looking = asyncio.create_task(pages.streams._look_for_ever())
    try:
        sat = await make_sitting(session, vault, now=clock.now())
        page = await pages.watch(sat, await token_of(session, sat, now=clock.now()))
        async with at_site(session, sat) as site:
            await pause_sitting(session, **site, now=clock.now())
        for turn in range(20):
            pages.streams.take_turn(turn)
        assert (await page.until(2))["status"] == "PAUSED"
    finally:
        await pages.close()
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def _until_listening(url: str) -> None:
    connection = await asyncpg.connect(libpq_url(url))
    listening = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'anpei pushes' AND query LIKE $1"
    for _ in range(250):
        if await connection.fetchval(listening, f"%LISTEN%{CHANNEL}%"):
            break
        await asyncio.sleep(0.02)
    await connection.close()


async def test_a_page_that_asks_is_told_the_same(
    session: AsyncSession, vault: Vault, clock: FixedClock, pages: Pages
) -> None:
    sat = await make_sitting(session, vault, now=clock.now())
    page = await pages.watch(sat, await token_of(session, sat, now=clock.now()))
    async with at_site(session, sat) as site:
        await pause_sitting(session, **site, now=clock.advance(minutes=1))
    await pages.tell(sat)
    pushed = await page.until(2)
    state = await get_sitting_state(
        session, sitting_id=sat.id, person_id=sat.who.person.id, now=clock.now(), device=sat.device
    )
    asked = msgspec.to_builtins(state_out(state, now=clock.now()))
    # Signed in elsewhere, the page is the holder by its word alone.
    assert {name: asked[name] for name in pushed} == pushed

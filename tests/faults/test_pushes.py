"""Real processes: what a site does is seen at once, idle pages hold nothing, and a restart waits for nobody."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from sqlmodel import select

from exams.models import ExamSession, Sitting
from exams.sittings import pause_session, resume_session
from tests.makers.servers import Stage, stage
from web.auth import SIGN_IN_COOKIE
from web.clock import SystemClock
from web.database import make_engine, make_sessions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.makers.servers import OpenSitting

PAGES = 100


@pytest.fixture(scope="module")
def place() -> Iterator[Stage]:
    with stage() as made:
        yield made


@dataclass
class Page:
    """A candidate's browser: listens, and comes back when the stream ends."""

    sitting: OpenSitting
    port: int
    states: list[tuple[float, dict[str, Any]]] = field(default_factory=list)
    streams: int = 0

    async def listen(self) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(
            f"GET /sittings/{self.sitting.sitting_id}/events HTTP/1.1\r\nhost: test\r\n"
            f"cookie: {SIGN_IN_COOKIE}={self.sitting.sign_in_token}\r\n\r\n".encode()
        )
        self.streams += 1
        try:
            while line := await reader.readline():
                if line.startswith(b"data: "):
                    self.states.append((time.monotonic(), json.loads(line[6:])))
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def listen_for_ever(self) -> None:
        while True:
            with contextlib.suppress(OSError):
                await self.listen()
            await asyncio.sleep(0.2)


async def until(condition: Callable[[], bool], *, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.02)


async def act_on_session(place: Stage, act: Any) -> float:  # noqa: ANN401
    """What the site head's click does, in a transaction of its own. Gives when it was committed."""
    engine = make_engine(place.cluster.url)
    async with make_sessions(engine)() as session, session.begin():
        exam_session = (await session.exec(select(ExamSession))).first()
        person_id = (await session.exec(select(Sitting.person_id))).first()
        assert exam_session
        await act(
            session, exam_session_id=exam_session.id, site_id=exam_session.site_id, actor_id=person_id,
            reason="消防演练", now=SystemClock().now(),
        )  # fmt: skip
    await engine.dispose()
    return time.monotonic()


async def test_a_hundred_pages_are_told_at_once_and_a_restart_loses_none(place: Stage) -> None:
    sittings = await asyncio.to_thread(place.make_sittings, PAGES)
    await asyncio.to_thread(place.start_web)
    assert place.web
    pages = [Page(sitting, place.port) for sitting in sittings]
    tasks = [asyncio.create_task(page.listen_for_ever()) for page in pages]
    try:
        await until(lambda: all(page.states for page in pages))
        async with place.connection() as connection:
            held = await connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity WHERE state LIKE '%in transaction%'"
            )
            assert held == 0
        paused_at = await act_on_session(place, pause_session)
        await until(lambda: all(page.states[-1][1]["is_paused"] for page in pages))
        assert max(page.states[-1][0] for page in pages) - paused_at < 2
        assert pages[0].states[-1][1]["notice"]["reason"] == "消防演练"

        began = time.monotonic()
        place.web.send_signal(signal.SIGTERM)
        await asyncio.to_thread(place.web.wait, 15)
        assert time.monotonic() - began < 5
        await act_on_session(place, resume_session)
        await asyncio.to_thread(place.start_web)
        await until(lambda: all(page.states[-1][1]["status"] == "OPEN" for page in pages))
        assert all(page.streams > 1 for page in pages)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

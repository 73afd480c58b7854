"""`kill -9` in the middle of an exam: every acknowledged answer is there afterwards, and is marked."""

from __future__ import annotations

import asyncio
import json
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import asyncpg
import pytest

from tests.makers.load import Line, request
from tests.makers.servers import Stage, stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from seed.candidates import CandidateAccount

CANDIDATES = 50
_AWAY = (ConnectionError, OSError, TimeoutError)


@pytest.fixture(scope="module")
def place() -> Iterator[Stage]:
    with stage() as made:
        made.start_web()
        yield made


@dataclass
class Sitter:
    """A candidate's client with an outbox: sends an answer until it is acknowledged, over and over."""

    port: int
    account: CandidateAccount
    bearer: str = ""
    sitting_id: str = ""
    token: str = ""
    total: int = 0
    seq: int = 0
    acknowledged: dict[int, tuple[int, str]] = field(default_factory=dict)
    line: Line | None = None
    interruptions: int = 0

    async def call(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """One call, tried again until the server answers."""
        headers = f"authorization: Bearer {self.bearer}\r\n" if self.bearer else ""
        if self.token:
            headers += f"x-sitting-token: {self.token}\r\n"
        sent = request(method, f"/api/v1{path}", headers, json.dumps(body).encode() if body is not None else b"")
        end = time.monotonic() + 30
        while time.monotonic() < end:
            try:
                self.line = self.line or await Line.open(self.port)
                status, answer = await asyncio.wait_for(self.line.call(sent), 5)
            except _AWAY:
                self._hang_up()
            else:
                if status < 500:
                    return status, json.loads(answer)
            self.interruptions += 1
            await asyncio.sleep(0.1)
        raise TimeoutError(path)

    def _hang_up(self) -> None:
        if self.line:
            self.line.close()
        self.line = None

    async def begin(self) -> None:
        credentials = {"login": self.account.login, "password": self.account.password}
        _, answer = await self.call("POST", "/sign-in", credentials)
        self.bearer = answer["token"]
        status, started = await self.call("POST", "/sittings", {"booking_id": str(self.account.booking_id)})
        assert status == 200, started
        self.sitting_id, self.token, self.total = started["sitting_id"], started["device_token"], started["total"]

    async def answer_until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self.seq += 1
            act = (random.randrange(1, self.total + 1), random.choice("TF"))
            sent = {"answers": [{"seq": self.seq, "position": act[0], "choice": act[1]}]}
            status, saved = await self.call("PUT", f"/sittings/{self.sitting_id}/answers", sent)
            assert status == 200, saved
            assert saved["saved"] == [self.seq]
            self.acknowledged[self.seq] = act
            await asyncio.sleep(random.random() * 0.05)
        self._hang_up()


async def _stored(place: Stage, sitters: list[Sitter]) -> dict[str, dict[int, tuple[int, str]]]:
    connection = await asyncpg.connect(place.cluster.dsn)
    rows = await connection.fetch("SELECT sitting_id, seq, position, choice FROM answer_event")
    await connection.close()
    found: dict[str, dict[int, tuple[int, str]]] = {sitter.sitting_id: {} for sitter in sitters}
    for sitting_id, seq, position, choice in rows:
        if str(sitting_id) in found:
            found[str(sitting_id)][seq] = (position, choice)
    return found


async def _sit_through(place: Stage, accounts: list[CandidateAccount], kill: str) -> list[Sitter]:
    sitters = [Sitter(place.port, account) for account in accounts]
    await asyncio.gather(*(sitter.begin() for sitter in sitters))
    stop = asyncio.Event()
    answering = asyncio.gather(*(sitter.answer_until(stop) for sitter in sitters))
    await asyncio.sleep(1)
    if kill == "web":
        place.kill_web()
        await asyncio.sleep(0.3)
        await asyncio.to_thread(place.start_web)
    else:
        await asyncio.to_thread(place.kill_database)
        await asyncio.sleep(0.3)
        await asyncio.to_thread(place.restart_database)
    await asyncio.sleep(2)
    stop.set()
    await answering
    return sitters


@pytest.mark.fault
@pytest.mark.parametrize("kill", ["web", "database"])
def test_every_acknowledged_answer_survives_a_kill(place: Stage, kill: str) -> None:
    accounts = place.make_candidates(CANDIDATES)
    sitters = asyncio.run(_sit_through(place, accounts, kill))
    stored = asyncio.run(_stored(place, sitters))
    assert any(sitter.interruptions for sitter in sitters)
    for sitter in sitters:
        assert len(sitter.acknowledged) > 5
        # The outbox sends each answer until it is acknowledged, so nothing else can be stored either.
        assert stored[sitter.sitting_id] == sitter.acknowledged

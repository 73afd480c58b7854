"""Candidates' clients with an outbox, and the count that every fault test ends with."""

from __future__ import annotations

import asyncio
import base64
import json
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from exams.chain import first_link, next_link
from tests.makers.load import Line, request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.makers.servers import OpenSitting, Stage

_AWAY = (ConnectionError, OSError, TimeoutError)


@dataclass
class Sitter:
    """Sends an answer until it is acknowledged, over and over, as the page's outbox does."""

    sitting: OpenSitting
    port: int
    host: str = "127.0.0.1"
    clock_off: timedelta = timedelta(0)
    patience: float = 5.0
    longest: float = 60.0
    seq: int = 0
    acknowledged: dict[int, tuple[int, str]] = field(default_factory=dict)
    interruptions: int = 0
    # Seconds to wait that the server named while it was busy.
    told_to_wait: list[int] = field(default_factory=list)
    _line: Line | None = None
    _link: bytes = b""

    async def send(self, body: object) -> tuple[int, Any]:
        """One call, tried again until the server answers. Raises `TimeoutError`."""
        path = f"/api/v1/sittings/{self.sitting.sitting_id}/answers"
        sent = request("PUT", path, f"x-sitting-token: {self.sitting.device_token}\r\n", json.dumps(body).encode())
        end = time.monotonic() + self.longest
        while time.monotonic() < end:
            try:
                if self._line is None:
                    self._line = await asyncio.wait_for(Line.open(self.port, self.host), self.patience)
                status, head, answer = await self._line.whole(sent, self.patience)
            except _AWAY:
                self.hang_up()
            else:
                if status < 500:
                    return status, json.loads(answer)
                if status == 503:
                    self.told_to_wait.append(int(head.partition(b"retry-after: ")[2].partition(b"\r")[0]))
            self.interruptions += 1
            await asyncio.sleep(0.1)
        raise TimeoutError(path)

    def hang_up(self) -> None:
        if self._line:
            self._line.close()
        self._line = None

    def next_act(self) -> dict[str, object]:
        """The next answer as the page makes it, by the client's own clock."""
        self.seq += 1
        position, choice = random.randrange(1, 101), random.choice("TF")
        at = datetime.fromtimestamp(int(time.time() * 1000) / 1000, UTC) + self.clock_off
        at = at.replace(microsecond=at.microsecond // 1000 * 1000)
        before = self._link or first_link(UUID(str(self.sitting.sitting_id)))
        self._link = next_link(before, seq=self.seq, position=position, choice=choice, answered_at=at)
        link = base64.urlsafe_b64encode(self._link).rstrip(b"=").decode()
        text = at.isoformat(timespec="milliseconds")
        return {"seq": self.seq, "position": position, "choice": choice, "at": text, "link": link}

    async def answer(self) -> None:
        act = self.next_act()
        status, saved = await self.send({"answers": [act]})
        assert status == 200, saved
        assert saved["saved"] == [self.seq]
        self.acknowledged[self.seq] = (int(str(act["position"])), str(act["choice"]))

    async def answer_until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            await self.answer()
            await asyncio.sleep(random.random() * 0.05)
        self.hang_up()


async def answer_through(sitters: Sequence[Sitter], seconds: float, fault: Any, after: float = 2.0) -> None:  # noqa: ANN401 - a coroutine function
    """Everyone answers for a while, then on through the fault, and for a while after it."""
    stop = asyncio.Event()
    answering = asyncio.gather(*(sitter.answer_until(stop) for sitter in sitters))
    try:
        await asyncio.sleep(seconds)
        await fault()
        await asyncio.sleep(after)
    finally:
        stop.set()
        await answering


async def stored_answers(place: Stage, sitters: Sequence[Sitter]) -> dict[str, dict[int, tuple[int, str]]]:
    found: dict[str, dict[int, tuple[int, str]]] = {str(sitter.sitting.sitting_id): {} for sitter in sitters}
    async with place.connection() as connection:
        rows = await connection.fetch("SELECT sitting_id, seq, position, choice FROM answer_event")
    for sitting_id, seq, position, choice in rows:
        if str(sitting_id) in found:
            found[str(sitting_id)][seq] = (position, choice)
    return found


def check_nothing_lost(place: Stage, sitters: Sequence[Sitter], *, at_least: int = 5) -> int:
    """Acknowledged = stored, for each candidate. Gives how many answers that are.

    The outbox sends each answer until it is acknowledged, so nothing else can be stored either.
    """
    stored = asyncio.run(stored_answers(place, sitters))
    for sitter in sitters:
        assert len(sitter.acknowledged) > at_least
        assert stored[str(sitter.sitting.sitting_id)] == sitter.acknowledged
    return sum(len(sitter.acknowledged) for sitter in sitters)

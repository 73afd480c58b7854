"""`kill -9`, a restart and a stand-still in the middle of an exam: every acknowledged answer is there afterwards."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.faults.sitters import Sitter, answer_through, check_nothing_lost

if TYPE_CHECKING:
    from tests.makers.servers import Stage

CANDIDATES = 50
_FROZEN_SECONDS = 20


def _sitters(place: Stage, *, patience: float = 5.0) -> list[Sitter]:
    return [Sitter(sitting, place.port, patience=patience) for sitting in place.make_sittings(CANDIDATES)]


@pytest.mark.fault
@pytest.mark.parametrize("fault", ["web killed", "database killed", "web restarted"])
def test_every_acknowledged_answer_survives(place: Stage, fault: str) -> None:
    async def strike() -> None:
        if fault == "web killed":
            place.kill_web()
            await asyncio.sleep(0.3)
            await asyncio.to_thread(place.start_web)
        elif fault == "web restarted":
            # As an update does it: what is under way is still answered.
            await asyncio.to_thread(place.stop_web)
            await asyncio.to_thread(place.start_web)
        else:
            await asyncio.to_thread(place.kill_database)
            await asyncio.sleep(0.3)
            await asyncio.to_thread(place.restart_database)

    sitters = _sitters(place)
    asyncio.run(answer_through(sitters, 1, strike))
    assert any(sitter.interruptions for sitter in sitters)
    check_nothing_lost(place, sitters)


@pytest.mark.fault
def test_while_the_database_stands_still_candidates_are_told_to_wait_and_nothing_is_lost(place: Stage) -> None:
    async def freeze() -> None:
        with place.frozen_database():
            await asyncio.sleep(_FROZEN_SECONDS)

    sitters = _sitters(place, patience=15)
    asyncio.run(answer_through(sitters, 1, freeze))
    # 503 with Retry-After, not a connection that hangs.
    assert all(sitter.told_to_wait for sitter in sitters)
    check_nothing_lost(place, sitters)

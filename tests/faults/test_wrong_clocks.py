"""Clients whose clocks are a day off: their answers count by the server's time alone."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.sitters import Sitter, check_nothing_lost, stored_answers

if TYPE_CHECKING:
    from tests.makers.servers import Stage

_OVER = "UPDATE sitting SET deadline = now() - interval '1 hour', started_at = started_at WHERE id = ANY($1::uuid[])"
_LATE = "SELECT sitting_id, seq FROM late_answer WHERE sitting_id = ANY($1::uuid[])"


async def _answer(sitters: list[Sitter], times: int) -> None:
    for _ in range(times):
        await asyncio.gather(*(sitter.answer() for sitter in sitters))
    for sitter in sitters:
        sitter.hang_up()


async def _answer_after_the_end(place: Stage, sitters: list[Sitter]) -> tuple[list[Any], set[tuple[str, int]]]:
    ids = [sitter.sitting.sitting_id for sitter in sitters]
    async with place.connection() as connection:
        # Started earlier, so that the time can be up.
        await connection.execute("ALTER TABLE sitting DISABLE TRIGGER sitting_keeps_paper")
        await connection.execute(
            "UPDATE sitting SET started_at = now() - interval '3 h' WHERE id = ANY($1::uuid[])", ids
        )
        await connection.execute("ALTER TABLE sitting ENABLE TRIGGER sitting_keeps_paper")
        await connection.execute(_OVER, ids)
        replies = [await sitter.send({"answers": [sitter.next_act()]}) for sitter in sitters]
        late = {(str(row[0]), row[1]) for row in await connection.fetch(_LATE, ids)}
    for sitter in sitters:
        sitter.hang_up()
    return replies, late


@pytest.mark.fault
@pytest.mark.parametrize("days", [-1, 1])
def test_a_clock_that_is_a_day_off_neither_loses_an_answer_nor_gains_time(place: Stage, days: int) -> None:
    off = timedelta(days=days)
    sitters = [Sitter(sitting, place.port, clock_off=off) for sitting in place.make_sittings(10)]
    asyncio.run(_answer(sitters, 10))
    check_nothing_lost(place, sitters)

    before = asyncio.run(stored_answers(place, sitters))
    replies, late = asyncio.run(_answer_after_the_end(place, sitters))
    assert {status for status, _ in replies} == {410}
    assert [reply["kept_late"] for _, reply in replies] == [[sitter.seq] for sitter in sitters]
    # Kept for the authority to see, and not counted.
    assert late == {(str(sitter.sitting.sitting_id), sitter.seq) for sitter in sitters}
    assert asyncio.run(stored_answers(place, sitters)) == before

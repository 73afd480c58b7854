"""Starting a sitting of 100 items, HTTP to committed: CPU of the web process and of the database.

Half of the candidates have a paper that was made ahead, as those have who booked; the others' are dealt at the start.
The reference of the rate is pgbench writing the rows of a start (sitting, first event, audit entry) in the same run.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import TYPE_CHECKING, Any

from exams.made_ahead import make_papers_ahead
from tests.makers import pgbench
from tests.makers.load import Line, Spans, figure, request
from tests.makers.servers import stage
from web.clock import SystemClock
from web.database import make_engine, make_sessions

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from tests.makers.servers import Stage, WaitingCandidate

CANDIDATES = 480
READY = 240  # of them have a paper that a job made ahead
CONNECTIONS = 8
_WARM = 40
_AT_ONCE = 25
_A_PAPER = 10.0
# Moodle 5, design.md §6: 144–165 ms.
_BUDGET, _MOODLE = 3.0, 155.0


async def _start_all(port: int, waiting: list[WaitingCandidate], spans: Spans) -> None:
    async def drive(own: list[WaitingCandidate]) -> None:
        line = await Line.open(port)
        for candidate in own:
            body = b'{"booking_id":"%s"}' % str(candidate.booking_id).encode()
            headers = f"authorization: Bearer {candidate.sign_in_token}\r\n"
            status, reply = await spans.measure(line, request("POST", "/api/v1/sittings", headers, body))
            assert status == 200, reply
        line.close()

    await asyncio.gather(*(drive(waiting[place::CONNECTIONS]) for place in range(CONNECTIONS)))


def _make_ahead(place: Stage, count: int) -> float:
    """Make so many papers as the job does, in rooms' order. Gives the CPU milliseconds of a paper."""

    async def make() -> float:
        engine, seeds, made = make_engine(place.cluster.url), itertools.count(1), 0
        before = time.process_time()
        while made < count:
            async with make_sessions(engine)() as session, session.begin():
                now = SystemClock().now()
                made += await make_papers_ahead(
                    session, new_seed=lambda: next(seeds), now=now, limit=min(_AT_ONCE, count - made)
                )
        used = time.process_time() - before
        await engine.dispose()
        return used / count * 1000

    return asyncio.run(make())


def run() -> Iterator[dict[str, Any]]:
    with stage() as place:
        waiting = place.make_waiting(CANDIDATES)
        ahead = _make_ahead(place, READY)
        asyncio.run(_analyse(place))
        place.start_web()
        asyncio.run(_start_all(place.port, [*waiting[:_WARM], *waiting[-_WARM:]], Spans()))
        rates = []
        for name, some in (("", waiting[_WARM:READY]), (" without a paper made ahead", waiting[READY:-_WARM])):
            rates.append((yield from _measure(place, name, some)))
        yield figure("starts, to pgbench writing the same rows", rates[0], "1/s", _reference(place))
        yield {"name": "CPU of making a paper ahead", "value": round(ahead, 3), "unit": "ms", "reference": _A_PAPER,
               "ratio": round(ahead / _A_PAPER, 3)}  # fmt: skip


async def _analyse(place: Stage) -> None:
    """As autovacuum does within a minute: without, plans are made for empty tables."""
    async with place.connection() as connection:
        await connection.execute("VACUUM ANALYZE")


def _reference(place: Stage) -> float:
    async def newest() -> object:
        async with place.connection() as connection:
            return await connection.fetchval("SELECT id FROM sitting ORDER BY started_at DESC LIMIT 1")

    one = asyncio.run(newest())
    rows = {"sitting": ("id", "booking_id"), "sitting_event": ("id",), "audit_entry": ("id",)}
    where = {
        "sitting": f"id = '{one}'",
        "sitting_event": f"sitting_id = '{one}'",
        "audit_entry": f"target_id = '{one}'",
    }
    script, setup = asyncio.run(pgbench.copying(place, rows, where))
    return pgbench.rate(place, script, seconds=4, setup=setup)


def _measure(place: Stage, name: str, waiting: list[WaitingCandidate]) -> Generator[dict[str, Any], None, float]:
    web, database, spans = place.web_cpu(), place.database_cpu(), Spans()
    started = time.perf_counter()
    asyncio.run(_start_all(place.port, waiting, spans))
    count = len(spans.seconds)
    rate = count / (time.perf_counter() - started)
    web, database = (place.web_cpu() - web) / count * 1000, (place.database_cpu() - database) / count * 1000
    yield {"name": f"CPU of the web process per start{name}", "value": round(web, 3), "unit": "ms",
           "reference": _BUDGET, "ratio": round(web / _BUDGET, 3)}  # fmt: skip
    yield {"name": f"CPU of web and database per start{name}", "value": round(web + database, 3), "unit": "ms",
           "reference": _MOODLE, "ratio": round((web + database) / _MOODLE, 4)}  # fmt: skip
    for share in (0.5, 0.99):
        yield {"name": f"p{share * 100:.0f} with {CONNECTIONS} at once{name}",
               "value": round(spans.percentile(share), 2), "unit": "ms", "reference": None, "ratio": None}  # fmt: skip
    return rate

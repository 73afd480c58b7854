"""Handing in and marking 100 items, HTTP to committed, and closing sittings whose browsers are gone.

The reference of the rate is pgbench writing the rows of a hand-in (score, event, audit entry, and the
sitting's new state as a row) on the same server in the same run.
"""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg

from exams.handing_in import close_overdue
from tests.makers import pgbench
from tests.makers.load import Line, Spans, figure, request
from tests.makers.servers import stage
from web.clock import SystemClock
from web.database import make_engine, make_sessions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.makers.servers import OpenSitting, Stage

SITTINGS = 600
CONNECTIONS = 8
_WARM, _BY_HAND = 20, 300
# Moodle 5, design.md §6.
_BUDGET, _MOODLE = 4.0, 224.0
_ANSWER_ALL = """
INSERT INTO answer_event (sitting_id, seq, position, choice, saved_at)
SELECT s.id, n, n, CASE WHEN n % 2 = 0 THEN 'T' ELSE 'B' END, s.started_at
FROM sitting s CROSS JOIN generate_series(1, 100) n
"""


async def _prepare(place: Stage) -> None:
    """Everyone has answered everything and may leave."""
    connection = await asyncpg.connect(place.cluster.dsn)
    await connection.execute(_ANSWER_ALL)
    await connection.execute("UPDATE rule SET value = '0' WHERE code = 'exam.leave_min'")
    await connection.execute("VACUUM ANALYZE answer_event")
    await connection.close()


async def _hand_in_all(port: int, sittings: list[OpenSitting], spans: Spans) -> None:
    async def drive(own: list[OpenSitting]) -> None:
        line = await Line.open(port)
        for sitting in own:
            path = f"/api/v1/sittings/{sitting.sitting_id}/hand-in"
            headers = f"authorization: Bearer {sitting.sign_in_token}\r\n"
            status, reply = await spans.measure(line, request("POST", path, headers))
            assert status == 200, reply
        line.close()

    await asyncio.gather(*(drive(sittings[place::CONNECTIONS]) for place in range(CONNECTIONS)))


async def _close_rest(place: Stage) -> tuple[int, float, float]:
    engine, later = make_engine(place.cluster.url), SystemClock().now() + timedelta(hours=3)
    sessions, closed, countersign = make_sessions(engine), 0, place.keys.countersign
    started, cpu = time.perf_counter(), time.process_time()
    while True:
        async with sessions() as session, session.begin():
            count = await close_overdue(session, now=later, countersign=countersign)
        closed += count
        if not count:
            break
    spent = time.perf_counter() - started, time.process_time() - cpu
    await engine.dispose()
    return closed, *spent


def run() -> Iterator[dict[str, Any]]:
    with stage() as place:
        sittings = place.make_sittings(SITTINGS)
        asyncio.run(_prepare(place))
        place.start_web()
        asyncio.run(_hand_in_all(place.port, sittings[:_WARM], Spans()))
        web, database, spans = place.web_cpu(), place.database_cpu(), Spans()
        started = time.perf_counter()
        asyncio.run(_hand_in_all(place.port, sittings[_WARM:_BY_HAND], spans))
        count = len(spans.seconds)
        rate = count / (time.perf_counter() - started)
        web, database = (place.web_cpu() - web) / count * 1000, (place.database_cpu() - database) / count * 1000
        yield figure("CPU of the web process per hand-in", web, "ms", _BUDGET)
        yield figure("CPU of web and database per hand-in", web + database, "ms", _MOODLE)
        for share in (0.5, 0.99):
            yield figure(f"p{share * 100:.0f} with {CONNECTIONS} at once", spans.percentile(share), "ms")
        one = sittings[0].sitting_id
        script, setup = asyncio.run(
            pgbench.copying(
                place,
                {"sitting": ("id", "booking_id"), "score": ("id", "sitting_id"), "sitting_event": ("id",),
                 "audit_entry": ("id",)},
                {"sitting": f"id = '{one}'", "score": f"sitting_id = '{one}'",
                 "sitting_event": f"sitting_id = '{one}' AND kind = 'HANDED_IN'",
                 "audit_entry": "action = 'sitting.handed_in'"},
            )
        )  # fmt: skip
        yield figure(
            "hand-ins, to pgbench writing the same rows",
            rate,
            "1/s",
            pgbench.rate(place, script, seconds=4, setup=setup),
        )
        closed, seconds, cpu = asyncio.run(_close_rest(place))
        # Issue 3: 3,000 within 10 s.
        yield figure("sittings closed without a browser", closed / seconds, "1/s", 300)
        yield figure("CPU of the worker per closed sitting", cpu / closed * 1000, "ms")

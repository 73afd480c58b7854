"""Handing in and marking 100 items, HTTP to committed, and closing sittings whose browsers are gone."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import asyncpg

from exams.handing_in import close_overdue
from tests.makers.load import Line, Spans, request
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
    sessions, closed = make_sessions(engine), 0
    started, cpu = time.perf_counter(), time.process_time()
    while True:
        async with sessions() as session, session.begin():
            count = await close_overdue(session, now=later)
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
        asyncio.run(_hand_in_all(place.port, sittings[_WARM:_BY_HAND], spans))
        count = len(spans.seconds)
        web, database = (place.web_cpu() - web) / count * 1000, (place.database_cpu() - database) / count * 1000
        yield {"name": "CPU of the web process per hand-in", "value": round(web, 3), "unit": "ms",
               "reference": _BUDGET, "ratio": round(web / _BUDGET, 3)}  # fmt: skip
        yield {"name": "CPU of web and database per hand-in", "value": round(web + database, 3), "unit": "ms",
               "reference": _MOODLE, "ratio": round((web + database) / _MOODLE, 4)}  # fmt: skip
        for share in (0.5, 0.99):
            yield {"name": f"p{share * 100:.0f} with {CONNECTIONS} at once", "value": round(spans.percentile(share), 2),
                   "unit": "ms", "reference": None, "ratio": None}  # fmt: skip
        closed, seconds, cpu = asyncio.run(_close_rest(place))
        # Issue 3: 3,000 within 10 s.
        yield {"name": "sittings closed without a browser", "value": round(closed / seconds, 1), "unit": "1/s",
               "reference": 300, "ratio": round(closed / seconds / 300, 2)}  # fmt: skip
        yield {"name": "CPU of the worker per closed sitting", "value": round(cpu / closed * 1000, 3), "unit": "ms",
               "reference": None, "ratio": None}  # fmt: skip

"""Starting a sitting of 100 drawn items, HTTP to committed: CPU of the web process and of the database."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from exams.papers import draw_paper
from question_bank.queries import get_blueprint, load_pool
from tests.makers.load import Line, Spans, request
from tests.makers.servers import stage
from web.database import make_engine, make_sessions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.makers.servers import Stage, WaitingCandidate

CANDIDATES = 400
CONNECTIONS = 8
_WARM = 40
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


def _draw(place: Stage) -> float:
    """CPU milliseconds of drawing alone."""
    import time

    async def read() -> tuple[Any, Any]:
        engine = make_engine(place.cluster.url)
        async with make_sessions(engine)() as session:
            found = (await load_pool(session, "SO_1_2"), await get_blueprint(session, "SO_1_2"))
        await engine.dispose()
        return found

    pool, blueprint = asyncio.run(read())
    before = time.process_time()
    for seed in range(200):
        draw_paper(pool.items, blueprint.cells, seed=seed)
    return (time.process_time() - before) / 200 * 1000


def run() -> Iterator[dict[str, Any]]:
    with stage() as place:
        waiting = place.make_waiting(CANDIDATES)
        place.start_web()
        asyncio.run(_start_all(place.port, waiting[:_WARM], Spans()))
        web, database, spans = place.web_cpu(), place.database_cpu(), Spans()
        asyncio.run(_start_all(place.port, waiting[_WARM:], spans))
        count = len(spans.seconds)
        web, database = (place.web_cpu() - web) / count * 1000, (place.database_cpu() - database) / count * 1000
        yield {"name": "CPU of the web process per start", "value": round(web, 3), "unit": "ms", "reference": _BUDGET,
               "ratio": round(web / _BUDGET, 3)}  # fmt: skip
        yield {"name": "CPU of web and database per start", "value": round(web + database, 3), "unit": "ms",
               "reference": _MOODLE, "ratio": round((web + database) / _MOODLE, 4)}  # fmt: skip
        yield {"name": "CPU of drawing 100 items", "value": round(_draw(place), 3), "unit": "ms", "reference": None,
               "ratio": None}  # fmt: skip
        for share in (0.5, 0.99):
            yield {"name": f"p{share * 100:.0f} with {CONNECTIONS} at once", "value": round(spans.percentile(share), 2),
                   "unit": "ms", "reference": None, "ratio": None}  # fmt: skip

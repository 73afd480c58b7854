"""3,000 candidates start within one minute, all hand in together, and 3,000 are closed whose browsers are gone.

Real pages over HTTP, as a browser asks for them; sign-ins and papers are ready beforehand. The browsers run
in one process of their own and share the two cores with web, worker and database: the CPU of each is printed.
After every storm the acknowledged answers are counted against the stored ones.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from typing import TYPE_CHECKING

import httpx

from tests.makers.load import figure, own_process, percentile
from tests.makers.servers import stage
from tests.makers.storms import Report, Site, hand_in_all, start_all

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence
    from concurrent.futures import ProcessPoolExecutor

    from tests.makers.servers import OpenSitting, Stage
    from tests.makers.storms import Browser

CANDIDATES = 3000
# One for each core, as the README tells operators.
WEB_PROCESSES = 2
# Have started before, so that the processes have loaded the bank and their pages.
_WARM = 20
# The pages of a common deadline hand in one after the other within rule exam.hand_in_spread_seconds.
START_SECONDS, HAND_IN_SECONDS = 60.0, 60.0
# Issue 3: p99 of a start, and of closing all whose browsers are gone.
_LONGEST_START, _LONGEST_CLOSING = 1000, 10.0
_ANSWERED = 20
_RULES = "UPDATE rule SET value = '0' WHERE code IN ('exam.leave_min', 'exam.late_grace_seconds')"
_ANSWERS = """
INSERT INTO answer_event (sitting_id, seq, position, choice, saved_at)
SELECT s.id, n, n, 'T', s.started_at FROM sitting s CROSS JOIN generate_series(1, $2) n WHERE s.id = ANY($1::uuid[])
"""
_OPEN = "SELECT count(*) FROM sitting WHERE status = 'OPEN' AND id = ANY($1::uuid[])"
_COUNTS = """
SELECT s.id, s.status, count(e.seq) AS stored, max(e.seq) AS last, (SELECT count(*) FROM score WHERE sitting_id = s.id)
FROM sitting s LEFT JOIN answer_event e ON e.sitting_id = s.id WHERE s.id = ANY($1::uuid[]) GROUP BY s.id
"""


def run() -> Iterator[dict[str, object]]:
    with stage() as place, own_process() as pool:
        everyone = place.make_waiting(CANDIDATES + _WARM)
        waiting, early = everyone[:CANDIDATES], everyone[CANDIDATES:]
        place.make_ahead(everyone)
        gone = place.make_sittings(CANDIDATES)
        asyncio.run(_prepare(place, gone))
        place.start_worker()
        place.start_web(workers=WEB_PROCESSES)
        site = Site(place.port, httpx.get(f"{place.url}/sign-in").cookies["anpei_csrf"])
        pool.submit(start_all, site, early, _moments(3, _WARM), {}).result()
        _say(f"{CANDIDATES} candidates start within {START_SECONDS:.0f} s")
        moments = _moments(START_SECONDS, CANDIDATES)
        started: Report = pool.submit(start_all, site, waiting, moments, place.watched()).result()
        yield from _start_figures(started)
        _check(place, started.browsers, are_open=True)
        handed_in = yield from _hand_in(place, pool, site, started.browsers)
        yield from _close_gone(place, gone)
        assert not handed_in.refused, handed_in.refused
        _check(place, handed_in.browsers, are_open=False)


def _moments(seconds: float, count: int) -> list[float]:
    """Chance arrivals at an even rate: a Poisson stream of which the count is known."""
    chance = random.Random(1)
    return sorted(chance.uniform(0, seconds) for _ in range(count))


async def _prepare(place: Stage, gone: Sequence[OpenSitting]) -> None:
    async with place.connection() as connection:
        await connection.execute(_RULES)
        await connection.execute(_ANSWERS, [one.sitting_id for one in gone], _ANSWERED)
        await connection.execute("VACUUM ANALYZE")


def _start_figures(report: Report) -> Iterator[dict[str, object]]:
    for kind in ("start", "paper", "from click to paper"):
        spans = report.spans[kind]
        yield figure(f"storm of starts, {kind}, p50", percentile(spans, 0.5) * 1000, "ms")
        yield figure(f"storm of starts, {kind}, p99", percentile(spans, 0.99) * 1000, "ms", _LONGEST_START)
        yield figure(f"storm of starts, {kind}, longest", max(spans) * 1000, "ms")
    answers = report.spans.get("answer", [0.0])
    yield figure("storm of starts, an answer meanwhile, p99", percentile(answers, 0.99) * 1000, "ms")
    yield figure("storm of starts, wrongly refused", sum(report.refused.values()), "candidates", 0, 0)
    yield from _cpu_figures("storm of starts", report)
    assert not report.refused, report.refused


def _cpu_figures(name: str, report: Report) -> Iterator[dict[str, object]]:
    for process, seconds in (*report.watched.items(), ("the browsers", report.cpu)):
        yield figure(f"{name}, CPU of {process}", seconds / report.lasted, "cores")


def _hand_in(
    place: Stage, pool: ProcessPoolExecutor, site: Site, browsers: list[Browser]
) -> Generator[dict[str, object], None, Report]:
    _say(f"{len(browsers)} candidates hand in within {HAND_IN_SECONDS:.0f} s")
    report: Report = pool.submit(
        hand_in_all, site, browsers, _moments(HAND_IN_SECONDS, len(browsers)), place.watched()
    ).result()
    for kind in ("hand-in", "from hand-in to result"):
        spans = report.spans[kind]
        yield figure(f"storm of hand-ins, {kind}, p50", percentile(spans, 0.5) * 1000, "ms")
        yield figure(f"storm of hand-ins, {kind}, p99", percentile(spans, 0.99) * 1000, "ms")
    yield figure("storm of hand-ins, until all are marked", report.lasted, "s", HAND_IN_SECONDS)
    yield figure("storm of hand-ins, lost or refused", sum(report.refused.values()), "candidates", 0, 0)
    yield from _cpu_figures("storm of hand-ins", report)
    return report


def _check(place: Stage, browsers: Sequence[Browser], *, are_open: bool) -> None:
    """Acknowledged = stored; who handed in has one score."""
    rows = asyncio.run(_count(place, browsers))
    assert len(rows) == len(browsers) == CANDIDATES, f"{len(rows)} sittings of {len(browsers)} browsers"
    for browser in browsers:
        status, stored, last, scores = rows[browser.answerer.sitting_id]
        assert stored == (last or 0) == browser.saved, f"{browser.saved} acknowledged, {stored} stored"
        assert (status == "OPEN") == are_open, status
        assert scores == (0 if are_open else 1)


async def _count(place: Stage, browsers: Sequence[Browser]) -> dict[str, tuple[str, int, int, int]]:
    async with place.connection() as connection:
        rows = await connection.fetch(_COUNTS, [browser.answerer.sitting_id for browser in browsers])
    return {str(row[0]): tuple(row[1:]) for row in rows}


def _close_gone(place: Stage, gone: Sequence[OpenSitting]) -> Iterator[dict[str, object]]:
    """The worker closes what is due; nobody asks for it."""
    _say(f"{len(gone)} sittings are due, their browsers gone")
    before = place.cpu_seconds()
    seconds = asyncio.run(_until_closed(place, [one.sitting_id for one in gone]))
    spent = {name: after - before[name] for name, after in place.cpu_seconds().items()}
    yield figure("sittings without a browser, until all are closed and marked", seconds, "s", _LONGEST_CLOSING)
    for process in ("worker", "database"):
        yield figure(f"sittings without a browser, CPU of {process} each", spent[process] / len(gone) * 1000, "ms")


async def _until_closed(place: Stage, ids: list[object]) -> float:
    async with place.connection() as connection:
        # All at one instant.
        await connection.execute("UPDATE sitting SET deadline = now() + interval '2 s' WHERE id = ANY($1::uuid[])", ids)
        await asyncio.sleep(2)
        due = time.perf_counter()
        while await connection.fetchval(_OPEN, ids):
            assert time.perf_counter() - due < 60
            await asyncio.sleep(0.1)
        seconds = time.perf_counter() - due
        rows = await connection.fetch(_COUNTS, ids)
    assert all((row[1], row[2], row[4]) == ("TIMED_OUT", _ANSWERED, 1) for row in rows)
    assert len(rows) == len(ids)
    return seconds


def _say(what: str) -> None:
    print(what, file=sys.stderr)

"""Saving answers, HTTP to committed, by 500, 2,000 and 5,000 candidates and at full speed.

The references are from pgbench on the same server in the same run: the plain one-row upsert that
design.md §6 names, and the hot path's own statement, checks and locks included, one answer at a time.
The client shares the two cores with what it measures; its CPU is printed too.
"""

from __future__ import annotations

import asyncio
import re
import sys
from typing import TYPE_CHECKING

from tests.makers import pgbench
from tests.makers.answering import Answering, answer_calmly, answer_hurriedly
from tests.makers.load import figure, own_process, percentile
from tests.makers.servers import stage
from web import answer_writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.makers.servers import OpenSitting, Stage

CROWDS = (500, 2000, 5000)
EVERY, CALM_SECONDS = 10.0, 10.0
CONNECTIONS, HURRIED, SECONDS = 128, 1000, 8.0
_REFERENCE_SECONDS = 5

_SCRATCH = "CREATE TABLE bench_answer (LIKE answer_event INCLUDING DEFAULTS INCLUDING INDEXES)"
_UPSERT = """\\set candidate random(1, 100000)
\\set position random(1, 100)
INSERT INTO bench_answer (sitting_id, seq, position, choice, saved_at)
VALUES (lpad(:candidate::text, 32, '0')::uuid, :position, :position, 'T', '2026-11-21')
ON CONFLICT (sitting_id, seq) DO UPDATE SET choice = excluded.choice, saved_at = excluded.saved_at;
"""
_COPIES = """
CREATE TABLE bench_event (LIKE answer_event INCLUDING DEFAULTS INCLUDING INDEXES INCLUDING CONSTRAINTS);
CREATE TABLE bench_sitting (LIKE sitting INCLUDING DEFAULTS INCLUDING INDEXES INCLUDING CONSTRAINTS);
INSERT INTO bench_sitting SELECT made.*
FROM (SELECT s, row_number() OVER () AS n FROM sitting s LIMIT 1000) AS one, jsonb_populate_record(one.s,
    jsonb_build_object('id', lpad(n::text, 32, '0')::uuid, 'device_token_hash', '\\x' || repeat('07', 32))) AS made;
VACUUM ANALYZE bench_sitting
"""
_SETS = "\\set candidate random(1, 1000)\n\\set seq random(1, 2000000000)\n\\set position random(1, 100)\n"
_ID = "lpad(:candidate::text, 32, '0')::uuid"
_DIGEST = "'\\x" + "07" * 32 + "'::bytea"
_AT = "'2026-11-21 08:00+08'::timestamptz"


def _hot_script() -> str:
    """The hot path's statement with one answer, on tables of its own."""
    counters = {"uuid": iter([_ID] * 9), "bytea": iter([_DIGEST] * 9), "int": iter([":seq", ":position"]),
                "text": iter(["'T'"]), "timestamptz": iter([_AT])}  # fmt: skip

    def fill(found: re.Match[str]) -> str:
        kind = found[1]
        return _AT if kind is None else f"ARRAY[{next(counters[kind])}]::{kind}[]"

    statement = re.sub(r"\$\d+(?:::(\w+)\[\])?", fill, answer_writer._STORE)
    return (
        _SETS + re.sub(r"\banswer_event\b", "bench_event", re.sub(r"\bsitting s\b", "bench_sitting s", statement)) + ";"
    )


async def _count(place: Stage) -> dict[str, int]:
    async with place.connection() as connection:
        rows = await connection.fetch("SELECT sitting_id, count(*) FROM answer_event GROUP BY 1")
    return {str(sitting_id): count for sitting_id, count in rows}


def _measure(
    place: Stage, drive: Callable[..., Answering], sittings: Sequence[OpenSitting], *arguments: float
) -> tuple[Answering, float, float]:
    """What the driver reports, and CPU milliseconds per answer of web and database. Acknowledged = stored."""
    with own_process() as pool:
        report: Answering = pool.submit(drive, place.port, sittings, place.watched(), *arguments).result()
    stored = asyncio.run(_count(place))
    assert report.refused == 0, f"{report.refused} refused"
    for sitting_id, count in report.acknowledged.items():
        assert stored[sitting_id] == count, f"{sitting_id}: {count} acknowledged, {stored[sitting_id]} stored"
    answers = len(report.seconds)
    return report, report.watched["web"] / answers * 1000, report.watched["database"] / answers * 1000


def run() -> Iterator[dict[str, object]]:
    with stage() as place:
        sittings = place.make_sittings(HURRIED + sum(CROWDS))
        place.start_web()
        plain = pgbench.rate(place, _UPSERT, seconds=_REFERENCE_SECONDS, setup=_SCRATCH)
        hot = _hot_rate(place)
        report, web, database = _measure(place, answer_hurriedly, sittings[:HURRIED], CONNECTIONS, SECONDS)
        saved = len(report.seconds) / report.lasted
        yield figure("answers saved, to pgbench's plain upsert", saved, "1/s", plain)
        yield figure("answers saved, to pgbench with the hot path's statement", saved, "1/s", hot)
        yield figure("p50 at full speed", percentile(report.seconds, 0.5) * 1000, "ms")
        yield figure("p99 at full speed", percentile(report.seconds, 0.99) * 1000, "ms")
        yield figure("CPU of web per answer at full speed", web, "ms", 0.2)
        yield figure("CPU of the database per answer at full speed", database, "ms")
        yield figure("CPU of the client per answer at full speed", report.cpu / len(report.seconds) * 1000, "ms")
        first = HURRIED
        for crowd in CROWDS:
            print(f"{crowd} candidates answer every {EVERY:.0f} s", file=sys.stderr)
            own, first = sittings[first : first + crowd], first + crowd
            report, web, database = _measure(place, answer_calmly, own, EVERY, CALM_SECONDS)
            assert len(report.seconds) >= crowd
            words = f"with {crowd} candidates"
            yield figure(f"p50 {words}", percentile(report.seconds, 0.5) * 1000, "ms")
            yield figure(f"p99 {words}", percentile(report.seconds, 0.99) * 1000, "ms", 50)
            yield figure(f"CPU of web per answer {words}", web, "ms", 0.2)
            yield figure(f"CPU of the database per answer {words}", database, "ms")


def _hot_rate(place: Stage) -> float:
    for statement in _COPIES.split(";"):
        # VACUUM stands outside a transaction.
        asyncio.run(_execute(place, statement))
    settings = {name: value for name, value in answer_writer._SESSION_SETTINGS.items() if name != "application_name"}
    return pgbench.rate(place, _hot_script(), seconds=_REFERENCE_SECONDS, settings=settings)


async def _execute(place: Stage, statement: str) -> None:
    async with place.connection() as connection:
        await connection.execute(statement)

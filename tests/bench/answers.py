"""Saving answers, HTTP to committed, against pgbench doing the same one-row upsert on the same server."""

from __future__ import annotations

import asyncio
import re
import subprocess
import time
from typing import TYPE_CHECKING, Any

from tests.makers.load import Line, Spans, request
from tests.makers.servers import stage
from web import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.makers.servers import OpenSitting, Stage

CANDIDATES = 1000
CONNECTIONS = 128
SECONDS = 8.0
# 2,000 candidates who answer every 10 s.
CALM_RATE = 200

_SCRATCH = "CREATE TABLE bench_answer (LIKE answer_event INCLUDING DEFAULTS INCLUDING INDEXES)"
_UPSERT = """\\set candidate random(1, 100000)
\\set position random(1, 100)
INSERT INTO bench_answer (sitting_id, seq, position, choice, saved_at)
VALUES (lpad(:candidate::text, 32, '0')::uuid, :position, :position, 'T', '2026-11-21')
ON CONFLICT (sitting_id, seq) DO UPDATE SET choice = excluded.choice, saved_at = excluded.saved_at;
"""


def _pgbench(place: Stage) -> float:
    script = place.folder / "upsert.sql"
    script.write_text(_UPSERT)
    subprocess.run([postgres.binary("psql"), "-q", "-c", _SCRATCH, place.cluster.dsn], check=True)
    done = subprocess.run(
        [
            postgres.binary("pgbench"), "-n", "-M", "prepared", "-c", "64", "-j", "1", "-T", str(int(SECONDS)),
            "-f", str(script), place.cluster.dsn,
        ],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    assert found, done.stdout
    return float(found[1])


class _Candidate:
    def __init__(self, sitting: OpenSitting) -> None:
        self.path = f"/api/v1/sittings/{sitting.sitting_id}/answers"
        self.headers = f"x-sitting-token: {sitting.device_token}\r\n"
        self.seq = 0

    def next_request(self) -> bytes:
        self.seq += 1
        position = self.seq % 100 + 1
        body = b'{"answers":[{"seq":%d,"position":%d,"choice":"T","at":"2026-11-21T01:00:00Z"}]}' % (self.seq, position)
        return request("PUT", self.path, self.headers, body)


async def _hurry(port: int, candidates: list[_Candidate], seconds: float, spans: Spans) -> None:
    """Every connection sends the next answer as soon as the last is acknowledged."""
    end = time.perf_counter() + seconds

    async def drive(own: list[_Candidate]) -> None:
        line = await Line.open(port)
        turn = 0
        while time.perf_counter() < end:
            status, body = await spans.measure(line, own[turn % len(own)].next_request())
            assert status == 200, body
            turn += 1
        line.close()

    await asyncio.gather(*(drive(candidates[place::CONNECTIONS]) for place in range(CONNECTIONS)))


async def _calmly(port: int, candidates: list[_Candidate], seconds: float, spans: Spans) -> None:
    """Answers come at a steady rate, whether or not earlier ones are acknowledged."""
    lines = [await Line.open(port) for _ in candidates]
    calls = []
    started = time.perf_counter()
    for number in range(int(CALM_RATE * seconds)):
        await asyncio.sleep(max(started + number / CALM_RATE - time.perf_counter(), 0))
        place = number % len(candidates)
        calls.append(asyncio.create_task(spans.measure(lines[place], candidates[place].next_request())))
    assert {status for status, _ in await asyncio.gather(*calls)} == {200}
    for line in lines:
        line.close()


def run() -> Iterator[dict[str, Any]]:
    with stage() as place:
        candidates = [_Candidate(sitting) for sitting in place.make_sittings(CANDIDATES)]
        place.start_web()
        reference = _pgbench(place)
        asyncio.run(_hurry(place.port, candidates, 1.0, Spans()))
        web, database, spans = place.web_cpu(), place.database_cpu(), Spans()
        asyncio.run(_hurry(place.port, candidates, SECONDS, spans))
        count = len(spans.seconds)
        web, database = place.web_cpu() - web, place.database_cpu() - database
        rate = count / SECONDS
        yield _figure("answers saved, HTTP to committed", rate, "1/s", reference, rate / reference)
        yield _figure("p50 at full load", spans.percentile(0.50), "ms")
        yield _figure("p99 at full load", spans.percentile(0.99), "ms")
        yield _figure("CPU of the web process per answer", web / count * 1000, "ms", 0.2, web / count * 1000 / 0.2)
        yield _figure("CPU of the database per answer", database / count * 1000, "ms")
        calm = Spans()
        asyncio.run(_calmly(place.port, candidates, SECONDS, calm))
        yield _figure("p50 with 2,000 candidates", calm.percentile(0.50), "ms")
        yield _figure("p99 with 2,000 candidates", calm.percentile(0.99), "ms", 50, calm.percentile(0.99) / 50)


def _figure(
    name: str, value: float, unit: str, reference: float | None = None, ratio: float | None = None
) -> dict[str, Any]:
    rounded = [None if figure is None else float(f"{figure:.4g}") for figure in (value, reference, ratio)]
    return {"name": name, "value": rounded[0], "unit": unit, "reference": rounded[1], "ratio": rounded[2]}

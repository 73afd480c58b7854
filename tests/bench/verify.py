"""The public certificate page against a bare Litestar text response, both under uvicorn, driven alike in one run."""

from __future__ import annotations

import asyncio
import itertools
import socket
import statistics
import subprocess
import sys
import time
from contextlib import contextmanager
from operator import truediv
from typing import TYPE_CHECKING, Any

import httpx
import psutil

from tests.makers.load import Line, request
from tests.makers.servers import ROOT, stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.makers.servers import Stage

CERTIFICATES = 200
CONNECTIONS = 64
SECONDS = 2.0
ROUNDS = 4
_BARE = """
from litestar import Litestar, MediaType, get

@get("/text/{key:str}", media_type=MediaType.TEXT)
async def text(key: str) -> str:
    return "ok"

app = Litestar([text], openapi_config=None)
"""


def run() -> Iterator[dict[str, Any]]:
    """Rates in turns, so that each pair meets the same machine; then how long one reader waits."""
    with stage() as place:
        ids = _issue(place)
        place.start_web()
        with _bare(place) as port:
            pages = [request("GET", f"/c/{public_id}", "") for public_id in ids]
            texts = [request("GET", f"/text/{public_id}", "") for public_id in ids]
            rates: list[tuple[float, float]] = []
            for number in range(ROUNDS + 1):
                ours, _ = asyncio.run(_drive(place.port, pages, CONNECTIONS, SECONDS))
                theirs, _ = asyncio.run(_drive(port, texts, CONNECTIONS, SECONDS))
                if number:  # the first one fills caches and pools
                    rates.append((ours, theirs))
            page, text = (statistics.median(each) for each in zip(*rates, strict=True))
            ratio = statistics.median(itertools.starmap(truediv, rates))
            yield _figure("verify.page.rate", page, "1/s", text, ratio)
            yield from _cpu(place, port, pages, texts)
            _, alone = asyncio.run(_drive(place.port, pages, 1, SECONDS))
            yield _figure("verify.page.one_reader", statistics.median(alone) * 1000, "ms", None, None)


def _cpu(place: Stage, port: int, pages: Sequence[bytes], texts: Sequence[bytes]) -> Iterator[dict[str, Any]]:
    """What a page costs its process, which a busy machine distorts less than a rate."""
    web = place.web_cpu()
    ours, _ = asyncio.run(_drive(place.port, pages, CONNECTIONS, SECONDS))
    web = place.web_cpu() - web
    bare = _cpu_of_port(port)
    theirs, _ = asyncio.run(_drive(port, texts, CONNECTIONS, SECONDS))
    bare = _cpu_of_port(port) - bare
    page, text = web / (ours * SECONDS) * 1000, bare / (theirs * SECONDS) * 1000
    yield _figure("verify.page.cpu", page, "ms", text, text / page)


def _cpu_of_port(port: int) -> float:
    own = next(each for each in psutil.Process().children(recursive=True) if str(port) in each.cmdline())
    times = own.cpu_times()
    return times.user + times.system


def _issue(place: Stage) -> list[str]:
    """Certificates of one holder each."""

    async def make() -> list[str]:
        from tests.makers.certificates import make_issued, make_office
        from web.clock import SystemClock
        from web.database import make_engine, make_sessions

        engine, now = make_engine(place.cluster.url), SystemClock().now()
        async with make_sessions(engine)() as session, session.begin():
            office = await make_office(session, place.keys, now=now)
            issued = [await make_issued(session, place.keys, now=now, office=office) for _ in range(CERTIFICATES)]
            ids = [certificate.public_id for certificate in issued]
        await engine.dispose()
        return ids

    return asyncio.run(make())


@contextmanager
def _bare(place: Stage) -> Iterator[int]:
    (place.folder / "bare_text.py").write_text(_BARE)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    command = [
        sys.executable, "-m", "uvicorn", "bare_text:app", "--app-dir", str(place.folder), "--port", str(port),
        "--log-level", "warning", "--no-access-log",
    ]  # fmt: skip
    server = subprocess.Popen(command, cwd=ROOT)
    try:
        for _ in range(200):
            try:
                httpx.get(f"http://127.0.0.1:{port}/text/a", timeout=1)
                break
            except httpx.HTTPError:
                time.sleep(0.05)
        yield port
    finally:
        server.terminate()
        server.wait(10)


async def _drive(port: int, sent: Sequence[bytes], connections: int, seconds: float) -> tuple[float, list[float]]:
    """Answers a second, and how long each took."""
    end = time.perf_counter() + seconds
    spans: list[float] = []

    async def drive(start: int) -> None:
        line = await Line.open(port)
        for turn in itertools.count(start):
            started = time.perf_counter()
            if started >= end:
                break
            status, _ = await line.call(sent[turn % len(sent)])
            assert status == 200
            spans.append(time.perf_counter() - started)
        line.close()

    await asyncio.gather(*(drive(place * 7) for place in range(connections)))
    return len(spans) / seconds, spans


def _figure(name: str, value: float, unit: str, reference: float | None, ratio: float | None) -> dict[str, Any]:
    rounded = [None if figure is None else float(f"{figure:.4g}") for figure in (value, reference, ratio)]
    return {"name": name, "value": rounded[0], "unit": unit, "reference": rounded[1], "ratio": rounded[2]}

"""Thousands of browsers at once: they start, read the paper, answer on and hand in, as the pages make a browser do.

To be run in a process of its own (`own_process`); a report says what the browsers saw and what they cost.
"""

from __future__ import annotations

import asyncio
import gzip
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import UUID

from tests.makers.answering import Answerer, CpuMeter
from tests.makers.load import Line
from tests.makers.servers import OpenSitting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.makers.servers import WaitingCandidate

_PATH = re.compile(rb"/sittings/([0-9a-f-]{36})")
_TOKEN = re.compile(rb'data-token="([^"]+)"')
_EVERY = 10.0
_LONGEST = 60.0


@dataclass
class Browser:
    """A candidate's browser after the paper has come. `saved` counts acknowledged answers."""

    candidate: WaitingCandidate
    answerer: Answerer
    saved: int = 0


@dataclass
class Report:
    """Seconds of each kind of call; `refused` counts what no candidate should have seen."""

    spans: dict[str, list[float]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    browsers: list[Browser] = field(default_factory=list)
    lasted: float = 0.0
    cpu: float = 0.0
    watched: dict[str, float] = field(default_factory=dict)

    def note(self, kind: str, since: float) -> None:
        self.spans.setdefault(kind, []).append(time.perf_counter() - since)


@dataclass(frozen=True)
class Site:
    """Where the pages are. Any signed token passes the check of our own forms."""

    port: int
    csrf: str

    def page(self, method: str, path: str, sign_in_token: str) -> bytes:
        form = "content-type: application/x-www-form-urlencoded\r\ncontent-length: 0\r\n" if method == "POST" else ""
        return (
            f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\naccept-encoding: gzip\r\n{form}"
            f"x-csrftoken: {self.csrf}\r\ncookie: anpei_csrf={self.csrf}; anpei_sign_in={sign_in_token}\r\n\r\n"
        ).encode()


def start_all(
    site: Site, candidates: Sequence[WaitingCandidate], moments: Sequence[float], watched: Mapping[str, int]
) -> Report:
    """Each candidate starts at its moment, in seconds from now, then answers every ten seconds until the last has."""
    return asyncio.run(_start_all(site, candidates, moments, watched))


async def _start_all(
    site: Site, candidates: Sequence[WaitingCandidate], moments: Sequence[float], watched: Mapping[str, int]
) -> Report:
    report, meter, started = Report(), CpuMeter(watched), time.perf_counter()
    end = started + moments[-1]

    async def sit(candidate: WaitingCandidate, moment: float) -> None:
        await _until(started + moment)
        line = await Line.open(site.port)
        browser = await _enter(site, line, candidate, report)
        if browser is not None:
            report.browsers.append(browser)
            while time.perf_counter() + _EVERY < end:
                await asyncio.sleep(_EVERY)
                await _answer(line, browser, report)
        line.close()

    await asyncio.gather(*(sit(*one) for one in zip(candidates, moments, strict=True)))
    return _end(report, meter, started)


async def _enter(site: Site, line: Line, candidate: WaitingCandidate, report: Report) -> Browser | None:
    clicked = time.perf_counter()
    path = f"/sittings/start/booking/{candidate.booking_id}"
    status, head, _ = await _ask(line, site.page("POST", path, candidate.sign_in_token))
    report.note("start", clicked)
    found = _PATH.search(head)
    if status not in {302, 303} or not found:
        report.refused[f"start {status}"] += 1
        return None
    asked = time.perf_counter()
    status, _, body = await _ask(line, site.page("GET", found[0].decode(), candidate.sign_in_token))
    report.note("paper", asked)
    report.note("from click to paper", clicked)
    token = _TOKEN.search(body)
    if status != 200 or not token:
        report.refused[f"paper {status}"] += 1
        return None
    sitting = OpenSitting(UUID(found[1].decode()), token[1].decode(), candidate.sign_in_token)
    return Browser(candidate, Answerer(sitting))


async def _answer(line: Line, browser: Browser, report: Report) -> None:
    asked = time.perf_counter()
    status, _, _ = await _ask(line, browser.answerer.next_request())
    report.note("answer", asked)
    if status == 200:
        browser.saved += 1
    else:
        report.refused[f"answer {status}"] += 1


def hand_in_all(
    site: Site, browsers: Sequence[Browser], moments: Sequence[float], watched: Mapping[str, int]
) -> Report:
    """Each browser sends a last answer and hands in at its moment, then shows the result."""
    return asyncio.run(_hand_in_all(site, browsers, moments, watched))


async def _hand_in_all(
    site: Site, browsers: Sequence[Browser], moments: Sequence[float], watched: Mapping[str, int]
) -> Report:
    report = Report(browsers=list(browsers))
    lines = [await Line.open(site.port) for _ in browsers]
    meter, started = CpuMeter(watched), time.perf_counter()

    async def finish(browser: Browser, line: Line, moment: float) -> None:
        await _until(started + moment)
        await _answer(line, browser, report)
        clicked, token = time.perf_counter(), browser.candidate.sign_in_token
        path = f"/sittings/{browser.answerer.sitting_id}"
        status, _, _ = await _ask(line, site.page("POST", f"{path}/hand-in", token))
        report.note("hand-in", clicked)
        if status not in {302, 303}:
            report.refused[f"hand-in {status}"] += 1
        asked = time.perf_counter()
        status, _, _ = await _ask(line, site.page("GET", f"{path}/result", token))
        report.note("result", asked)
        report.note("from hand-in to result", clicked)
        if status != 200:
            report.refused[f"result {status}"] += 1
        line.close()

    await asyncio.gather(*(finish(*one) for one in zip(browsers, lines, moments, strict=True)))
    return _end(report, meter, started)


async def _ask(line: Line, request: bytes) -> tuple[int, bytes, bytes]:
    """Status, head and body; status 0 when the browser's user has given up."""
    try:
        status, head, body = await line.whole(request, _LONGEST)
    except (TimeoutError, ConnectionError):
        line.close()
        return 0, b"", b""
    return status, head, gzip.decompress(body) if b"content-encoding: gzip" in head else body


async def _until(moment: float) -> None:
    await asyncio.sleep(max(moment - time.perf_counter(), 0))


def _end(report: Report, meter: CpuMeter, started: float) -> Report:
    report.lasted = time.perf_counter() - started
    report.cpu, report.watched = meter.read()
    return report

"""A whole identity check, camera picture to verdict, against the bare calls of the two engines.

Both sides do the same work on the same pictures, in turn, on as many threads;
the check adds decoding, quality, the decision and the way to its process and back.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from operator import truediv
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from exams.identity.engines import Engines

ROUNDS = 15


def run() -> Iterator[dict[str, Any]]:
    """Figures for one enrolment photo (an ID card's) and for three; then SFace alone."""
    from tests import faces

    photos, live = faces.person_a(), faces.person_a_again()
    for engines, enrolled in (("sface,dlib", photos[:1]), ("sface,dlib", photos), ("sface", photos[:1])):
        checks, calls = asyncio.run(_measure(engines, enrolled, live))
        yield {
            "name": f"face.check.{engines.replace(',', '+')}.{len(enrolled)}_enrolled",
            "value": round(statistics.median(checks) * 1000, 1),
            "unit": "ms",
            "reference": round(statistics.median(calls) * 1000, 1),
            "ratio": round(statistics.median(map(truediv, checks, calls)), 3),
        }


async def _measure(names: str, enrolled: list[bytes], live: bytes) -> tuple[list[float], list[float]]:
    """Seconds of whole checks and of bare calls, taken in turn so that each pair meets the same machine."""
    import cv2

    from exams.identity.engines import load_engines
    from exams.identity.matcher import MatchRules, PooledMatcher, decide, engine_names
    from exams.identity.pictures import read_picture

    matcher, rules = PooledMatcher(names, workers=1), MatchRules()
    bare = load_engines(engine_names(names))
    cv2.setNumThreads(os.cpu_count() or 1)  # as the pool's single worker
    pixels = [read_picture(picture) for picture in (live, *enrolled)]
    checks, calls = [], []
    try:
        for number in range(ROUNDS + 1):
            started = time.perf_counter()
            decide(await matcher.compare(enrolled=enrolled, live=live), rules)
            whole = time.perf_counter() - started
            if number:  # the first one loads the engines
                checks.append(whole)
                calls.append(_seconds(lambda: _bare_calls(bare, pixels)))
    finally:
        await matcher.aclose()
    return checks, calls


def _bare_calls(engines: Engines, pixels: list[Any]) -> None:
    """YuNet, SFace, HOG and dlib's network through their own interfaces, nothing around them."""
    import cv2
    import face_recognition

    detector, recogniser = engines.sface._detector, engines.sface._recogniser
    for picture in pixels:
        blue_first = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
        detector.setInputSize((picture.shape[1], picture.shape[0]))
        _, rows = detector.detect(blue_first)
        recogniser.feature(recogniser.alignCrop(blue_first, rows[0]))
        if engines.dlib:
            places = face_recognition.face_locations(picture, 0) or face_recognition.face_locations(picture, 1)
            face_recognition.face_encodings(picture, places)


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started

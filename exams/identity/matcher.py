"""Comparing a camera picture with the enrolled photos, and what the scores may decide.

A face is never the only way in: whatever is unsure, and every failure of the engines, goes to an officer.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from exams.identity.pictures import UnreadablePictureError
from exams.identity.scores import DLIB, SFACE, MatchScores, Reason
from exams.identity.worker import begin_worker, compare_here
from exams.models import CheckVerdict
from training.errors import N_
from training.files import BadPhoto
from training.rules import get_rule

if TYPE_CHECKING:
    from datetime import date

    from sqlmodel.ext.asyncio.session import AsyncSession

__all__ = [
    "MatchRules",
    "MatchScores",
    "Matcher",
    "PooledMatcher",
    "Reason",
    "decide",
    "engine_names",
    "get_match_rules",
]


@dataclass(frozen=True)
class MatchRules:
    """Where the zones end. The defaults are those of the rule table.

    0.363 is OpenCV's published point for SFace; on same-sex East Asian strangers it errs once or twice in
    a hundred, so without a second engine the zones stand further apart: sisters reach 0.43. dlib's
    published 0.60 lets too many strangers in to accept by, but whoever lies beyond it is a stranger.
    """

    sface_accept: float = 0.363
    sface_reject: float = 0.25
    dlib_accept: float = 0.50
    dlib_reject: float = 0.60
    alone_accept: float = 0.45
    alone_reject: float = 0.15


def decide(scores: MatchScores, rules: MatchRules) -> CheckVerdict:
    """Accept or reject only what every engine that was asked is clear about; otherwise refer.

    Enrolment photos that do not resemble each other are referred too: the centroid of two people would
    let either of them in.
    """
    if scores.reasons or scores.sface_cosine is None or scores.faces_live != 1 or not scores.faces_enrolled:
        return CheckVerdict.REFER
    if scores.enrolled_cosine is not None and not scores.enrolled_cosine >= rules.sface_accept:
        return CheckVerdict.REFER
    if DLIB not in scores.engines:
        is_same = scores.sface_cosine >= rules.alone_accept
        is_other = scores.sface_cosine <= rules.alone_reject
    elif scores.dlib_distance is None:
        return CheckVerdict.REFER
    else:
        is_same = scores.sface_cosine >= rules.sface_accept and scores.dlib_distance <= rules.dlib_accept
        is_other = scores.sface_cosine <= rules.sface_reject and scores.dlib_distance >= rules.dlib_reject
    if is_same == is_other:  # neither; both only if an operator's rules contradict each other
        return CheckVerdict.REFER
    return CheckVerdict.ACCEPT if is_same else CheckVerdict.REJECT


async def get_match_rules(session: AsyncSession, *, on: date) -> MatchRules:
    """The zones in force on a day."""
    return MatchRules(
        sface_accept=float(await get_rule(session, "face.sface.cosine", on=on)),
        sface_reject=float(await get_rule(session, "face.sface.reject", on=on)),
        dlib_accept=float(await get_rule(session, "face.dlib.distance", on=on)),
        dlib_reject=float(await get_rule(session, "face.dlib.reject", on=on)),
        alone_accept=float(await get_rule(session, "face.sface.alone_accept", on=on)),
        alone_reject=float(await get_rule(session, "face.sface.alone_reject", on=on)),
    )


class Matcher(Protocol):
    """What check-in needs of the engines; unit tests give a fake."""

    async def compare(self, *, enrolled: list[bytes], live: bytes) -> MatchScores:
        """Compare JPEG or PNG bytes. Raises `BadPhoto` if the live picture cannot be read."""

    async def aclose(self) -> None:
        """Let go of what it holds."""


def engine_names(setting: str) -> tuple[str, ...]:
    """Read `ANPEI_FACE_ENGINES`: "sface,dlib" or "sface". Raises ValueError for anything else."""
    names = tuple(name.strip() for name in setting.split(","))
    if names not in {(SFACE,), (SFACE, DLIB)}:
        raise ValueError(f'ANPEI_FACE_ENGINES must be "sface,dlib" or "sface", not "{setting}".')
    return names


class PooledMatcher:
    """The engines in processes of their own, because describing a face holds the interpreter lock.

    A worker starts with the first comparison and loads its engines then. One that crashes takes the pool
    down with it; the comparison is tried once more in a new pool and then left to an officer.
    """

    def __init__(self, engines: str = "sface,dlib", *, workers: int = 2) -> None:
        """Take `ANPEI_FACE_ENGINES` as it is set. Starts nothing yet."""
        self._engines = engine_names(engines)
        self._workers = workers
        self._pool: ProcessPoolExecutor | None = None

    async def compare(self, *, enrolled: list[bytes], live: bytes) -> MatchScores:
        """See `Matcher.compare`."""
        for _ in range(2):
            pool = self._pool = self._pool or self._new_pool()
            try:
                future = pool.submit(compare_here, self._engines, enrolled, live)
                return await asyncio.wrap_future(future)
            except UnreadablePictureError as error:
                raise BadPhoto(
                    N_("现场照片无法读取。请重新拍摄；如仍不能读取，请由工作人员人工核验。"), field="picture"
                ) from error
            except BrokenProcessPool:
                if self._pool is pool:  # another comparison may have replaced it already
                    self._pool = None
                    pool.shutdown(wait=False)
        return MatchScores(reasons=(Reason.ENGINE_FAILED,), engines=dict.fromkeys(self._engines, ""))

    async def aclose(self) -> None:
        """End the workers; a comparison asked for later starts new ones."""
        pool, self._pool = self._pool, None
        if pool:
            await asyncio.to_thread(pool.shutdown, cancel_futures=True)

    def _new_pool(self) -> ProcessPoolExecutor:
        # Not forked: the web process has threads, and OpenCV's do not survive a fork.
        return ProcessPoolExecutor(
            self._workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=begin_worker,
            initargs=(max(1, (os.cpu_count() or 1) // self._workers),),
        )

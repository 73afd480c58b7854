"""Background work at intervals: each task in its own transaction, on any number of workers at once."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import structlog
from prometheus_client import Counter
from sqlmodel import col, delete, select

from certificates.models import Captcha, Certificate
from exams.board import begin_due_sessions, mark_no_shows
from exams.exposure import rest_tired_items
from exams.handing_in import close_overdue
from exams.identity.retention import forget_faces
from exams.made_ahead import make_papers_ahead
from exams.staff_regrades import mend_missed_scores
from training.models import RateCount, SignIn

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from web.services import Services

    Task = Callable[[Services, AsyncSession, datetime], Awaitable[int]]

log = structlog.get_logger()
DONE = Counter("anpei_job_done_total", "Things that background tasks have done", ["task"])
FAILED = Counter("anpei_job_failed_total", "Runs of background tasks that failed", ["task"])

_BATCH = 500
_PAPERS = 25  # of a room at a time, which nobody can book in the meantime
_SEED_BITS = 63
_RATE_COUNTS_KEPT = timedelta(days=1)
_CAPTCHAS_KEPT = timedelta(days=1)
_SIGN_INS_KEPT = timedelta(days=180)  # domain.md §5.3: log.keep_months


@dataclass(frozen=True)
class Job:
    """One task. It is run again at once while it gives `batch`: there is more to do."""

    name: str
    every: timedelta
    task: Task
    batch: int = _BATCH


async def _close_overdue(services: Services, session: AsyncSession, now: datetime) -> int:
    return await close_overdue(session, now=now, limit=_BATCH, countersign=services.keys.countersign)


async def _begin_sessions(_: Services, session: AsyncSession, now: datetime) -> int:
    return await begin_due_sessions(session, now=now)


async def _mark_no_shows(_: Services, session: AsyncSession, now: datetime) -> int:
    return await mark_no_shows(session, now=now, limit=_BATCH)


async def _make_papers_ahead(_: Services, session: AsyncSession, now: datetime) -> int:
    return await make_papers_ahead(session, new_seed=lambda: secrets.randbits(_SEED_BITS), now=now, limit=_PAPERS)


async def _rest_tired_items(_: Services, session: AsyncSession, now: datetime) -> int:
    return await rest_tired_items(session, now=now)


async def _mend_missed_scores(_: Services, session: AsyncSession, now: datetime) -> int:
    return await mend_missed_scores(session, now=now, limit=_BATCH)


async def _forget_faces(services: Services, session: AsyncSession, now: datetime) -> int:
    printed = select(Certificate.photo_id).where(col(Certificate.photo_id).is_not(None))
    return await forget_faces(session, store=services.store, now=now, needed=printed)


async def _forget_rate_counts(_: Services, session: AsyncSession, now: datetime) -> int:
    old = delete(RateCount).where(col(RateCount.window_start) < now - _RATE_COUNTS_KEPT)
    await session.exec(old)
    return 0


async def _forget_captchas(_: Services, session: AsyncSession, now: datetime) -> int:
    await session.exec(delete(Captcha).where(col(Captcha.created_at) < now - _CAPTCHAS_KEPT))
    return 0


async def _forget_sign_ins(_: Services, session: AsyncSession, now: datetime) -> int:
    await session.exec(delete(SignIn).where(col(SignIn.expires_at) < now - _SIGN_INS_KEPT))
    return 0


JOBS = (
    Job("close_overdue_sittings", timedelta(seconds=1), _close_overdue),
    Job("begin_sessions", timedelta(seconds=10), _begin_sessions),
    Job("mark_no_shows", timedelta(seconds=30), _mark_no_shows),
    Job("make_papers_ahead", timedelta(seconds=30), _make_papers_ahead, batch=_PAPERS),
    Job("rest_tired_items", timedelta(minutes=10), _rest_tired_items),
    Job("mend_missed_scores", timedelta(minutes=1), _mend_missed_scores),
    Job("forget_faces", timedelta(hours=1), _forget_faces),
    Job("forget_rate_counts", timedelta(minutes=10), _forget_rate_counts),
    Job("forget_captchas", timedelta(minutes=10), _forget_captchas),
    Job("forget_sign_ins", timedelta(hours=6), _forget_sign_ins),
)


async def run_once(services: Services, job: Job) -> int:
    """Run a task until there is nothing left to do now. Gives how much it did."""
    total = 0
    while True:
        async with services.sessions() as session, session.begin():
            count = await job.task(services, session, services.clock.now())
        total += count
        if count < job.batch:
            break
    if total:
        DONE.labels(job.name).inc(total)
        log.info("job_done", job=job.name, count=total)
    return total


async def _repeat(services: Services, job: Job, stop: asyncio.Event) -> None:
    while not stop.is_set():
        try:
            await run_once(services, job)
        except Exception as error:
            FAILED.labels(job.name).inc()
            log.error("job_failed", job=job.name, exc_info=error)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), job.every.total_seconds())


async def work(services: Services, stop: asyncio.Event) -> None:
    """Run every task at its interval until `stop` is set."""
    async with asyncio.TaskGroup() as tasks:
        for job in JOBS:
            tasks.create_task(_repeat(services, job, stop))

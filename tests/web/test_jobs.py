"""Background tasks: what they end, and that one failure ends nothing else."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlmodel import select

from certificates.models import Captcha
from exams.models import Sitting, SittingStatus
from tests.makers.exams import fill_bank, make_booking, make_session
from tests.makers.sittings import GRACE, make_sitting
from training.models import RateCount
from web.jobs import JOBS, Job, run_once, work

if TYPE_CHECKING:
    from datetime import datetime

    import pytest
    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from training.vault import Vault
    from web.services import Services

BY_NAME = {job.name: job for job in JOBS}


async def test_a_sitting_whose_browser_is_gone_is_closed(
    services: Services, session: AsyncSession, vault: Vault, clock: FixedClock
) -> None:
    sat = await make_sitting(session, vault, now=clock.now())
    await session.commit()
    job = BY_NAME["close_overdue_sittings"]
    assert await run_once(services, job) == 0
    clock.advance(minutes=120)
    assert await run_once(services, job) == 0
    clock.advance(seconds=GRACE.total_seconds())
    assert await run_once(services, job) == 1
    assert await run_once(services, job) == 0
    sitting = await session.get_one(Sitting, sat.id, populate_existing=True)
    assert sitting.status is SittingStatus.TIMED_OUT
    assert sitting.receipt_key_id == next(reversed(services.keys.receipt))


async def test_every_task_runs_on_an_empty_system(services: Services) -> None:
    for job in JOBS:
        assert await run_once(services, job) == 0


async def test_old_rate_counts_are_forgotten(services: Services, session: AsyncSession, now: datetime) -> None:
    session.add_all(
        RateCount(key="test", window_start=now - age, count=1) for age in (timedelta(days=2), timedelta(minutes=1))
    )
    await session.commit()
    await run_once(services, BY_NAME["forget_rate_counts"])
    left = (await session.exec(select(RateCount.window_start).where(RateCount.key == "test"))).all()
    assert left == [now - timedelta(minutes=1)]


async def test_old_captchas_are_forgotten(services: Services, session: AsyncSession, now: datetime) -> None:
    ages = (timedelta(days=2), timedelta(minutes=1))
    session.add_all(Captcha(answer_hash=b"x", created_at=now - age) for age in ages)
    await session.commit()
    await run_once(services, BY_NAME["forget_captchas"])
    assert (await session.exec(select(Captcha.created_at))).all() == [now - timedelta(minutes=1)]


async def test_a_failing_task_is_tried_again(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = 0

    async def fail(*_: object) -> int:
        nonlocal tries
        tries += 1
        raise RuntimeError

    stop = asyncio.Event()
    job = replace(BY_NAME["begin_sessions"], every=timedelta(milliseconds=1), task=fail)
    monkeypatch.setattr("web.jobs.JOBS", (job,))
    working = asyncio.create_task(work(services, stop))
    while tries < 3:  # noqa: ASYNC110 - the counter is the event
        await asyncio.sleep(0.002)
    stop.set()
    await asyncio.wait_for(working, 2)
    assert isinstance(job, Job)


async def test_papers_are_made_for_a_room_in_parts(
    services: Services, session: AsyncSession, vault: Vault, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await fill_bank(session, vault, now=clock.now())
    held = await make_session(session, vault, now=clock.now(), in_hours=23)
    for _ in range(3):
        await make_booking(session, vault, now=clock.now(), exam_session=held)
    await session.commit()
    monkeypatch.setattr("web.jobs._PAPERS", 2)
    job = replace(BY_NAME["make_papers_ahead"], batch=2)
    assert await run_once(services, job) == 3
    assert await run_once(services, job) == 0

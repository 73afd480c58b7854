"""What leads from one state of a sitting to another, and that nothing else does."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import select

from exams.answers import SittingPaused
from exams.attempts import awaits_result
from exams.board import SeatState, StillPaused, finish_session, get_seat
from exams.handing_in import close_overdue, hand_in, hand_in_by_site
from exams.models import (
    Booking,
    BookingStatus,
    ExamPart,
    ExamSession,
    Score,
    ScoreState,
    Sitting,
    SittingEvent,
    SittingStatus,
)
from exams.sheets import get_answer_sheet, get_sitting_state, list_occasions
from exams.sitting_states import READY, UNDER_WAY, SittingAct, step
from exams.sittings import (
    NotOpen,
    ReasonMissing,
    TimeIsUp,
    extend_sitting,
    pause_session,
    pause_sitting,
    release_device,
    resume_paused,
    resume_session,
    resume_sitting,
)
from exams.starting import NotCheckedIn, start_sitting
from exams.voiding import ScoreIsOut, TooLateToSitAgain, void_sitting
from tests.makers.receipts import KEYS
from tests.makers.sittings import GRACE, answer, make_device, make_enterprise_sitting, make_sitting, right_choices
from training.errors import NotFound

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.makers.sittings import Sat
    from training.vault import Vault

STATES = [READY, *SittingStatus]
MINUTE = timedelta(minutes=1)


async def at_site(session: AsyncSession, sat: Sat) -> dict[str, Any]:
    """The arguments of every act of the site."""
    booking = await session.get_one(Booking, sat.booking_id)
    exam_session = await session.get_one(ExamSession, booking.exam_session_id)
    return {
        "sitting_id": sat.id, "site_id": exam_session.site_id, "actor_id": sat.who.person.id, "reason": "停电",
    }  # fmt: skip


async def events(session: AsyncSession, sat: Sat) -> list[SittingEvent]:
    statement = select(SittingEvent).where(SittingEvent.sitting_id == sat.id).order_by(SittingEvent.at)  # type: ignore[arg-type]
    return list((await session.exec(statement)).all())


async def reread(session: AsyncSession, sat: Sat) -> Sitting:
    return await session.get_one(Sitting, sat.id, populate_existing=True)


# The machine itself


def test_nothing_leads_out_of_a_void_sitting_and_only_voiding_out_of_an_ended_one() -> None:
    assert [act for act in SittingAct if step(SittingStatus.VOID, act)] == []
    for ended in (SittingStatus.HANDED_IN, SittingStatus.TIMED_OUT, SittingStatus.CLOSED_BY_SITE):
        assert [act for act in SittingAct if step(ended, act)] == [SittingAct.VOIDED]


def test_only_a_start_leads_out_of_ready() -> None:
    assert [act for act in SittingAct if step(READY, act)] == [SittingAct.STARTED]
    assert step(SittingStatus.OPEN, SittingAct.STARTED) is None


def test_a_paused_sitting_goes_on_or_is_ended_by_the_site_and_never_runs_out() -> None:
    leads = {act: step(SittingStatus.PAUSED, act) for act in SittingAct}
    assert leads[SittingAct.RESUMED] is SittingStatus.OPEN
    assert leads[SittingAct.CLOSED_BY_SITE] is SittingStatus.CLOSED_BY_SITE
    assert leads[SittingAct.TIMED_OUT] is None
    assert leads[SittingAct.HANDED_IN] is None


@pytest.mark.parametrize("before", list(SittingStatus))
@pytest.mark.parametrize("after", list(SittingStatus))
async def test_the_database_allows_what_the_machine_allows_and_nothing_else(
    session: AsyncSession, vault: Vault, now: datetime, before: SittingStatus, after: SittingStatus
) -> None:
    sat = await make_sitting(session, vault, now=now)
    sitting = await reread(session, sat)
    _become(sitting, before, now)
    session.add(sitting)
    await session.flush()
    _become(sitting, after, now)
    session.add(sitting)
    if before is after or any(step(before, act) is after for act in SittingAct):
        await session.flush()
        return
    with pytest.raises(IntegrityError, match="does not go"):
        async with session.begin_nested():
            await session.flush()
    session.expunge(sitting)


def _become(sitting: Sitting, status: SittingStatus, now: datetime) -> None:
    sitting.status = status
    sitting.paused_at = now if status is SittingStatus.PAUSED else None
    sitting.submitted_at = None if status in UNDER_WAY else now


# Pausing


async def test_a_pause_takes_no_time_and_gives_none(session: AsyncSession, vault: Vault, now: datetime) -> None:
    sat = await make_sitting(session, vault, now=now)
    site = await at_site(session, sat)
    await pause_sitting(session, **site, now=now + 10 * MINUTE)
    await pause_sitting(session, **site, now=now + 11 * MINUTE)
    state = await get_sitting_state(session, sitting_id=sat.id, person_id=sat.who.person.id, now=now + 300 * MINUTE)
    assert (state.status, state.is_paused, state.seconds_left) == (SittingStatus.PAUSED, True, 110 * 60)
    deadline = await resume_paused(session, **site, now=now + 300 * MINUTE)
    assert deadline == now + 410 * MINUTE
    assert await resume_paused(session, **site, now=now + 305 * MINUTE) == deadline
    assert [(event.kind, event.reason) for event in await events(session, sat)] == [
        ("STARTED", ""), ("PAUSED", "停电"), ("RESUMED", "停电"),
    ]  # fmt: skip
    assert [(event.detail["from"], event.detail["to"]) for event in await events(session, sat)] == [
        ("READY", "OPEN"), ("OPEN", "PAUSED"), ("PAUSED", "OPEN"),
    ]  # fmt: skip


async def test_while_the_clock_stands_still_nothing_is_answered_shown_or_handed_in(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat = await make_sitting(session, vault, now=now)
    site = await at_site(session, sat)
    await answer(session, sat, ["T"], now=now + MINUTE)
    await pause_sitting(session, **site, now=now + 40 * MINUTE)
    during: dict[str, Any] = {"sitting_id": sat.id, "person_id": sat.who.person.id, "now": now + 41 * MINUTE}
    found = await answer(session, sat, ["F"], now=now + 41 * MINUTE, first_seq=2)
    assert (found.saved, found.kept_late, found.status) == ((), (), SittingStatus.PAUSED)
    with pytest.raises(SittingPaused):
        await get_answer_sheet(session, **during, device=sat.device)
    with pytest.raises(SittingPaused):
        await hand_in(session, **during, countersign=KEYS.countersign)
    assert await close_overdue(session, now=now + 600 * MINUTE, countersign=KEYS.countersign) == 0
    entry = await resume_sitting(session, **during, device=sat.device)
    assert (entry.device_token, entry.seconds_left) == (sat.entry.device_token, 80 * 60)
    await resume_paused(session, **site, now=now + 50 * MINUTE)
    assert (await answer(session, sat, ["F"], now=now + 50 * MINUTE, first_seq=2)).saved == (2,)


async def test_a_clock_that_has_run_out_is_not_stopped(session: AsyncSession, vault: Vault, now: datetime) -> None:
    sat = await make_sitting(session, vault, now=now)
    site = await at_site(session, sat)
    with pytest.raises(TimeIsUp):
        await pause_sitting(session, **site, now=sat.entry.deadline)
    await pause_sitting(session, **site, now=sat.entry.deadline - timedelta(microseconds=1))


async def test_pausing_needs_a_reason_the_sites_own_sitting_and_one_that_has_not_ended(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat = await make_sitting(session, vault, now=now)
    site = await at_site(session, sat)
    with pytest.raises(ReasonMissing):
        await pause_sitting(session, **(site | {"reason": " "}), now=now)
    with pytest.raises(NotFound):
        await pause_sitting(session, **(site | {"site_id": sat.id}), now=now)
    await close_overdue(session, now=sat.entry.deadline + GRACE, countersign=KEYS.countersign)
    with pytest.raises(NotOpen):
        await pause_sitting(session, **site, now=now)
    with pytest.raises(NotOpen):
        await resume_paused(session, **site, now=now)


async def test_more_time_in_a_pause_counts_in_full(session: AsyncSession, vault: Vault, now: datetime) -> None:
    """Also when the pause has lasted longer than the time that was left."""
    sat = await make_sitting(session, vault, now=now)
    site = await at_site(session, sat)
    await pause_sitting(session, **site, now=now + 110 * MINUTE)
    await extend_sitting(session, **site, minutes=5, now=now + 500 * MINUTE)
    assert await resume_paused(session, **site, now=now + 501 * MINUTE) == now + 516 * MINUTE


async def test_a_candidate_changes_the_computer_in_a_pause(session: AsyncSession, vault: Vault, now: datetime) -> None:
    sat = await make_sitting(session, vault, now=now)
    site = await at_site(session, sat)
    await pause_sitting(session, **site, now=now + MINUTE)
    await release_device(session, **site, now=now + 2 * MINUTE)
    other = await make_device(session, sat.who, now=now)
    entry = await resume_sitting(
        session, sitting_id=sat.id, person_id=sat.who.person.id, device=other, now=now + 3 * MINUTE
    )
    assert (entry.took_over, entry.status) == (True, SittingStatus.PAUSED)
    await resume_paused(session, **site, now=now + 4 * MINUTE)
    assert (await answer(session, sat, ["T"], now=now + 4 * MINUTE, token=entry.device_token)).saved == (1,)


async def test_a_whole_session_stops_and_goes_on_at_once(session: AsyncSession, vault: Vault, now: datetime) -> None:
    sat = await make_sitting(session, vault, now=now)
    booking = await session.get_one(Booking, sat.booking_id)
    site = await at_site(session, sat) | {"exam_session_id": booking.exam_session_id}
    del site["sitting_id"]
    assert await pause_session(session, **site, now=now + MINUTE) == 1
    assert await pause_session(session, **site, now=now + 2 * MINUTE) == 0
    assert await resume_session(session, **site, now=now + 31 * MINUTE) == 1
    assert (await reread(session, sat)).deadline == sat.entry.deadline + 30 * MINUTE
    assert await resume_session(session, **site, now=now + 32 * MINUTE) == 0


async def test_a_session_with_a_paused_candidate_cannot_be_finished(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat = await make_sitting(session, vault, now=now)
    site = await at_site(session, sat)
    await pause_sitting(session, **site, now=now + MINUTE)
    booking = await session.get_one(Booking, sat.booking_id)
    of_session: dict[str, Any] = {"exam_session_id": booking.exam_session_id, "site_id": site["site_id"]}
    seat = await get_seat(session, **of_session, booking_id=booking.id, now=now + 200 * MINUTE)
    assert (seat.state, seat.seconds_left, seat.paused_at) == (SeatState.PAUSED, 119 * 60, now + MINUTE)
    with pytest.raises(StillPaused):
        await finish_session(session, **of_session, actor_id=sat.who.person.id, now=now + 300 * MINUTE)
    status = await hand_in_by_site(session, **site, now=now + 300 * MINUTE, countersign=KEYS.countersign)
    assert status is SittingStatus.CLOSED_BY_SITE
    await finish_session(session, **of_session, actor_id=sat.who.person.id, now=now + 300 * MINUTE)


# Voiding


async def test_a_voided_sitting_leaves_no_score_that_counts(session: AsyncSession, vault: Vault, now: datetime) -> None:
    sat = await make_sitting(session, vault, now=now)
    await answer(session, sat, await right_choices(session, sat.id), now=now)
    await hand_in(
        session, sitting_id=sat.id, person_id=sat.who.person.id, now=now + 60 * MINUTE, countersign=KEYS.countersign
    )
    for _ in range(2):
        await void_sitting(session, sitting_id=sat.id, actor_id=sat.who.person.id, reason="替考", now=now + 61 * MINUTE)
    score = (await session.exec(select(Score).where(Score.sitting_id == sat.id))).one()
    assert score.state is ScoreState.VOID
    assert [event.kind for event in await events(session, sat)] == ["STARTED", "HANDED_IN", "VOIDED"]
    booking = await session.get_one(Booking, sat.booking_id, populate_existing=True)
    assert booking.status is BookingStatus.DONE
    assert not await awaits_result(session, booking.application_id, ExamPart.THEORY)


async def test_a_sitting_that_was_voided_before_it_was_marked_keeps_nobody_waiting_for_a_score(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat = await make_sitting(session, vault, now=now)
    void: dict[str, Any] = {"actor_id": sat.who.person.id, "reason": "试卷错误"}
    await void_sitting(session, sitting_id=sat.id, **void, may_sit_again=True, now=now + MINUTE)
    booking = await session.get_one(Booking, sat.booking_id, populate_existing=True)
    again = await start_sitting(
        session, booking_id=booking.id, person_id=sat.who.person.id, device=sat.device, seed=5, now=now + 2 * MINUTE
    )
    own: dict[str, Any] = {"sitting_id": again.sitting_id, "person_id": sat.who.person.id}
    await hand_in(session, **own, now=now + 60 * MINUTE, countersign=KEYS.countersign)
    assert await awaits_result(session, booking.application_id, ExamPart.THEORY)
    await void_sitting(session, sitting_id=again.sitting_id, **void, now=now + 61 * MINUTE)
    assert not await awaits_result(session, booking.application_id, ExamPart.THEORY)


async def test_after_a_void_a_new_sitting_begins_only_where_the_authority_allows_it(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat = await make_sitting(session, vault, now=now)
    void: dict[str, Any] = {"sitting_id": sat.id, "actor_id": sat.who.person.id, "reason": "发错试卷"}
    again: dict[str, Any] = {"booking_id": sat.booking_id, "person_id": sat.who.person.id, "device": sat.device}
    with pytest.raises(TooLateToSitAgain):
        await void_sitting(session, **void, may_sit_again=True, now=now + timedelta(days=1))
    await void_sitting(session, **void, may_sit_again=True, now=now + MINUTE)
    occasion = (await list_occasions(session, person_id=sat.who.person.id, now=now + MINUTE))[0]
    assert (occasion.sitting_id, occasion.can_start) == (None, True)
    entry = await start_sitting(session, **again, seed=99, now=now + 2 * MINUTE)
    assert (entry.is_new, entry.seconds_left, entry.sitting_id != sat.id) == (True, 7200, True)
    await void_sitting(session, **(void | {"sitting_id": entry.sitting_id}), now=now + 3 * MINUTE)
    occasion = (await list_occasions(session, person_id=sat.who.person.id, now=now + 4 * MINUTE))[0]
    assert not occasion.can_start
    with pytest.raises(NotCheckedIn):
        await start_sitting(session, **again, seed=99, now=now + 4 * MINUTE)


async def test_what_candidates_were_told_is_not_voided(session: AsyncSession, vault: Vault, now: datetime) -> None:
    sat = await make_sitting(session, vault, now=now)
    await hand_in(
        session, sitting_id=sat.id, person_id=sat.who.person.id, now=now + 60 * MINUTE, countersign=KEYS.countersign
    )
    score = (await session.exec(select(Score).where(Score.sitting_id == sat.id))).one()
    score.state, score.released_at = ScoreState.RELEASED, now + 61 * MINUTE
    session.add(score)
    with pytest.raises(ScoreIsOut):
        await void_sitting(session, sitting_id=sat.id, actor_id=sat.who.person.id, reason="替考", now=now + 62 * MINUTE)


async def test_an_enterprises_exam_is_none_of_the_authoritys(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat = await make_enterprise_sitting(session, vault, now=now)
    with pytest.raises(NotFound):
        await void_sitting(session, sitting_id=sat.id, actor_id=sat.who.person.id, reason="替考", now=now)

"""Answers after the deadline: counted only when their chain proves them, and never lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from sqlmodel import select

from exams import late_answers
from exams.answers import (
    AnswerAct,
    DeviceTaken,
    NumberUsed,
    SittingEnded,
    SittingPaused,
    WrongDevice,
    device_token,
    device_token_hash,
    list_events,
    refusal,
)
from exams.chain import first_link
from exams.handing_in import hand_in
from exams.late_answers import count_late, list_late, prove_order
from exams.models import LateAnswer, LateReason, Score, Sitting, SittingStatus
from exams.sittings import resume_sitting
from tests.makers.receipts import KEYS, link_acts, next_acts, send
from tests.makers.sittings import GRACE, KEY, Sat, make_device, make_enterprise_sitting, make_sitting

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.answers import Acknowledged
    from training.vault import Vault

SECOND = timedelta(seconds=1)
ID = UUID("0198f0aa-0000-7000-8000-000000000001")


@pytest.fixture
async def sat(session: AsyncSession, vault: Vault, now: datetime) -> Sat:
    return await make_sitting(session, vault, now=now)


def why(sat: Sat, found: Acknowledged, *, now: datetime, token: str = "") -> Exception | None:
    token_hash = device_token_hash(token or sat.entry.device_token)
    return refusal(found, key=KEY, sitting_id=sat.id, token_hash=token_hash, now=now)


async def reasons(session: AsyncSession, sat: Sat) -> dict[int, LateReason]:
    return {late.seq: late.reason for late in await list_late(session, [sat.id])}


@pytest.mark.parametrize("late", [timedelta(0), SECOND, GRACE - timedelta(microseconds=1)])
async def test_what_was_made_in_time_counts_within_the_grace(session: AsyncSession, sat: Sat, late: timedelta) -> None:
    end = sat.entry.deadline
    acts = await next_acts(session, sat.id, ["A", "B", "C"], at=end - SECOND)
    found = await send(session, sat, acts, now=end + late)
    assert (found.saved, found.kept_late, found.answered) == ((1, 2, 3), (), 3)
    assert why(sat, found, now=end + late) is None
    assert [event.saved_at for event in await list_events(session, sat.id)] == [end + late] * 3
    person_id = sat.who.person.id
    assert (
        await hand_in(session, sitting_id=sat.id, person_id=person_id, now=end + late, countersign=KEYS.countersign)
        is SittingStatus.TIMED_OUT
    )
    assert (await session.get_one(Sitting, sat.id, populate_existing=True)).submitted_at == end


async def test_after_the_grace_answers_are_kept_and_not_counted(session: AsyncSession, sat: Sat) -> None:
    after = sat.entry.deadline + GRACE
    acts = await next_acts(session, sat.id, ["A", "B"], at=sat.entry.deadline - SECOND)
    for _ in range(2):
        found = await send(session, sat, acts, now=after)
        assert (found.saved, found.kept_late) == ((), (1, 2))
        assert isinstance(why(sat, found, now=after), SittingEnded)
    assert await reasons(session, sat) == {1: LateReason.AFTER_GRACE, 2: LateReason.AFTER_GRACE}
    assert await count_late(session, sat.id) == 2
    assert await list_events(session, sat.id) == []


async def test_what_cannot_be_proven_is_kept_and_what_stands_before_it_counts(session: AsyncSession, sat: Sat) -> None:
    end = sat.entry.deadline
    acts = await next_acts(session, sat.id, ["A", "B", "C", "D"], at=end - SECOND)
    sent = [acts[0], acts[1], replace(acts[2], link=None), acts[3]]
    found = await send(session, sat, sent, now=end + SECOND)
    assert (found.saved, found.kept_late) == ((1, 2), (3, 4))
    assert isinstance(why(sat, found, now=end + SECOND), SittingEnded)
    assert await reasons(session, sat) == {3: LateReason.ORDER_NOT_PROVEN, 4: LateReason.ORDER_NOT_PROVEN}
    # The missing link turned up: now both are proven, and nothing is late any more.
    assert (await send(session, sat, acts, now=end + 2 * SECOND)).saved == (1, 2, 3, 4)
    assert await list_late(session, [sat.id]) == []


async def test_once_handed_in_nothing_counts(session: AsyncSession, sat: Sat) -> None:
    end = sat.entry.deadline
    acts = await next_acts(session, sat.id, ["A", "B"], at=end - SECOND)
    await send(session, sat, acts[:1], now=end - SECOND)
    await hand_in(session, sitting_id=sat.id, person_id=sat.who.person.id, now=end, countersign=KEYS.countersign)
    found = await send(session, sat, acts, now=end + SECOND)
    assert (found.saved, found.kept_late) == ((1,), (2,))
    assert await reasons(session, sat) == {2: LateReason.ENDED}
    score = (await session.exec(select(Score).where(Score.sitting_id == sat.id))).one()
    assert score.points <= 1


async def test_another_content_under_a_used_number_is_kept_after_the_end(session: AsyncSession, sat: Sat) -> None:
    end = sat.entry.deadline
    await send(session, sat, await next_acts(session, sat.id, ["A"], at=end - SECOND), now=end - SECOND)
    other = [AnswerAct(1, 1, "B", end - SECOND)]
    in_time = await send(session, sat, other, now=end - SECOND)
    assert isinstance(why(sat, in_time, now=end - SECOND), NumberUsed)
    late = await send(session, sat, other, now=end + GRACE)
    assert (late.clashing, late.kept_late) == ((1,), (1,))
    assert isinstance(why(sat, late, now=end + GRACE), SittingEnded)
    assert [(event.position, event.choice) for event in await list_events(session, sat.id)] == [(1, "A")]


async def test_a_broken_chain_in_time_loses_nothing(session: AsyncSession, sat: Sat, now: datetime) -> None:
    acts = [AnswerAct(1, 1, "A", now, b"x" * 32), AnswerAct(7, 2, "B", now, None)]
    assert (await send(session, sat, acts, now=now + SECOND)).saved == (1, 7)
    assert [event.link for event in await list_events(session, sat.id)] == [b"x" * 32, None]


async def test_while_paused_nothing_is_taken_nor_kept(session: AsyncSession, sat: Sat, now: datetime) -> None:
    sitting = await session.get_one(Sitting, sat.id)
    sitting.status, sitting.paused_at = SittingStatus.PAUSED, now
    session.add(sitting)
    await session.flush()
    acts = await next_acts(session, sat.id, ["A"], at=now)
    for at in (now + SECOND, sat.entry.deadline + timedelta(hours=1)):
        found = await send(session, sat, acts, now=at)
        assert (found.saved, found.unknown, found.kept_late) == ((), (1,), ())
        assert isinstance(why(sat, found, now=at), SittingPaused)
    assert (await session.exec(select(LateAnswer))).all() == []
    with pytest.raises(SittingPaused):
        await hand_in(
            session,
            sitting_id=sat.id,
            person_id=sat.who.person.id,
            now=now + timedelta(hours=1),
            countersign=KEYS.countersign,
        )


async def test_a_former_device_is_heard_and_does_not_count(session: AsyncSession, vault: Vault, now: datetime) -> None:
    sat = await make_enterprise_sitting(session, vault, now=now)
    acts = await next_acts(session, sat.id, ["A", "B"], at=now)
    await send(session, sat, acts[:1], now=now)
    other = await make_device(session, sat.who, now=now)
    await resume_sitting(session, sitting_id=sat.id, person_id=sat.who.person.id, device=other, now=now)
    found = await send(session, sat, acts, now=now + SECOND)
    assert (found.saved, found.kept_late) == ((1,), (2,))
    assert isinstance(why(sat, found, now=now + SECOND), DeviceTaken)
    assert await reasons(session, sat) == {2: LateReason.OTHER_DEVICE}


@pytest.mark.parametrize("token", ["guessed", device_token(KEY, ID, 1)])
async def test_a_stranger_leaves_nothing(session: AsyncSession, sat: Sat, token: str) -> None:
    after = sat.entry.deadline + GRACE
    acts = await next_acts(session, sat.id, ["A"], at=after)
    found = await send(session, sat, acts, now=after, token=token)
    assert (found.saved, found.kept_late) == ((), ())
    assert isinstance(why(sat, found, now=after, token=token), WrongDevice)
    assert (await session.exec(select(LateAnswer))).all() == []


async def test_a_flood_of_late_answers_is_bounded(
    session: AsyncSession, sat: Sat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(late_answers, "MOST_KEPT", 3)
    after = sat.entry.deadline + GRACE
    acts = [AnswerAct(seq, 1, "A") for seq in range(1, 6)]
    assert (await send(session, sat, acts, now=after)).kept_late == (1, 2, 3)
    assert (await send(session, sat, acts, now=after)).kept_late == (1, 2, 3)
    # A position that is not on the paper is no answer.
    assert (await send(session, sat, [AnswerAct(9, 101, "A")], now=after)).kept_late == ()


START = datetime.fromisoformat("2026-11-22T09:00:00+08:00")
END = START + timedelta(hours=2)


def acts_at(*offsets: float) -> list[AnswerAct]:
    acts = [AnswerAct(seq, seq, "A", END + timedelta(seconds=at)) for seq, at in enumerate(offsets, start=1)]
    return link_acts(first_link(ID), acts)


@pytest.mark.parametrize(
    ("offsets", "proven"),
    [
        ((-3, -2, -1), 3),
        ((-3, -3, -0.001), 3),
        ((-3, -2, 0), 2),
        ((-2, -3, -1), 1),
        ((-7200, -1), 2),
        ((-7200.001, -1), 0),
    ],
)
def test_times_never_go_back_nor_past_the_deadline(offsets: tuple[float, ...], proven: int) -> None:
    found = prove_order(ID, [], acts_at(*offsets), started_at=START, deadline=END, now=END + SECOND)
    assert found == proven


def test_a_proof_needs_every_number_link_and_time() -> None:
    acts = acts_at(-4, -3, -2, -1)
    now = END + SECOND

    def prove(stored: list[AnswerAct], sent: list[AnswerAct]) -> int:
        return prove_order(ID, stored, sent, started_at=START, deadline=END, now=now)

    assert prove(acts[:2], acts[2:]) == 2
    assert prove(acts[:2], list(reversed(acts[2:]))) == 2
    assert prove(acts[:1], acts[2:]) == 0, "a number is missing"
    assert prove([], [replace(acts[0], link=None)]) == 0, "no link"
    assert prove([], [replace(acts[0], choice="B")]) == 0, "another answer than was linked"
    assert prove([], link_acts(first_link(ID), [replace(acts[0], answered_at=None)])) == 0, "no time"
    assert prove([replace(acts[0], choice="B")], acts[1:]) == 0, "the stored acts are others"
    later = replace(acts[1], answered_at=END - timedelta(milliseconds=1))
    assert prove([acts[0], later], acts[2:]) == 0, "made before what is stored"
    assert prove_order(ID, [], acts, started_at=START, deadline=END, now=END - 3 * SECOND) == 2, "not made yet"

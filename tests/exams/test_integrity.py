"""Facts of a sitting: kept once, only while they can matter, and never more than people can read."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import col, func, select

from exams.answers import DeviceTaken, SittingEnded, WrongDevice, device_token
from exams.integrity import (
    FACTS_FULL,
    MOST_PER_SITTING,
    BadFacts,
    Fact,
    Received,
    count_facts,
    find_open_sitting,
    list_due_checks,
    list_facts,
    list_session_facts,
    note_fact,
    read_fact,
    save_facts,
)
from exams.models import IntegrityEvent, IntegrityKind, Sitting, SittingEvent
from exams.starting import start_sitting
from tests.clock import FixedClock
from tests.makers.check_in import Desk, make_checked_in, make_desk
from tests.makers.sittings import KEY, make_device
from training.calendar import china_date
from training.rules import change_rule

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.sittings import Entry
    from training.vault import Vault

NOON = FixedClock().now()


def hidden(client_id: str, at: datetime, *, seconds: int = 4) -> Fact:
    return Fact(client_id, IntegrityKind.TAB_HIDDEN, at, seconds, {})


async def keep(session: AsyncSession, entry: Entry, *facts: Fact, now: datetime, token: str = "") -> Received:
    return await save_facts(
        session, sitting_id=entry.sitting_id, token=token or entry.device_token, facts=facts, key=KEY, now=now
    )


@pytest.fixture
async def desk(session: AsyncSession, vault: Vault, now: datetime) -> Desk:
    return await make_desk(session, vault, now=now, candidates=2)


@pytest.fixture
async def entry(session: AsyncSession, desk: Desk) -> Entry:
    at = desk.exam_session.starts_at
    await make_checked_in(session, desk, desk.booking, now=at - timedelta(minutes=5))
    device = await make_device(session, desk.candidate, now=at)
    return await start_sitting(
        session, booking_id=desk.booking.id, person_id=desk.candidate.person.id, device=device, seed=1, now=at
    )


async def test_a_fact_that_is_sent_twice_counts_once(session: AsyncSession, desk: Desk, entry: Entry) -> None:
    at = entry.started_at + timedelta(minutes=3)
    first = await keep(session, entry, hidden("a", at), hidden("b", at), now=at)
    again = await keep(session, entry, hidden("b", at), hidden("c", at), now=at + timedelta(seconds=1))
    assert (first.saved, again.saved) == (("a", "b"), ("b", "c"))
    assert await count_facts(session, exam_session_id=desk.exam_session.id) == {entry.sitting_id: 3}
    lines = await list_facts(session, sitting_id=entry.sitting_id)
    assert {(line.kind, line.seconds) for line in lines} == {(IntegrityKind.TAB_HIDDEN, 4)}


async def test_facts_come_from_the_device_that_holds_the_sitting(session: AsyncSession, entry: Entry) -> None:
    at = entry.started_at
    with pytest.raises(WrongDevice):
        await keep(session, entry, hidden("a", at), now=at, token="somebody's")
    sitting = await session.get_one(Sitting, entry.sitting_id)
    sitting.device_token_hash, sitting.device_number = None, 2
    await session.flush()
    with pytest.raises(DeviceTaken):
        await keep(session, entry, hidden("a", at), now=at, token=device_token(KEY, sitting.id, 1))


@pytest.mark.parametrize(("seconds_late", "is_kept"), [(0, True), (119, True), (120, False)])
async def test_facts_are_taken_until_the_grace_after_the_end_is_over(
    session: AsyncSession, entry: Entry, seconds_late: int, is_kept: bool
) -> None:
    at = entry.deadline + timedelta(seconds=seconds_late)
    if is_kept:
        assert (await keep(session, entry, hidden("a", at), now=at)).saved == ("a",)
    else:
        with pytest.raises(SittingEnded):
            await keep(session, entry, hidden("a", at), now=at)


async def test_beyond_the_limit_facts_are_let_go_of_and_that_is_said_once(session: AsyncSession, entry: Entry) -> None:
    at = entry.started_at + timedelta(minutes=1)
    batches = [[hidden(f"{batch}-{n}", at) for n in range(20)] for batch in range(MOST_PER_SITTING // 20 + 2)]
    dropped = [(await keep(session, entry, *batch, now=at)).dropped for batch in batches]
    assert dropped == [0] * (MOST_PER_SITTING // 20) + [20, 20]
    stored = await session.exec(select(func.count(col(IntegrityEvent.id))))
    assert stored.one() == MOST_PER_SITTING
    said = select(SittingEvent).where(SittingEvent.sitting_id == entry.sitting_id, SittingEvent.kind == FACTS_FULL)
    assert len((await session.exec(said)).all()) == 1


async def test_a_page_cannot_date_a_fact_outside_the_sitting(session: AsyncSession, entry: Entry) -> None:
    at = entry.started_at + timedelta(minutes=1)
    await keep(session, entry, hidden("old", at - timedelta(days=2)), hidden("new", at + timedelta(days=2)), now=at)
    lines = await list_facts(session, sitting_id=entry.sitting_id)
    assert [line.began_at for line in lines] == [at, entry.started_at]


@given(
    st.dictionaries(st.text(max_size=40), st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none())),
    st.floats(allow_nan=False),
)
def test_only_numbers_of_a_detail_are_kept(detail: dict[str, Any], seconds: float) -> None:
    fact = read_fact("a", "PASTE", began_at=None, seconds=seconds, detail=detail, now=NOON)
    assert 0 <= fact.seconds <= 24 * 3600
    assert len(fact.detail or {}) <= 5
    assert all(type(value) is int and len(key) <= 20 for key, value in (fact.detail or {}).items())


@pytest.mark.parametrize("kind", ["SECOND_DEVICE", "FACE_CHECK_DUE", "SEB_MISSING", "CHEATED", ""])
def test_what_the_server_sees_cannot_be_told_by_a_page(kind: str) -> None:
    with pytest.raises(BadFacts):
        read_fact("a", kind, began_at=None, seconds=0, detail={}, now=NOON)


async def test_what_the_server_sees_again_within_a_minute_is_one_fact(
    session: AsyncSession, desk: Desk, entry: Entry
) -> None:
    found = await find_open_sitting(session, person_id=desk.candidate.person.id, booking_id=desk.booking.id)
    assert found == entry.sitting_id
    for seconds in (0, 20, 59, 61):
        await note_fact(
            session, sitting_id=found, kind=IntegrityKind.SECOND_DEVICE,
            now=entry.started_at + timedelta(seconds=seconds),
        )  # fmt: skip
    assert len(await list_facts(session, sitting_id=found)) == 2


async def test_nobody_else_finds_the_sitting(session: AsyncSession, desk: Desk, entry: Entry) -> None:
    other = desk.candidates[1].person.id
    assert await find_open_sitting(session, person_id=other, booking_id=desk.booking.id) is None


async def test_a_candidate_is_looked_at_again_by_the_rule(session: AsyncSession, desk: Desk, entry: Entry) -> None:
    at = entry.started_at + timedelta(minutes=40)
    assert await list_due_checks(session, exam_session_id=desk.exam_session.id, now=at) == {}
    await change_rule(
        session, code="exam.face_recheck_min", value=30, basis="[D] test",
        effective_from=china_date(at) - timedelta(days=1), changed_by=None,
    )  # fmt: skip
    due = await list_due_checks(session, exam_session_id=desk.exam_session.id, now=at)
    assert due == {desk.booking.id: 45}
    await make_checked_in(session, desk, desk.booking, now=at)
    assert await list_due_checks(session, exam_session_id=desk.exam_session.id, now=at) == {}


async def test_the_facts_of_a_session_stand_by_candidate_and_kind(
    session: AsyncSession, desk: Desk, entry: Entry
) -> None:
    at = entry.started_at + timedelta(minutes=3)
    await keep(session, entry, hidden("a", at), hidden("b", at), Fact("c", IntegrityKind.COPY, at), now=at)
    [line] = await list_session_facts(session, exam_session_id=desk.exam_session.id)
    assert (line.sitting_id, line.seat_no) == (entry.sitting_id, desk.booking.seat_no)
    assert line.counts == {IntegrityKind.TAB_HIDDEN: 2, IntegrityKind.COPY: 1}

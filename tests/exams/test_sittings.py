"""Starting, going on, changing the device, handing in, and the end without a browser."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from sqlmodel import col, select

from exams.dealing import deal_paper
from exams.enterprise_exams import (
    BadOpening,
    NewExam,
    NotStaff,
    create_exam,
    get_exam,
    invite_staff,
    list_candidates,
)
from exams.handing_in import TooEarlyToLeave, close_overdue, hand_in
from exams.models import (
    Booking,
    BookingStatus,
    CheckMethod,
    CheckVerdict,
    ExamSession,
    IdentityCheck,
    Score,
    ScoreState,
    Sitting,
    SittingEvent,
    SittingStatus,
)
from exams.papers import PaperItem, paper_items
from exams.sheets import NotMarkedYet, get_answer_sheet, get_result, get_sitting_state, list_occasions
from exams.sittings import (
    BadExtension,
    NotOpen,
    OnAnotherDevice,
    ReasonMissing,
    extend_sitting,
    release_device,
    resume_sitting,
)
from exams.starting import (
    EntryClosed,
    NoAttemptsLeft,
    NotCheckedIn,
    NotYetOpen,
    SessionCancelled,
    start_enterprise_sitting,
    start_sitting,
)
from tests.makers.people import make_person
from tests.makers.receipts import KEYS
from tests.makers.sittings import (
    GRACE,
    answer,
    make_checked_in,
    make_device,
    make_enterprise_sitting,
    make_exam,
    make_sitting,
    right_choices,
)
from training.errors import NotFound
from training.models import TrainingRecord

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.makers.sittings import Sat
    from training.vault import Vault

LEAVE = timedelta(minutes=30)


async def site_of(session: AsyncSession, sat: Sat) -> UUID:
    booking = await session.get_one(Booking, sat.booking_id)
    return (await session.get_one(ExamSession, booking.exam_session_id)).site_id


async def kinds(session: AsyncSession, sat: Sat) -> list[str]:
    statement = select(SittingEvent.kind).where(SittingEvent.sitting_id == sat.id).order_by(col(SittingEvent.id))
    return list((await session.exec(statement)).all())


async def test_a_second_click_gives_the_same_sitting_and_the_same_token(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat = await make_sitting(session, vault, now=now)
    assert sat.booking_id
    later = now + timedelta(minutes=5)
    again = await start_sitting(
        session, booking_id=sat.booking_id, person_id=sat.who.person.id, device=sat.device, seed=999, now=later
    )
    assert (again.sitting_id, again.device_token, again.deadline) == (
        sat.id,
        sat.entry.device_token,
        sat.entry.deadline,
    )
    assert again.seconds_left == sat.entry.seconds_left - 300
    assert sat.entry.is_new
    assert not again.is_new


async def test_only_an_accepted_identity_opens_a_sitting(session: AsyncSession, vault: Vault, now: datetime) -> None:
    who, booking = await make_checked_in(session, vault, now=now)
    device = await make_device(session, who, now=now)
    for minute, (verdict, status) in enumerate(
        (
            (CheckVerdict.REFER, BookingStatus.CHECKED_IN),
            (CheckVerdict.REJECT, BookingStatus.CHECKED_IN),
            (CheckVerdict.ACCEPT, BookingStatus.BOOKED),
        ),
        start=1,
    ):
        booking.status = status
        session.add(booking)
        session.add(
            IdentityCheck(
                booking_id=booking.id, method=CheckMethod.OFFICER, verdict=verdict, officer_id=who.person.id,
                reason="核对证件", at=now + timedelta(minutes=minute),
            )
        )  # fmt: skip
        await session.flush()
        with pytest.raises(NotCheckedIn):
            await start_sitting(session, booking_id=booking.id, person_id=who.person.id, device=device, seed=1, now=now)


async def test_a_sitting_begins_neither_before_its_session_nor_after_it(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    who, booking = await make_checked_in(session, vault, now=now)
    device = await make_device(session, who, now=now)
    start: dict[str, Any] = {"booking_id": booking.id, "person_id": who.person.id, "device": device, "seed": 1}
    with pytest.raises(NotYetOpen):
        await start_sitting(session, now=now - timedelta(seconds=1), **start)
    with pytest.raises(EntryClosed):
        await start_sitting(session, now=now + timedelta(hours=2), **start)
    booking.checked_in_at = now + timedelta(minutes=30)
    session.add(booking)
    with pytest.raises(EntryClosed):
        await start_sitting(session, now=now + timedelta(minutes=31), **start)
    booking.checked_in_at = now + timedelta(minutes=29)
    session.add(booking)
    entry = await start_sitting(session, now=now + timedelta(minutes=40), **start)
    assert entry.seconds_left == 120 * 60


async def test_a_cancelled_session_cannot_be_sat(session: AsyncSession, vault: Vault, now: datetime) -> None:
    who, booking = await make_checked_in(session, vault, now=now)
    booking.status = BookingStatus.CANCELLED
    session.add(booking)
    device = await make_device(session, who, now=now)
    with pytest.raises(SessionCancelled):
        await start_sitting(session, booking_id=booking.id, person_id=who.person.id, device=device, seed=1, now=now)


async def test_nobody_starts_for_somebody_else(session: AsyncSession, vault: Vault, now: datetime) -> None:
    _, booking = await make_checked_in(session, vault, now=now)
    stranger = await make_person(session, vault, now=now)
    device = await make_device(session, stranger, now=now)
    with pytest.raises(NotFound):
        await start_sitting(
            session, booking_id=booking.id, person_id=stranger.person.id, device=device, seed=1, now=now
        )


async def test_another_computer_needs_the_sites_release(session: AsyncSession, vault: Vault, now: datetime) -> None:
    sat = await make_sitting(session, vault, now=now)
    await answer(session, sat, ["T", "F"], now=now)
    other = await make_device(session, sat.who, now=now)
    go_on: dict[str, Any] = {"sitting_id": sat.id, "person_id": sat.who.person.id, "device": other}
    with pytest.raises(OnAnotherDevice):
        await resume_sitting(session, now=now, **go_on)
    site_id = await site_of(session, sat)
    with pytest.raises(ReasonMissing):
        await release_device(
            session, sitting_id=sat.id, site_id=site_id, actor_id=sat.who.person.id, reason=" ", now=now
        )
    await release_device(
        session, sitting_id=sat.id, site_id=site_id, actor_id=sat.who.person.id, reason="主机故障", now=now
    )
    assert not (await answer(session, sat, ["T"], now=now, first_seq=3)).is_holder
    entry = await resume_sitting(session, now=now, **go_on)
    assert entry.took_over
    assert entry.device_token != sat.entry.device_token
    assert entry.deadline == sat.entry.deadline
    found = await answer(session, sat, ["T", "T", "T"], now=now, first_seq=3, token=entry.device_token)
    assert (found.saved, found.answered) == ((3, 4, 5), 3)
    assert await kinds(session, sat) == ["STARTED", "RELEASED", "TAKEN_OVER"]


async def test_only_the_sites_own_sittings_can_be_released_or_extended(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat = await make_sitting(session, vault, now=now)
    actor_id = sat.who.person.id
    with pytest.raises(NotFound):
        await release_device(session, sitting_id=sat.id, site_id=actor_id, actor_id=actor_id, reason="故障", now=now)
    with pytest.raises(NotFound):
        await extend_sitting(
            session, sitting_id=sat.id, site_id=actor_id, actor_id=actor_id, minutes=5, reason="停电", now=now
        )


async def test_an_extension_moves_the_deadline_and_is_recorded(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat = await make_sitting(session, vault, now=now)
    site: dict[str, Any] = {"sitting_id": sat.id, "site_id": await site_of(session, sat), "actor_id": sat.who.person.id}
    with pytest.raises(BadExtension):
        await extend_sitting(session, minutes=0, reason="停电", now=now, **site)
    deadline = await extend_sitting(session, minutes=15, reason="停电", now=now, **site)
    assert deadline == sat.entry.deadline + timedelta(minutes=15)
    assert await close_overdue(session, now=sat.entry.deadline + GRACE, countersign=KEYS.countersign) == 0
    found = await answer(session, sat, ["T"], now=sat.entry.deadline)
    assert found.saved == (1,)
    assert await close_overdue(session, now=deadline + GRACE, countersign=KEYS.countersign) == 1
    with pytest.raises(NotOpen):
        await extend_sitting(session, minutes=15, reason="停电", now=deadline, **site)


async def test_handing_in_marks_what_was_saved_and_nothing_else(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat = await make_sitting(session, vault, now=now)
    choices = await right_choices(session, sat.id)
    await answer(session, sat, choices[:80], now=now)
    person_id = sat.who.person.id
    with pytest.raises(TooEarlyToLeave):
        await hand_in(
            session,
            sitting_id=sat.id,
            person_id=person_id,
            now=now + LEAVE - timedelta(seconds=1),
            countersign=KEYS.countersign,
        )
    with pytest.raises(NotMarkedYet):
        await get_result(session, sitting_id=sat.id, person_id=person_id)
    for _ in range(2):
        status = await hand_in(
            session, sitting_id=sat.id, person_id=person_id, now=now + LEAVE, countersign=KEYS.countersign
        )
        assert status is SittingStatus.HANDED_IN
    late = await answer(session, sat, choices[80:], now=now + LEAVE, first_seq=81)
    assert late.saved == ()
    result = await get_result(session, sitting_id=sat.id, person_id=person_id)
    assert (result.points, result.passed, result.state) == (Decimal(80), True, ScoreState.PROVISIONAL)
    assert result.submitted_at == now + LEAVE
    assert result.areas[0].name == "法规与电气安全管理"
    booking = await session.get_one(Booking, sat.booking_id, populate_existing=True)
    assert booking.status is BookingStatus.DONE
    assert await kinds(session, sat) == ["STARTED", "HANDED_IN"]


async def test_the_server_ends_a_sitting_without_any_browser(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat = await make_sitting(session, vault, now=now)
    choices = await right_choices(session, sat.id)
    deadline = sat.entry.deadline
    await answer(session, sat, choices[:70], now=deadline - timedelta(microseconds=1))
    assert (await answer(session, sat, choices[:1], now=deadline, first_seq=71)).saved == ()
    assert (
        await close_overdue(session, now=deadline + GRACE - timedelta(microseconds=1), countersign=KEYS.countersign)
        == 0
    )
    state = await get_sitting_state(session, sitting_id=sat.id, person_id=sat.who.person.id, now=deadline)
    assert (state.status, state.seconds_left) == (SittingStatus.TIMED_OUT, 0)
    assert await close_overdue(session, now=deadline + GRACE + timedelta(seconds=3), countersign=KEYS.countersign) == 1
    assert await close_overdue(session, now=deadline + GRACE + timedelta(seconds=4), countersign=KEYS.countersign) == 0
    result = await get_result(session, sitting_id=sat.id, person_id=sat.who.person.id)
    assert (result.points, result.passed, result.status) == (Decimal(70), False, SittingStatus.TIMED_OUT)
    assert result.submitted_at == deadline
    assert await kinds(session, sat) == ["STARTED", "TIMED_OUT"]


async def test_a_sitting_that_cannot_be_marked_is_set_aside_and_tried_later(
    session: AsyncSession, vault: Vault, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    sound = await make_sitting(session, vault, now=now)
    broken = await make_sitting(session, vault, now=now)
    unreadable = (await session.get_one(Sitting, broken.id)).paper

    def read_or_fail(stored: list[dict[str, Any]]) -> tuple[PaperItem, ...]:
        if stored == unreadable:
            raise LookupError
        return paper_items(stored)

    monkeypatch.setattr("exams.handing_in.paper_items", read_or_fail)
    end = broken.entry.deadline + GRACE
    assert await close_overdue(session, now=end, countersign=KEYS.countersign) == 1
    assert await kinds(session, sound) == ["STARTED", "TIMED_OUT"]
    assert await kinds(session, broken) == ["STARTED", "NOT_MARKED"]
    assert await close_overdue(session, now=end + timedelta(seconds=119), countersign=KEYS.countersign) == 0
    assert await kinds(session, broken) == ["STARTED", "NOT_MARKED"]
    assert await close_overdue(session, now=end + timedelta(minutes=2), countersign=KEYS.countersign) == 0
    monkeypatch.undo()
    assert await close_overdue(session, now=end + timedelta(minutes=5), countersign=KEYS.countersign) == 0
    assert await close_overdue(session, now=end + timedelta(minutes=6), countersign=KEYS.countersign) == 1
    assert await kinds(session, broken) == ["STARTED", "NOT_MARKED", "NOT_MARKED", "TIMED_OUT"]


async def test_a_sitting_is_not_opened_when_the_booking_changes_meanwhile(
    session: AsyncSession, vault: Vault, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    who, booking = await make_checked_in(session, vault, now=now)
    device = await make_device(session, who, now=now)

    async def deal_and_lose_the_booking(*args: Any, **more: Any) -> Any:  # noqa: ANN401
        booking.status = BookingStatus.CANCELLED
        session.add(booking)
        return await deal_paper(*args, **more)

    monkeypatch.setattr("exams.starting.deal_paper", deal_and_lose_the_booking)
    with pytest.raises(SessionCancelled):
        await start_sitting(session, booking_id=booking.id, person_id=who.person.id, device=device, seed=1, now=now)
    assert (await session.exec(select(Sitting.id).where(Sitting.booking_id == booking.id))).all() == []


async def test_a_click_on_hand_in_after_the_end_ends_it_as_timed_out(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat = await make_sitting(session, vault, now=now)
    status = await hand_in(
        session, sitting_id=sat.id, person_id=sat.who.person.id, now=sat.entry.deadline, countersign=KEYS.countersign
    )
    assert status is SittingStatus.TIMED_OUT
    score = (await session.exec(select(Score).where(Score.sitting_id == sat.id))).one()
    assert score.points == 0


async def test_the_sheet_shows_options_in_this_candidates_order(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat = await make_enterprise_sitting(session, vault, now=now)
    await answer(session, sat, ["T"], now=now)
    sheet = await get_answer_sheet(session, sitting_id=sat.id, person_id=sat.who.person.id, now=now)
    sitting = await session.get_one(Sitting, sat.id)
    for item, stored in zip(sheet.items, sitting.paper, strict=True):
        texts = ["甲乙丙丁"[place] for place in stored["order"]]
        assert [option.text for option in item.options] == texts
        assert [option.letter for option in item.options] == list("ABCD")[: len(texts)]
    assert (sheet.items[0].answer, sheet.answered, sheet.last_seq) == ("T", 1, 1)
    assert (sheet.total, sheet.full_score, sheet.pass_score) == (50, 100, 80)


async def test_an_enterprise_exam_gives_a_record_when_passed(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat = await make_enterprise_sitting(session, vault, now=now)
    person_id = sat.who.person.id
    await answer(session, sat, await right_choices(session, sat.id), now=now)
    await hand_in(
        session, sitting_id=sat.id, person_id=person_id, now=now + timedelta(minutes=1), countersign=KEYS.countersign
    )
    record = (await session.exec(select(TrainingRecord).where(TrainingRecord.person_id == person_id))).one()
    assert (record.title, record.passed, record.post) == ("年度安全考试", True, "电工")
    assert sat.exam
    lines = await list_candidates(session, exam_id=sat.exam.id, organisation_id=sat.exam.organisation_id)
    assert [(line.name, line.best, line.passed) for line in lines] == [("王员工", Decimal(100), True)]
    exam = await get_exam(session, exam_id=sat.exam.id, organisation_id=sat.exam.organisation_id)
    assert (exam.invited, exam.sat, exam.passed) == (1, 1, 1)


async def test_the_attempts_of_an_enterprise_exam_are_counted(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    exam, who = await make_exam(session, vault, now=now, attempts_allowed=2)
    device = await make_device(session, who, now=now)
    start: dict[str, Any] = {"exam_id": exam.id, "person_id": who.person.id, "device": device, "seed": 1, "now": now}
    for _ in range(2):
        entry = await start_enterprise_sitting(session, **start)
        assert (await start_enterprise_sitting(session, **start)).sitting_id == entry.sitting_id
        await hand_in(
            session, sitting_id=entry.sitting_id, person_id=who.person.id, now=now, countersign=KEYS.countersign
        )
    with pytest.raises(NoAttemptsLeft):
        await start_enterprise_sitting(session, **start)


async def test_an_enterprise_exam_is_begun_only_while_it_is_open_but_never_cut_short(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    exam, who = await make_exam(session, vault, now=now)
    device = await make_device(session, who, now=now)
    start: dict[str, Any] = {"exam_id": exam.id, "person_id": who.person.id, "device": device, "seed": 1}
    with pytest.raises(NotYetOpen):
        await start_enterprise_sitting(session, now=exam.opens_at - timedelta(seconds=1), **start)
    with pytest.raises(EntryClosed):
        await start_enterprise_sitting(session, now=exam.closes_at, **start)
    entry = await start_enterprise_sitting(session, now=exam.closes_at - timedelta(seconds=1), **start)
    assert entry.seconds_left == 60 * 60


async def test_only_staff_are_invited_and_only_once(session: AsyncSession, vault: Vault, now: datetime) -> None:
    exam, who = await make_exam(session, vault, now=now)
    stranger = await make_person(session, vault, now=now)
    invite: dict[str, Any] = {
        "exam_id": exam.id,
        "organisation_id": exam.organisation_id,
        "actor_id": who.person.id,
        "now": now,
    }
    assert await invite_staff(session, person_ids=[who.person.id], **invite) == 0
    with pytest.raises(NotStaff):
        await invite_staff(session, person_ids=[who.person.id, stranger.person.id], **invite)
    with pytest.raises(NotFound):
        await start_enterprise_sitting(
            session, exam_id=exam.id, person_id=stranger.person.id,
            device=await make_device(session, stranger, now=now), seed=1, now=now,
        )  # fmt: skip
    new = NewExam(title="考试", opens_at=now, closes_at=now)
    with pytest.raises(BadOpening):
        await create_exam(session, organisation_id=exam.organisation_id, new=new, actor_id=who.person.id, now=now)


async def test_what_can_be_sat_is_listed(session: AsyncSession, vault: Vault, now: datetime) -> None:
    sat = await make_sitting(session, vault, now=now)
    (occasion,) = await list_occasions(session, person_id=sat.who.person.id, now=now)
    assert (occasion.sitting_id, occasion.status, occasion.can_start) == (sat.id, SittingStatus.OPEN, True)
    assert occasion.title == "低压电工作业"
    await close_overdue(session, now=sat.entry.deadline + GRACE, countersign=KEYS.countersign)
    (occasion,) = await list_occasions(session, person_id=sat.who.person.id, now=sat.entry.deadline)
    assert (occasion.status, occasion.can_start) == (SittingStatus.TIMED_OUT, False)

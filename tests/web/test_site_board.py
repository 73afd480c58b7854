"""The site's first page and the live board."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from exams import board as boards
from exams.accommodations import Accommodations, grant_accommodations
from exams.answers import AnswerAct, device_token_hash, save_answers
from exams.board import DoorsOpen, SeatState, StillSitting, finish_session, get_board, mark_no_shows
from exams.identity.checks import SAME_PERSON
from exams.models import (
    BookingStatus,
    ExamSession,
    IntegrityEvent,
    IntegrityKind,
    SessionStatus,
    Sitting,
    SittingStatus,
)
from exams.starting import start_sitting
from tests.makers.check_in import Desk, make_checked_in, make_desk
from tests.makers.exams import make_reviewer
from tests.makers.people import PASSWORD, make_organisation
from tests.makers.receipts import KEYS
from tests.makers.sittings import make_device
from training.calendar import china_date
from training.models import OrganisationKind
from training.rules import change_rule

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.conftest import Client
    from training.vault import Vault


async def begin(session: AsyncSession, desk: Desk, number: int, *, answers: int = 3) -> UUID:
    """Check a candidate in and let them answer a few items at the start of the session."""
    at = desk.exam_session.starts_at
    booking, who = desk.bookings[number], desk.candidates[number]
    await make_checked_in(session, desk, booking, now=at - timedelta(minutes=5))
    device = await make_device(session, who, now=at)
    entry = await start_sitting(session, booking_id=booking.id, person_id=who.person.id, device=device, seed=1, now=at)
    acts = [AnswerAct(seq, seq, "A") for seq in range(1, answers + 1)]
    await save_answers(
        session, sitting_id=entry.sitting_id, token_hash=device_token_hash(entry.device_token), acts=acts, now=at
    )
    return entry.sitting_id


@pytest.fixture
async def desk(session: AsyncSession, vault: Vault, now: datetime) -> Desk:
    return await make_desk(session, vault, now=now, candidates=3)


async def test_the_first_page_counts_each_session(client: Client, session: AsyncSession, desk: Desk) -> None:
    await begin(session, desk, 0)
    await session.commit()
    await client.sign_in(desk.head.phone, PASSWORD)
    page = await client.get("/site")
    assert page.status_code == 200
    assert "低压电工作业" in page.text
    assert f"/site/sessions/{desk.exam_session.id}/check-in" in page.text
    [line] = await boards.list_sessions(session, site_id=desk.site.id, now=desk.exam_session.starts_at)
    assert (line.booked, line.waiting, line.checked_in, line.sitting, line.done) == (3, 2, 1, 1, 0)


async def test_a_site_without_sessions_says_what_to_do(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    from tests.makers.people import make_role
    from training.models import Role

    site = await make_organisation(session, now=now, kind=OrganisationKind.SITE, name="空考试点")
    head = await make_role(session, vault, role=Role.SITE_HEAD, organisation=site, now=now)
    await session.commit()
    await client.sign_in(head.phone, PASSWORD)
    assert "近两周没有场次" in (await client.get("/site")).text
    assert (await client.get("/site/practical")).status_code == 200


async def test_the_board_shows_every_seat_with_masked_names(
    client: Client, session: AsyncSession, desk: Desk, clock: FixedClock
) -> None:
    await begin(session, desk, 0, answers=7)
    await make_checked_in(session, desk, desk.bookings[1], now=clock.now())
    await session.commit()
    clock.instant = desk.exam_session.starts_at + timedelta(minutes=6)
    board = await get_board(session, exam_session_id=desk.exam_session.id, site_id=desk.site.id, now=clock.now())
    assert [seat.state for seat in board.seats] == [
        SeatState.ANSWERING, SeatState.CHECKED_IN, SeatState.BOOKED, *[SeatState.FREE] * 3,
    ]  # fmt: skip
    assert (board.seats[0].answered, board.seats[0].total, board.seats[0].is_quiet) == (7, 100, True)
    await client.sign_in(desk.invigilator.phone, PASSWORD)
    live = await client.get(f"/site/sessions/{desk.exam_session.id}/live")
    assert "张**" in live.text
    assert "张考一" not in live.text
    assert "7/100" in live.text
    assert "剩余 114 分钟" in live.text
    whole = await client.get(f"/site/sessions/{desk.exam_session.id}")
    assert live.text.strip() in whole.text


async def test_release_extension_and_incident_stand_in_the_seat_history(
    client: Client, session: AsyncSession, desk: Desk, clock: FixedClock
) -> None:
    sitting_id = await begin(session, desk, 0)
    await session.commit()
    clock.instant = desk.exam_session.starts_at + timedelta(minutes=10)
    await client.sign_in(desk.head.phone, PASSWORD)
    seat = f"/site/sessions/{desk.exam_session.id}/seats/{desk.booking.id}"
    assert (await client.submit(f"{seat}/release", {"reason": " "})).status_code == 422
    await client.submit(f"{seat}/release", {"reason": "键盘失灵"})
    odd = await client.submit(f"{seat}/extend", {"minutes": "十", "reason": "换机"})
    assert odd.status_code == 422
    assert "换机" in odd.text
    await client.submit(f"{seat}/extend", {"minutes": "5", "reason": "换机耽误"})
    await client.submit(f"{seat}/incident", {"note": "09:10 更换 1 号机"})
    page = (await client.get(seat)).text
    for words in ("键盘失灵", "换机耽误", "09:10 更换 1 号机", "放行换机", "情况记录", "已放行"):
        assert words in page
    assert desk.candidate.person.name not in page
    sitting = await session.get_one(Sitting, sitting_id, populate_existing=True)
    assert sitting.device_token_hash is None
    assert sitting.deadline - sitting.started_at == timedelta(minutes=125)


async def test_only_the_head_extends_and_finishes(
    client: Client, session: AsyncSession, desk: Desk, clock: FixedClock
) -> None:
    await begin(session, desk, 0)
    await session.commit()
    await client.sign_in(desk.invigilator.phone, PASSWORD)
    base = f"/site/sessions/{desk.exam_session.id}"
    extension = {"minutes": "5", "reason": "x"}
    assert (await client.submit(f"{base}/seats/{desk.booking.id}/extend", extension)).status_code == 403
    assert (await client.submit(f"{base}/finish")).status_code == 403
    assert "结束本场" not in (await client.get(base)).text


async def test_an_incident_before_the_sitting_is_kept_too(client: Client, session: AsyncSession, desk: Desk) -> None:
    await session.commit()
    await client.sign_in(desk.invigilator.phone, PASSWORD)
    seat = f"/site/sessions/{desk.exam_session.id}/seats/{desk.booking.id}"
    await client.submit(f"{seat}/incident", {"note": "签到处两人同时出示同一张准考证"})
    assert "同一张准考证" in (await client.get(seat)).text
    assert (await client.submit(f"{seat}/incident", {"note": ""})).status_code == 422


async def test_nobody_is_absent_while_the_doors_are_open(
    client: Client, session: AsyncSession, desk: Desk, clock: FixedClock
) -> None:
    await session.commit()
    await client.sign_in(desk.invigilator.phone, PASSWORD)
    seat = f"/site/sessions/{desk.exam_session.id}/seats/{desk.booking.id}"
    early = await client.submit(f"{seat}/absent")
    assert early.status_code == 422
    assert "仍可入场" in early.text
    clock.instant = desk.exam_session.starts_at + timedelta(minutes=30)
    await client.submit(f"{seat}/absent")
    await client.submit(f"{seat}/absent")
    await session.refresh(desk.booking)
    assert desk.booking.status is BookingStatus.NO_SHOW


async def test_a_session_is_finished_when_nobody_is_answering(session: AsyncSession, desk: Desk) -> None:
    sitting_id = await begin(session, desk, 0)
    at = desk.exam_session.starts_at
    here = {"exam_session_id": desk.exam_session.id, "site_id": desk.site.id, "actor_id": desk.head.person.id}
    with pytest.raises(DoorsOpen):
        await finish_session(session, **here, now=at + timedelta(minutes=29))
    with pytest.raises(StillSitting):
        await finish_session(session, **here, now=at + timedelta(minutes=30))
    sitting = await session.get_one(Sitting, sitting_id)
    from exams.handing_in import hand_in

    await hand_in(
        session,
        sitting_id=sitting.id,
        person_id=sitting.person_id,
        now=at + timedelta(minutes=50),
        countersign=KEYS.countersign,
    )
    for _ in range(2):
        await finish_session(session, **here, now=at + timedelta(minutes=51))
    exam_session = await session.get_one(ExamSession, desk.exam_session.id, populate_existing=True)
    assert exam_session.status is SessionStatus.FINISHED
    for booking in desk.bookings:
        await session.refresh(booking)
    assert [booking.status for booking in desk.bookings] == [
        BookingStatus.DONE, BookingStatus.NO_SHOW, BookingStatus.NO_SHOW,
    ]  # fmt: skip


async def test_the_job_begins_sessions_and_writes_off_whoever_did_not_come(session: AsyncSession, desk: Desk) -> None:
    at = desk.exam_session.starts_at
    await make_checked_in(session, desk, desk.bookings[0], now=at)
    assert await boards.begin_due_sessions(session, now=at - timedelta(seconds=1)) == 0
    assert await boards.begin_due_sessions(session, now=at) == 1
    assert await boards.begin_due_sessions(session, now=at) == 0
    assert await mark_no_shows(session, now=at + timedelta(minutes=29)) == 0
    assert await mark_no_shows(session, now=at + timedelta(minutes=30)) == 2
    assert await mark_no_shows(session, now=at + timedelta(minutes=30)) == 0


async def test_the_seat_tells_whether_its_paper_is_as_hard_as_any_other(
    client: Client, session: AsyncSession, desk: Desk
) -> None:
    for number in (0, 1):
        await begin(session, desk, number)
    await session.commit()
    await client.sign_in(desk.head.phone, PASSWORD)
    seats = f"/site/sessions/{desk.exam_session.id}/seats"
    first, second = [(await client.get(f"{seats}/{desk.bookings[number].id}")).text for number in (0, 1)]
    assert "试卷已等值：及格线处预期答对" in first
    assert "与邻座相同题目超过上限" not in first
    assert "与邻座相同题目超过上限" in second  # the bank has one paper only
    await client.submit("/language", {"language": "en", "next": "/"})
    assert (
        "Shares more items with a neighbour than allowed" in (await client.get(f"{seats}/{desk.bookings[1].id}")).text
    )


async def test_the_head_pauses_goes_on_and_ends_with_reasons(
    client: Client, session: AsyncSession, desk: Desk, clock: FixedClock
) -> None:
    sitting_id = await begin(session, desk, 0)
    await session.commit()
    clock.instant = desk.exam_session.starts_at + timedelta(minutes=10)
    await client.sign_in(desk.head.phone, PASSWORD)
    board = f"/site/sessions/{desk.exam_session.id}"
    seat = f"{board}/seats/{desk.booking.id}"
    assert (await client.submit(f"{seat}/pause", {"reason": " "})).status_code == 422
    await client.submit(f"{seat}/pause", {"reason": "考生身体不适"})
    clock.advance(minutes=7)
    live = (await client.get(f"{board}/live")).text
    for words in ("已暂停", "计时停止", "剩余 110 分钟"):
        assert words in live
    page = (await client.get(seat)).text
    assert "考生身体不适" in page
    assert f"{seat}/resume" in page
    assert f"{seat}/pause" not in page
    await client.submit(f"{seat}/resume", {"reason": "恢复"})
    sitting = await session.get_one(Sitting, sitting_id, populate_existing=True)
    assert sitting.deadline - sitting.started_at == timedelta(minutes=127)
    assert (await client.submit(f"{seat}/end", {"reason": ""})).status_code == 422
    await client.submit(f"{seat}/end", {"reason": "考生突发疾病送医"})
    sitting = await session.get_one(Sitting, sitting_id, populate_existing=True)
    assert sitting.status is SittingStatus.CLOSED_BY_SITE
    assert sitting.receipt_signature is not None
    page = (await client.get(seat)).text
    for words in ("考试点终止", "考生突发疾病送医", "暂停考试", "继续考试"):
        assert words in page
    assert f"{seat}/end" not in page


async def test_a_fire_alarm_stops_every_clock_at_once(
    client: Client, session: AsyncSession, desk: Desk, clock: FixedClock
) -> None:
    sitting_ids = [await begin(session, desk, number) for number in range(3)]
    await session.commit()
    clock.instant = desk.exam_session.starts_at + timedelta(minutes=30)
    await client.sign_in(desk.head.phone, PASSWORD)
    board = f"/site/sessions/{desk.exam_session.id}"
    empty = await client.submit(f"{board}/pause", {"reason": ""})
    assert (empty.status_code, "请写明原因" in empty.text) == (422, True)
    await client.submit(f"{board}/pause", {"reason": "火警演练"})
    clock.advance(minutes=12)
    page = (await client.get(board)).text
    assert page.count("计时停止</span>") == 3
    await client.submit(f"{board}/resume", {"reason": "解除"})
    for sitting_id in sitting_ids:
        sitting = await session.get_one(Sitting, sitting_id, populate_existing=True)
        assert (sitting.status, sitting.deadline - sitting.started_at) == (SittingStatus.OPEN, timedelta(minutes=132))


@pytest.mark.parametrize("act", ["release", "pause", "resume", "end", "extend"])
async def test_an_invigilator_is_sent_to_the_head_for_every_act(
    client: Client, session: AsyncSession, desk: Desk, act: str
) -> None:
    await begin(session, desk, 0)
    await session.commit()
    await client.sign_in(desk.invigilator.phone, PASSWORD)
    seat = f"/site/sessions/{desk.exam_session.id}/seats/{desk.booking.id}"
    assert (await client.submit(f"{seat}/{act}", {"reason": "x", "minutes": "5"})).status_code == 403
    assert "由考试点负责人决定" in (await client.get(seat)).text


async def test_facts_stand_beside_the_acts_and_are_called_facts(
    client: Client, session: AsyncSession, desk: Desk, clock: FixedClock
) -> None:
    sitting_id = await begin(session, desk, 0)
    at = desk.exam_session.starts_at + timedelta(minutes=5)
    for number, kind in enumerate([IntegrityKind.TAB_HIDDEN, IntegrityKind.TAB_HIDDEN, IntegrityKind.PASTE]):
        session.add(
            IntegrityEvent(
                sitting_id=sitting_id, client_id=str(number), kind=kind, began_at=at + timedelta(minutes=number),
                seconds=9, detail={"length": 12} if kind is IntegrityKind.PASTE else {}, received_at=at,
            )
        )  # fmt: skip
    await session.commit()
    clock.instant = at + timedelta(minutes=5)
    await client.sign_in(desk.invigilator.phone, PASSWORD)
    board = f"/site/sessions/{desk.exam_session.id}"
    live = (await client.get(f"{board}/live")).text
    assert "3 条屏幕事实" in live
    assert "不是结论" in live
    page = (await client.get(f"{board}/seats/{desk.booking.id}")).text
    for words in ("切换到其他页面或程序", "2 次", "共 18 秒", "12 个字符", "不是结论"):
        assert words in page


async def test_an_officer_checks_identity_again_when_the_rule_says_so(
    client: Client, session: AsyncSession, desk: Desk, clock: FixedClock
) -> None:
    await begin(session, desk, 0)
    at = desk.exam_session.starts_at + timedelta(minutes=40)
    await change_rule(
        session, code="exam.face_recheck_min", value=30, basis="[D] test",
        effective_from=china_date(at) - timedelta(days=1), changed_by=None,
    )  # fmt: skip
    await session.commit()
    clock.instant = at
    await client.sign_in(desk.invigilator.phone, PASSWORD)
    board = f"/site/sessions/{desk.exam_session.id}"
    seat = f"{board}/seats/{desk.booking.id}"
    assert "应再次核验（已 45 分钟）" in (await client.get(f"{board}/live")).text
    assert "距上次核验已 45 分钟" in (await client.get(seat)).text
    assert (await client.submit(f"{seat}/check", {"reason": "看着像"})).status_code == 422
    await client.submit(f"{seat}/check", {"reason": SAME_PERSON[0]})
    assert "应再次核验" not in (await client.get(f"{board}/live")).text
    assert "考试中再次核验身份" in (await client.get(seat)).text
    nobody = f"{board}/seats/{desk.bookings[1].id}"
    assert "现在没有在答题" in (await client.submit(f"{nobody}/check", {"reason": SAME_PERSON[0]})).text


async def test_the_board_tells_of_extra_time_and_of_nothing_else_that_was_granted(
    client: Client, session: AsyncSession, vault: Vault, desk: Desk, clock: FixedClock
) -> None:
    reviewer = await make_reviewer(session, vault, now=clock.now())
    await grant_accommodations(
        session, application_id=desk.booking.application_id, actor_id=reviewer.person.id,
        granted=Accommodations(25, large_type=True, read_aloud=True), now=clock.now(),
    )  # fmt: skip
    await begin(session, desk, 0)
    await session.commit()
    clock.instant = desk.exam_session.starts_at
    await client.sign_in(desk.invigilator.phone, PASSWORD)
    board = f"/site/sessions/{desk.exam_session.id}"
    for page in (f"{board}/live", f"{board}/seats/{desk.booking.id}"):
        text = (await client.get(page)).text
        assert "时间延长 25%" in text
        assert "大字" not in text
        assert "朗读" not in text

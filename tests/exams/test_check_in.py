"""Check-in: tickets, doors, consent, engines and officers."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from exams import check_in
from exams.board import mark_no_shows
from exams.check_in import (
    AskOfficer,
    BookingGone,
    ConsentMissing,
    MarkedAbsent,
    OtherSession,
    OtherSite,
    OwnExam,
    SessionOver,
    Step,
    TicketUnknown,
    TooEarly,
    TooLate,
)
from exams.identity.checks import NOT_ADMITTED, SAME_PERSON, NoteMissing, ReasonMissing
from exams.identity.consent import text_hash
from exams.models import Booking, BookingStatus, CheckMethod, CheckVerdict, ExamSession, IdentityCheck, SessionStatus
from exams.seating import cancel_booking
from tests.makers.check_in import NO_FACE, OTHER, SAME, UNSURE, Desk, make_desk
from tests.makers.databases import copied_database
from training.audit import list_entries
from training.errors import NotFound
from training.models import Consent, StoredFile

if TYPE_CHECKING:
    from datetime import datetime

    from exams.identity.scores import MatchScores
    from training.vault import Vault
    from web.storage import Store


async def agree(session: AsyncSession, desk: Desk, now: datetime, booking: Booking | None = None) -> None:
    at: Any = desk.at(booking)
    await check_in.agree_to_face_check(session, **at, officer_id=desk.invigilator.person.id, now=now)


async def compare(session: AsyncSession, desk: Desk, scores: MatchScores, now: datetime) -> CheckVerdict:
    at: Any = desk.at()
    return await check_in.check_in_by_face(session, **at, scores=scores, officer_id=desk.invigilator.person.id, now=now)


async def decide(
    session: AsyncSession,
    desk: Desk,
    now: datetime,
    *,
    is_same: bool = True,
    reason: str = SAME_PERSON[0],
    note: str = "",
) -> CheckVerdict:
    at: Any = desk.at()
    return await check_in.check_in_by_officer(
        session, **at, is_same=is_same, reason=reason, note=note, officer_id=desk.invigilator.person.id, now=now
    )


async def card(session: AsyncSession, desk: Desk, now: datetime) -> check_in.CandidateCard:
    at: Any = desk.at()
    return await check_in.get_card(session, **at, has_matcher=True, now=now)


def status_of(desk: Desk) -> BookingStatus:
    return desk.booking.status


async def checks_of(session: AsyncSession, desk: Desk) -> list[IdentityCheck]:
    statement = select(IdentityCheck).where(IdentityCheck.booking_id == desk.booking.id)
    return [*(await session.exec(statement)).all()]


async def test_consent_and_the_same_face_check_in(session: AsyncSession, vault: Vault, now: datetime) -> None:
    desk = await make_desk(session, vault, now=now)
    assert (await card(session, desk, now)).step is Step.CONSENT
    await agree(session, desk, now)
    assert (await card(session, desk, now)).step is Step.CAMERA
    assert await compare(session, desk, SAME, now) is CheckVerdict.ACCEPT
    assert status_of(desk) is BookingStatus.CHECKED_IN
    assert desk.booking.checked_in_at == now
    shown = await card(session, desk, now)
    assert shown.step is Step.DONE
    assert shown.number_masked.count("*") > 8
    [check] = await checks_of(session, desk)
    assert (check.method, check.verdict) == (CheckMethod.FACE, CheckVerdict.ACCEPT)
    assert check.scores["sface_cosine"] == 0.8
    assert [entry.action for entry in await list_entries(session, target=("booking", desk.booking.id))][:2]


@pytest.mark.parametrize("scores", [UNSURE, NO_FACE, OTHER])
async def test_whatever_the_engines_do_not_accept_waits_for_an_officer(
    session: AsyncSession, vault: Vault, now: datetime, scores: MatchScores
) -> None:
    desk = await make_desk(session, vault, now=now)
    await agree(session, desk, now)
    assert await compare(session, desk, scores, now) is not CheckVerdict.ACCEPT
    assert status_of(desk) is BookingStatus.BOOKED
    assert (await card(session, desk, now)).step is Step.OFFICER
    await decide(session, desk, now, note="发型变化较大，证件芯片照片一致")
    assert status_of(desk) is BookingStatus.CHECKED_IN
    assert [check.method for check in await checks_of(session, desk)] == [CheckMethod.FACE, CheckMethod.OFFICER]


async def test_against_a_no_of_the_engines_the_officer_must_say_why(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk = await make_desk(session, vault, now=now)
    await agree(session, desk, now)
    assert await compare(session, desk, OTHER, now) is CheckVerdict.REJECT
    assert (await card(session, desk, now)).machine_rejects
    with pytest.raises(NoteMissing):
        await decide(session, desk, now)
    await decide(session, desk, now, note="  证件芯片照片与本人一致  ")
    last = (await checks_of(session, desk))[-1]
    assert last.reason == f"{SAME_PERSON[0]}。证件芯片照片与本人一致"


async def test_without_consent_an_officer_checks_in_just_the_same(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk = await make_desk(session, vault, now=now)
    await decide(session, desk, now, reason=SAME_PERSON[1])
    assert status_of(desk) is BookingStatus.CHECKED_IN
    assert (await session.exec(select(Consent))).all() == []


async def test_the_engines_are_never_asked_without_consent(
    session: AsyncSession, vault: Vault, now: datetime, store: Store
) -> None:
    desk = await make_desk(session, vault, now=now, store=store)
    at: Any = desk.at()
    officer = desk.invigilator.person.id
    with pytest.raises(ConsentMissing):
        await check_in.prepare_face_check(session, **at, officer_id=officer, store=store, vault=vault, now=now)
    await agree(session, desk, now)
    assert await check_in.prepare_face_check(session, **at, officer_id=officer, store=store, vault=vault, now=now)
    await check_in.withdraw_agreement(session, **at, officer_id=officer, now=now)
    with pytest.raises(ConsentMissing):
        await compare(session, desk, SAME, now)
    assert (await card(session, desk, now)).step is Step.CONSENT


async def test_a_consent_covers_one_exam_only(session: AsyncSession, vault: Vault, now: datetime) -> None:
    desk = await make_desk(session, vault, now=now)
    session.add(
        Consent(
            person_id=desk.candidate.person.id,
            purpose="EXAM_FACE_CHECK",
            text_version="2026-11/1",
            text_hash=text_hash(),
            given_at=now - timedelta(days=30),
        )
    )
    await session.flush()
    assert (await card(session, desk, now)).step is Step.CONSENT


async def test_an_unclear_picture_may_be_taken_again_but_a_no_may_not(
    session: AsyncSession, vault: Vault, now: datetime, store: Store
) -> None:
    desk = await make_desk(session, vault, now=now, store=store)
    at: Any = {**desk.at(), "officer_id": desk.invigilator.person.id, "store": store, "vault": vault, "now": now}
    await agree(session, desk, now)
    await compare(session, desk, NO_FACE, now)
    assert (await card(session, desk, now)).may_retry
    await check_in.prepare_face_check(session, **at)
    await compare(session, desk, OTHER, now + timedelta(seconds=5))
    assert not (await card(session, desk, now)).may_retry
    with pytest.raises(AskOfficer):
        await check_in.prepare_face_check(session, **at)


async def test_what_an_officer_decided_meanwhile_stands(session: AsyncSession, vault: Vault, now: datetime) -> None:
    desk = await make_desk(session, vault, now=now)
    await agree(session, desk, now)
    await decide(session, desk, now, is_same=False, reason=NOT_ADMITTED[0])
    with pytest.raises(AskOfficer):
        await compare(session, desk, SAME, now)
    assert status_of(desk) is BookingStatus.BOOKED


async def test_checking_in_twice_changes_nothing(session: AsyncSession, vault: Vault, now: datetime) -> None:
    desk = await make_desk(session, vault, now=now)
    await decide(session, desk, now)
    await decide(session, desk, now + timedelta(minutes=1))
    await decide(session, desk, now + timedelta(minutes=1), is_same=False, reason=NOT_ADMITTED[0])
    assert desk.booking.checked_in_at == now
    assert len(await checks_of(session, desk)) == 1


async def test_an_officer_who_refuses_leaves_the_seat_and_may_be_corrected(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk = await make_desk(session, vault, now=now)
    assert await decide(session, desk, now, is_same=False, reason=NOT_ADMITTED[1]) is CheckVerdict.REJECT
    assert status_of(desk) is BookingStatus.BOOKED
    assert (await card(session, desk, now)).was_turned_away
    later = now + timedelta(minutes=5)
    with pytest.raises(NoteMissing):
        await decide(session, desk, later)
    await decide(session, desk, later, note="家属送来证件原件")
    assert status_of(desk) is BookingStatus.CHECKED_IN


async def test_a_decision_needs_one_of_the_known_reasons(session: AsyncSession, vault: Vault, now: datetime) -> None:
    desk = await make_desk(session, vault, now=now)
    for is_same, reason in ((True, ""), (True, NOT_ADMITTED[0]), (False, SAME_PERSON[0])):
        with pytest.raises(ReasonMissing):
            await decide(session, desk, now, is_same=is_same, reason=reason)


@pytest.mark.parametrize(
    ("minutes", "error"), [(-15.1, TooEarly), (-15, None), (0, None), (29.9, None), (30, TooLate), (90, TooLate)]
)
async def test_the_doors_open_fifteen_minutes_before_and_close_thirty_after_the_start(
    session: AsyncSession, vault: Vault, now: datetime, minutes: float, error: type[Exception] | None
) -> None:
    desk = await make_desk(session, vault, now=now, in_minutes=60)
    at = desk.exam_session.starts_at + timedelta(minutes=minutes)
    if error is None:
        await decide(session, desk, at)
        return
    shown = await card(session, desk, at)
    assert shown.step is Step.CLOSED
    assert isinstance(shown.hindrance, error)
    with pytest.raises(error):
        await decide(session, desk, at)


async def test_whoever_stood_at_the_desk_in_time_is_not_late(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk = await make_desk(session, vault, now=now)
    in_time = desk.exam_session.starts_at + timedelta(minutes=29)
    await agree(session, desk, in_time)
    await compare(session, desk, UNSURE, in_time)
    after = in_time + timedelta(minutes=3)
    assert await mark_no_shows(session, now=after) == 0
    await decide(session, desk, after)
    assert status_of(desk) is BookingStatus.CHECKED_IN
    assert desk.booking.checked_in_at == in_time


async def test_a_ticket_is_found_by_number_code_and_address(session: AsyncSession, vault: Vault, now: datetime) -> None:
    desk = await make_desk(session, vault, now=now)
    here = {"exam_session_id": desk.exam_session.id, "site_id": desk.site.id}
    token = desk.booking.ticket_token
    for ticket in (desk.booking.ticket_no.lower(), f" {token} ", f"https://exam.example/t/{token}"):
        assert (await check_in.find_by_ticket(session, ticket=ticket, **here)).id == desk.booking.id
    for ticket in ("", "EX202611000", "https://exam.example/t/"):
        with pytest.raises(TicketUnknown):
            await check_in.find_by_ticket(session, ticket=ticket, **here)


async def test_a_ticket_of_another_place_or_time_says_where_to_go(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk, other = await make_desk(session, vault, now=now), await make_desk(session, vault, now=now)
    with pytest.raises(OtherSite, match="演示第一考试点"):
        await check_in.find_by_ticket(
            session, ticket=other.booking.ticket_no, exam_session_id=desk.exam_session.id, site_id=desk.site.id
        )
    with pytest.raises(OtherSession, match="考场"):
        await check_in.find_by_ticket(
            session, ticket=other.booking.ticket_no, exam_session_id=desk.exam_session.id, site_id=other.site.id
        )


async def test_cancelled_missed_and_finished_are_refused_with_their_own_words(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk = await make_desk(session, vault, now=now)
    desk.booking.status = BookingStatus.NO_SHOW
    with pytest.raises(MarkedAbsent):
        await decide(session, desk, now)
    desk.booking.status = BookingStatus.BOOKED
    exam_session = await session.get_one(ExamSession, desk.exam_session.id)
    exam_session.status = SessionStatus.FINISHED
    with pytest.raises(SessionOver):
        await decide(session, desk, now)
    exam_session.status = SessionStatus.PLANNED
    await cancel_booking(session, booking_id=desk.booking.id, person_id=desk.candidate.person.id, now=now)
    with pytest.raises(BookingGone):
        await decide(session, desk, now)


async def test_nobody_checks_themselves_in_and_no_other_site_can(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk, other = await make_desk(session, vault, now=now), await make_desk(session, vault, now=now)
    at: Any = desk.at()
    decision: Any = {"is_same": True, "reason": SAME_PERSON[0], "note": "", "now": now}
    with pytest.raises(OwnExam):
        await check_in.check_in_by_officer(session, **at, **decision, officer_id=desk.candidate.person.id)
    at["site_id"] = other.site.id
    with pytest.raises(NotFound):
        await check_in.check_in_by_officer(session, **at, **decision, officer_id=other.head.person.id)


async def test_the_picture_of_the_desk_is_kept_nowhere(
    session: AsyncSession, vault: Vault, now: datetime, store: Store
) -> None:
    desk = await make_desk(session, vault, now=now, store=store)
    before = len((await session.exec(select(StoredFile))).all())
    await agree(session, desk, now)
    await compare(session, desk, UNSURE, now)
    assert len((await session.exec(select(StoredFile))).all()) == before


async def test_two_desks_at_once_check_a_candidate_in_once(database_url: str, vault: Vault, now: datetime) -> None:
    async with copied_database(database_url) as url:
        engine = create_async_engine(url, poolclass=NullPool)
        sessions = async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)
        async with sessions() as making, making.begin():
            desk = await make_desk(making, vault, now=now)

        async def one_desk() -> CheckVerdict:
            async with sessions() as session, session.begin():
                return await decide(session, desk, now)

        assert set(await asyncio.gather(*(one_desk() for _ in range(8)))) == {CheckVerdict.ACCEPT}
        async with sessions() as reading:
            assert len(await checks_of(reading, desk)) == 1
        await engine.dispose()

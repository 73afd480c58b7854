"""Receipts: one form of bytes, countersigned at the end; a file that anyone can check, and no change to it passes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlmodel import select

from exams.answers import AnswerAct
from exams.chain import first_link, fold
from exams.handing_in import close_overdue, hand_in, hand_in_by_site
from exams.models import Booking, ExamSession, Score, Sitting, SittingEvent, SittingStatus
from exams.printed_sheets import lay_out, signed_sheet_pdf
from exams.receipt_files import (
    DamagedReceipt,
    NotAReceipt,
    OtherVersion,
    ReceiptTooLarge,
    SignatureState,
    check_receipt_file,
    write_receipt_file,
)
from exams.receipts import Receipt, paper_digest
from exams.sheets import NotMarkedYet
from exams.signed_sheets import NotCountersigned, get_receipt_note, get_signed_sheet
from exams.sittings import ReasonMissing
from tests.makers.receipts import KEY_ID, KEYS, link_acts, next_acts, send
from tests.makers.sittings import GRACE, Sat, make_sitting
from training.audit import list_entries
from training.errors import NotFound
from web.printed import fonts

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault

ID = UUID("0198f0aa-0000-7000-8000-000000000001")
START = datetime(2026, 11, 22, 1, 0, 0, 123999, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ACTS = link_acts(
    first_link(ID),
    [
        AnswerAct(1, 1, "A", START + MINUTE),
        AnswerAct(2, 2, "ACD", START + 2 * MINUTE),
        AnswerAct(3, 1, "", None),
        AnswerAct(4, 3, "T", START + 3 * MINUTE),
    ],
)
RECEIPT = Receipt(
    sitting_id=ID, paper=paper_digest([{"id": "x", "order": [1, 0]}]),
    head=fold(ID, [(act.seq, act.position, act.choice, act.answered_at) for act in ACTS]), events=4, answered=2,
    status="HANDED_IN", started_at=START, ended_at=START + timedelta(hours=1),
)  # fmt: skip


def make_file(receipt: Receipt = RECEIPT, acts: list[AnswerAct] | None = None) -> bytes:
    key_id, signature = KEYS.countersign(receipt.signed_bytes())
    return write_receipt_file(receipt, ACTS if acts is None else acts, key_id=key_id, signature=signature)


def changed(**parts: Any) -> bytes:  # noqa: ANN401 - JSON values
    """The file with other facts or parts, signed as before."""
    sent = json.loads(make_file())
    for name, value in parts.items():
        place = sent["receipt"] if name in sent["receipt"] else sent
        place[name] = value
    return json.dumps(sent).encode()


def test_the_signed_bytes_are_those_that_are_written_down() -> None:
    assert RECEIPT.signed_bytes() == (
        b'{"answered":2,"chain_head":"' + RECEIPT.head.hex().encode() + b'","ended_at":"2026-11-22T02:00:00.123Z",'
        b'"events":4,"paper_sha256":"' + RECEIPT.paper.hex().encode() + b'",'
        b'"sitting_id":"0198f0aa-0000-7000-8000-000000000001","started_at":"2026-11-22T01:00:00.123Z",'
        b'"status":"HANDED_IN","version":"anpei-receipt-1"}'
    )


def test_an_untouched_file_stands() -> None:
    found = check_receipt_file(make_file(), KEYS.check_receipt)
    assert found.stands
    assert (found.key_id, found.receipt.events, found.receipt.answered) == (KEY_ID, 4, 2)
    # As a file that another program saved anew, with a mark at its beginning.
    saved_anew = b"\xef\xbb\xbf" + json.dumps(json.loads(make_file())).encode()
    assert check_receipt_file(saved_anew, KEYS.check_receipt).stands


@pytest.mark.parametrize(
    "fact",
    [
        {"answered": 3},
        {"events": 5},
        {"status": "TIMED_OUT"},
        {"ended_at": "2026-11-22T02:00:00.124Z"},
        {"sitting_id": str(UUID(int=7))},
        {"paper_sha256": "0" * 64},
        {"chain_head": "0" * 64},
        {"signature": "A" * 86},
    ],
)
def test_no_changed_fact_keeps_its_signature(fact: dict[str, Any]) -> None:
    found = check_receipt_file(changed(**fact), KEYS.check_receipt)
    assert (found.signature, found.stands) == (SignatureState.WRONG, False)


@given(place=st.integers(0, 3), part=st.sampled_from(["seq", "position", "choice", "at", "gone"]))
def test_no_changed_act_fits_the_chain(place: int, part: str) -> None:
    sent = json.loads(make_file())
    act = sent["acts"][place]
    if part == "gone":
        del sent["acts"][place]
    elif part == "seq":
        for later in sent["acts"][place:]:
            later["seq"] += 1
    else:
        act[part] = {"position": act["position"] + 9, "choice": "H", "at": "2026-11-22T01:59:59.999Z"}[part]
    found = check_receipt_file(json.dumps(sent).encode(), KEYS.check_receipt)
    assert (found.signature, found.chain_holds, found.stands) == (SignatureState.HOLDS, False, False)


def test_a_key_of_somebody_else_is_said_and_not_believed() -> None:
    found = check_receipt_file(changed(key_id="theirs"), KEYS.check_receipt)
    assert (found.signature, found.chain_holds, found.stands) == (SignatureState.KEY_UNKNOWN, True, False)


def test_counts_that_do_not_fit_the_acts_show_even_if_they_were_signed() -> None:
    found = check_receipt_file(make_file(acts=[]), KEYS.check_receipt)
    assert (found.signature, found.chain_holds, found.counts_hold) == (SignatureState.HOLDS, False, False)


@pytest.mark.parametrize(
    "data",
    [
        b"", b"%PDF-1.7", b"[]", b"null", b'{"receipt": 1}', b'{"receipt": {}}', b'{"receipt": {"version": 2}}',
        b"\xff\xfe", b"[" * 100_000, b'{"a":' * 100_000, b"1" * 10_000,
    ],
)  # fmt: skip
def test_other_files_are_told_apart(data: bytes) -> None:
    with pytest.raises(NotAReceipt):
        check_receipt_file(data, KEYS.check_receipt)


@pytest.mark.parametrize(
    "part",
    [
        {"events": -1}, {"events": "4"}, {"events": 4.0}, {"events": True}, {"events": 2**40}, {"status": "OPEN"},
        {"status": ["HANDED_IN"]}, {"chain_head": "F" * 64}, {"paper_sha256": ""}, {"sitting_id": "x"},
        {"sitting_id": "{0198f0aa-0000-7000-8000-000000000001}"}, {"started_at": "2026-13-22T01:00:00.123Z"},
        {"started_at": "2026-11-22 01:00"}, {"ended_at": None}, {"key_id": ""}, {"key_id": "x" * 33},
        {"signature": "*" * 86}, {"signature": ""}, {"acts": {}}, {"acts": [1]}, {"acts": [{}]},
        {"acts": [{"seq": 1, "position": 1, "choice": "Z", "at": None}]},
        {"acts": [{"seq": 1, "position": 1, "choice": "A", "at": "noon"}]},
        {"acts": [{"seq": seq, "position": 1, "choice": "A", "at": None} for seq in (2, 1)]},
        {"acts": [{"seq": seq, "position": 1, "choice": "A", "at": None} for seq in (1, 1)]},
    ],
)  # fmt: skip
def test_a_damaged_file_is_refused_with_its_part(part: dict[str, Any]) -> None:
    with pytest.raises(DamagedReceipt) as refused:
        check_receipt_file(changed(**part), KEYS.check_receipt)
    assert refused.value.params["part"]


def test_a_fact_that_is_not_signed_does_not_stand_beside_the_others() -> None:
    sent = json.loads(make_file())
    sent["receipt"]["passed"] = True
    with pytest.raises(DamagedReceipt):
        check_receipt_file(json.dumps(sent).encode(), KEYS.check_receipt)


def test_another_version_and_too_large_a_file_are_said() -> None:
    with pytest.raises(OtherVersion):
        check_receipt_file(changed(version="anpei-receipt-9"), KEYS.check_receipt)
    with pytest.raises(ReceiptTooLarge):
        check_receipt_file(b" " * (1024 * 1024 + 1), KEYS.check_receipt)


@given(st.binary(max_size=300))
def test_no_file_breaks_the_check(data: bytes) -> None:
    with pytest.raises(NotAReceipt):
        check_receipt_file(data, KEYS.check_receipt)


@pytest.fixture
async def sat(session: AsyncSession, vault: Vault, now: datetime) -> Sat:
    sat = await make_sitting(session, vault, now=now)
    await send(session, sat, await next_acts(session, sat.id, ["A", "B", "T"], at=now), now=now)
    return sat


async def file_of(session: AsyncSession, sat: Sat, *, now: datetime) -> bytes:
    shown = await get_signed_sheet(session, sitting_id=sat.id, person_id=sat.who.person.id, now=now)
    return write_receipt_file(shown.receipt, shown.acts, key_id=shown.key_id, signature=shown.signature)


async def site_of(session: AsyncSession, sat: Sat) -> UUID:
    booking = await session.get_one(Booking, sat.booking_id)
    return (await session.get_one(ExamSession, booking.exam_session_id)).site_id


async def test_every_end_is_countersigned(session: AsyncSession, vault: Vault, now: datetime) -> None:
    after = now + timedelta(hours=2) + GRACE
    by_hand, by_clock, by_site = [await make_sitting(session, vault, now=now) for _ in range(3)]
    for sat in (by_hand, by_clock, by_site):
        await send(session, sat, await next_acts(session, sat.id, ["A", "B", "T"], at=now), now=now)
    await hand_in(
        session, sitting_id=by_hand.id, person_id=by_hand.who.person.id, now=now + 40 * MINUTE,
        countersign=KEYS.countersign,
    )  # fmt: skip
    await hand_in_by_site(
        session, sitting_id=by_site.id, site_id=await site_of(session, by_site), actor_id=by_hand.who.person.id,
        reason="火警疏散", now=now + 50 * MINUTE, countersign=KEYS.countersign,
    )  # fmt: skip
    assert await close_overdue(session, now=after, countersign=KEYS.countersign) == 1
    for sat, status in ((by_hand, "HANDED_IN"), (by_clock, "TIMED_OUT"), (by_site, "CLOSED_BY_SITE")):
        found = check_receipt_file(await file_of(session, sat, now=after), KEYS.check_receipt)
        assert found.stands
        assert (found.receipt.status, found.receipt.events, found.receipt.answered) == (status, 3, 3)


async def test_the_site_ends_a_sitting_with_a_reason_and_it_is_marked(
    session: AsyncSession, sat: Sat, now: datetime
) -> None:
    site_id, actor_id = await site_of(session, sat), sat.who.person.id

    async def end(reason: str, *, site: UUID = site_id, at: datetime = now + MINUTE) -> SittingStatus:
        return await hand_in_by_site(
            session, sitting_id=sat.id, site_id=site, actor_id=actor_id, reason=reason, now=at,
            countersign=KEYS.countersign,
        )  # fmt: skip

    with pytest.raises(ReasonMissing):
        await end("  ")
    with pytest.raises(NotFound):
        await end("别处的考场", site=UUID(int=1))
    assert await end(" 考生突发疾病 ") is SittingStatus.CLOSED_BY_SITE
    assert await end("再点一次") is SittingStatus.CLOSED_BY_SITE
    sitting = await session.get_one(Sitting, sat.id, populate_existing=True)
    assert (sitting.status, sitting.submitted_at) == (SittingStatus.CLOSED_BY_SITE, now + MINUTE)
    events = (await session.exec(select(SittingEvent).where(SittingEvent.sitting_id == sat.id))).all()
    (closed,) = [event for event in events if event.kind == "CLOSED_BY_SITE"]
    assert (closed.actor_id, closed.reason) == (actor_id, "考生突发疾病")
    assert closed.detail == {"from": "OPEN", "to": "CLOSED_BY_SITE", "answered": 3}
    assert (await session.exec(select(Score).where(Score.sitting_id == sat.id))).one().points <= 3
    (entry,) = await list_entries(session, action="sitting.closed_by_site")
    assert entry.actor_id == actor_id


async def test_a_paused_sitting_can_be_ended_and_ends_then(session: AsyncSession, sat: Sat, now: datetime) -> None:
    sitting = await session.get_one(Sitting, sat.id)
    sitting.status, sitting.paused_at = SittingStatus.PAUSED, now + MINUTE
    session.add(sitting)
    await session.flush()
    assert await close_overdue(session, now=now + timedelta(hours=5), countersign=KEYS.countersign) == 0
    await hand_in_by_site(
        session, sitting_id=sat.id, site_id=await site_of(session, sat), actor_id=sat.who.person.id, reason="停电",
        now=now + timedelta(hours=5), countersign=KEYS.countersign,
    )  # fmt: skip
    after = await session.get_one(Sitting, sat.id, populate_existing=True)
    assert after.status.value == "CLOSED_BY_SITE"
    assert after.paused_at is None
    # Its clock stood still, so that its deadline says nothing.
    assert after.submitted_at == now + timedelta(hours=5)
    assert check_receipt_file(await file_of(session, sat, now=now), KEYS.check_receipt).stands


async def test_the_signed_sheet_is_one_s_own_after_the_end(session: AsyncSession, sat: Sat, now: datetime) -> None:
    person_id = sat.who.person.id
    with pytest.raises(NotMarkedYet):
        await get_signed_sheet(session, sitting_id=sat.id, person_id=person_id, now=now)
    with pytest.raises(NotFound):
        await get_signed_sheet(session, sitting_id=sat.id, person_id=UUID(int=1), now=now)
    end = sat.entry.deadline
    await hand_in(session, sitting_id=sat.id, person_id=person_id, now=end, countersign=KEYS.countersign)
    await send(session, sat, await next_acts(session, sat.id, ["A"], at=end, first=9), now=end + GRACE)
    shown = await get_signed_sheet(session, sitting_id=sat.id, person_id=person_id, now=end)
    assert (shown.choices, shown.late) == ({1: "A", 2: "B", 3: "T"}, 1)
    note = await get_receipt_note(session, sitting_id=sat.id, person_id=person_id)
    assert (note.is_signed, note.late) == (True, 1)
    file = (await file_of(session, sat, now=end)).decode()
    assert shown.holder_name not in file
    assert shown.number_masked not in file
    assert "revision" not in file
    pdf = signed_sheet_pdf(shown, fonts(), check_url="https://exam.example/receipts")
    assert pdf.startswith(b"%PDF")


@pytest.mark.parametrize("total", [1, 10, 100, 160, 170, 171, 280, 500, 1000])
def test_every_position_is_printed_once_with_room_for_the_proof(total: int) -> None:
    pages = lay_out(total)
    assert [position for page in pages for position in page] == list(range(1, total + 1))
    assert all(pages), "a page without answers"
    top = 98 if len(pages) == 1 else 30
    assert top + -(-len(pages[-1]) // 10) * 7 + 60 <= 280
    assert all(top + -(-len(page) // 10) * 7 <= 280 for page, top in zip(pages, [98] + [30] * len(pages), strict=False))


async def test_a_sitting_that_ended_without_a_receipt_says_so(session: AsyncSession, sat: Sat) -> None:
    person_id = sat.who.person.id
    end = sat.entry.deadline
    await hand_in(session, sitting_id=sat.id, person_id=person_id, now=end, countersign=KEYS.countersign)
    connection = await session.connection()
    await connection.execute(text("ALTER TABLE sitting DISABLE TRIGGER USER"))
    # As one that ended before there were receipts.
    nothing = "chain_head = NULL, receipt_signature = NULL, receipt_key_id = NULL"
    await connection.execute(text(f"UPDATE sitting SET {nothing} WHERE id = :id"), {"id": sat.id})  # noqa: S608
    await connection.execute(text("ALTER TABLE sitting ENABLE TRIGGER USER"))
    with pytest.raises(NotCountersigned):
        await get_signed_sheet(session, sitting_id=sat.id, person_id=person_id, now=sat.entry.deadline)
    assert not (await get_receipt_note(session, sitting_id=sat.id, person_id=person_id)).is_signed

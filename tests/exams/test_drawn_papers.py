"""Papers for rooms without computers: drawn once, before the start, and their keys only after the end."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlmodel import select

from exams.drawn_papers import (
    KeyTooEarly,
    NobodyBooked,
    NothingDrawn,
    TooLateToDraw,
    draw_papers,
    list_paper_lines,
    list_paper_sessions,
    take_room_keys,
    take_room_papers,
)
from exams.models import Booking, BookingStatus, DrawnPaper, ExamSession, Sitting, SittingStatus
from exams.paper_archive import StillSitting, take_key, take_paper
from exams.papers import LETTERS, paper_items
from exams.printed_papers import answer_key_pdf, paper_pdf
from question_bank.queries import list_revisions
from tests.makers.exams import fill_bank, make_booking, make_session
from tests.makers.items import make_bank
from tests.makers.people import make_person
from tests.makers.printed import make_fonts
from tests.makers.sittings import answer, make_sitting, right_choices
from training.audit import list_entries
from training.errors import NotFound

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault


@pytest.fixture
async def held(session: AsyncSession, vault: Vault, now: datetime) -> ExamSession:
    await fill_bank(session, vault, now=now)
    return await make_session(session, vault, now=now)


async def draw(session: AsyncSession, held: ExamSession, *, now: datetime) -> int:
    seeds = itertools.count(7)
    actor = held.created_by
    return await draw_papers(session, exam_session_id=held.id, actor_id=actor, new_seed=lambda: next(seeds), now=now)


async def test_each_candidate_gets_one_paper_and_never_a_second(
    session: AsyncSession, vault: Vault, held: ExamSession, now: datetime
) -> None:
    first = await make_booking(session, vault, now=now, exam_session=held)
    assert await draw(session, held, now=now) == 1
    await make_booking(session, vault, now=now, exam_session=held)
    assert await draw(session, held, now=now) == 1
    assert await draw(session, held, now=now) == 0
    rows = (await session.exec(select(DrawnPaper))).all()
    assert len(rows) == 2
    assert first.id in {row.booking_id for row in rows}
    assert [line.is_drawn for line in await list_paper_lines(session, exam_session_id=held.id)] == [True, True]
    noted = await list_entries(session, target=("exam_session", held.id), action="session.papers_drawn")
    assert [entry.detail for entry in noted] == [{"count": 1}, {"count": 1}]


async def test_nothing_is_drawn_from_the_start_on(
    session: AsyncSession, vault: Vault, held: ExamSession, now: datetime
) -> None:
    await make_booking(session, vault, now=now, exam_session=held)
    with pytest.raises(TooLateToDraw):
        await draw(session, held, now=held.starts_at)
    assert await draw(session, held, now=held.starts_at - timedelta(seconds=1)) == 1


async def test_nobody_booked_is_said(session: AsyncSession, held: ExamSession, now: datetime) -> None:
    with pytest.raises(NobodyBooked):
        await draw(session, held, now=now)
    assert await list_paper_sessions(session, now=now, since=timedelta(0)) == []


async def test_who_gave_the_seat_back_gets_no_paper(
    session: AsyncSession, vault: Vault, held: ExamSession, now: datetime
) -> None:
    booking = await make_booking(session, vault, now=now, exam_session=held)
    await draw(session, held, now=now)
    booking.status = BookingStatus.CANCELLED
    session.add(booking)
    await session.flush()
    with pytest.raises(NothingDrawn):
        await take_room_papers(session, exam_session_id=held.id, actor_id=held.created_by, now=now)


async def test_keys_stay_closed_until_the_end(
    session: AsyncSession, vault: Vault, held: ExamSession, now: datetime
) -> None:
    await make_booking(session, vault, now=now, exam_session=held)
    await draw(session, held, now=now)
    with pytest.raises(KeyTooEarly):
        await take_room_keys(
            session, exam_session_id=held.id, actor_id=held.created_by, now=held.ends_at - timedelta(seconds=1)
        )
    [key] = await take_room_keys(session, exam_session_id=held.id, actor_id=held.created_by, now=held.ends_at)
    [paper] = await take_room_papers(session, exam_session_id=held.id, actor_id=held.created_by, now=now)
    assert key.head.sheet_id == paper.head.sheet_id
    assert len(key.lines) == len(paper.items) == 100
    assert paper.provenance is None
    assert not hasattr(paper.items[0], "key")


async def test_another_sites_papers_are_not_found(
    session: AsyncSession, vault: Vault, held: ExamSession, now: datetime
) -> None:
    await make_booking(session, vault, now=now, exam_session=held)
    await draw(session, held, now=now)
    other: UUID = (await make_session(session, vault, now=now)).site_id
    with pytest.raises(NotFound):
        await take_room_papers(session, exam_session_id=held.id, actor_id=held.created_by, now=now, site_id=other)
    assert await take_room_papers(
        session, exam_session_id=held.id, actor_id=held.created_by, now=now, site_id=held.site_id
    )


async def test_the_archive_opens_only_after_the_hand_in(session: AsyncSession, vault: Vault, now: datetime) -> None:
    sat = await make_sitting(session, vault, now=now)
    exam_session_id = await _session_of(session, sat.booking_id)
    for take in (take_paper, take_key):
        with pytest.raises(StillSitting):
            await take(session, exam_session_id=exam_session_id, sitting_id=sat.id, actor_id=sat.who.person.id, now=now)
        with pytest.raises(NotFound):
            await take(session, exam_session_id=sat.id, sitting_id=sat.id, actor_id=sat.who.person.id, now=now)


async def test_the_key_is_what_the_candidate_should_have_ticked(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat = await make_sitting(session, vault, now=now)
    right = await right_choices(session, sat.id)
    await answer(session, sat, right[:40], now=now)
    await _end(session, sat.id, now=now)
    exam_session_id = await _session_of(session, sat.booking_id)
    own: dict[str, Any] = {
        "exam_session_id": exam_session_id,
        "sitting_id": sat.id,
        "actor_id": sat.who.person.id,
        "now": now,
    }
    key = await take_key(session, **own)
    assert [line.key for line in key.lines] == right
    paper = await take_paper(session, **own)
    assert [paper.answers.get(position, "") for position in range(1, 101)] == right[:40] + [""] * 60
    assert paper.provenance
    assert paper.provenance.algorithm
    for action in ("paper.printed", "paper.key_printed"):
        [noted] = await list_entries(session, target=("sitting", sat.id), action=action)
        assert noted.actor_id == sat.who.person.id


async def test_the_paper_shows_the_options_under_the_candidates_letters(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:

    sat = await make_sitting(session, vault, now=now)
    await _end(session, sat.id, now=now)
    exam_session_id = await _session_of(session, sat.booking_id)
    paper = await take_paper(
        session, exam_session_id=exam_session_id, sitting_id=sat.id, actor_id=sat.who.person.id, now=now
    )
    stored = paper_items((await session.get_one(Sitting, sat.id)).paper)
    texts = await list_revisions(session, [item.revision_id for item in stored])
    for printed, item in zip(paper.items, stored, strict=True):
        text = texts[item.revision_id]
        assert printed.stem == text.stem
        assert printed.options == tuple((LETTERS[n], text.options[original]) for n, original in enumerate(item.order))


async def test_the_shipped_bank_has_a_glyph_for_every_character(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    await make_bank(session, vault, now=now)
    held = await make_session(session, vault, now=now)
    await make_booking(session, vault, now=now, exam_session=held, who=await make_person(session, vault, now=now))
    await draw(session, held, now=now)
    papers = await take_room_papers(session, exam_session_id=held.id, actor_id=held.created_by, now=now)
    keys = await take_room_keys(session, exam_session_id=held.id, actor_id=held.created_by, now=held.ends_at)
    assert paper_pdf(papers, make_fonts()).startswith(b"%PDF")
    assert answer_key_pdf(keys, make_fonts()).startswith(b"%PDF")


async def _session_of(session: AsyncSession, booking_id: UUID | None) -> UUID:

    return (await session.get_one(Booking, booking_id)).exam_session_id


async def _end(session: AsyncSession, sitting_id: UUID, *, now: datetime) -> None:

    sitting = await session.get_one(Sitting, sitting_id)
    sitting.status, sitting.submitted_at = SittingStatus.HANDED_IN, now
    session.add(sitting)
    await session.flush()

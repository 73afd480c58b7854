"""Printed answer sheets: two people read each, and what they read alike is marked like any other sitting."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlmodel import select

from exams.answers import list_events
from exams.board import finish_session
from exams.bubbles import sheet_code
from exams.chain import verify_chain
from exams.drawn_papers import draw_papers
from exams.models import (
    AnswerSheetEntry,
    Application,
    Booking,
    BookingStatus,
    DrawnPaper,
    ExamSession,
    Score,
    Sitting,
    SittingEvent,
    SittingStatus,
)
from exams.papers import paper_items
from exams.queries_report import get_session_report
from exams.replay import replay_sitting
from exams.replaying import Redealt, recount
from exams.sheet_entry import (
    BadMark,
    NoSuchSheet,
    NotPresent,
    SatAtComputer,
    SheetStage,
    SheetTooEarly,
    WrongNumberOfMarks,
    check_marks,
    enter_sheet,
    find_sheet,
    get_sheet_form,
    list_sheet_states,
)
from exams.sittings import Device
from exams.starting import start_sitting
from question_bank.models import ItemType
from question_bank.queries import list_revisions
from tests.makers.exams import make_booking, make_session
from tests.makers.items import make_bank
from tests.makers.people import make_person
from tests.makers.sittings import check_in
from training.calendar import CHINA
from training.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault

_seeds = itertools.count(1)


@dataclass
class Sheet:
    """A printed paper whose exam has ended, and two people who read it."""

    drawn: DrawnPaper
    booking: Booking
    held: ExamSession
    first: UUID
    second: UUID
    right: list[str]

    @property
    def after(self) -> datetime:
        return self.held.ends_at


@pytest.fixture
async def sheet(session: AsyncSession, vault: Vault, now: datetime) -> Sheet:
    await make_bank(session, vault, now=now)
    held = await make_session(session, vault, now=now)
    booking = await make_booking(
        session, vault, now=now, exam_session=held, who=await make_person(session, vault, now=now)
    )
    await draw_papers(
        session, exam_session_id=held.id, actor_id=held.created_by, new_seed=lambda: next(_seeds), now=now
    )
    officer, first, second = [await make_person(session, vault, now=now) for _ in range(3)]
    await check_in(session, booking, officer=officer, now=held.starts_at)
    drawn = (await session.exec(select(DrawnPaper))).one()
    items = paper_items(drawn.paper)
    texts = await list_revisions(session, [item.revision_id for item in items])
    right = [item.displayed(texts[item.revision_id].key) for item in items]
    return Sheet(drawn, booking, held, first.person.id, second.person.id, right)


async def enter(
    session: AsyncSession, sheet: Sheet, who: UUID, marks: Sequence[str], *, at: datetime | None = None
) -> SheetStage:
    return await enter_sheet(
        session, drawn_paper_id=sheet.drawn.id, marks=marks, remark="", actor_id=who, now=at or sheet.after,
        countersign=lambda _: ("key", bytes(64)),
    )  # fmt: skip


async def find_sitting(session: AsyncSession, sheet: Sheet) -> Sitting | None:
    return (await session.exec(select(Sitting).where(Sitting.booking_id == sheet.booking.id))).one_or_none()


async def test_two_equal_readings_become_a_marked_sitting(session: AsyncSession, sheet: Sheet) -> None:
    marks = [*sheet.right[:85], "X", *[""] * 14]
    assert await enter(session, sheet, sheet.first, marks) is SheetStage.ENTERED_ONCE
    assert await find_sitting(session, sheet) is None
    assert await enter(session, sheet, sheet.second, marks) is SheetStage.DONE
    sitting = await find_sitting(session, sheet)
    assert sitting
    await session.refresh(sitting)
    assert (sitting.status, sitting.paper, sitting.seed) == (
        SittingStatus.HANDED_IN, sheet.drawn.paper, sheet.drawn.seed,
    )  # fmt: skip
    assert sitting.started_at == sheet.held.starts_at
    assert sitting.submitted_at == sitting.deadline == sheet.held.starts_at + timedelta(minutes=120)
    score = (await session.exec(select(Score).where(Score.sitting_id == sitting.id))).one()
    assert (score.points, score.passed) == (Decimal(85), True)
    await session.refresh(sheet.booking)
    assert sheet.booking.status is BookingStatus.DONE


async def test_it_is_proved_like_any_other_sitting(session: AsyncSession, sheet: Sheet) -> None:
    for who in (sheet.first, sheet.second):
        await enter(session, sheet, who, [*sheet.right[:50], *[""] * 50])
    sitting = await find_sitting(session, sheet)
    assert sitting
    await session.refresh(sitting)
    events = await list_events(session, sitting.id)
    chain = verify_chain(sitting.id, events)
    assert (chain.count, chain.holds, chain.unlinked, chain.head) == (50, True, 0, sitting.chain_head)
    replay = await replay_sitting(session, sitting_id=sitting.id, check_signature=lambda *_: True)
    assert [check.name for check in replay.checks if not check.holds] == []
    assert "50 marks of a printed sheet, read alike by two people" in [check.says for check in replay.checks]
    noted = (await session.exec(select(SittingEvent).where(SittingEvent.sitting_id == sitting.id))).all()
    [started] = [event for event in noted if event.kind == "STARTED"]
    assert started.detail["entered_by"] == [str(sheet.first), str(sheet.second)]
    assert started.detail["drawn_paper"] == str(sheet.drawn.id)
    assert (started.detail["from"], started.detail["to"]) == ("READY", "OPEN")


async def test_one_person_alone_makes_no_sitting(session: AsyncSession, sheet: Sheet) -> None:
    for marks in (sheet.right, sheet.right, [*sheet.right[:99], ""]):
        assert await enter(session, sheet, sheet.first, marks) is SheetStage.ENTERED_ONCE
    assert await find_sitting(session, sheet) is None
    entries = (await session.exec(select(AnswerSheetEntry))).all()
    assert [len(entry.choices) for entry in entries] == [100, 99]


async def test_nobody_sees_what_another_read_until_both_have(session: AsyncSession, sheet: Sheet) -> None:
    await enter(session, sheet, sheet.first, sheet.right)
    form = await get_sheet_form(session, drawn_paper_id=sheet.drawn.id, viewer_id=sheet.second)
    assert (form.state.stage, form.state.is_mine) == (SheetStage.ENTERED_ONCE, False)
    assert {(row.mine, row.differs) for row in form.rows} == {("", False)}
    assert [len(column) for page in form.pages for column in page] == [25, 25, 25, 25]


async def test_readings_that_differ_are_looked_at_again_by_either(session: AsyncSession, sheet: Sheet) -> None:
    other = [*sheet.right]
    other[6], other[41] = "", "X"
    await enter(session, sheet, sheet.first, sheet.right)
    assert await enter(session, sheet, sheet.second, other) is SheetStage.DIFFERENT
    for who, mine in ((sheet.first, sheet.right), (sheet.second, other)):
        form = await get_sheet_form(session, drawn_paper_id=sheet.drawn.id, viewer_id=who)
        assert form.differing == [7, 42]
        assert [row.mine for row in form.rows] == mine
    # One agrees in part only, then the first agrees with that.
    other[6] = sheet.right[6]
    assert await enter(session, sheet, sheet.second, other) is SheetStage.DIFFERENT
    assert await enter(session, sheet, sheet.first, other) is SheetStage.DONE
    assert len((await session.exec(select(AnswerSheetEntry))).all()) == 4
    states = await list_sheet_states(session, exam_session_id=sheet.held.id, viewer_id=sheet.first)
    assert states[sheet.drawn.id].stage is SheetStage.DONE


async def test_the_same_again_changes_nothing(session: AsyncSession, sheet: Sheet) -> None:
    for who in (sheet.first, sheet.second, sheet.second, sheet.first):
        stage = await enter(session, sheet, who, sheet.right)
    assert stage is SheetStage.DONE
    assert len((await session.exec(select(AnswerSheetEntry))).all()) == 2
    with pytest.raises(SatAtComputer):
        await enter(session, sheet, sheet.second, ["", *sheet.right[1:]])


async def test_nothing_is_entered_before_the_end(session: AsyncSession, sheet: Sheet) -> None:
    with pytest.raises(SheetTooEarly):
        await enter(session, sheet, sheet.first, sheet.right, at=sheet.after - timedelta(seconds=1))


async def test_who_has_more_time_has_it_on_paper_too(session: AsyncSession, sheet: Sheet) -> None:
    application = await session.get_one(Application, sheet.booking.application_id)
    application.accommodations = {"extra_percent": 50}
    session.add(application)
    deadline = sheet.held.starts_at + timedelta(minutes=180)
    with pytest.raises(SheetTooEarly, match=f"{deadline.astimezone(CHINA):%H:%M}"):
        await enter(session, sheet, sheet.first, sheet.right)
    for who in (sheet.first, sheet.second):
        await enter(session, sheet, who, sheet.right, at=deadline)
    sitting = await find_sitting(session, sheet)
    assert sitting
    await session.refresh(sitting)
    assert (sitting.deadline, sitting.submitted_at) == (deadline, deadline)


async def test_who_was_not_let_in_has_no_sheet(session: AsyncSession, sheet: Sheet) -> None:
    sheet.booking.checked_in_at, sheet.booking.status = None, BookingStatus.NO_SHOW
    session.add(sheet.booking)
    with pytest.raises(NotPresent):
        await enter(session, sheet, sheet.first, sheet.right)


async def test_a_site_that_closed_the_session_first_loses_nobody(session: AsyncSession, sheet: Sheet) -> None:
    sheet.booking.status = BookingStatus.NO_SHOW
    session.add(sheet.booking)
    for who in (sheet.first, sheet.second):
        stage = await enter(session, sheet, who, sheet.right)
    assert stage is SheetStage.DONE
    await session.refresh(sheet.booking)
    assert sheet.booking.status is BookingStatus.DONE


async def test_closing_a_session_leaves_sheets_to_be_entered(session: AsyncSession, sheet: Sheet) -> None:
    await finish_session(
        session, exam_session_id=sheet.held.id, site_id=sheet.held.site_id, actor_id=sheet.first, now=sheet.after
    )
    await session.refresh(sheet.booking)
    assert sheet.booking.status is BookingStatus.CHECKED_IN
    for who in (sheet.first, sheet.second):
        stage = await enter(session, sheet, who, sheet.right)
    assert stage is SheetStage.DONE


async def test_report_and_recount_know_sittings_on_paper(session: AsyncSession, sheet: Sheet) -> None:
    for who in (sheet.first, sheet.second):
        await enter(session, sheet, who, [*sheet.right[:60], *[""] * 40])
    report = await get_session_report(session, exam_session_id=sheet.held.id)
    [pace] = report.figures.paces
    assert (pace.minutes, pace.timed, pace.flags) == (120, 0, ())
    sitting = await find_sitting(session, sheet)
    assert sitting
    score = (await session.exec(select(Score).where(Score.sitting_id == sitting.id))).one()
    found = await recount(session, sitting=sitting, score=score)
    assert (found.redealt, found.agrees, found.right, found.acts) == (Redealt.SAME, True, 60, 60)


async def test_who_sat_at_a_computer_has_no_sheet(session: AsyncSession, sheet: Sheet) -> None:
    await start_sitting(
        session, booking_id=sheet.booking.id, person_id=sheet.booking.person_id,
        device=Device(sign_in_id=uuid4(), key=b"k" * 32), seed=1, now=sheet.held.starts_at,
    )  # fmt: skip
    with pytest.raises(SatAtComputer):
        await enter(session, sheet, sheet.first, sheet.right)


async def test_a_sheet_is_found_by_its_code_or_its_ticket(session: AsyncSession, sheet: Sheet) -> None:
    drawn_id = sheet.drawn.id
    for code in (
        sheet_code(drawn_id, 1), sheet_code(drawn_id, 2).lower(), drawn_id.hex, f" {sheet.booking.ticket_no} ",
    ):  # fmt: skip
        assert await find_sheet(session, code=code) == drawn_id
    for code in ("", "ANPEI-S1", uuid4().hex, "110105"):
        with pytest.raises(NoSuchSheet):
            await find_sheet(session, code=code)
    with pytest.raises(NotFound):
        await get_sheet_form(session, drawn_paper_id=uuid4(), viewer_id=sheet.first)


LETTERS = [(ItemType.TF, "TF"), (ItemType.SC, "ABCD"), (ItemType.MC, "ABCDE")]


@pytest.mark.parametrize(
    ("marks", "kept"),
    [
        (["t", " b", "e c a"], {"1": "T", "2": "B", "3": "ACE"}),
        (["", "", ""], {}),
        (["x", "X", "x"], {"1": "X", "2": "X", "3": "X"}),
        (["F", "", "CC"], {"1": "F", "3": "C"}),
    ],
)
def test_marks_are_kept_in_one_form(marks: list[str], kept: dict[str, str]) -> None:
    assert check_marks(marks, LETTERS) == kept


@pytest.mark.parametrize("marks", [["A", "", ""], ["TF", "", ""], ["", "AB", ""], ["", "E", ""], ["", "", "AX"]])
def test_what_is_not_printed_there_is_refused(marks: list[str]) -> None:
    with pytest.raises(BadMark):
        check_marks(marks, LETTERS)


def test_a_form_of_another_length_is_refused() -> None:
    with pytest.raises(WrongNumberOfMarks):
        check_marks(["", ""], LETTERS)


@given(st.lists(st.text(max_size=6), min_size=3, max_size=3))
def test_whatever_is_typed_is_kept_as_printed_letters_or_refused(marks: list[str]) -> None:
    try:
        kept = check_marks(marks, LETTERS)
    except BadMark:
        return
    for position, mark in kept.items():
        assert mark == "X" or set(mark) <= set(LETTERS[int(position) - 1][1])
    assert check_marks([kept.get(str(place), "") for place in (1, 2, 3)], LETTERS) == kept

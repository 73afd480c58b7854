"""Entering printed answer sheets: two people read each by themselves, and what they read alike becomes a sitting.

Neither sees what the other read. Where they differ both look again at those positions, sheet in
hand; every reading is kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy
from sqlmodel import col, select

from exams.accommodations import Accommodations
from exams.bubbles import COLUMNS, LAYOUT, MOST_LETTERS, ROWS
from exams.chain import first_link, next_link
from exams.handing_in import hand_in_sheet
from exams.models import (
    AnswerEvent,
    AnswerSheetEntry,
    Application,
    Booking,
    BookingStatus,
    DrawnPaper,
    ExamRoom,
    ExamSession,
    Qualification,
    Sitting,
    SittingEvent,
    SittingStatus,
)
from exams.papers import LETTERS, paper_items
from exams.sitting_states import READY, SittingAct
from exams.timing import deadline_for
from question_bank.models import ItemType
from question_bank.queries import get_blueprint_version, list_revisions
from training import audit
from training.calendar import CHINA
from training.columns import new_id
from training.errors import N_, BadInput, Conflict, NotFound
from training.models import Organisation, Person

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.receipts import Countersign

# A mark that nobody can count: two circles where one is asked for, or a smudge.
UNCLEAR = "X"
_CODE = re.compile(rf"(?:ANPEI-S{LAYOUT}:)?([0-9A-F]{{32}})(?::[0-9]+)?", re.IGNORECASE)
_LONGEST_REMARK = 500


class SheetTooEarly(Conflict):
    """Nothing is entered while the exam runs."""

    message = N_("场次还没有结束，不能录入答题卡。请在 {at} 之后再来。")


class NotPresent(Conflict):
    """Somebody whose identity nobody has checked has handed in nothing."""

    message = N_("这名考生没有签到记录，不能录入答题卡。请先向考试点核实。")


class SatAtComputer(Conflict):
    """One booking has one sitting."""

    message = N_("这名考生已有考试记录，不能再录入答题卡。")


class BadMark(BadInput):
    """A letter that is not printed at that position."""

    message = N_("第 {position} 题不能录入“{typed}”，可以录入：{letters}；看不清或涂了不该涂的录入 X，空白不录。")


class WrongNumberOfMarks(BadInput):
    """A form that is not ours."""

    message = N_("提交的题数与答题卡不符，没有保存。请刷新页面后重新录入。")


class NoSuchSheet(BadInput):
    """Neither a code of a sheet nor a ticket number with a printed paper."""

    message = N_("没有找到这张答题卡。请扫描答题卡上的二维码，或输入准考证号。")


class SheetStage(StrEnum):
    """How far the entering of a sheet is."""

    NOT_ENTERED = "NOT_ENTERED"
    ENTERED_ONCE = "ENTERED_ONCE"
    DIFFERENT = "DIFFERENT"
    DONE = "DONE"


@dataclass(frozen=True, slots=True)
class SheetState:
    """One sheet as this viewer may see it: never what somebody else read."""

    drawn_paper_id: UUID
    stage: SheetStage
    is_mine: bool


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A position of the sheet with what this viewer read there. `differs` once somebody else read otherwise."""

    position: int
    type: ItemType
    letters: str
    mine: str
    differs: bool


@dataclass(frozen=True, slots=True)
class SheetForm:
    """A sheet to be entered, with whose it is as the sheet itself says."""

    drawn_paper_id: UUID
    exam_session_id: UUID
    qualification_name: str
    site_name: str
    room_name: str
    starts_at: datetime
    ends_at: datetime
    person_name: str
    ticket_no: str
    seat_no: int
    state: SheetState
    remark: str
    rows: tuple[SheetRow, ...]

    @property
    def pages(self) -> list[list[tuple[SheetRow, ...]]]:
        """The rows as they stand on the sheet: pages of columns."""
        columns = [self.rows[start : start + ROWS] for start in range(0, len(self.rows), ROWS)]
        return [columns[start : start + COLUMNS] for start in range(0, len(columns), COLUMNS)]

    @property
    def differing(self) -> list[int]:
        """Positions that two people read otherwise."""
        return [row.position for row in self.rows if row.differs]


@dataclass(frozen=True, slots=True)
class _Sheet:
    drawn: DrawnPaper
    booking: Booking
    held: ExamSession
    accommodations: dict[str, Any]
    deadline: datetime
    sitting_id: UUID | None

    @property
    def ends_at(self) -> datetime:
        """When nobody of the session writes any more, not even this candidate with more time than others."""
        return max(self.held.ends_at, self.deadline)


async def find_sheet(session: AsyncSession, *, code: str) -> UUID:
    """The printed paper of what a scanner read from its QR code, or of a ticket number. Raises `NoSuchSheet`."""
    code = "".join(code.split())
    found = _CODE.fullmatch(code)
    which = col(DrawnPaper.id) == UUID(found[1]) if found else col(Booking.ticket_no) == code.upper()
    statement = (
        select(DrawnPaper.id)
        .join(Booking, col(Booking.id) == DrawnPaper.booking_id)
        .where(which, col(DrawnPaper.drawn_by).is_not(None))
    )
    drawn_paper_id = (await session.exec(statement)).first()
    if drawn_paper_id is None:
        raise NoSuchSheet(field="code")
    return drawn_paper_id


async def list_sheet_states(session: AsyncSession, *, exam_session_id: UUID, viewer_id: UUID) -> dict[UUID, SheetState]:
    """How far the sheets of a session are entered, by printed paper."""
    statement: Any = (
        sqlalchemy.select(col(DrawnPaper.id), col(Sitting.id))
        .join(Booking, col(Booking.id) == DrawnPaper.booking_id)
        .outerjoin(Sitting, (col(Sitting.booking_id) == Booking.id) & (col(Sitting.status) != SittingStatus.VOID))
        .where(col(Booking.exam_session_id) == exam_session_id, col(DrawnPaper.drawn_by).is_not(None))
    )
    sheets = (await session.exec(statement)).all()
    read = await _list_readings(session, [drawn_paper_id for drawn_paper_id, _ in sheets])
    return {
        drawn_paper_id: _state(drawn_paper_id, read.get(drawn_paper_id, {}), viewer_id, is_done=sitting_id is not None)
        for drawn_paper_id, sitting_id in sheets
    }


async def get_sheet_form(session: AsyncSession, *, drawn_paper_id: UUID, viewer_id: UUID) -> SheetForm:
    """A sheet with what this viewer read of it. Raises `NotFound`."""
    sheet = await _find_sheet(session, drawn_paper_id)
    names: Any = (
        select(Qualification.name, Organisation.name, ExamRoom.name)
        .join(ExamSession, col(ExamSession.qualification_code) == Qualification.code)
        .join(Organisation, col(Organisation.id) == ExamSession.site_id)
        .join(ExamRoom, col(ExamRoom.id) == ExamSession.room_id)
        .where(ExamSession.id == sheet.held.id)
    )
    qualification, site, room = (await session.exec(names)).one()
    person = await session.get_one(Person, sheet.booking.person_id)
    read = (await _list_readings(session, [drawn_paper_id])).get(drawn_paper_id, {})
    mine = read.get(viewer_id)
    others = [entry.choices for reader, entry in read.items() if reader != viewer_id]
    rows = []
    for position, (kind, letters) in enumerate(await _list_letters(session, sheet.drawn), start=1):
        own = mine.choices.get(str(position), "") if mine else ""
        differs = bool(mine) and any(choices.get(str(position), "") != own for choices in others)
        rows.append(SheetRow(position, kind, letters, own, differs))
    return SheetForm(
        drawn_paper_id=drawn_paper_id,
        exam_session_id=sheet.held.id,
        qualification_name=qualification,
        site_name=site,
        room_name=room,
        starts_at=sheet.held.starts_at,
        ends_at=sheet.ends_at,
        person_name=person.name,
        ticket_no=sheet.booking.ticket_no,
        seat_no=sheet.booking.seat_no,
        state=_state(drawn_paper_id, read, viewer_id, is_done=sheet.sitting_id is not None),
        remark=mine.remark if mine else "",
        rows=tuple(rows),
    )


async def enter_sheet(
    session: AsyncSession,
    *,
    drawn_paper_id: UUID,
    marks: Sequence[str],
    remark: str,
    actor_id: UUID,
    now: datetime,
    countersign: Countersign,
) -> SheetStage:
    """Keep what one person read at each position; with somebody else's equal reading it is marked at once.

    Asked again with the same marks, nothing changes. Raises `NotFound`, `SheetTooEarly`,
    `NotPresent`, `SatAtComputer`, `BadMark`, `WrongNumberOfMarks`.
    """
    sheet = await _find_sheet(session, drawn_paper_id, lock=True)
    letters = await _list_letters(session, sheet.drawn)
    choices = check_marks(marks, letters)
    read = (await _list_readings(session, [drawn_paper_id])).get(drawn_paper_id, {})
    known = read.get(actor_id)
    if sheet.sitting_id is not None:
        if known is not None and known.choices == choices and await _is_entered(session, sheet.sitting_id):
            return SheetStage.DONE
        raise SatAtComputer
    if now < sheet.ends_at:
        raise SheetTooEarly(at=f"{sheet.ends_at.astimezone(CHINA):%Y-%m-%d %H:%M}")
    if sheet.booking.checked_in_at is None or sheet.booking.status not in _PRESENT:
        raise NotPresent
    if known is None or known.choices != choices:
        known = AnswerSheetEntry(
            drawn_paper_id=drawn_paper_id, choices=choices, remark=remark.strip()[:_LONGEST_REMARK],
            entered_by=actor_id, entered_at=now,
        )  # fmt: skip
        session.add(known)
        audit.record(session, action="answer_sheet.entered", target=("drawn_paper", drawn_paper_id),
                     actor_id=actor_id, now=now, marks=len(choices))  # fmt: skip
        await session.flush()
    others = [entry for reader, entry in read.items() if reader != actor_id]
    alike = next((entry for entry in others if entry.choices == choices), None)
    if alike is None:
        return SheetStage.DIFFERENT if others else SheetStage.ENTERED_ONCE
    await _open_sitting(session, sheet, choices, entries=(alike, known), now=now, countersign=countersign)
    return SheetStage.DONE


# Whoever closes a session at its site makes those absent who never began at a computer.
_PRESENT = (BookingStatus.CHECKED_IN, BookingStatus.NO_SHOW)


def check_marks(marks: Sequence[str], letters: Sequence[tuple[ItemType, str]]) -> dict[str, str]:
    """What was typed for each position, in the form that an entry keeps. Raises `BadMark`, `WrongNumberOfMarks`."""
    if len(marks) != len(letters):
        raise WrongNumberOfMarks
    choices = {}
    for position, (typed, (kind, printed)) in enumerate(zip(marks, letters, strict=True), start=1):
        mark = "".join(sorted(set("".join(typed.upper().split()))))
        if not mark:
            continue
        is_one = len(mark) == 1 or kind is ItemType.MC
        if mark != UNCLEAR and not (is_one and set(mark) <= set(printed)):
            raise BadMark(position=position, typed=typed[:MOST_LETTERS], letters=printed, field=f"mark-{position}")
        choices[str(position)] = mark
    return choices


async def _find_sheet(session: AsyncSession, drawn_paper_id: UUID, *, lock: bool = False) -> _Sheet:
    statement: Any = (
        select(DrawnPaper, Booking, ExamSession)
        .join(Booking, col(Booking.id) == DrawnPaper.booking_id)
        .join(ExamSession, col(ExamSession.id) == Booking.exam_session_id)
        .where(
            DrawnPaper.id == drawn_paper_id,
            col(DrawnPaper.drawn_by).is_not(None),
            Booking.status != BookingStatus.CANCELLED,
        )
    )
    if lock:
        statement = statement.with_for_update(of=Booking).execution_options(populate_existing=True)
    found = (await session.exec(statement)).one_or_none()
    if found is None:
        raise NotFound
    drawn, booking, held = found
    application = await session.get_one(Application, booking.application_id)
    blueprint = await get_blueprint_version(session, drawn.blueprint_id)
    extra_percent = Accommodations.read(application.accommodations).extra_percent
    sits = select(Sitting.id).where(Sitting.booking_id == booking.id, Sitting.status != SittingStatus.VOID)
    return _Sheet(
        drawn=drawn,
        booking=booking,
        held=held,
        accommodations=application.accommodations,
        deadline=deadline_for(held.starts_at, minutes=blueprint.minutes, extra_percent=extra_percent),
        sitting_id=(await session.exec(sits)).one_or_none(),
    )


async def _list_letters(session: AsyncSession, drawn: DrawnPaper) -> list[tuple[ItemType, str]]:
    """The type and the printed letters of each position."""
    paper = paper_items(drawn.paper)
    texts = await list_revisions(session, [item.revision_id for item in paper])
    return [(texts[item.revision_id].type, LETTERS[: len(item.order)] if item.order else "TF") for item in paper]


async def _list_readings(
    session: AsyncSession, drawn_paper_ids: Sequence[UUID]
) -> dict[UUID, dict[UUID, AnswerSheetEntry]]:
    """The last reading of each person, by printed paper and person."""
    statement = (
        select(AnswerSheetEntry)
        .where(col(AnswerSheetEntry.drawn_paper_id).in_(drawn_paper_ids))
        .order_by(col(AnswerSheetEntry.entered_at), col(AnswerSheetEntry.id))
    )
    read: dict[UUID, dict[UUID, AnswerSheetEntry]] = {}
    for entry in (await session.exec(statement)).all():
        read.setdefault(entry.drawn_paper_id, {})[entry.entered_by] = entry
    return read


def _state(
    drawn_paper_id: UUID, read: Mapping[UUID, AnswerSheetEntry], viewer_id: UUID, *, is_done: bool
) -> SheetState:
    if is_done:
        stage = SheetStage.DONE
    elif len(read) > 1:
        stage = SheetStage.DIFFERENT
    else:
        stage = SheetStage.ENTERED_ONCE if read else SheetStage.NOT_ENTERED
    return SheetState(drawn_paper_id, stage, viewer_id in read)


async def _is_entered(session: AsyncSession, sitting_id: UUID) -> bool:
    return await find_entered_from(session, sitting_id) is not None


async def _open_sitting(
    session: AsyncSession,
    sheet: _Sheet,
    choices: Mapping[str, str],
    *,
    entries: tuple[AnswerSheetEntry, AnswerSheetEntry],
    now: datetime,
    countersign: Countersign,
) -> None:
    """The sitting that took place on paper, from the session's start to the end of the time, and its marks."""
    drawn, booking = sheet.drawn, sheet.booking
    sitting = Sitting(
        id=new_id(),
        booking_id=booking.id,
        person_id=booking.person_id,
        blueprint_id=drawn.blueprint_id,
        seed=drawn.seed,
        algorithm=drawn.algorithm,
        bank_digest=drawn.bank_digest,
        paper=drawn.paper,
        item_count=len(drawn.paper),
        started_at=sheet.held.starts_at,
        deadline=sheet.deadline,
        accommodations=sheet.accommodations,
    )
    session.add(sitting)
    await session.flush()
    detail = {
        **{name: value for name, value in drawn.detail.items() if name != "made_of"},
        "drawn_paper": str(drawn.id),
        "from": READY,
        "to": SittingStatus.OPEN.value,
        "entries": [str(entry.id) for entry in entries],
        "entered_by": [str(entry.entered_by) for entry in entries],
    }
    actor_id = entries[1].entered_by
    session.add(
        SittingEvent(
            sitting_id=sitting.id, kind=SittingAct.STARTED, actor_id=actor_id, detail=detail, at=sitting.started_at
        )
    )
    session.add_all(_list_acts(sitting.id, choices, now=now))
    audit.record(session, action="answer_sheet.agreed", target=("sitting", sitting.id), actor_id=actor_id, now=now,
                 drawn_paper_id=drawn.id)  # fmt: skip
    await session.flush()
    await hand_in_sheet(session, sitting_id=sitting.id, actor_id=actor_id, now=now, countersign=countersign)


def _list_acts(sitting_id: UUID, choices: Mapping[str, str], *, now: datetime) -> list[AnswerEvent]:
    """An act for each mark that counts, linked in a chain. Nobody knows when it was made on paper."""
    events, link = [], first_link(sitting_id)
    marks = sorted((int(position), mark) for position, mark in choices.items() if mark != UNCLEAR)
    for seq, (position, choice) in enumerate(marks, start=1):
        link = next_link(link, seq=seq, position=position, choice=choice, answered_at=None)
        events.append(
            AnswerEvent(sitting_id=sitting_id, seq=seq, position=position, choice=choice, saved_at=now, link=link)
        )
    return events


async def find_entered_from(session: AsyncSession, sitting_id: UUID) -> list[AnswerSheetEntry] | None:
    """The two readings that a sitting on paper was made from; None if it was sat at a computer."""
    statement = select(SittingEvent.detail).where(
        SittingEvent.sitting_id == sitting_id, SittingEvent.kind == SittingAct.STARTED
    )
    detail = (await session.exec(statement)).first() or {}
    if "entries" not in detail:
        return None
    wanted = [UUID(str(entry_id)) for entry_id in detail["entries"]]
    entries = select(AnswerSheetEntry).where(col(AnswerSheetEntry.id).in_(wanted))
    return list((await session.exec(entries)).all())

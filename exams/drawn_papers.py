"""Papers for rooms without computers: drawn by a person for booked candidates before the start, and printed.

Only the authority draws, and only it gets the keys, after the end; a site gets its candidates' papers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy
from sqlmodel import col, func, select

from exams.made_ahead import draw_ahead
from exams.models import (
    Booking,
    BookingStatus,
    DrawnPaper,
    ExamPart,
    ExamRoom,
    ExamSession,
    Qualification,
    SessionStatus,
    Sitting,
    SittingStatus,
)
from exams.paper_archive import key_lines, print_head, print_items
from exams.papers import paper_items
from exams.printed_papers import PrintedKey, PrintedPaper
from exams.sitting_states import UNDER_WAY
from question_bank.queries import get_blueprint, get_blueprint_version
from training import audit
from training.errors import N_, Conflict, NotFound
from training.models import Organisation, Person

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import timedelta

    from sqlmodel.ext.asyncio.session import AsyncSession

_SEATED = (BookingStatus.BOOKED, BookingStatus.CHECKED_IN)
_LISTED = 200
# At most one a booking: who has one gets no other.
_IS_PRINTED = (col(DrawnPaper.booking_id) == Booking.id) & col(DrawnPaper.drawn_by).is_not(None)


class TooLateToDraw(Conflict):
    """Papers are drawn before the start only."""

    message = N_("场次已经开考或取消，不能再生成纸质试卷。")


class NobodyBooked(Conflict):
    """No candidate to draw for."""

    message = N_("这个场次还没有考生预约，暂时没有试卷可以生成。")


class NothingDrawn(Conflict):
    """Nothing to print yet."""

    message = N_("这个场次还没有生成纸质试卷。请由考核发证机关在开考前生成。")


class KeyTooEarly(Conflict):
    """A key that leaves the house before the end can reach the room."""

    message = N_("考试结束前不能导出标准答案，请在结束时间之后再来。")


@dataclass(frozen=True)
class PaperSession:
    """A theory session with the number of its candidates and of the papers drawn for them."""

    id: UUID
    qualification_name: str
    site_name: str
    room_name: str
    starts_at: datetime
    ends_at: datetime
    status: SessionStatus
    booked: int
    drawn: int

    def can_draw(self, now: datetime) -> bool:
        """Whether papers may still be drawn, and for somebody."""
        return self.booked > self.drawn and self.status is SessionStatus.PLANNED and now < self.starts_at


@dataclass(frozen=True)
class PaperLine:
    """One candidate's papers: drawn for print, or sat at a computer."""

    seat_no: int
    person_name: str
    ticket_no: str
    drawn_paper_id: UUID | None
    sitting_id: UUID | None
    sitting_status: SittingStatus | None

    @property
    def is_drawn(self) -> bool:
        """Whether a paper is printed for this candidate."""
        return self.drawn_paper_id is not None

    @property
    def is_archived(self) -> bool:
        """Whether the paper of the sitting may be taken out."""
        return self.sitting_status not in (None, *UNDER_WAY)


async def draw_papers(
    session: AsyncSession, *, exam_session_id: UUID, actor_id: UUID, new_seed: Callable[[], int], now: datetime
) -> int:
    """Deal a paper to each booked candidate who has none yet. Gives how many; asked again, nobody gets a second."""
    held = await session.get(ExamSession, exam_session_id, with_for_update=True)
    if held is None or held.part is not ExamPart.THEORY:
        raise NotFound
    if held.status is not SessionStatus.PLANNED or now >= held.starts_at:
        raise TooLateToDraw
    bookings = await _list_bookings(session, exam_session_id)
    if not bookings:
        raise NobodyBooked
    waiting = [(booking_id, last) for booking_id, last, is_printed in bookings if not is_printed]
    qualification = await session.get_one(Qualification, held.qualification_code)
    blueprint = await get_blueprint(session, qualification.blueprint_code)
    for booking_id, last in waiting:
        await draw_ahead(
            session, blueprint, booking_id=booking_id, number=(last or 0) + 1, seed=new_seed(), now=now,
            drawn_by=actor_id,
        )  # fmt: skip
    if waiting:
        audit.record(session, action="session.papers_drawn", target=("exam_session", exam_session_id),
                     actor_id=actor_id, now=now, count=len(waiting))  # fmt: skip
    await session.flush()
    return len(waiting)


async def take_room_papers(
    session: AsyncSession,
    *,
    exam_session_id: UUID,
    actor_id: UUID,
    now: datetime,
    site_id: UUID | None = None,
    is_demo: bool = False,
) -> list[PrintedPaper]:
    """The drawn papers of a session by seat; with `site_id` only if it is that site's. Raises `NothingDrawn`."""
    held = await session.get(ExamSession, exam_session_id)
    if held is None or (site_id is not None and held.site_id != site_id):
        raise NotFound
    papers = []
    for booking, drawn in await _list_drawn(session, exam_session_id):
        blueprint = await get_blueprint_version(session, drawn.blueprint_id)
        head = await print_head(session, booking, blueprint, sheet_id=drawn.id, now=now, is_demo=is_demo)
        papers.append(PrintedPaper(head, await print_items(session, paper_items(drawn.paper), blueprint)))
    audit.record(session, action="session.papers_printed", target=("exam_session", exam_session_id),
                 actor_id=actor_id, now=now, count=len(papers))  # fmt: skip
    await session.flush()
    return papers


async def take_room_keys(
    session: AsyncSession, *, exam_session_id: UUID, actor_id: UUID, now: datetime, is_demo: bool = False
) -> list[PrintedKey]:
    """The keys of the drawn papers, after the end. For the authority alone. Raises `KeyTooEarly`, `NothingDrawn`."""
    held = await session.get(ExamSession, exam_session_id)
    if held is None:
        raise NotFound
    if now < held.ends_at:
        raise KeyTooEarly
    keys = []
    for booking, drawn in await _list_drawn(session, exam_session_id):
        blueprint = await get_blueprint_version(session, drawn.blueprint_id)
        head = await print_head(session, booking, blueprint, sheet_id=drawn.id, now=now, is_demo=is_demo)
        keys.append(PrintedKey(head, await key_lines(session, paper_items(drawn.paper), blueprint)))
    audit.record(session, action="session.keys_printed", target=("exam_session", exam_session_id),
                 actor_id=actor_id, now=now, count=len(keys))  # fmt: skip
    await session.flush()
    return keys


async def list_paper_sessions(session: AsyncSession, *, now: datetime, since: timedelta) -> list[PaperSession]:
    """Theory sessions with candidates that ended no longer ago than `since`, the earliest first."""
    wanted = [ExamSession.ends_at >= now - since, ExamSession.status != SessionStatus.CANCELLED]
    return [held for held in await _sessions(session, wanted) if held.booked]


async def get_paper_session(session: AsyncSession, *, exam_session_id: UUID) -> PaperSession:
    """One of them. Raises `NotFound`."""
    found = await _sessions(session, [ExamSession.id == exam_session_id])
    if not found:
        raise NotFound
    return found[0]


async def count_drawn(session: AsyncSession, exam_session_ids: Sequence[UUID]) -> dict[UUID, int]:
    """How many papers are drawn for each of these sessions that has any."""
    statement = (
        select(Booking.exam_session_id, func.count())
        .join(DrawnPaper, _IS_PRINTED)
        .where(col(Booking.exam_session_id).in_(exam_session_ids), Booking.status != BookingStatus.CANCELLED)
        .group_by(col(Booking.exam_session_id))
    )
    return dict((await session.exec(statement)).all())


async def list_paper_lines(session: AsyncSession, *, exam_session_id: UUID) -> list[PaperLine]:
    """Every candidate of a session by seat."""
    statement: Any = (
        sqlalchemy.select(Booking, col(Person.name), col(DrawnPaper.id), col(Sitting.id), col(Sitting.status))
        .join(Person, col(Person.id) == Booking.person_id)
        .outerjoin(DrawnPaper, _IS_PRINTED)
        .outerjoin(Sitting, (col(Sitting.booking_id) == Booking.id) & (col(Sitting.status) != SittingStatus.VOID))
        .where(col(Booking.exam_session_id) == exam_session_id, col(Booking.status) != BookingStatus.CANCELLED)
        .order_by(col(Booking.seat_no))
    )
    return [
        PaperLine(booking.seat_no, name, booking.ticket_no, drawn_paper_id, sitting_id, status)
        for booking, name, drawn_paper_id, sitting_id, status in (await session.exec(statement)).all()
    ]


async def _list_bookings(session: AsyncSession, exam_session_id: UUID) -> Sequence[tuple[UUID, int | None, bool]]:
    """Those who have a seat, by seat, each with the last number of a paper and whether one is printed."""
    statement: Any = (
        select(Booking.id, func.max(DrawnPaper.number), func.count(col(DrawnPaper.drawn_by)) > 0)
        .outerjoin(DrawnPaper, col(DrawnPaper.booking_id) == Booking.id)
        .where(Booking.exam_session_id == exam_session_id, col(Booking.status).in_(_SEATED))
        .group_by(col(Booking.id))
        .order_by(col(Booking.seat_no))
    )
    rows: Sequence[tuple[UUID, int | None, bool]] = (await session.exec(statement)).all()
    return rows


async def _list_drawn(session: AsyncSession, exam_session_id: UUID) -> Sequence[tuple[Booking, DrawnPaper]]:
    statement = (
        select(Booking, DrawnPaper)
        .join(DrawnPaper, _IS_PRINTED)
        .where(Booking.exam_session_id == exam_session_id, Booking.status != BookingStatus.CANCELLED)
        .order_by(col(Booking.seat_no))
    )
    rows = (await session.exec(statement)).all()
    if not rows:
        raise NothingDrawn
    return rows


async def _sessions(session: AsyncSession, wanted: list[Any]) -> list[PaperSession]:
    stands = (col(Booking.exam_session_id) == ExamSession.id) & (col(Booking.status) != BookingStatus.CANCELLED)
    statement: Any = (
        sqlalchemy.select(
            ExamSession,
            col(Qualification.name),
            col(Organisation.name),
            col(ExamRoom.name),
            func.count(col(Booking.id)),
            func.count(col(DrawnPaper.id)),
        )
        .join(ExamRoom, col(ExamRoom.id) == ExamSession.room_id)
        .join(Organisation, col(Organisation.id) == ExamSession.site_id)
        .join(Qualification, col(Qualification.code) == ExamSession.qualification_code)
        .outerjoin(Booking, stands)
        .outerjoin(DrawnPaper, _IS_PRINTED)
        .where(*wanted, col(ExamSession.part) == ExamPart.THEORY)
        .group_by(col(ExamSession.id), col(Qualification.name), col(Organisation.name), col(ExamRoom.name))
        .order_by(col(ExamSession.starts_at), col(ExamSession.id))
        .limit(_LISTED)
    )
    return [
        PaperSession(held.id, name, site, room, held.starts_at, held.ends_at, held.status, booked, drawn)
        for held, name, site, room, booked, drawn in (await session.exec(statement)).all()
    ]

"""What a candidate sees of a sitting: the paper without keys, the saved answers, the state, the result."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy
from sqlalchemy import bindparam, func
from sqlmodel import col, select

from exams.accommodations import Accommodations
from exams.answers import DeviceTaken, SittingEnded, SittingPaused
from exams.chain import fold
from exams.marking import last_choices
from exams.models import (
    AnswerEvent,
    Application,
    Booking,
    BookingStatus,
    EnterpriseExam,
    EnterpriseExamCandidate,
    ExamPart,
    ExamRoom,
    ExamSession,
    Qualification,
    Score,
    ScoreState,
    Sitting,
    SittingStatus,
)
from exams.papers import LETTERS, paper_items
from exams.sitting_states import UNDER_WAY
from exams.sittings import Device, holds_sitting
from exams.standing import LAST_NOTICE, SittingNotice
from exams.timing import earliest_leave, is_over, seconds_left
from question_bank.models import ItemType, McRule
from question_bank.queries import get_drawn_blueprint, list_revisions
from training.calendar import china_date
from training.errors import N_, Conflict, NotFound
from training.models import Organisation
from training.prepared import run
from training.rules import RULES, check_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel.ext.asyncio.session import AsyncSession


class NotMarkedYet(Conflict):
    """The result of a sitting that is still open."""

    message = N_("这场考试还没有交卷，交卷后才能查看成绩。")


@dataclass(frozen=True, slots=True)
class SheetOption:
    """An option at the letter under which this candidate sees it."""

    letter: str
    text: str


@dataclass(frozen=True, slots=True)
class SheetItem:
    """One question as this candidate sees it; never its key, explanation or level."""

    position: int
    type: ItemType
    stem: str
    options: tuple[SheetOption, ...]
    points: int
    answer: str


@dataclass(frozen=True, slots=True)
class AnswerSheet:
    """A whole paper with what is saved of it."""

    sitting_id: UUID
    title: str
    part_of: str
    status: SittingStatus
    is_certificate_exam: bool
    started_at: datetime
    deadline: datetime
    leave_at: datetime
    seconds_left: int
    total: int
    full_score: int
    pass_score: int
    mc_rule: McRule
    answered: int
    last_seq: int
    chain_head: bytes
    accommodations: Accommodations
    items: tuple[SheetItem, ...]


@dataclass(frozen=True, slots=True)
class SittingState:
    """How a sitting stands now. `leave_at` is the first instant at which it can be handed in.

    `chain_head` is the link of the last stored answer (exams/chain.py); the next act is linked to it.
    Until `grace_ends_at` answers made before the deadline may still arrive, unless it `has_ended`.
    """

    sitting_id: UUID
    title: str
    status: SittingStatus
    is_certificate_exam: bool
    device_number: int
    is_released: bool
    started_at: datetime
    deadline: datetime
    leave_at: datetime
    seconds_left: int
    total: int
    answered: int
    last_seq: int
    chain_head: bytes
    has_ended: bool
    grace_ends_at: datetime
    accommodations: Accommodations
    notice: SittingNotice | None
    is_holder: bool

    @property
    def is_paused(self) -> bool:
        """The clock stands still, and so do the questions."""
        return self.status is SittingStatus.PAUSED

    @property
    def is_closing(self) -> bool:
        """Time is up, and what was answered before may still arrive."""
        return self.status is SittingStatus.TIMED_OUT and not self.has_ended


@dataclass(frozen=True, slots=True)
class AreaResult:
    """The points of one knowledge area."""

    area: int
    name: str
    points: Decimal
    of: Decimal


@dataclass(frozen=True, slots=True)
class SittingResult:
    """A marked sitting. A certificate exam's score is provisional until the authority releases it."""

    sitting_id: UUID
    title: str
    status: SittingStatus
    is_certificate_exam: bool
    state: ScoreState
    is_shown: bool
    points: Decimal
    total: Decimal
    cut_score: Decimal
    passed: bool
    areas: tuple[AreaResult, ...]
    started_at: datetime
    submitted_at: datetime
    released_at: datetime | None
    release_by: date | None
    withheld_reason: str


@dataclass(frozen=True, slots=True)
class Occasion:
    """Something that a person can sit now, is sitting, or has sat."""

    booking_id: UUID | None
    enterprise_exam_id: UUID | None
    sitting_id: UUID | None
    title: str
    place: str
    opens_at: datetime
    closes_at: datetime
    status: SittingStatus | None
    seconds_left: int
    attempts_left: int
    passed: bool = False

    @property
    def can_start(self) -> bool:
        """Whether the way in leads to a new or an open sitting."""
        return self.status in UNDER_WAY or self.attempts_left > 0


async def get_own_sitting(session: AsyncSession, *, sitting_id: UUID, person_id: UUID) -> Sitting:
    """The sitting as this person's own. Raises `NotFound`."""
    statement = select(Sitting).where(Sitting.id == sitting_id, Sitting.person_id == person_id)
    sitting = (await session.exec(statement)).one_or_none()
    if sitting is None:
        raise NotFound
    return sitting


async def get_answer_sheet(
    session: AsyncSession, *, sitting_id: UUID, person_id: UUID, now: datetime, device: Device | None = None
) -> AnswerSheet:
    """The paper in the candidate's own order, with the saved answers and the last sequence number.

    With a `device`, only for the one that holds the open sitting, so that nobody reads along
    elsewhere, and of a certificate exam not after the end: `DeviceTaken`, `SittingEnded`. While the
    clock stands still nobody reads on: `SittingPaused`.
    """
    sitting = await read_sitting(session, sitting_id=sitting_id, person_id=person_id, now=now)
    return await make_sheet(session, sitting, now=now, device=device)


async def make_sheet(
    session: AsyncSession,
    sitting: Any,  # noqa: ANN401 - what `read_sitting` gives
    *,
    now: datetime,
    device: Device | None = None,
) -> AnswerSheet:
    """The same of a sitting that has been read."""
    if device is not None:
        is_late = sitting.status is SittingStatus.OPEN and is_over(sitting.deadline, now=now)
        has_ended = sitting.status not in UNDER_WAY or is_late
        if has_ended and sitting.booking_id is not None:
            raise SittingEnded
        if not has_ended and not holds_sitting(sitting, device):
            raise DeviceTaken
        if sitting.status is SittingStatus.PAUSED:
            raise SittingPaused
    blueprint = await get_drawn_blueprint(session, sitting.blueprint_id)
    state, answers = state_of(sitting, now=now), _answers_of(sitting)
    paper = paper_items(sitting.paper)
    revisions = await list_revisions(session, [item.revision_id for item in paper])
    items = []
    for position, item in enumerate(paper, start=1):
        text = revisions[item.revision_id]
        options = tuple(
            SheetOption(LETTERS[place], text.options[original]) for place, original in enumerate(item.order)
        )
        points = blueprint.points_per_item
        items.append(SheetItem(position, text.type, text.stem, options, points, answers.get(position, "")))
    return AnswerSheet(
        sitting_id=sitting.id,
        title=state.title,
        part_of=blueprint.name,
        status=state.status,
        is_certificate_exam=state.is_certificate_exam,
        started_at=sitting.started_at,
        deadline=sitting.deadline,
        leave_at=state.leave_at,
        seconds_left=state.seconds_left,
        total=sitting.item_count,
        full_score=sitting.item_count * blueprint.points_per_item,
        pass_score=blueprint.pass_score,
        mc_rule=blueprint.mc_rule,
        answered=state.answered,
        last_seq=state.last_seq,
        chain_head=state.chain_head,
        accommodations=state.accommodations,
        items=tuple(items),
    )


async def get_sitting_state(
    session: AsyncSession, *, sitting_id: UUID, person_id: UUID, now: datetime, device: Device | None = None
) -> SittingState:
    """How one's sitting stands, for a `device` also whether it is the one that may answer."""
    return state_of(
        await read_sitting(session, sitting_id=sitting_id, person_id=person_id, now=now), now=now, device=device
    )


_LEAVE, _GRACE = "exam.leave_min", "exam.late_grace_seconds"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TITLE = func.coalesce(EnterpriseExam.title, Qualification.name).label("title")
_OWN = sqlalchemy.and_(
    col(Sitting.id) == bindparam("sitting_id"),
    col(Sitting.person_id) == bindparam("person_id"),
)


def _with_title(statement: Any) -> Any:  # noqa: ANN401 - an SQL expression
    return (
        statement.outerjoin(EnterpriseExam, col(EnterpriseExam.id) == Sitting.enterprise_exam_id)
        .outerjoin(Booking, col(Booking.id) == Sitting.booking_id)
        .outerjoin(Application, col(Application.id) == Booking.application_id)
        .outerjoin(Qualification, col(Qualification.code) == Application.qualification_code)
        .where(_OWN)
    )


# JSON knows no instants: whole milliseconds, as the chain counts them.
_MILLISECONDS = func.floor(func.extract("epoch", col(AnswerEvent.answered_at)) * 1000)
_EVENTS = (
    select(
        func.jsonb_agg(func.jsonb_build_array(AnswerEvent.seq, AnswerEvent.position, AnswerEvent.choice, _MILLISECONDS))
    )
    .where(AnswerEvent.sitting_id == Sitting.id)
    .correlate(Sitting)
    .scalar_subquery()
)
_SITTING = _with_title(
    sqlalchemy.select(
        *Sitting.metadata.tables["sitting"].c,
        _TITLE,
        _EVENTS.label("events"),
        RULES.label("rules"),
        LAST_NOTICE.label("notice"),
    ).select_from(Sitting)
)


async def read_sitting(
    session: AsyncSession, *, sitting_id: UUID, person_id: UUID, now: datetime, rules: Sequence[str] = ()
) -> Any:  # noqa: ANN401 - a row
    """One's own sitting with its title, its events and the rules that its state hangs on. Raises `NotFound`.

    More `rules` may be asked for; they stand in its `rules`.
    """
    codes = [_LEAVE, _GRACE, *rules]
    rows = await run(session, _SITTING, sitting_id=sitting_id, person_id=person_id, codes=codes, day=china_date(now))
    sitting = rows.one_or_none()
    if sitting is None:
        raise NotFound
    return sitting


def _answers_of(sitting: Any) -> dict[int, str]:  # noqa: ANN401 - a row
    return last_choices(tuple(event[:3]) for event in sitting.events or ())


def _chain_head(sitting: Any) -> bytes:  # noqa: ANN401 - a row
    return fold(
        sitting.id,
        (
            (seq, position, choice, None if at is None else _EPOCH + timedelta(milliseconds=at))
            for seq, position, choice, at in sorted(sitting.events or ())
        ),
    )


def state_of(sitting: Any, *, now: datetime, device: Device | None = None) -> SittingState:  # noqa: ANN401 - a row
    """How a sitting that has been read stands."""
    is_open, is_under_way = sitting.status is SittingStatus.OPEN, sitting.status in UNDER_WAY
    is_certificate_exam = sitting.booking_id is not None
    rules = check_rules(sitting.rules, (_LEAVE, _GRACE))
    minutes = int(rules[_LEAVE]) if is_certificate_exam else 0
    return SittingState(
        sitting_id=sitting.id,
        title=sitting.title,
        # Over is over, even if no worker has closed it yet.
        status=SittingStatus.TIMED_OUT if is_open and is_over(sitting.deadline, now=now) else sitting.status,
        is_certificate_exam=is_certificate_exam,
        device_number=sitting.device_number,
        is_released=is_under_way and sitting.device_token_hash is None,
        started_at=sitting.started_at,
        deadline=sitting.deadline,
        leave_at=earliest_leave(sitting.started_at, sitting.deadline, leave_minutes=minutes),
        seconds_left=seconds_left(sitting.deadline, now=sitting.paused_at or now) if is_under_way else 0,
        total=sitting.item_count,
        answered=len(_answers_of(sitting)),
        last_seq=max((event[0] for event in sitting.events or ()), default=0),
        chain_head=_chain_head(sitting),
        has_ended=sitting.submitted_at is not None,
        grace_ends_at=sitting.deadline + timedelta(seconds=int(rules[_GRACE])),
        accommodations=Accommodations.read(sitting.accommodations),
        notice=SittingNotice.read(sitting.notice),
        is_holder=device is not None and holds_sitting(sitting, device),
    )


_RESULT = _with_title(
    sqlalchemy.select(
        col(Sitting.id).label("sitting_id"), col(Sitting.status), col(Sitting.booking_id), col(Sitting.blueprint_id),
        col(Sitting.started_at), col(Sitting.submitted_at), _TITLE, col(Score.state), col(Score.points),
        col(Score.total), col(Score.cut_score), col(Score.passed), col(Score.areas), col(Score.released_at),
        col(Score.release_by), col(Score.withheld_reason),
    )
    .select_from(Sitting)
    .outerjoin(Score, col(Score.sitting_id) == Sitting.id)
)  # fmt: skip


async def get_result(session: AsyncSession, *, sitting_id: UUID, person_id: UUID) -> SittingResult:
    """The marks of one's own sitting. Raises `NotMarkedYet`; withheld and void scores show no points."""
    found = (await run(session, _RESULT, sitting_id=sitting_id, person_id=person_id)).one_or_none()
    if found is None:
        raise NotFound
    if found.state is None or found.submitted_at is None:
        raise NotMarkedYet
    names = (await get_drawn_blueprint(session, found.blueprint_id)).areas
    areas = tuple(
        AreaResult(int(area), names.get(int(area), ""), Decimal(mark["points"]), Decimal(mark["of"]))
        for area, mark in sorted(found.areas.items(), key=lambda pair: int(pair[0]))
    )
    is_shown = found.state in {ScoreState.PROVISIONAL, ScoreState.UNDER_REVIEW, ScoreState.RELEASED}
    return SittingResult(
        sitting_id=found.sitting_id,
        title=found.title,
        status=found.status,
        is_certificate_exam=found.booking_id is not None,
        state=found.state,
        is_shown=is_shown,
        points=found.points if is_shown else Decimal(0),
        total=found.total,
        cut_score=found.cut_score,
        passed=found.passed and is_shown,
        areas=areas if is_shown else (),
        started_at=found.started_at,
        submitted_at=found.submitted_at,
        released_at=found.released_at,
        release_by=found.release_by,
        withheld_reason=found.withheld_reason,
    )


async def list_occasions(session: AsyncSession, *, person_id: UUID, now: datetime) -> list[Occasion]:
    """What one can sit now or has sat: checked-in bookings and enterprise exams, the newest first."""
    occasions = await _certificate_occasions(session, person_id, now)
    occasions += await _enterprise_occasions(session, person_id, now)
    return sorted(occasions, key=lambda occasion: occasion.opens_at, reverse=True)


async def _certificate_occasions(session: AsyncSession, person_id: UUID, now: datetime) -> list[Occasion]:
    statement = (
        select(Booking, ExamSession, Qualification.name, ExamRoom.name)
        .join(ExamSession, col(ExamSession.id) == Booking.exam_session_id)
        .join(Qualification, col(Qualification.code) == ExamSession.qualification_code)
        .join(ExamRoom, col(ExamRoom.id) == ExamSession.room_id)
        .where(
            Booking.person_id == person_id,
            Booking.part == ExamPart.THEORY,
            col(Booking.status).in_((BookingStatus.CHECKED_IN, BookingStatus.DONE)),
        )
    )
    rows = (await session.exec(statement)).all()
    sittings = await _sittings_of(session, person_id)
    occasions = []
    for booking, exam_session, name, room in rows:
        site = await session.get_one(Organisation, exam_session.site_id)
        sitting = next((row for row in sittings if row.booking_id == booking.id), None)
        occasions.append(
            Occasion(
                booking_id=booking.id,
                enterprise_exam_id=None,
                sitting_id=sitting.id if sitting else None,
                title=name,
                place=f"{site.name} {room}",
                opens_at=exam_session.starts_at,
                closes_at=exam_session.ends_at,
                status=_shown_status(sitting, now),
                seconds_left=_left(sitting, now),
                attempts_left=int(_may_begin(booking, sitting) and now < exam_session.ends_at),
            )
        )
    return occasions


async def _enterprise_occasions(session: AsyncSession, person_id: UUID, now: datetime) -> list[Occasion]:
    statement = (
        select(EnterpriseExam, Organisation.name)
        .join(EnterpriseExamCandidate, col(EnterpriseExamCandidate.exam_id) == EnterpriseExam.id)
        .join(Organisation, col(Organisation.id) == EnterpriseExam.organisation_id)
        .where(EnterpriseExamCandidate.person_id == person_id)
    )
    rows = (await session.exec(statement)).all()
    sittings = await _sittings_of(session, person_id)
    passed = await _passed_exams(session, person_id)
    occasions = []
    for exam, organisation in rows:
        attempts = [row for row in sittings if row.enterprise_exam_id == exam.id]
        latest = max(attempts, key=lambda row: row.started_at, default=None)
        is_open = exam.opens_at <= now < exam.closes_at
        occasions.append(
            Occasion(
                booking_id=None,
                enterprise_exam_id=exam.id,
                sitting_id=latest.id if latest else None,
                title=exam.title,
                place=organisation,
                opens_at=exam.opens_at,
                closes_at=exam.closes_at,
                status=_shown_status(latest, now),
                seconds_left=_left(latest, now),
                attempts_left=max(exam.attempts_allowed - len(attempts), 0) if is_open else 0,
                passed=exam.id in passed,
            )
        )
    return occasions


async def _passed_exams(session: AsyncSession, person_id: UUID) -> set[UUID | None]:
    statement = (
        select(Sitting.enterprise_exam_id)
        .join(Score, col(Score.sitting_id) == Sitting.id)
        .where(Sitting.person_id == person_id, Sitting.status != SittingStatus.VOID, col(Score.passed))
    )
    return set((await session.exec(statement)).all())


async def _sittings_of(session: AsyncSession, person_id: UUID) -> list[Sitting]:
    statement = select(Sitting).where(Sitting.person_id == person_id, Sitting.status != SittingStatus.VOID)
    return list((await session.exec(statement)).all())


def _may_begin(booking: Booking, sitting: Sitting | None) -> bool:
    """Checked in, and not sat; after a sitting that was voided only if the authority allows another."""
    return sitting is None and booking.status is BookingStatus.CHECKED_IN


def _shown_status(sitting: Sitting | None, now: datetime) -> SittingStatus | None:
    if sitting is None:
        return None
    is_late = sitting.status is SittingStatus.OPEN and is_over(sitting.deadline, now=now)
    return SittingStatus.TIMED_OUT if is_late else sitting.status


def _left(sitting: Sitting | None, now: datetime) -> int:
    if sitting is None or sitting.status not in UNDER_WAY:
        return 0
    return seconds_left(sitting.deadline, now=sitting.paused_at or now)

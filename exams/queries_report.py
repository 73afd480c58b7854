"""The report of a session: read from its papers, answer events and scores, worked out off the event loop."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import sqlalchemy
from sqlmodel import col, func, select

from exams.answer_similarity import Similarities, compare_neighbours
from exams.marking import last_choices
from exams.models import (
    AnswerEvent,
    Booking,
    ExamPart,
    ExamSession,
    Qualification,
    RegradeKind,
    Score,
    ScoreState,
    Sitting,
)
from exams.papers import paper_items
from exams.response_times import Act, Pace, judge_paces, pace_of
from exams.rulings import earns, list_rulings
from exams.score_bands import Band, score_bands
from exams.session_report import (
    RELIABLE_FROM,
    Consistency,
    ItemLine,
    Reliability,
    Response,
    Scores,
    Taker,
    consistency,
    list_items,
    reliability,
    summarise,
)
from exams.sitting_states import UNDER_WAY
from question_bank.models import ItemType
from question_bank.queries import list_revisions
from training.errors import NotFound
from training.models import Organisation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal
    from typing import Any
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.papers import PaperItem
    from exams.rulings import Ruling
    from question_bank.queries import RevisionText

_LISTED_AT_MOST = 200


@dataclass(frozen=True, slots=True)
class Reported:
    """A session that has a report, as a list shows it."""

    exam_session_id: UUID
    qualification_name: str
    site_name: str
    starts_at: datetime
    scored: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What the statistics give."""

    scores: Scores
    bands: tuple[Band, ...]
    reliability: Reliability
    consistency: Consistency | None
    items: list[ItemLine]
    similarities: Similarities
    paces: list[Pace]


@dataclass(frozen=True, slots=True)
class SessionReport:
    """The whole report. `open_count` sittings still go on, so that the figures may change.

    `keys` are those that count now: where an item was regraded, what was decided of it.
    """

    session: Reported
    open_count: int
    figures: Figures
    revisions: Mapping[UUID, RevisionText]
    keys: Mapping[UUID, str]

    @property
    def is_small(self) -> bool:
        """Whether there are too few candidates for the figures to be relied on."""
        return self.figures.scores.count < RELIABLE_FROM


@dataclass(frozen=True, slots=True)
class _Turn:
    """One scored sitting, detached from the database.

    `needed` is the cut score's share of the full score; `result` are the points and the full score.
    """

    seat_no: int
    paper: tuple[PaperItem, ...]
    needed: Fraction
    passed: bool
    result: tuple[Decimal, Decimal]
    started_at: datetime
    ended_at: datetime
    events: Sequence[tuple[int, int, str, datetime | None, datetime]]


async def list_reported_sessions(session: AsyncSession) -> list[Reported]:
    """Theory sessions with scores, the latest first; at most 200."""
    statement: Any = (
        sqlalchemy.select(
            col(ExamSession.id),
            col(Qualification.name),
            col(Organisation.name),
            col(ExamSession.starts_at),
            func.count(),
        )
        .join(Qualification, col(Qualification.code) == ExamSession.qualification_code)
        .join(Organisation, col(Organisation.id) == ExamSession.site_id)
        .join(Booking, col(Booking.exam_session_id) == ExamSession.id)
        .join(Sitting, col(Sitting.booking_id) == Booking.id)
        .join(Score, col(Score.sitting_id) == Sitting.id)
        .where(col(ExamSession.part) == ExamPart.THEORY, col(Score.state) != ScoreState.VOID)
        .group_by(col(ExamSession.id), col(Qualification.name), col(Organisation.name))
        .order_by(col(ExamSession.starts_at).desc())
        .limit(_LISTED_AT_MOST)
    )
    return [Reported(*row) for row in (await session.exec(statement)).all()]


async def get_session_report(session: AsyncSession, *, exam_session_id: UUID) -> SessionReport:
    """The report of one session. Raises `NotFound` if nobody of it has a score."""
    exam_session = await session.get(ExamSession, exam_session_id)
    if exam_session is None:
        raise NotFound
    turns = await _list_turns(session, exam_session_id)
    if not turns:
        raise NotFound
    ids = sorted({item.revision_id for turn in turns for item in turn.paper})
    revisions = await list_revisions(session, ids)
    known = await list_rulings(session)
    rulings = {item: known[item] for item in ids if item in known}
    qualification = await session.get_one(Qualification, exam_session.qualification_code)
    site = await session.get_one(Organisation, exam_session.site_id)
    return SessionReport(
        session=Reported(exam_session.id, qualification.name, site.name, exam_session.starts_at, len(turns)),
        open_count=await _count_open(session, exam_session_id),
        figures=await asyncio.to_thread(_work_out, turns, revisions, rulings),
        revisions=revisions,
        keys=_keys_of(revisions, rulings),
    )


async def _count_open(session: AsyncSession, exam_session_id: UUID) -> int:
    statement = (
        select(func.count())
        .select_from(Sitting)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .where(Booking.exam_session_id == exam_session_id, col(Sitting.status).in_(UNDER_WAY))
    )
    return (await session.exec(statement)).one()


async def _list_turns(session: AsyncSession, exam_session_id: UUID) -> list[_Turn]:
    statement = (
        select(Sitting, Booking.seat_no, Score)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .join(Score, col(Score.sitting_id) == Sitting.id)
        .where(Booking.exam_session_id == exam_session_id, Score.state != ScoreState.VOID)
        .order_by(col(Booking.seat_no))
    )
    rows = (await session.exec(statement)).all()
    events = await _list_events(session, [sitting.id for sitting, _, _ in rows])
    return [
        _Turn(
            seat_no=seat_no,
            paper=paper_items(sitting.paper),
            needed=Fraction(score.cut_score) / Fraction(score.total),
            passed=score.passed,
            result=(score.points, score.total),
            started_at=sitting.started_at,
            ended_at=sitting.submitted_at or sitting.deadline,
            events=events.get(sitting.id, ()),
        )
        for sitting, seat_no, score in rows
    ]


async def _list_events(
    session: AsyncSession, sitting_ids: Sequence[UUID]
) -> dict[UUID, list[tuple[int, int, str, datetime | None, datetime]]]:
    # sqlmodel types `select` for four columns at most.
    statement: Any = (
        sqlalchemy.select(
            col(AnswerEvent.sitting_id), col(AnswerEvent.seq), col(AnswerEvent.position), col(AnswerEvent.choice),
            col(AnswerEvent.answered_at), col(AnswerEvent.saved_at),
        )
        .where(col(AnswerEvent.sitting_id).in_(sitting_ids))
        .order_by(col(AnswerEvent.sitting_id), col(AnswerEvent.seq))
    )  # fmt: skip
    events: dict[UUID, list[tuple[int, int, str, datetime | None, datetime]]] = {}
    for sitting_id, *event in (await session.exec(statement)).all():
        events.setdefault(sitting_id, []).append((event[0], event[1], event[2], event[3], event[4]))
    return events


def _keys_of(revisions: Mapping[UUID, RevisionText], rulings: Mapping[UUID, Ruling]) -> dict[UUID, str]:
    changed = {item: ruling.key for item, ruling in rulings.items() if ruling.keys}
    return {item: changed.get(item, text.key) for item, text in revisions.items()}


def _work_out(
    turns: Sequence[_Turn], revisions: Mapping[UUID, RevisionText], rulings: Mapping[UUID, Ruling]
) -> Figures:
    takers = [_taker_of(turn, revisions, rulings) for turn in turns]
    found = reliability(takers)
    keys = {
        item: (revisions[item].type, key, len(revisions[item].options))
        for item, key in _keys_of(revisions, rulings).items()
    }
    return Figures(
        scores=summarise(takers),
        bands=score_bands(turn.result for turn in turns),
        reliability=found,
        consistency=consistency(takers, found),
        items=list_items(takers, keys),
        similarities=compare_neighbours(takers),
        paces=judge_paces([_pace_of(turn, revisions, rulings) for turn in turns]),
    )


def _taker_of(turn: _Turn, revisions: Mapping[UUID, RevisionText], rulings: Mapping[UUID, Ruling]) -> Taker:
    """What counted of a paper: dropped items are out, the others right as they were last marked."""
    choices = last_choices((seq, position, choice) for seq, position, choice, *_ in turn.events)
    responses = []
    for position, item in enumerate(turn.paper, start=1):
        text, ruling = revisions[item.revision_id], rulings.get(item.revision_id)
        if ruling is not None and ruling.kind is RegradeKind.DROP:
            continue
        choice = choices.get(position, "")
        right = earns(item, text, choice, ruling)
        responses.append(Response(item.revision_id, item.original(choice), right, text.type is ItemType.TF))
    return Taker(turn.seat_no, tuple(responses), math.ceil(turn.needed * len(responses)), turn.passed)


def _pace_of(turn: _Turn, revisions: Mapping[UUID, RevisionText], rulings: Mapping[UUID, Ruling]) -> Pace:
    acts = []
    for _, position, choice, answered_at, saved_at in turn.events:
        if 1 <= position <= len(turn.paper):
            item = turn.paper[position - 1]
            right = earns(item, revisions[item.revision_id], choice, rulings.get(item.revision_id))
            acts.append(Act(position, answered_at, saved_at, right))
    return pace_of(turn.seat_no, started_at=turn.started_at, ended_at=turn.ended_at, acts=acts)

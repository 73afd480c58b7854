"""What a decision on an item would do to every score that it met, without doing it."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlmodel import col, select

from exams.models import (
    Application,
    Booking,
    EnterpriseExam,
    RegradeKind,
    Score,
    ScoreState,
    Sitting,
    SittingStatus,
)
from exams.papers import LETTERS, paper_items
from exams.remarking import mark_again, read_choices
from exams.rulings import ItemFigures, Ruling, count_choices, earns, item_figures, list_rulings
from question_bank.models import ItemType
from question_bank.queries import list_revisions
from training.models import Organisation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.marking import Mark

_NEW_KEYS = (RegradeKind.CHANGE_KEY, RegradeKind.ACCEPT_KEYS)


@dataclass(frozen=True, slots=True)
class Shift:
    """One score, as it is and as it would be."""

    score_id: UUID
    sitting_id: UUID
    state: ScoreState
    points: Decimal
    total: Decimal
    cut_score: Decimal
    passed: bool
    new_points: Decimal
    new_total: Decimal
    new_cut_score: Decimal
    new_passed: bool

    @property
    def rises(self) -> bool:
        """Whether a fail becomes a pass."""
        return self.new_passed and not self.passed

    @property
    def falls(self) -> bool:
        """Whether a pass becomes a fail."""
        return self.passed and not self.new_passed

    @property
    def changes(self) -> bool:
        """Whether anything of the score is different."""
        return (self.points, self.total, self.cut_score) != (self.new_points, self.new_total, self.new_cut_score)


@dataclass(frozen=True, slots=True)
class Affected(Shift):
    """A certificate exam's score."""

    application_id: UUID
    ticket_no: str


@dataclass(frozen=True, slots=True)
class StaffAffected(Shift):
    """The score of an enterprise's own exam. Who sat it is the enterprise's to know."""

    exam_id: UUID
    exam_title: str
    organisation_name: str


@dataclass(frozen=True, slots=True)
class ExamEffect:
    """How many scores of one enterprise exam are met, would change, rise and fall."""

    title: str
    organisation_name: str
    takers: int
    changing: int
    rising: int
    falling: int


@dataclass(frozen=True, slots=True)
class DryRun:
    """Everything that a regrade would do. `picked` counts choices in the revision's own letters.

    The figures of the item are of all who sat it; `rising` … count certificate exams alone.
    """

    lines: tuple[Affected, ...]
    staff: tuple[StaffAffected, ...]
    before: ItemFigures
    after: ItemFigures | None
    picked: tuple[tuple[str, int], ...]

    @property
    def rising(self) -> int:
        """How many would pass now."""
        return sum(line.rises for line in self.lines)

    @property
    def falling(self) -> int:
        """How many would fail now."""
        return sum(line.falls for line in self.lines)

    @property
    def changing(self) -> int:
        """How many scores would be different."""
        return sum(line.changes for line in self.lines)

    @property
    def exams(self) -> list[ExamEffect]:
        """The enterprise exams that are met, by enterprise and title."""
        return sorted(
            (_effect(lines) for lines in _by_exam(self.staff).values()),
            key=lambda effect: (effect.organisation_name, effect.title),
        )

    @property
    def staff_effect(self) -> ExamEffect:
        """All enterprise exams together."""
        return _effect(self.staff)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) over the lines: what an approver has seen."""
        told = "\n".join(
            f"{line.score_id} {line.state} {line.points:.2f} "
            f"{line.new_points:.2f} {line.new_total:.2f} {line.new_cut_score:.2f}"
            for line in sorted((*self.lines, *self.staff), key=lambda line: line.score_id)
        )
        return hashlib.sha256(told.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Marked:
    """A marked certificate exam with its locked rows, if they were asked for, and its answers."""

    score: Score
    sitting: Sitting
    choices: dict[int, str]
    booking: Booking
    application: Application


@dataclass(frozen=True, slots=True)
class StaffMarked:
    """A marked enterprise exam."""

    score: Score
    sitting: Sitting
    choices: dict[int, str]
    exam: EnterpriseExam
    organisation_name: str


@dataclass(frozen=True, slots=True)
class Effects:
    """A dry run with the rows that it is of and their new marks, by score."""

    dry_run: DryRun
    rows: list[Marked]
    staff_rows: list[StaffMarked]
    marks: dict[UUID, Mark]


async def try_regrade(session: AsyncSession, *, revision_id: UUID, ruling: Ruling) -> DryRun:
    """What a ruling would do to every exam that had the item, without doing it."""
    return (await work_out_effects(session, revision_id=revision_id, ruling=ruling)).dry_run


async def work_out_effects(
    session: AsyncSession, *, revision_id: UUID, ruling: Ruling, for_update: bool = False
) -> Effects:
    """Mark everybody again who had the item on the paper; locked, applications first, if it is to be done."""
    rows = await _list_marked(session, revision_id, for_update=for_update)
    staff_rows = await _list_staff_marked(session, revision_id, for_update=for_update)
    known = await list_rulings(session)
    rulings = known | {revision_id: ruling}
    everybody: list[Marked | StaffMarked] = [*rows, *staff_rows]
    marks = {row.score.id: await mark_again(session, row.sitting, row.choices, rulings) for row in everybody}
    before, after, picked = await _item_figures(session, everybody, revision_id, ruling, known)
    dry_run = DryRun(
        lines=tuple(
            Affected(**_shift(row.score, marks), application_id=row.application.id, ticket_no=row.booking.ticket_no)
            for row in rows
        ),
        staff=tuple(
            StaffAffected(
                **_shift(row.score, marks),
                exam_id=row.exam.id,
                exam_title=row.exam.title,
                organisation_name=row.organisation_name,
            )
            for row in staff_rows
        ),
        before=before,
        after=after if ruling.kind in _NEW_KEYS else None,
        picked=picked,
    )
    return Effects(dry_run, rows, staff_rows, marks)


async def _item_figures(
    session: AsyncSession,
    rows: Sequence[Marked | StaffMarked],
    revision_id: UUID,
    ruling: Ruling,
    known: Mapping[UUID, Ruling],
) -> tuple[ItemFigures, ItemFigures, tuple[tuple[str, int], ...]]:
    """How the item did by its own key and by the ruling, against the rest of each paper, and what was chosen."""
    item = (await list_revisions(session, [revision_id]))[revision_id]
    without = {**known, revision_id: Ruling(RegradeKind.DROP)}
    before, after, picked = [], [], []
    for row in rows:
        paper = paper_items(row.sitting.paper)
        position, asked = next((n, one) for n, one in enumerate(paper, 1) if one.revision_id == revision_id)
        choice = row.choices.get(position, "")
        rest = (await mark_again(session, row.sitting, row.choices, without)).points
        before.append((earns(asked, item, choice, None), rest))
        after.append((earns(asked, item, choice, ruling), rest))
        picked.append(asked.original(choice))
    letters = "TF" if item.type is ItemType.TF else LETTERS[: len(item.options)]
    return item_figures(before), item_figures(after), tuple(count_choices(picked, letters))


def _shift(score: Score, marks: Mapping[UUID, Mark]) -> dict[str, Any]:
    """The fields of a `Shift`."""
    mark = marks[score.id]
    was = {name: getattr(score, name) for name in ("sitting_id", "state", "points", "total", "cut_score", "passed")}
    new = {f"new_{name}": getattr(mark, name) for name in ("points", "total", "cut_score", "passed")}
    return {"score_id": score.id, **was, **new}


def _by_exam(staff: Sequence[StaffAffected]) -> dict[UUID, list[StaffAffected]]:
    exams: dict[UUID, list[StaffAffected]] = {}
    for line in staff:
        exams.setdefault(line.exam_id, []).append(line)
    return exams


def _effect(lines: Sequence[StaffAffected]) -> ExamEffect:
    counts = Counter(
        name for line in lines for name in ("changes", "rises", "falls") if getattr(line, name)
    )  # fmt: skip
    first = lines[0] if lines else None
    return ExamEffect(
        title=first.exam_title if first else "",
        organisation_name=first.organisation_name if first else "",
        takers=len(lines),
        changing=counts["changes"],
        rising=counts["rises"],
        falling=counts["falls"],
    )


def _has(revision_id: UUID) -> tuple[Any, ...]:
    """Marked, with the revision on the paper; what is void counts for nothing."""
    return (
        col(Sitting.paper).contains([{"revision": str(revision_id)}]),
        col(Sitting.status) != SittingStatus.VOID,
        col(Score.state) != ScoreState.VOID,
    )


async def _list_marked(session: AsyncSession, revision_id: UUID, *, for_update: bool) -> list[Marked]:
    statement = (
        select(Score, Sitting, Booking, Application)
        .join(Sitting, col(Sitting.id) == Score.sitting_id)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .join(Application, col(Application.id) == Booking.application_id)
        .where(*_has(revision_id))
        .order_by(col(Application.id), col(Sitting.started_at))
    )
    if for_update:
        statement = statement.with_for_update(of=(Application, Score)).execution_options(populate_existing=True)
    rows = (await session.exec(statement)).all()
    choices = await read_choices(session, [sitting.id for _, sitting, _, _ in rows])
    return [Marked(score, sitting, choices[sitting.id], booking, application)
            for score, sitting, booking, application in rows]  # fmt: skip


async def _list_staff_marked(session: AsyncSession, revision_id: UUID, *, for_update: bool) -> list[StaffMarked]:
    statement = (
        select(Score, Sitting, EnterpriseExam, Organisation.name)
        .join(Sitting, col(Sitting.id) == Score.sitting_id)
        .join(EnterpriseExam, col(EnterpriseExam.id) == Sitting.enterprise_exam_id)
        .join(Organisation, col(Organisation.id) == EnterpriseExam.organisation_id)
        .where(*_has(revision_id))
        .order_by(col(Score.id))
    )
    if for_update:
        statement = statement.with_for_update(of=Score).execution_options(populate_existing=True)
    rows = (await session.exec(statement)).all()
    choices = await read_choices(session, [sitting.id for _, sitting, _, _ in rows])
    return [StaffMarked(score, sitting, choices[sitting.id], exam, name) for score, sitting, exam, name in rows]

"""Regrading: an item found wrong is proposed by one person, tried out, approved by another, and every score follows."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlmodel import col, select

from exams.errors import ReasonNeeded
from exams.marking import Mark, last_choices
from exams.models import (
    AnswerEvent,
    Application,
    Booking,
    Regrade,
    RegradeKind,
    RegradeStatus,
    Score,
    ScoreState,
    Sitting,
    SittingStatus,
)
from exams.papers import LETTERS, paper_items
from exams.resettling import change_score, resettle
from exams.rulings import (
    ItemFigures,
    Ruling,
    count_choices,
    earns,
    item_figures,
    list_rulings,
    mark_by_rulings,
    ruling_of,
)
from question_bank.models import Item, ItemRevision, ItemType, RevisionStatus
from question_bank.queries import RevisionText, get_blueprint_version, list_revisions
from training import audit
from training.errors import N_, BadInput, Conflict, NotFound
from training.models import Person

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlmodel.ext.asyncio.session import AsyncSession

_LONGEST_REASON = 500
_AT_ONCE = 500


class BadKey(BadInput):
    """The new key is none, or the old one."""

    message = N_("请填写与原答案不同的新答案：判断题填 T 或 F，单选题填一个选项字母，多选题填两个以上选项字母。")


class AlreadyProposed(Conflict):
    """One proposal per revision at a time."""

    message = N_("这道题已有一份待批准的更正，请先处理那一份。")


class NeverSat(Conflict):
    """A draft has no answers to mark again."""

    message = N_("这一版题目没有发布过，没有需要更正的成绩。请直接修改题目。")


class SecondPersonNeeded(Conflict):
    """Two different people decide (also a constraint of the database)."""

    message = N_("更正由您提出，须由另一名有权限的人员批准。")


class AlreadyDecided(Conflict):
    """Approved or refused before."""

    message = N_("这份更正已经处理完毕，不能再次决定。")


class FiguresMoved(Conflict):
    """What was looked at is no longer what would happen."""

    message = N_("受影响的成绩在您查看之后有变化。请核对下面的最新试算结果，再决定是否批准。")


@dataclass(frozen=True, slots=True)
class Affected:
    """One score, as it is and as it would be."""

    score_id: UUID
    sitting_id: UUID
    application_id: UUID
    ticket_no: str
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
class DryRun:
    """Everything that a regrade would do. `picked` counts choices in the revision's own letters."""

    lines: tuple[Affected, ...]
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
    def digest(self) -> str:
        """SHA-256 (hex) over the lines: what an approver has seen."""
        told = "\n".join(
            f"{line.score_id} {line.state} {line.points} {line.new_points} {line.new_total} {line.new_cut_score}"
            for line in sorted(self.lines, key=lambda line: line.score_id)
        )
        return hashlib.sha256(told.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class RegradeView:
    """A regrade with its item and the names of those who decided."""

    id: UUID
    kind: RegradeKind
    status: RegradeStatus
    new_key: str
    reason: str
    item: RevisionText
    proposed_by: UUID
    proposer: str
    proposed_at: datetime
    decider: str
    decided_at: datetime | None
    decision_note: str
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Marked:
    score: Score
    sitting: Sitting
    booking: Booking
    application: Application
    choices: dict[int, str]


async def find_revision(session: AsyncSession, *, code: str = "", revision_id: UUID | None = None) -> RevisionText:
    """The revision itself, or an item's newest that was published. Raises `NotFound`."""
    if revision_id is None:
        statement = (
            select(ItemRevision.id)
            .join(Item, col(Item.id) == ItemRevision.item_id)
            .where(Item.code == code.strip(), col(ItemRevision.published_at).is_not(None))
            .order_by(col(ItemRevision.number).desc())
        )
        revision_id = (await session.exec(statement)).first()
    if revision_id is None:
        raise NotFound
    return (await list_revisions(session, [revision_id]))[revision_id]


def checked_key(item: RevisionText, kind: RegradeKind, new_key: str) -> str:
    """The new key in order; empty for the other kinds. Raises `BadKey`."""
    if kind is not RegradeKind.CHANGE_KEY:
        return ""
    key = "".join(sorted(set(new_key.upper()) - set(" ,，、")))
    allowed = "TF" if item.type is ItemType.TF else LETTERS[: len(item.options)]
    is_one = len(key) == 1
    if not key or key == item.key or set(key) - set(allowed) or is_one is (item.type is ItemType.MC):
        raise BadKey(field="new_key")
    return key


async def propose_regrade(
    session: AsyncSession,
    *,
    revision_id: UUID,
    kind: RegradeKind,
    new_key: str,
    reason: str,
    actor_id: UUID,
    now: datetime,
) -> Regrade:
    """Propose what shall count for a revision. Asked again in the same words it gives the same proposal."""
    item = (await list_revisions(session, [revision_id]))[revision_id]
    key, reason = checked_key(item, kind, new_key), reason.strip()
    if not reason or len(reason) > _LONGEST_REASON:
        raise ReasonNeeded(field="reason")
    statement = select(ItemRevision).where(ItemRevision.id == revision_id).with_for_update()
    revision = (await session.exec(statement)).one()
    if revision.status not in {RevisionStatus.PUBLISHED, RevisionStatus.RETIRED} or revision.published_at is None:
        raise NeverSat
    waiting = select(Regrade).where(Regrade.revision_id == revision_id, Regrade.status == RegradeStatus.PROPOSED)
    known = (await session.exec(waiting)).one_or_none()
    if known is not None:
        if (known.kind, known.new_key, known.reason, known.proposed_by) == (kind, key, reason, actor_id):
            return known
        raise AlreadyProposed
    regrade = Regrade(
        revision_id=revision_id, kind=kind, new_key=key, reason=reason, proposed_by=actor_id, proposed_at=now
    )
    session.add(regrade)
    audit.record(
        session, action="regrade.proposed", target=("regrade", regrade.id), actor_id=actor_id, now=now,
        revision_id=revision_id, kind=kind, reason=reason,
    )  # fmt: skip
    await session.flush()
    return regrade


async def try_regrade(session: AsyncSession, *, revision_id: UUID, ruling: Ruling) -> DryRun:
    """What a ruling would do to every certificate exam that had the item, without doing it."""
    dry_run, _, _ = await _try(session, revision_id=revision_id, ruling=ruling)
    return dry_run


async def approve_regrade(
    session: AsyncSession, *, regrade_id: UUID, actor_id: UUID, seen: str, certified: Collection[UUID], now: datetime
) -> Regrade:
    """Let a second person put a proposal into force: scores and applications change at once, or nothing does.

    `seen` is the digest of the dry run that the approver looked at. Applications in `certified`
    have led to a certificate: their scores change, their standing stays, since taking a
    certificate back is an act of its own (行政许可法 art. 69). Raises `SecondPersonNeeded`,
    `AlreadyDecided`, `FiguresMoved`.
    """
    regrade = await _lock_regrade(session, regrade_id)
    if regrade.status is RegradeStatus.APPROVED and regrade.decided_by == actor_id:
        return regrade
    if regrade.status is not RegradeStatus.PROPOSED:
        raise AlreadyDecided
    if regrade.proposed_by == actor_id:
        raise SecondPersonNeeded
    dry_run, rows, marks = await _try(
        session, revision_id=regrade.revision_id, ruling=ruling_of(regrade), for_update=True
    )
    if dry_run.digest != seen:
        raise FiguresMoved
    regrade.status, regrade.decided_by, regrade.decided_at = RegradeStatus.APPROVED, actor_id, now
    regrade.figures = {
        "changed": dry_run.changing, "rising": dry_run.rising, "falling": dry_run.falling, "takers": len(rows),
    }  # fmt: skip
    session.add(regrade)
    for row in rows:
        change_score(session, row.score, marks[row.score.id], actor_id=actor_id, now=now, regrade_id=regrade.id)
    await session.flush()
    for application in {row.application.id: row.application for row in rows}.values():
        await resettle(session, application, is_certified=application.id in certified, now=now)
    audit.record(
        session,
        action="regrade.approved",
        target=("regrade", regrade.id),
        actor_id=actor_id,
        now=now,
        **regrade.figures,
    )
    await session.flush()
    return regrade


async def refuse_regrade(
    session: AsyncSession, *, regrade_id: UUID, actor_id: UUID, note: str, now: datetime
) -> Regrade:
    """Turn a proposal down, or take one's own back; with a reason."""
    note = note.strip()
    if not note or len(note) > _LONGEST_REASON:
        raise ReasonNeeded(field="note")
    regrade = await _lock_regrade(session, regrade_id)
    if regrade.status is RegradeStatus.REFUSED and regrade.decided_by == actor_id:
        return regrade
    if regrade.status is not RegradeStatus.PROPOSED:
        raise AlreadyDecided
    regrade.status, regrade.decided_by, regrade.decided_at = RegradeStatus.REFUSED, actor_id, now
    regrade.decision_note = note
    session.add(regrade)
    audit.record(
        session, action="regrade.refused", target=("regrade", regrade.id), actor_id=actor_id, now=now, reason=note
    )
    await session.flush()
    return regrade


async def apply_rulings(
    session: AsyncSession, scored: Sequence[tuple[Score, Sitting]], *, actor_id: UUID | None, now: datetime
) -> int:
    """Bring locked scores up to what was decided before they are released. Gives how many changed.

    So a paper that was handed in after a decision is marked by it too.
    """
    rulings = await list_rulings(session)
    meant = [
        (score, sitting, ids)
        for score, sitting in scored
        if (ids := {item.revision_id for item in paper_items(sitting.paper)} & rulings.keys())
    ]
    choices = await read_choices(session, [sitting.id for _, sitting, _ in meant])
    changed = 0
    for score, sitting, ids in meant:
        mark = await mark_again(session, sitting, choices[sitting.id], rulings)
        # The last decision names the change; all of them are in it.
        regrade_id = [rulings[revision_id].regrade_id for revision_id in rulings if revision_id in ids][-1]
        changed += change_score(session, score, mark, actor_id=actor_id, now=now, regrade_id=regrade_id)
    await session.flush()
    return changed


async def mark_again(
    session: AsyncSession, sitting: Sitting, choices: Mapping[int, str], rulings: Mapping[UUID, Ruling]
) -> Mark:
    """The mark of a sitting by what was decided."""
    blueprint = await get_blueprint_version(session, sitting.blueprint_id)
    paper = paper_items(sitting.paper)
    return mark_by_rulings(
        paper,
        await list_revisions(session, [item.revision_id for item in paper]),
        choices,
        points_per_item=Decimal(blueprint.points_per_item),
        cut_score=Decimal(blueprint.pass_score),
        mc_rule=blueprint.mc_rule,
        rulings=rulings,
    )


async def list_regrades(session: AsyncSession, *, limit: int = 100) -> list[RegradeView]:
    """Proposals first, then the newest decisions."""
    is_decided = Regrade.status != RegradeStatus.PROPOSED
    statement = select(Regrade).order_by(is_decided, col(Regrade.proposed_at).desc()).limit(limit)  # type: ignore[arg-type]
    return [await _view(session, row) for row in (await session.exec(statement)).all()]


async def get_regrade(session: AsyncSession, regrade_id: UUID) -> RegradeView:
    """One regrade. Raises `NotFound`."""
    regrade = await session.get(Regrade, regrade_id)
    if regrade is None:
        raise NotFound
    return await _view(session, regrade)


async def _view(session: AsyncSession, regrade: Regrade) -> RegradeView:
    items = await list_revisions(session, [regrade.revision_id])
    proposer = await session.get_one(Person, regrade.proposed_by)
    decider = await session.get_one(Person, regrade.decided_by) if regrade.decided_by else None
    return RegradeView(
        id=regrade.id,
        kind=regrade.kind,
        status=regrade.status,
        new_key=regrade.new_key,
        reason=regrade.reason,
        item=items[regrade.revision_id],
        proposed_by=regrade.proposed_by,
        proposer=proposer.name,
        proposed_at=regrade.proposed_at,
        decider=decider.name if decider else "",
        decided_at=regrade.decided_at,
        decision_note=regrade.decision_note,
        figures=regrade.figures,
    )


async def _lock_regrade(session: AsyncSession, regrade_id: UUID) -> Regrade:
    statement = select(Regrade).where(Regrade.id == regrade_id).with_for_update()
    regrade = (await session.exec(statement.execution_options(populate_existing=True))).one_or_none()
    if regrade is None:
        raise NotFound
    return regrade


async def _try(
    session: AsyncSession, *, revision_id: UUID, ruling: Ruling, for_update: bool = False
) -> tuple[DryRun, list[_Marked], dict[UUID, Mark]]:
    item = (await list_revisions(session, [revision_id]))[revision_id]
    rows = await _list_marked(session, revision_id, for_update=for_update)
    known = await list_rulings(session)
    rulings = known | {revision_id: ruling}
    marks = {row.score.id: await mark_again(session, row.sitting, row.choices, rulings) for row in rows}
    before, after, picked = [], [], []
    for row in rows:
        paper = paper_items(row.sitting.paper)
        position, asked = next((n, one) for n, one in enumerate(paper, 1) if one.revision_id == revision_id)
        choice = row.choices.get(position, "")
        was = await mark_again(session, row.sitting, row.choices, known | {revision_id: Ruling(RegradeKind.DROP)})
        before.append((earns(asked, item, choice, None), was.points))
        after.append((earns(asked, item, choice, ruling), was.points))
        picked.append(asked.original(choice))
    letters = "TF" if item.type is ItemType.TF else LETTERS[: len(item.options)]
    dry_run = DryRun(
        lines=tuple(_line(row, marks[row.score.id]) for row in rows),
        before=item_figures(before),
        after=item_figures(after) if ruling.kind is RegradeKind.CHANGE_KEY else None,
        picked=tuple(count_choices(picked, letters)),
    )
    return dry_run, rows, marks


def _line(row: _Marked, mark: Mark) -> Affected:
    return Affected(
        score_id=row.score.id,
        sitting_id=row.sitting.id,
        application_id=row.application.id,
        ticket_no=row.booking.ticket_no,
        state=row.score.state,
        points=row.score.points,
        total=row.score.total,
        cut_score=row.score.cut_score,
        passed=row.score.passed,
        new_points=mark.points,
        new_total=mark.total,
        new_cut_score=mark.cut_score,
        new_passed=mark.passed,
    )


async def _list_marked(session: AsyncSession, revision_id: UUID, *, for_update: bool) -> list[_Marked]:
    """Every marked certificate exam with the revision on its paper; void ones count for nothing."""
    statement = (
        select(Score, Sitting, Booking, Application)
        .join(Sitting, col(Sitting.id) == Score.sitting_id)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .join(Application, col(Application.id) == Booking.application_id)
        .where(
            col(Sitting.paper).contains([{"revision": str(revision_id)}]),
            Sitting.status != SittingStatus.VOID,
            Score.state != ScoreState.VOID,
        )
        .order_by(col(Application.id), col(Sitting.started_at))
    )
    if for_update:
        statement = statement.with_for_update(of=(Application, Score)).execution_options(populate_existing=True)
    rows = (await session.exec(statement)).all()
    choices = await read_choices(session, [sitting.id for _, sitting, _, _ in rows])
    return [_Marked(score, sitting, booking, application, choices[sitting.id])
            for score, sitting, booking, application in rows]  # fmt: skip


async def read_choices(session: AsyncSession, sitting_ids: Sequence[UUID]) -> dict[UUID, dict[int, str]]:
    """What counts of the stored answers of each sitting."""
    acts: dict[UUID, list[tuple[int, int, str]]] = defaultdict(list)
    for first in range(0, len(sitting_ids), _AT_ONCE):
        statement = select(AnswerEvent.sitting_id, AnswerEvent.seq, AnswerEvent.position, AnswerEvent.choice).where(
            col(AnswerEvent.sitting_id).in_(sitting_ids[first : first + _AT_ONCE])
        )
        for sitting_id, seq, position, choice in (await session.exec(statement)).all():
            acts[sitting_id].append((seq, position, choice))
    return {sitting_id: last_choices(acts[sitting_id]) for sitting_id in sitting_ids}

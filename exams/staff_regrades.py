"""A regrade in enterprises' own exams: scores, training records, and what staff and safety officers are told."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlmodel import col, select

from exams.models import EnterpriseExam, Regrade, RegradeStatus, Score, ScoreRevision, Sitting, SittingStatus
from exams.remarking import mark_again, read_choices
from exams.resettling import change_score
from exams.rulings import list_rulings
from exams.staff_records import follow_score
from question_bank.queries import list_revisions
from training.errors import NotFound
from training.models import Person, Role
from training.notices import NoticeKind, notify
from training.organisations import list_holders

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.marking import Mark
    from exams.regrade_effects import Effects, StaffMarked

# A decision and a hand-in that do not see each other are no further apart than two requests can be.
_APART = timedelta(minutes=2)
_LOOKED_BACK = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class StaffCorrection:
    """One of the staff whose score a decision of the authority changed, as their enterprise sees it."""

    person_id: UUID
    name: str
    at: datetime
    reason: str
    points_before: Decimal
    points: Decimal
    total: Decimal
    passed_before: bool
    passed: bool


async def regrade_staff(
    session: AsyncSession, regrade: Regrade, effects: Effects, *, actor_id: UUID, now: datetime
) -> None:
    """Change the locked scores of enterprise exams, let the training records follow, and tell who is concerned."""
    code = (await list_revisions(session, [regrade.revision_id]))[regrade.revision_id].code
    changed: dict[UUID, list[StaffMarked]] = defaultdict(list)
    for row in effects.staff_rows:
        mark = effects.marks[row.score.id]
        if await _change(session, regrade, row.score, row.sitting, row.exam, mark, actor_id=actor_id, now=now):
            changed[row.exam.id].append(row)
    shifts = {line.score_id: line for line in effects.dry_run.staff}
    for rows in changed.values():
        exam = rows[0].exam
        lines = [shifts[row.score.id] for row in rows]
        notify(
            session,
            await list_holders(session, role=Role.ENTERPRISE_MANAGER, organisation_id=exam.organisation_id),
            NoticeKind.STAFF_SCORES_CHANGED, now=now, link=f"/enterprise/exams/{exam.id}", code=code, title=exam.title,
            count=len(rows), rising=sum(line.rises for line in lines), falling=sum(line.falls for line in lines),
        )  # fmt: skip


async def mend_missed_scores(session: AsyncSession, *, now: datetime, limit: int = 500) -> int:
    """Mark again what was handed in while a decision on one of its items was made. Gives how many changed.

    A hand-in may have read the decisions just before one was committed. Certificate exams are
    brought up to them when they are released; enterprise exams are told at once, so that a job looks.
    """
    statement = select(Regrade).where(
        Regrade.status == RegradeStatus.APPROVED, col(Regrade.decided_at) > now - _LOOKED_BACK
    )
    changed = 0
    for regrade in (await session.exec(statement)).all():
        decided_at = regrade.decided_at or now
        met = (
            select(Score, Sitting, EnterpriseExam)
            .join(Sitting, col(Sitting.id) == Score.sitting_id)
            .join(EnterpriseExam, col(EnterpriseExam.id) == Sitting.enterprise_exam_id)
            .where(
                col(Sitting.paper).contains([{"revision": str(regrade.revision_id)}]),
                Sitting.status != SittingStatus.VOID,
                col(Score.marked_at).between(decided_at - _APART, decided_at + _APART),
            )
            .order_by(col(Score.id))
            .limit(limit)
            .with_for_update(of=Score, skip_locked=True)
            .execution_options(populate_existing=True)
        )
        rows = (await session.exec(met)).all()
        rulings = await list_rulings(session)
        choices = await read_choices(session, [sitting.id for _, sitting, _ in rows])
        for score, sitting, exam in rows:
            mark = await mark_again(session, sitting, choices[sitting.id], rulings)
            changed += await _change(session, regrade, score, sitting, exam, mark, actor_id=None, now=now)
    await session.flush()
    return changed


async def _change(
    session: AsyncSession,
    regrade: Regrade,
    score: Score,
    sitting: Sitting,
    exam: EnterpriseExam,
    mark: Mark,
    *,
    actor_id: UUID | None,
    now: datetime,
) -> bool:
    """Give a locked score its new mark, let the training record follow, and tell who sat it."""
    before = score.points
    if not change_score(session, score, mark, actor_id=actor_id, now=now, regrade_id=regrade.id):
        return False
    code = (await list_revisions(session, [regrade.revision_id]))[regrade.revision_id].code
    reason = f"题目 {code} 更正：{regrade.reason}"
    decided_by = actor_id or regrade.decided_by or regrade.proposed_by
    await follow_score(session, sitting=sitting, mark=mark, reason=reason, actor_id=decided_by, now=now)
    notify(
        session, [sitting.person_id], NoticeKind.SCORE_CHANGED, now=now, link=f"/sittings/{sitting.id}/result",
        title=exam.title, before=before, points=mark.points, total=mark.total, passed=mark.passed,
        reason=regrade.reason,
    )  # fmt: skip
    return True


async def list_staff_corrections(
    session: AsyncSession, *, exam_id: UUID, organisation_id: UUID
) -> list[StaffCorrection]:
    """Whose scores of one's own exam were changed, the newest first; who fell by it stands out by `passed`."""
    exam = await session.get(EnterpriseExam, exam_id)
    if exam is None or exam.organisation_id != organisation_id:
        raise NotFound
    statement = (
        select(ScoreRevision, Regrade, Person)
        .join(Regrade, col(Regrade.id) == ScoreRevision.regrade_id)
        .join(Score, col(Score.id) == ScoreRevision.score_id)
        .join(Sitting, col(Sitting.id) == Score.sitting_id)
        .join(Person, col(Person.id) == Sitting.person_id)
        .where(Sitting.enterprise_exam_id == exam_id)
        .order_by(col(ScoreRevision.at).desc(), col(Person.name))
    )
    return [
        StaffCorrection(
            person_id=person.id,
            name=person.name,
            at=row.at,
            reason=regrade.reason,
            points_before=Decimal(row.was["points"]),
            points=Decimal(row.became["points"]),
            total=Decimal(row.became["total"]),
            passed_before=row.was["passed"],
            passed=row.became["passed"],
        )
        for row, regrade, person in (await session.exec(statement)).all()
    ]

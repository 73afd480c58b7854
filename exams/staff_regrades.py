"""A regrade in enterprises' own exams: scores, training records, and what staff and safety officers are told."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlmodel import col, select

from exams.models import EnterpriseExam, Regrade, Score, ScoreRevision, Sitting
from exams.resettling import change_score
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

    from exams.regrade_effects import Effects, StaffMarked


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
        before, mark = row.score.points, effects.marks[row.score.id]
        if not change_score(session, row.score, mark, actor_id=actor_id, now=now, regrade_id=regrade.id):
            continue
        changed[row.exam.id].append(row)
        reason = f"题目 {code} 更正：{regrade.reason}"
        await follow_score(session, sitting=row.sitting, mark=mark, reason=reason, actor_id=actor_id, now=now)
        notify(
            session, [row.sitting.person_id], NoticeKind.SCORE_CHANGED, now=now,
            link=f"/sittings/{row.sitting.id}/result", title=row.exam.title, before=before, points=mark.points,
            total=mark.total, passed=mark.passed, reason=regrade.reason,
        )  # fmt: skip
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

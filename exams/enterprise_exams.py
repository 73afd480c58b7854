"""Online exams that an enterprise sets for its own staff: anywhere, no seat, never for a certificate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, func, select

from exams.models import EnterpriseExam, EnterpriseExamCandidate, Score, Sitting, SittingStatus
from exams.papers import draw_paper
from exams.sitting_states import UNDER_WAY
from question_bank.queries import get_blueprint, load_pool
from training import audit
from training.errors import N_, BadInput, NotFound
from training.models import Employment, Organisation, Person

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel.ext.asyncio.session import AsyncSession

_MOST_ATTEMPTS = 10


class BadTitle(BadInput):
    """No title, or a very long one."""

    message = N_("请填写考试名称，不超过 200 个字。")


class BadOpening(BadInput):
    """It closes before it opens, or has closed already."""

    message = N_("考试的截止时间应晚于开始时间，并且晚于现在。")


class BadAttempts(BadInput):
    """No or too many attempts."""

    message = N_("允许的考试次数应为 1 到 {most} 次。")


class NotStaff(BadInput):
    """Somebody who does not work there."""

    message = N_("所选人员中有 {count} 人目前不是本单位员工，没有发出邀请。请刷新名单后重新选择。")


@dataclass(frozen=True)
class NewExam:
    """What a manager fills in."""

    title: str
    opens_at: datetime
    closes_at: datetime
    blueprint_code: str = "GEN"
    attempts_allowed: int = 2
    needs_seb: bool = False


@dataclass(frozen=True, slots=True)
class ExamLine:
    """An exam in the manager's list."""

    id: UUID
    title: str
    blueprint_code: str
    opens_at: datetime
    closes_at: datetime
    attempts_allowed: int
    invited: int
    sat: int
    passed: int
    needs_seb: bool = False

    def is_open(self, now: datetime) -> bool:
        """Whether it can be begun."""
        return self.opens_at <= now < self.closes_at


@dataclass(frozen=True, slots=True)
class CandidateLine:
    """One of the staff with the best result so far."""

    person_id: UUID
    name: str
    attempts: int
    is_sitting: bool
    best: Decimal | None
    total: Decimal | None
    passed: bool


async def create_exam(
    session: AsyncSession, *, organisation_id: UUID, new: NewExam, actor_id: UUID, now: datetime
) -> EnterpriseExam:
    """Set an exam. Refused with the cell that is short when the bank cannot fill a paper.

    The same exam set again, with its title and times, is the one that stands.
    """
    title = new.title.strip()
    if not title or len(title) > 200:  # noqa: PLR2004 - the column's length
        raise BadTitle(field="title")
    if not now < new.closes_at > new.opens_at:
        raise BadOpening(field="closes_at")
    if not 1 <= new.attempts_allowed <= _MOST_ATTEMPTS:
        raise BadAttempts(most=_MOST_ATTEMPTS, field="attempts_allowed")
    blueprint = await get_blueprint(session, new.blueprint_code)
    draw_paper((await load_pool(session, new.blueprint_code)).items, blueprint.cells, seed=0)
    await session.exec(select(Organisation.id).where(Organisation.id == organisation_id).with_for_update())
    if standing := await _find_same(session, organisation_id, title, new):
        return standing
    exam = EnterpriseExam(
        organisation_id=organisation_id,
        blueprint_code=new.blueprint_code,
        title=title,
        opens_at=new.opens_at,
        closes_at=new.closes_at,
        attempts_allowed=new.attempts_allowed,
        needs_seb=new.needs_seb,
        created_by=actor_id,
        created_at=now,
    )
    session.add(exam)
    await session.flush()
    audit.record(
        session, action="enterprise_exam.created", target=("enterprise_exam", exam.id), actor_id=actor_id, now=now
    )
    return exam


async def _find_same(session: AsyncSession, organisation_id: UUID, title: str, new: NewExam) -> EnterpriseExam | None:
    statement = select(EnterpriseExam).where(
        EnterpriseExam.organisation_id == organisation_id,
        EnterpriseExam.title == title,
        EnterpriseExam.blueprint_code == new.blueprint_code,
        EnterpriseExam.opens_at == new.opens_at,
        EnterpriseExam.closes_at == new.closes_at,
        EnterpriseExam.needs_seb == new.needs_seb,
        EnterpriseExam.attempts_allowed == new.attempts_allowed,
    )
    return (await session.exec(statement)).first()


async def invite_staff(
    session: AsyncSession,
    *,
    exam_id: UUID,
    organisation_id: UUID,
    person_ids: Sequence[UUID],
    actor_id: UUID,
    now: datetime,
) -> int:
    """Let staff of the exam's own enterprise sit it; who is invited already stays so. Gives how many are new."""
    await _lock_exam(session, exam_id, organisation_id)
    wanted = set(person_ids)
    statement = select(Employment.person_id).where(
        Employment.organisation_id == organisation_id,
        col(Employment.ended_on).is_(None),
        col(Employment.person_id).in_(wanted),
    )
    strangers = wanted - set((await session.exec(statement)).all())
    if strangers:
        raise NotStaff(count=len(strangers), field="person_ids")
    known = select(EnterpriseExamCandidate.person_id).where(EnterpriseExamCandidate.exam_id == exam_id)
    fresh = sorted(wanted - set((await session.exec(known)).all()))
    if fresh:
        rows = [{"exam_id": exam_id, "person_id": person_id, "invited_at": now} for person_id in fresh]
        await session.exec(insert(EnterpriseExamCandidate).values(rows).on_conflict_do_nothing())
        audit.record(
            session, action="enterprise_exam.staff_invited", target=("enterprise_exam", exam_id), actor_id=actor_id,
            now=now, count=len(fresh),
        )  # fmt: skip
    return len(fresh)


async def reschedule_exam(
    session: AsyncSession,
    *,
    exam_id: UUID,
    organisation_id: UUID,
    opens_at: datetime,
    closes_at: datetime,
    actor_id: UUID,
    now: datetime,
) -> None:
    """Open or close an exam at other times; who has begun keeps the full time."""
    exam = await _lock_exam(session, exam_id, organisation_id)
    if not opens_at < closes_at:
        raise BadOpening(field="closes_at")
    if (exam.opens_at, exam.closes_at) == (opens_at, closes_at):
        return
    was = {"opens_at": exam.opens_at.isoformat(), "closes_at": exam.closes_at.isoformat()}
    exam.opens_at, exam.closes_at = opens_at, closes_at
    session.add(exam)
    audit.record(
        session, action="enterprise_exam.rescheduled", target=("enterprise_exam", exam_id), actor_id=actor_id, now=now,
        was=was,
    )  # fmt: skip
    await session.flush()


async def list_exams(session: AsyncSession, *, organisation_id: UUID) -> list[ExamLine]:
    """An enterprise's exams, the newest first."""
    statement = (
        select(EnterpriseExam)
        .where(EnterpriseExam.organisation_id == organisation_id)
        .order_by(col(EnterpriseExam.opens_at).desc())
    )
    return [await _line_of(session, exam) for exam in (await session.exec(statement)).all()]


async def get_exam(session: AsyncSession, *, exam_id: UUID, organisation_id: UUID) -> ExamLine:
    """One of the enterprise's own exams. Raises `NotFound`."""
    exam = await session.get(EnterpriseExam, exam_id)
    if exam is None or exam.organisation_id != organisation_id:
        raise NotFound
    return await _line_of(session, exam)


async def _line_of(session: AsyncSession, exam: EnterpriseExam) -> ExamLine:
    invited = select(func.count()).where(EnterpriseExamCandidate.exam_id == exam.id)
    sat = select(
        func.count(func.distinct(Sitting.person_id)),
        func.count(func.distinct(Sitting.person_id)).filter(col(Score.passed)),
    ).select_from(Sitting)
    sat = sat.outerjoin(Score, col(Score.sitting_id) == Sitting.id).where(
        Sitting.enterprise_exam_id == exam.id, Sitting.status != SittingStatus.VOID
    )
    sitters, passed = (await session.exec(sat)).one()
    return ExamLine(
        id=exam.id,
        title=exam.title,
        blueprint_code=exam.blueprint_code,
        opens_at=exam.opens_at,
        closes_at=exam.closes_at,
        attempts_allowed=exam.attempts_allowed,
        invited=(await session.exec(invited)).one(),
        sat=sitters,
        passed=passed,
        needs_seb=exam.needs_seb,
    )


async def list_candidates(session: AsyncSession, *, exam_id: UUID, organisation_id: UUID) -> list[CandidateLine]:
    """Everyone invited, by name, with the best result."""
    await get_exam(session, exam_id=exam_id, organisation_id=organisation_id)
    people = (
        select(Person.id, Person.name)
        .join(EnterpriseExamCandidate, col(EnterpriseExamCandidate.person_id) == Person.id)
        .where(EnterpriseExamCandidate.exam_id == exam_id)
        .order_by(col(Person.name))
    )
    sittings = (
        select(Sitting.person_id, Sitting.status, Score)
        .outerjoin(Score, col(Score.sitting_id) == Sitting.id)
        .where(Sitting.enterprise_exam_id == exam_id, Sitting.status != SittingStatus.VOID)
    )
    attempts: dict[UUID, list[tuple[str, Score | None]]] = {}
    for person_id, status, score in (await session.exec(sittings)).all():
        attempts.setdefault(person_id, []).append((status, score))
    lines = []
    for person_id, name in (await session.exec(people)).all():
        own = attempts.get(person_id, [])
        best = max((score for _, score in own if score), key=lambda score: (score.passed, score.points), default=None)
        lines.append(
            CandidateLine(
                person_id=person_id,
                name=name,
                attempts=len(own),
                is_sitting=any(status in UNDER_WAY for status, _ in own),
                best=best.points if best else None,
                total=best.total if best else None,
                passed=bool(best and best.passed),
            )
        )
    return lines


async def _lock_exam(session: AsyncSession, exam_id: UUID, organisation_id: UUID) -> EnterpriseExam:
    exam = await session.get(EnterpriseExam, exam_id, with_for_update=True, populate_existing=True)
    if exam is None or exam.organisation_id != organisation_id:
        raise NotFound
    return exam

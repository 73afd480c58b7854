"""`/authority`: what waits for the viewer, by the roles that they hold."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy
from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.response import Template
from sqlmodel import col, func
from sqlmodel.ext.asyncio.session import AsyncSession

from certificates.models import CertificateRequest, CertificateRequestStatus
from exams.appeals import count_open_appeals
from exams.limits import get_near_until
from exams.models import (
    Application,
    ApplicationStatus,
    PracticalResult,
    Regrade,
    RegradeStatus,
    Score,
    ScoreState,
    Sitting,
)
from exams.queries_scores import WAITING
from question_bank.listing import count_waiting, list_to_review
from training.accounts import Viewer
from training.calendar import china_date
from training.errors import N_, NotAllowed
from training.models import Role

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date


@dataclass(frozen=True)
class Task:
    """One kind of work: how much of it waits, how much is late or nearly so, and where it is done."""

    title: str
    hint: str
    icon: str
    url: str
    count: int
    late: int = 0
    near: int = 0


@dataclass(frozen=True)
class Place:
    """A page that one of the viewer's roles uses."""

    title: str
    icon: str
    url: str


_PLACES: tuple[tuple[tuple[Role, ...], Place], ...] = (
    ((Role.QUESTION_EDITOR, Role.QUESTION_REVIEWER), Place(N_("题库"), "list-details", "/authority/items")),
    ((Role.QUESTION_EDITOR, Role.QUESTION_REVIEWER), Place(N_("组卷方案"), "layout-grid", "/authority/blueprints")),
    ((Role.QUESTION_EDITOR,), Place(N_("批量导入题目"), "file-upload", "/authority/items/import")),
    ((Role.APPLICATION_REVIEWER,), Place(N_("考试申请"), "clipboard-text", "/authority/applications")),
    ((Role.APPLICATION_REVIEWER, Role.ISSUER), Place(N_("考试计划"), "calendar", "/authority/plans")),
    ((Role.APPLICATION_REVIEWER, Role.ISSUER), Place(N_("试卷存档和印制"), "printer", "/authority/papers")),
    (
        (Role.APPLICATION_REVIEWER, Role.ISSUER, Role.QUESTION_REVIEWER),
        Place(N_("考试质量分析"), "chart-histogram", "/authority/scores/reports"),
    ),
    ((Role.ISSUER, Role.QUESTION_REVIEWER), Place(N_("题目更正和重新计分"), "calculator", "/authority/regrades")),
    ((Role.ISSUER,), Place(N_("发证审核"), "certificate", "/authority/certificates")),
    ((Role.ISSUER, Role.SYSTEM_ADMIN), Place(N_("许可和执法记录"), "license", "/authority/licences")),
    ((Role.SYSTEM_ADMIN,), Place(N_("单位和角色"), "building", "/authority/organisations")),
    ((Role.SYSTEM_ADMIN,), Place(N_("规则参数"), "adjustments", "/authority/rules")),
    ((Role.SECURITY_ADMIN,), Place(N_("账号安全"), "user-shield", "/authority/people")),
    ((Role.AUDIT_ADMIN,), Place(N_("审计日志"), "history", "/authority/audit")),
)


class HomeController(Controller):
    """The board of the authority."""

    path = "/authority"

    @get()
    async def show(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
    ) -> Template:
        """Tasks first, then the places."""
        if not viewer.works_for_authority:
            raise NotAllowed
        tasks = await _list_tasks(session, viewer, now=now)
        may_review = viewer.held(Role.QUESTION_REVIEWER) is not None
        context = {
            "tasks": tasks,
            "places": [place for roles, place in _PLACES if viewer.held(*roles)],
            "to_review": await list_to_review(session, person_id=viewer.person_id) if may_review else (),
            "may_review": may_review,
        }
        return Template("authority/home.html", context=context)


async def _list_tasks(session: AsyncSession, viewer: Viewer, *, now: datetime) -> Sequence[Task]:
    tasks: list[Task] = []
    today = china_date(now)
    if viewer.held(Role.QUESTION_EDITOR, Role.QUESTION_REVIEWER):
        tasks += await _bank_tasks(session, viewer)
    if viewer.held(Role.APPLICATION_REVIEWER):
        waiting, _ = await _count(session, Application.status == ApplicationStatus.SUBMITTED)
        hint = N_("核对材料，作出受理、退回补正或不予受理的决定")
        tasks.append(Task(N_("待审核的考试申请"), hint, "clipboard-text", "/authority/applications", waiting))
    if viewer.held(Role.ISSUER):
        is_open = CertificateRequest.status == CertificateRequestStatus.SUBMITTED
        waiting, late = await _count(session, is_open, due=col(CertificateRequest.decide_by), today=today)
        hint = N_("核对考试结果，签发证书")
        tasks.append(Task(N_("待签发的证书"), hint, "certificate", "/authority/certificates", waiting, late))
    if viewer.held(Role.ISSUER, Role.APPLICATION_REVIEWER):
        # Scores of enterprise exams are told at once and wait for nobody.
        of_certificate_exams = sqlalchemy.select(col(Sitting.id)).where(col(Sitting.booking_id).is_not(None))
        is_waiting = col(Score.state).in_(WAITING) & col(Score.sitting_id).in_(of_certificate_exams)
        near_until = await get_near_until(session, today=today)
        waiting, late = await _count(session, is_waiting, due=col(Score.release_by), today=today)
        near, _ = await _count(session, is_waiting & col(Score.release_by).between(today, near_until))
        hint = N_("先审核，核对后在期限内公布")
        tasks.append(Task(N_("待公布的成绩"), hint, "report-analytics", "/authority/scores", waiting, late, near))
        counts = await count_open_appeals(session, today=today, near_until=near_until)
        hint = N_("按作答记录重新计分，在期限内答复考生")
        tasks.append(Task(N_("待答复的成绩复核"), hint, "message-question", "/authority/appeals", *counts))
        has_second = col(PracticalResult.second_assessor_id).is_not(None)
        is_signed = has_second & (col(PracticalResult.state) == ScoreState.PROVISIONAL)
        waiting, _ = await _count(session, is_signed)
        hint = N_("只公布两名考评员一致签名的成绩。公布后考生立即可见。")
        tasks.append(Task(N_("公布实操成绩"), hint, "tool", "/authority/practical", waiting))
    if viewer.held(Role.ISSUER, Role.QUESTION_REVIEWER):
        is_proposed = (col(Regrade.status) == RegradeStatus.PROPOSED) & (col(Regrade.proposed_by) != viewer.person_id)
        waiting, _ = await _count(session, is_proposed)
        hint = N_("由他人提出，批准后所有考生重新计分")
        tasks.append(Task(N_("待批准的题目更正"), hint, "calculator", "/authority/regrades", waiting))
    return tasks


async def _bank_tasks(session: AsyncSession, viewer: Viewer) -> list[Task]:
    waiting = await count_waiting(session, person_id=viewer.person_id)
    tasks = []
    if viewer.held(Role.QUESTION_REVIEWER):
        url = "/authority/items?status=SUBMITTED"
        tasks.append(Task(N_("待审核的题目"), N_("由作者以外的人审核"), "checklist", url, waiting.to_review))
        url = "/authority/items?status=REVIEWED"
        tasks.append(Task(N_("待发布的题目"), N_("发布后即可用于组卷"), "send", url, waiting.to_publish))
    if viewer.held(Role.QUESTION_EDITOR):
        url = "/authority/items?status=DRAFT"
        tasks.append(Task(N_("退回修改的题目"), N_("按审核意见改好后再次提交"), "arrow-back-up", url, waiting.returned))
        tasks.append(Task(N_("我的草稿"), N_("写完后提交审核"), "pencil", url, waiting.drafts))
    return tasks


async def _count(
    session: AsyncSession,
    condition: Any,  # noqa: ANN401 - sqlmodel types a comparison as bool
    *,
    due: Any = None,  # noqa: ANN401 - a column
    today: date | None = None,
) -> tuple[int, int]:
    late = func.count().filter(due < today) if due is not None else sqlalchemy.literal(0)
    statement: Any = sqlalchemy.select(func.count(), late).where(condition)
    waiting, overdue = (await session.exec(statement)).one()
    return waiting, overdue


HANDLERS = [HomeController]

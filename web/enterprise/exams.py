"""`/enterprise/exams`: online exams for one's own staff, and how they went."""

from __future__ import annotations

import asyncio
import io
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, Template
from openpyxl import Workbook
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.enterprise_exams import (
    CandidateLine,
    NewExam,
    create_exam,
    get_exam,
    invite_staff,
    list_candidates,
    list_exams,
    reschedule_exam,
)
from exams.score_bands import Band, score_bands
from exams.staff_regrades import list_staff_corrections
from training import audit
from training.accounts import HeldRole, Viewer
from training.calendar import CHINA, china_date
from training.errors import N_, AnpeiError, BadInput
from training.models import Role
from training.staff import list_departments, list_staff_ids
from web.attempts import attempt
from web.auth import acting_as
from web.i18n.catalogue import gettext

# Enterprises examine general safety knowledge; certificate blueprints belong to the exam sites.
_BLUEPRINT = "GEN"
_USUAL_DAYS = 14
_YEARS = range(2000, 2100)
_MOST_DIGITS = 4
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@dataclass
class ExamForm:
    """A new exam. One ticked box arrives as a text, several as a list."""

    title: str = ""
    opens_at: str = ""
    closes_at: str = ""
    attempts_allowed: str = "2"
    needs_seb: str = ""
    whom: str = "everyone"
    departments: list[str] | str = field(default_factory=list)

    def ticked(self) -> list[str]:
        """The ticked departments."""
        return [self.departments] if isinstance(self.departments, str) else self.departments


@dataclass
class TimesForm:
    """Other opening times."""

    opens_at: str = ""
    closes_at: str = ""


def read_moment(typed: str, *, field_name: str) -> datetime:
    """The instant of a datetime-local input, in China's time. Raises `BadInput`."""
    try:
        moment = datetime.fromisoformat(typed)
    except ValueError as error:
        raise BadInput(N_("请选择日期和时间，格式为 2026-01-05 09:00。"), field=field_name) from error
    if moment.year not in _YEARS:
        raise BadInput(N_("请选择日期和时间，格式为 2026-01-05 09:00。"), field=field_name)
    return moment if moment.tzinfo else moment.replace(tzinfo=CHINA)


def read_count(typed: str, *, field_name: str) -> int:
    """A small whole number. Raises `BadInput`."""
    if not typed.isascii() or not typed.isdigit() or len(typed) > _MOST_DIGITS:
        raise BadInput(N_("请填写允许的考试次数。"), field=field_name)
    return int(typed)


def _typed(moment: datetime) -> str:
    return f"{moment.astimezone(CHINA):%Y-%m-%dT%H:%M}"


def bands_of(lines: list[CandidateLine]) -> tuple[Band, ...]:
    """How many best results lie in each tenth of the full score."""
    return score_bands((line.best, line.total) for line in lines if line.best is not None and line.total is not None)


class EnterpriseExamController(Controller):
    """The manager's exams."""

    path = "/enterprise/exams"

    @get()
    async def show(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
    ) -> Template:
        """Every exam, the newest first."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        exams = await list_exams(session, organisation_id=held.organisation_id)
        return Template("enterprise/exams.html", context={"held": held, "exams": exams, "now": now})

    @get("/new")
    async def ask(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
    ) -> Template:
        """The form."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        form = ExamForm(
            title=gettext(N_("{year} 年度安全知识考试"), year=china_date(now).year),
            opens_at=_typed(now),
            closes_at=_typed(now + timedelta(days=_USUAL_DAYS)),
        )
        return await _form_page(session, held, form)

    @post("/new")
    async def create(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        data: URLEncodedBody[ExamForm],
    ) -> Template | Redirect:
        """Set the exam and invite the chosen staff."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        async with attempt(session) as tried:
            people = await list_staff_ids(
                session,
                held.organisation_id,
                everyone=data.whom == "everyone",
                departments=data.ticked() if data.whom == "departments" else (),
            )
            if not people:
                raise BadInput(N_("没有选中任何在职人员。请至少选择一个部门，或选择全体人员。"), field="whom")
            new = NewExam(
                title=data.title,
                opens_at=read_moment(data.opens_at, field_name="opens_at"),
                closes_at=read_moment(data.closes_at, field_name="closes_at"),
                blueprint_code=_BLUEPRINT,
                attempts_allowed=read_count(data.attempts_allowed, field_name="attempts_allowed"),
                needs_seb=bool(data.needs_seb),
            )
            exam = await create_exam(
                session, organisation_id=held.organisation_id, new=new, actor_id=viewer.person_id, now=now
            )
            await invite_staff(
                session, exam_id=exam.id, organisation_id=held.organisation_id, person_ids=people,
                actor_id=viewer.person_id, now=now,
            )  # fmt: skip
        if tried.error:
            return await _form_page(session, held, data, tried.error)
        return Redirect(f"/enterprise/exams/{exam.id}")

    @get("/{exam_id:uuid}")
    async def show_one(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_id: FromPath[UUID],
    ) -> Template:
        """Who has sat it, with which result."""
        return await _exam_page(session, acting_as(viewer, Role.ENTERPRISE_MANAGER), exam_id, now)

    @post("/{exam_id:uuid}/times")
    async def reschedule(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_id: FromPath[UUID],
        data: URLEncodedBody[TimesForm],
    ) -> Template | Redirect:
        """Open or close at other times."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        async with attempt(session) as tried:
            await reschedule_exam(
                session, exam_id=exam_id, organisation_id=held.organisation_id, actor_id=viewer.person_id, now=now,
                opens_at=read_moment(data.opens_at, field_name="opens_at"),
                closes_at=read_moment(data.closes_at, field_name="closes_at"),
            )  # fmt: skip
        if tried.error:
            return await _exam_page(session, held, exam_id, now, tried.error, data)
        return Redirect(f"/enterprise/exams/{exam_id}")

    @get("/{exam_id:uuid}/results.xlsx")
    async def export(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_id: FromPath[UUID],
    ) -> Response[bytes]:
        """The results as a spreadsheet."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        exam = await get_exam(session, exam_id=exam_id, organisation_id=held.organisation_id)
        lines = await list_candidates(session, exam_id=exam_id, organisation_id=held.organisation_id)
        audit.record(
            session, action="enterprise_exam.exported", target=("enterprise_exam", exam_id),
            actor_id=viewer.person_id, now=now, rows=len(lines),
        )  # fmt: skip
        titles = [gettext(title) for title in (N_("姓名"), N_("考试次数"), N_("最好成绩"), N_("满分"), N_("结果"))]
        words = (gettext(N_("合格")), gettext(N_("未合格")), gettext(N_("未参加")))
        data = await asyncio.to_thread(_sheet, exam.title, titles, words, lines)
        name = f"attachment; filename=exam-{china_date(now).isoformat()}.xlsx"
        return Response(data, media_type=_XLSX, headers={"content-disposition": name})


def _sheet(title: str, titles: list[str], words: tuple[str, str, str], lines: list[CandidateLine]) -> bytes:
    book = Workbook()
    sheet = book.active
    sheet.title = "results"
    sheet.append([title])
    sheet.append(titles)
    passed, failed, absent = words
    for line in lines:
        verdict = absent if line.best is None else passed if line.passed else failed
        sheet.append([line.name, line.attempts, _number(line.best), _number(line.total), verdict])
    for cell in (cell for row in sheet.iter_rows() for cell in row if isinstance(cell.value, str)):
        cell.data_type = "s"  # a title or a name is never a formula
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


async def _form_page(
    session: AsyncSession, held: HeldRole, form: ExamForm, error: AnpeiError | None = None
) -> Template:
    departments = await list_departments(session, held.organisation_id)
    context = {"held": held, "form": form, "error": error, "departments": departments}
    return Template("enterprise/exam_new.html", context=context, status_code=422 if error else 200)


async def _exam_page(
    session: AsyncSession,
    held: HeldRole,
    exam_id: UUID,
    now: datetime,
    error: AnpeiError | None = None,
    typed: TimesForm | None = None,
) -> Template:
    exam = await get_exam(session, exam_id=exam_id, organisation_id=held.organisation_id)
    lines = await list_candidates(session, exam_id=exam_id, organisation_id=held.organisation_id)
    context = {
        "held": held,
        "exam": exam,
        "lines": lines,
        "bands": bands_of(lines),
        "corrections": await list_staff_corrections(session, exam_id=exam_id, organisation_id=held.organisation_id),
        "now": now,
        "error": error,
        "times": typed or TimesForm(_typed(exam.opens_at), _typed(exam.closes_at)),
    }
    return Template("enterprise/exam.html", context=context, status_code=422 if error else 200)


HANDLERS = [EnterpriseExamController]

"""The learner's home and records."""

from __future__ import annotations

import csv
import io
from datetime import datetime
from typing import TYPE_CHECKING

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import FromQuery
from litestar.response import Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.sheets import list_occasions
from training.accounts import Viewer
from training.calendar import CHINA, china_date
from training.errors import N_
from training.lessons import list_courses, list_open_learnings
from training.models import PersonCategory
from training.plans import list_assignments
from training.records import find_post, list_records, sum_hours, years_of
from web.i18n.catalogue import gettext
from web.labels import label
from web.templating import plain

if TYPE_CHECKING:
    from training.records import RecordLine

_SUGGESTED = 3
_TITLES = (
    N_("开始时间"), N_("结束时间"), N_("姓名"), N_("单位"), N_("人员类别"), N_("岗位"), N_("培训方式"), N_("培训名称"),
    N_("培训内容"), N_("学时"), N_("授课"), N_("考核结果"), N_("是否合格"),
)  # fmt: skip
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class HomeController(Controller):
    """`/learn` and `/learn/records`."""

    path = "/learn"

    @get("/")
    async def home(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
    ) -> Template:
        """Go on learning; what is expected; what was earned."""
        today = china_date(now)
        post = await find_post(session, person_id=viewer.person_id, on=today)
        learnings = await list_open_learnings(session, person_id=viewer.person_id)
        records = await list_records(session, person_id=viewer.person_id)
        assigned = await list_assignments(session, viewer.person_id, now=now)
        occasions = await list_occasions(session, person_id=viewer.person_id, now=now)
        known = {card.code for card in learnings} | {course.course_code for course in assigned}
        finished = {line.title for line in records}
        meant = await list_courses(session, category=post.category or PersonCategory.EMPLOYEE)
        context = {
            "viewer": viewer,
            "occasions": [occasion for occasion in occasions if occasion.can_start and not occasion.passed],
            "learnings": learnings,
            "assigned": assigned,
            "years": years_of(records),
            "year_hours": sum_hours([line for line in records if line.year == today.year]),
            "suggested": [card for card in meant if card.code not in known and card.title not in finished][:_SUGGESTED],
        }
        return Template("learner/home.html", context=context)

    @get("/records")
    async def records(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], year: FromQuery[int] = 0
    ) -> Template:
        """All of one's training records, of one year if asked."""
        everything = await list_records(session, person_id=viewer.person_id)
        shown = [line for line in everything if not year or line.year == year]
        context = {"records": shown, "years": years_of(everything), "year": year, "hours": sum_hours(shown)}
        return Template("learner/records.html", context=context)

    @get("/records.csv")
    async def records_file(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
    ) -> Response[bytes]:
        """One's records as a table that a spreadsheet opens."""
        lines = await list_records(session, person_id=viewer.person_id)
        name = f"training-records-{china_date(now):%Y%m%d}.csv"
        headers = {"content-disposition": f'attachment; filename="{name}"', "cache-control": "no-store"}
        return Response(_csv(lines), media_type="text/csv; charset=utf-8", headers=headers)


def _csv(lines: list[RecordLine]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([gettext(title) for title in _TITLES])
    for line in lines:
        cells = [
            f"{line.started_at.astimezone(CHINA):%Y-%m-%d %H:%M}", f"{line.ended_at.astimezone(CHINA):%Y-%m-%d %H:%M}",
            line.person_name, line.organisation_name, label(line.category), line.post, label(line.mode), line.title,
            line.content, plain(line.class_hours), line.trainer, line.assessment,
            gettext("合格") if line.passed else gettext("不合格"),
        ]  # fmt: skip
        # A cell that a spreadsheet would run as a formula becomes a text.
        writer.writerow([f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells])
    # With a mark at the start, without which Excel reads Chinese as garbage.
    return out.getvalue().encode("utf-8-sig")


HANDLERS: list[type[Controller]] = [HomeController]

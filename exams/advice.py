"""What to study again after an exam: key points of items that did not earn, by area, each with a course that fits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlmodel import col, select

from exams.models import Score, ScoreState, Sitting
from exams.papers import paper_items
from exams.remarking import read_choices
from exams.rulings import earns, list_rulings
from question_bank.queries import get_blueprint_version, list_revisions
from training.lessons import list_courses

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.lessons import CourseCard

# Words that every course and every area has; they tell nothing apart.
_COMMON = re.compile(
    r"安全生产|安全|生产|知识|培训|作业|管理|从业人员|人员|基础|保护|技术|设备|设施|主要|要求|规定|工作|企业"
    r"|[^\u4e00-\u9fff]|[与和及的]"
)
_IN_TITLE, _IN_SUMMARY = 3, 1
_FITS_FROM = 3


@dataclass(frozen=True, slots=True)
class AreaAdvice:
    """The key points of one knowledge area, names only. The course is None where none fits."""

    area: int
    name: str
    key_points: tuple[str, ...]
    course: CourseCard | None


async def find_advice(session: AsyncSession, *, sitting_id: UUID, person_id: UUID) -> tuple[AreaAdvice, ...]:
    """The advice on one's own result; nothing unless its blueprint gives advice and the result is out.

    A certificate exam's result is out when it is released, an enterprise exam's at once. Items that
    were dropped or given to all since need no study.
    """
    statement = (
        select(Sitting, Score.state)
        .join(Score, col(Score.sitting_id) == Sitting.id)
        .where(Sitting.id == sitting_id, Sitting.person_id == person_id)
    )
    found = (await session.exec(statement)).one_or_none()
    if found is None:
        return ()
    sitting, state = found
    is_out = state is ScoreState.RELEASED or (sitting.booking_id is None and state is ScoreState.PROVISIONAL)
    blueprint = await get_blueprint_version(session, sitting.blueprint_id)
    if not is_out or not blueprint.shows_key_points:
        return ()
    missed = await _list_missed(session, sitting)
    courses = await list_courses(session) if missed else ()
    return tuple(
        AreaAdvice(area, name := blueprint.areas.get(area, ""), points, fitting_course([name, *points], courses))
        for area, points in missed
    )


async def _list_missed(session: AsyncSession, sitting: Sitting) -> list[tuple[int, tuple[str, ...]]]:
    paper = paper_items(sitting.paper)
    texts = await list_revisions(session, [item.revision_id for item in paper])
    rulings = await list_rulings(session)
    choices = (await read_choices(session, [sitting.id]))[sitting.id]
    missed: dict[int, set[str]] = {}
    for position, item in enumerate(paper, start=1):
        text, ruling = texts[item.revision_id], rulings.get(item.revision_id)
        counts_for_nobody = ruling is not None and not ruling.keys
        if not counts_for_nobody and not earns(item, text, choices.get(position, ""), ruling):
            missed.setdefault(text.area, set()).add(text.key_point)
    return [(area, tuple(sorted(points - {""}))) for area, points in sorted(missed.items())]


def fitting_course(words: Iterable[str], courses: Sequence[CourseCard]) -> CourseCard | None:
    """The course that shares most with the words of an area, by pairs of characters; None if none shares much."""
    wanted = _pairs(" ".join(words))

    def likeness(course: CourseCard) -> int:
        return _IN_TITLE * len(wanted & _pairs(course.title)) + _IN_SUMMARY * len(wanted & _pairs(course.summary))

    best = max(courses, key=lambda course: (likeness(course), course.code), default=None)
    return best if best is not None and likeness(best) >= _FITS_FROM else None


def _pairs(text: str) -> set[str]:
    return {part[at : at + 2] for part in _COMMON.sub(" ", text).split() for at in range(len(part) - 1)}

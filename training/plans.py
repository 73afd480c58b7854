"""Assignments: the courses that an enterprise expects its staff to finish, and by when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlmodel import and_, col, func, not_, select, update

from training import audit
from training.calendar import china_date
from training.errors import N_, BadInput, Conflict, NotFound
from training.models import (
    Assignment,
    Course,
    CourseStatus,
    CourseVersion,
    Employment,
    Organisation,
    Person,
)
from training.names import matched_name
from training.rules import get_number

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date, datetime
    from decimal import Decimal
    from uuid import UUID

    from sqlalchemy import ColumnElement
    from sqlmodel.ext.asyncio.session import AsyncSession

PAGE = 50


class AssignmentState(StrEnum):
    """How an assignment stands on a day. A withdrawn one is not shown."""

    OVERDUE = "OVERDUE"
    DUE_SOON = "DUE_SOON"
    OPEN = "OPEN"
    DONE = "DONE"


class DuePassed(BadInput):
    """A due date in the past."""

    message = N_("截止日期不能早于今天，请重新选择。")


class NobodyChosen(BadInput):
    """The choice of staff is empty."""

    message = N_("没有选中任何在职人员。请至少选择一人、一个部门或一个岗位。")


class CourseNotOffered(BadInput):
    """Only a published course can be assigned."""

    message = N_("这门课程还没有发布或已停用，不能安排。请选择其他课程。")


class AlreadyFinished(Conflict):
    """A finished assignment is a fact and stays."""

    message = N_("这项学习已经完成，不能再修改或撤销。")


@dataclass(frozen=True)
class Assigned:
    """What one act of assigning did."""

    new: int
    moved: int
    unchanged: int


@dataclass(frozen=True)
class OfferedCourse:
    """A published course that can be assigned."""

    course_id: UUID
    code: str
    title: str
    title_en: str
    class_hours: Decimal


@dataclass(frozen=True)
class AssignedCourse:
    """One assignment as the learner sees it."""

    assignment_id: UUID
    course_id: UUID
    course_code: str
    title: str
    title_en: str
    class_hours: Decimal
    organisation_name: str
    due_on: date
    finished_at: datetime | None
    state: AssignmentState


@dataclass(frozen=True)
class Deadline:
    """One assignment as the enterprise sees it. `days` is negative when the date has passed."""

    assignment_id: UUID
    person_id: UUID
    person_name: str
    department: str
    post: str
    title: str
    title_en: str
    due_on: date
    finished_at: datetime | None
    state: AssignmentState
    days: int


@dataclass(frozen=True)
class Deadlines:
    """One page of the board, with the counts of all that match the search."""

    rows: tuple[Deadline, ...]
    counts: dict[AssignmentState, int]
    page: int
    pages: int

    @property
    def total(self) -> int:
        """All assignments that match, of every state."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class Completion:
    """How far one department has come with what is assigned to it."""

    department: str
    done: int
    open: int
    overdue: int

    @property
    def percent(self) -> int:
        """Done of all, rounded down: only everything done is 100."""
        total = self.done + self.open + self.overdue
        return 100 * self.done // total if total else 0


def assignment_state(due_on: date, *, finished_at: datetime | None, today: date, soon_days: int) -> AssignmentState:
    """How an assignment stands: the due date itself is still in time."""
    if finished_at is not None:
        return AssignmentState.DONE
    if due_on < today:
        return AssignmentState.OVERDUE
    if due_on <= today + timedelta(days=soon_days):
        return AssignmentState.DUE_SOON
    return AssignmentState.OPEN


async def assign_course(
    session: AsyncSession,
    *,
    organisation_id: UUID,
    course_id: UUID,
    person_ids: Collection[UUID],
    due_on: date,
    actor_id: UUID,
    now: datetime,
) -> Assigned:
    """Expect each of these people, if employed here now, to finish the course by a day.

    Whoever has the course open already keeps the one assignment, moved to the new date.
    Raises `DuePassed`, `CourseNotOffered`, `NobodyChosen`.
    """
    if due_on < china_date(now):
        raise DuePassed(field="due_on")
    if await _find_published(session, course_id) is None:
        raise CourseNotOffered(field="course_id")
    # Two managers who assign at once wait for each other here; learners do not wait.
    await session.exec(
        select(Organisation.id).where(Organisation.id == organisation_id).with_for_update(key_share=True)
    )
    staff = await _current_staff(session, organisation_id, person_ids)
    if not staff:
        raise NobodyChosen(field="people")
    open_now = await _open_assignments(session, organisation_id, course_id, staff)
    moved = [known for known in open_now if known.due_on != due_on]
    for known in moved:
        known.due_on = due_on
        session.add(known)
    new = staff - {known.person_id for known in open_now}
    session.add_all(
        Assignment(
            organisation_id=organisation_id,
            person_id=person_id,
            course_id=course_id,
            due_on=due_on,
            assigned_at=now,
            assigned_by=actor_id,
        )
        for person_id in sorted(new)
    )
    await session.flush()
    done = Assigned(new=len(new), moved=len(moved), unchanged=len(open_now) - len(moved))
    if new or moved:
        audit.record(
            session, action="assignment.made", target=("course", course_id), actor_id=actor_id, now=now,
            organisation=organisation_id, due_on=due_on, new=done.new, moved=done.moved,
        )  # fmt: skip
    return done


async def _find_published(session: AsyncSession, course_id: UUID) -> CourseVersion | None:
    statement = select(CourseVersion).where(
        CourseVersion.course_id == course_id, CourseVersion.status == CourseStatus.PUBLISHED
    )
    return (await session.exec(statement)).one_or_none()


async def _current_staff(session: AsyncSession, organisation_id: UUID, person_ids: Collection[UUID]) -> set[UUID]:
    statement = select(Employment.person_id).where(
        Employment.organisation_id == organisation_id,
        col(Employment.ended_on).is_(None),
        col(Employment.person_id).in_(set(person_ids)),
    )
    return set((await session.exec(statement)).all())


async def _open_assignments(
    session: AsyncSession, organisation_id: UUID, course_id: UUID, person_ids: Collection[UUID]
) -> Sequence[Assignment]:
    statement = (
        select(Assignment)
        .where(
            Assignment.organisation_id == organisation_id,
            Assignment.course_id == course_id,
            col(Assignment.person_id).in_(person_ids),
            col(Assignment.finished_at).is_(None),
            col(Assignment.withdrawn_at).is_(None),
        )
        .order_by(col(Assignment.id))
        .with_for_update()
    )
    return (await session.exec(statement)).all()


async def _lock_own(session: AsyncSession, assignment_id: UUID, organisation_id: UUID) -> Assignment:
    assignment = await session.get(Assignment, assignment_id, with_for_update=True)
    if assignment is None or assignment.organisation_id != organisation_id:
        raise NotFound
    return assignment


async def withdraw_assignment(
    session: AsyncSession, *, assignment_id: UUID, organisation_id: UUID, actor_id: UUID, now: datetime
) -> None:
    """Expect it no longer. Raises `NotFound`, `AlreadyFinished`."""
    assignment = await _lock_own(session, assignment_id, organisation_id)
    if assignment.finished_at is not None:
        raise AlreadyFinished
    if assignment.withdrawn_at is None:
        assignment.withdrawn_at = now
        session.add(assignment)
        audit.record(
            session, action="assignment.withdrawn", target=("assignment", assignment_id), actor_id=actor_id, now=now
        )


async def change_due_date(
    session: AsyncSession, *, assignment_id: UUID, organisation_id: UUID, due_on: date, actor_id: UUID, now: datetime
) -> None:
    """Move the day by which it is due. Raises `NotFound`, `AlreadyFinished`, `DuePassed`."""
    assignment = await _lock_own(session, assignment_id, organisation_id)
    if assignment.withdrawn_at is not None:
        raise NotFound
    if assignment.finished_at is not None:
        raise AlreadyFinished
    if due_on < china_date(now):
        raise DuePassed(field="due_on")
    if assignment.due_on != due_on:
        was = {"due_on": assignment.due_on.isoformat()}
        assignment.due_on = due_on
        session.add(assignment)
        audit.record(
            session, action="assignment.moved", target=("assignment", assignment_id), actor_id=actor_id, now=now,
            was=was, due_on=due_on,
        )  # fmt: skip


async def finish_assignments(session: AsyncSession, *, person_id: UUID, course_id: UUID, now: datetime) -> int:
    """The person has finished the course: every open assignment of it, of any employer, is done.

    Called when the training record is made. Gives how many were closed; again, it closes none.
    """
    statement = (
        update(Assignment)
        .where(
            col(Assignment.person_id) == person_id,
            col(Assignment.course_id) == course_id,
            col(Assignment.finished_at).is_(None),
            col(Assignment.withdrawn_at).is_(None),
        )
        .values(finished_at=now)
    )
    return int((await session.exec(statement)).rowcount)


async def withdraw_open_assignments(
    session: AsyncSession, *, person_id: UUID, organisation_id: UUID, now: datetime
) -> None:
    """Someone has left: nothing more is expected of them here."""
    statement = (
        update(Assignment)
        .where(
            col(Assignment.person_id) == person_id,
            col(Assignment.organisation_id) == organisation_id,
            col(Assignment.finished_at).is_(None),
            col(Assignment.withdrawn_at).is_(None),
        )
        .values(withdrawn_at=now)
    )
    await session.exec(statement)


async def soon_days(session: AsyncSession, *, today: date) -> int:
    """How many days before its date an assignment counts as due soon."""
    return await get_number(session, "training.due_soon_days", on=today)


async def list_offered_courses(session: AsyncSession) -> tuple[OfferedCourse, ...]:
    """The published courses, by code."""
    statement = (
        select(Course, CourseVersion)
        .join(CourseVersion, col(CourseVersion.course_id) == Course.id)
        .where(CourseVersion.status == CourseStatus.PUBLISHED)
        .order_by(col(Course.code))
    )
    return tuple(
        OfferedCourse(course.id, course.code, version.title, version.title_en, version.class_hours)
        for course, version in (await session.exec(statement)).all()
    )


# An assignment names a course; its title is that of the newest version that was ever published.
_shown_version = (
    select(func.max(CourseVersion.number))
    .where(CourseVersion.course_id == Course.id, CourseVersion.status != CourseStatus.DRAFT)
    .correlate(Course)
    .scalar_subquery()
)
_is_shown_version = and_(col(CourseVersion.course_id) == Course.id, col(CourseVersion.number) == _shown_version)


async def list_assignments(
    session: AsyncSession, person_id: UUID, *, now: datetime, with_done: bool = False
) -> tuple[AssignedCourse, ...]:
    """What a learner is expected to finish, the nearest date first; finished ones too if asked."""
    statement = (
        select(Assignment, Course.code, CourseVersion, Organisation.name)
        .join(Course, col(Course.id) == Assignment.course_id)
        .join(CourseVersion, _is_shown_version)
        .join(Organisation, col(Organisation.id) == Assignment.organisation_id)
        .where(Assignment.person_id == person_id, col(Assignment.withdrawn_at).is_(None))
        .order_by(col(Assignment.finished_at).desc().nulls_first(), col(Assignment.due_on), col(Course.code))
    )
    if not with_done:
        statement = statement.where(col(Assignment.finished_at).is_(None))
    today = china_date(now)
    soon = await soon_days(session, today=today)
    return tuple(
        AssignedCourse(
            assignment_id=assignment.id,
            course_id=assignment.course_id,
            course_code=code,
            title=version.title,
            title_en=version.title_en,
            class_hours=version.class_hours,
            organisation_name=organisation_name,
            due_on=assignment.due_on,
            finished_at=assignment.finished_at,
            state=assignment_state(assignment.due_on, finished_at=assignment.finished_at, today=today, soon_days=soon),
        )
        for assignment, code, version, organisation_name in (await session.exec(statement)).all()
    )


def _is_in_state(state: AssignmentState, *, today: date, soon: int) -> ColumnElement[bool]:
    """`assignment_state` as the database puts it."""
    done = col(Assignment.finished_at).is_not(None)
    last = today + timedelta(days=soon)
    return {
        AssignmentState.DONE: done,
        AssignmentState.OVERDUE: and_(not_(done), col(Assignment.due_on) < today),
        AssignmentState.DUE_SOON: and_(not_(done), col(Assignment.due_on).between(today, last)),
        AssignmentState.OPEN: and_(not_(done), col(Assignment.due_on) > last),
    }[state]


_is_present = and_(
    col(Employment.person_id) == col(Assignment.person_id),
    col(Employment.organisation_id) == col(Assignment.organisation_id),
    col(Employment.ended_on).is_(None),
)


async def list_deadlines(
    session: AsyncSession,
    organisation_id: UUID,
    *,
    now: datetime,
    state: AssignmentState | None = None,
    name: str = "",
    course_id: UUID | None = None,
    person_id: UUID | None = None,
    page: int = 1,
) -> Deadlines:
    """Who of the present staff is to finish what by when; whoever is most behind comes first."""
    today = china_date(now)
    soon = await soon_days(session, today=today)
    wanted = [col(Assignment.organisation_id) == organisation_id, col(Assignment.withdrawn_at).is_(None)]
    if name:
        wanted.append(col(Person.matched_name).contains(matched_name(name), autoescape=True))
    if course_id is not None:
        wanted.append(col(Assignment.course_id) == course_id)
    if person_id is not None:
        wanted.append(col(Assignment.person_id) == person_id)
    counts = await _count_states(session, wanted, today=today, soon=soon)
    pages = max(-(-(counts[state] if state else sum(counts.values())) // PAGE), 1)
    page = min(max(page, 1), pages)
    statement = (
        select(Assignment, Person.name, Employment, CourseVersion)
        .join(Person, col(Person.id) == Assignment.person_id)
        .join(Employment, _is_present)
        .join(Course, col(Course.id) == Assignment.course_id)
        .join(CourseVersion, _is_shown_version)
        .where(*wanted)
        .order_by(
            col(Assignment.finished_at).is_not(None),
            col(Assignment.due_on),
            col(Person.matched_name),
            col(Course.code),
            col(Assignment.id),
        )
        .offset((page - 1) * PAGE)
        .limit(PAGE)
    )
    if state is not None:
        statement = statement.where(_is_in_state(state, today=today, soon=soon))
    rows = tuple(
        Deadline(
            assignment_id=assignment.id,
            person_id=assignment.person_id,
            person_name=person_name,
            department=employment.department,
            post=employment.post,
            title=version.title,
            title_en=version.title_en,
            due_on=assignment.due_on,
            finished_at=assignment.finished_at,
            state=assignment_state(assignment.due_on, finished_at=assignment.finished_at, today=today, soon_days=soon),
            days=(assignment.due_on - today).days,
        )
        for assignment, person_name, employment, version in (await session.exec(statement)).all()
    )
    return Deadlines(rows=rows, counts=counts, page=page, pages=pages)


async def _count_states(
    session: AsyncSession, wanted: list[ColumnElement[bool]], *, today: date, soon: int
) -> dict[AssignmentState, int]:
    counts = {}
    for state in AssignmentState:
        statement = (
            select(func.count())
            .select_from(Assignment)
            .join(Person, col(Person.id) == Assignment.person_id)
            .join(Employment, _is_present)
            .where(*wanted, _is_in_state(state, today=today, soon=soon))
        )
        counts[state] = (await session.exec(statement)).one()
    return counts


async def list_completion(session: AsyncSession, organisation_id: UUID, *, now: datetime) -> tuple[Completion, ...]:
    """Assignments of the present staff by department: done, open, overdue."""
    today = china_date(now)
    is_open = col(Assignment.finished_at).is_(None)
    statement = (
        select(
            Employment.department,
            func.count().filter(col(Assignment.finished_at).is_not(None)),
            func.count().filter(is_open, col(Assignment.due_on) >= today),
            func.count().filter(is_open, col(Assignment.due_on) < today),
        )
        .join(Employment, _is_present)
        .where(Assignment.organisation_id == organisation_id, col(Assignment.withdrawn_at).is_(None))
        .group_by(col(Employment.department))
        .order_by(col(Employment.department))
    )
    return tuple(Completion(*row) for row in (await session.exec(statement)).all())

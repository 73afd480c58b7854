"""Places in a class: taken by learners themselves or by the centre, given back until the first lesson."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlmodel import col, select

from training import audit
from training.accounts import find_account
from training.classes import (
    ClassFull,
    LessonsOver,
    check_not_begun,
    check_open,
    count_places_taken,
    list_lesson_rows,
    lock_class,
)
from training.errors import N_, BadInput, NotFound
from training.models import ClassEnrolment, Person, TrainingClass
from training.names import matched_name

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault

_LINE = re.compile(r"(?P<name>.+?)[\s,，、;；]+(?P<number>[^\s,，、;；]+)")
_LINES_AT_MOST = 200


class BadLines(BadInput):
    """Some lines of a list of people cannot be used; nobody was enrolled."""

    message = N_(
        "第 {lines} 行无法识别，本次没有加入任何人。每行填写姓名和手机号（或证件号码），中间用空格隔开；"
        "姓名须与账号一致，对方须已有账号。"
    )


class NoLines(BadInput):
    """Nothing was typed."""

    message = N_("请至少填写一行（最多 200 行），例如：张三 10012345678。")


@dataclass(frozen=True)
class NamedNumber:
    """A name with the phone or document number that must belong to it."""

    line: int
    name: str
    number: str


def parse_people(text: str) -> tuple[list[NamedNumber], list[int]]:
    """People, one a line, and the lines that cannot be read. Empty lines are left out."""
    people, bad = [], []
    for line, typed in enumerate(text.splitlines(), 1):
        if not typed.strip():
            continue
        if found := _LINE.fullmatch(typed.strip()):
            people.append(NamedNumber(line, found["name"], found["number"]))
        else:
            bad.append(line)
    return people, bad


async def _lock_any(session: AsyncSession, class_id: UUID) -> TrainingClass:
    held = await session.get(TrainingClass, class_id, with_for_update=True, populate_existing=True)
    if held is None:
        raise NotFound
    return held


async def find_enrolment(session: AsyncSession, *, class_id: UUID, person_id: UUID) -> ClassEnrolment | None:
    """The person's place in the class."""
    statement = select(ClassEnrolment).where(
        ClassEnrolment.class_id == class_id,
        ClassEnrolment.person_id == person_id,
        col(ClassEnrolment.withdrawn_at).is_(None),
    )
    return (await session.exec(statement)).one_or_none()


async def _take_place(
    session: AsyncSession, held: TrainingClass, *, person_id: UUID, actor_id: UUID, now: datetime
) -> ClassEnrolment:
    """A place in a class whose row is locked, which is what keeps it from overflowing."""
    if standing := await find_enrolment(session, class_id=held.id, person_id=person_id):
        return standing
    if await count_places_taken(session, held.id) >= held.capacity:
        raise ClassFull(title=held.title, capacity=held.capacity)
    enrolment = ClassEnrolment(class_id=held.id, person_id=person_id, enrolled_at=now)
    session.add(enrolment)
    await session.flush()
    audit.record(session, action="class.enrolled", target=("class_enrolment", enrolment.id), actor_id=actor_id, now=now)
    return enrolment


async def enrol_oneself(session: AsyncSession, *, class_id: UUID, person_id: UUID, now: datetime) -> ClassEnrolment:
    """Take a place until the first lesson; asked again it gives the place that one has.

    Raises `ClassFull`, `ClassBegun`, `ClassNotOpen`, `NotFound`.
    """
    held = await _lock_any(session, class_id)
    check_not_begun(held, await list_lesson_rows(session, class_id), act=N_("报名"), now=now)
    return await _take_place(session, held, person_id=person_id, actor_id=person_id, now=now)


async def withdraw_oneself(session: AsyncSession, *, class_id: UUID, person_id: UUID, now: datetime) -> None:
    """Give the place back until the first lesson; without a place nothing happens."""
    held = await _lock_any(session, class_id)
    enrolment = await find_enrolment(session, class_id=class_id, person_id=person_id)
    if enrolment is None:
        return
    check_not_begun(held, await list_lesson_rows(session, class_id), act=N_("退出"), now=now)
    _give_back(session, enrolment, actor_id=person_id, now=now)


def _give_back(session: AsyncSession, enrolment: ClassEnrolment, *, actor_id: UUID, now: datetime) -> None:
    enrolment.withdrawn_at = now
    session.add(enrolment)
    audit.record(
        session, action="class.withdrawn", target=("class_enrolment", enrolment.id), actor_id=actor_id, now=now
    )


async def remove_learner(
    session: AsyncSession, *, class_id: UUID, centre_id: UUID, enrolment_id: UUID, actor_id: UUID, now: datetime
) -> None:
    """The centre takes somebody off the list until the first lesson; twice is the same as once."""
    held = await lock_class(session, class_id, centre_id=centre_id)
    enrolment = await session.get(ClassEnrolment, enrolment_id)
    if enrolment is None or enrolment.class_id != class_id:
        raise NotFound
    if enrolment.withdrawn_at is not None:
        return
    check_not_begun(held, await list_lesson_rows(session, class_id), act=N_("移出学员"), now=now)
    _give_back(session, enrolment, actor_id=actor_id, now=now)


async def enrol_people(
    session: AsyncSession,
    *,
    vault: Vault,
    class_id: UUID,
    centre_id: UUID,
    typed: str,
    actor_id: UUID,
    now: datetime,
) -> list[ClassEnrolment]:
    """The centre enrols people by exact name and number, one a line, all or none.

    An unknown number and a name that differs read the same, so that nobody is found out by trying
    numbers. Raises `NoLines`, `BadLines`, `ClassFull`, `LessonsOver`, `ClassNotOpen`.
    """
    held = await lock_class(session, class_id, centre_id=centre_id)
    check_open(held)
    lessons = await list_lesson_rows(session, class_id)
    if lessons and lessons[-1].starts_at <= now:
        raise LessonsOver(title=held.title)
    people, bad = parse_people(typed)
    if not 0 < len(people) + len(bad) <= _LINES_AT_MOST:
        raise NoLines(field="people")
    persons = []
    for each in people:
        person = await _find_named(session, each, vault=vault)
        if person is None:
            bad.append(each.line)
        else:
            persons.append(person)
    if bad:
        raise BadLines(lines=_join(bad), field="people")
    return [await _take_place(session, held, person_id=person.id, actor_id=actor_id, now=now) for person in persons]


def _join(lines: Sequence[int]) -> str:
    return "、".join(str(line) for line in sorted(lines))


async def _find_named(session: AsyncSession, named: NamedNumber, *, vault: Vault) -> Person | None:
    account = await find_account(session, vault=vault, login=named.number)
    person = await session.get(Person, account.person_id) if account else None
    return person if person and person.matched_name == matched_name(named.name) else None

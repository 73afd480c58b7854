"""What to study again: only where the blueprint says so, only when the result is out, names only."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from exams.advice import find_advice, fitting_course
from exams.handing_in import close_overdue
from exams.models import Booking, RegradeKind, Sitting
from exams.papers import paper_items
from question_bank.models import Blueprint
from question_bank.queries import list_revisions
from tests.exams.test_regrading import approve, propose, revision_at
from tests.makers.people import make_person
from tests.makers.receipts import KEYS
from tests.makers.sittings import (
    GRACE,
    answer,
    make_enterprise_sitting,
    make_sitting,
    review_and_release,
    right_choices,
)
from training.lessons import CourseCard

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.makers.sittings import Sat
    from training.vault import Vault

FIRE = CourseCard("C02", "火灾预防", "", "防火：消防设施和疏散标志", Decimal(3), ())
FOOD = replace(FIRE, code="C04", title="食品安全", summary="食堂")


async def end(session: AsyncSession, sat: Sat, *, wrong: int, now: datetime, advises: bool = True) -> None:
    """Leave so many items open and let the time run out."""
    sitting = await session.get_one(Sitting, sat.id)
    blueprint = await session.get_one(Blueprint, sitting.blueprint_id)
    blueprint.shows_key_points = advises
    session.add(blueprint)
    choices = await right_choices(session, sat.id)
    await answer(session, sat, choices[: len(choices) - wrong], now=now)
    await close_overdue(session, now=sat.entry.deadline + GRACE, countersign=KEYS.countersign)


async def points_of(session: AsyncSession, sat: Sat, last: int) -> set[str]:
    sitting = await session.get_one(Sitting, sat.id)
    ids = [item.revision_id for item in paper_items(sitting.paper)][-last:]
    return {text.key_point for text in (await list_revisions(session, ids)).values()}


async def advised(session: AsyncSession, sat: Sat, person_id: UUID | None = None) -> set[str]:
    advice = await find_advice(session, sitting_id=sat.id, person_id=person_id or sat.who.person.id)
    return {point for area in advice for point in area.key_points}


@pytest.mark.parametrize("advises", [True, False])
async def test_an_enterprise_exam_advises_at_once_where_its_blueprint_says_so(
    session: AsyncSession, vault: Vault, now: datetime, advises: bool
) -> None:
    sat = await make_enterprise_sitting(session, vault, now=now)
    await end(session, sat, wrong=3, now=now, advises=advises)
    assert await advised(session, sat) == (await points_of(session, sat, 3) if advises else set())
    other = await make_person(session, vault, now=now)
    assert await advised(session, sat, other.person.id) == set()


async def test_a_certificate_exam_advises_when_it_is_released_and_forgets_dropped_items(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat = await make_sitting(session, vault, now=now)
    await end(session, sat, wrong=2, now=now)
    assert await advised(session, sat) == set()
    booking = await session.get_one(Booking, sat.booking_id)
    officer = await make_person(session, vault, now=now)
    await review_and_release(
        session, exam_session_id=booking.exam_session_id, actor_id=officer.person.id, now=sat.entry.deadline
    )
    assert await advised(session, sat) == await points_of(session, sat, 2)
    regrade = await propose(
        session, await revision_at(session, sat.id, 99), RegradeKind.DROP, actor_id=sat.who.person.id, now=now
    )
    await approve(session, regrade, actor_id=officer.person.id, now=now)
    assert await advised(session, sat) == await points_of(session, sat, 1)


async def test_without_a_mistake_there_is_nothing_to_study(session: AsyncSession, vault: Vault, now: datetime) -> None:
    sat = await make_enterprise_sitting(session, vault, now=now)
    await end(session, sat, wrong=0, now=now)
    assert await find_advice(session, sitting_id=sat.id, person_id=sat.who.person.id) == ()


@pytest.mark.parametrize(
    ("words", "course"),
    [
        (["消防安全、疏散逃生", "火灾报警"], FIRE),
        (["食品、交通"], FOOD),
        (["异步电动机"], None),
        (["安全生产管理"], None),
        ([], None),
    ],
)
def test_a_course_fits_by_the_words_that_tell_apart(words: list[str], course: CourseCard | None) -> None:
    assert fitting_course(words, [FIRE, FOOD]) == course
    assert fitting_course(words, []) is None

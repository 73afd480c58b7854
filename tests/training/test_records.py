"""Training records: written once, corrected by later ones, summed by year."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from tests.makers.people import make_employee, make_organisation, make_person
from training.calendar import china_date
from training.errors import NotFound
from training.hours import Credit, credited_hours
from training.models import PersonCategory, TrainingMode
from training.records import (
    AlreadyCorrected,
    Correction,
    NewRecord,
    add_record,
    correct_record,
    find_post,
    list_records,
    sum_hours,
    years_of,
)

if TYPE_CHECKING:
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault


def a_record(person_id: UUID, *, ended_at: datetime, hours: str = "2.0") -> NewRecord:
    return NewRecord(
        person_id=person_id, mode=TrainingMode.OFFLINE, title="消防演练", content="疏散、灭火器",
        started_at=ended_at - timedelta(hours=2), ended_at=ended_at, class_hours=Decimal(hours), passed=True,
    )  # fmt: skip


async def test_a_correction_takes_the_place_of_the_record(session: AsyncSession, vault: Vault, now: datetime) -> None:
    known = await make_person(session, vault, now=now)
    record = await add_record(session, new=a_record(known.person.id, ended_at=now), created_by=None, now=now)
    correction = Correction(reason="少记了半学时", class_hours=Decimal("2.5"))
    for _ in range(2):
        corrected = await correct_record(
            session, record_id=record.id, correction=correction, actor_id=known.person.id, now=now
        )
    [line] = await list_records(session, person_id=known.person.id)
    assert (line.id, line.class_hours, line.is_correction) == (corrected.id, Decimal("2.5"), True)
    assert line.title == "消防演练"
    assert corrected.evidence == {"reason": "少记了半学时"}
    with pytest.raises(AlreadyCorrected):
        await correct_record(
            session,
            record_id=record.id,
            correction=replace(correction, reason="又改"),
            actor_id=known.person.id,
            now=now,
        )


async def test_only_ones_own_record_can_be_corrected(session: AsyncSession, vault: Vault, now: datetime) -> None:
    known = await make_person(session, vault, now=now)
    record = await add_record(session, new=a_record(known.person.id, ended_at=now), created_by=None, now=now)
    with pytest.raises(NotFound):
        await correct_record(
            session, record_id=record.id, correction=Correction(reason="x"), actor_id=known.person.id, now=now,
            provider_id=uuid4(),
        )  # fmt: skip


async def test_the_database_refuses_to_change_a_record(session: AsyncSession, vault: Vault, now: datetime) -> None:
    known = await make_person(session, vault, now=now)
    await add_record(session, new=a_record(known.person.id, ended_at=now), created_by=None, now=now)
    connection = await session.connection()
    with pytest.raises(IntegrityError, match="append-only"):
        await connection.execute(text("UPDATE training_record SET class_hours = 99"))


async def test_hours_count_for_the_year_in_china(session: AsyncSession, vault: Vault, now: datetime) -> None:
    known = await make_person(session, vault, now=now)
    new_year = datetime(2025, 12, 31, 16, 0, tzinfo=UTC)
    for ended_at, hours in ((new_year, "1.5"), (new_year - timedelta(seconds=1), "4.0")):
        await add_record(
            session, new=a_record(known.person.id, ended_at=ended_at, hours=hours), created_by=None, now=now
        )
    failed = replace(a_record(known.person.id, ended_at=now), passed=False)
    await add_record(session, new=failed, created_by=None, now=now)
    lines = await list_records(session, person_id=known.person.id)
    assert [(year.year, year.class_hours, year.records) for year in years_of(lines)] == [
        (2026, Decimal("1.5"), 2),
        (2025, Decimal("4.0"), 1),
    ]
    only = await list_records(session, person_id=known.person.id, year=2025)
    assert sum_hours(only) == Decimal("4.0")


async def test_the_post_is_that_of_the_day(session: AsyncSession, vault: Vault, now: datetime) -> None:
    organisation = await make_organisation(session, now=now)
    known = await make_employee(session, vault, organisation=organisation, now=now)
    post = await find_post(session, person_id=known.person.id, on=china_date(now))
    assert (post.organisation_id, post.category, post.post) == (organisation.id, PersonCategory.EMPLOYEE, "电工")
    before = await find_post(session, person_id=known.person.id, on=china_date(now).replace(year=2020))
    assert before.organisation_id is None


@given(seconds=st.integers(0, 10**6), declared=st.decimals(0, 200, places=1))
def test_seen_hours_never_exceed_the_time_nor_what_is_declared(seconds: int, declared: Decimal) -> None:
    hours = credited_hours(declared, seconds=seconds, minutes_per_hour=45, credit=Credit.SEEN)
    assert hours <= declared
    assert hours * 45 * 60 <= seconds
    assert credited_hours(declared, seconds=seconds, minutes_per_hour=45, credit=Credit.DECLARED) == declared

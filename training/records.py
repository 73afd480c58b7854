"""Training records: 时间·人员·内容·效果 (安全生产法 28). Written once, corrected by a later record, never changed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlmodel import col, or_, select
from sqlmodel.sql.expression import SelectOfScalar

from training import audit
from training.calendar import CHINA, china_date, start_of_day
from training.errors import N_, Conflict, NotFound
from training.models import Employment, Organisation, Person, PersonCategory, TrainingMode, TrainingRecord

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlmodel.ext.asyncio.session import AsyncSession


class AlreadyCorrected(Conflict):
    """Another correction of the same record came first."""

    message = N_("这条培训记录已被更正过。请打开最新的一条，再作更正。")


@dataclass(frozen=True)
class NewRecord:
    """What happened. `provider_id` gave the training, `organisation_id` employs the person."""

    person_id: UUID
    mode: TrainingMode
    title: str
    content: str
    started_at: datetime
    ended_at: datetime
    class_hours: Decimal
    passed: bool
    organisation_id: UUID | None = None
    provider_id: UUID | None = None
    category: PersonCategory | None = None
    post: str = ""
    trainer: str = ""
    assessment: str = ""
    course_version_id: UUID | None = None
    learning_id: UUID | None = None
    enrolment_id: UUID | None = None
    evidence: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Correction:
    """What was wrong: only the fields that are given are written anew. `reason` is kept with the record."""

    reason: str
    class_hours: Decimal | None = None
    passed: bool | None = None
    assessment: str | None = None
    title: str | None = None
    content: str | None = None
    trainer: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True)
class RecordLine:
    """A record in force, as lists and files show it."""

    id: UUID
    person_id: UUID
    person_name: str
    organisation_id: UUID | None
    organisation_name: str
    provider_name: str
    category: PersonCategory | None
    post: str
    mode: TrainingMode
    title: str
    content: str
    started_at: datetime
    ended_at: datetime
    class_hours: Decimal
    trainer: str
    assessment: str
    passed: bool
    is_correction: bool
    course_version_id: UUID | None
    learning_id: UUID | None
    enrolment_id: UUID | None

    @property
    def year(self) -> int:
        """The year in China in which the training ended; hours count for it."""
        return self.ended_at.astimezone(CHINA).year


@dataclass(frozen=True)
class YearHours:
    """Hours of passed trainings in one year."""

    year: int
    class_hours: Decimal
    records: int


@dataclass(frozen=True)
class Post:
    """Who a person was at work when trained."""

    organisation_id: UUID | None = None
    category: PersonCategory | None = None
    post: str = ""


async def find_post(session: AsyncSession, *, person_id: UUID, on: date, organisation_id: UUID | None = None) -> Post:
    """The post held on a day: with this organisation if one is named, else the newest."""
    statement = (
        select(Employment)
        .where(
            Employment.person_id == person_id,
            Employment.started_on <= on,
            or_(col(Employment.ended_on).is_(None), col(Employment.ended_on) >= on),
        )
        .order_by(col(Employment.started_on).desc(), col(Employment.id).desc())
    )
    if organisation_id is not None:
        statement = statement.where(Employment.organisation_id == organisation_id)
    employment = (await session.exec(statement)).first()
    if employment is None:
        return Post(organisation_id=organisation_id)
    return Post(employment.organisation_id, employment.category, employment.post)


async def _find_first(session: AsyncSession, new: NewRecord) -> TrainingRecord | None:
    statement = select(TrainingRecord).where(col(TrainingRecord.corrects_id).is_(None))
    if new.learning_id is not None:
        statement = statement.where(TrainingRecord.learning_id == new.learning_id)
    elif new.enrolment_id is not None:
        statement = statement.where(TrainingRecord.enrolment_id == new.enrolment_id)
    else:
        return None
    return (await session.exec(statement)).one_or_none()


async def add_record(
    session: AsyncSession, *, new: NewRecord, created_by: UUID | None, now: datetime
) -> TrainingRecord:
    """Write a record. Of one learning or one enrolment there is one: asked again it gives that."""
    if known := await _find_first(session, new):
        return known
    record = TrainingRecord(**vars(new), created_at=now, created_by=created_by)
    session.add(record)
    await session.flush()
    audit.record(
        session, action="training_record.added", target=("training_record", record.id), actor_id=created_by, now=now,
        mode=new.mode, class_hours=new.class_hours, passed=new.passed,
    )  # fmt: skip
    return record


def _changes(correction: Correction) -> dict[str, Any]:
    return {key: value for key, value in vars(correction).items() if key != "reason" and value is not None}


async def correct_record(
    session: AsyncSession,
    *,
    record_id: UUID,
    correction: Correction,
    actor_id: UUID,
    now: datetime,
    provider_id: UUID | None = None,
    organisation_id: UUID | None = None,
) -> TrainingRecord:
    """Put a corrected record in the place of one; the old one stays readable.

    `provider_id` or `organisation_id` make it the caller's own record. The same correction asked again
    gives the same record; another one of a record that was already corrected raises `AlreadyCorrected`.
    """
    statement = select(TrainingRecord).where(TrainingRecord.id == record_id).with_for_update()
    if provider_id is not None:
        statement = statement.where(TrainingRecord.provider_id == provider_id)
    if organisation_id is not None:
        statement = statement.where(TrainingRecord.organisation_id == organisation_id)
    record = (await session.exec(statement)).one_or_none()
    if record is None:
        raise NotFound
    changes = _changes(correction)
    later = (await session.exec(select(TrainingRecord).where(TrainingRecord.corrects_id == record_id))).one_or_none()
    if later is not None:
        is_same = all(getattr(later, key) == value for key, value in changes.items())
        if is_same and later.evidence.get("reason") == correction.reason:
            return later
        raise AlreadyCorrected
    facts = record.model_dump(exclude={"id", "corrects_id", "created_at", "created_by"})
    facts |= changes
    facts["evidence"] = {**record.evidence, "reason": correction.reason}
    corrected = TrainingRecord(**facts, corrects_id=record.id, created_at=now, created_by=actor_id)
    session.add(corrected)
    await session.flush()
    audit.record(
        session, action="training_record.corrected", target=("training_record", corrected.id), actor_id=actor_id,
        now=now, was={"class_hours": str(record.class_hours), "passed": record.passed}, corrects=record.id,
        fields=",".join(sorted(changes)),
    )  # fmt: skip
    return corrected


def _in_force(statement: SelectOfScalar[TrainingRecord]) -> SelectOfScalar[TrainingRecord]:
    corrected = select(TrainingRecord.corrects_id).where(col(TrainingRecord.corrects_id).is_not(None))
    return statement.where(col(TrainingRecord.id).not_in(corrected))


async def list_records(
    session: AsyncSession,
    *,
    person_id: UUID | None = None,
    organisation_id: UUID | None = None,
    provider_id: UUID | None = None,
    year: int | None = None,
) -> list[RecordLine]:
    """Records in force (never those that a correction replaced), the newest first."""
    statement = _in_force(select(TrainingRecord)).order_by(
        col(TrainingRecord.ended_at).desc(), col(TrainingRecord.id).desc()
    )
    for column, wanted in (
        (TrainingRecord.person_id, person_id),
        (TrainingRecord.organisation_id, organisation_id),
        (TrainingRecord.provider_id, provider_id),
    ):
        if wanted is not None:
            statement = statement.where(col(column) == wanted)
    if year is not None:
        statement = statement.where(
            TrainingRecord.ended_at >= start_of_day(date(year, 1, 1)),
            TrainingRecord.ended_at < start_of_day(date(year + 1, 1, 1)),
        )
    return await _lines(session, (await session.exec(statement)).all())


async def _lines(session: AsyncSession, records: Sequence[TrainingRecord]) -> list[RecordLine]:
    organisation_ids = {key for record in records for key in (record.organisation_id, record.provider_id) if key}
    people = await _names(session, Person, {record.person_id for record in records})
    organisations = await _names(session, Organisation, organisation_ids)
    return [
        RecordLine(
            id=record.id,
            person_id=record.person_id,
            person_name=people[record.person_id],
            organisation_id=record.organisation_id,
            organisation_name=organisations[record.organisation_id] if record.organisation_id else "",
            provider_name=organisations[record.provider_id] if record.provider_id else "",
            category=record.category,
            post=record.post,
            mode=record.mode,
            title=record.title,
            content=record.content,
            started_at=record.started_at,
            ended_at=record.ended_at,
            class_hours=record.class_hours,
            trainer=record.trainer,
            assessment=record.assessment,
            passed=record.passed,
            is_correction=record.corrects_id is not None,
            course_version_id=record.course_version_id,
            learning_id=record.learning_id,
            enrolment_id=record.enrolment_id,
        )
        for record in records
    ]


async def _names(session: AsyncSession, table: type[Person | Organisation], ids: set[UUID]) -> dict[UUID, str]:
    if not ids:
        return {}
    return dict((await session.exec(select(table.id, table.name).where(col(table.id).in_(ids)))).all())


async def find_record(session: AsyncSession, *, person_id: UUID, evidence: dict[str, str]) -> TrainingRecord | None:
    """A person's record in force that rests on this evidence, e.g. {"sitting_id": …}."""
    statement = _in_force(select(TrainingRecord)).where(
        TrainingRecord.person_id == person_id, col(TrainingRecord.evidence).contains(evidence)
    )
    return (await session.exec(statement)).first()


async def get_record(session: AsyncSession, *, record_id: UUID, person_id: UUID) -> RecordLine:
    """One of a person's own records. Raises `NotFound`."""
    statement = select(TrainingRecord).where(TrainingRecord.id == record_id, TrainingRecord.person_id == person_id)
    found = (await session.exec(statement)).all()
    if not found:
        raise NotFound
    return (await _lines(session, found))[0]


def sum_hours(lines: Sequence[RecordLine]) -> Decimal:
    """Hours that count: those of passed trainings."""
    return sum((line.class_hours for line in lines if line.passed), Decimal(0))


def years_of(lines: Sequence[RecordLine]) -> list[YearHours]:
    """Hours by year, the newest first."""
    years = sorted({line.year for line in lines}, reverse=True)
    by_year = {year: [line for line in lines if line.year == year] for year in years}
    return [YearHours(year, sum_hours(own), len(own)) for year, own in by_year.items()]


async def hours_in_year(session: AsyncSession, *, person_id: UUID, now: datetime) -> Decimal:
    """Hours that a person earned in the current year."""
    return sum_hours(await list_records(session, person_id=person_id, year=china_date(now).year))

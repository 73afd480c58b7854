"""Safety licences and public enforcement records: imported whole or not at all, looked up, withdrawn."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlmodel import col, or_, select

from certificates.models import EnforcementRecord, RecordImport, SafetyLicence
from certificates.register.record_files import KEYS, ReadFile, RecordKind, check_row, read_file
from training import audit
from training.calendar import china_date
from training.errors import N_, BadInput, NotFound
from training.rules import get_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlmodel.ext.asyncio.session import AsyncSession

_SHOWN_AT_MOST = 200


class NoReason(BadInput):
    """Nothing is withdrawn without saying why."""

    message = N_("请填写撤下原因，它会记入审计日志。")


@dataclass(frozen=True)
class LicenceLine:
    """One safety licence as pages show it."""

    id: UUID
    uscc: str
    enterprise_name: str
    licence_no: str
    scope: str
    issuer: str
    valid_from: date
    valid_to: date
    withdrawn_at: datetime | None

    def is_valid(self, on: date) -> bool:
        """Whether it is in force on a day; its last day counts."""
        return self.withdrawn_at is None and self.valid_from <= on <= self.valid_to


@dataclass(frozen=True)
class EnforcementLine:
    """One enforcement record as pages show it."""

    id: UUID
    uscc: str
    enterprise_name: str
    decision_no: str
    act: str
    content: str
    body: str
    decided_on: date
    public_until: date
    withdrawn_at: datetime | None

    def is_public(self, on: date) -> bool:
        """Whether the public may see it on a day; its last day counts."""
        return self.withdrawn_at is None and on <= self.public_until


@dataclass(frozen=True)
class PreviewRow:
    """One row that confirming would write: new, or in the place of one with the same number."""

    cells: Mapping[str, str]
    is_new: bool


@dataclass(frozen=True)
class Preview:
    """An import between upload and confirmation."""

    id: UUID
    kind: RecordKind
    created_at: datetime
    confirmed_at: datetime | None
    rows: tuple[PreviewRow, ...]

    @property
    def new(self) -> int:
        """How many rows have a number not seen before."""
        return sum(row.is_new for row in self.rows)


async def read_records(session: AsyncSession, *, kind: RecordKind, data: bytes, now: datetime) -> ReadFile:
    """Check a file against the rules of today. Raises `BadFile`."""
    years = await get_number(session, "penalty.public_years", on=china_date(now))
    return await asyncio.to_thread(read_file, kind, data, today=china_date(now), public_years=years)


async def keep_import(
    session: AsyncSession, *, kind: RecordKind, read: ReadFile, actor_id: UUID, now: datetime
) -> RecordImport:
    """Keep the rows of a file without errors until they are confirmed."""
    if read.errors or not read.rows:
        raise BadInput(N_("文件中还有错误，不能导入。请改正后重新上传。"), field="file")
    kept = RecordImport(kind=kind.value, created_by=actor_id, created_at=now, rows=list(read.rows))
    session.add(kept)
    await session.flush()
    return kept


async def get_preview(session: AsyncSession, import_id: UUID, *, actor_id: UUID) -> Preview:
    """The actor's own import, row by row. Raises `NotFound`."""
    kept = await session.get(RecordImport, import_id)
    if kept is None or kept.created_by != actor_id:
        raise NotFound
    kind = RecordKind(kept.kind)
    known = await _list_known(session, kind, [row[KEYS[kind]] for row in kept.rows])
    return Preview(
        id=kept.id,
        kind=kind,
        created_at=kept.created_at,
        confirmed_at=kept.confirmed_at,
        rows=tuple(PreviewRow(row, is_new=row[KEYS[kind]] not in known) for row in kept.rows),
    )


async def _list_known(session: AsyncSession, kind: RecordKind, numbers: list[str]) -> set[str]:
    if kind is RecordKind.LICENCE:
        licences = select(SafetyLicence.licence_no).where(col(SafetyLicence.licence_no).in_(numbers))
        return set((await session.exec(licences)).all())
    decisions = select(EnforcementRecord.decision_no).where(col(EnforcementRecord.decision_no).in_(numbers))
    return set((await session.exec(decisions)).all())


async def confirm_import(session: AsyncSession, *, import_id: UUID, actor_id: UUID, now: datetime) -> int:
    """Write every row, new or in the place of the one with the same number; gives their count.

    Confirmed again it writes nothing. A record that was withdrawn stays withdrawn. Raises
    `NotFound`, and `BadInput` for a row that the rules of today no longer allow.
    """
    kept = await session.get(RecordImport, import_id, with_for_update=True, populate_existing=True)
    if kept is None or kept.created_by != actor_id:
        raise NotFound
    if kept.confirmed_at is not None:
        return len(kept.rows)
    kind = RecordKind(kept.kind)
    years = await get_number(session, "penalty.public_years", on=china_date(now))
    rows = [check_row(kind, row, today=china_date(now), public_years=years) for row in kept.rows]
    write = _write_licences if kind is RecordKind.LICENCE else _write_enforcement
    await write(session, rows, actor_id=actor_id, now=now)
    kept.confirmed_at = now
    session.add(kept)
    audit.record(
        session, action="records.imported", target=("record_import", import_id), actor_id=actor_id, now=now,
        kind=kind, rows=len(rows),
    )  # fmt: skip
    await session.flush()
    return len(rows)


def _dates(row: Mapping[str, str], *names: str) -> dict[str, date]:
    return {name: date.fromisoformat(row[name]) for name in names}


async def _write_licences(session: AsyncSession, rows: list[dict[str, str]], *, actor_id: UUID, now: datetime) -> None:
    numbers = sorted(row["licence_no"] for row in rows)
    statement = select(SafetyLicence).where(col(SafetyLicence.licence_no).in_(numbers)).with_for_update()
    known = {licence.licence_no: licence for licence in (await session.exec(statement)).all()}
    for row in rows:
        facts: dict[str, Any] = {**row, **_dates(row, "valid_from", "valid_to")}
        if licence := known.get(row["licence_no"]):
            licence.sqlmodel_update(facts)
            licence.imported_at, licence.imported_by = now, actor_id
        else:
            licence = SafetyLicence(**facts, imported_at=now, imported_by=actor_id)
        session.add(licence)


async def _write_enforcement(
    session: AsyncSession, rows: list[dict[str, str]], *, actor_id: UUID, now: datetime
) -> None:
    numbers = sorted(row["decision_no"] for row in rows)
    statement = select(EnforcementRecord).where(col(EnforcementRecord.decision_no).in_(numbers)).with_for_update()
    known = {record.decision_no: record for record in (await session.exec(statement)).all()}
    for row in rows:
        facts: dict[str, Any] = {**row, **_dates(row, "decided_on", "public_until")}
        if record := known.get(row["decision_no"]):
            record.sqlmodel_update(facts)
            record.imported_at, record.imported_by = now, actor_id
        else:
            record = EnforcementRecord(**facts, imported_at=now, imported_by=actor_id)
        session.add(record)


async def withdraw_record(
    session: AsyncSession, *, kind: RecordKind, record_id: UUID, reason: str, actor_id: UUID, now: datetime
) -> None:
    """Take a licence or a record out of public view; withdrawn again it stays as it was. Raises `NoReason`."""
    row: SafetyLicence | EnforcementRecord | None
    if kind is RecordKind.LICENCE:
        row = await session.get(SafetyLicence, record_id, with_for_update=True, populate_existing=True)
    else:
        row = await session.get(EnforcementRecord, record_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound
    if row.withdrawn_at is not None:
        return
    if not reason.strip():
        raise NoReason(field="reason")
    row.withdrawn_at = now
    session.add(row)
    audit.record(
        session, action="records.withdrawn", target=(str(row.__tablename__), record_id), actor_id=actor_id, now=now,
        reason=reason.strip()[:500],
    )  # fmt: skip


async def list_licences(session: AsyncSession, uscc: str) -> list[LicenceLine]:
    """An enterprise's licences for the public, expired ones too, the newest first."""
    statement = (
        select(SafetyLicence)
        .where(SafetyLicence.uscc == uscc, col(SafetyLicence.withdrawn_at).is_(None))
        .order_by(col(SafetyLicence.valid_to).desc())
    )
    return [_licence_line(row) for row in (await session.exec(statement)).all()]


async def list_enforcement(session: AsyncSession, uscc: str, *, on: date) -> list[EnforcementLine]:
    """An enterprise's enforcement records that are public on a day, the newest first."""
    statement = (
        select(EnforcementRecord)
        .where(
            EnforcementRecord.uscc == uscc,
            col(EnforcementRecord.withdrawn_at).is_(None),
            EnforcementRecord.public_until >= on,
        )
        .order_by(col(EnforcementRecord.decided_on).desc())
    )
    return [_enforcement_line(row) for row in (await session.exec(statement)).all()]


async def search_licences(session: AsyncSession, *, words: str = "") -> list[LicenceLine]:
    """Licences for the authority, the newest import first, by name, code or number if asked."""
    statement = select(SafetyLicence).order_by(col(SafetyLicence.imported_at).desc(), col(SafetyLicence.licence_no))
    if words:
        statement = statement.where(
            or_(
                col(SafetyLicence.enterprise_name).contains(words, autoescape=True),
                SafetyLicence.uscc == words.upper(),
                SafetyLicence.licence_no == words,
            )
        )
    return [_licence_line(row) for row in (await session.exec(statement.limit(_SHOWN_AT_MOST))).all()]


async def search_enforcement(session: AsyncSession, *, words: str = "") -> list[EnforcementLine]:
    """Enforcement records for the authority, the newest first, by name, code or number if asked."""
    statement = select(EnforcementRecord).order_by(
        col(EnforcementRecord.imported_at).desc(), col(EnforcementRecord.decision_no)
    )
    if words:
        statement = statement.where(
            or_(
                col(EnforcementRecord.enterprise_name).contains(words, autoescape=True),
                EnforcementRecord.uscc == words.upper(),
                EnforcementRecord.decision_no == words,
            )
        )
    return [_enforcement_line(row) for row in (await session.exec(statement.limit(_SHOWN_AT_MOST))).all()]


def _licence_line(row: SafetyLicence) -> LicenceLine:
    return LicenceLine(**row.model_dump(exclude={"imported_at", "imported_by"}))


def _enforcement_line(row: EnforcementRecord) -> EnforcementLine:
    return EnforcementLine(**row.model_dump(exclude={"imported_at", "imported_by"}))

"""What the public may see of an enterprise: figures only, never a person (domain.md §5.6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from sqlalchemy import Select, case, literal, union_all
from sqlmodel import col, func, or_, select

from certificates.models import Certificate, CertificateKind, EnforcementRecord, SafetyLicence
from certificates.register.licences import EnforcementLine, LicenceLine, list_enforcement, list_licences
from certificates.standing import get_windows, status_of
from training.calendar import china_date
from training.documents import BadUscc, parse_uscc
from training.errors import N_, BadInput, NotFound
from training.models import Employment, Organisation, OrganisationKind, TrainingRecord
from training.staff import get_coverage

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

_PAGE = 20
_SHORTEST = 2


class SearchTooShort(BadInput):
    """Too little to look for."""

    message = N_("请输入至少两个字的企业名称，或完整的 18 位统一社会信用代码。")


@dataclass(frozen=True)
class EnterpriseLine:
    """One hit of a search."""

    uscc: str
    name: str


@dataclass(frozen=True)
class EnterprisePage:
    """One enterprise. `coverage` is the percentage of staff trained this year; None where it is not registered."""

    uscc: str
    name: str
    certificates: tuple[tuple[str, int], ...]
    coverage: int | None
    last_training: date | None
    licences: tuple[LicenceLine, ...]
    enforcement: tuple[EnforcementLine, ...]


def _known(on: date) -> Select[Any]:
    """Code and name of every enterprise of which something is public."""
    enterprises = select(Organisation.uscc, Organisation.name, literal(0).label("rank")).where(
        Organisation.kind == OrganisationKind.ENTERPRISE
    )
    licensed = select(SafetyLicence.uscc, SafetyLicence.enterprise_name, literal(1).label("rank")).where(
        col(SafetyLicence.withdrawn_at).is_(None)
    )
    acted_on = select(EnforcementRecord.uscc, EnforcementRecord.enterprise_name, literal(2).label("rank")).where(
        col(EnforcementRecord.withdrawn_at).is_(None), EnforcementRecord.public_until >= on
    )
    every = union_all(enterprises, licensed, acted_on).subquery()
    code, name, rank = every.c
    registered = func.max(case((rank == 0, name)))
    return select(code.label("uscc"), func.coalesce(registered, func.max(name)).label("name")).group_by(code)


async def search_enterprises(
    session: AsyncSession, *, words: str, page: int, now: datetime
) -> tuple[list[EnterpriseLine], int]:
    """By a part of the name, or the exact code; a page of them and how many pages. Raises `SearchTooShort`."""
    words = words.strip()
    if len(words) < _SHORTEST:
        raise SearchTooShort(field="q")
    known = _known(china_date(now)).subquery()
    fits = or_(known.c.name.contains(words, autoescape=True), known.c.uscc == words.upper())
    count = (await session.exec(select(func.count()).select_from(known).where(fits))).one()
    statement = (
        select(known.c.uscc, known.c.name)
        .where(fits)
        .order_by(known.c.name, known.c.uscc)
        .offset((max(page, 1) - 1) * _PAGE)
        .limit(_PAGE)
    )
    rows = (await session.exec(statement)).all()
    return [EnterpriseLine(uscc, name) for uscc, name in rows], max(-(-count // _PAGE), 1)


async def get_enterprise(session: AsyncSession, *, uscc: str, now: datetime) -> EnterprisePage:
    """One enterprise by its code. Raises `NotFound`."""
    try:
        uscc = parse_uscc(uscc)
    except BadUscc as error:
        raise NotFound from error
    today = china_date(now)
    known = _known(today).subquery()
    name = (await session.exec(select(known.c.name).where(known.c.uscc == uscc))).first()
    if name is None:
        raise NotFound
    statement = select(Organisation.id).where(
        Organisation.uscc == uscc, Organisation.kind == OrganisationKind.ENTERPRISE
    )
    organisation_id = (await session.exec(statement)).first()
    coverage = await get_coverage(session, organisation_id, now=now) if organisation_id else None
    return EnterprisePage(
        uscc=uscc,
        name=name,
        certificates=await _count_certificates(session, organisation_id, now=now) if organisation_id else (),
        coverage=coverage.percent if coverage else None,
        last_training=await _last_training(session, organisation_id) if organisation_id else None,
        licences=tuple(await list_licences(session, uscc)),
        enforcement=tuple(await list_enforcement(session, uscc, on=today)),
    )


async def _count_certificates(
    session: AsyncSession, organisation_id: UUID, *, now: datetime
) -> tuple[tuple[str, int], ...]:
    """Usable certificates of the present staff by item."""
    today = china_date(now)
    staff = select(Employment.person_id).where(
        Employment.organisation_id == organisation_id, col(Employment.ended_on).is_(None)
    )
    statement = select(Certificate).where(
        col(Certificate.person_id).in_(staff), col(Certificate.kind) != CertificateKind.TRAINING_PROOF
    )
    windows = await get_windows(session, on=today)
    counts: dict[str, int] = {}
    for certificate in (await session.exec(statement)).all():
        if status_of(certificate, on=today, windows=windows).is_usable:
            counts[certificate.item_name] = counts.get(certificate.item_name, 0) + 1
    return tuple(sorted(counts.items(), key=lambda each: (-each[1], each[0])))


async def _last_training(session: AsyncSession, organisation_id: UUID) -> date | None:
    statement = select(func.max(TrainingRecord.ended_at)).where(TrainingRecord.organisation_id == organisation_id)
    last = (await session.exec(statement)).one()
    return china_date(last) if last else None

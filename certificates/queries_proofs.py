"""For which trainings an organisation may issue a 培训合格证明, and for which it did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from sqlmodel import col, func, select

from certificates.models import Certificate
from training.models import (
    ClassEnrolment,
    OrganisationKind,
    Person,
    PersonDocument,
    TrainingRecord,
)
from training.organisations import get_organisation

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlmodel.ext.asyncio.session import AsyncSession

_PAGE = 50


@dataclass(frozen=True)
class ProofLine:
    """A passed training in force; `certificate_id` once it is proved."""

    record_id: UUID
    person_name: str
    number_masked: str
    title: str
    class_hours: Decimal
    ended_at: datetime
    certificate_id: UUID | None
    public_id: str | None


@dataclass(frozen=True)
class ProofList:
    """A page of them."""

    lines: tuple[ProofLine, ...]
    page: int
    pages: int

    @property
    def waiting(self) -> int:
        """How many of this page have no proof yet."""
        return sum(line.certificate_id is None for line in self.lines)


async def list_provable(
    session: AsyncSession, *, issuer_id: UUID, class_id: UUID | None = None, page: int = 1
) -> ProofList:
    """What the organisation may prove, the newest first; with `class_id` of one class, all on one page."""
    issuer = await get_organisation(session, issuer_id)
    conditions: list[ColumnElement[bool]] = [col(TrainingRecord.passed).is_(True), _not_corrected()]
    if issuer.kind is OrganisationKind.ENTERPRISE:
        taught = (col(TrainingRecord.provider_id) == issuer_id) | (
            col(TrainingRecord.provider_id).is_(None) & (col(TrainingRecord.organisation_id) == issuer_id)
        )
        conditions.append(taught)
    else:
        conditions.append(col(TrainingRecord.provider_id) == issuer_id)
    if class_id is not None:
        places = select(ClassEnrolment.id).where(ClassEnrolment.class_id == class_id)
        conditions.append(col(TrainingRecord.enrolment_id).in_(places))
    count = (await session.exec(select(func.count()).select_from(TrainingRecord).where(*conditions))).one()
    pages = max(-(-count // _PAGE), 1) if class_id is None else 1
    page = min(max(page, 1), pages)
    statement = (
        select(TrainingRecord, Person.name, PersonDocument.number_masked, Certificate)
        .join(Person, col(Person.id) == TrainingRecord.person_id)
        .join(PersonDocument, (col(PersonDocument.person_id) == Person.id) & col(PersonDocument.is_primary))
        .join(Certificate, col(Certificate.training_record_id) == TrainingRecord.id, isouter=True)
        .where(*conditions)
        .order_by(col(TrainingRecord.ended_at).desc(), col(Person.name), col(TrainingRecord.id))
    )
    if class_id is None:
        statement = statement.offset((page - 1) * _PAGE).limit(_PAGE)
    lines = tuple(
        ProofLine(
            record_id=record.id,
            person_name=name,
            number_masked=number_masked,
            title=record.title,
            class_hours=record.class_hours,
            ended_at=record.ended_at,
            certificate_id=proof.id if proof else None,
            public_id=proof.public_id if proof else None,
        )
        for record, name, number_masked, proof in (await session.exec(statement)).all()
    )
    return ProofList(lines, page, pages)


def _not_corrected() -> ColumnElement[bool]:
    later = select(TrainingRecord.corrects_id).where(col(TrainingRecord.corrects_id).is_not(None))
    return col(TrainingRecord.id).not_in(later)

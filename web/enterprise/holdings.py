"""The certificates that an enterprise's staff hold, for its files: read only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlmodel import col, select

from certificates.models import Certificate, CertificateKind
from certificates.status import CertificateFacts, CertificateStatus, certificate_status
from training.calendar import china_date
from training.models import Organisation
from training.rules import get_number

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession


@dataclass(frozen=True)
class Holding:
    """One certificate of one person, with what it is worth today."""

    person_id: UUID
    kind: CertificateKind
    item: str
    number_masked: str
    issuer: str
    valid_from: date
    valid_to: date | None
    review_due_on: date | None
    status: CertificateStatus


def _day(instant: datetime | None) -> date | None:
    return china_date(instant) if instant else None


async def list_holdings(session: AsyncSession, person_ids: Sequence[UUID], *, now: datetime) -> list[Holding]:
    """Every certificate of these people, the newest first."""
    today = china_date(now)
    window = await get_number(session, "so.review.window_days", on=today)
    statement = (
        select(Certificate, Organisation.name)
        .join(Organisation, col(Organisation.id) == Certificate.issuer_id)
        .where(col(Certificate.person_id).in_(person_ids))
        .order_by(col(Certificate.valid_from).desc(), col(Certificate.id))
    )
    return [
        Holding(
            person_id=held.person_id,
            kind=held.kind,
            item=held.item_name,
            number_masked=held.number_masked,
            issuer=issuer,
            valid_from=held.valid_from,
            valid_to=held.valid_to,
            review_due_on=held.review_due_on,
            status=certificate_status(
                CertificateFacts(
                    valid_from=held.valid_from,
                    valid_to=held.valid_to,
                    review_due_on=held.review_due_on,
                    reviewed_on=held.reviewed_on,
                    revoked_on=_day(held.revoked_at),
                    cancelled_on=_day(held.cancelled_at),
                    replaced_on=_day(held.replaced_at),
                ),
                on=today,
                window_days=window,
            ),
        )
        for held, issuer in (await session.exec(statement)).all()
    ]

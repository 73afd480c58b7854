"""What the exam rules must know of certificates, which they may not look up themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import select

from certificates.models import Certificate
from certificates.status import CertificateFacts, certificate_status
from training.calendar import china_date
from training.rules import get_number

if TYPE_CHECKING:
    from datetime import date, datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession


def _day(instant: datetime | None) -> date | None:
    return china_date(instant) if instant else None


async def holds_valid_certificate(session: AsyncSession, *, person_id: UUID, code: str, now: datetime) -> bool:
    """Whether the person may work on a certificate of this qualification today."""
    today = china_date(now)
    statement = select(Certificate).where(Certificate.person_id == person_id, Certificate.qualification_code == code)
    window = await get_number(session, "so.review.window_days", on=today)
    return any(
        certificate_status(
            CertificateFacts(
                valid_from=row.valid_from,
                valid_to=row.valid_to,
                review_due_on=row.review_due_on,
                reviewed_on=row.reviewed_on,
                revoked_on=_day(row.revoked_at),
                cancelled_on=_day(row.cancelled_at),
                replaced_on=_day(row.replaced_at),
            ),
            on=today,
            window_days=window,
        ).is_usable
        for row in (await session.exec(statement)).all()
    )

"""Taking a certificate back (撤销), striking it off (注销), and registering its review (domain.md §2.5, §2.6)."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from sqlmodel import select

from certificates.errors import GroundMissing, NoReviewDue, NotRevocable, NotYours, ReasonMissing
from certificates.models import CancellationGround, Certificate, RevocationGround
from certificates.standing import get_windows, status_of
from certificates.status import CertificateStatus
from exams.models import Ban
from training import audit
from training.calendar import add_years, china_date
from training.errors import NotFound
from training.notices import NoticeKind, notify
from training.rules import get_number

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

_LONGEST_REASON = 500
_ONE_DAY = timedelta(days=1)
# Only these two bring a ban (30号令 art. 30, 行政许可法 art. 79).
BANNING = frozenset({RevocationGround.FALSE_INFORMATION, RevocationGround.FRAUD})


async def revoke_certificate(
    session: AsyncSession,
    *,
    certificate_id: UUID,
    issuer_id: UUID,
    actor_id: UUID,
    ground: RevocationGround | None,
    reason: str,
    with_ban: bool,
    now: datetime,
) -> Certificate:
    """Revoke one of the issuer's own certificates. Asked again it stays as it is.

    With a ban, which only fraud and false information allow, the holder may not apply for
    so.ban.fraud_years. Raises `GroundMissing`, `ReasonMissing`, `NotRevocable`, `NotYours`, `NotFound`.
    """
    certificate = await _lock(session, certificate_id, issuer_id=issuer_id, actor_id=actor_id)
    if certificate.revoked_at is not None:
        return certificate
    if certificate.cancelled_at is not None or certificate.replaced_at is not None:
        raise NotRevocable
    if ground is None:
        raise GroundMissing(field="ground")
    if not reason.strip():
        raise ReasonMissing(field="reason")
    certificate.revoked_at, certificate.revoked_by = now, actor_id
    certificate.revoked_ground, certificate.revoked_reason = ground, reason.strip()[:_LONGEST_REASON]
    session.add(certificate)
    await session.flush()
    is_banned = with_ban and ground in BANNING
    audit.record(
        session, action="certificate.revoked", target=("certificate", certificate.id), actor_id=actor_id, now=now,
        ground=ground, banned=is_banned,
    )  # fmt: skip
    notify(
        session, [certificate.person_id], NoticeKind.CERTIFICATE_REVOKED, now=now,
        link=f"/certificates/{certificate.id}", title=certificate.item_name, reason=certificate.revoked_reason,
    )  # fmt: skip
    if is_banned:
        await _ban(session, certificate, actor_id=actor_id, now=now)
    return certificate


async def cancel_certificate(
    session: AsyncSession,
    *,
    certificate_id: UUID,
    issuer_id: UUID,
    actor_id: UUID,
    ground: CancellationGround | None,
    reason: str,
    now: datetime,
) -> Certificate:
    """Strike off one of the issuer's own certificates, also one that was revoked. Asked again it stays as it is."""
    certificate = await _lock(session, certificate_id, issuer_id=issuer_id, actor_id=actor_id)
    if certificate.cancelled_at is not None:
        return certificate
    if certificate.replaced_at is not None:
        raise NotRevocable
    if ground is None or (ground is CancellationGround.REVOKED) != (certificate.revoked_at is not None):
        raise GroundMissing(field="ground")
    if not reason.strip():
        raise ReasonMissing(field="reason")
    certificate.cancelled_at, certificate.cancelled_by = now, actor_id
    certificate.cancelled_ground, certificate.cancelled_reason = ground, reason.strip()[:_LONGEST_REASON]
    session.add(certificate)
    await session.flush()
    audit.record(
        session, action="certificate.cancelled", target=("certificate", certificate.id), actor_id=actor_id, now=now,
        ground=ground,
    )  # fmt: skip
    return certificate


async def register_review(
    session: AsyncSession, *, certificate_id: UUID, issuer_id: UUID, actor_id: UUID, now: datetime
) -> Certificate:
    """Note that a review was passed (签章、登记, 30号令 art. 24). Asked again it stays as it is.

    Raises `NoReviewDue` outside the window: too early, not reviewed at all, or overdue and therefore void.
    """
    certificate = await _lock(session, certificate_id, issuer_id=issuer_id, actor_id=actor_id)
    if certificate.reviewed_on is not None:
        return certificate
    today = china_date(now)
    status = status_of(certificate, on=today, windows=await get_windows(session, on=today))
    if status is not CertificateStatus.REVIEW_WINDOW:
        raise NoReviewDue
    certificate.reviewed_on = today
    session.add(certificate)
    await session.flush()
    audit.record(
        session, action="certificate.reviewed", target=("certificate", certificate.id), actor_id=actor_id, now=now
    )
    return certificate


async def _lock(session: AsyncSession, certificate_id: UUID, *, issuer_id: UUID, actor_id: UUID) -> Certificate:
    statement = (
        select(Certificate)
        .where(Certificate.id == certificate_id, Certificate.issuer_id == issuer_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    certificate = (await session.exec(statement)).one_or_none()
    if certificate is None:
        raise NotFound
    if certificate.person_id == actor_id:
        raise NotYours
    return certificate


async def _ban(session: AsyncSession, certificate: Certificate, *, actor_id: UUID, now: datetime) -> None:
    today = china_date(now)
    years = await get_number(session, "so.ban.fraud_years", on=today)
    ban = Ban(
        person_id=certificate.person_id,
        reason=certificate.revoked_reason,
        starts_on=today,
        ends_on=add_years(today, years) - _ONE_DAY,
        decided_by=actor_id,
        created_at=now,
    )
    session.add(ban)
    await session.flush()
    audit.record(session, action="ban.decided", target=("ban", ban.id), actor_id=actor_id, now=now, years=years)

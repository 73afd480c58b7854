"""Looking up the certificates of one person by exact number and full name (30号令 art. 29, domain.md §5.6)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlmodel import col, func, or_, select

from certificates.issuing import number_index
from certificates.models import (
    CancellationGround,
    Certificate,
    CertificateKind,
    LookupEntry,
    RevocationGround,
)
from certificates.standing import get_windows, status_of
from certificates.status import CertificateStatus
from training import audit
from training.calendar import china_date
from training.masking import mask_name
from training.models import Organisation, Person, PersonDocument
from training.names import matched_name
from training.people import document_index

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault

_PAGE = 30


class NumberKind(StrEnum):
    """Which number is typed."""

    DOCUMENT = "DOCUMENT"
    CERTIFICATE = "CERTIFICATE"


@dataclass(frozen=True)
class FoundCertificate:
    """What the public sees of one certificate: no number, the name masked."""

    kind: CertificateKind
    holder_masked: str
    class_name: str
    item_name: str
    valid_from: date
    valid_to: date | None
    review_due_on: date | None
    status: CertificateStatus
    issuer_name: str


@dataclass(frozen=True)
class Announcement:
    """A revoked or cancelled certificate, as it is told to the public."""

    day: date
    holder_masked: str
    item_name: str
    issuer_name: str
    revoked_ground: RevocationGround | None
    cancelled_ground: CancellationGround | None


def lookup_index(vault: Vault, kind: NumberKind, number: str) -> bytes:
    """By which a number is searched and its limit counted; it does not tell the number."""
    return number_index(vault, number) if kind is NumberKind.CERTIFICATE else document_index(vault, number)


async def look_up(
    session: AsyncSession,
    *,
    vault: Vault,
    kind: NumberKind,
    number: str,
    name: str,
    viewer_id: UUID | None,
    address: str,
    now: datetime,
) -> list[FoundCertificate]:
    """The certificates behind a number if the name fits exactly; an empty list does not tell which was wrong.

    One query either way, so that the time does not tell either. The look-up is kept, by blind index.
    """
    index = lookup_index(vault, kind, number)
    if kind is NumberKind.CERTIFICATE:
        by_number = col(Certificate.number_index) == index
    else:
        holders = select(PersonDocument.person_id).where(PersonDocument.number_index == index)
        by_number = col(Certificate.person_id).in_(holders)
    statement = (
        select(Certificate, Organisation.name)
        .join(Organisation, col(Organisation.id) == Certificate.issuer_id)
        .join(Person, col(Person.id) == Certificate.person_id)
        .where(by_number, Person.matched_name == matched_name(name))
        .order_by(col(Certificate.valid_from).desc(), col(Certificate.id))
    )
    rows = (await session.exec(statement)).all()
    today = china_date(now)
    windows = await get_windows(session, on=today)
    entry = LookupEntry(
        at=now, kind=kind.value, number_index=index, found=bool(rows), viewer_id=viewer_id, address=address[:64]
    )
    session.add(entry)
    await session.flush()
    audit.record(
        session, action="register.looked_up", target=("lookup_entry", entry.id), actor_id=viewer_id, now=now,
        kind=kind, found=bool(rows),
    )  # fmt: skip
    return [
        FoundCertificate(
            kind=certificate.kind,
            holder_masked=mask_name(certificate.holder_name),
            class_name=certificate.class_name,
            item_name=certificate.item_name,
            valid_from=certificate.valid_from,
            valid_to=certificate.valid_to,
            review_due_on=None if certificate.reviewed_on else certificate.review_due_on,
            status=status_of(certificate, on=today, windows=windows),
            issuer_name=issuer_name,
        )
        for certificate, issuer_name in rows
    ]


async def list_announcements(session: AsyncSession, *, page: int) -> tuple[list[Announcement], int]:
    """Revoked and cancelled certificates, the newest first (30号令 art. 31), and how many pages there are."""
    ended = (
        or_(col(Certificate.revoked_at).is_not(None), col(Certificate.cancelled_at).is_not(None)),
        col(Certificate.kind) != CertificateKind.TRAINING_PROOF,
    )
    count = (await session.exec(select(func.count()).select_from(Certificate).where(*ended))).one()
    latest = func.greatest(col(Certificate.revoked_at), col(Certificate.cancelled_at))
    statement = (
        select(Certificate, Organisation.name)
        .join(Organisation, col(Organisation.id) == Certificate.issuer_id)
        .where(*ended)
        .order_by(latest.desc(), col(Certificate.id))
        .offset((max(page, 1) - 1) * _PAGE)
        .limit(_PAGE)
    )
    lines = []
    for certificate, issuer_name in (await session.exec(statement)).all():
        moments = [each for each in (certificate.revoked_at, certificate.cancelled_at) if each]
        lines.append(
            Announcement(
                day=china_date(max(moments)),
                holder_masked=mask_name(certificate.holder_name),
                item_name=certificate.item_name,
                issuer_name=issuer_name,
                revoked_ground=certificate.revoked_ground,
                cancelled_ground=certificate.cancelled_ground,
            )
        )
    return lines, max(-(-count // _PAGE), 1)

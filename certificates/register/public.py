"""What the public reads of one certificate by its random id, and the keys that prove a QR code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import ARRAY, String, any_, case, literal, literal_column
from sqlmodel import col, func, or_, select

from certificates.claims import claims_of
from certificates.credential import Credential, NotGenuine, open_credential
from certificates.models import Certificate, CertificateKind, IssuerKey
from certificates.signing import import_public_key
from certificates.standing import OTHER_WINDOW, SPECIAL_OPERATION_WINDOW, facts_of
from certificates.verdict import PublicRecord, Verdict, verdict
from training.calendar import china_date
from training.masking import mask_name
from training.models import Organisation, Rule

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date, datetime
    from typing import Any

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from sqlmodel.ext.asyncio.session import AsyncSession


def _rule(code: str, on: date) -> Any:  # noqa: ANN401 - a scalar subquery
    return (
        select(Rule.value)
        .where(
            Rule.code == code,
            Rule.effective_from <= on,
            or_(col(Rule.effective_to).is_(None), col(Rule.effective_to) > on),
        )
        .scalar_subquery()
    )


async def find_record(session: AsyncSession, *, public_id: str, now: datetime) -> PublicRecord | None:
    """One certificate by the id of its QR, capitals or not."""
    wanted = public_id.upper()
    return (await find_records(session, public_ids=[wanted], now=now)).get(wanted)


async def find_records(session: AsyncSession, *, public_ids: Collection[str], now: datetime) -> dict[str, PublicRecord]:
    """Those of the ids (in capitals) that stand in the register, in one query."""
    today = china_date(now)
    window = case(
        (col(Certificate.kind) == CertificateKind.SPECIAL_OPERATION, _rule(SPECIAL_OPERATION_WINDOW, today)),
        else_=_rule(OTHER_WINDOW, today),
    )
    statement = (
        select(Certificate, Organisation.name, Organisation.uscc, window)
        .join(Organisation, col(Organisation.id) == Certificate.issuer_id)
        .where(col(Certificate.public_id).in_(public_ids))
    )
    return {
        certificate.public_id: PublicRecord(
            public_id=certificate.public_id,
            kind=certificate.kind,
            holder_masked=mask_name(certificate.holder_name),
            class_name=certificate.class_name,
            item_name=certificate.item_name,
            issuer_name=issuer_name,
            facts=facts_of(certificate),
            window_days=int(window_days),
            claims=claims_of(certificate, issuer=uscc),
        )
        for certificate, issuer_name, uscc, window_days in (await session.exec(statement)).all()
    }


async def list_versions(session: AsyncSession, *, public_ids: Collection[str], now: datetime) -> dict[str, str]:
    """What changes whenever a public record does: cheaper to read than the record itself.

    PostgreSQL's `xmin` is another one after every write to a row.
    """
    today = china_date(now)
    version = func.concat_ws(
        ".",
        literal_column("certificate.xmin"),
        literal_column("organisation.xmin"),
        _rule(SPECIAL_OPERATION_WINDOW, today),
        _rule(OTHER_WINDOW, today),
    )
    statement = (
        select(Certificate.public_id, version)
        .join(Organisation, col(Organisation.id) == Certificate.issuer_id)
        .where(col(Certificate.public_id) == any_(literal(list(public_ids), ARRAY(String))))
    )
    return dict((await session.exec(statement)).all())


async def list_public_keys(session: AsyncSession) -> dict[str, Ed25519PublicKey]:
    """Every pinned issuer key by its id; retired ones still prove what they signed."""
    rows = (await session.exec(select(IssuerKey.kid, IssuerKey.public_key))).all()
    return {kid: import_public_key(raw) for kid, raw in rows}


def read_credential(data: bytes, *, keys: Mapping[str, Ed25519PublicKey]) -> Credential | NotGenuine:
    """What the QR said, or why that is no proof."""
    try:
        return open_credential(data, keys=keys)
    except NotGenuine as error:
        return error


async def check_shown(session: AsyncSession, *, public_id: str, credential: bytes | None, now: datetime) -> Verdict:
    """Hold what was scanned against the record and the pinned keys. Without a credential only the record speaks."""
    record = await find_record(session, public_id=public_id, now=now)
    if credential is None:
        return verdict(record, None, now=now)
    return verdict(record, read_credential(credential, keys=await list_public_keys(session)), now=now)

"""The append-only audit log: who did what to which target, from where, and the target as it was."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert
from sqlmodel import col, select

from training.columns import new_id
from training.models import AuditEntry

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession


@dataclass(frozen=True)
class Origin:
    """Where a request came from."""

    address: str = ""
    request_id: str = ""


# Set by the web layer for each request; a job or a command leaves it empty.
_NOWHERE = Origin()
origin: ContextVar[Origin] = ContextVar("origin", default=_NOWHERE)


def record(
    session: AsyncSession,
    *,
    action: str,
    target: tuple[str, object],
    actor_id: UUID | None,
    now: datetime,
    was: dict[str, Any] | None = None,
    **detail: object,
) -> None:
    """Note an act in the same transaction as the act itself.

    `action` is dotted and in the past tense ("certificate.revoked"); `target` is (table, key).
    Neither `was` nor `detail` may hold personal data: keys, states, counts and reasons only.
    """
    entry = _entry(action, target, actor_id, now)
    entry["target_was"] = was
    entry["detail"] = {key: value if isinstance(value, int | bool) else str(value) for key, value in detail.items()}
    session.add(AuditEntry(**entry))


async def write(
    session: AsyncSession, *, action: str, table: str, acts: Iterable[tuple[object, UUID | None]], now: datetime
) -> None:
    """Note one act on many targets, each with its actor, at once and past the ORM."""
    entries = [{"id": new_id(), **_entry(action, (table, key), actor_id, now)} for key, actor_id in acts]
    await (await session.connection()).execute(_INSERT, entries)


_INSERT = insert(AuditEntry)


def insert_from(
    source: str, *, action: str, table: str, key: str, actor: str, now: str, entry: str = "CAST(:audit_id AS uuid)"
) -> str:
    """SQL that notes an act on each row of `source`, as a part of the statement that does it.

    `action` is an SQL string, `key`, `actor`, `now` and the `entry`'s id are SQL expressions. Takes the
    parameters that `insert_values` gives.
    """
    return f"""
        INSERT INTO audit_entry (
            id, at, actor_id, action, target_type, target_id, target_was, detail, address, request_id
        )
        SELECT {entry}, {now}, {actor}, {action}, '{table}', CAST({key} AS text), NULL,
            '{{}}', CAST(:audit_address AS text), CAST(:audit_request_id AS text)
        FROM {source}
    """  # noqa: S608 - of parts that stand in the code


def insert_values() -> dict[str, object]:
    """What `insert_from` takes for one row, of the request in hand."""
    place = origin.get()
    return {"audit_id": new_id(), "audit_address": place.address, "audit_request_id": place.request_id}


def _entry(action: str, target: tuple[str, object], actor_id: UUID | None, now: datetime) -> dict[str, Any]:
    place = origin.get()
    return {
        "at": now,
        "actor_id": actor_id,
        "action": action,
        "target_type": target[0],
        "target_id": str(target[1]),
        "target_was": None,
        "detail": {},
        "address": place.address,
        "request_id": place.request_id,
    }


async def list_entries(
    session: AsyncSession, *, target: tuple[str, object] | None = None, action: str = "", limit: int = 200
) -> Sequence[AuditEntry]:
    """The newest entries first, of one target or one kind of act if asked."""
    statement = select(AuditEntry).order_by(col(AuditEntry.at).desc()).limit(limit)
    if target is not None:
        statement = statement.where(AuditEntry.target_type == target[0], AuditEntry.target_id == str(target[1]))
    if action:
        statement = statement.where(col(AuditEntry.action).startswith(action))
    return (await session.exec(statement)).all()

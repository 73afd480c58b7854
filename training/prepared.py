"""Statements that are built once: on the paths where thousands wait, the ORM costs more than the database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import CursorResult, Executable
    from sqlmodel.ext.asyncio.session import AsyncSession


async def run(session: AsyncSession, statement: Executable, **values: object) -> CursorResult[*tuple[Any, ...]]:
    """Run a statement in the session's transaction, after what the session has not yet written."""
    if session.new or session.dirty or session.deleted:
        await session.flush()
    connection = await session.connection()
    return await connection.execute(statement, values)

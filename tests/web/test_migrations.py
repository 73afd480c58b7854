"""The migrations and the models say the same, and the database keeps its guards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text
from sqlmodel import SQLModel

import web.schema

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.ext.asyncio import AsyncConnection

_APPEND_ONLY = {"audit_entry", "answer_event", "identity_check", "sitting_event", "training_record", "item_difficulty"}


def _differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, SQLModel.metadata))


async def test_no_model_has_drifted_from_the_migrations(connection: AsyncConnection) -> None:
    assert await connection.run_sync(_differences) == []


async def test_running_the_migrations_again_changes_nothing(connection: AsyncConnection) -> None:
    await connection.run_sync(web.schema.upgrade)


async def test_append_only_tables_are_guarded(connection: AsyncConnection) -> None:
    found = await connection.execute(
        text(
            "SELECT tgrelid::regclass::text FROM pg_trigger JOIN pg_proc p ON p.oid = tgfoid "
            "WHERE p.proname = 'refuse_change' AND tgenabled = 'O'"
        )
    )
    assert set(found.scalars()) >= _APPEND_ONLY

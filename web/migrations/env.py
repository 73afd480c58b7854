"""Runs the migrations against the database of the settings, or of the caller's connection."""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy import Connection, pool
from sqlalchemy.ext.asyncio import create_async_engine
from sqlmodel import SQLModel

import certificates.models  # noqa: F401 - the four imports fill the metadata
import exams.models  # noqa: F401
import question_bank.models  # noqa: F401
import training.models  # noqa: F401
from web.settings import Settings


def _run(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=SQLModel.metadata, compare_type=True)
    with context.begin_transaction():
        context.run_migrations()


async def _run_on_settings() -> None:
    engine = create_async_engine(Settings.from_environment().database_url, poolclass=pool.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(_run)
    await engine.dispose()


given: Connection | None = context.config.attributes.get("connection")
if given is not None:
    _run(given)
else:
    asyncio.run(_run_on_settings())

"""A database of its own for a test that needs real, competing transactions."""

from __future__ import annotations

import secrets
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg

from web.settings import async_url

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@asynccontextmanager
async def copied_database(url: str) -> AsyncGenerator[str, None]:
    """The address of a copy of a migrated database to which nobody is connected; dropped at the end."""
    plain = url.replace("+asyncpg", "")
    base, _, template = plain.rpartition("/")
    name = f"copy_{secrets.token_hex(4)}"
    connection = await asyncpg.connect(f"{base}/postgres")
    try:
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        yield async_url(f"{base}/{name}")
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await connection.close()

"""Rate limits that all web processes share: fixed windows counted in the database."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import text

from training.errors import TooMany

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import async_sessionmaker
    from sqlmodel.ext.asyncio.session import AsyncSession

_TAKE = text(
    "INSERT INTO rate_count (key, window_start, count) VALUES (:key, :window_start, 1) "
    "ON CONFLICT (key, window_start) DO UPDATE SET count = rate_count.count + 1 RETURNING count"
)


async def take(
    sessions: async_sessionmaker[AsyncSession], *, key: str, limit: int, per: timedelta, now: datetime
) -> None:
    """Use up one of `limit` turns of `key` in this window. Raises `TooMany`.

    Counts in a transaction of its own, so that a request that fails has still used its turn.
    """
    seconds = int(per.total_seconds())
    window = int(now.timestamp()) // seconds * seconds
    start = datetime.fromtimestamp(window, UTC)
    async with sessions() as session, session.begin():
        connection = await session.connection()
        count = (await connection.execute(_TAKE, {"key": key[:200], "window_start": start})).scalar_one()
    if count > limit:
        raise TooMany(seconds=max(window + seconds - int(now.timestamp()), 1))

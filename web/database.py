"""Engine and session factory."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession

_encode = msgspec.json.Encoder().encode


def make_engine(url: str, *, pool_size: int = 10) -> AsyncEngine:
    """An engine whose pool notices a database that was restarted."""
    engine = create_async_engine(
        url, pool_size=pool_size, max_overflow=10, pool_recycle=1800,
        json_serializer=_to_json, json_deserializer=msgspec.json.decode,
    )  # fmt: skip
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    return engine


def make_sessions(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """The factory that the application is given."""
    return async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)


def _refuse_closed(connection: Any, *_: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapter of asyncpg
    """A server that dies closes its connections, and the event loop hears it: no need to ask it each time.

    SQLAlchemy then opens a new connection and lets go of the others as they come.
    """
    if connection.driver_connection.is_closed():
        raise InvalidatePoolError


def _to_json(value: Any) -> str:  # noqa: ANN401 - JSON
    return _encode(value).decode()

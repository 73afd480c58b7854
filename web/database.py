"""Engine and session factory."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlmodel.ext.asyncio.session import AsyncSession


def make_engine(url: str, *, pool_size: int = 10) -> AsyncEngine:
    """An engine whose pool notices a database that was restarted."""
    return create_async_engine(url, pool_size=pool_size, max_overflow=10, pool_pre_ping=True, pool_recycle=1800)


def make_sessions(engine: AsyncEngine) -> async_sessionmaker[AsyncSession]:
    """The factory that the application is given."""
    return async_sessionmaker(engine, class_=AsyncSession, expire_on_commit=False)

"""Bringing a database to the newest schema and its base data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic import command
from alembic.config import Config

from seed.content import load_base
from web.database import make_engine, make_sessions

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

_HERE = Path(__file__).parent


def _configuration(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_HERE / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def upgrade(connection: Connection) -> None:
    """Run every migration that is missing."""
    command.upgrade(_configuration(connection), "head")


async def migrate(url: str, *, now: datetime) -> None:
    """The newest schema, and the rules, qualifications and blueprints that are missing."""
    engine = make_engine(url)
    try:
        async with engine.begin() as connection:
            await connection.run_sync(upgrade)
        async with make_sessions(engine)() as session, session.begin():
            await load_base(session, now=now)
    finally:
        await engine.dispose()

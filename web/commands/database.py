"""`migrate`: the newest schema and the base data."""

from __future__ import annotations

import asyncio
from typing import Any

from web.clock import SystemClock
from web.schema import migrate
from web.settings import Settings


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type private
    """Add the command."""
    command = commands.add_parser("migrate", help="bring the database to the newest schema and base data")
    command.set_defaults(run=_migrate)


def _migrate(_: object) -> int:
    asyncio.run(migrate(Settings.from_environment().database_url, now=SystemClock().now()))
    print("The database is at the newest schema.")
    return 0

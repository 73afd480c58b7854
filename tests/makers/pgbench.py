"""What PostgreSQL's own pgbench makes of a statement, on the same server and in the same run."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

from web import postgres

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.makers.servers import Stage

_CONNECTIONS = 64
_COLUMNS = "SELECT column_name FROM information_schema.columns WHERE table_name = $1 AND table_schema = 'public'"


def rate(
    place: Stage, script: str, *, seconds: int, settings: Mapping[str, str] | None = None, setup: str = ""
) -> float:
    """Transactions a second of `pgbench -M prepared` with 64 connections, after `setup` has run."""
    path = place.folder / "pgbench.sql"
    path.write_text(script)
    if setup:
        psql = [str(postgres.binary("psql")), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-c", setup, place.cluster.dsn]
        subprocess.run(psql, check=True, stdout=subprocess.DEVNULL)
    options = " ".join(f"-c {name}={value}" for name, value in (settings or {}).items())
    done = subprocess.run(
        [
            postgres.binary("pgbench"), "-n", "-M", "prepared", "-c", str(_CONNECTIONS), "-j", "1", "-T", str(seconds),
            "-f", str(path), place.cluster.dsn,
        ],
        check=False, capture_output=True, text=True, env={**os.environ, "PGOPTIONS": options},
    )  # fmt: skip
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    failed = re.search(r"failed transactions: ([1-9]\d*)", done.stdout)
    assert done.returncode == 0, done.stderr[-2000:]
    assert found, done.stdout
    assert not failed, done.stdout
    return float(found[1])


async def copying(place: Stage, rows: Mapping[str, tuple[str, ...]], where: Mapping[str, str]) -> tuple[str, str]:
    """(script, setup) of a transaction that writes one row into a twin of each table: the row that `where` finds.

    `rows` names the columns of each table that must be new each time; they become chance uuids. The
    twins have the indexes and checks of their tables, not their triggers and foreign keys.
    """
    script, setup = ["BEGIN;"], []
    async with place.connection() as connection:
        for table, fresh in rows.items():
            columns = [row[0] for row in await connection.fetch(_COLUMNS, table)]
            kept = [name for name in columns if name not in fresh]
            setup.append(f"CREATE TABLE bench_{table} (LIKE {table} INCLUDING DEFAULTS INCLUDING INDEXES)")
            one = f"CREATE TABLE bench_one_{table} AS SELECT * FROM {table} WHERE {where[table]} LIMIT 1"  # noqa: S608
            setup.append(one)
            new = ", ".join((*["gen_random_uuid()"] * len(fresh), *kept))
            script.append(
                f"INSERT INTO bench_{table} ({', '.join((*fresh, *kept))}) "  # noqa: S608
                f"SELECT {new} FROM bench_one_{table};"
            )
    return "\n".join([*script, "COMMIT;\n"]), ";".join(setup)

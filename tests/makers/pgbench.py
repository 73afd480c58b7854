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

"""Makes a cluster with its password, and the database in it."""

import contextlib
import os
import secrets
import shutil
import subprocess
from collections.abc import Generator
from pathlib import Path

from web.postgres.account import (
    Account,
    binary,
    clean_environment,
    make_private_dir,
    remove_private_dir,
)
from web.postgres.cluster import DATABASE, SUPERUSER, Cluster
from web.postgres.errors import PostgresError
from web.postgres.lock import beside
from web.postgres.log import first_error, open_log, read_from


def make_cluster(data_dir: Path, *, log: Path, fast: bool, account: Account) -> None:
    """initdb into a folder beside, renamed when complete: a cut-off one never looks whole."""
    if data_dir.exists() and any(data_dir.iterdir()):
        raise PostgresError(f"{data_dir} is not empty and holds no PostgreSQL cluster")
    password = _make_password(data_dir)
    unfinished = beside(data_dir, "unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    account.own(unfinished)
    with _password_file(password, account) as password_file, open_log(log) as log_file:
        command: list[str | Path] = [
            binary("initdb"),
            "-D",
            unfinished,
            f"--username={SUPERUSER}",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--no-instructions",
            *(["--no-sync"] if fast else []),
        ]
        before = log_file.tell()
        if account.popen(command, log_file.fileno()).wait() != 0:
            cause = first_error(read_from(log, before))
            raise PostgresError(f"initdb could not make {data_dir} ({cause}); see {log}")
    if data_dir.exists():
        data_dir.rmdir()
    unfinished.rename(data_dir)


def check_version(data_dir: Path) -> None:
    made_by = (data_dir / "PG_VERSION").read_text().strip()
    answer = subprocess.run([binary("postgres"), "--version"], capture_output=True, text=True, check=True, cwd="/")
    ours = answer.stdout.split()[-1].split(".")[0]
    if made_by != ours:
        raise PostgresError(
            f"{data_dir} was made by PostgreSQL {made_by} and this is PostgreSQL {ours}: "
            "dump it with the old version, or start with a new data folder"
        )


def make_database(cluster: Cluster) -> None:
    if DATABASE not in _psql(cluster, "SELECT datname FROM pg_database").split():
        _psql(cluster, f"CREATE DATABASE {DATABASE}")


def _psql(cluster: Cluster, statement: str) -> str:
    answer = subprocess.run(
        [binary("psql"), "-X", "-A", "-t", "-q", "-w", "-v", "ON_ERROR_STOP=1", "-c", statement],
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
        env=clean_environment()
        | {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(cluster.port),
            "PGUSER": SUPERUSER,
            "PGPASSWORD": cluster.password,
            "PGDATABASE": "postgres",
        },
    )
    if answer.returncode != 0:
        raise PostgresError(f"PostgreSQL runs on port {cluster.port} but refuses us ({first_error(answer.stderr)})")
    return answer.stdout.strip()


def read_password(data_dir: Path) -> str:
    path = beside(data_dir, "password")
    try:
        return path.read_text().strip()
    except OSError as error:
        raise PostgresError(f"the password of the database cannot be read ({path}: {error.strerror})") from None


def _make_password(data_dir: Path) -> str:
    path = beside(data_dir, "password")
    password = secrets.token_urlsafe(24)
    path.unlink(missing_ok=True)  # of a cluster that is no more
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(password + "\n")
        file.flush()
        os.fsync(file.fileno())
    return password


@contextlib.contextmanager
def _password_file(password: str, account: Account) -> Generator[Path]:
    folder = make_private_dir(account)
    try:
        path = folder / "password"
        path.touch(mode=0o600)
        path.write_text(password + "\n")
        account.own(path)
        yield path
    finally:
        remove_private_dir(folder)

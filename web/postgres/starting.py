"""Starts the server, or finds the one that runs."""

import os
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from web.postgres.account import (
    Account,
    binary,
    choose_account,
    make_private_dir,
    remove_private_dir,
)
from web.postgres.cluster import POLL_SECONDS, Cluster
from web.postgres.errors import PostgresError
from web.postgres.lock import (
    beside,
    find_postmaster,
    is_ready,
    read_lock_file,
    remove_stale_lock,
    starting_alone,
    try_lock,
)
from web.postgres.log import first_error, open_log, read_from
from web.postgres.making import check_version, make_cluster, make_database, read_password
from web.postgres.settings import server_settings

# What the server says when another attempt may succeed.
_PORT_TAKEN = "could not bind"
_OLD_WORKERS = "pre-existing shared memory block"  # of a killed server, still leaving


def start(
    data_dir: Path,
    *,
    port: int | None = None,
    log: Path,
    fast: bool = False,
    timeout: float = 120.0,
) -> Cluster:
    """Start the cluster in `data_dir`, making it if there is none, and wait until it answers.

    A server of ours that already runs there is reused. `port` None takes a free one.
    `fast` gives up durability and is for tests only. Run as root, the server itself runs
    as the owner of `data_dir`, or as `nobody` for a new one. `timeout` in seconds includes
    crash recovery. The password lies in `NAME.password` beside `data_dir`. Raises
    PostgresError.
    """
    log = log.absolute()
    data_dir = Path(os.path.abspath(data_dir))  # keeps symlinks, as the operator wrote it
    data_dir.parent.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    launch = _Launch(data_dir, port, log, fast, timeout, time.monotonic() + timeout, choose_account(data_dir))
    with starting_alone(data_dir):
        ownership = try_lock(beside(data_dir, "owner"))
        try:
            return _reuse(launch, ownership) or _start_new(launch, ownership)
        except BaseException:
            if ownership is not None:
                os.close(ownership)
            raise


@dataclass(frozen=True)
class _Launch:
    """What one call of `start` asks for."""

    data_dir: Path
    port: int | None
    log: Path
    fast: bool
    timeout: float
    deadline: float
    account: Account


def _reuse(launch: _Launch, ownership: int | None) -> Cluster | None:
    data_dir = launch.data_dir
    pid = find_postmaster(data_dir)
    if pid is None:
        return None
    while not is_ready(data_dir, pid):
        if find_postmaster(data_dir) != pid:
            return None
        if time.monotonic() > launch.deadline:
            raise PostgresError(f"PostgreSQL (process {pid}) runs on {data_dir} but does not accept connections")
        time.sleep(POLL_SECONDS)
    lock = read_lock_file(data_dir)
    if lock is None or lock.socket_dir is None:
        return None
    password = read_password(data_dir)
    owned = ownership is not None
    cluster = Cluster(data_dir, pid, lock.port, lock.socket_dir, password, owned, ownership)
    make_database(cluster)
    return cluster


def _start_new(launch: _Launch, ownership: int | None) -> Cluster:
    if not (launch.data_dir / "PG_VERSION").exists():
        make_cluster(launch.data_dir, log=launch.log, fast=launch.fast, account=launch.account)
    check_version(launch.data_dir)
    cluster = _launch_until_ready(launch)
    cluster._ownership = ownership
    try:
        make_database(cluster)
    except BaseException:
        cluster._ownership = None  # the caller gives it up
        cluster.stop()
        raise
    return cluster


def _launch_until_ready(launch: _Launch) -> Cluster:
    password = read_password(launch.data_dir)
    while True:
        remove_stale_lock(launch.data_dir)
        cluster, failure = _attempt(launch, password)
        if cluster is not None:
            return cluster
        if launch.port is not None and _PORT_TAKEN in failure:
            raise PostgresError(f"port {launch.port} is taken; give PostgreSQL another")
        no_time = time.monotonic() + 1 > launch.deadline
        if no_time or not any(sign in failure for sign in (_PORT_TAKEN, _OLD_WORKERS)):
            raise PostgresError(f"PostgreSQL did not start ({first_error(failure)}); see {launch.log}")
        time.sleep(0.2)


def _attempt(launch: _Launch, password: str) -> tuple[Cluster | None, str]:
    """One attempt: the cluster, or what the server said before it gave up."""
    port = launch.port or _free_port()
    socket_dir = make_private_dir(launch.account)
    with open_log(launch.log) as log_file:
        before = log_file.tell()
        child = launch.account.popen(_postgres_command(launch, port, socket_dir), log_file.fileno())
    try:
        if _await_ready(launch, child):
            return Cluster(launch.data_dir, child.pid, port, socket_dir, password, owned=True, _child=child), ""
    except BaseException:
        child.send_signal(signal.SIGQUIT)
        child.wait()
        remove_private_dir(socket_dir)
        raise
    remove_private_dir(socket_dir)
    return None, read_from(launch.log, before)


def _postgres_command(launch: _Launch, port: int, socket_dir: Path) -> list[str | Path]:
    settings = server_settings(port=port, socket_dir=socket_dir, fast=launch.fast)
    options = [f"--{name}={value}" for name, value in settings.items()]
    return [binary("postgres"), "-D", launch.data_dir, *options]


def _await_ready(launch: _Launch, child: subprocess.Popen[bytes]) -> bool:
    while child.poll() is None:
        if is_ready(launch.data_dir, child.pid):
            return True
        if time.monotonic() > launch.deadline:
            raise PostgresError(
                f"PostgreSQL does not accept connections after {launch.timeout:.0f} seconds; see {launch.log}"
            )
        time.sleep(POLL_SECONDS)
    return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port

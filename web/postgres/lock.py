"""Who runs the cluster in a folder: PostgreSQL's own lock file, and two of ours beside it."""

import contextlib
import fcntl
import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import psutil

from web.postgres.account import remove_private_dir
from web.postgres.errors import PostgresError


@dataclass(frozen=True)
class LockFile:
    """postmaster.pid: pid, folder, start time, port, socket folder, address, memory key, state."""

    pid: int
    port: int
    socket_dir: Path | None
    state: str


def read_lock_file(data_dir: Path) -> LockFile | None:
    """None when there is none, or when it breaks off before its first line ends."""
    try:
        text = (data_dir / "postmaster.pid").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return None
    pid, _, _, port, socket_dir, _, _, state, *_ = [line.strip() for line in text.split("\n")] + [""] * 8
    if not pid.lstrip("-").isdigit():
        return None
    return LockFile(
        abs(int(pid)),
        int(port) if port.isdigit() else 0,
        Path(socket_dir) if socket_dir else None,
        state,
    )


def find_postmaster(data_dir: Path) -> int | None:
    """The pid of the live server of `data_dir`.

    The file alone proves nothing: its process may have ended, may be a zombie nobody
    collected, or its number may belong to another program by now.
    """
    lock = read_lock_file(data_dir)
    if lock is None:
        return None
    try:
        process = psutil.Process(lock.pid)
        alive = process.status() != psutil.STATUS_ZOMBIE and process.name().startswith("postgres")
        return lock.pid if alive and os.path.samefile(process.cwd(), data_dir) else None
    except psutil.AccessDenied:
        return lock.pid  # a PostgreSQL that we may not look at: leave it alone
    except (psutil.Error, OSError):
        return None


def is_ready(data_dir: Path, pid: int) -> bool:
    lock = read_lock_file(data_dir)
    return lock is not None and lock.pid == pid and lock.state == "ready"


def remove_stale_lock(data_dir: Path) -> None:
    lock = read_lock_file(data_dir)
    if lock is not None and lock.socket_dir is not None:
        remove_private_dir(lock.socket_dir)
    (data_dir / "postmaster.pid").unlink(missing_ok=True)


def beside(data_dir: Path, kind: str) -> Path:
    return data_dir.with_name(f"{data_dir.name}.{kind}")


@contextlib.contextmanager
def starting_alone(data_dir: Path) -> Generator[None]:
    descriptor = _open_lock_file(beside(data_dir, "starting"))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def try_lock(path: Path) -> int | None:
    """A descriptor whose lock ends with the process that holds it, however that ends."""
    descriptor = _open_lock_file(path)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _open_lock_file(path: Path) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except PermissionError:
        raise PostgresError(f"{path} belongs to another user; start anpei as that user or as root") from None

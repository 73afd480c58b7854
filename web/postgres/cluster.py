"""A running server and how to end it."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from web.postgres.account import remove_private_dir
from web.postgres.errors import PostgresError
from web.postgres.lock import find_postmaster

SUPERUSER = "anpei"
DATABASE = "anpei"
POLL_SECONDS = 0.02
StopMode = Literal["smart", "fast", "immediate"]

_STOP_SIGNALS: Mapping[StopMode, signal.Signals] = {
    "smart": signal.SIGTERM,
    "fast": signal.SIGINT,
    "immediate": signal.SIGQUIT,
}


@dataclass(eq=False)
class Cluster:
    """A running embedded PostgreSQL.

    `owned` is False when another live process of ours started it and still holds it;
    `stop` then does nothing. If that process has died, the next `start` becomes the owner.
    """

    data_dir: Path
    pid: int
    port: int
    socket_dir: Path
    password: str = field(repr=False)
    owned: bool
    _ownership: int | None = field(default=None, repr=False)
    _child: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def dsn(self) -> str:
        """libpq and asyncpg address over TCP."""
        return f"postgresql://{SUPERUSER}:{self.password}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def url(self) -> str:
        """SQLAlchemy address over TCP, driver asyncpg."""
        return self.dsn.replace("postgresql://", "postgresql+asyncpg://", 1)

    def is_running(self) -> bool:
        """Whether the server lives. Once it does not, another `start` may own the folder."""
        ended = self._child is not None and self._child.poll() is not None
        if not ended and find_postmaster(self.data_dir) == self.pid:
            return True
        self._give_up_ownership()
        return False

    def stop(self, mode: StopMode = "fast", *, timeout: float = 30.0) -> None:
        """End the server and give up ownership; harmless when it has ended or is another's.

        A server that has not ended after `timeout` seconds is told to quit at once, which
        loses nothing that was committed; the next start then recovers from the log.
        """
        if not self.owned:
            return
        self._end_postmaster(mode, timeout)
        if self._child is not None:
            # It takes its lock file away a moment before it has gone.
            self._child.wait(timeout)
        remove_private_dir(self.socket_dir)
        self.owned = False
        self._give_up_ownership()

    def _give_up_ownership(self) -> None:
        if self._ownership is not None:
            os.close(self._ownership)
            self._ownership = None

    def _end_postmaster(self, mode: StopMode, timeout: float) -> None:
        modes: tuple[StopMode, ...] = (mode, "immediate")
        for attempt in modes:
            if not self.is_running():
                return
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, _STOP_SIGNALS[attempt])
            deadline = time.monotonic() + timeout
            while time.monotonic() < deadline:
                if not self.is_running():
                    return
                time.sleep(POLL_SECONDS)
        raise PostgresError(f"PostgreSQL (process {self.pid}) does not stop")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

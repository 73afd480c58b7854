"""A real PostgreSQL and real web processes, for benchmarks and for tests that kill them."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import httpx
import psutil
from sqlmodel import select

from exams.sittings import Device
from exams.starting import start_sitting
from seed.candidates import CandidateAccount, make_candidates
from seed.item_files import ITEMS, load_items
from seed.people import item_author_and_reviewer
from training.accounts import open_sign_in
from training.models import Account
from training.people import PHONE
from web import postgres
from web.clock import SystemClock
from web.database import make_engine, make_sessions
from web.keys import load_keys, make_missing_keys
from web.schema import migrate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from web.keys import Keys

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class OpenSitting:
    """A sitting that has begun, and what its device shows."""

    sitting_id: UUID
    device_token: str
    sign_in_token: str


@dataclass(frozen=True)
class WaitingCandidate:
    """A candidate who has signed in and may begin."""

    booking_id: UUID
    person_id: UUID
    sign_in_id: UUID
    sign_in_token: str


@dataclass
class Stage:
    """A folder with a database, keys and the address of a web process."""

    folder: Path
    cluster: postgres.Cluster
    port: int
    web: subprocess.Popen[bytes] | None = None
    children: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def keys(self) -> Keys:
        return load_keys(self.folder / "keys")

    def start_web(self) -> None:
        """Start the web process and wait until it answers."""
        environ = {
            **os.environ,
            "ANPEI_DATABASE_URL": self.cluster.dsn,
            "ANPEI_DATA": str(self.folder),
            "ANPEI_KEYS_DIR": str(self.folder / "keys"),
            "ANPEI_FACE_ENGINES": "sface",
        }
        command = [
            sys.executable, "-m", "uvicorn", "web.serving:application", "--factory", "--port", str(self.port),
            "--log-level", "warning", "--no-access-log", "--backlog", "4096", "--timeout-keep-alive", "75",
        ]  # fmt: skip
        with (self.folder / "web.log").open("ab") as out:
            self.web = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=out, stderr=out)
        self.wait_until_ready()

    def wait_until_ready(self, seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                if httpx.get(f"{self.url}/health/ready", timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        raise TimeoutError((self.folder / "web.log").read_text()[-3000:])

    def kill_web(self) -> None:
        """`kill -9`."""
        assert self.web
        self.web.kill()
        self.web.wait()

    def kill_database(self) -> None:
        """`kill -9` of the postmaster and of every backend, then a start on the same folder and port."""
        postmaster = psutil.Process(self.cluster.pid)
        for process in [postmaster, *postmaster.children(recursive=True)]:
            process.send_signal(signal.SIGKILL)
        psutil.wait_procs([postmaster], timeout=10)
        end = time.monotonic() + 10
        while self.cluster.is_running() and time.monotonic() < end:
            time.sleep(0.02)

    def restart_database(self) -> None:
        port = self.cluster.port
        self.cluster = postgres.start(self.folder / "pg", log=self.folder / "pg.log", port=port)

    def database_cpu(self) -> float:
        """CPU seconds of the server and its backends that live now."""
        postmaster = psutil.Process(self.cluster.pid)
        total = 0.0
        for process in [postmaster, *postmaster.children(recursive=True)]:
            times = process.cpu_times()
            total += times.user + times.system
        return total

    def web_cpu(self) -> float:
        assert self.web
        times = psutil.Process(self.web.pid).cpu_times()
        return times.user + times.system

    def make_candidates(self, count: int) -> list[CandidateAccount]:
        """Checked-in candidates with the shipped bank."""

        async def make() -> list[CandidateAccount]:
            engine, now = make_engine(self.cluster.url), SystemClock().now()
            async with make_sessions(engine)() as session, session.begin():
                author_id, reviewer_id = await item_author_and_reviewer(session, vault=self.keys.vault, now=now)
                await load_items(session, ITEMS, author_id=author_id, reviewer_id=reviewer_id, now=now)
                made = await make_candidates(session, self.keys.vault, count, now)
            await engine.dispose()
            return made

        return asyncio.run(make())

    def make_waiting(self, count: int) -> list[WaitingCandidate]:
        """Signed-in candidates who have not begun."""
        candidates = self.make_candidates(count)

        async def sign_in() -> list[WaitingCandidate]:
            engine, now, keys = make_engine(self.cluster.url), SystemClock().now(), self.keys
            made = []
            async with make_sessions(engine)() as session, session.begin():
                for candidate in candidates:
                    index = keys.vault.blind(candidate.login, context=PHONE)
                    account = (await session.exec(select(Account).where(Account.phone_index == index))).one()
                    token, row = await open_sign_in(session, account_id=account.id, client="", address="", now=now)
                    made.append(WaitingCandidate(candidate.booking_id, account.person_id, row.id, token))
                    session.expunge_all()  # each flush looks at every object that the session knows
            await engine.dispose()
            return made

        return asyncio.run(sign_in())

    def make_sittings(self, count: int) -> list[OpenSitting]:
        """Open sittings, without going through HTTP."""
        waiting = self.make_waiting(count)

        async def start() -> list[OpenSitting]:
            engine, now, key = make_engine(self.cluster.url), SystemClock().now(), self.keys.session
            made = []
            async with make_sessions(engine)() as session, session.begin():
                for one in waiting:
                    entry = await start_sitting(
                        session, booking_id=one.booking_id, person_id=one.person_id,
                        device=Device(one.sign_in_id, key), seed=secrets.randbits(63), now=now,
                    )  # fmt: skip
                    made.append(OpenSitting(entry.sitting_id, entry.device_token, one.sign_in_token))
                    session.expunge_all()
            await engine.dispose()
            return made

        return asyncio.run(start())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def stage() -> Iterator[Stage]:
    """A migrated database with real durability, and keys; everything ends and goes with the block."""
    folder = Path(tempfile.mkdtemp(prefix="anpei-stage-"))
    folder.chmod(0o711)
    make_missing_keys(folder / "keys")
    cluster = postgres.start(folder / "pg", log=folder / "pg.log")
    made = Stage(folder, cluster, free_port())
    try:
        asyncio.run(migrate(cluster.url, now=SystemClock().now()))
        yield made
    finally:
        if made.web and made.web.poll() is None:
            made.web.terminate()
            try:
                made.web.wait(timeout=15)
            except subprocess.TimeoutExpired:
                made.web.kill()
        made.cluster.stop(mode="immediate")
        shutil.rmtree(folder, ignore_errors=True)

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
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import asyncpg
import httpx
import psutil
from sqlmodel import select

from exams.answers import device_token, device_token_hash
from exams.made_ahead import draw_ahead
from exams.sittings import Device
from exams.starting import start_sitting
from question_bank.queries import get_blueprint
from seed.candidates import QUALIFICATION, CandidateAccount, make_candidates
from seed.item_files import ITEMS, load_items
from seed.people import item_author_and_reviewer
from tests.makers.answering import cpu_seconds
from tests.makers.crowds import copied_booking, copy_candidate, copy_papers, spread
from training.accounts import open_sign_in
from training.models import Account
from training.people import PHONE
from web import postgres
from web.clock import SystemClock
from web.database import make_engine, make_sessions
from web.keys import load_keys, make_missing_keys
from web.schema import migrate

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from web.keys import Keys

ROOT = Path(__file__).parents[2]
# How many papers and sittings are made by the domain itself before they are copied.
_REAL = 20


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
    host: str = "127.0.0.1"
    workers: int = 1
    web: subprocess.Popen[bytes] | None = None
    worker: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def keys(self) -> Keys:
        return load_keys(self.folder / "keys")

    @property
    def environ(self) -> dict[str, str]:
        return {
            **os.environ,
            "ANPEI_DATABASE_URL": self.cluster.dsn,
            "ANPEI_DATA": str(self.folder),
            "ANPEI_KEYS_DIR": str(self.folder / "keys"),
            "ANPEI_FACE_ENGINES": "sface",
            "ANPEI_WEB_WORKERS": str(self.workers),
        }

    def start_web(self, workers: int = 1) -> None:
        """Start the web process as an installation does, and wait until it answers."""
        self.workers = workers
        self.web = self._start("serve", "--host", self.host, "--port", str(self.port))
        self.wait_until_ready()

    def start_worker(self) -> None:
        """Start the background jobs."""
        self.worker = self._start("work")

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{arguments[0]}.log").open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-m", "web", *arguments], cwd=ROOT, env=self.environ, stdout=out, stderr=out
            )

    def wait_until_ready(self, seconds: float = 120) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.web and self.web.poll() is None:
            try:
                if httpx.get(f"{self.url}/health/ready", timeout=2).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.05)
        raise TimeoutError((self.folder / "serve.log").read_text()[-3000:])

    def stop_web(self) -> None:
        """SIGTERM: what is under way is still answered."""
        _end(self.web)

    def kill_web(self) -> None:
        """`kill -9`."""
        assert self.web
        self.web.kill()
        self.web.wait()

    def database_processes(self) -> list[psutil.Process]:
        """The server and its backends that live now."""
        postmaster = psutil.Process(self.cluster.pid)
        return [postmaster, *postmaster.children(recursive=True)]

    def kill_database(self) -> None:
        """`kill -9` of the postmaster and of every backend."""
        processes = self.database_processes()
        for process in processes:
            process.send_signal(signal.SIGKILL)
        psutil.wait_procs(processes[:1], timeout=10)
        end = time.monotonic() + 10
        while self.cluster.is_running() and time.monotonic() < end:
            time.sleep(0.02)

    @contextmanager
    def frozen_database(self) -> Iterator[None]:
        """SIGSTOP to every process of the server, SIGCONT at the end."""
        processes = self.database_processes()
        for process in processes:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in processes:
                process.send_signal(signal.SIGCONT)

    def restart_database(self) -> None:
        port = self.cluster.port
        self.cluster = postgres.start(self.cluster.data_dir, log=self.folder / "pg.log", port=port)

    def watched(self) -> dict[str, int]:
        """The processes whose CPU time is measured."""
        processes = {"web": self.web, "worker": self.worker}
        return {name: one.pid for name, one in processes.items() if one} | {"database": self.cluster.pid}

    def cpu_seconds(self) -> dict[str, float]:
        """CPU seconds so far, by process."""
        return {name: cpu_seconds(pid) for name, pid in self.watched().items()}

    def database_cpu(self) -> float:
        """CPU seconds of the server and its backends."""
        return cpu_seconds(self.cluster.pid)

    def web_cpu(self) -> float:
        assert self.web
        return cpu_seconds(self.web.pid)

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
        """Signed-in candidates who have not begun; all but the first are copies of that one."""
        first = self.make_candidates(1)[0]

        async def sign_in() -> list[WaitingCandidate]:
            engine, now, keys = make_engine(self.cluster.url), SystemClock().now(), self.keys
            async with make_sessions(engine)() as session, session.begin():
                index = keys.vault.blind(first.login, context=PHONE)
                account = (await session.exec(select(Account).where(Account.phone_index == index))).one()
                token, row = await open_sign_in(session, account_id=account.id, client="", address="", now=now)
                made = [WaitingCandidate(first.booking_id, account.person_id, row.id, token)]
            await engine.dispose()
            salt = secrets.token_hex(4)
            async with self.connection() as connection:
                await copy_candidate(connection, first.booking_id, count=count, salt=salt)
            return made + [WaitingCandidate(*copied_booking(salt, number)) for number in range(2, count + 1)]

        return asyncio.run(sign_in())

    def make_ahead(self, waiting: list[WaitingCandidate]) -> None:
        """Deal papers ahead as the job does, for the first few; the others get copies of theirs."""

        async def deal() -> None:
            engine, now = make_engine(self.cluster.url), SystemClock().now()
            async with make_sessions(engine)() as session, session.begin():
                blueprint = await get_blueprint(session, QUALIFICATION)
                for place, one in enumerate(waiting[:_REAL]):
                    await draw_ahead(session, blueprint, booking_id=one.booking_id, number=1, seed=place + 1, now=now)
            await engine.dispose()
            async with self.connection() as connection:
                await copy_papers(connection, [one.booking_id for one in waiting])

        asyncio.run(deal())

    def make_sittings(self, count: int) -> list[OpenSitting]:
        """Open sittings, without going through HTTP: a few started by the domain, the others copies of them."""
        waiting = self.make_waiting(count)
        key = self.keys.session

        async def start() -> list[OpenSitting]:
            engine, now = make_engine(self.cluster.url), SystemClock().now()
            made = []
            async with make_sessions(engine)() as session, session.begin():
                for one in waiting[:_REAL]:
                    entry = await start_sitting(
                        session, booking_id=one.booking_id, person_id=one.person_id,
                        device=Device(one.sign_in_id, key), seed=secrets.randbits(63), now=now,
                    )  # fmt: skip
                    made.append(OpenSitting(entry.sitting_id, entry.device_token, one.sign_in_token))
                    session.expunge_all()
            await engine.dispose()
            changes = []
            for one in waiting[_REAL:]:
                sitting_id = uuid4()
                token = device_token(key, sitting_id, 1)
                made.append(OpenSitting(sitting_id, token, one.sign_in_token))
                changes.append(
                    {
                        "id": str(sitting_id), "booking_id": str(one.booking_id), "person_id": str(one.person_id),
                        "device_sign_in_id": str(one.sign_in_id),
                        "device_token_hash": "\\x" + device_token_hash(token).hex(),
                    }
                )  # fmt: skip
            async with self.connection() as connection:
                await spread(connection, "sitting", [one.sitting_id for one in made[:_REAL]], changes)
                await connection.execute("VACUUM ANALYZE")
            return made

        return asyncio.run(start())

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[asyncpg.Connection]:
        """A plain connection."""
        opened = await asyncpg.connect(self.cluster.dsn)
        try:
            yield opened
        finally:
            await opened.close()


def free_port(host: str = "127.0.0.1") -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _end(process: subprocess.Popen[bytes] | None) -> None:
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def stage(*, database: Path | None = None, host: str = "127.0.0.1") -> Iterator[Stage]:
    """A migrated database with real durability, and keys; everything ends and goes with the block.

    `database` is another folder for the database; `host` is where the web process listens.
    """
    folder = Path(tempfile.mkdtemp(prefix="anpei-stage-"))
    folder.chmod(0o711)
    make_missing_keys(folder / "keys")
    cluster = postgres.start(database or folder / "pg", log=folder / "pg.log")
    made = Stage(folder, cluster, free_port(host), host)
    try:
        asyncio.run(migrate(cluster.url, now=SystemClock().now()))
        yield made
    finally:
        _end(made.web)
        _end(made.worker)
        made.cluster.stop(mode="immediate")
        shutil.rmtree(folder, ignore_errors=True)

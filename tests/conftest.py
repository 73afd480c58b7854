"""One embedded PostgreSQL for the run, one migrated database per worker, one rolled-back transaction per test."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import asyncpg
import httpx
import hypothesis
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.ext.asyncio import AsyncConnection, async_sessionmaker, create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel.ext.asyncio.session import AsyncSession

from tests.clock import FixedClock
from training.vault import Vault
from web import postgres
from web.app import create_app
from web.keys import Keys
from web.schema import migrate
from web.services import Services
from web.settings import Settings, async_url
from web.storage import Store

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from litestar import Litestar

# A busy machine is no failure of the rule under test.
hypothesis.settings.register_profile("anpei", deadline=None)
hypothesis.settings.load_profile("anpei")

_DSN = "ANPEI_TEST_DSN"
_cluster: list[tuple[postgres.Cluster, Path]] = []


def pytest_configure(config: pytest.Config) -> None:
    """The controller starts the server; xdist's workers inherit its address."""
    if os.environ.get(_DSN) or hasattr(config, "workerinput"):
        return
    folder = Path(tempfile.mkdtemp(prefix="anpei-test-"))
    folder.chmod(0o711)
    cluster = postgres.start(folder / "pg", log=folder / "pg.log", fast=True)
    _cluster.append((cluster, folder))
    os.environ[_DSN] = cluster.dsn


def pytest_unconfigure() -> None:
    while _cluster:
        cluster, folder = _cluster.pop()
        cluster.stop(mode="immediate")
        os.environ.pop(_DSN, None)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


async def _create_database(name: str) -> None:
    connection = await asyncpg.connect(os.environ[_DSN])
    await connection.execute(f'CREATE DATABASE "{name}"')
    await connection.close()


@pytest.fixture(scope="session")
def database_url() -> str:
    """A migrated database with base data, for this worker alone. Tests leave it as it was."""
    name = f"test_{secrets.token_hex(4)}"
    base = os.environ[_DSN].rpartition("/")[0]
    url = async_url(f"{base}/{name}")

    async def prepare() -> None:
        await _create_database(name)
        await migrate(url, now=datetime(2026, 1, 1, tzinfo=UTC))

    # Playwright's loop may be running in this thread.
    with ThreadPoolExecutor(1) as pool:
        pool.submit(asyncio.run, prepare()).result()
    return url


@pytest.fixture
async def connection(database_url: str) -> AsyncGenerator[AsyncConnection, None]:
    """A connection whose outer transaction is rolled back after the test."""
    engine = create_async_engine(database_url, poolclass=NullPool)
    async with engine.connect() as opened:
        outer = await opened.begin()
        yield opened
        await outer.rollback()
    await engine.dispose()


@pytest.fixture
def sessions(connection: AsyncConnection) -> async_sessionmaker[AsyncSession]:
    """Sessions whose commits become savepoints of the test's transaction."""
    return async_sessionmaker(
        connection, class_=AsyncSession, join_transaction_mode="create_savepoint", expire_on_commit=False
    )


@pytest.fixture
async def session(sessions: async_sessionmaker[AsyncSession]) -> AsyncGenerator[AsyncSession, None]:
    async with sessions() as opened:
        yield opened


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def now(clock: FixedClock) -> datetime:
    return clock.now()


@pytest.fixture(scope="session")
def keys() -> Keys:
    return Keys(
        session=b"s" * 32,
        vault=Vault(keys={"1": b"k" * 32}, current="1", index_key=b"i" * 32),
        issuer={"test": Ed25519PrivateKey.from_private_bytes(b"p" * 32)},
        receipt={"test": Ed25519PrivateKey.from_private_bytes(b"r" * 32)},
    )


@pytest.fixture(scope="session")
def vault(keys: Keys) -> Vault:
    return keys.vault


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store((tmp_path / "media").as_uri())


@pytest.fixture
def services(
    sessions: async_sessionmaker[AsyncSession],
    clock: FixedClock,
    keys: Keys,
    store: Store,
    tmp_path: Path,
    database_url: str,
) -> Services:
    settings = Settings(
        database_url=database_url,
        data_dir=tmp_path,
        keys_dir=tmp_path / "keys",
        public_url="http://testserver",
        media_url=(tmp_path / "media").as_uri(),
    )
    return Services(settings=settings, keys=keys, clock=clock, sessions=sessions, store=store)


@pytest.fixture(scope="session")
def apps() -> dict[Settings, tuple[Services, Litestar]]:
    """The applications of this worker. Making one reads every signature anew, half a second of it."""
    return {}


@pytest.fixture
def app(services: Services, apps: dict[Settings, tuple[Services, Litestar]]) -> Litestar:
    """The application with this test's services; only what it is built from must be the same as in the test before."""
    nowhere = Path()
    built_from = replace(services.settings, data_dir=nowhere, keys_dir=nowhere, media_url="")
    if built_from not in apps:
        own = replace(services)
        apps[built_from] = (own, create_app(own))
    held, app = apps[built_from]
    for field in fields(Services):
        object.__setattr__(held, field.name, getattr(services, field.name))
    return app


class Client(httpx.AsyncClient):
    """A browser without a screen: keeps cookies and sends the CSRF token with every form."""

    async def submit(self, path: str, data: dict[str, Any] | None = None, **more: Any) -> httpx.Response:  # noqa: ANN401
        """Post a form as a page of ours would."""
        if "anpei_csrf" not in self.cookies:
            await self.get("/sign-in")
        headers = {"x-csrftoken": self.cookies["anpei_csrf"], **more.pop("headers", {})}
        return await self.post(path, data=data or {}, headers=headers, **more)

    async def sign_in(self, login: str, password: str) -> None:
        """Sign in, or fail the test."""
        answer = await self.submit("/sign-in", {"login": login, "password": password})
        assert answer.status_code in {302, 303}, answer.text


@pytest.fixture
async def client(app: Litestar) -> AsyncGenerator[Client, None]:
    transport = httpx.ASGITransport(app=cast("Any", app))
    async with Client(transport=transport, base_url="http://testserver") as opened:
        yield opened

"""A real server in this process, with a clock that tests can move, and a real Chromium."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import sync_playwright
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.identity.matcher import PooledMatcher
from tests.makers.databases import copied_database
from training.models import Rule
from training.vault import Vault
from web.database import make_engine, make_sessions
from web.hot import make_asgi
from web.hot_protocol import HotProtocol
from web.keys import Keys
from web.services import Services
from web.settings import Settings
from web.storage import Store

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator

    from playwright.sync_api import Browser, BrowserContext, Page, Playwright

PHONE = {"width": 390, "height": 844}
DESK = {"width": 1280, "height": 900}
SHOTS = os.environ.get("ANPEI_SCREENSHOTS", "")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder drives a browser; anyio's own plugin would start a second event loop."""
    for item in items:
        if "tests/journeys/" in item.nodeid:
            item.add_marker("browser")


class RunningClock:
    """Real time, moved on by what a test asks for."""

    def __init__(self) -> None:
        self._shift = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._shift  # noqa: TID251 - the server of a journey lives in real time

    def advance(self, **span: float) -> None:
        self._shift += timedelta(**span)

    def set(self, instant: datetime) -> None:
        self._shift = instant - datetime.now(UTC)  # noqa: TID251 - as above


@dataclass
class Server:
    """A running application with its own database."""

    url: str
    clock: RunningClock
    services: Services
    keys: Keys

    @property
    def vault(self) -> Vault:
        return self.keys.vault

    def spread_hand_ins(self, seconds: int) -> None:
        """In how many seconds the pages of a common deadline hand in by themselves."""

        async def change(session: AsyncSession) -> None:
            rule = (await session.exec(select(Rule).where(Rule.code == "exam.hand_in_spread_seconds"))).one()
            rule.value = seconds

        self.do(change)

    def do(self, act: Callable[[AsyncSession], Awaitable[Any]]) -> Any:  # noqa: ANN401 - whatever the act gives
        """Run something in a committed transaction on the server's database, from the test's thread."""

        async def run() -> Any:  # noqa: ANN401 - as above
            engine = create_async_engine(self.services.settings.database_url, poolclass=NullPool)
            try:
                async with AsyncSession(engine, expire_on_commit=False) as session, session.begin():
                    return await act(session)
            finally:
                await engine.dispose()

        # Playwright's own loop runs in this thread, so the act gets another.
        with ThreadPoolExecutor(1) as pool:
            return pool.submit(asyncio.run, run()).result(60)


@contextmanager
def _copied(url: str) -> Generator[str, None, None]:
    """A copied database for synchronous tests, held by a thread of its own until the block ends."""
    ready: Future[str] = Future()
    done = threading.Event()

    async def hold() -> None:
        async with copied_database(url) as copy:
            ready.set_result(copy)
            await asyncio.to_thread(done.wait)

    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(asyncio.run, hold())
        held.add_done_callback(
            lambda ended: None if ready.done() else ready.set_exception(ended.exception() or OSError())
        )
        yield ready.result(60)
        done.set()
        held.result(60)


@pytest.fixture
def server(database_url: str, keys: Keys, tmp_path: Path) -> Generator[Server, None, None]:
    """A server in a thread of its own, as `serve` would run it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with _copied(database_url) as copy:
        clock = RunningClock()
        engine = make_engine(copy)
        matcher = PooledMatcher("sface,dlib", workers=1)
        settings = Settings(
            database_url=copy,
            data_dir=tmp_path,
            keys_dir=tmp_path / "keys",
            public_url=f"http://127.0.0.1:{port}",
            media_url=(tmp_path / "media").as_uri(),
        )
        services = Services(
            settings=settings,
            keys=keys,
            clock=clock,
            sessions=make_sessions(engine),
            store=Store(settings.media_url),
            matcher=matcher,
        )
        running = uvicorn.Server(
            uvicorn.Config(
                make_asgi(services),
                host="127.0.0.1",
                port=port,
                access_log=False,
                log_level="warning",
                http=HotProtocol,
                timeout_graceful_shutdown=2,
            )
        )

        async def serve() -> None:
            await running.serve()
            await engine.dispose()
            await matcher.aclose()

        thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
        thread.start()
        while not running.started:
            assert thread.is_alive(), "the server did not start"
            time.sleep(0.02)
        started = Server(f"http://127.0.0.1:{port}", clock, services, keys)
        # One candidate has nobody to take turns with.
        started.spread_hand_ins(0)
        yield started
        running.should_exit = True
        thread.join(20)


# Of a module, not of the run: while Playwright's loop runs, no other test of this process could be async.
@pytest.fixture(scope="module")
def playwright() -> Generator[Playwright, None, None]:
    with sync_playwright() as started:
        yield started


def _chromium() -> str:
    found = os.environ.get("ANPEI_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "Chromium is missing: install the package `chromium`, or name one by ANPEI_CHROMIUM."
    return found


_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)


@contextmanager
def browser_with(playwright: Playwright, camera: Path | None = None) -> Generator[Browser, None, None]:
    """Chromium, with a video file for a camera if given."""
    flags = [*_FLAGS, *([f"--use-file-for-fake-video-capture={camera}"] if camera else [])]
    browser = playwright.chromium.launch(executable_path=_chromium(), args=flags)
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Generator[Browser, None, None]:
    with browser_with(playwright) as opened:
        yield opened


def new_context(browser: Browser, server: Server, size: dict[str, int], **more: Any) -> BrowserContext:  # noqa: ANN401
    """A fresh browser profile of a size, speaking Chinese."""
    context = browser.new_context(
        viewport={"width": size["width"], "height": size["height"]},
        base_url=server.url,
        locale="zh-CN",
        timezone_id="Asia/Shanghai",
        **more,
    )
    context.set_default_timeout(15_000)
    return context


@pytest.fixture
def phone(browser: Browser, server: Server) -> Generator[Page, None, None]:
    """A page at phone size that fails the test on any script error."""
    context = new_context(browser, server, PHONE, has_touch=True, is_mobile=True)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not errors, errors


@pytest.fixture
def desk(browser: Browser, server: Server) -> Generator[Page, None, None]:
    """A page at desk size that fails the test on any script error."""
    context = new_context(browser, server, DESK)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert not errors, errors


def sign_in(page: Page, login: str, password: str) -> None:
    """Sign in by the page."""
    page.goto("/sign-in")
    page.get_by_label("手机号或证件号码").fill(login)
    page.get_by_label("密码", exact=True).fill(password)
    page.get_by_role("main").get_by_role("button", name="登录").click()
    page.wait_for_url(lambda url: "/sign-in" not in url)


def inspect(page: Page, name: str) -> None:
    """Axe finds nothing, nothing sticks out sideways; keeps a picture where ANPEI_SCREENSHOTS names a folder."""
    page.wait_for_load_state()  # a page without its last style sheet would be judged wrongly
    if SHOTS:
        width = (page.viewport_size or PHONE)["width"]
        Path(SHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=f"{SHOTS}/{name}-{width}.png", full_page=True)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 1, f"{name} is {overflow} px too wide"

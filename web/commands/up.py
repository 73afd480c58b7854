"""`up`: everything that a newcomer needs, with one command."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import unicodedata
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.error import URLError

from web import postgres
from web.clock import SystemClock
from web.commands.seeding import is_empty, is_half_built, seed_city
from web.keys import make_missing_keys
from web.schema import migrate
from web.settings import Settings

if TYPE_CHECKING:
    from types import FrameType

_READY_WITHIN = 60.0
_STOP_WITHIN = 15.0
_ROLE_COLUMNS = 32


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type private
    """Add the command."""
    command = commands.add_parser("up", help="start everything with a demo city and print where it is")
    command.add_argument("--port", type=int, default=8000)
    command.add_argument("--host", default="127.0.0.1")
    command.add_argument("--data", type=Path, default=Path(".anpei"), help="where data and keys are kept")
    command.add_argument("--empty", action="store_true", help="without the demo city")
    command.set_defaults(run=_up)


class _Stopped(Exception):
    pass


def _stop(_signal: int, _frame: FrameType | None) -> None:
    raise _Stopped


def _say(text: str) -> None:
    print(text, flush=True)


def _environment(options: argparse.Namespace, database_url: str) -> dict[str, str]:
    return {
        **os.environ,
        "ANPEI_DATABASE_URL": database_url,
        "ANPEI_DATA": str(options.data),
        "ANPEI_KEYS_DIR": str(options.data / "keys"),
        "ANPEI_PUBLIC_URL": os.environ.get("ANPEI_PUBLIC_URL", f"http://{options.host}:{options.port}"),
        "ANPEI_DEMO": "1",
        "ANPEI_LOG_FORMAT": os.environ.get("ANPEI_LOG_FORMAT", "json"),
    }


class _Children:
    """The web and the job process: started together, restarted when one dies, stopped together."""

    def __init__(self, environment: dict[str, str], *, host: str, port: int, log_dir: Path) -> None:
        self._commands = {"web": ["serve", "--host", host, "--port", str(port)], "jobs": ["work"]}
        self._environment = environment
        self._log_dir = log_dir
        self._running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self) -> None:
        """Start what is not running."""
        for name, arguments in self._commands.items():
            child = self._running.get(name)
            if child is None or child.poll() is not None:
                if child is not None:
                    _say(f"The {name} process ended with code {child.returncode} and is started again.")
                with (self._log_dir / f"{name}.log").open("ab") as log:
                    self._running[name] = subprocess.Popen(
                        [sys.executable, "-P", "-m", "web", *arguments],
                        env=self._environment,
                        stdout=log,
                        stderr=log,
                        start_new_session=True,
                    )

    def are_alive(self) -> bool:
        """Whether none has ended."""
        return all(child.poll() is None for child in self._running.values())

    def stop(self) -> None:
        """Ask them to end, then insist."""
        for child in self._running.values():
            child.terminate()
        for child in self._running.values():
            try:
                child.wait(_STOP_WITHIN)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _wait_until_ready(url: str, children: _Children) -> bool:
    ends = time.monotonic() + _READY_WITHIN
    while time.monotonic() < ends and children.are_alive():
        try:
            with urllib.request.urlopen(f"{url}/health/ready", timeout=2) as answer:  # noqa: S310 - our own address
                if answer.status == 200:  # noqa: PLR2004
                    return True
        except (URLError, OSError):
            time.sleep(0.1)
    return False


def _up(options: argparse.Namespace) -> int:
    options.data = options.data.resolve()
    options.data.mkdir(parents=True, exist_ok=True, mode=0o755)
    signal.signal(signal.SIGINT, _stop)
    signal.signal(signal.SIGTERM, _stop)
    make_missing_keys(options.data / "keys")
    outside = os.environ.get("ANPEI_DATABASE_URL", "")
    cluster = None
    children = None
    try:
        if not outside:
            _say("Starting the database …")
            cluster = postgres.start(options.data / "postgres", log=options.data / "postgres.log")
        environment = _environment(options, outside or (cluster.dsn if cluster else ""))
        settings = Settings.from_environment(environment)
        asyncio.run(_prepare(settings, wants_city=not options.empty))
        children = _Children(environment, host=options.host, port=options.port, log_dir=options.data)
        children.start()
        local = f"http://{options.host}:{options.port}"
        if not _wait_until_ready(local, children):
            _say(f"The web process did not become ready; see {options.data / 'web.log'}.")
            return 1
        _say(_welcome(settings))
        while True:
            time.sleep(1)
            if cluster is not None and not cluster.is_running():
                _say("The database stopped and is started again.")
                cluster = postgres.start(
                    options.data / "postgres", log=options.data / "postgres.log", port=cluster.port
                )
            children.start()
    except _Stopped:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        _say("\nStopping …")
        return 0
    finally:
        if children is not None:
            children.stop()
        if cluster is not None:
            cluster.stop()


async def _prepare(settings: Settings, *, wants_city: bool) -> None:
    await migrate(settings.database_url, now=SystemClock().now())
    if wants_city and await is_empty(settings):
        _say("Building the demo city …")
        began = time.monotonic()
        notes = await seed_city(settings)
        path = settings.data_dir / "demo.json"
        path.write_text(json.dumps(notes, ensure_ascii=False, indent=1), "utf-8")
        path.chmod(0o600)
        _say(f"The demo city stands after {time.monotonic() - began:.1f} s.")
    elif wants_city and await is_half_built(settings):
        _say(
            "An earlier start was interrupted while it built the demo city, which is therefore incomplete. "
            f"For a whole one: stop, remove {settings.data_dir} and start again."
        )


def _padded(text: str) -> str:
    """As wide as the widest role; a Chinese character takes two columns."""
    columns = sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
    return text + " " * (_ROLE_COLUMNS - columns)


def _welcome(settings: Settings) -> str:
    lines = ["", f"安培 Anpei is running at {settings.public_url}", ""]
    path = settings.data_dir / "demo.json"
    if path.exists():
        notes = json.loads(path.read_text("utf-8"))
        lines.append("Demo accounts (impossible people; sign in with the phone number):")
        lines += [
            f"  {_padded(account['role'])} {account['phone']}  {account['password']}  {account['name']}"
            for account in notes["accounts"]
        ]
        lines += ["", "A demo certificate as its QR would open it:", f"  {notes['certificate_url']}", ""]
        lines += ["Things to try:", *(f"  · {line}" for line in notes.get("guide", ())), ""]
    lines.append("Press Ctrl-C to stop; the data stays.")
    return "\n".join(lines)

"""`test`: every check and every test."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[2]
_CHECKS = (
    ("ruff check", [sys.executable, "-m", "ruff", "check", "."]),
    ("ruff format", [sys.executable, "-m", "ruff", "format", "--check", "."]),
    ("mypy --strict", [sys.executable, "-m", "mypy"]),
    ("import-linter", [str(Path(sys.executable).with_name("lint-imports"))]),
    ("djlint", [str(Path(sys.executable).with_name("djlint")), "web/templates", "--lint", "--quiet"]),
)


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type private
    """Add the command."""
    command = commands.add_parser("test", help="run every check and test; further words go to pytest")
    command.add_argument("pytest_arguments", nargs=argparse.REMAINDER)
    command.set_defaults(run=_test)


def _find_browser() -> str | None:
    return os.environ.get("ANPEI_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")


def _get_browser() -> bool:
    if _find_browser():
        return True
    if os.geteuid() == 0 and shutil.which("apt-get"):
        print("Chromium is missing and is installed with apt for the browser tests …", flush=True)
        subprocess.run(["apt-get", "update", "-qq"], check=False)
        subprocess.run(
            ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium", "fonts-noto-cjk"],
            check=False,
            env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        )
    if _find_browser():
        return True
    print(
        "Chromium is missing, so the browser tests cannot run: install the package `chromium` "
        "(or name one by ANPEI_CHROMIUM) and run `./anpei test` again.",
        file=sys.stderr,
    )
    return False


def _test(options: argparse.Namespace) -> int:
    os.chdir(_ROOT)
    failed = []
    for name, command in _CHECKS:
        print(f"== {name}", flush=True)
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    if not _get_browser():
        failed.append("browser")
    print("== pytest", flush=True)
    # One more than two cores: who drives a browser mostly waits.
    arguments = options.pytest_arguments or ["-n", "3", "--dist", "worksteal"]
    if subprocess.run([sys.executable, "-m", "pytest", "-q", *arguments], check=False).returncode:
        failed.append("pytest")
    if failed:
        print(f"Failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0

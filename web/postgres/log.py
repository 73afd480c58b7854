"""The server's log file."""

import contextlib
import os
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO

_LIMIT_BYTES = 16 * 1024 * 1024


@contextlib.contextmanager
def open_log(log: Path) -> Generator[BinaryIO]:
    if log.exists() and log.stat().st_size > _LIMIT_BYTES:
        log.replace(log.with_name(log.name + ".1"))
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(descriptor, "ab") as file:
        yield file


def read_from(log: Path, offset: int) -> str:
    with log.open("rb") as file:
        file.seek(offset)
        return file.read().decode(errors="replace")


def first_error(text: str) -> str:
    """The first complaint in what a PostgreSQL program printed."""
    marks = ("FATAL:", "ERROR:", "error:")
    lines = text.splitlines()
    found = [line.split(mark, 1)[1] for line in lines for mark in marks if mark in line]
    return (found or lines[-1:] or ["it said nothing"])[0].strip()

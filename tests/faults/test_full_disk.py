"""The database's disk fills up in the middle of an exam, and is freed again."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.sitters import Sitter, answer_through, check_nothing_lost
from tests.makers.servers import stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.makers.servers import Stage

CANDIDATES = 20
_DISK = 256 * 1024 * 1024


@contextmanager
def _small_disk() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="anpei-disk-"))
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK},mode=0711", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        folder.rmdir()
        pytest.skip("needs the right to mount a small tmpfs (root in a container with CAP_SYS_ADMIN)")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def _fill(folder: Path) -> Path:
    """Write until nothing more goes in."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        # The last page too.
        for size in (1024 * 1024, 4096, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)) == size:
                    pass
    return ballast


async def _go_on(place: Stage) -> None:
    """What an operator or a supervisor does: start the database again if it has stopped."""
    await asyncio.sleep(1)
    if not place.cluster.is_running():
        await asyncio.to_thread(place.restart_database)


@pytest.mark.fault
def test_a_full_disk_loses_no_acknowledged_answer_and_the_exam_goes_on_when_there_is_space() -> None:
    with _small_disk() as disk, stage(database=disk / "pg") as place:
        sittings = place.make_sittings(CANDIDATES)
        place.start_web()
        sitters = [Sitter(sitting, place.port, patience=15) for sitting in sittings]

        async def fill_and_free() -> None:
            ballast = _fill(disk)
            end = asyncio.get_running_loop().time() + 30
            while not all(sitter.told_to_wait for sitter in sitters):
                assert asyncio.get_running_loop().time() < end, "answers are still saved on a full disk"
                # What a checkpoint freed is filled again.
                await asyncio.sleep(0.5)
            ballast.unlink()
            await _go_on(place)

        asyncio.run(answer_through(sitters, 1, fill_and_free, after=3))
        check_nothing_lost(place, sitters)

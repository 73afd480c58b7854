"""The pool: processes of its own, a crash, the end."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from exams.identity import matcher as matching
from exams.identity.matcher import MatchRules, PooledMatcher, Reason, decide
from exams.identity.scores import MatchScores
from exams.models import CheckVerdict
from tests import faces
from training.files import BadPhoto


@pytest.fixture
async def matcher() -> AsyncGenerator[PooledMatcher]:
    pooled = PooledMatcher("sface", workers=1)
    yield pooled
    await pooled.aclose()


async def check(matcher: PooledMatcher) -> CheckVerdict:
    return decide(await matcher.compare(enrolled=faces.person_a(), live=faces.person_a_again()), MatchRules())


def workers(matcher: PooledMatcher) -> list[int]:
    assert matcher._pool is not None
    return list(matcher._pool._processes)


async def test_a_worker_compares_and_is_kept_for_the_next(matcher: PooledMatcher) -> None:
    assert await check(matcher) == CheckVerdict.ACCEPT
    first = workers(matcher)
    assert await check(matcher) == CheckVerdict.ACCEPT
    assert workers(matcher) == first
    assert os.getpid() not in first


async def test_a_broken_camera_picture_is_an_error_for_the_person(matcher: PooledMatcher) -> None:
    with pytest.raises(BadPhoto, match="重新拍摄") as caught:
        await matcher.compare(enrolled=faces.person_a(), live=b"no picture")
    assert caught.value.field == "picture"


async def test_a_worker_killed_meanwhile_is_replaced(matcher: PooledMatcher) -> None:
    await check(matcher)
    os.kill(workers(matcher)[0], signal.SIGKILL)
    assert await check(matcher) == CheckVerdict.ACCEPT


async def test_several_comparisons_outlive_a_crash(matcher: PooledMatcher) -> None:
    await check(matcher)
    running = [asyncio.create_task(check(matcher)) for _ in range(4)]
    await asyncio.sleep(0.05)
    os.kill(workers(matcher)[0], signal.SIGKILL)
    assert await asyncio.gather(*running) == [CheckVerdict.ACCEPT] * 4


def _die(names: tuple[str, ...], enrolled: list[bytes], live: bytes) -> MatchScores:
    os._exit(3)


async def test_a_picture_that_always_crashes_the_engines_goes_to_an_officer(
    matcher: PooledMatcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(matching, "compare_here", _die)
    scores = await matcher.compare(enrolled=faces.person_a(), live=faces.person_a_again())
    assert scores.reasons == (Reason.ENGINE_FAILED,)
    assert decide(scores, MatchRules()) == CheckVerdict.REFER
    monkeypatch.undo()
    assert await check(matcher) == CheckVerdict.ACCEPT


async def test_closing_ends_the_workers_and_may_be_repeated(matcher: PooledMatcher) -> None:
    await check(matcher)
    (worker,) = workers(matcher)
    await matcher.aclose()
    await matcher.aclose()
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


_ORPHAN = """
import asyncio, os
from exams.identity.matcher import PooledMatcher

async def main():
    matcher = PooledMatcher("sface", workers=1)
    await matcher.compare(enrolled=[], live=open("{picture}", "rb").read())
    print(*matcher._pool._processes, flush=True)
    os.kill(os.getpid(), 9)

if __name__ == "__main__":
    asyncio.run(main())
"""


def is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{process}/stat")
    return not (stat.exists() and ") Z " in stat.read_text())  # ended, though nobody has collected it yet


def test_workers_end_with_a_killed_web_process(tmp_path: Path) -> None:
    picture, script = tmp_path / "live.jpg", tmp_path / "web.py"
    picture.write_bytes(faces.nobody())
    script.write_text(_ORPHAN.format(picture=picture))
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])}
    run = subprocess.run([sys.executable, script], capture_output=True, check=False, env=environment)
    worker = int(run.stdout)
    deadline = time.monotonic() + 10
    while is_running(worker):
        if time.monotonic() > deadline:
            os.kill(worker, signal.SIGKILL)
            pytest.fail("the worker outlived its web process")
        time.sleep(0.05)

"""What a worker process of the matcher's pool runs. OpenCV and dlib are loaded there and nowhere else."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exams.identity.scores import MatchScores


def begin_worker(threads: int) -> None:
    """Prepare a fresh process; `threads` is its share of the cores."""
    import cv2

    cv2.setNumThreads(threads)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the web process's to handle
    threading.Thread(target=_end_with_parent, daemon=True).start()


def compare_here(names: tuple[str, ...], enrolled: list[bytes], live: bytes) -> MatchScores:
    """Compare in this process; the first call loads the engines."""
    from exams.identity.engines import load_engines

    return load_engines(names).compare(enrolled=enrolled, live=live)


def _end_with_parent() -> None:
    # A killed web process cannot end its pool, and a worker would wait for its next task for ever.
    if parent := multiprocessing.parent_process():
        parent.join()
        os._exit(1)

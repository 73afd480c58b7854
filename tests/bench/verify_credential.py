"""Reading and checking a credential against the bare Ed25519 verification of as many bytes."""

from __future__ import annotations

import statistics
import time
from operator import truediv
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROUNDS = 30
CALLS = 200


def run() -> Iterator[dict[str, Any]]:
    """One figure: microseconds from the scanned text to the facts."""
    from certificates.credential import open_credential, read_qr_text
    from tests.makers.printed import SIGNER, make_qr_text

    text, public_key = make_qr_text(), SIGNER.key.public_key()
    keys = {SIGNER.kid: public_key}
    message = read_qr_text(text).credential
    signature = SIGNER.key.sign(message)
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(_seconds(lambda: open_credential(read_qr_text(text).credential, keys=keys)))
        theirs.append(_seconds(lambda: public_key.verify(signature, message)))
    yield {
        "name": "credential.open",
        "value": round(statistics.median(ours) * 1e6, 1),
        "unit": "µs",
        "reference": round(statistics.median(theirs) * 1e6, 1),
        "ratio": round(statistics.median(map(truediv, ours, theirs)), 2),
    }


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    for _ in range(CALLS):
        work()
    return (time.perf_counter() - started) / CALLS


if __name__ == "__main__":
    for figure in run():
        print(figure)

"""The short-lived code in the attendance QR: whoever sends it was in the room a moment ago."""

from __future__ import annotations

import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

_CODE_BYTES = 10


def code_at(secret: bytes, instant: datetime, *, seconds: int) -> str:
    """The code that a lesson's screen shows at an instant: 16 letters and digits, new every `seconds`."""
    return _code(secret, int(instant.timestamp()) // seconds)


def is_code_current(secret: bytes, code: str, *, now: datetime, seconds: int) -> bool:
    """Whether a code is the one shown now or the one just before it."""
    step = int(now.timestamp()) // seconds
    given = code.lower().encode()
    # Both are compared, so that the time taken does not tell which one nearly fitted.
    fits = [hmac.compare_digest(given, _code(secret, each).encode()) for each in (step, step - 1)]
    return any(fits)


def seconds_left(instant: datetime, *, seconds: int) -> int:
    """How long the code of this instant stays on the screen."""
    return seconds - int(instant.timestamp()) % seconds


def _code(secret: bytes, step: int) -> str:
    digest = hmac.new(secret, step.to_bytes(8, "big"), hashlib.sha256).digest()
    return base64.b32encode(digest[:_CODE_BYTES]).decode().lower()

"""The states of a sitting and what leads from one to another. The database refuses every other step.

READY is a checked-in booking, or an invitation to an enterprise exam, that has no sitting yet; so
it is never stored, and the first event of a sitting is the step from READY to OPEN.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from exams.models import SittingStatus

if TYPE_CHECKING:
    from collections.abc import Mapping

READY = "READY"


class SittingAct(StrEnum):
    """What may happen to a sitting; the `kind` of its `SittingEvent`."""

    STARTED = "STARTED"
    TAKEN_OVER = "TAKEN_OVER"
    RELEASED = "RELEASED"
    EXTENDED = "EXTENDED"
    PAUSED = "PAUSED"
    RESUMED = "RESUMED"
    HANDED_IN = "HANDED_IN"
    TIMED_OUT = "TIMED_OUT"
    CLOSED_BY_SITE = "CLOSED_BY_SITE"
    VOIDED = "VOIDED"


_OPEN, _PAUSED = SittingStatus.OPEN, SittingStatus.PAUSED
# Begun and not ended: nobody else may have the seat, and the session is not over.
UNDER_WAY = (_OPEN, _PAUSED)
_ENDED = (SittingStatus.HANDED_IN, SittingStatus.TIMED_OUT, SittingStatus.CLOSED_BY_SITE)
_STEPS: Mapping[SittingAct, Mapping[str, SittingStatus]] = {
    SittingAct.STARTED: {READY: _OPEN},
    SittingAct.TAKEN_OVER: {_OPEN: _OPEN, _PAUSED: _PAUSED},
    SittingAct.RELEASED: {_OPEN: _OPEN, _PAUSED: _PAUSED},
    SittingAct.EXTENDED: {_OPEN: _OPEN, _PAUSED: _PAUSED},
    SittingAct.PAUSED: {_OPEN: _PAUSED},
    SittingAct.RESUMED: {_PAUSED: _OPEN},
    SittingAct.HANDED_IN: {_OPEN: SittingStatus.HANDED_IN},
    SittingAct.TIMED_OUT: {_OPEN: SittingStatus.TIMED_OUT},
    SittingAct.CLOSED_BY_SITE: {_OPEN: SittingStatus.CLOSED_BY_SITE, _PAUSED: SittingStatus.CLOSED_BY_SITE},
    SittingAct.VOIDED: dict.fromkeys((*UNDER_WAY, *_ENDED), SittingStatus.VOID),
}


def step(state: str, act: SittingAct) -> SittingStatus | None:
    """The state that an act leads to from `state` (a status, or `READY`); None if it does not apply there."""
    return _STEPS[act].get(state)

"""What a comparison found. Kept apart from the decision so that a worker process loads nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SFACE, DLIB = "sface", "dlib"


class Reason(StrEnum):
    """Why the engines' scores may not decide; each sends the candidate to an officer."""

    NO_FACE = "NO_FACE"
    MANY_FACES = "MANY_FACES"
    TOO_SMALL = "TOO_SMALL"
    BLURRED = "BLURRED"
    TURNED = "TURNED"
    NOT_ENROLLED = "NOT_ENROLLED"
    ENROLLED_UNUSABLE = "ENROLLED_UNUSABLE"
    SECOND_ENGINE_BLIND = "SECOND_ENGINE_BLIND"
    ENGINE_FAILED = "ENGINE_FAILED"


@dataclass(frozen=True)
class MatchScores:
    """Numbers and words only: nothing from which a face could be rebuilt.

    `sface_cosine` grows with likeness (−1…1), `dlib_distance` shrinks with it (0…about 1.5).
    `enrolled_cosine` is the least likeness among the enrolment photos themselves, None with a single
    one. `faces_enrolled` counts the enrolment photos that could be used. `engines` maps each engine
    that was asked to its version.
    """

    sface_cosine: float | None = None
    dlib_distance: float | None = None
    enrolled_cosine: float | None = None
    faces_live: int = 0
    faces_enrolled: int = 0
    reasons: tuple[Reason, ...] = ()
    milliseconds: int = 0
    engines: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For a JSONB column."""
        return {
            "sface_cosine": _rounded(self.sface_cosine),
            "dlib_distance": _rounded(self.dlib_distance),
            "enrolled_cosine": _rounded(self.enrolled_cosine),
            "faces_live": self.faces_live,
            "faces_enrolled": self.faces_enrolled,
            "reasons": [reason.value for reason in self.reasons],
            "milliseconds": self.milliseconds,
            "engines": dict(self.engines),
        }


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 4)

"""What the candidate's forms send."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from litestar.datastructures import UploadFile

from training.models import Education


def many(value: list[str] | str) -> list[str]:
    """What ticked boxes of one name send: a list, or one text when only one is ticked."""
    return value if isinstance(value, list) else [value] if value else []


def read_key(text: str) -> UUID | None:
    """A key from a select box, or None."""
    try:
        return UUID(text)
    except ValueError:
        return None


def read_education(text: str) -> Education | None:
    """An education from a select box, or None."""
    return Education(text) if text in set(Education) else None


@dataclass
class BackgroundForm:
    """Education, employer and proof."""

    education: str = ""
    employer: str = ""
    proof_kind: str = ""
    proof_record_id: str = ""
    proof: UploadFile | None = None


@dataclass
class PhotoForm:
    """A photo."""

    photo: UploadFile | None = None


@dataclass
class HealthForm:
    """The ticked items and the typed name."""

    confirmed: list[str] | str = field(default_factory=list)
    typed_name: str = ""


@dataclass
class SeatForm:
    """The session that was chosen."""

    exam_session_id: UUID

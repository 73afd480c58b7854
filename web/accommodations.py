"""The form of accommodations (考试便利), for the candidate's wish, the reviewer's grant and an enterprise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from exams.accommodations import Accommodations
from training.calendar import china_date
from training.rules import get_number

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

_STEP = 5
_MOST_DIGITS = 3


@dataclass
class AccommodationForm:
    """What was chosen; a box that is not ticked is not sent. `reason` only where it is asked for."""

    extra_percent: str = "0"
    large_type: str = ""
    high_contrast: str = ""
    read_aloud: str = ""
    language: str = ""
    reason: str = ""

    @classmethod
    def of(cls, kept: Accommodations, *, reason: str = "") -> AccommodationForm:
        """The form as it was filled in."""
        return cls(
            extra_percent=str(kept.extra_percent),
            large_type="1" if kept.large_type else "",
            high_contrast="1" if kept.high_contrast else "",
            read_aloud="1" if kept.read_aloud else "",
            language=kept.language,
            reason=reason,
        )

    def read(self) -> Accommodations:
        """What it says; a number that makes no sense is refused with the limit by the operation."""
        typed = self.extra_percent.strip()
        is_number = typed.isascii() and typed.isdigit() and len(typed) <= _MOST_DIGITS
        return Accommodations(
            extra_percent=int(typed) if is_number else -1,
            large_type=bool(self.large_type),
            high_contrast=bool(self.high_contrast),
            read_aloud=bool(self.read_aloud),
            language=self.language,
        )


async def extra_choices(session: AsyncSession, *, now: datetime) -> list[int]:
    """The extra time that may be chosen, in percent, up to the rule."""
    most = await get_number(session, "exam.extra_time_max_percent", on=china_date(now))
    return [*range(0, most, _STEP), most]

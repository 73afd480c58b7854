"""Class hours (学时): how much time makes one, and what a learner is credited."""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from enum import StrEnum

_TENTH = Decimal("0.1")


class Credit(StrEnum):
    """Rule `learn.credit`: by the time that the server saw, or by the hours that the course declares."""

    SEEN = "SEEN"
    DECLARED = "DECLARED"


def hours_of(seconds: int, *, minutes_per_hour: int) -> Decimal:
    """Class hours in a span, rounded down to a tenth so that nothing is credited that was not spent."""
    return (Decimal(seconds) / (minutes_per_hour * 60)).quantize(_TENTH, rounding=ROUND_DOWN)


def credited_hours(declared: Decimal, *, seconds: int, minutes_per_hour: int, credit: Credit) -> Decimal:
    """The hours of a finished course: never more than it declares."""
    if credit is Credit.DECLARED:
        return declared
    return min(declared, hours_of(seconds, minutes_per_hour=minutes_per_hour))

"""Instants at plausible hours in China, counted from the moment at which the city is built."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from training.calendar import CHINA, china_date, start_of_day

if TYPE_CHECKING:
    from datetime import date, datetime

_SATURDAY = 5
_OFFICE_HOURS = range(8, 18)


def at(day: date, hour: int, minute: int = 0) -> datetime:
    """An instant of a day in China."""
    return start_of_day(day) + timedelta(hours=hour, minutes=minute)


def weekday(day: date) -> date:
    """The day, or the Friday before it."""
    while day.weekday() >= _SATURDAY:
        day -= timedelta(days=1)
    return day


def days_ago(now: datetime, days: int, hour: int = 10, minute: int = 0) -> datetime:
    """About so many days before, at an hour in China, never at a weekend."""
    return at(weekday(china_date(now) - timedelta(days=days)), hour, minute)


def in_office_hours(now: datetime) -> bool:
    """Whether exams are usually held at this hour in China."""
    return now.astimezone(CHINA).hour in _OFFICE_HOURS


def soon(now: datetime) -> datetime:
    """The next full five minutes that are at least half an hour away."""
    later = now + timedelta(minutes=34, seconds=59)
    return later.replace(minute=later.minute // 5 * 5, second=0, microsecond=0)

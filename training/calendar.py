"""Days as the law counts them: in China's time zone, calendar and working days."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

import chinese_calendar

CHINA = timezone(timedelta(hours=8), "Asia/Shanghai")
_SATURDAY = 5


def china_date(instant: datetime) -> date:
    """The day in China at an instant."""
    return instant.astimezone(CHINA).date()


def start_of_day(day: date) -> datetime:
    """Midnight in China at which a day begins, as UTC."""
    return datetime(day.year, day.month, day.day, tzinfo=CHINA).astimezone(UTC)


def is_working_day(day: date) -> bool:
    """By the State Council's yearly notice; for a year without one yet, Monday to Friday."""
    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return day.weekday() < _SATURDAY


def add_working_days(start: date, count: int) -> date:
    """The last day of a limit of `count` working days that starts the day after `start`."""
    day = start
    while count > 0:
        day += timedelta(days=1)
        count -= is_working_day(day)
    return day


def add_years(day: date, years: int) -> date:
    """The same day some years on; 29 February is clamped to the 28th (domain.md §2.5)."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)


def add_months(day: date, months: int) -> date:
    """The same day some months on, clamped to the month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    first_of_next = date(year + (month == 11), (month + 1) % 12 + 1, 1)  # noqa: PLR2004 - December
    return date(year, month + 1, min(day.day, (first_of_next - timedelta(days=1)).day))

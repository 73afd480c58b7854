"""When a sitting begins, ends and may be entered or left: pure functions of stored instants, half-open."""

from __future__ import annotations

from datetime import datetime, timedelta


def deadline_for(started_at: datetime, *, minutes: int, extra_percent: int = 0) -> datetime:
    """The first instant that is too late.

    Personal time runs from the real start: neither a late entry nor the end of the session or of
    an enterprise exam's opening shortens it. Extra time counts in whole seconds, rounded up.
    """
    return started_at + timedelta(seconds=-(-minutes * 60 * (100 + extra_percent) // 100))


def seconds_left(deadline: datetime, *, now: datetime) -> int:
    """Whole seconds until the deadline, never below 0; the last begun second counts as one."""
    left = deadline - now
    return max(-(-left // timedelta(seconds=1)), 0)


def is_over(deadline: datetime, *, now: datetime) -> bool:
    """Whether the time is up; the deadline itself is too late."""
    return now >= deadline


def latest_entry(starts_at: datetime, *, late_minutes: int) -> datetime:
    """The first instant at which a candidate who has not checked in is turned away."""
    return starts_at + timedelta(minutes=late_minutes)


def earliest_leave(started_at: datetime, deadline: datetime, *, leave_minutes: int) -> datetime:
    """From when on a candidate may hand in: some minutes after the real start, at most the whole time."""
    return min(started_at + timedelta(minutes=leave_minutes), deadline)


def extended(deadline: datetime, *, now: datetime, minutes: int) -> datetime:
    """A deadline moved by the site head: never into the past, never earlier than it was."""
    return max(deadline, now) + timedelta(minutes=minutes)


def resumed(deadline: datetime, *, paused_at: datetime, now: datetime) -> datetime:
    """A deadline after a pause: later by the whole pause, so that just as much time is left as when it began."""
    return deadline + (now - paused_at)

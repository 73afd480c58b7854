"""Sittings: opening one, going on with it on the same or another device, releasing and extending it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlmodel import col, select

from exams.answers import device_token, device_token_hash
from exams.models import (
    Booking,
    ExamSession,
    Sitting,
    SittingEvent,
    SittingStatus,
)
from exams.timing import extended, is_over, seconds_left
from training import audit
from training.errors import N_, BadInput, Conflict, NotFound

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

# What a SittingEvent's `kind` may be.
STARTED, TAKEN_OVER, RELEASED, EXTENDED = "STARTED", "TAKEN_OVER", "RELEASED", "EXTENDED"
HANDED_IN, TIMED_OUT = "HANDED_IN", "TIMED_OUT"
_LONGEST_EXTENSION = 240
_TRIES = 3


class OnAnotherDevice(Conflict):
    """A certificate exam is bound to one device until the site releases it."""

    message = N_("这场考试正在另一台设备上进行。如需换机，请举手告知监考人员，由考试点放行后再进入。")


class NotOpen(Conflict):
    """The act needs an open sitting."""

    message = N_("这场考试已经结束，不能再进行这项操作。")


class ReasonMissing(BadInput):
    """What a site does to a sitting is written down with its reason."""

    message = N_("请写明原因，它会随考试记录一并保存。")


class BadExtension(BadInput):
    """A nonsensical number of minutes."""

    message = N_("延长时间应为 1 到 {most} 分钟。")


@dataclass(frozen=True, slots=True)
class Entry:
    """A way into a sitting. `device_token` is what this device shows with every answer."""

    sitting_id: UUID
    device_token: str
    status: SittingStatus
    started_at: datetime
    deadline: datetime
    seconds_left: int
    total: int
    is_new: bool = False
    took_over: bool = False


@dataclass(frozen=True, slots=True)
class Device:
    """Who asks: the sign-in of the browser or client, and the token that it still holds, if any."""

    sign_in_id: UUID
    key: bytes
    token: str = ""


async def resume_sitting(
    session: AsyncSession, *, sitting_id: UUID, person_id: UUID, device: Device, now: datetime
) -> Entry:
    """Go on with one's sitting: at once on the device that holds it.

    Another device takes over an enterprise exam, and a certificate exam once the site has
    released it; otherwise `OnAnotherDevice`. A sitting that has ended is shown as it is.
    """
    sitting = await lock_sitting(session, sitting_id, person_id=person_id)
    if sitting.status is not SittingStatus.OPEN or holds_sitting(sitting, device):
        return _entry(sitting, device, now=now)
    if sitting.device_token_hash is not None and sitting.booking_id is not None:
        raise OnAnotherDevice
    sitting.device_number += 1
    _bind(sitting, device)
    session.add(sitting)
    _note(session, sitting, TAKEN_OVER, actor_id=person_id, now=now, device=sitting.device_number)
    audit.record(session, action="sitting.taken_over", target=("sitting", sitting.id), actor_id=person_id, now=now)
    await session.flush()
    return _entry(sitting, device, now=now, took_over=True)


async def release_device(
    session: AsyncSession, *, sitting_id: UUID, site_id: UUID, actor_id: UUID, reason: str, now: datetime
) -> None:
    """Let the candidate go on at another computer: the device that holds the sitting can answer no more."""
    reason = _check_reason(reason)
    sitting = await _lock_at_site(session, sitting_id, site_id)
    if sitting.device_token_hash is None:
        return
    sitting.device_token_hash, sitting.device_sign_in_id, sitting.device_released_at = None, None, now
    session.add(sitting)
    _note(session, sitting, RELEASED, actor_id=actor_id, reason=reason, now=now)
    audit.record(
        session, action="sitting.released", target=("sitting", sitting.id), actor_id=actor_id, now=now, reason=reason
    )
    await session.flush()


async def extend_sitting(
    session: AsyncSession,
    *,
    sitting_id: UUID,
    site_id: UUID,
    actor_id: UUID,
    minutes: int,
    reason: str,
    now: datetime,
) -> datetime:
    """Give a sitting more time, by the site head, with a reason. Gives the new deadline."""
    reason = _check_reason(reason)
    if not 1 <= minutes <= _LONGEST_EXTENSION:
        raise BadExtension(most=_LONGEST_EXTENSION, field="minutes")
    sitting = await _lock_at_site(session, sitting_id, site_id)
    before, sitting.deadline = sitting.deadline, extended(sitting.deadline, now=now, minutes=minutes)
    session.add(sitting)
    _note(session, sitting, EXTENDED, actor_id=actor_id, reason=reason, now=now, minutes=minutes)
    audit.record(
        session, action="sitting.extended", target=("sitting", sitting.id), actor_id=actor_id, now=now,
        was={"deadline": before.isoformat()}, minutes=minutes, reason=reason,
    )  # fmt: skip
    await session.flush()
    return sitting.deadline


async def lock_sitting(session: AsyncSession, sitting_id: UUID, *, person_id: UUID) -> Sitting:
    """The sitting as this person's own, locked against answers and read afresh. Raises `NotFound`."""
    statement = (
        select(Sitting)
        .where(Sitting.id == sitting_id, Sitting.person_id == person_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    sitting = (await session.exec(statement)).one_or_none()
    if sitting is None:
        raise NotFound
    return sitting


async def _lock_at_site(session: AsyncSession, sitting_id: UUID, site_id: UUID) -> Sitting:
    statement = (
        select(Sitting)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .join(ExamSession, col(ExamSession.id) == Booking.exam_session_id)
        .where(Sitting.id == sitting_id, ExamSession.site_id == site_id)
        .with_for_update(of=Sitting)
        .execution_options(populate_existing=True)
    )
    sitting = (await session.exec(statement)).one_or_none()
    if sitting is None:
        raise NotFound
    if sitting.status is not SittingStatus.OPEN:
        raise NotOpen
    return sitting


def _bind(sitting: Sitting, device: Device) -> None:
    token = device_token(device.key, sitting.id, sitting.device_number)
    sitting.device_token_hash, sitting.device_sign_in_id = device_token_hash(token), device.sign_in_id
    sitting.device_released_at = None


def holds_sitting(sitting: Any, device: Device) -> bool:  # noqa: ANN401 - a Sitting or a row of its columns
    """Whether this device is the one that may answer."""
    if sitting.device_token_hash is None:
        return False
    is_same: bool = sitting.device_sign_in_id == device.sign_in_id
    return is_same or (bool(device.token) and device_token_hash(device.token) == sitting.device_token_hash)


def _entry(sitting: Sitting, device: Device, *, now: datetime, took_over: bool = False) -> Entry:
    is_open = sitting.status is SittingStatus.OPEN
    return Entry(
        sitting_id=sitting.id,
        device_token=device_token(device.key, sitting.id, sitting.device_number) if is_open else "",
        status=SittingStatus.TIMED_OUT if is_open and is_over(sitting.deadline, now=now) else sitting.status,
        started_at=sitting.started_at,
        deadline=sitting.deadline,
        seconds_left=seconds_left(sitting.deadline, now=now) if is_open else 0,
        total=sitting.item_count,
        took_over=took_over,
    )


def _check_reason(reason: str) -> str:
    reason = reason.strip()
    if not reason:
        raise ReasonMissing(field="reason")
    return reason[:500]


def _note(
    session: AsyncSession,
    sitting: Sitting,
    kind: str,
    *,
    actor_id: UUID | None,
    now: datetime,
    reason: str = "",
    **detail: Any,  # noqa: ANN401 - JSON values
) -> None:
    session.add(SittingEvent(sitting_id=sitting.id, kind=kind, actor_id=actor_id, reason=reason, detail=detail, at=now))

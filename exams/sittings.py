"""Sittings that have begun: going on on the same or another device, and what a site does to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, Uuid, bindparam, text
from sqlmodel import col, select

from exams.answers import device_token, device_token_hash
from exams.integrity import note_fact
from exams.models import Booking, ExamSession, IntegrityKind, Sitting, SittingEvent, SittingStatus
from exams.sitting_states import UNDER_WAY, SittingAct, step
from exams.timing import extended, is_over, resumed, seconds_left
from training import audit
from training.errors import N_, BadInput, Conflict, NotFound
from training.prepared import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

# What a SittingEvent's `kind` may be.
STARTED, HANDED_IN, TIMED_OUT = SittingAct.STARTED, SittingAct.HANDED_IN, SittingAct.TIMED_OUT
TAKEN_OVER, RELEASED, EXTENDED = SittingAct.TAKEN_OVER, SittingAct.RELEASED, SittingAct.EXTENDED
# Whoever listens here hears the id of a sitting to which something was done, once that is committed.
CHANNEL = "anpei_sitting"
_LONGEST_EXTENSION = 240
_LONGEST_REASON = 500


class OnAnotherDevice(Conflict):
    """A certificate exam is bound to one device until the site releases it."""

    message = N_("这场考试正在另一台设备上进行。如需换机，请举手告知监考人员，由考试点放行后再进入。")


class NotOpen(Conflict):
    """The act needs an open sitting."""

    message = N_("这场考试已经结束，不能再进行这项操作。")


class TimeIsUp(Conflict):
    """A clock that has run out cannot be stopped."""

    message = N_("这名考生的考试时间已到，不能再暂停。如需补时，请先延长时间。")


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
    released it; otherwise `OnAnotherDevice`. A sitting that has ended is shown as it is. A paused
    one stays paused on whatever device.
    """
    sitting = await lock_sitting(session, sitting_id, person_id=person_id)
    if sitting.status not in UNDER_WAY or holds_sitting(sitting, device):
        return entry_for(sitting, device, now=now)
    if sitting.device_token_hash is not None and sitting.booking_id is not None:
        raise OnAnotherDevice
    sitting.device_number += 1
    _bind(sitting, device)
    take_step(session, sitting, SittingAct.TAKEN_OVER, actor_id=person_id, now=now, device=sitting.device_number)
    await tell_candidates(session, [sitting.id])
    if sitting.enterprise_exam_id is not None:
        await note_fact(session, sitting_id=sitting.id, kind=IntegrityKind.SECOND_DEVICE, now=now)
    return entry_for(sitting, device, now=now, took_over=True)


async def release_device(
    session: AsyncSession, *, sitting_id: UUID, site_id: UUID, actor_id: UUID, reason: str, now: datetime
) -> None:
    """Let the candidate go on at another computer: the device that holds the sitting can answer no more."""
    reason = check_reason(reason)
    sitting = await _lock_at_site(session, sitting_id, site_id)
    if sitting.device_token_hash is None:
        return
    sitting.device_token_hash, sitting.device_sign_in_id, sitting.device_released_at = None, None, now
    take_step(session, sitting, SittingAct.RELEASED, actor_id=actor_id, reason=reason, now=now)
    await tell_candidates(session, [sitting.id])


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
    reason = check_reason(reason)
    if not 1 <= minutes <= _LONGEST_EXTENSION:
        raise BadExtension(most=_LONGEST_EXTENSION, field="minutes")
    sitting = await _lock_at_site(session, sitting_id, site_id)
    before = sitting.deadline
    sitting.deadline = extended(before, now=sitting.paused_at or now, minutes=minutes)
    take_step(
        session, sitting, SittingAct.EXTENDED, actor_id=actor_id, reason=reason, now=now,
        was={"deadline": before.isoformat()}, minutes=minutes,
    )  # fmt: skip
    await tell_candidates(session, [sitting.id])
    return sitting.deadline


async def pause_sitting(
    session: AsyncSession, *, sitting_id: UUID, site_id: UUID, actor_id: UUID, reason: str, now: datetime
) -> None:
    """Stop a candidate's clock, by the site head, with a reason. Paused already, nothing changes.

    Raises `TimeIsUp` at and after the deadline.
    """
    reason = check_reason(reason)
    sitting = await _lock_at_site(session, sitting_id, site_id)
    if sitting.status is SittingStatus.PAUSED:
        return
    if is_over(sitting.deadline, now=now):
        raise TimeIsUp
    _pause(session, sitting, actor_id=actor_id, reason=reason, now=now)
    await tell_candidates(session, [sitting.id])


async def resume_paused(
    session: AsyncSession, *, sitting_id: UUID, site_id: UUID, actor_id: UUID, reason: str, now: datetime
) -> datetime:
    """Let the clock run again, with exactly the time that was left. Not paused, nothing changes. Gives the deadline."""
    reason = check_reason(reason)
    sitting = await _lock_at_site(session, sitting_id, site_id)
    if sitting.status is SittingStatus.PAUSED:
        _resume(session, sitting, actor_id=actor_id, reason=reason, now=now)
        await tell_candidates(session, [sitting.id])
    return sitting.deadline


async def pause_session(
    session: AsyncSession, *, exam_session_id: UUID, site_id: UUID, actor_id: UUID, reason: str, now: datetime
) -> int:
    """Stop the clocks of everybody who is answering, at one instant. Gives how many."""
    reason = check_reason(reason)
    sittings = await _lock_of_session(session, exam_session_id, site_id, status=SittingStatus.OPEN)
    running = [sitting for sitting in sittings if not is_over(sitting.deadline, now=now)]
    for sitting in running:
        _pause(session, sitting, actor_id=actor_id, reason=reason, now=now)
    await tell_candidates(session, [sitting.id for sitting in running])
    return len(running)


async def resume_session(
    session: AsyncSession, *, exam_session_id: UUID, site_id: UUID, actor_id: UUID, reason: str, now: datetime
) -> int:
    """Let every stopped clock of a session run again, each with the time that was left on it. Gives how many."""
    reason = check_reason(reason)
    sittings = await _lock_of_session(session, exam_session_id, site_id, status=SittingStatus.PAUSED)
    for sitting in sittings:
        _resume(session, sitting, actor_id=actor_id, reason=reason, now=now)
    await tell_candidates(session, [sitting.id for sitting in sittings])
    return len(sittings)


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


_TELL = text("SELECT pg_notify(:channel, CAST(id AS text)) FROM unnest(:ids) AS told (id)").bindparams(
    bindparam("ids", type_=ARRAY(Uuid()))
)


async def tell_candidates(session: AsyncSession, sitting_ids: Iterable[UUID]) -> None:
    """Have the candidates' pages told, on commit, that something was done to their sittings (web/pushing.py).

    What was added to the session is written before.
    """
    await run(session, _TELL, channel=CHANNEL, ids=list(sitting_ids))


def check_reason(reason: str) -> str:
    """The reason as it is kept. Raises `ReasonMissing`."""
    reason = reason.strip()
    if not reason:
        raise ReasonMissing(field="reason")
    return reason[:_LONGEST_REASON]


def holds_sitting(sitting: Any, device: Device) -> bool:  # noqa: ANN401 - a Sitting or a row of its columns
    """Whether this device is the one that may answer."""
    if sitting.device_token_hash is None:
        return False
    is_same: bool = sitting.device_sign_in_id == device.sign_in_id
    return is_same or (bool(device.token) and device_token_hash(device.token) == sitting.device_token_hash)


def _pause(session: AsyncSession, sitting: Sitting, *, actor_id: UUID, reason: str, now: datetime) -> None:
    sitting.paused_at = now
    take_step(session, sitting, SittingAct.PAUSED, actor_id=actor_id, reason=reason, now=now)


def _resume(session: AsyncSession, sitting: Sitting, *, actor_id: UUID, reason: str, now: datetime) -> None:
    before, paused_at = sitting.deadline, sitting.paused_at or now
    sitting.deadline, sitting.paused_at = resumed(before, paused_at=paused_at, now=now), None
    take_step(
        session, sitting, SittingAct.RESUMED, actor_id=actor_id, reason=reason, now=now,
        was={"deadline": before.isoformat()}, paused_seconds=int((now - paused_at).total_seconds()),
    )  # fmt: skip


async def _lock_at_site(session: AsyncSession, sitting_id: UUID, site_id: UUID) -> Sitting:
    """A sitting at this site that has not ended. Raises `NotFound`, `NotOpen`."""
    sitting: Sitting | None = (await session.exec(_at_site(site_id).where(Sitting.id == sitting_id))).one_or_none()
    if sitting is None:
        raise NotFound
    if sitting.status not in UNDER_WAY:
        raise NotOpen
    return sitting


async def _lock_of_session(
    session: AsyncSession, exam_session_id: UUID, site_id: UUID, *, status: SittingStatus
) -> Sequence[Sitting]:
    statement = _at_site(site_id).where(ExamSession.id == exam_session_id, Sitting.status == status)
    sittings: Sequence[Sitting] = (await session.exec(statement.order_by(col(Sitting.id)))).all()
    return sittings


def _at_site(site_id: UUID) -> Any:  # noqa: ANN401 - an SQL expression
    return (
        select(Sitting)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .join(ExamSession, col(ExamSession.id) == Booking.exam_session_id)
        .where(ExamSession.site_id == site_id)
        .with_for_update(of=Sitting)
        .execution_options(populate_existing=True)
    )


def _bind(sitting: Sitting, device: Device) -> None:
    token = device_token(device.key, sitting.id, sitting.device_number)
    sitting.device_token_hash, sitting.device_sign_in_id = device_token_hash(token), device.sign_in_id
    sitting.device_released_at = None


def entry_for(
    sitting: Any,  # noqa: ANN401 - a Sitting or a row of its columns
    device: Device,
    *,
    now: datetime,
    took_over: bool = False,
) -> Entry:
    """The way in for the device that holds the sitting, or into one that has ended."""
    is_under_way = sitting.status in UNDER_WAY
    is_late = sitting.status is SittingStatus.OPEN and is_over(sitting.deadline, now=now)
    return Entry(
        sitting_id=sitting.id,
        device_token=device_token(device.key, sitting.id, sitting.device_number) if is_under_way else "",
        status=SittingStatus.TIMED_OUT if is_late else sitting.status,
        started_at=sitting.started_at,
        deadline=sitting.deadline,
        seconds_left=seconds_left(sitting.deadline, now=sitting.paused_at or now) if is_under_way else 0,
        total=sitting.item_count,
        took_over=took_over,
    )


def take_step(
    session: AsyncSession,
    sitting: Sitting,
    act: SittingAct,
    *,
    actor_id: UUID | None,
    now: datetime,
    reason: str = "",
    was: dict[str, Any] | None = None,
    **detail: int | str,
) -> None:
    """Lead a locked sitting to the state that an act leads to, with its event and its entry in the audit log.

    Then `tell_candidates`. Raises `NotOpen` where the act does not apply.
    """
    before, after = sitting.status, step(sitting.status, act)
    if after is None:
        raise NotOpen
    sitting.status = after
    session.add(sitting)
    session.add(
        SittingEvent(
            sitting_id=sitting.id, kind=act, actor_id=actor_id, reason=reason, at=now,
            detail={"from": before.value, "to": after.value, **detail},
        )
    )  # fmt: skip
    audit.record(
        session, action=f"sitting.{act.lower()}", target=("sitting", sitting.id), actor_id=actor_id, now=now, was=was,
        **({"reason": reason} if reason else {}), **detail,
    )  # fmt: skip

"""Answers: an event per act, in the order of the candidate's own numbers.

The rule of the hot path, whoever writes it (web/answer_writer.py does, for many candidates at once):

1. An event is stored while the sitting is open, the device is the one that holds it, and the
   instant is before the deadline; all three are checked on the locked sitting row.
2. It is acknowledged only after the commit.
3. Handing in locks the same row more strongly before it reads the events. So what was
   acknowledged is marked, and what came too late to be marked is not acknowledged.
4. The same event again is acknowledged again, even after the end. Another content under a
   number that is already used is refused.
5. What comes after the deadline, after the end or from a former device is not lost: it counts if
   its chain proves it, or is kept for the authority (exams/late_answers.py). That is rare, so the
   writer leaves it to `save_answers`. A broken chain in time is a fact for people, not a refusal.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from exams.late_answers import LATE_GRACE, keep_late, late_reason, prove_order
from exams.marking import last_choices
from exams.models import AnswerEvent, Sitting, SittingStatus
from training.calendar import china_date
from training.errors import N_, BadInput, Conflict, NotAllowed
from training.rules import get_number

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

MOST_ANSWERS = 200
_LARGEST_SEQ = 2**31 - 1
_CHOICE = re.compile(r"[TF]|[A-H]{0,8}")


class SittingEnded(Conflict):
    """Handed in, or the time is up."""

    message = N_("考试已经结束，不能再作答。已保存的答案都会计分。")


class SittingPaused(Conflict):
    """The site has stopped the clock; nobody answers or hands in until it runs again."""

    message = N_("考试已由考试点暂停，计时停止。请等待监考人员恢复考试；未上传的答案保存在本机，恢复后会自动上传。")


class DeviceTaken(Conflict):
    """The sitting went on on another device."""

    message = N_("这场考试已在另一台设备上继续，本页不能再作答。如非本人操作，请立即告知监考人员。")


class WrongDevice(NotAllowed):
    """No device of this sitting ever showed this token."""

    message = N_("无法确认这台设备。请返回考试入口，重新进入考试。")


class NumberUsed(Conflict):
    """Another content stands under the same number."""

    message = N_("这次作答与已保存的记录编号相同而内容不同，没有保存。请刷新页面，核对后重新作答这一题。")


class BadAnswer(BadInput):
    """An answer that no page of ours sends."""

    message = N_("第 {seq} 次作答的内容不完整或格式有误，没有保存。请刷新页面后重新作答这一题。")


@dataclass(frozen=True, slots=True)
class AnswerAct:
    """One act: number `seq` of the client, at a position of the paper; an empty choice clears.

    `link` is the client's own hash over this act and all before it (exams/chain.py).
    """

    seq: int
    position: int
    choice: str
    answered_at: datetime | None = None
    link: bytes | None = None


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What the writer found. `saved` is committed; `clashing` has other content under a used number.

    `kept_late` is committed too, for the authority to see, and does not count.
    """

    saved: tuple[int, ...]
    clashing: tuple[int, ...]
    unknown: tuple[int, ...]
    status: SittingStatus | None
    device_number: int
    is_holder: bool
    answered: int
    total: int
    deadline: datetime | None = None
    kept_late: tuple[int, ...] = ()

    def is_too_late(self, *, now: datetime) -> bool:
        """Whether what was not saved came after the deadline, after the end or from another device."""
        if self.status in {None, SittingStatus.PAUSED} and self.is_holder:
            return False
        is_open = self.status is SittingStatus.OPEN and self.deadline is not None and now < self.deadline
        return not (is_open and self.is_holder)


class AnswerWriter(Protocol):
    """Stores the acts of one request; returns after the commit."""

    async def save(self, sitting_id: UUID, *, token_hash: bytes, acts: Sequence[AnswerAct]) -> Acknowledged:
        """Raises `web.answer_writer.Busy` when the queue is full or the database is away."""


def check_act(
    seq: int, position: int, choice: str, answered_at: datetime | None = None, link: bytes | None = None
) -> AnswerAct:
    """An act in its one stored form: letters in order, each once. Raises `BadAnswer`."""
    if not (0 < seq <= _LARGEST_SEQ and 0 < position <= _LARGEST_SEQ and _CHOICE.fullmatch(choice)):
        raise BadAnswer(seq=seq, field="answers")
    if len(choice) > 1:
        choice = "".join(sorted(set(choice)))
    if answered_at is not None and answered_at.tzinfo is None:
        raise BadAnswer(seq=seq, field="answers")
    return AnswerAct(seq, position, choice, answered_at, link)


def device_token(key: bytes, sitting_id: UUID, device_number: int) -> str:
    """What the one device that may answer shows: 32 bytes that nobody can guess without our key.

    The same for the same device, so that asking twice (a reload, a lost reply) gives the same.
    """
    message = b"sitting device" + sitting_id.bytes + device_number.to_bytes(4, "big")
    return base64.urlsafe_b64encode(hmac.digest(key, message, "sha256")).rstrip(b"=").decode()


def device_token_hash(token: str) -> bytes:
    """What the database keeps of it."""
    return hashlib.sha256(token.encode()).digest()


async def list_events(session: AsyncSession, sitting_id: UUID) -> Sequence[AnswerEvent]:
    """Every act of a sitting, in the client's order."""
    statement = select(AnswerEvent).where(AnswerEvent.sitting_id == sitting_id).order_by(col(AnswerEvent.seq))
    return (await session.exec(statement)).all()


async def save_answers(
    session: AsyncSession,
    *,
    sitting_id: UUID,
    token_hash: bytes,
    acts: Sequence[AnswerAct],
    now: datetime,
    key: bytes | None = None,
) -> Acknowledged:
    """The whole rule in the caller's transaction, for one request: true once the caller has committed.

    `key` makes the device tokens; without it what a former device sends is refused and not kept.
    """
    locked = select(Sitting).where(Sitting.id == sitting_id).with_for_update()
    sitting = (await session.exec(locked.execution_options(populate_existing=True))).one_or_none()
    if sitting is None:
        seqs = tuple(act.seq for act in acts)
        return Acknowledged((), (), seqs, status=None, device_number=0, is_holder=False, answered=0, total=0)
    is_holder = sitting.device_token_hash == token_hash
    before = await list_events(session, sitting_id)
    found = _found(sitting, before, acts, is_holder=is_holder)
    open_acts = [act for act in acts if act.seq in {*found.unknown, *found.clashing}]
    if not open_acts:
        return found
    if not found.is_too_late(now=now):
        if is_holder and sitting.status is SittingStatus.OPEN:
            await _store(session, sitting, open_acts, now=now)
        return _found(sitting, await list_events(session, sitting_id), acts, is_holder=is_holder)
    if not is_holder and (key is None or not _held_once(key, sitting_id, sitting.device_number, token_hash)):
        return found
    ends_at = sitting.deadline + timedelta(
        seconds=await get_number(session, LATE_GRACE, on=china_date(sitting.deadline))
    )
    if is_holder and sitting.status is SittingStatus.OPEN and now < ends_at:
        count = prove_order(
            sitting_id, before, open_acts, started_at=sitting.started_at, deadline=sitting.deadline, now=now
        )
        proven = sorted(open_acts, key=lambda act: act.seq)[:count]
        await _store(session, sitting, proven, now=now)
        before = await list_events(session, sitting_id)
        found = _found(sitting, before, acts, is_holder=is_holder)
    left = [act for act in open_acts if act.seq not in found.saved]
    reason = late_reason(sitting, is_holder=is_holder, now=now, grace_ends_at=ends_at)
    return replace(found, kept_late=await keep_late(session, sitting, left, reason=reason, now=now) if left else ())


async def _store(session: AsyncSession, sitting: Sitting, acts: Sequence[AnswerAct], *, now: datetime) -> None:
    rows = [
        {"sitting_id": sitting.id, "seq": act.seq, "position": act.position, "choice": act.choice,
         "answered_at": act.answered_at, "link": act.link, "saved_at": now}
        for act in acts if act.position <= sitting.item_count
    ]  # fmt: skip
    if rows:
        await session.exec(insert(AnswerEvent).values(rows).on_conflict_do_nothing())


def _found(
    sitting: Sitting, events: Sequence[AnswerEvent], acts: Sequence[AnswerAct], *, is_holder: bool
) -> Acknowledged:
    by_seq = {event.seq: event for event in events}
    kept = {act.seq: _is_kept(act, by_seq.get(act.seq)) for act in acts}
    return Acknowledged(
        saved=tuple(seq for seq, found in kept.items() if found is True),
        clashing=tuple(seq for seq, found in kept.items() if found is False),
        unknown=tuple(seq for seq, found in kept.items() if found is None),
        status=sitting.status,
        device_number=sitting.device_number,
        is_holder=is_holder,
        answered=len(last_choices((event.seq, event.position, event.choice) for event in events)),
        total=sitting.item_count,
        deadline=sitting.deadline,
    )


def _is_kept(act: AnswerAct, event: AnswerEvent | None) -> bool | None:
    return None if event is None else (event.position, event.choice) == (act.position, act.choice)


def _held_once(key: bytes, sitting_id: UUID, device_number: int, token_hash: bytes) -> bool:
    former = (device_token(key, sitting_id, number) for number in range(1, device_number + 1))
    return any(hmac.compare_digest(device_token_hash(token), token_hash) for token in former)


def is_heard_late(found: Acknowledged, *, key: bytes, sitting_id: UUID, token_hash: bytes, now: datetime) -> bool:
    """Whether what was not saved is for `save_answers` to count or to keep; nothing is done for a stranger."""
    is_known = found.is_holder or _held_once(key, sitting_id, found.device_number, token_hash)
    return is_known and found.is_too_late(now=now)


def refusal(
    found: Acknowledged, *, key: bytes, sitting_id: UUID, token_hash: bytes, now: datetime
) -> Conflict | NotAllowed | BadInput | None:
    """Why not everything that was sent is saved, or None if it is."""
    if not found.is_holder:
        return DeviceTaken() if _held_once(key, sitting_id, found.device_number, token_hash) else WrongDevice()
    if found.unknown and found.status is SittingStatus.PAUSED:
        return SittingPaused()
    if found.is_too_late(now=now):
        return SittingEnded() if found.unknown or found.clashing else None
    if found.clashing:
        return NumberUsed()
    return BadAnswer(seq=found.unknown[0], field="answers") if found.unknown else None

"""Answers that arrive after the deadline: counted if their chain proves them, otherwise kept for the authority.

A sitting whose time is up stays open for the grace (rule exam.late_grace_seconds) unless it is handed
in. Within it an act counts if it is proven that it was made before the deadline, after all that is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, func, select

from exams.chain import next_link, verify_chain
from exams.models import AnswerEvent, LateAnswer, LateReason, SittingStatus
from training.columns import new_id

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.answers import AnswerAct
    from exams.chain import Linked
    from exams.models import Sitting

LATE_GRACE = "exam.late_grace_seconds"
# No honest page sends more; a program that does fills no disk.
MOST_KEPT = 1000


def prove_order(
    sitting_id: UUID,
    stored: Sequence[Linked],
    acts: Sequence[Linked],
    *,
    started_at: datetime,
    deadline: datetime,
    now: datetime,
) -> int:
    """How many of the acts, in the order of their numbers, are proven to continue the stored ones in time.

    Proven is an act whose number is the next, whose link is that of the chain, and whose time is not
    before the start nor before the act before it, and before the deadline. The first that is not
    ends it: what follows hangs on it.
    """
    chain = verify_chain(sitting_id, stored)
    head, top, latest = chain.head, max((event.seq for event in stored), default=0), started_at
    for event in sorted(stored, key=lambda event: event.seq):
        latest = event.answered_at or latest
    latest = max(latest, started_at)
    proven = 0
    for act in sorted(acts, key=lambda act: act.seq):
        if act.answered_at is None or not latest <= act.answered_at < deadline or act.answered_at > now:
            break
        head = next_link(head, seq=act.seq, position=act.position, choice=act.choice, answered_at=act.answered_at)
        if act.seq != top + 1 or act.link != head:
            break
        top, latest = act.seq, act.answered_at
        proven += 1
    return proven


def late_reason(sitting: Sitting, *, is_holder: bool, now: datetime, grace_ends_at: datetime) -> LateReason:
    """Why an answer that came after the end, or from a former device, does not count."""
    if not is_holder:
        return LateReason.OTHER_DEVICE
    if now >= grace_ends_at and sitting.status in {SittingStatus.OPEN, SittingStatus.TIMED_OUT}:
        return LateReason.AFTER_GRACE
    return LateReason.ORDER_NOT_PROVEN if sitting.status is SittingStatus.OPEN else LateReason.ENDED


async def keep_late(
    session: AsyncSession, sitting: Sitting, acts: Sequence[AnswerAct], *, reason: LateReason, now: datetime
) -> tuple[int, ...]:
    """Keep acts that do not count, each once, of a locked sitting. Gives the numbers of those that stand."""
    wanted = [act for act in acts if act.position <= sitting.item_count]
    held = select(func.count()).select_from(LateAnswer).where(LateAnswer.sitting_id == sitting.id)
    room = MOST_KEPT - (await session.exec(held)).one()
    rows = [
        {"id": new_id(), "sitting_id": sitting.id, "seq": act.seq, "position": act.position, "choice": act.choice,
         "answered_at": act.answered_at, "link": act.link, "reason": reason, "received_at": now}
        for act in wanted[: max(room, 0)]
    ]  # fmt: skip
    if rows:
        await session.exec(insert(LateAnswer).values(rows).on_conflict_do_nothing())
    standing = select(LateAnswer.seq, LateAnswer.position, LateAnswer.choice).where(
        LateAnswer.sitting_id == sitting.id, col(LateAnswer.seq).in_([act.seq for act in wanted])
    )
    kept = set((await session.exec(standing)).all())
    return tuple(act.seq for act in wanted if (act.seq, act.position, act.choice) in kept)


# Not what was counted after all when it came again with its proof.
STILL_LATE = ~(
    select(AnswerEvent.seq)
    .where(
        AnswerEvent.sitting_id == LateAnswer.sitting_id,
        AnswerEvent.seq == LateAnswer.seq,
        AnswerEvent.position == LateAnswer.position,
        AnswerEvent.choice == LateAnswer.choice,
    )
    .correlate(LateAnswer)
    .exists()
)


async def list_late(session: AsyncSession, sitting_ids: Sequence[UUID]) -> Sequence[LateAnswer]:
    """What was kept and not counted, by sitting and number."""
    statement = (
        select(LateAnswer)
        .where(col(LateAnswer.sitting_id).in_(sitting_ids), STILL_LATE)
        .order_by(col(LateAnswer.sitting_id), col(LateAnswer.seq), col(LateAnswer.received_at))
    )
    return (await session.exec(statement)).all()


async def count_late(session: AsyncSession, sitting_id: UUID) -> int:
    """How many answers of a sitting were kept and not counted."""
    statement = select(func.count()).select_from(LateAnswer).where(LateAnswer.sitting_id == sitting_id, STILL_LATE)
    return (await session.exec(statement)).one()

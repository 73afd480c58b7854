"""How sittings stand at this moment, and what was last done to them: what a candidate's page is told at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy
from sqlalchemy import ARRAY, Uuid, any_, bindparam, func
from sqlmodel import col, select

from exams.models import Sitting, SittingEvent, SittingStatus
from exams.sitting_states import UNDER_WAY, SittingAct
from exams.timing import is_over, seconds_left
from training.prepared import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlmodel.ext.asyncio.session import AsyncSession

# What others do to a sitting, and another device of one's own; the candidate is shown the last of these.
TOLD = (
    SittingAct.EXTENDED,
    SittingAct.PAUSED,
    SittingAct.RESUMED,
    SittingAct.RELEASED,
    SittingAct.TAKEN_OVER,
    SittingAct.CLOSED_BY_SITE,
    SittingAct.VOIDED,
)
# A column beside those of a `Sitting`: what `SittingNotice.read` reads.
LAST_NOTICE = (
    select(
        func.jsonb_build_object(
            "kind", SittingEvent.kind, "reason", SittingEvent.reason, "at", SittingEvent.at,
            "minutes", col(SittingEvent.detail)["minutes"],
        )
    )
    .where(SittingEvent.sitting_id == Sitting.id, col(SittingEvent.kind).in_(TOLD))
    .order_by(col(SittingEvent.at).desc(), col(SittingEvent.id).desc())
    .limit(1)
    .correlate(Sitting)
    .scalar_subquery()
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class SittingNotice:
    """What was done to a sitting, with the reason that was given; `minutes` of an extension."""

    kind: SittingAct
    reason: str
    minutes: int | None
    at: datetime

    @classmethod
    def read(cls, stored: Mapping[str, Any] | None) -> SittingNotice | None:
        """From `LAST_NOTICE`."""
        if stored is None:
            return None
        at = datetime.fromisoformat(stored["at"])
        return cls(SittingAct(stored["kind"]), stored["reason"], stored["minutes"], at)


@dataclass(frozen=True, slots=True)
class Standing:
    """How a sitting stands. `has_ended` is false while answers that are under way may still be taken."""

    sitting_id: UUID
    person_id: UUID
    status: SittingStatus
    has_ended: bool
    deadline: datetime
    paused_at: datetime | None
    device_number: int
    sign_in_id: UUID | None
    is_released: bool
    notice: SittingNotice | None

    def status_at(self, now: datetime) -> SittingStatus:
        """The status as it is shown: over is over, even if no worker has closed the sitting yet."""
        is_late = self.status is SittingStatus.OPEN and is_over(self.deadline, now=now)
        return SittingStatus.TIMED_OUT if is_late else self.status

    def seconds_left(self, now: datetime) -> int:
        """What is left of the candidate's time; while the clock stands still, what was left then."""
        return 0 if self.has_ended else seconds_left(self.deadline, now=self.paused_at or now)


_STANDINGS = sqlalchemy.select(
    col(Sitting.id), col(Sitting.person_id), col(Sitting.status), col(Sitting.deadline), col(Sitting.paused_at),
    col(Sitting.device_number), col(Sitting.device_sign_in_id), col(Sitting.device_token_hash).is_(None),
    LAST_NOTICE,
).where(col(Sitting.id) == any_(bindparam("ids", type_=ARRAY(Uuid()))))  # fmt: skip


async def list_standings(session: AsyncSession, sitting_ids: Iterable[UUID]) -> list[Standing]:
    """How these sittings stand, in one query, in no order. One that is not there is left out."""
    rows = await run(session, _STANDINGS, ids=list(sitting_ids))
    return [
        Standing(
            sitting_id=sitting_id,
            person_id=person_id,
            status=status,
            has_ended=status not in UNDER_WAY,
            deadline=deadline,
            paused_at=paused_at,
            device_number=device_number,
            sign_in_id=sign_in_id,
            is_released=has_no_device and status in UNDER_WAY,
            notice=SittingNotice.read(notice),
        )
        for sitting_id, person_id, status, deadline, paused_at, device_number, sign_in_id, has_no_device, notice in rows
    ]

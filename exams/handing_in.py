"""Handing in: by the candidate, the site, or the server when the time is up; marked and countersigned at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any

import sqlalchemy
import structlog
from sqlalchemy import ARRAY, Uuid, any_, bindparam, func, text
from sqlmodel import col, select

from exams.answers import DeviceTaken, SittingPaused
from exams.chain import fold
from exams.late_answers import LATE_GRACE
from exams.marking import Mark, last_choices, mark_paper
from exams.models import (
    AnswerEvent,
    Booking,
    ExamSession,
    Regrade,
    RegradeStatus,
    Sitting,
    SittingEvent,
    SittingStatus,
)
from exams.papers import paper_items
from exams.receipts import Receipt, paper_digest
from exams.rulings import Ruling, list_rulings, mark_by_rulings
from exams.sitting_states import SittingAct, step
from exams.sittings import ReasonMissing, holds_sitting, tell_candidates
from exams.staff_records import record_pass
from exams.timing import earliest_leave, is_over
from question_bank.queries import get_drawn_blueprint, list_revisions
from training import audit
from training.calendar import add_working_days, china_date
from training.columns import INSTANT, JSON, new_id
from training.errors import N_, Conflict, NotFound
from training.prepared import run
from training.rules import RULES, check_rules, get_number

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.receipts import Countersign
    from exams.sittings import Device

    _Acts = list[tuple[int, int, str, datetime | None]]

log = structlog.get_logger()
# What a SittingEvent says of a sitting that could not be marked; tried again after 2, 4, 8 … minutes.
NOT_MARKED = "NOT_MARKED"
_LONGEST_PAUSE = 60


class TooEarlyToLeave(Conflict):
    """A certificate exam may be left only some minutes after the start (exam.leave_min)."""

    message = N_("开考 {minutes} 分钟后才能交卷。请再检查一遍答案。")


@dataclass(frozen=True)
class _End:
    """How sittings end, and what is written down of it."""

    act: SittingAct
    status: SittingStatus
    now: datetime
    countersign: Countersign
    actor_id: UUID | None = None
    reason: str = ""

    def instant(self, sitting: Any) -> datetime:  # noqa: ANN401 - a row
        """When the sitting ended: never after its deadline, except while its clock stood still."""
        deadline: datetime = sitting.deadline
        if self.act is SittingAct.TIMED_OUT:
            return deadline
        return self.now if sitting.status is SittingStatus.PAUSED else min(self.now, deadline)


@dataclass(frozen=True)
class _Finished:
    sitting: Any
    mark: Mark
    acts: _Acts
    ended_at: datetime


_LEAVE, _RELEASE = "exam.leave_min", "so.score.release_wd"
_RULES = (_LEAVE, _RELEASE)
_COLUMNS = (
    col(Sitting.id), col(Sitting.person_id), col(Sitting.booking_id), col(Sitting.enterprise_exam_id),
    col(Sitting.blueprint_id), col(Sitting.paper), col(Sitting.status), col(Sitting.started_at), col(Sitting.deadline),
)  # fmt: skip
_OWN = (
    sqlalchemy.select(*_COLUMNS, col(Sitting.device_sign_in_id), col(Sitting.device_token_hash), RULES.label("rules"))
    .where(col(Sitting.id) == bindparam("sitting_id"), col(Sitting.person_id) == bindparam("person_id"))
    .with_for_update(of=Sitting)
)
_SET_ASIDE = (
    select(func.max(SittingEvent.at) + func.least(func.power(2, func.count()), _LONGEST_PAUSE) * timedelta(minutes=1))
    .where(SittingEvent.sitting_id == Sitting.id, SittingEvent.kind == NOT_MARKED)
    .correlate(Sitting)
    .scalar_subquery()
)
_AT_SITE = (
    sqlalchemy.select(*_COLUMNS)
    .join(Booking, col(Booking.id) == col(Sitting.booking_id))
    .join(ExamSession, col(ExamSession.id) == col(Booking.exam_session_id))
    .where(col(Sitting.id) == bindparam("sitting_id"), col(ExamSession.site_id) == bindparam("site_id"))
    .with_for_update(of=Sitting)
)
_ENTERED = sqlalchemy.select(*_COLUMNS).where(col(Sitting.id) == bindparam("sitting_id")).with_for_update()
_DUE = (
    sqlalchemy.select(*_COLUMNS)
    .where(
        col(Sitting.status) == SittingStatus.OPEN,
        col(Sitting.deadline) <= bindparam("closed_before", type_=INSTANT),
        func.coalesce(_SET_ASIDE, col(Sitting.deadline)) <= bindparam("now", type_=INSTANT),
    )
    .order_by(col(Sitting.deadline))
    .limit(bindparam("most"))
    .with_for_update(skip_locked=True)
)


async def hand_in(
    session: AsyncSession,
    *,
    sitting_id: UUID,
    person_id: UUID,
    now: datetime,
    countersign: Countersign,
    device: Device | None = None,
) -> SittingStatus:
    """End one's sitting, mark it and countersign it. Asked again, nothing changes. Gives how it ended.

    The lock waits for answers that are being written and keeps later ones out: what was
    acknowledged is marked (exams/answers.py). After the deadline the grace for late answers
    (exams/late_answers.py) ends with it. With a `device`, only by the one that holds the open
    sitting: `DeviceTaken`.
    """
    rows = await run(session, _OWN, sitting_id=sitting_id, person_id=person_id, codes=list(_RULES), day=china_date(now))
    sitting = rows.one_or_none()
    if sitting is None:
        raise NotFound
    if sitting.status is SittingStatus.PAUSED:
        raise SittingPaused
    act = SittingAct.TIMED_OUT if is_over(sitting.deadline, now=now) else SittingAct.HANDED_IN
    status = step(sitting.status, act)
    if status is None:
        ended: SittingStatus = sitting.status
        return ended
    if device is not None and not holds_sitting(sitting, device):
        raise DeviceTaken
    rules = check_rules(sitting.rules, _RULES)
    if act is SittingAct.HANDED_IN and sitting.booking_id is not None:
        minutes = int(rules[_LEAVE])
        if now < earliest_leave(sitting.started_at, sitting.deadline, leave_minutes=minutes):
            raise TooEarlyToLeave(minutes=minutes)
    actor_id = sitting.person_id if act is SittingAct.HANDED_IN else None
    end = _End(act, status, now, countersign, actor_id=actor_id)
    await _end(session, [sitting], end, release_days=int(rules[_RELEASE]))
    return status


async def hand_in_by_site(
    session: AsyncSession,
    *,
    sitting_id: UUID,
    site_id: UUID,
    actor_id: UUID,
    reason: str,
    now: datetime,
    countersign: Countersign,
) -> SittingStatus:
    """End a sitting at one's site, running or paused, with a reason; it is marked like any other hand-in.

    One that has ended already stays as it is. Gives how it ended. Raises `ReasonMissing`, `NotFound`.
    """
    reason = reason.strip()[:500]
    if not reason:
        raise ReasonMissing(field="reason")
    sitting = (await run(session, _AT_SITE, sitting_id=sitting_id, site_id=site_id)).one_or_none()
    if sitting is None:
        raise NotFound
    status = step(sitting.status, SittingAct.CLOSED_BY_SITE)
    if status is None:
        ended: SittingStatus = sitting.status
        return ended
    release_days = await get_number(session, _RELEASE, on=china_date(now))
    end = _End(SittingAct.CLOSED_BY_SITE, status, now, countersign, actor_id=actor_id, reason=reason)
    await _end(session, [sitting], end, release_days=release_days)
    await tell_candidates(session, [sitting.id])
    return status


async def hand_in_sheet(
    session: AsyncSession, *, sitting_id: UUID, actor_id: UUID, now: datetime, countersign: Countersign
) -> None:
    """End a sitting that took place on paper, once its answers are entered: handed in when its time was up."""
    sitting = (await run(session, _ENTERED, sitting_id=sitting_id)).one()
    release_days = await get_number(session, _RELEASE, on=china_date(now))
    end = _End(SittingAct.HANDED_IN, SittingStatus.HANDED_IN, now, countersign, actor_id=actor_id)
    await _end(session, [sitting], end, release_days=release_days)


async def close_overdue(session: AsyncSession, *, now: datetime, limit: int = 500, countersign: Countersign) -> int:
    """End and mark up to `limit` sittings whose time and grace are up, without any browser. Gives how many.

    Skips sittings that someone else is handling, so any number of workers may do this. One that
    cannot be marked stops no other: it is set aside, noted, and tried again later and later.
    """
    grace = timedelta(seconds=await get_number(session, LATE_GRACE, on=china_date(now)))
    sittings = (await run(session, _DUE, now=now, closed_before=now - grace, most=limit)).all()
    if not sittings:
        return 0
    end = _End(SittingAct.TIMED_OUT, SittingStatus.TIMED_OUT, now, countersign)
    try:
        async with session.begin_nested():
            await _close(session, sittings, end)
    except Exception as error:
        log.warning("overdue_batch_failed", sittings=len(sittings), error=type(error).__name__)
    else:
        return len(sittings)
    return sum([await _close_alone(session, sitting, end) for sitting in sittings])


async def _close(session: AsyncSession, sittings: Sequence[Any], end: _End) -> None:
    await _end(session, sittings, end, release_days=await get_number(session, _RELEASE, on=china_date(end.now)))


async def _end(session: AsyncSession, sittings: Sequence[Any], end: _End, *, release_days: int) -> None:
    """Mark, countersign and end locked sittings."""
    acts, rulings = await _read_acts(session, [sitting.id for sitting in sittings])
    finished = [await _mark(session, sitting, acts.get(sitting.id, []), end, rulings) for sitting in sittings]
    await _finish(session, finished, end, release_days=release_days)


async def _close_alone(session: AsyncSession, sitting: Any, end: _End) -> bool:  # noqa: ANN401 - a row
    try:
        async with session.begin_nested():
            await _close(session, [sitting], end)
    except Exception as error:
        log.error("sitting_not_marked", sitting_id=str(sitting.id), exc_info=error)
        session.add(
            SittingEvent(sitting_id=sitting.id, kind=NOT_MARKED, detail={"error": type(error).__name__}, at=end.now)
        )
        await session.flush()
        return False
    return True


_ACTS = (
    sqlalchemy.select(
        col(AnswerEvent.sitting_id), func.array_agg(AnswerEvent.seq), func.array_agg(AnswerEvent.position),
        func.array_agg(AnswerEvent.choice), func.array_agg(AnswerEvent.answered_at),
        select(Regrade.id).where(Regrade.status == RegradeStatus.APPROVED).exists().label("has_rulings"),
    )
    .where(col(AnswerEvent.sitting_id) == any_(bindparam("ids", type_=ARRAY(Uuid()))))
    .group_by(col(AnswerEvent.sitting_id))
)  # fmt: skip


async def _read_acts(session: AsyncSession, ids: Sequence[UUID]) -> tuple[dict[UUID, _Acts], dict[UUID, Ruling]]:
    """The acts in the order of their numbers, by sitting, and what is decided about items.

    Only after the lock: a statement sees what was committed before it.
    """
    rows = (await run(session, _ACTS, ids=list(ids))).all()
    acts = {sitting_id: sorted(zip(*columns, strict=True), key=itemgetter(0)) for sitting_id, *columns, _ in rows}
    # Mostly there is none, and the same statement says so, unless nobody has answered anything.
    rulings = await list_rulings(session) if not rows or rows[0].has_rulings else {}
    return acts, rulings


async def _mark(
    session: AsyncSession,
    sitting: Any,  # noqa: ANN401 - a row
    acts: _Acts,
    end: _End,
    rulings: dict[UUID, Ruling],
) -> _Finished:
    choices = last_choices((seq, position, choice) for seq, position, choice, _ in acts)
    blueprint = await get_drawn_blueprint(session, sitting.blueprint_id)
    paper = paper_items(sitting.paper)
    revisions = await list_revisions(session, [item.revision_id for item in paper])
    points, cut_score = Decimal(blueprint.points_per_item), Decimal(blueprint.pass_score)
    if rulings:
        mark = mark_by_rulings(
            paper, revisions, choices, points_per_item=points, cut_score=cut_score, mc_rule=blueprint.mc_rule,
            rulings=rulings,
        )  # fmt: skip
    else:
        mark = mark_paper(
            paper, revisions, choices, points_per_item=points, cut_score=cut_score, mc_rule=blueprint.mc_rule
        )
    return _Finished(sitting, mark, acts, end.instant(sitting))


_AUDIT = audit.insert_from(
    "done", action="CAST(:action AS text)", table="sitting", key="sitting_id", actor="CAST(:actor_id AS uuid)",
    now="CAST(:now AS timestamptz)", entry="audit_entry_id",
)  # fmt: skip
_FINISH = text(f"""
WITH done AS (
    SELECT * FROM jsonb_to_recordset(:finished) AS f (
        score_id uuid, event_id uuid, sitting_id uuid, points numeric, total numeric, cut_score numeric,
        passed boolean, areas jsonb, release_by date, ended_at timestamptz, detail jsonb,
        head text, signature text, key_id text, audit_entry_id uuid
    )
), scored AS (
    INSERT INTO score (
        id, sitting_id, points, total, cut_score, passed, areas, state, marked_at, release_by, withheld_reason
    )
    SELECT score_id, sitting_id, points, total, cut_score, passed, areas, 'PROVISIONAL', CAST(:now AS timestamptz),
        release_by, ''
    FROM done
), noted AS (
    INSERT INTO sitting_event (id, sitting_id, kind, actor_id, reason, detail, at)
    SELECT event_id, sitting_id, CAST(:kind AS text), CAST(:actor_id AS uuid), CAST(:reason AS text), detail, ended_at
    FROM done
), ended AS (
    UPDATE sitting SET status = CAST(:status AS text), submitted_at = done.ended_at, paused_at = NULL,
        chain_head = decode(done.head, 'hex'), receipt_signature = decode(done.signature, 'hex'),
        receipt_key_id = done.key_id
    FROM done WHERE sitting.id = done.sitting_id
    RETURNING sitting.booking_id
), audited AS ({_AUDIT})
UPDATE booking SET status = 'DONE' FROM ended WHERE booking.id = ended.booking_id
""").bindparams(  # noqa: S608 - of parts that stand in the code
    bindparam("finished", type_=JSON)
)


_AUDITED = {
    SittingAct.HANDED_IN: "sitting.handed_in",
    SittingAct.TIMED_OUT: "sitting.timed_out",
    SittingAct.CLOSED_BY_SITE: "sitting.closed_by_site",
}


async def _finish(session: AsyncSession, finished: Sequence[_Finished], end: _End, *, release_days: int) -> None:
    """Write everything that follows from the marks of locked sittings, for all at once."""
    place = audit.origin.get()
    await run(
        session, _FINISH, finished=[_row(entry, end, release_days=release_days) for entry in finished],
        kind=end.act.value, status=end.status.value, actor_id=end.actor_id, reason=end.reason, now=end.now,
        action=_AUDITED[end.act], audit_address=place.address, audit_request_id=place.request_id,
    )  # fmt: skip
    for entry in finished:
        if entry.mark.passed and entry.sitting.enterprise_exam_id is not None:
            await record_pass(session, sitting=entry.sitting, mark=entry.mark, ended_at=entry.ended_at, now=end.now)


# A whole session ends on one day.
_last_day = lru_cache(maxsize=64)(add_working_days)


def _row(entry: _Finished, end: _End, *, release_days: int) -> dict[str, Any]:
    sitting, mark = entry.sitting, entry.mark
    # An enterprise's own exam has no authority that releases its score.
    release_by = _last_day(china_date(entry.ended_at), release_days) if sitting.booking_id else None
    return {
        "score_id": str(new_id()),
        "event_id": str(new_id()),
        "audit_entry_id": str(new_id()),
        "sitting_id": str(sitting.id),
        "points": str(mark.points),
        "total": str(mark.total),
        "cut_score": str(mark.cut_score),
        "passed": mark.passed,
        "areas": mark.stored_areas(),
        "release_by": release_by and release_by.isoformat(),
        "ended_at": entry.ended_at.isoformat(),
        "detail": {"from": sitting.status.value, "to": end.status.value, "answered": mark.answered},
        **_receipt(entry, end),
    }


def _receipt(entry: _Finished, end: _End) -> dict[str, str]:
    sitting = entry.sitting
    receipt = Receipt(
        sitting_id=sitting.id, paper=paper_digest(sitting.paper), head=fold(sitting.id, entry.acts),
        events=len(entry.acts), answered=entry.mark.answered, status=end.status.value, started_at=sitting.started_at,
        ended_at=entry.ended_at,
    )  # fmt: skip
    key_id, signature = end.countersign(receipt.signed_bytes())
    return {"head": receipt.head.hex(), "signature": signature.hex(), "key_id": key_id}

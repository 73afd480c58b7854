"""Proving a sitting: paper dealt again, answers marked again, chain and receipt checked against what is stored."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlmodel import col, select

from exams.answers import list_events
from exams.chain import Chain, verify_chain
from exams.late_answers import LATE_GRACE, list_late, prove_order
from exams.marking import Mark, last_choices
from exams.models import Score, ScoreRevision, Sitting, SittingEvent, SittingStatus
from exams.receipts import Receipt, instant, paper_bytes, paper_digest
from exams.redealing import deal_again
from exams.remarking import mark_again
from exams.rulings import list_rulings_at
from exams.sheet_entry import UNCLEAR, find_entered_from
from exams.sitting_states import SittingAct
from training.calendar import china_date
from training.errors import NotFound
from training.rules import get_number

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.models import AnswerEvent, AnswerSheetEntry, LateAnswer
    from exams.receipts import CheckSignature

# An answer and the hand-in read the clock each for itself before one waits for the other.
_CLOCKS_APART = timedelta(seconds=60)
_ENDS = (SittingAct.HANDED_IN, SittingAct.TIMED_OUT, SittingAct.CLOSED_BY_SITE)
_UNDER_WAY = {SittingStatus.OPEN, SittingStatus.PAUSED}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was held against what is stored. `says` tells what was found."""

    name: str
    holds: bool
    says: str


@dataclass(frozen=True, slots=True)
class Replay:
    """Every check of a sitting, and a line for each answer that was kept and not counted."""

    sitting_id: UUID
    algorithm: str
    seed: int
    status: SittingStatus
    checks: tuple[Check, ...]
    late: tuple[str, ...] = ()

    @property
    def stands(self) -> bool:
        """Whether nothing differs."""
        return all(check.holds for check in self.checks)


async def replay_sitting(
    session: AsyncSession, *, sitting_id: UUID, check_signature: CheckSignature | None = None
) -> Replay:
    """Deal and mark a sitting again. Writes nothing. Raises `NotFound`.

    Without `check_signature` no receipt key is here, and a receipt's signature does not hold.
    """
    sitting = await session.get(Sitting, sitting_id)
    if sitting is None:
        raise NotFound
    events = await list_events(session, sitting_id)
    mark = await _mark_again(session, sitting, events)
    ends = await _list_ends(session, sitting_id)
    chain, late = verify_chain(sitting_id, events), await list_late(session, [sitting_id])
    checks = (
        await _check_paper(session, sitting),
        await _check_answers(session, sitting, events),
        _check_chain(chain),
        _check_count(sitting, mark, ends),
        _check_receipt(sitting, mark, chain, ends, check_signature),
        await _check_score(session, sitting, mark),
        _count_late(late),
    )
    told = tuple(_tell_late(answer) for answer in late)
    return Replay(sitting.id, sitting.algorithm, sitting.seed, sitting.status, checks, told)


async def _list_ends(session: AsyncSession, sitting_id: UUID) -> Sequence[SittingEvent]:
    statement = select(SittingEvent).where(SittingEvent.sitting_id == sitting_id, col(SittingEvent.kind).in_(_ENDS))
    return (await session.exec(statement)).all()


async def _mark_again(session: AsyncSession, sitting: Sitting, events: Sequence[AnswerEvent]) -> Mark:
    """By what had been decided of its items when it was marked; later decisions are changes on record."""
    marked_at = (await session.exec(select(Score.marked_at).where(Score.sitting_id == sitting.id))).one_or_none()
    rulings = await list_rulings_at(session, marked_at) if marked_at else {}
    choices = last_choices((event.seq, event.position, event.choice) for event in events)
    return await mark_again(session, sitting, choices, rulings)


async def _check_paper(session: AsyncSession, sitting: Sitting) -> Check:
    redealt = await deal_again(session, sitting)
    stored = paper_bytes(sitting.paper)
    if redealt.paper is None:
        return Check("paper", False, f"cannot be dealt again: {redealt.obstacle}")
    again = paper_bytes(redealt.paper)
    if again == stored and sitting.item_count == len(sitting.paper):
        digest = hashlib.sha256(stored).hexdigest()
        return Check("paper", True, f"{len(stored)} bytes are the same, SHA-256 {digest}")
    places = range(max(len(redealt.paper), len(sitting.paper)))
    apart = [place + 1 for place in places if redealt.paper[place : place + 1] != sitting.paper[place : place + 1]]
    return Check("paper", False, f"differs from what the seed deals at {_some(apart) or 'its length'}")


async def _check_answers(session: AsyncSession, sitting: Sitting, events: Sequence[AnswerEvent]) -> Check:
    entries = await find_entered_from(session, sitting.id)
    if entries is not None:
        return _check_readings(entries, events)
    grace = timedelta(seconds=await get_number(session, LATE_GRACE, on=china_date(sitting.deadline)))
    ended_at = sitting.submitted_at
    handed_in_at = ended_at if ended_at is not None and ended_at < sitting.deadline else None
    ends_at = min(sitting.deadline, handed_in_at + _CLOCKS_APART) if handed_in_at else sitting.deadline
    after = [event for event in events if event.saved_at >= ends_at]
    in_grace = [] if handed_in_at else [event for event in after if event.saved_at < ends_at + grace]
    proven = _count_proven(sitting, events, in_grace)
    faults = [
        f"{words} ({_some(seqs)})"
        for words, seqs in (
            ("saved after the end", [event.seq for event in after if event not in in_grace]),
            ("saved in the grace without proof", [event.seq for event in in_grace[proven:]]),
            ("saved before the start", [event.seq for event in events if event.saved_at < sitting.started_at]),
            ("at a position that is not there", [event.seq for event in events if event.position > sitting.item_count]),
        )
        if seqs
    ]
    late = f", {proven} of them in the grace, proven by their chain" if proven else ""
    return Check("answers", not faults, "; ".join(faults) or f"{len(events)} events, all within the sitting{late}")


def _check_readings(entries: Sequence[AnswerSheetEntry], events: Sequence[AnswerEvent]) -> Check:
    """A sitting on paper: the marks are those that two people read alike on the sheet."""
    counted = {str(event.position): event.choice for event in events}
    read = [{place: mark for place, mark in entry.choices.items() if mark != UNCLEAR} for entry in entries]
    two = len({entry.entered_by for entry in entries}) == 2  # noqa: PLR2004 - a pair
    holds = two and len(counted) == len(events) and all(marks == counted for marks in read)
    says = f"{len(events)} marks of a printed sheet, read alike by two people"
    return Check("answers", holds, says if holds else "differ from what two people read on the printed sheet")


def _count_proven(sitting: Sitting, events: Sequence[AnswerEvent], in_grace: Sequence[AnswerEvent]) -> int:
    if not in_grace:
        return 0
    before = [event for event in events if event.seq < in_grace[0].seq]
    return prove_order(
        sitting.id, before, in_grace, started_at=sitting.started_at, deadline=sitting.deadline,
        now=max(event.saved_at for event in in_grace),
    )  # fmt: skip


def _check_chain(chain: Chain) -> Check:
    faults = []
    if chain.broken_at is not None:
        faults.append(f"broken at event {chain.broken_at}: its link is not that of the stored acts")
    if chain.missing_count:
        faults.append(f"{chain.missing_count} numbers are missing ({_some(chain.missing)})")
    unlinked = f", {chain.unlinked} came without a link" if chain.unlinked else ""
    return Check("chain", not faults, "; ".join(faults) or f"{chain.count} events in one chain{unlinked}")


def _check_count(sitting: Sitting, mark: Mark, ends: Sequence[SittingEvent]) -> Check:
    if sitting.status in _UNDER_WAY:
        state = sitting.status.value.lower()
        return Check("hand-in", not ends, f"still {state}" if not ends else f"is {state}, yet an end is recorded")
    if sitting.status is SittingStatus.VOID and not ends:
        return Check("hand-in", True, "void, never handed in")
    if len(ends) != 1:
        return Check("hand-in", False, f"{len(ends)} ends are recorded instead of one")
    counted = ends[0].detail.get("answered")
    if counted != mark.answered:
        return Check("hand-in", False, f"{counted} answers were counted then, {mark.answered} are stored")
    return Check("hand-in", True, f"{mark.answered} answers then and now")


def _check_receipt(
    sitting: Sitting, mark: Mark, chain: Chain, ends: Sequence[SittingEvent], check_signature: CheckSignature | None
) -> Check:
    head, signature, key_id = sitting.chain_head, sitting.receipt_signature, sitting.receipt_key_id
    if head is None or signature is None or key_id is None:
        is_due = len(ends) > 0
        return Check("receipt", not is_due, "was not countersigned" if is_due else "none, as it should be")
    if head != chain.head:
        return Check("receipt", False, "was countersigned over other answers than are stored")
    receipt = Receipt(
        sitting_id=sitting.id, paper=paper_digest(sitting.paper), head=head, events=chain.count,
        answered=mark.answered, status=ends[0].kind if ends else sitting.status.value,
        started_at=sitting.started_at, ended_at=sitting.submitted_at or sitting.deadline,
    )  # fmt: skip
    holds = check_signature(key_id, receipt.signed_bytes(), signature) if check_signature else None
    if holds is None:
        return Check("receipt", False, f"cannot be checked: the receipt key {key_id} is not here")
    if not holds:
        return Check("receipt", False, f"the signature by key {key_id} is not over what is stored")
    return Check("receipt", True, f"signed by key {key_id}, chain head {head.hex()}")


def _count_late(late: Sequence[LateAnswer]) -> Check:
    reasons = Counter(answer.reason.value for answer in late)
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    return Check("late answers", True, f"kept and not counted: {told}" if told else "none")


def _tell_late(answer: LateAnswer) -> str:
    made = f"made {instant(answer.answered_at)}" if answer.answered_at else "made at a time it does not tell"
    return (
        f"number {answer.seq}, position {answer.position}, {answer.choice or 'cleared'}, {made}, "
        f"arrived {instant(answer.received_at)}: {answer.reason.value}"
    )


async def _check_score(session: AsyncSession, sitting: Sitting, mark: Mark) -> Check:
    score = (await session.exec(select(Score).where(Score.sitting_id == sitting.id))).one_or_none()
    if score is None:
        is_due = sitting.status not in {*_UNDER_WAY, SittingStatus.VOID}
        return Check("score", not is_due, "is missing" if is_due else "none, as it should be")
    if sitting.status in _UNDER_WAY:
        return Check("score", False, "stands although the sitting is open")
    statement = select(ScoreRevision).where(ScoreRevision.score_id == score.id).order_by(col(ScoreRevision.at))
    changes = (await session.exec(statement)).all()
    now = _facts(score.points, score.total, score.cut_score, score.areas, passed=score.passed)
    steps = [_read(change.was) for change in changes] + [now]
    due = _facts(mark.points, mark.total, mark.cut_score, mark.stored_areas(), passed=mark.passed)
    if steps[0] != due:
        apart = ", ".join(
            f"{name} {steps[0][name]} instead of {due[name]}" for name in due if steps[0][name] != due[name]
        )
        return Check("score", False, f"differs from what the answers earn: {apart}")
    if [_read(change.became) for change in changes] != steps[1:]:
        return Check("score", False, "was changed otherwise than by the decisions on record")
    later = f", changed by {len(changes)} decisions on record to {now['points']}" if changes else ""
    return Check("score", True, f"{due['points']} of {due['total']}, {_verdict(mark)}{later}")


def _verdict(mark: Mark) -> str:
    return "passed" if mark.passed else "not passed"


def _facts(points: Decimal, total: Decimal, cut: Decimal, areas: dict[str, Any], *, passed: bool) -> dict[str, Any]:
    exact = {area: {name: _plain(Decimal(value)) for name, value in marks.items()} for area, marks in areas.items()}
    return {"points": _plain(points), "total": _plain(total), "cut score": _plain(cut), "passed": passed,
            "areas": exact}  # fmt: skip


def _plain(number: Decimal) -> str:
    """The same text for 85, 85.0 and 85.00."""
    return f"{number.normalize():f}"


def _read(kept: dict[str, Any]) -> dict[str, Any]:
    return _facts(
        Decimal(kept["points"]),
        Decimal(kept["total"]),
        Decimal(kept["cut_score"]),
        kept["areas"],
        passed=kept["passed"],
    )


def _some(numbers: Sequence[int]) -> str:
    """The first few of a list of numbers."""
    shown = ", ".join(map(str, numbers[:5]))
    return f"{shown} and {len(numbers) - 5} more" if len(numbers) > 5 else shown  # noqa: PLR2004 - enough to look at

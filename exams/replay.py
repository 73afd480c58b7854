"""Proving a sitting: its paper dealt again, its answers marked again, each held against what is stored."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlmodel import col, select

from exams.answers import list_events
from exams.marking import Mark, last_choices, mark_paper
from exams.models import Score, ScoreRevision, Sitting, SittingEvent, SittingStatus
from exams.papers import paper_items
from exams.redealing import deal_again
from exams.sittings import HANDED_IN, TIMED_OUT
from question_bank.queries import get_blueprint_version, list_revisions
from training.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.models import AnswerEvent

# An answer and the hand-in read the clock each for itself before one waits for the other.
_CLOCKS_APART = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was held against what is stored. `says` tells what was found."""

    name: str
    holds: bool
    says: str


@dataclass(frozen=True, slots=True)
class Replay:
    """Every check of a sitting."""

    sitting_id: UUID
    algorithm: str
    seed: int
    status: SittingStatus
    checks: tuple[Check, ...]

    @property
    def stands(self) -> bool:
        """Whether nothing differs."""
        return all(check.holds for check in self.checks)


async def replay_sitting(session: AsyncSession, *, sitting_id: UUID) -> Replay:
    """Deal and mark a sitting again. Writes nothing. Raises `NotFound`."""
    sitting = await session.get(Sitting, sitting_id)
    if sitting is None:
        raise NotFound
    events = await list_events(session, sitting_id)
    mark = await _mark_again(session, sitting, events)
    checks = (
        await _check_paper(session, sitting),
        _check_answers(sitting, events),
        await _check_count(session, sitting, mark),
        await _check_score(session, sitting, mark),
    )
    return Replay(sitting.id, sitting.algorithm, sitting.seed, sitting.status, checks)


async def _mark_again(session: AsyncSession, sitting: Sitting, events: Sequence[AnswerEvent]) -> Mark:
    blueprint = await get_blueprint_version(session, sitting.blueprint_id)
    paper = paper_items(sitting.paper)
    return mark_paper(
        paper,
        await list_revisions(session, [item.revision_id for item in paper]),
        last_choices((event.seq, event.position, event.choice) for event in events),
        points_per_item=Decimal(blueprint.points_per_item),
        cut_score=Decimal(blueprint.pass_score),
        mc_rule=blueprint.mc_rule,
    )


def paper_bytes(paper: Sequence[dict[str, Any]]) -> bytes:
    """A stored paper in its one form, whatever order a database keeps keys in."""
    return json.dumps(paper, sort_keys=True, separators=(",", ":")).encode()


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


def _check_answers(sitting: Sitting, events: Sequence[AnswerEvent]) -> Check:
    ends_at = min(sitting.deadline, sitting.submitted_at + _CLOCKS_APART if sitting.submitted_at else sitting.deadline)
    late = [event.seq for event in events if event.saved_at >= ends_at]
    early = [event.seq for event in events if event.saved_at < sitting.started_at]
    nowhere = [event.seq for event in events if event.position > sitting.item_count]
    faults = [
        f"{words} ({_some(seqs)})"
        for words, seqs in (
            ("saved after the end", late),
            ("saved before the start", early),
            ("at a position that is not there", nowhere),
        )
        if seqs
    ]
    return Check("answers", not faults, "; ".join(faults) or f"{len(events)} events, all within the sitting")


async def _check_count(session: AsyncSession, sitting: Sitting, mark: Mark) -> Check:
    statement = select(SittingEvent).where(
        SittingEvent.sitting_id == sitting.id, col(SittingEvent.kind).in_((HANDED_IN, TIMED_OUT))
    )
    ends = (await session.exec(statement)).all()
    if sitting.status is SittingStatus.OPEN:
        return Check("hand-in", not ends, "still open" if not ends else "is open, yet an end is recorded")
    if sitting.status is SittingStatus.VOID and not ends:
        return Check("hand-in", True, "void, never handed in")
    if len(ends) != 1:
        return Check("hand-in", False, f"{len(ends)} ends are recorded instead of one")
    counted = ends[0].detail.get("answered")
    if counted != mark.answered:
        return Check("hand-in", False, f"{counted} answers were counted then, {mark.answered} are stored")
    return Check("hand-in", True, f"{mark.answered} answers then and now")


async def _check_score(session: AsyncSession, sitting: Sitting, mark: Mark) -> Check:
    score = (await session.exec(select(Score).where(Score.sitting_id == sitting.id))).one_or_none()
    if score is None:
        is_due = sitting.status in {SittingStatus.HANDED_IN, SittingStatus.TIMED_OUT}
        return Check("score", not is_due, "is missing" if is_due else "none, as it should be")
    if sitting.status is SittingStatus.OPEN:
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

"""The JSON of the sitting API: Structs of its own, so that no table leaks a column."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import msgspec

if TYPE_CHECKING:
    from exams.sheets import AnswerSheet, Occasion, SittingResult, SittingState
    from exams.sittings import Entry
    from exams.standing import SittingNotice

_TOKEN = "What this device sends as X-Sitting-Token; empty once the sitting has ended."  # noqa: S105 - a description
_HEAD = "The link of the last stored act, in hex: the next act's link is made from it (docs: exams/chain.py)."


class OccasionOut(msgspec.Struct):
    """Something to sit: a checked-in booking or an enterprise exam."""

    title: str
    place: str
    opens_at: datetime
    closes_at: datetime
    can_start: bool
    attempts_left: int
    seconds_left: int
    status: Annotated[str | None, msgspec.Meta(description="Of the latest sitting; null before the first.")] = None
    booking_id: UUID | None = None
    enterprise_exam_id: UUID | None = None
    sitting_id: UUID | None = None


class StartIn(msgspec.Struct):
    """Exactly one of the two."""

    booking_id: UUID | None = None
    enterprise_exam_id: UUID | None = None


class StartedOut(msgspec.Struct):
    """A way into a sitting."""

    sitting_id: UUID
    device_token: Annotated[str, msgspec.Meta(description=_TOKEN)]
    status: str
    started_at: datetime
    deadline: datetime
    seconds_left: int
    total: int
    is_new: bool
    took_over: Annotated[bool, msgspec.Meta(description="Another device held this sitting until now.")]


class OptionOut(msgspec.Struct):
    """An option under the letter by which it is answered."""

    letter: str
    text: str


class ItemOut(msgspec.Struct):
    """A question; `answer` is what is saved of it, empty if nothing is."""

    position: int
    type: Annotated[str, msgspec.Meta(description="TF, SC or MC")]
    stem: str
    options: list[OptionOut]
    points: int
    answer: str


class PaperOut(msgspec.Struct):
    """The whole paper. `last_seq` is the highest number used so far: the next act takes `last_seq` + 1."""

    sitting_id: UUID
    title: str
    status: str
    started_at: datetime
    deadline: datetime
    can_hand_in_from: datetime
    seconds_left: int
    total: int
    full_score: int
    pass_score: int
    answered: int
    last_seq: int
    chain_head: Annotated[str, msgspec.Meta(description=_HEAD)]
    items: list[ItemOut]


class SittingNoticeOut(msgspec.Struct):
    """What the site, or another device of one's own, last did to a sitting; `at` tells one from the next."""

    kind: Annotated[
        str,
        msgspec.Meta(
            description="EXTENDED, PAUSED, RESUMED, RELEASED, TAKEN_OVER, CLOSED_BY_SITE or VOIDED",
        ),
    ]
    reason: str
    at: datetime
    minutes: Annotated[int | None, msgspec.Meta(description="Of an extension.")] = None


class StateOut(msgspec.Struct):
    """How a sitting stands."""

    sitting_id: UUID
    title: str
    status: str
    deadline: datetime
    can_hand_in_from: datetime
    seconds_left: int
    total: int
    answered: int
    last_seq: int
    device_number: int
    is_released: bool
    chain_head: Annotated[str, msgspec.Meta(description=_HEAD)]
    has_ended: Annotated[
        bool, msgspec.Meta(description="False after the deadline while answers made before it may still arrive.")
    ]
    is_paused: bool
    is_holder: Annotated[bool, msgspec.Meta(description="Whether this sign-in, or this X-Sitting-Token, may answer.")]
    now: datetime
    notice: SittingNoticeOut | None = None


class AreaOut(msgspec.Struct):
    """Points of one knowledge area, as exact decimals."""

    area: int
    name: str
    points: str
    of: str


class ResultOut(msgspec.Struct):
    """A marked sitting. `points` and `passed` are null while the score is withheld."""

    sitting_id: UUID
    title: str
    status: str
    state: Annotated[str, msgspec.Meta(description="PROVISIONAL or UNDER_REVIEW until released; at work never.")]
    total: str
    cut_score: str
    submitted_at: datetime
    points: str | None = None
    passed: bool | None = None
    areas: list[AreaOut] = []


def occasion_out(occasion: Occasion) -> OccasionOut:
    """As JSON."""
    return OccasionOut(
        title=occasion.title,
        place=occasion.place,
        opens_at=occasion.opens_at,
        closes_at=occasion.closes_at,
        can_start=occasion.can_start,
        attempts_left=occasion.attempts_left,
        seconds_left=occasion.seconds_left,
        status=occasion.status,
        booking_id=occasion.booking_id,
        enterprise_exam_id=occasion.enterprise_exam_id,
        sitting_id=occasion.sitting_id,
    )


def started_out(entry: Entry) -> StartedOut:
    """As JSON."""
    return StartedOut(
        sitting_id=entry.sitting_id,
        device_token=entry.device_token,
        status=entry.status,
        started_at=entry.started_at,
        deadline=entry.deadline,
        seconds_left=entry.seconds_left,
        total=entry.total,
        is_new=entry.is_new,
        took_over=entry.took_over,
    )


def paper_out(sheet: AnswerSheet) -> PaperOut:
    """As JSON: letters and texts, no key, explanation or level."""
    return PaperOut(
        sitting_id=sheet.sitting_id,
        title=sheet.title,
        status=sheet.status,
        started_at=sheet.started_at,
        deadline=sheet.deadline,
        can_hand_in_from=sheet.leave_at,
        seconds_left=sheet.seconds_left,
        total=sheet.total,
        full_score=sheet.full_score,
        pass_score=sheet.pass_score,
        answered=sheet.answered,
        last_seq=sheet.last_seq,
        chain_head=sheet.chain_head.hex(),
        items=[
            ItemOut(
                item.position,
                item.type,
                item.stem,
                [OptionOut(option.letter, option.text) for option in item.options],
                item.points,
                item.answer,
            )
            for item in sheet.items
        ],
    )


def state_out(state: SittingState, *, now: datetime) -> StateOut:
    """As JSON."""
    return StateOut(
        sitting_id=state.sitting_id,
        title=state.title,
        status=state.status,
        deadline=state.deadline,
        can_hand_in_from=state.leave_at,
        seconds_left=state.seconds_left,
        total=state.total,
        answered=state.answered,
        last_seq=state.last_seq,
        device_number=state.device_number,
        is_released=state.is_released,
        chain_head=state.chain_head.hex(),
        has_ended=state.has_ended,
        is_paused=state.is_paused,
        is_holder=state.is_holder,
        now=now,
        notice=sitting_notice_out(state.notice) if state.notice else None,
    )


def sitting_notice_out(notice: SittingNotice) -> SittingNoticeOut:
    """As JSON, for a page that asks and for one that is pushed to."""
    return SittingNoticeOut(notice.kind, notice.reason, notice.at, notice.minutes)


def result_out(result: SittingResult) -> ResultOut:
    """As JSON."""
    return ResultOut(
        sitting_id=result.sitting_id,
        title=result.title,
        status=result.status,
        state=result.state,
        total=str(result.total),
        cut_score=str(result.cut_score),
        submitted_at=result.submitted_at,
        points=str(result.points) if result.is_shown else None,
        passed=result.passed if result.is_shown else None,
        areas=[AreaOut(area.area, area.name, str(area.points), str(area.of)) for area in result.areas],
    )

"""An application's way as its owner sees it: what is done, what comes now, what is ahead."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from exams.models import ApplicationStatus, BookingStatus, ExamPart
from training.calendar import china_date
from training.errors import N_

if TYPE_CHECKING:
    from datetime import date, datetime


class StageState(StrEnum):
    """Where a stage stands."""

    DONE = "DONE"
    NOW = "NOW"
    AHEAD = "AHEAD"
    STOPPED = "STOPPED"


@dataclass(frozen=True)
class Stage:
    """One stage, named in the words of the catalogue."""

    name: str
    state: StageState
    on: date | None = None


@dataclass(frozen=True)
class Progress:
    """The facts that decide the stages."""

    status: ApplicationStatus
    needs_practical: bool
    submitted_at: datetime | None = None
    decided_at: datetime | None = None
    theory_passed_on: date | None = None
    practical_passed_on: date | None = None


_UNDECIDED = (ApplicationStatus.DRAFT, ApplicationStatus.SUBMITTED, ApplicationStatus.RETURNED)
_STOPPED = (ApplicationStatus.REFUSED, ApplicationStatus.WITHDRAWN, ApplicationStatus.FAILED)


def make_timeline(progress: Progress) -> tuple[Stage, ...]:
    """The stages in order; at most one is NOW or STOPPED."""
    accepted = None
    if progress.status not in (*_UNDECIDED, ApplicationStatus.REFUSED) and progress.decided_at is not None:
        accepted = china_date(progress.decided_at)
    submitted = None
    if progress.status not in {ApplicationStatus.DRAFT, ApplicationStatus.RETURNED} and progress.submitted_at:
        submitted = china_date(progress.submitted_at)
    facts: list[tuple[str, date | None]] = [
        (N_("填写并提交申请"), submitted),
        (N_("资格审核"), accepted),
        (N_("理论考试"), progress.theory_passed_on),
    ]
    if progress.needs_practical:
        facts.append((N_("实际操作考试"), progress.practical_passed_on))
    facts.append((N_("申领证书"), None))
    stages: list[Stage] = []
    waiting = StageState.STOPPED if progress.status in _STOPPED else StageState.NOW
    for name, on in facts:
        if on is not None:
            stages.append(Stage(name, StageState.DONE, on))
        else:
            stages.append(Stage(name, waiting))
            waiting = StageState.AHEAD
    return tuple(stages)


class NextAct(StrEnum):
    """What the owner can do next."""

    FILL_IN = "FILL_IN"
    CORRECT = "CORRECT"
    WAIT_FOR_REVIEW = "WAIT_FOR_REVIEW"
    BOOK_THEORY = "BOOK_THEORY"
    BOOK_PRACTICAL = "BOOK_PRACTICAL"
    SHOW_TICKET = "SHOW_TICKET"
    WAIT_FOR_RESULT = "WAIT_FOR_RESULT"
    CLAIM_CERTIFICATE = "CLAIM_CERTIFICATE"
    APPLY_AGAIN = "APPLY_AGAIN"
    NOTHING = "NOTHING"


_ACT_OF = {
    ApplicationStatus.DRAFT: NextAct.FILL_IN,
    ApplicationStatus.RETURNED: NextAct.CORRECT,
    ApplicationStatus.SUBMITTED: NextAct.WAIT_FOR_REVIEW,
    ApplicationStatus.PASSED: NextAct.CLAIM_CERTIFICATE,
    ApplicationStatus.FAILED: NextAct.APPLY_AGAIN,
    ApplicationStatus.REFUSED: NextAct.APPLY_AGAIN,
    ApplicationStatus.WITHDRAWN: NextAct.NOTHING,
}


def part_in_turn(progress: Progress) -> ExamPart | None:
    """The part that is to be sat next."""
    if progress.theory_passed_on is None:
        return ExamPart.THEORY
    if progress.needs_practical and progress.practical_passed_on is None:
        return ExamPart.PRACTICAL
    return None


def next_act(
    progress: Progress, *, last_booking: BookingStatus | None, is_result_out: bool, is_used_up: bool = False
) -> NextAct:
    """What comes next. `last_booking` is that of the part in turn, newest first."""
    if is_used_up:
        return NextAct.APPLY_AGAIN
    if progress.status is not ApplicationStatus.ACCEPTED:
        return _ACT_OF[progress.status]
    part = part_in_turn(progress)
    if part is None:
        return NextAct.CLAIM_CERTIFICATE
    if last_booking in {BookingStatus.BOOKED, BookingStatus.CHECKED_IN}:
        return NextAct.SHOW_TICKET
    if last_booking is BookingStatus.DONE and not is_result_out:
        return NextAct.WAIT_FOR_RESULT
    return NextAct.BOOK_THEORY if part is ExamPart.THEORY else NextAct.BOOK_PRACTICAL

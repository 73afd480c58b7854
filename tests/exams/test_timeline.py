"""The way of an application as its owner sees it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exams.models import ApplicationStatus, BookingStatus, ExamPart
from exams.timeline import NextAct, Progress, StageState, make_timeline, next_act, part_in_turn

# Late in the evening of the 21st in UTC is the 22nd in China.
LATE = datetime(2026, 11, 21, 23, 0, tzinfo=UTC)
ACCEPTED = Progress(ApplicationStatus.ACCEPTED, needs_practical=True, submitted_at=LATE, decided_at=LATE)


def test_days_are_days_in_china() -> None:
    assert make_timeline(ACCEPTED)[0].on == date(2026, 11, 22)


def test_a_returned_application_is_back_at_its_first_stage() -> None:
    stages = make_timeline(replace(ACCEPTED, status=ApplicationStatus.RETURNED))
    assert [stage.state for stage in stages[:2]] == [StageState.NOW, StageState.AHEAD]


def test_a_refused_application_stops_at_the_review() -> None:
    stages = make_timeline(replace(ACCEPTED, status=ApplicationStatus.REFUSED))
    assert [stage.state for stage in stages[:3]] == [StageState.DONE, StageState.STOPPED, StageState.AHEAD]


def test_practical_is_a_stage_only_where_it_is_needed() -> None:
    assert len(make_timeline(ACCEPTED)) == len(make_timeline(replace(ACCEPTED, needs_practical=False))) + 1


@given(
    st.builds(
        Progress,
        status=st.sampled_from(ApplicationStatus),
        needs_practical=st.booleans(),
        submitted_at=st.none() | st.just(LATE),
        decided_at=st.none() | st.just(LATE),
        theory_passed_on=st.none() | st.just(date(2026, 12, 1)),
        practical_passed_on=st.none() | st.just(date(2026, 12, 2)),
    )
)
def test_at_most_one_stage_is_now_or_stopped(progress: Progress) -> None:
    states = [stage.state for stage in make_timeline(progress)]
    assert sum(state in {StageState.NOW, StageState.STOPPED} for state in states) <= 1


@pytest.mark.parametrize(
    ("progress", "last", "is_out", "act"),
    [
        (ACCEPTED, None, True, NextAct.BOOK_THEORY),
        (ACCEPTED, BookingStatus.BOOKED, True, NextAct.SHOW_TICKET),
        (ACCEPTED, BookingStatus.CANCELLED, True, NextAct.BOOK_THEORY),
        (ACCEPTED, BookingStatus.DONE, False, NextAct.WAIT_FOR_RESULT),
        (ACCEPTED, BookingStatus.DONE, True, NextAct.BOOK_THEORY),
        (replace(ACCEPTED, theory_passed_on=date(2026, 12, 1)), None, True, NextAct.BOOK_PRACTICAL),
        (
            replace(ACCEPTED, needs_practical=False, theory_passed_on=date(2026, 12, 1)),
            None,
            True,
            NextAct.CLAIM_CERTIFICATE,
        ),
        (replace(ACCEPTED, status=ApplicationStatus.FAILED), None, True, NextAct.APPLY_AGAIN),
        (replace(ACCEPTED, status=ApplicationStatus.SUBMITTED), None, True, NextAct.WAIT_FOR_REVIEW),
    ],
)
def test_the_next_step_follows_from_the_facts(
    progress: Progress, last: BookingStatus | None, is_out: bool, act: NextAct
) -> None:
    assert next_act(progress, last_booking=last, is_result_out=is_out) is act


def test_practical_comes_after_theory_and_then_nothing() -> None:
    assert part_in_turn(ACCEPTED) is ExamPart.THEORY
    passed = replace(ACCEPTED, theory_passed_on=date(2026, 12, 1))
    assert part_in_turn(passed) is ExamPart.PRACTICAL
    assert part_in_turn(replace(passed, practical_passed_on=date(2026, 12, 2))) is None

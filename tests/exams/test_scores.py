"""Release by the authority, what it settles, and what candidates see until then."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlmodel import col, select

from exams.handing_in import close_overdue
from exams.limits import LimitState
from exams.models import Application, ApplicationStatus, Booking, Qualification, Score, ScoreState, Sitting
from exams.queries_scores import list_scores, list_sessions_to_release
from exams.scores import (
    AlreadyReleased,
    NothingChosen,
    WithholdReason,
    begin_review,
    lift_withholding,
    release_scores,
    withhold_score,
)
from exams.sheets import get_result
from tests.makers.receipts import KEYS
from tests.makers.sittings import GRACE, answer, make_sitting, review_and_release, right_choices
from training.calendar import china_date
from training.models import Notice

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.makers.sittings import Sat
    from training.vault import Vault


async def sit(session: AsyncSession, vault: Vault, *, right: int, now: datetime) -> tuple[Sat, UUID, Application]:
    """A sitting with so many right answers, ended by the clock."""
    sat = await make_sitting(session, vault, now=now)
    await answer(session, sat, (await right_choices(session, sat.id))[:right], now=now)
    await close_overdue(session, now=sat.entry.deadline + GRACE, countersign=KEYS.countersign)
    booking = await session.get_one(Booking, sat.booking_id)
    return sat, booking.exam_session_id, await session.get_one(Application, booking.application_id)


async def test_a_released_pass_settles_the_theory(session: AsyncSession, vault: Vault, now: datetime) -> None:
    sat, exam_session_id, application = await sit(session, vault, right=80, now=now)
    actor_id = sat.who.person.id
    (waiting,) = await list_sessions_to_release(session, today=china_date(now))
    assert (waiting.exam_session_id, waiting.waiting, waiting.passed) == (exam_session_id, 1, 1)
    assert (waiting.provisional, waiting.under_review, waiting.limit) == (1, 0, LimitState.AHEAD)
    # Ten working days after Saturday 21 November 2026.
    assert waiting.release_by == date(2026, 12, 4)
    assert await review_and_release(session, exam_session_id=exam_session_id, actor_id=actor_id, now=now) == 1
    assert await review_and_release(session, exam_session_id=exam_session_id, actor_id=actor_id, now=now) == 0
    assert application.theory_passed_on == date(2026, 11, 21)
    assert (application.theory_attempts, application.status) == (1, ApplicationStatus.ACCEPTED)
    result = await get_result(session, sitting_id=sat.id, person_id=actor_id)
    assert (result.state, result.released_at) == (ScoreState.RELEASED, now)
    assert await list_sessions_to_release(session, today=china_date(now)) == []


async def test_a_qualification_without_practical_part_is_passed_at_once(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat, exam_session_id, application = await sit(session, vault, right=100, now=now)
    qualification = await session.get_one(Qualification, application.qualification_code)
    qualification.needs_practical = False
    session.add(qualification)
    await review_and_release(session, exam_session_id=exam_session_id, actor_id=sat.who.person.id, now=now)
    assert application.status is ApplicationStatus.PASSED


@pytest.mark.parametrize(
    ("attempts_before", "status"), [(0, ApplicationStatus.ACCEPTED), (1, ApplicationStatus.FAILED)]
)
async def test_one_resit_and_then_it_is_over(
    session: AsyncSession, vault: Vault, now: datetime, attempts_before: int, status: ApplicationStatus
) -> None:
    sat, exam_session_id, application = await sit(session, vault, right=79, now=now)
    application.theory_attempts = attempts_before
    session.add(application)
    await review_and_release(session, exam_session_id=exam_session_id, actor_id=sat.who.person.id, now=now)
    assert application.theory_passed_on is None
    assert application.status is status


async def test_a_withheld_score_is_neither_shown_nor_released(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat, exam_session_id, _ = await sit(session, vault, right=90, now=now)
    actor_id = sat.who.person.id
    (line,) = await list_scores(session, exam_session_id=exam_session_id)
    with pytest.raises(WithholdReason):
        await withhold_score(session, score_id=line.score_id, actor_id=actor_id, reason="", now=now)
    for _ in range(2):
        await withhold_score(session, score_id=line.score_id, actor_id=actor_id, reason="违纪调查", now=now)
    assert await review_and_release(session, exam_session_id=exam_session_id, actor_id=actor_id, now=now) == 0
    result = await get_result(session, sitting_id=sat.id, person_id=actor_id)
    assert not result.is_shown
    assert not result.passed
    assert (float(result.points), len(result.areas)) == (0, 0)
    await lift_withholding(session, score_id=line.score_id, actor_id=actor_id, now=now)
    assert await review_and_release(session, exam_session_id=exam_session_id, actor_id=actor_id, now=now) == 1
    with pytest.raises(AlreadyReleased):
        await withhold_score(session, score_id=line.score_id, actor_id=actor_id, reason="再查", now=now)


async def test_only_what_is_under_review_is_released(session: AsyncSession, vault: Vault, now: datetime) -> None:
    sat, exam_session_id, _ = await sit(session, vault, right=90, now=now)
    act: dict[str, Any] = {"exam_session_id": exam_session_id, "actor_id": sat.who.person.id, "now": now}
    assert await release_scores(session, **act) == 0
    (line,) = await list_scores(session, exam_session_id=exam_session_id)
    with pytest.raises(NothingChosen):
        await begin_review(session, **act, score_ids=[])
    assert await begin_review(session, **act, score_ids=[sat.id]) == 0
    assert [await begin_review(session, **act, score_ids=[line.score_id]) for _ in range(2)] == [1, 0]
    score = await session.get_one(Score, line.score_id)
    assert (score.state, score.review_began_at, score.reviewed_by) == (
        ScoreState.UNDER_REVIEW,
        now,
        sat.who.person.id,
    )
    result = await get_result(session, sitting_id=sat.id, person_id=sat.who.person.id)
    assert (result.is_shown, result.state) == (True, ScoreState.UNDER_REVIEW)
    # Withheld while under review it comes back there.
    await withhold_score(session, score_id=line.score_id, actor_id=sat.who.person.id, reason="核查", now=now)
    await lift_withholding(session, score_id=line.score_id, actor_id=sat.who.person.id, now=now)
    assert score.state is ScoreState.UNDER_REVIEW
    assert [await release_scores(session, **act) for _ in range(2)] == [1, 0]


async def test_candidates_are_told_once_of_a_release_and_of_a_withheld_score(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat, exam_session_id, _ = await sit(session, vault, right=90, now=now)
    actor_id = sat.who.person.id
    (line,) = await list_scores(session, exam_session_id=exam_session_id)
    for _ in range(2):
        await withhold_score(session, score_id=line.score_id, actor_id=actor_id, reason="核查", now=now)
    await lift_withholding(session, score_id=line.score_id, actor_id=actor_id, now=now)
    for _ in range(2):
        await review_and_release(session, exam_session_id=exam_session_id, actor_id=actor_id, now=now)
    of_scores = select(Notice).where(Notice.person_id == actor_id, col(Notice.kind).startswith("SCORE"))
    told = (await session.exec(of_scores.order_by(col(Notice.kind)))).all()
    assert [(notice.kind, notice.link) for notice in told] == [
        ("SCORE_RELEASED", f"/sittings/{sat.id}/result"),
        ("SCORE_WITHHELD", f"/sittings/{sat.id}/result"),
    ]
    assert (told[0].detail["points"], told[0].detail["passed"]) == ("90.00", True)


async def test_marking_again_gives_the_same(session: AsyncSession, vault: Vault, now: datetime) -> None:
    one, _, _ = await sit(session, vault, right=63, now=now)
    score = (await session.exec(select(Score).where(Score.sitting_id == one.id))).one()
    assert [score.points, score.total, score.cut_score] == [63, 100, 80]
    assert sum(float(area["points"]) for area in score.areas.values()) == 63
    sitting = await session.get_one(Sitting, one.id)
    assert sitting.submitted_at == now + timedelta(minutes=120)

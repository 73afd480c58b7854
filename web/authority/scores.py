"""`/authority/scores`: scores by session, reviewed and released in bulk after a look, or kept back with a reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.limits import get_near_until, limit_state
from exams.models import ScoreState
from exams.queries_scores import get_session_facts, list_scores, list_sessions_to_release
from exams.score_bands import score_bands
from exams.scores import begin_review, lift_withholding, release_scores, withhold_score
from training.accounts import Viewer
from training.calendar import china_date
from training.errors import AnpeiError, NotFound
from training.models import Role
from web.attempts import attempt
from web.auth import acting_as

_ROLES = (Role.ISSUER, Role.APPLICATION_REVIEWER)


@dataclass
class ReviewForm:
    """Whose scores to take under review. One ticked box arrives as a text, several as a list."""

    whom: str = "all"
    score_ids: list[str] | str = field(default_factory=list)

    def chosen(self) -> set[UUID] | None:
        """The ticked scores; None stands for all of the session."""
        if self.whom == "all":
            return None
        typed = [self.score_ids] if isinstance(self.score_ids, str) else self.score_ids
        return {UUID(each) for each in typed if _is_id(each)}


@dataclass
class ReasonForm:
    """Why a score is kept back."""

    reason: str = ""


def _is_id(typed: str) -> bool:
    try:
        UUID(typed)
    except ValueError:
        return False
    return True


class ScoreController(Controller):
    """Scores before and at their release."""

    path = "/authority/scores"

    @get()
    async def show(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
    ) -> Template:
        """Sessions that wait, the most urgent first."""
        acting_as(viewer, *_ROLES)
        context = {"sessions": await list_sessions_to_release(session, today=china_date(now))}
        return Template("authority/scores/list.html", context=context)

    @get("/{exam_session_id:uuid}")
    async def preview(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
    ) -> Template:
        """What a release would tell, candidate by candidate."""
        acting_as(viewer, *_ROLES)
        return await _preview(session, exam_session_id, today=china_date(now))

    @post("/{exam_session_id:uuid}/review")
    async def review(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        data: URLEncodedBody[ReviewForm],
    ) -> Template | Redirect:
        """Begin the review of all provisional scores, or of the chosen ones."""
        acting_as(viewer, *_ROLES)
        async with attempt(session) as tried:
            await begin_review(
                session, exam_session_id=exam_session_id, actor_id=viewer.person_id, now=now, score_ids=data.chosen()
            )
        if tried.error:
            return await _preview(session, exam_session_id, today=china_date(now), error=tried.error)
        return Redirect(f"/authority/scores/{exam_session_id}")

    @post("/{exam_session_id:uuid}/release")
    async def release(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
    ) -> Redirect:
        """Release every score of the session that is under review."""
        acting_as(viewer, *_ROLES)
        await release_scores(session, exam_session_id=exam_session_id, actor_id=viewer.person_id, now=now)
        return Redirect(f"/authority/scores/{exam_session_id}")

    @post("/{exam_session_id:uuid}/{score_id:uuid}/withhold")
    async def withhold(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        score_id: FromPath[UUID],
        data: URLEncodedBody[ReasonForm],
    ) -> Template | Redirect:
        """Keep one score back."""
        acting_as(viewer, *_ROLES)
        async with attempt(session) as tried:
            await withhold_score(session, score_id=score_id, actor_id=viewer.person_id, reason=data.reason, now=now)
        if tried.error:
            return await _preview(session, exam_session_id, today=china_date(now), error=tried.error)
        return Redirect(f"/authority/scores/{exam_session_id}")

    @post("/{exam_session_id:uuid}/{score_id:uuid}/lift")
    async def lift(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
        score_id: FromPath[UUID],
    ) -> Redirect:
        """Let a withheld score be released with the next list."""
        acting_as(viewer, *_ROLES)
        await lift_withholding(session, score_id=score_id, actor_id=viewer.person_id, now=now)
        return Redirect(f"/authority/scores/{exam_session_id}")


async def _preview(
    session: AsyncSession, exam_session_id: UUID, *, today: date, error: AnpeiError | None = None
) -> Template:
    lines = await list_scores(session, exam_session_id=exam_session_id)
    if not lines:
        raise NotFound
    counted = [line for line in lines if line.state is not ScoreState.VOID]
    in_state = Counter(line.state for line in lines)
    about = await get_session_facts(session, exam_session_id=exam_session_id)
    near_until = await get_near_until(session, today=today)
    context = {
        "exam_session_id": exam_session_id,
        "lines": lines,
        "bands": [(band.name, band.count) for band in score_bands((line.points, line.total) for line in counted)],
        "about": about,
        "limit": limit_state(about.release_by, today=today, near_until=near_until),
        "provisional": in_state[ScoreState.PROVISIONAL],
        "under_review": in_state[ScoreState.UNDER_REVIEW],
        "passed": sum(line.passed for line in counted),
        "error": error,
    }
    return Template("authority/scores/preview.html", context=context, status_code=422 if error else 200)


HANDLERS = [ScoreController]

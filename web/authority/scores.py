"""`/authority/scores`: provisional scores by session, released in bulk after a look, or kept back with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.models import ScoreState
from exams.scores import (
    ScoreLine,
    get_session_facts,
    lift_withholding,
    list_scores,
    list_sessions_to_release,
    release_scores,
    withhold_score,
)
from training.accounts import Viewer
from training.calendar import china_date
from training.errors import AnpeiError, NotFound
from training.models import Role
from web.attempts import attempt
from web.auth import acting_as

_ROLES = (Role.ISSUER, Role.APPLICATION_REVIEWER)
_BANDS = tuple(range(0, 100, 10))


@dataclass
class ReasonForm:
    """Why a score is kept back."""

    reason: str = ""


def histogram(lines: list[ScoreLine]) -> list[tuple[str, int]]:
    """How many scores lie in each tenth of the full score."""
    counts = dict.fromkeys(_BANDS, 0)
    for line in lines:
        counts[min(int(line.points * 100 / line.total) // 10 * 10, _BANDS[-1])] += 1
    return [(f"{low}–{low + 10 if low == _BANDS[-1] else low + 9}", count) for low, count in counts.items()]


class ScoreController(Controller):
    """Scores before and at their release."""

    path = "/authority/scores"

    @get()
    async def show(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
    ) -> Template:
        """Sessions that wait, the most urgent first."""
        acting_as(viewer, *_ROLES)
        context = {"sessions": await list_sessions_to_release(session), "today": china_date(now)}
        return Template("authority/scores/list.html", context=context)

    @get("/{exam_session_id:uuid}")
    async def preview(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        exam_session_id: FromPath[UUID],
    ) -> Template:
        """What a release would tell, candidate by candidate."""
        acting_as(viewer, *_ROLES)
        return await _preview(session, exam_session_id)

    @post("/{exam_session_id:uuid}/release")
    async def release(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        exam_session_id: FromPath[UUID],
    ) -> Redirect:
        """Release every provisional score of the session."""
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
            return await _preview(session, exam_session_id, tried.error)
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


async def _preview(session: AsyncSession, exam_session_id: UUID, error: AnpeiError | None = None) -> Template:
    lines = await list_scores(session, exam_session_id=exam_session_id)
    if not lines:
        raise NotFound
    context = {
        "exam_session_id": exam_session_id,
        "lines": lines,
        "bands": histogram(lines),
        "about": await get_session_facts(session, exam_session_id=exam_session_id),
        "waiting": sum(line.state is ScoreState.PROVISIONAL for line in lines),
        "passed": sum(line.passed for line in lines),
        "error": error,
    }
    return Template("authority/scores/preview.html", context=context, status_code=422 if error else 200)


HANDLERS = [ScoreController]

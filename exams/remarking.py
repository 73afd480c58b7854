"""Marking handed-in sittings again from their stored answers, by the decisions that stand."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlmodel import col, select

from exams.marking import last_choices
from exams.models import AnswerEvent
from exams.papers import paper_items
from exams.resettling import change_score
from exams.rulings import list_rulings, mark_by_rulings
from question_bank.queries import get_blueprint_version, list_revisions

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.marking import Mark
    from exams.models import Score, Sitting
    from exams.rulings import Ruling

_AT_ONCE = 500


async def mark_again(
    session: AsyncSession, sitting: Sitting, choices: Mapping[int, str], rulings: Mapping[UUID, Ruling]
) -> Mark:
    """The mark of a sitting by what was decided."""
    blueprint = await get_blueprint_version(session, sitting.blueprint_id)
    paper = paper_items(sitting.paper)
    return mark_by_rulings(
        paper,
        await list_revisions(session, [item.revision_id for item in paper]),
        choices,
        points_per_item=Decimal(blueprint.points_per_item),
        cut_score=Decimal(blueprint.pass_score),
        mc_rule=blueprint.mc_rule,
        rulings=rulings,
    )


async def apply_rulings(
    session: AsyncSession, scored: Sequence[tuple[Score, Sitting]], *, actor_id: UUID | None, now: datetime
) -> int:
    """Bring locked scores up to what was decided before they are told. Gives how many changed.

    So a paper that was handed in while a decision was made is marked by it too.
    """
    rulings = await list_rulings(session)
    meant = [
        (score, sitting, ids)
        for score, sitting in scored
        if (ids := {item.revision_id for item in paper_items(sitting.paper)} & rulings.keys())
    ]
    choices = await read_choices(session, [sitting.id for _, sitting, _ in meant])
    changed = 0
    for score, sitting, ids in meant:
        mark = await mark_again(session, sitting, choices[sitting.id], rulings)
        # The last decision names the change; all of them are in it.
        regrade_id = [rulings[revision_id].regrade_id for revision_id in rulings if revision_id in ids][-1]
        changed += change_score(session, score, mark, actor_id=actor_id, now=now, regrade_id=regrade_id)
    await session.flush()
    return changed


async def read_choices(session: AsyncSession, sitting_ids: Sequence[UUID]) -> dict[UUID, dict[int, str]]:
    """What counts of the stored answers of each sitting."""
    acts: dict[UUID, list[tuple[int, int, str]]] = defaultdict(list)
    for first in range(0, len(sitting_ids), _AT_ONCE):
        statement = select(AnswerEvent.sitting_id, AnswerEvent.seq, AnswerEvent.position, AnswerEvent.choice).where(
            col(AnswerEvent.sitting_id).in_(sitting_ids[first : first + _AT_ONCE])
        )
        for sitting_id, seq, position, choice in (await session.exec(statement)).all():
            acts[sitting_id].append((seq, position, choice))
    return {sitting_id: last_choices(acts[sitting_id]) for sitting_id in sitting_ids}

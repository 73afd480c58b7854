"""A blueprint by which several right options earn in part: from the answers to score, replay, recount and report."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlmodel import select

from exams.handing_in import close_overdue
from exams.models import Booking, Score, ScoreState, Sitting
from exams.papers import paper_items
from exams.queries_report import get_session_report
from exams.replay import replay_sitting
from exams.replaying import recount
from exams.sheets import get_answer_sheet, get_result
from question_bank.blueprint_changes import BlueprintDraft, change_blueprint
from question_bank.models import CellLevel, ItemType, McRule
from question_bank.queries import get_blueprint, list_revisions
from tests.makers.items import make_bank, make_content, make_published
from tests.makers.receipts import KEYS, next_acts, send
from tests.makers.sittings import make_sitting, right_choices

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault


async def test_one_right_option_of_several_earns_its_share_everywhere(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk = await make_bank(session, vault, now=now)
    blueprint = await get_blueprint(session, "SO_1_2")
    single = max((cell for cell in blueprint.cells if cell.type is ItemType.SC), key=lambda cell: cell.count)
    for _ in range(6):
        content = make_content(ItemType.MC, area=single.area)
        await make_published(session, desk, now=now, subject="SO_1_2", content=content)
    draft = BlueprintDraft.of(blueprint)
    moved = {single.key: single.count - 2, (single.area, ItemType.MC, CellLevel.ANY): 2}
    draft = replace(draft, counts={**draft.counts, **moved}, mc_rule=McRule.PARTIAL)
    await change_blueprint(session, code="SO_1_2", based_on=1, draft=draft, actor_id=desk.reviewer.person.id, now=now)
    sat = await make_sitting(session, vault, now=now)
    me = sat.who.person.id
    sheet = await get_answer_sheet(session, sitting_id=sat.id, person_id=me, now=now)
    assert sheet.mc_rule is McRule.PARTIAL

    # Everything right, but of each item with several right options only the first letter is given.
    sitting = await session.get_one(Sitting, sat.id)
    texts = await list_revisions(session, [item.revision_id for item in paper_items(sitting.paper)])
    keys = [texts[item.revision_id] for item in paper_items(sitting.paper)]
    choices = [
        choice[0] if text.type is ItemType.MC else choice
        for choice, text in zip(await right_choices(session, sat.id), keys, strict=True)
    ]
    at = now + timedelta(minutes=5)
    await send(session, sat, await next_acts(session, sat.id, choices, at=at), now=at)
    await close_overdue(session, now=now + timedelta(hours=3), countersign=KEYS.countersign)

    several = [text for text in keys if text.type is ItemType.MC]
    parts = sum((Decimal(100 // len(text.key)) / 100 for text in several), Decimal(0))
    score = (await session.exec(select(Score).where(Score.sitting_id == sat.id))).one()
    assert len(several) == 2
    assert score.points == 100 - len(several) + parts
    assert sum(Decimal(mark["points"]) for mark in score.areas.values()) == score.points

    session.expire_all()
    proof = await replay_sitting(session, sitting_id=sat.id, check_signature=KEYS.check_receipt)
    assert [check for check in proof.checks if not check.holds] == []
    score = (await session.exec(select(Score).where(Score.sitting_id == sat.id))).one()
    again = await recount(session, sitting=await session.get_one(Sitting, sat.id), score=score)
    assert (again.agrees, again.right) == (True, 100 - len(several))
    assert sum(item.points for item in again.items) == score.points
    result = await get_result(session, sitting_id=sat.id, person_id=me)
    assert result.points in {score.points, 0}
    booking = await session.get_one(Booking, sat.booking_id)
    report = await get_session_report(session, exam_session_id=booking.exam_session_id)
    assert report.figures.scores.passed == int(score.passed)
    assert score.state is ScoreState.PROVISIONAL

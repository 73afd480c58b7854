"""Content: every item and course that we ship, and some items on their way through the editors' hands."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from question_bank.authoring import create_item, submit_revision
from question_bank.content import ItemContent
from question_bank.models import ItemLevel, ItemType
from question_bank.review import approve_revision, return_revision
from seed.city.state import Course
from seed.city.times import days_ago
from seed.course_files import COURSES, load_courses
from seed.item_files import ITEMS, load_items
from seed.people import item_author_and_reviewer
from training.plans import list_offered_courses

if TYPE_CHECKING:
    from datetime import datetime

    from seed.city.state import City

_DRAFTS = (
    ("办公室插线板可以一个接一个地串起来使用。", "F", "串接会过载发热，是常见的起火原因。", "插线板串接"),
    ("发现燃气泄漏时，应当立即打开排风扇把燃气排出去。", "F", "开关电器会产生火花，应先关阀、开窗。", "燃气泄漏处置"),
    ("从业人员发现直接危及人身安全的紧急情况时，有权停止作业后撤离。", "T", "见安全生产法第五十五条。", "紧急撤离权"),
    ("灭火器压力表指针在红色区域时，仍可以正常使用。", "F", "红区表示压力不足，应当送修或更换。", "灭火器压力表"),
)


async def load_content(city: City, *, now: datetime) -> None:
    """Items are there from the beginning, since exams of six years ago draw on them; courses for a year."""
    async with city.work() as session:
        author_id, reviewer_id = await item_author_and_reviewer(session, vault=city.vault, now=now)
        await load_items(session, ITEMS, author_id=author_id, reviewer_id=reviewer_id, now=now)
    async with city.work() as session:
        versions = await load_courses(session, city.store, COURSES, days_ago(city.now, 400))
        version_of = {version.course_id: version.id for version in versions}
        for offered in await list_offered_courses(session):
            city.courses[offered.code] = Course(
                offered.course_id, version_of[offered.course_id], offered.code, offered.title, str(offered.class_hours)
            )


async def leave_drafts(city: City) -> None:
    """A draft, one that waits for review, one returned with a note, one that waits to be published."""
    editor, reviewer = city.who("editor"), city.who("question_reviewer")
    async with city.work() as session:
        for place, (stem, key, explanation, key_point) in enumerate(_DRAFTS):
            written = days_ago(city.now, 6 - place, 10, place * 9)
            content = ItemContent(
                type=ItemType.TF, area=1 + place, level=ItemLevel.GRASP, key_point=key_point, stem=stem, key=key,
                explanation=explanation, source="演示用草稿",
            )  # fmt: skip
            revision = await create_item(session, subject="GEN", content=content, author_id=editor, now=written)
            if place == 0:
                continue
            await submit_revision(
                session, revision_id=revision.id, actor_id=editor, now=written + timedelta(minutes=12)
            )
            looked_at = written + timedelta(hours=4)
            if place == 2:  # noqa: PLR2004 - the third goes back
                await return_revision(
                    session, revision_id=revision.id, reviewer_id=reviewer, note="请在依据中写明条款和适用条件。",
                    now=looked_at,
                )  # fmt: skip
            elif place == 3:  # noqa: PLR2004 - the last is approved
                await approve_revision(session, revision_id=revision.id, reviewer_id=reviewer, now=looked_at)

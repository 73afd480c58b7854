"""Writing, reviewing, publishing and retiring items."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import select, update

from question_bank.authoring import create_item, save_revision, submit_revision
from question_bank.errors import (
    BadItem,
    CodeTaken,
    DuplicateStem,
    EditedMeanwhile,
    NoteMissing,
    NotSubmitted,
    SelfReview,
    WrongStatus,
)
from question_bank.listing import ItemFilter, count_waiting, get_item, list_items, list_to_review
from question_bank.models import ItemRevision, ItemType, RevisionStatus
from question_bank.queries import load_pool
from question_bank.review import approve_revision, publish_revision, retire_revision, return_revision
from tests.makers.items import Desk, make_content, make_desk, make_published, published_revision
from training.audit import list_entries

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault


@pytest.fixture
async def desk(session: AsyncSession, vault: Vault, now: datetime) -> Desk:
    return await make_desk(session, vault, now=now)


async def draft(session: AsyncSession, desk: Desk, now: datetime, **changes: object) -> ItemRevision:
    content = make_content(**changes)  # type: ignore[arg-type]
    return await create_item(session, subject="GEN", content=content, author_id=desk.editor.person.id, now=now)


async def test_an_item_goes_from_draft_to_the_pool_and_out_again(
    session: AsyncSession, desk: Desk, now: datetime
) -> None:
    revision = await draft(session, desk, now)
    editor, reviewer = desk.editor.person.id, desk.reviewer.person.id
    await submit_revision(session, revision_id=revision.id, actor_id=editor, now=now)
    await approve_revision(session, revision_id=revision.id, reviewer_id=reviewer, now=now)
    assert (await load_pool(session, "GEN")).items == ()
    await publish_revision(session, revision_id=revision.id, actor_id=reviewer, now=now)
    assert [item.revision_id for item in (await load_pool(session, "GEN")).items] == [revision.id]
    await retire_revision(session, revision_id=revision.id, actor_id=reviewer, reason="法规已修订", now=now)
    assert (await load_pool(session, "GEN")).items == ()
    entries = await list_entries(session, target=("item_revision", revision.id))
    assert {entry.action for entry in entries} == {
        "item.drafted", "item.submitted", "item.approved", "item.published", "item.retired",
    }  # fmt: skip


async def test_codes_count_on_within_a_cell(session: AsyncSession, desk: Desk, now: datetime) -> None:
    first, second = await draft(session, desk, now), await draft(session, desk, now)
    other = await draft(session, desk, now, item_type=ItemType.TF)
    codes = [(await get_item(session, revision.item_id)).code for revision in (first, second, other)]
    assert codes == ["GEN-01-SC-001", "GEN-01-SC-002", "GEN-01-TF-001"]
    with pytest.raises(CodeTaken):
        await create_item(
            session, subject="GEN", content=make_content(), author_id=desk.editor.person.id, now=now, code=codes[0]
        )


async def test_the_author_cannot_review_or_publish_their_own(session: AsyncSession, desk: Desk, now: datetime) -> None:
    revision = await draft(session, desk, now)
    editor = desk.editor.person.id
    await submit_revision(session, revision_id=revision.id, actor_id=editor, now=now)
    with pytest.raises(SelfReview):
        await approve_revision(session, revision_id=revision.id, reviewer_id=editor, now=now)
    await approve_revision(session, revision_id=revision.id, reviewer_id=desk.reviewer.person.id, now=now)
    with pytest.raises(SelfReview):
        await publish_revision(session, revision_id=revision.id, actor_id=editor, now=now)


async def test_the_database_itself_refuses_a_self_review(session: AsyncSession, desk: Desk, now: datetime) -> None:
    revision = await draft(session, desk, now)
    statement = update(ItemRevision).where(ItemRevision.id == revision.id).values(reviewed_by=revision.author_id)  # type: ignore[arg-type]
    with pytest.raises(IntegrityError):
        await session.exec(statement)


async def test_the_database_itself_keeps_the_wording(session: AsyncSession, desk: Desk, now: datetime) -> None:
    revision = await draft(session, desk, now)
    statement = update(ItemRevision).where(ItemRevision.id == revision.id).values(stem="别的题干")  # type: ignore[arg-type]
    with pytest.raises(IntegrityError):
        await session.exec(statement)


async def test_a_change_is_a_new_revision_and_the_old_one_stays_in_use_until_then(
    session: AsyncSession, desk: Desk, now: datetime
) -> None:
    content = make_content()
    item_id = await make_published(session, desk, now=now, content=content)
    old = await published_revision(session, item_id)
    editor, reviewer = desk.editor.person.id, desk.reviewer.person.id
    changed = replace(content, explanation="新的解析。")
    later = now + timedelta(minutes=1)
    new = await save_revision(session, item_id=item_id, based_on=1, content=changed, author_id=editor, now=later)
    again = await save_revision(session, item_id=item_id, based_on=1, content=changed, author_id=editor, now=later)
    assert (new.number, again.id) == (2, new.id)
    assert (await published_revision(session, item_id)).id == old.id
    await submit_revision(session, revision_id=new.id, actor_id=editor, now=later)
    await approve_revision(session, revision_id=new.id, reviewer_id=reviewer, now=later)
    await publish_revision(session, revision_id=new.id, actor_id=reviewer, now=later)
    view = await get_item(session, item_id)
    assert [seen.status for seen in view.revisions] == [RevisionStatus.PUBLISHED, RevisionStatus.RETIRED]
    assert [change.field for change in view.newest.changes] == ["explanation"]


async def test_a_second_draft_ends_the_first_and_a_stale_page_is_told(
    session: AsyncSession, desk: Desk, now: datetime
) -> None:
    first = await draft(session, desk, now)
    editor = desk.editor.person.id
    ways = [make_content(), make_content()]
    await save_revision(session, item_id=first.item_id, based_on=1, content=ways[0], author_id=editor, now=now)
    with pytest.raises(EditedMeanwhile):
        await save_revision(session, item_id=first.item_id, based_on=1, content=ways[1], author_id=editor, now=now)
    view = await get_item(session, first.item_id)
    assert [seen.status for seen in view.revisions] == [RevisionStatus.DRAFT, RevisionStatus.RETIRED]


async def test_what_is_returned_says_why_and_can_be_submitted_again(
    session: AsyncSession, desk: Desk, now: datetime
) -> None:
    revision = await draft(session, desk, now)
    editor, reviewer = desk.editor.person.id, desk.reviewer.person.id
    with pytest.raises(NotSubmitted):
        await return_revision(session, revision_id=revision.id, reviewer_id=reviewer, note="依据有误", now=now)
    await submit_revision(session, revision_id=revision.id, actor_id=editor, now=now)
    with pytest.raises(NoteMissing):
        await return_revision(session, revision_id=revision.id, reviewer_id=reviewer, note=" ", now=now)
    assert (await count_waiting(session, person_id=reviewer)).to_review == 1
    assert (await count_waiting(session, person_id=editor)).to_review == 0
    await return_revision(session, revision_id=revision.id, reviewer_id=reviewer, note="依据有误", now=now)
    assert (await count_waiting(session, person_id=editor)).returned == 1
    await submit_revision(session, revision_id=revision.id, actor_id=editor, now=now)
    assert len(await list_to_review(session, person_id=reviewer)) == 1


async def test_only_a_reviewed_revision_is_published(session: AsyncSession, desk: Desk, now: datetime) -> None:
    revision = await draft(session, desk, now)
    with pytest.raises(WrongStatus):
        await publish_revision(session, revision_id=revision.id, actor_id=desk.reviewer.person.id, now=now)


async def test_the_same_question_is_not_kept_twice(session: AsyncSession, desk: Desk, now: datetime) -> None:
    content = make_content()
    await make_published(session, desk, now=now, content=content)
    shuffled = replace(content, options=content.options[::-1], key="C", stem=content.stem.replace("，", ","))
    with pytest.raises(DuplicateStem):
        await create_item(session, subject="GEN", content=shuffled, author_id=desk.editor.person.id, now=now)


async def test_all_faults_are_told_at_once(session: AsyncSession, desk: Desk, now: datetime) -> None:
    bad = make_content(stem=" ", key="E", source="", options=("甲", "甲", "以上都对", "丁"))
    with pytest.raises(BadItem) as told:
        await create_item(session, subject="GEN", content=bad, author_id=desk.editor.person.id, now=now)
    assert [fault.field for fault in told.value.faults] == ["stem", "source", "options", "options", "key"]
    assert (await session.exec(select(ItemRevision))).all() == []


async def test_a_list_is_filtered_by_what_the_newest_revision_says(
    session: AsyncSession, desk: Desk, now: datetime
) -> None:
    await make_published(session, desk, now=now, content=make_content(stem="灭火器（　）。"))
    submitted = await draft(session, desk, now, item_type=ItemType.TF)
    await submit_revision(session, revision_id=submitted.id, actor_id=desk.editor.person.id, now=now)
    everything = await list_items(session, ItemFilter(subject="GEN"))
    assert (everything.total, everything.pages) == (2, 1)
    by_words = await list_items(session, ItemFilter(words="灭火"))
    assert [row.is_published for row in by_words.rows] == [True]
    waiting = await list_items(session, ItemFilter(status="SUBMITTED"))
    assert [row.item_id for row in waiting.rows] == [submitted.item_id]
    nothing = await list_items(session, ItemFilter(subject="GEN", area=5, words="100%_"))
    assert (nothing.total, nothing.rows) == (0, ())

"""Items, revisions and reviewers with defaults for everything."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlmodel import select

from question_bank.bulk import publish_many
from question_bank.content import ItemContent
from question_bank.models import Item, ItemLevel, ItemRevision, ItemType, RevisionStatus
from seed.item_files import ITEMS, load_items
from tests.makers.people import Known, make_organisation, make_role
from training.models import OrganisationKind, Role

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.models import Organisation
    from training.vault import Vault

_numbers = itertools.count(1)


@dataclass(frozen=True)
class Desk:
    """An authority with an editor and a reviewer."""

    authority: Organisation
    editor: Known
    reviewer: Known


async def make_desk(session: AsyncSession, vault: Vault, *, now: datetime) -> Desk:
    authority = await make_organisation(session, now=now, kind=OrganisationKind.AUTHORITY, name="演示考核发证机关")
    editor = await make_role(session, vault, role=Role.QUESTION_EDITOR, organisation=authority, now=now, name="陈编题")
    reviewer = await make_role(
        session, vault, role=Role.QUESTION_REVIEWER, organisation=authority, now=now, name="周审题"
    )
    return Desk(authority, editor, reviewer)


def make_content(item_type: ItemType = ItemType.SC, **changes: object) -> ItemContent:
    """A sound item whose stem no other has."""
    number = next(_numbers)
    defaults = {
        ItemType.TF: {"key": "T"},
        ItemType.SC: {"key": "B", "options": ("切断电源", "先报警", "用水扑救", "离开现场")},
        ItemType.MC: {"key": "ABD", "options": ("戴安全帽", "系安全带", "穿拖鞋", "检查工具")},
    }[item_type]
    content = ItemContent(
        type=item_type,
        area=1,
        level=ItemLevel.GRASP,
        key_point=f"要点{number}",
        stem=f"第{number}种情况下，应当（　）。",
        explanation="规程这样要求。",
        source="《中华人民共和国安全生产法》（2021修正）第五十七条",
        **defaults,  # type: ignore[arg-type]
    )
    return replace(content, **changes)  # type: ignore[arg-type]


async def make_published(
    session: AsyncSession, desk: Desk, *, now: datetime, subject: str = "GEN", content: ItemContent | None = None
) -> UUID:
    """A published item; gives its id."""
    code = f"{subject}-T-{next(_numbers)}"
    await publish_many(
        session, subject=subject, contents={code: content or make_content()}, author_id=desk.editor.person.id,
        reviewer_id=desk.reviewer.person.id, now=now,
    )  # fmt: skip
    return (await session.exec(select(Item.id).where(Item.code == code))).one()


async def make_bank(session: AsyncSession, vault: Vault, *, now: datetime) -> Desk:
    """The shipped bank, published."""
    desk = await make_desk(session, vault, now=now)
    await load_items(
        session, ITEMS, author_id=desk.editor.person.id, reviewer_id=desk.reviewer.person.id, now=now
    )  # fmt: skip
    return desk


async def published_revision(session: AsyncSession, item_id: UUID) -> ItemRevision:
    statement = select(ItemRevision).where(
        ItemRevision.item_id == item_id, ItemRevision.status == RevisionStatus.PUBLISHED
    )
    return (await session.exec(statement)).one()

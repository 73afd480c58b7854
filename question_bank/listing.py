"""What the pages of the editors show: lists of items, one item with its history, what waits."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy
from sqlalchemy.orm import aliased
from sqlmodel import col, func, or_, select

from question_bank.bulk import content_of
from question_bank.content import LETTERS, ItemContent
from question_bank.models import Item, ItemEstimate, ItemLevel, ItemRevision, ItemType, RevisionStatus
from training.errors import NotFound
from training.models import Person

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

PAGE = 50
_LAST_PAGE = 100_000
_CODED = frozenset({"type", "area", "level", "is_local", "key"})
_OPEN = (RevisionStatus.DRAFT, RevisionStatus.REVIEWED)


@dataclass(frozen=True)
class ItemFilter:
    """What to list. `status` may also be SUBMITTED: drafts that wait for review.

    `unjudged_by` keeps what that reviewer could estimate the difficulty of and has not yet.
    """

    subject: str = ""
    area: int | None = None
    type: ItemType | None = None
    level: ItemLevel | None = None
    status: str = ""
    words: str = ""
    unjudged_by: UUID | None = None


@dataclass(frozen=True)
class ItemRow:
    """An item in a list: its newest revision, and whether another one is in use."""

    item_id: UUID
    code: str
    subject: str
    number: int
    type: ItemType
    area: int
    level: ItemLevel
    stem: str
    status: RevisionStatus
    is_submitted: bool
    is_published: bool
    created_at: datetime


@dataclass(frozen=True)
class ItemPage:
    """One page of a list."""

    rows: tuple[ItemRow, ...]
    total: int
    page: int

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.total // PAGE))


@dataclass(frozen=True)
class Change:
    """One field as it was and is: pieces of text, each "same", "out" or "in"; codes change as a whole."""

    field: str
    pieces: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class RevisionView:
    """One revision with who did what, and what it changed of the one before."""

    id: UUID
    number: int
    status: RevisionStatus
    content: ItemContent
    author_id: UUID
    author: str
    created_at: datetime
    submitted_at: datetime | None
    reviewer: str
    reviewed_at: datetime | None
    published_at: datetime | None
    retired_at: datetime | None
    note: str
    changes: tuple[Change, ...]

    @property
    def is_submitted(self) -> bool:
        """Whether it waits for a reviewer."""
        return self.status is RevisionStatus.DRAFT and self.submitted_at is not None


@dataclass(frozen=True)
class ItemView:
    """One item with its revisions, the newest first."""

    id: UUID
    code: str
    subject: str
    revisions: tuple[RevisionView, ...]

    @property
    def newest(self) -> RevisionView:
        """The revision that an edit starts from."""
        return self.revisions[0]

    @property
    def published(self) -> RevisionView | None:
        """The revision in use, if any."""
        return next((seen for seen in self.revisions if seen.status is RevisionStatus.PUBLISHED), None)


async def list_items(session: AsyncSession, wanted: ItemFilter, *, page: int = 1) -> ItemPage:
    """Items by code, each with its newest revision, filtered by what that revision says."""
    page = min(max(page, 1), _LAST_PAGE)
    newest = (
        select(ItemRevision.item_id, func.max(ItemRevision.number).label("number"))
        .group_by(col(ItemRevision.item_id))
        .subquery()
    )
    in_use: Any = aliased(ItemRevision)
    base: Any = (
        sqlalchemy.select(Item, ItemRevision, col(in_use.id).is_not(None), func.count().over().label("total"))
        .join(newest, newest.c.item_id == col(Item.id))
        .join(
            ItemRevision,
            sqlalchemy.and_(col(ItemRevision.item_id) == newest.c.item_id, col(ItemRevision.number) == newest.c.number),
        )
        .outerjoin(
            in_use,
            sqlalchemy.and_(col(in_use.item_id) == col(Item.id), col(in_use.status) == RevisionStatus.PUBLISHED),
        )
        .where(*_conditions(wanted))
        .order_by(col(Item.code))
        .limit(PAGE)
        .offset(PAGE * (page - 1))
    )
    rows = (await session.exec(base)).all()
    if not rows and page > 1:
        return await list_items(session, wanted)
    listed = tuple(
        ItemRow(
            item_id=item.id, code=item.code, subject=item.subject, number=revision.number, type=revision.type,
            area=revision.area, level=revision.level, stem=revision.stem, status=revision.status,
            is_submitted=_is_submitted(revision), is_published=bool(is_published), created_at=revision.created_at,
        )
        for item, revision, is_published, _ in rows
    )  # fmt: skip
    return ItemPage(rows=listed, total=rows[0].total if rows else 0, page=page)


def _is_submitted(revision: ItemRevision) -> bool:
    return revision.status is RevisionStatus.DRAFT and revision.submitted_at is not None


def _conditions(wanted: ItemFilter) -> list[Any]:
    conditions: list[Any] = []
    if wanted.subject:
        conditions.append(col(Item.subject) == wanted.subject)
    if wanted.area is not None:
        conditions.append(col(ItemRevision.area) == wanted.area)
    if wanted.type is not None:
        conditions.append(col(ItemRevision.type) == wanted.type)
    if wanted.level is not None:
        conditions.append(col(ItemRevision.level) == wanted.level)
    if wanted.status == "SUBMITTED":
        conditions += [col(ItemRevision.status) == RevisionStatus.DRAFT, col(ItemRevision.submitted_at).is_not(None)]
    elif wanted.status in set(RevisionStatus):
        conditions.append(col(ItemRevision.status) == RevisionStatus(wanted.status))
    if wanted.unjudged_by is not None:
        own = select(ItemEstimate.percent).where(
            ItemEstimate.revision_id == ItemRevision.id, ItemEstimate.reviewer_id == wanted.unjudged_by
        )
        conditions += [
            ~own.correlate(ItemRevision).exists(),
            col(ItemRevision.author_id) != wanted.unjudged_by,
            col(ItemRevision.status) != RevisionStatus.RETIRED,
        ]
    for word in wanted.words.split():
        conditions.append(
            or_(
                col(ItemRevision.stem).icontains(word, autoescape=True),
                col(ItemRevision.key_point).icontains(word, autoescape=True),
                col(ItemRevision.source).icontains(word, autoescape=True),
                col(Item.code).icontains(word, autoescape=True),
            )
        )
    return conditions


async def get_item(session: AsyncSession, item_id: UUID) -> ItemView:
    """One item with all its revisions. Raises `NotFound`."""
    item = await session.get(Item, item_id)
    if item is None:
        raise NotFound
    author: Any = aliased(Person)
    reviewer: Any = aliased(Person)
    statement: Any = (
        sqlalchemy.select(ItemRevision, author.name, reviewer.name)
        .join(author, col(author.id) == col(ItemRevision.author_id))
        .outerjoin(reviewer, col(reviewer.id) == col(ItemRevision.reviewed_by))
        .where(col(ItemRevision.item_id) == item_id)
        .order_by(col(ItemRevision.number))
    )
    rows = (await session.exec(statement)).all()
    before: ItemContent | None = None
    views = []
    for revision, author_name, reviewer_name in rows:
        content = content_of(revision)
        views.append(_view_of(revision, content, before, author_name, reviewer_name or ""))
        before = content
    return ItemView(id=item.id, code=item.code, subject=item.subject, revisions=tuple(reversed(views)))


def _view_of(
    revision: ItemRevision, content: ItemContent, before: ItemContent | None, author: str, reviewer: str
) -> RevisionView:
    return RevisionView(
        id=revision.id, number=revision.number, status=revision.status, content=content,
        author_id=revision.author_id, author=author, created_at=revision.created_at,
        submitted_at=revision.submitted_at, reviewer=reviewer, reviewed_at=revision.reviewed_at,
        published_at=revision.published_at, retired_at=revision.retired_at, note=revision.review_note,
        changes=list_changes(before, content) if before else (),
    )  # fmt: skip


def list_changes(before: ItemContent, after: ItemContent) -> tuple[Change, ...]:
    """What differs between two contents, field by field and piece by piece."""
    found = []
    was, now = _as_texts(before), _as_texts(after)
    for name in dict.fromkeys([*was, *now]):
        old, new = was.get(name, ""), now.get(name, "")
        if old != new:
            whole = (("out", old), ("in", new))
            found.append(Change(name, whole if name in _CODED else tuple(_pieces(old, new))))
    return tuple(found)


def _as_texts(content: ItemContent) -> dict[str, str]:
    texts = {
        "type": content.type.value, "area": str(content.area), "level": content.level.value,
        "key_point": content.key_point, "is_local": "1" if content.is_local else "0", "stem": content.stem,
    }  # fmt: skip
    texts |= {f"option_{letter}": option for letter, option in zip(LETTERS, content.options, strict=False)}
    return texts | {"key": content.key, "explanation": content.explanation, "source": content.source}


def _pieces(old: str, new: str) -> list[tuple[str, str]]:
    pieces = []
    for tag, a, b, c, d in difflib.SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if tag == "equal":
            pieces.append(("same", old[a:b]))
            continue
        if a < b:
            pieces.append(("out", old[a:b]))
        if c < d:
            pieces.append(("in", new[c:d]))
    return pieces


@dataclass(frozen=True)
class Waiting:
    """How many revisions wait for whom."""

    to_review: int = 0
    to_publish: int = 0
    returned: int = 0
    drafts: int = 0


async def count_waiting(session: AsyncSession, *, person_id: UUID) -> Waiting:
    """Counts for a person: what may be reviewed or published by them, and their own open drafts."""
    others = col(ItemRevision.author_id) != person_id
    is_draft = col(ItemRevision.status) == RevisionStatus.DRAFT
    with_author = sqlalchemy.and_(is_draft, col(ItemRevision.submitted_at).is_(None), ~others)
    statement: Any = sqlalchemy.select(
        func.count().filter(is_draft, col(ItemRevision.submitted_at).is_not(None), others),
        func.count().filter(col(ItemRevision.status) == RevisionStatus.REVIEWED, others),
        func.count().filter(with_author, col(ItemRevision.review_note) != ""),
        func.count().filter(with_author, col(ItemRevision.review_note) == ""),
    ).where(col(ItemRevision.status).in_(_OPEN))
    return Waiting(*(await session.exec(statement)).one())


async def list_to_review(
    session: AsyncSession, *, person_id: UUID, limit: int = 10
) -> Sequence[tuple[Item, ItemRevision]]:
    """The drafts that wait for a review by this person, the longest waiting first."""
    statement = (
        select(Item, ItemRevision)
        .join(ItemRevision, col(ItemRevision.item_id) == Item.id)
        .where(
            ItemRevision.status == RevisionStatus.DRAFT,
            col(ItemRevision.submitted_at).is_not(None),
            col(ItemRevision.author_id) != person_id,
        )
        .order_by(col(ItemRevision.submitted_at))
        .limit(limit)
    )
    return (await session.exec(statement)).all()

"""An upload on its way into the bank: preview, then all of it as drafts or nothing."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlmodel import insert

from question_bank.authoring import next_code
from question_bank.bulk import content_columns
from question_bank.content import ItemContent, fingerprint, plain_text
from question_bank.duplicates import list_fingerprints
from question_bank.importing.enemies import find_faults, set_named
from question_bank.importing.rows import ReadRow, understand
from question_bank.importing.sheets import read_rows
from question_bank.models import Item, ItemImport, ItemLevel, ItemRevision, ItemType, RevisionStatus
from question_bank.queries import get_blueprint
from training import audit
from training.columns import new_id
from training.errors import N_, BadInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession


_FEW = 3


class NotClean(BadInput):
    """Some row has faults, so none is taken in."""

    message = N_("还有 {count} 行需要修改，本次没有导入任何题目。请在文件中改正后重新上传。")


@dataclass(frozen=True)
class RowView:
    """One row of the preview. A fault is a message and its values, translated where it is shown."""

    sheet: str
    number: int
    stem: str
    type: ItemType | None
    area: int | None
    key: str
    faults: tuple[tuple[str, dict[str, Any]], ...]
    warnings: tuple[tuple[str, dict[str, Any]], ...]
    enemies: tuple[str, ...] = ()


@dataclass(frozen=True)
class ImportView:
    """An upload as its owner sees it."""

    id: UUID
    subject: str
    created_at: datetime
    confirmed_at: datetime | None
    rows: tuple[RowView, ...]

    @property
    def faulty(self) -> tuple[RowView, ...]:
        """The rows that must be mended."""
        return tuple(row for row in self.rows if row.faults)

    @property
    def common(self) -> tuple[str, ...]:
        """Faults that every row has: mostly a column that the file lacks. Told once, not per row."""
        if len(self.rows) < _FEW:
            return ()
        shared = set.intersection(*({message for message, values in row.faults if not values} for row in self.rows))
        return tuple(message for message, _ in self.rows[0].faults if message in shared)

    @property
    def doubtful(self) -> tuple[RowView, ...]:
        """Sound rows that deserve a second look."""
        return tuple(row for row in self.rows if row.warnings and not row.faults)


async def preview_import(
    session: AsyncSession, *, subject: str, data: bytes, actor_id: UUID, now: datetime
) -> ItemImport:
    """Read an upload and keep what was understood, with the faults of every row.

    Raises `UnknownBlueprint`, `NotAWorkbook`, `UnknownLayout`, `TooManyRows`.
    """
    areas = (await get_blueprint(session, subject)).areas
    read = await asyncio.to_thread(_read, data, areas)
    known = await list_fingerprints(session, subject)
    rows = _with_duplicates(read, known)
    faults = await find_faults(session, subject, rows)
    for row in rows:
        row["faults"] += [_as_json(fault) for fault in faults.get((row["sheet"], row["row"]), ())]
    kept = ItemImport(subject=subject, created_by=actor_id, created_at=now, rows=rows)
    session.add(kept)
    await session.flush()
    return kept


def _read(data: bytes, areas: Mapping[int, str]) -> list[ReadRow]:
    return [understand(row, areas=areas) for row in read_rows(data)]


def _with_duplicates(read: Iterable[ReadRow], known: Mapping[Any, str]) -> list[dict[str, Any]]:
    seen: dict[Any, int] = {}
    stems = {stem for stem, _ in known}
    kept = []
    for row in read:
        faults, warnings = list(row.faults), []
        if row.content is not None and plain_text(row.content.stem):
            mark = fingerprint(row.content)
            if mark in known:
                faults.append(BadInput(N_("题库中已有相同的题目（{code}）。"), code=known[mark]))
            elif mark in seen:
                faults.append(BadInput(N_("与第 {row} 行重复。"), row=seen[mark]))
            elif mark[0] in stems:
                warnings.append(BadInput(N_("题干与另一道题相同，但选项不同，请确认不是重复题。")))
            seen.setdefault(mark, row.number)
            stems.add(mark[0])
        kept.append(
            {
                "sheet": row.sheet,
                "row": row.number,
                "stem": row.stem[:500],
                "content": content_columns(row.content) if row.content else None,
                "faults": [_as_json(fault) for fault in faults],
                "warnings": [_as_json(warning) for warning in warnings],
                "enemies": list(row.enemies),
            }
        )
    return kept


def _as_json(fault: BadInput) -> list[Any]:
    return [fault.template, fault.params]


async def get_import(session: AsyncSession, import_id: UUID, *, viewer_id: UUID) -> ImportView:
    """One's own upload. Raises `NotFound`."""
    kept = await session.get(ItemImport, import_id)
    if kept is None or kept.created_by != viewer_id:
        raise NotFound
    rows = tuple(
        RowView(
            sheet=row["sheet"],
            number=row["row"],
            stem=row["stem"],
            type=ItemType(row["content"]["type"]) if row["content"] else None,
            area=row["content"]["area"] if row["content"] else None,
            key=row["content"]["key"] if row["content"] else "",
            faults=tuple((message, values) for message, values in row["faults"]),
            warnings=tuple((message, values) for message, values in row["warnings"]),
            enemies=tuple(row.get("enemies", ())),
        )
        for row in kept.rows
    )
    return ImportView(
        id=kept.id, subject=kept.subject, created_at=kept.created_at, confirmed_at=kept.confirmed_at, rows=rows
    )


async def confirm_import(session: AsyncSession, *, import_id: UUID, actor_id: UUID, now: datetime) -> int:
    """Take every row in as a draft; gives their number. Asked again it adds nothing.

    Raises `NotFound`, and `NotClean` if a row has a fault or has meanwhile come into the bank.
    """
    kept = await session.get(ItemImport, import_id, with_for_update=True)
    if kept is None or kept.created_by != actor_id:
        raise NotFound
    if kept.confirmed_at is not None:
        return len(kept.rows)
    contents = [_content_of(row["content"]) for row in kept.rows if row["content"] and not row["faults"]]
    known = await list_fingerprints(session, kept.subject)
    faulty = len(kept.rows) - sum(fingerprint(content) not in known for content in contents)
    if faulty:
        raise NotClean(count=faulty)
    ids = await _add_drafts(session, kept.subject, contents, author_id=actor_id, now=now)
    await set_named(session, kept.subject, kept.rows, ids, actor_id=actor_id, now=now)
    kept.confirmed_at = now
    session.add(kept)
    audit.record(
        session,
        action="item.imported",
        target=("item_import", kept.id),
        actor_id=actor_id,
        now=now,
        count=len(contents),
    )
    return len(contents)


def _content_of(row: dict[str, Any]) -> ItemContent:
    told = {"type": ItemType(row["type"]), "level": ItemLevel(row["level"]), "options": tuple(row["options"])}
    return ItemContent(**{**row, **told})


async def _add_drafts(
    session: AsyncSession, subject: str, contents: list[ItemContent], *, author_id: UUID, now: datetime
) -> list[UUID]:
    codes = await _codes_for(session, subject, contents)
    ids = [new_id() for _ in contents]
    items = [
        {"id": item_id, "code": code, "subject": subject, "created_at": now, "created_by": author_id}
        for item_id, code in zip(ids, codes, strict=True)
    ]
    await session.exec(insert(Item), params=items)
    state = {"number": 1, "status": RevisionStatus.DRAFT, "author_id": author_id, "created_at": now, "review_note": ""}
    revisions = [
        {"id": new_id(), "item_id": item_id} | content_columns(content) | state
        for item_id, content in zip(ids, contents, strict=True)
    ]
    await session.exec(insert(ItemRevision), params=revisions)
    return ids


async def _codes_for(session: AsyncSession, subject: str, contents: list[ItemContent]) -> list[str]:
    # The cells are locked in a steady order, so that two imports cannot wait for each other.
    first: dict[tuple[int, ItemType], str] = {}
    for content in sorted(contents, key=lambda content: (content.area, content.type)):
        if (content.area, content.type) not in first:
            first[content.area, content.type] = await next_code(session, subject=subject, content=content)
    used: Counter[tuple[int, ItemType]] = Counter()
    codes = []
    for content in contents:
        cell = (content.area, content.type)
        prefix, _, number = first[cell].rpartition("-")
        codes.append(f"{prefix}-{int(number) + used[cell]:03d}")
        used[cell] += 1
    return codes

"""Enemies as an item list names them: by their codes in the bank, or by their rows of the same sheet."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any

from sqlmodel import col, select

from question_bank.difficulty import set_enemies
from question_bank.models import Item
from training.errors import N_, BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

_ROW = re.compile(r"第?\s*(\d{1,5})\s*行")
_BETWEEN = re.compile(r"[\s,、;|/]+")
_LONGEST = 60
REASON = "由导入的题目表设定"


def read_names(text: str) -> list[str]:
    """What a cell names: codes in capitals, and rows as "5行"."""
    plain = _ROW.sub(r" \1行 ", unicodedata.normalize("NFKC", text))
    return list(dict.fromkeys(name.upper() for name in _BETWEEN.split(plain) if name))


async def find_faults(
    session: AsyncSession, subject: str, rows: Sequence[Mapping[str, Any]]
) -> dict[tuple[str, int], list[BadInput]]:
    """What is wrong with the names of each row, by sheet and number."""
    codes = await _ids_by_code(session, subject, rows)
    places = {(row["sheet"], row["row"]) for row in rows}
    faults: dict[tuple[str, int], list[BadInput]] = {}
    for row in rows:
        here = (row["sheet"], row["row"])
        for name in row["enemies"]:
            place = _place(row["sheet"], name)
            if place == here:
                faults.setdefault(here, []).append(BadInput(N_("一道题不能与自己互斥。")))
            elif place not in places and name not in codes:
                message = N_("互斥题“{name}”不在本题库，也不是本表的行号（行号写作“第 5 行”）。")
                faults.setdefault(here, []).append(BadInput(message, name=name[:_LONGEST]))
    return faults


async def set_named(
    session: AsyncSession,
    subject: str,
    rows: Sequence[Mapping[str, Any]],
    ids: Sequence[UUID],
    *,
    actor_id: UUID,
    now: datetime,
) -> None:
    """Make enemies of what the rows name; `ids` are the items that the rows became."""
    codes = await _ids_by_code(session, subject, rows)
    became = {(row["sheet"], row["row"]): item_id for row, item_id in zip(rows, ids, strict=True)}
    for row, item_id in zip(rows, ids, strict=True):
        for name in row.get("enemies", ()):
            place = _place(row["sheet"], name)
            other = became[place] if place else codes[name]
            await set_enemies(
                session, item_id=item_id, other_id=other, are_enemies=True, actor_id=actor_id, now=now, reason=REASON
            )


def _place(sheet: str, name: str) -> tuple[str, int] | None:
    found = _ROW.fullmatch(name)
    return (sheet, int(found[1])) if found else None


async def _ids_by_code(session: AsyncSession, subject: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, UUID]:
    names = {name for row in rows for name in row.get("enemies", ())}
    if not names:
        return {}
    statement = select(Item.code, Item.id).where(Item.subject == subject, col(Item.code).in_(names))
    return dict((await session.exec(statement)).all())

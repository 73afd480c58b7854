"""Items as files: `<folder>/<BLUEPRINT>/area-<NN>.toml`, read, checked and published."""

from __future__ import annotations

import asyncio
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from question_bank.bulk import Published, publish_many
from question_bank.content import ItemContent, clean_content, find_faults
from question_bank.models import ItemLevel, ItemType
from question_bank.queries import get_blueprint
from training.errors import N_, BadInput

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

ITEMS = Path(__file__).parent / "items"
LEVELS = {"了解": ItemLevel.KNOW, "掌握": ItemLevel.GRASP, "熟练掌握": ItemLevel.MASTER}
_FILE = re.compile(r"area-(\d\d)\.toml")


class BadItemFile(BadInput):
    """A file that cannot be loaded as a whole; nothing of it is."""

    message = N_("题目文件 {file} 中 {code} 有误：{why}")


async def load_items(
    session: AsyncSession, folder: Path, *, author_id: UUID, reviewer_id: UUID, now: datetime
) -> Published:
    """Publish every item below a folder; asked again it changes nothing.

    Raises `BadItemFile` at the first faulty item, `UnknownBlueprint` for a folder without one.
    """
    done = Published()
    read = await asyncio.to_thread(read_items, folder)
    for subject, contents in read.items():
        areas = (await get_blueprint(session, subject)).areas
        for code, content in contents.items():
            for fault in find_faults(content, areas=areas):
                raise BadItemFile(file=subject, code=code, why=str(fault))
        done += await publish_many(
            session, subject=subject, contents=contents, author_id=author_id, reviewer_id=reviewer_id, now=now
        )
    return done


def read_items(folder: Path) -> dict[str, dict[str, ItemContent]]:
    """The cleaned contents by subject and code. Raises `BadItemFile`."""
    found: dict[str, dict[str, ItemContent]] = {}
    for path in sorted(folder.glob("*/area-*.toml")):
        subject = path.parent.name
        contents = found.setdefault(subject, {})
        for row in _read_rows(path):
            code = str(row.get("code", ""))
            if code in contents:
                raise BadItemFile(file=f"{subject}/{path.name}", code=code, why=N_("编号重复"))
            contents[code] = _content_of(row, path)
    return found


def _read_rows(path: Path) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = tomllib.loads(path.read_text("utf-8"))["item"]
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError) as error:
        raise BadItemFile(file=f"{path.parent.name}/{path.name}", code="", why=str(error)) from error
    return rows


def _content_of(row: dict[str, Any], path: Path) -> ItemContent:
    subject, code = path.parent.name, str(row.get("code", ""))
    place = _FILE.fullmatch(path.name)
    try:
        if place is None or not code.startswith(f"{subject}-{place[1]}-{row['type']}-"):
            raise BadItemFile(file=f"{subject}/{path.name}", code=code, why=N_("编号与所在文件不一致"))
        return clean_content(
            ItemContent(
                type=ItemType(row["type"]),
                area=int(place[1]),
                level=LEVELS[row["level"]],
                key_point=row["key_point"],
                stem=row["stem"],
                key=row["key"],
                options=tuple(row.get("options", ())),
                explanation=row["explanation"],
                source=row["source"],
                is_local=row.get("local", False),
            )
        )
    except (KeyError, ValueError) as error:
        raise BadItemFile(file=f"{subject}/{path.name}", code=code, why=str(error)) from error

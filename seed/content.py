"""Loading of content from files: rules, qualifications, blueprints, items and courses."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlmodel import col, select

from exams.models import Qualification, QualificationKind
from question_bank.models import Blueprint, BlueprintCell, CellLevel, ItemType
from training.models import Rule

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

HERE = Path(__file__).parent
_RULES_FROM = date(2010, 7, 1)


@dataclass(frozen=True)
class Loaded:
    """How many rows were new."""

    rules: int = 0
    qualifications: int = 0
    blueprints: int = 0


def _read_toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text("utf-8"))


async def load_base(session: AsyncSession, *, now: datetime) -> Loaded:
    """What even an empty installation needs: rules, qualifications and blueprints.

    Adds what is missing and leaves what an operator changed.
    """
    return Loaded(
        rules=await _load_rules(session),
        qualifications=await _load_qualifications(session),
        blueprints=await _load_blueprints(session, now=now),
    )


async def _load_rules(session: AsyncSession) -> int:
    known = set((await session.exec(select(Rule.code))).all())
    rows = [row for row in _read_toml(HERE / "rules.toml")["rule"] if row["code"] not in known]
    session.add_all(
        Rule(
            code=row["code"],
            value=row["value"],
            unit=row.get("unit", ""),
            basis=row.get("basis", ""),
            confidence=row.get("confidence", "D"),
            effective_from=row.get("from", _RULES_FROM),
        )
        for row in rows
    )
    await session.flush()
    return len(rows)


async def _load_qualifications(session: AsyncSession) -> int:
    known = set((await session.exec(select(Qualification.code))).all())
    rows = list(enumerate(_read_toml(HERE / "qualifications.toml")["qualification"]))
    new = [(place, row) for place, row in rows if row["code"] not in known]
    session.add_all(
        Qualification(**{**row, "kind": QualificationKind(row["kind"])}, sort_key=place) for place, row in new
    )
    await session.flush()
    return len(new)


async def _load_blueprints(session: AsyncSession, *, now: datetime) -> int:
    known = set((await session.exec(select(col(Blueprint.code)))).all())
    listed = json.loads((HERE / "blueprints" / "blueprints.json").read_text("utf-8"))
    new = [row for row in listed if row["code"] not in known]
    for row in new:
        blueprint = Blueprint(
            code=row["code"],
            version=1,
            name=row["name"],
            minutes=row["minutes"],
            pass_score=row["pass_score"],
            points_per_item=row["points_per_item"],
            basis=row["basis"],
            shows_key_points=row.get("shows_key_points", False),
            created_at=now,
        )
        session.add(blueprint)
        await session.flush()
        session.add_all(
            BlueprintCell(
                blueprint_id=blueprint.id,
                area=area["no"],
                type=item_type,
                level=CellLevel(area.get("level", CellLevel.ANY)),
                area_name=area["name"],
                weight_percent=area["weight_pct"],
                count=area[item_type.value.lower()],
            )
            for area in row["areas"]
            for item_type in ItemType
        )
    await session.flush()
    return len(new)

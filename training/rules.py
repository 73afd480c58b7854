"""The dated rule table: every number of the law with its basis, changeable by an operator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, Date, String, and_, any_, bindparam, func
from sqlmodel import col, or_, select

from training.models import Rule
from training.prepared import run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession


_ON = bindparam("day", type_=Date)
_IS_IN_FORCE = and_(
    col(Rule.code) == any_(bindparam("codes", type_=ARRAY(String))),
    col(Rule.effective_from) <= _ON,
    or_(col(Rule.effective_to).is_(None), col(Rule.effective_to) > _ON),
)
_IN_FORCE = select(Rule.code, Rule.value).where(_IS_IN_FORCE)
# For a statement of which the rules are one column: the values by code, of the parameters `codes` and `day`.
RULES = select(func.jsonb_object_agg(Rule.code, Rule.value)).where(_IS_IN_FORCE).scalar_subquery()


class RuleMissing(LookupError):
    """No value of a rule is in force on a day: a mistake of operation, not of a person."""


async def get_rule(session: AsyncSession, code: str, *, on: date) -> Any:  # noqa: ANN401 - a JSON value
    """The value of a rule on a day. Raises `RuleMissing`."""
    return (await get_rules(session, (code,), on=on))[code]


async def get_rules(session: AsyncSession, codes: Sequence[str], *, on: date) -> dict[str, Any]:
    """Several rules on a day in one query, by code. Raises `RuleMissing`."""
    rows = await run(session, _IN_FORCE, codes=list(codes), day=on)
    return check_rules({row[0]: row[1] for row in rows}, codes)


def check_rules(found: dict[str, Any] | None, codes: Sequence[str]) -> dict[str, Any]:
    """What `RULES` gave, if nothing is missing. Raises `RuleMissing`."""
    found = found or {}
    for code in codes:
        if code not in found:
            raise RuleMissing(code)
    return found


async def get_number(session: AsyncSession, code: str, *, on: date) -> int:
    """A whole-number rule on a day."""
    return int(await get_rule(session, code, on=on))


async def list_rules(session: AsyncSession) -> Sequence[Rule]:
    """Every dated row, by code and date."""
    statement = select(Rule).order_by(col(Rule.code), col(Rule.effective_from))
    return (await session.exec(statement)).all()


async def change_rule(
    session: AsyncSession,
    *,
    code: str,
    value: Any,  # noqa: ANN401 - a JSON value
    basis: str,
    effective_from: date,
    changed_by: UUID | None,
) -> Rule:
    """Let a new value begin on a day; the row in force until then ends on it."""
    rows = (await session.exec(select(Rule).where(Rule.code == code).with_for_update())).all()
    unit, confidence = "", "D"
    ends = None
    for row in rows:
        if row.effective_from == effective_from:
            row.value, row.basis, row.changed_by = value, basis, changed_by
            return row
        if row.effective_from < effective_from and (row.effective_to is None or row.effective_to > effective_from):
            ends, row.effective_to = row.effective_to, effective_from
            unit, confidence = row.unit, row.confidence
        elif row.effective_from > effective_from and (ends is None or row.effective_from < ends):
            ends = row.effective_from
    rule = Rule(
        code=code, value=value, unit=unit, basis=basis, confidence=confidence,
        effective_from=effective_from, effective_to=ends, changed_by=changed_by,
    )  # fmt: skip
    session.add(rule)
    await session.flush()
    return rule

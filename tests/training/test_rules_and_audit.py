"""The dated rule table and the append-only audit log."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Executable, delete, text, update
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from training import audit
from training.models import AuditEntry
from training.rules import RuleMissing, change_rule, get_number, get_rule

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession


async def test_a_rule_has_one_value_on_each_day(session: AsyncSession) -> None:
    await change_rule(
        session, code="so.theory.pass", value=85, basis="测试", effective_from=date(2027, 1, 1), changed_by=None
    )
    assert await get_number(session, "so.theory.pass", on=date(2026, 12, 31)) == 80
    assert await get_number(session, "so.theory.pass", on=date(2027, 1, 1)) == 85
    await change_rule(
        session, code="so.theory.pass", value=82, basis="测试", effective_from=date(2026, 12, 1), changed_by=None
    )
    assert await get_number(session, "so.theory.pass", on=date(2026, 12, 5)) == 82
    assert await get_number(session, "so.theory.pass", on=date(2027, 6, 1)) == 85


async def test_a_missing_rule_is_an_error_and_not_a_guess(session: AsyncSession) -> None:
    with pytest.raises(RuleMissing):
        await get_rule(session, "no.such.rule", on=date(2026, 1, 1))
    with pytest.raises(RuleMissing):
        await get_rule(session, "so.theory.pass", on=date(1990, 1, 1))


@pytest.mark.parametrize("act", ["update", "delete", "truncate"])
async def test_the_database_refuses_to_change_the_audit_log(session: AsyncSession, now: datetime, act: str) -> None:
    audit.record(session, action="test.done", target=("test", 1), actor_id=None, now=now)
    await session.flush()
    statements: dict[str, Executable] = {
        "update": update(AuditEntry).values(action="other"),
        "delete": delete(AuditEntry).where(col(AuditEntry.action) == "test.done"),
        "truncate": text("TRUNCATE audit_entry"),
    }
    with pytest.raises(IntegrityError, match="append-only"):
        async with session.begin_nested():
            await (await session.connection()).execute(statements[act])
    assert (await session.exec(select(AuditEntry).where(AuditEntry.action == "test.done"))).one()

"""Safety licences and enforcement records, imported from files as the authority would."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import TYPE_CHECKING

from certificates.register.licences import confirm_import, keep_import, list_enforcement, read_records, withdraw_record
from certificates.register.record_files import COLUMNS, RecordKind
from seed.city.times import days_ago
from training.calendar import add_years, china_date

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from sqlmodel.ext.asyncio.session import AsyncSession

    from seed.city.state import City, Firm

_LICENSED = (7, 8, 9, 10, 11, 27, 28, 29, 30)
_ACTS = (
    ("未如实记录安全生产教育培训情况", "责令限期改正，处罚款人民币二万元"),
    ("特种作业人员未取得操作资格证书上岗作业", "责令限期改正，处罚款人民币三万元"),
    ("未按规定对动火作业进行审批和现场监护", "责令立即改正，处罚款人民币一万五千元"),
    ("占用、堵塞疏散通道", "责令改正，处罚款人民币五千元"),
    ("未制定生产安全事故应急救援预案", "责令限期改正，处罚款人民币一万元"),
)
# The firm, how many days ago it was decided, and after how many days it is no longer public (0: the whole time).
_DECISIONS = ((7, 40, 0), (10, 95, 0), (22, 160, 0), (27, 210, 0), (13, 300, 0), (31, 420, 0), (19, 700, 365))


async def import_registers(city: City) -> None:
    """Two files; one enforcement record is withdrawn again."""
    today = china_date(city.now)
    licences = [_licence(city.firms[place], place, today) for place in _LICENSED]
    decisions = [
        _decision(city.firms[place], number, today, ago=ago, public_days=public)
        for number, (place, ago, public) in enumerate(_DECISIONS)
    ]
    async with city.work() as session:
        await _import(session, city, RecordKind.LICENCE, licences)
        await _import(session, city, RecordKind.ENFORCEMENT, decisions)
    mistaken = city.firms[_DECISIONS[4][0]]
    async with city.work() as session:
        line = (await list_enforcement(session, mistaken.uscc, on=today))[0]
        await withdraw_record(
            session, kind=RecordKind.ENFORCEMENT, record_id=line.id, reason="当事人已完成信用修复（演示数据）",
            actor_id=city.who("issuer"), now=days_ago(city.now, 20),
        )  # fmt: skip


async def _import(session: AsyncSession, city: City, kind: RecordKind, rows: Sequence[Sequence[str]]) -> None:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([column.title for column in COLUMNS[kind]])
    writer.writerows(rows)
    now = days_ago(city.now, 30, 11)
    read = await read_records(session, kind=kind, data=out.getvalue().encode(), now=now)
    kept = await keep_import(session, kind=kind, read=read, actor_id=city.who("issuer"), now=now)
    await confirm_import(session, import_id=kept.id, actor_id=city.who("issuer"), now=now + timedelta(minutes=4))


def _licence(firm: Firm, place: int, today: date) -> list[str]:
    begins = today - timedelta(days=(place * 97) % 1300)
    is_chemical = place > 20  # noqa: PLR2004 - the builders come first
    letters, scope = ("WH", "危险化学品经营（演示）") if is_chemical else ("JZ", "建筑施工（演示）")
    number = f"（演）{letters}安许证字〔{begins.year}〕{place:06d}"
    ends = add_years(begins, 3) - timedelta(days=1)
    return [firm.uscc, firm.name, number, scope, "演示市应急管理局（虚构）", begins.isoformat(), ends.isoformat()]


def _decision(firm: Firm, number: int, today: date, *, ago: int, public_days: int) -> list[str]:
    act, content = _ACTS[number % len(_ACTS)]
    decided = today - timedelta(days=ago)
    until = (decided + timedelta(days=public_days)).isoformat() if public_days else ""
    return [
        firm.uscc, firm.name, f"（演）应急罚〔{decided.year}〕{number + 1:04d}号", act, content,
        "演示市朝晖区应急管理局（虚构）", decided.isoformat(), until,
    ]  # fmt: skip

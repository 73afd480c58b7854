"""Online exams of three enterprises: one over, one open, one to come."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import TYPE_CHECKING

from exams.enterprise_exams import NewExam, create_exam, invite_staff
from exams.handing_in import hand_in
from exams.starting import start_enterprise_sitting
from seed.city.examining import answer, minutes, site_device
from seed.city.times import days_ago

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from seed.city.state import City, Firm
    from seed.people import DemoPerson


async def hold_enterprise_exams(city: City) -> None:
    """The main enterprise's year-end exam and its open one; two smaller ones elsewhere."""
    main = city.firms[0]
    year = days_ago(city.now, 30).year
    over = await _announce(
        city, main, f"{year} 年全员安全知识考试（一）", opens=days_ago(city.now, 30, 9), days=12, made_before=4
    )
    people = [worker.person for worker in main.staff]
    for place, person in enumerate(people[:22]):
        right = 58 + place * 11 % 42
        began = days_ago(city.now, 28 - place % 4, 10 + place % 7, place)
        await _sit(city, over, person, right=right, began=began)
    still = await _announce(
        city, main, f"{year} 年全员安全知识考试（二）", opens=days_ago(city.now, 2, 9), days=16, made_before=3
    )
    for place, person in enumerate(people[8:15]):
        await _sit(city, still, person, right=75 + place * 3, began=city.now - timedelta(hours=20 + place))
    # The last but one is still at it; the cast's learner is invited and has not begun.
    await _sit(city, still, people[15], right=31, upto=40, began=city.now - minutes(25))
    await _announce(city, main, "节前消防专项考试", opens=city.now + timedelta(days=4), days=5, made_before=6)
    for firm in (city.firms[7], city.firms[17]):
        exam_id = await _announce(
            city, firm, "季度安全考试", opens=days_ago(city.now, 12, 9), days=20, made_before=2
        )  # fmt: skip
        for place, worker in enumerate(firm.staff[1:6]):
            await _sit(
                city, exam_id, worker.person, right=66 + place * 8, began=days_ago(city.now, 8, 12 + place, 5)
            )  # fmt: skip


async def _announce(city: City, firm: Firm, title: str, *, opens: datetime, days: int, made_before: int) -> UUID:
    made = min(opens - timedelta(days=made_before), city.now - timedelta(hours=3))
    new = NewExam(title=title, opens_at=opens, closes_at=opens + timedelta(days=days))
    async with city.work() as session:
        exam = await create_exam(session, organisation_id=firm.id, new=new, actor_id=firm.manager.id, now=made)
        await invite_staff(
            session, exam_id=exam.id, organisation_id=firm.id, person_ids=[worker.person.id for worker in firm.staff],
            actor_id=firm.manager.id, now=made + timedelta(minutes=5),
        )  # fmt: skip
    return exam.id


async def _sit(city: City, exam_id: UUID, person: DemoPerson, *, right: int, began: datetime, upto: int = 0) -> None:
    """One attempt; with `upto` it stays open there."""
    async with city.work() as session:
        entry = await start_enterprise_sitting(
            session, exam_id=exam_id, person_id=person.id, device=site_device(city), seed=secrets.randbits(63),
            now=began,
        )  # fmt: skip
        last = upto or entry.total
        share = right if upto else right * entry.total // 100
        await answer(session, city, entry, right=share, upto=last, now=began + minutes(18))
        if not upto:
            await hand_in(
                session, sitting_id=entry.sitting_id, person_id=person.id, now=began + minutes(30),
                countersign=city.countersign,
            )  # fmt: skip

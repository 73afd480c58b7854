from __future__ import annotations

from typing import TYPE_CHECKING

from tests.makers.classes import make_centre, make_class
from tests.makers.people import PASSWORD, make_employee, make_organisation, make_person, make_role
from tests.makers.printed import read_text
from tests.makers.staff import make_record
from training.class_closing import Result, close_class
from training.models import Attendance, AttendanceWay, ClassEnrolment, Role

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.conftest import Client
    from web.keys import Keys


async def test_an_enterprise_issues_and_downloads_a_proof_once(
    client: Client, session: AsyncSession, keys: Keys, now: datetime
) -> None:
    enterprise = await make_organisation(session, now=now)
    manager = await make_role(session, keys.vault, role=Role.ENTERPRISE_MANAGER, organisation=enterprise, now=now)
    who = await make_employee(session, keys.vault, organisation=enterprise, now=now, name="周学习")
    record = await make_record(session, person_id=who.person.id, organisation_id=enterprise.id, now=now)
    await session.commit()
    await client.sign_in(manager.phone, PASSWORD)
    assert "周学习" in (await client.get("/enterprise/proofs")).text
    for _ in range(2):
        assert (await client.submit(f"/enterprise/proofs/{record.id}")).status_code in {302, 303}
    page = await client.get("/enterprise/proofs")
    link = page.text.split('href="/certificates/')[1].split('"')[0]
    document = await client.get(f"/certificates/{link}")
    text = read_text(document.content)
    assert "周学习" in text
    assert who.number not in text
    await client.submit("/sign-out")
    await client.sign_in(who.phone, PASSWORD)
    assert "培训合格证明" in (await client.get("/certificates")).text
    assert (await client.get("/enterprise/proofs")).status_code == 403


async def test_a_centre_proves_who_passed_its_closed_class(
    client: Client, session: AsyncSession, keys: Keys, now: datetime, clock: FixedClock
) -> None:
    centre = await make_centre(session, keys.vault, now=now)
    held, lessons = await make_class(session, centre, now=now)
    results = {}
    for name, passed in (("甲合格", True), ("乙未过", False)):
        who = await make_person(session, keys.vault, now=now, name=name)
        place = ClassEnrolment(class_id=held.id, person_id=who.person.id, enrolled_at=now)
        session.add(place)
        await session.flush()
        session.add_all(
            Attendance(
                lesson_id=lesson.id, enrolment_id=place.id, way=AttendanceWay.LIST, at=now,
                recorded_by=centre.teacher.person.id,
            )
            for lesson in lessons
        )  # fmt: skip
        results[place.id] = Result(passed=passed)
    later = clock.advance(days=5)
    await close_class(
        session, class_id=held.id, centre_id=centre.organisation.id, results=results,
        actor_id=centre.manager.person.id, now=later,
    )  # fmt: skip
    await session.commit()
    await client.sign_in(centre.manager.phone, PASSWORD)
    path = f"/centre/classes/{held.id}/proofs"
    assert "为 1 名合格学员签发" in (await client.get(path)).text
    await client.submit(path)
    page = await client.get(path)
    assert "甲合格" in page.text
    assert "乙未过" not in page.text
    link = page.text.split('href="/certificates/')[1].split('"')[0]
    assert "甲合格" in read_text((await client.get(f"/certificates/{link}")).content)
    await client.submit("/sign-out")
    await client.sign_in(centre.teacher.phone, PASSWORD)
    assert (await client.get(path)).status_code == 403

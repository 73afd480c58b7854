from __future__ import annotations

from typing import TYPE_CHECKING

from tests.makers.people import PASSWORD, make_employee, make_organisation, make_role
from tests.makers.printed import read_text
from tests.makers.staff import make_record
from training.models import Role

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

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

"""From the passed exam to the printed certificate, on the pages of candidate and issuer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pypdfium2
import pytest
from sqlmodel import select

from certificates.credential import read_qr_text
from certificates.models import Certificate
from tests.makers.certificates import Office, make_issued, make_office, make_passed, make_request
from tests.makers.people import PASSWORD, Known, make_person
from tests.makers.printed import photograph, read_text, scan
from training.audit import list_entries

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.conftest import Client
    from web.keys import Keys


@dataclass
class Desk:
    office: Office
    who: Known


@pytest.fixture
async def desk(session: AsyncSession, keys: Keys, now: datetime) -> Desk:
    found = Desk(await make_office(session, keys, now=now), await make_person(session, keys.vault, now=now))
    await session.commit()
    return found


async def test_from_the_passed_exam_to_a_pdf_whose_code_is_genuine(
    client: Client, session: AsyncSession, keys: Keys, desk: Desk, now: datetime
) -> None:
    application = await make_passed(session, keys, now=now, who=desk.who)
    await session.commit()
    await client.sign_in(desk.who.phone, PASSWORD)
    page = await client.get("/certificates")
    assert f"/certificates/requests/{application.id}" in page.text
    unchecked = await client.submit(f"/certificates/requests/{application.id}")
    assert unchecked.status_code == 422
    done = await client.submit(f"/certificates/requests/{application.id}", {"is_checked": "1"})
    assert done.headers["location"] == "/certificates"
    assert "应在 2026年12月18日 前作出决定" in (await client.get("/certificates")).text

    await client.submit("/sign-out")
    await client.sign_in(desk.office.issuer.phone, PASSWORD)
    queue = await client.get("/authority/certificates")
    link = queue.text.split('href="/authority/certificates/requests/')[1].split('"')[0]
    evidence = await client.get(f"/authority/certificates/requests/{link}")
    assert desk.who.number in evidence.text
    assert await list_entries(session, action="document.viewed")
    issued = await client.submit(f"/authority/certificates/requests/{link}/issue")
    assert (await client.get(issued.headers["location"])).status_code == 200

    await client.submit("/sign-out")
    await client.sign_in(desk.who.phone, PASSWORD)
    certificate = (await session.exec(select(Certificate))).one()
    assert "低压电工作业" in (await client.get("/certificates")).text
    own = await client.get(f"/certificates/{certificate.id}")
    assert desk.who.number not in own.text
    document = await client.get(f"/certificates/{certificate.id}/document.pdf")
    assert document.headers["content-type"] == "application/pdf"
    assert f"T{desk.who.number}" in read_text(document.content)
    assert pypdfium2.PdfDocument(document.content)
    code = read_qr_text(scan(photograph(document.content)).text)
    assert code.credential == certificate.credential
    assert await list_entries(session, action="certificate.printed")


async def test_a_certificate_is_nobody_elses(
    client: Client, session: AsyncSession, keys: Keys, desk: Desk, now: datetime
) -> None:
    certificate = await make_issued(session, keys, now=now, who=desk.who, office=desk.office)
    other = await make_person(session, keys.vault, now=now)
    await session.commit()
    await client.sign_in(other.phone, PASSWORD)
    for path in (f"/certificates/{certificate.id}", f"/certificates/{certificate.id}/document.pdf"):
        assert (await client.get(path)).status_code == 404
    for path in ("/authority/certificates", f"/authority/certificates/{certificate.id}"):
        assert (await client.get(path)).status_code == 403


async def test_a_refusal_needs_a_reason_and_is_told(
    client: Client, session: AsyncSession, keys: Keys, desk: Desk, now: datetime
) -> None:
    request = await make_request(session, keys, now=now, who=desk.who)
    await session.commit()
    await client.sign_in(desk.office.issuer.phone, PASSWORD)
    path = f"/authority/certificates/requests/{request.id}/refuse"
    assert (await client.submit(path, {"reason": " "})).status_code == 422
    assert (await client.submit(path, {"reason": "照片不是本人"})).status_code in {302, 303}
    await client.submit("/sign-out")
    await client.sign_in(desk.who.phone, PASSWORD)
    assert "照片不是本人" in (await client.get("/certificates")).text


async def test_revoking_and_striking_off_show_everywhere_and_end_the_download(
    client: Client, session: AsyncSession, keys: Keys, desk: Desk, now: datetime
) -> None:
    certificate = await make_issued(session, keys, now=now, who=desk.who, office=desk.office)
    await session.commit()
    await client.sign_in(desk.office.issuer.phone, PASSWORD)
    path = f"/authority/certificates/{certificate.id}"
    assert (await client.submit(f"{path}/revoke", {"ground": "", "reason": "x"})).status_code == 422
    await client.submit(f"{path}/revoke", {"ground": "FRAUD", "reason": "由他人替考", "with_ban": "1"})
    await client.submit(f"{path}/cancel", {"ground": "REVOKED", "reason": "已撤销"})
    shown = await client.get(path)
    assert "以欺骗、贿赂等不正当手段取得证书" in shown.text
    assert (await client.get(f"/certificates/{certificate.id}/document.pdf")).status_code == 409
    assert 'data-outcome="REVOKED"' in (await client.get(f"/c/{certificate.public_id}")).text


async def test_issued_certificates_are_found_by_name_or_whole_number(
    client: Client, session: AsyncSession, keys: Keys, desk: Desk, now: datetime
) -> None:
    certificate = await make_issued(session, keys, now=now, who=desk.who, office=desk.office)
    await session.commit()
    await client.sign_in(desk.office.issuer.phone, PASSWORD)
    for search in ("张安", desk.who.number, f"T{desk.who.number}"):
        page = await client.submit("/authority/certificates/issued", {"search": search})
        assert str(certificate.id) in page.text
    page = await client.submit("/authority/certificates/issued", {"search": desk.who.number[:-1]})
    assert str(certificate.id) not in page.text


async def test_a_review_is_registered_in_its_window(
    client: Client, session: AsyncSession, keys: Keys, desk: Desk, now: datetime, clock: FixedClock
) -> None:
    certificate = await make_issued(
        session, keys, now=now - timedelta(days=3 * 365 - 20), who=desk.who, office=desk.office
    )
    await session.commit()
    await client.sign_in(desk.office.issuer.phone, PASSWORD)
    path = f"/authority/certificates/{certificate.id}"
    assert "登记复审合格" in (await client.get(path)).text
    await client.submit(f"{path}/review")
    clock.advance(days=100)
    assert 'data-outcome="ON_RECORD"' in (await client.get(f"/c/{certificate.public_id}")).text

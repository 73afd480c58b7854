from __future__ import annotations

import base64
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from certificates.credential import qr_text
from certificates.models import RevocationGround
from certificates.revocation import revoke_certificate
from tests.makers.certificates import make_issued, make_office
from tests.makers.people import make_person

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from certificates.models import Certificate
    from tests.clock import FixedClock
    from tests.conftest import Client
    from web.keys import Keys


def base32(data: bytes) -> str:
    return base64.b32encode(data).decode().rstrip("=")


async def check(client: Client, certificate: Certificate, credential: str) -> str:
    answer = await client.post(f"/c/{certificate.public_id}/check", json={"credential": credential})
    assert answer.status_code == 200
    return answer.text


@pytest.fixture
async def issued(session: AsyncSession, keys: Keys, now: datetime) -> Certificate:
    certificate = await make_issued(session, keys, now=now)
    await session.commit()
    return certificate


async def test_the_page_shows_the_record_masked_and_says_that_nothing_was_compared(
    client: Client, session: AsyncSession, keys: Keys, now: datetime
) -> None:
    who = await make_person(session, keys.vault, now=now, name="欧阳小敏")
    certificate = await make_issued(session, keys, now=now, who=who)
    await session.commit()
    page = await client.get(f"/c/{certificate.public_id}")
    assert page.status_code == 200
    assert 'data-outcome="ON_RECORD"' in page.text
    assert "欧***" in page.text
    assert "低压电工作业" in page.text
    assert "没有比对" in page.text
    for secret in ("欧阳小敏", who.number, who.number[-6:], str(certificate.id), str(certificate.person_id)):
        assert secret not in page.text


async def test_capitals_open_the_same_page(client: Client, issued: Certificate) -> None:
    for path in (f"/C/{issued.public_id}", f"/c/{issued.public_id.lower()}"):
        page = await client.get(path)
        assert 'data-outcome="ON_RECORD"' in page.text


async def test_the_codes_own_data_makes_it_genuine(client: Client, issued: Certificate) -> None:
    assert 'data-outcome="GENUINE"' in await check(client, issued, base32(issued.credential))


async def test_one_changed_byte_is_altered(client: Client, issued: Certificate) -> None:
    for place in (0, 30, len(issued.credential) // 2, len(issued.credential) - 1):
        forged = bytearray(issued.credential)
        forged[place] ^= 1
        page = await check(client, issued, base32(bytes(forged)))
        assert 'data-outcome="ALTERED"' in page
        assert "低压电工作业" not in page
    assert 'data-outcome="ALTERED"' in await check(client, issued, "not base 32 !")


async def test_an_unknown_id_is_unknown(client: Client, issued: Certificate) -> None:
    page = await client.get("/c/" + "A" * 26)
    assert page.status_code == 404
    assert 'data-outcome="UNKNOWN"' in page.text
    answer = await client.post("/c/" + "A" * 26 + "/check", json={"credential": base32(issued.credential)})
    assert 'data-outcome="UNKNOWN"' in answer.text


async def test_a_revocation_is_on_the_page_at_once(
    client: Client, session: AsyncSession, keys: Keys, now: datetime
) -> None:
    office = await make_office(session, keys, now=now)
    certificate = await make_issued(session, keys, now=now, office=office)
    await session.commit()
    assert 'data-outcome="GENUINE"' in await check(client, certificate, base32(certificate.credential))
    await revoke_certificate(
        session, certificate_id=certificate.id, issuer_id=office.authority.id, actor_id=office.issuer.person.id,
        ground=RevocationGround.FRAUD, reason="由他人替考，证据见卷宗", with_ban=True, now=now,
    )  # fmt: skip
    await session.commit()
    page = await client.get(f"/c/{certificate.public_id}")
    assert 'data-outcome="REVOKED"' in page.text
    assert "替考" not in page.text
    assert 'data-outcome="REVOKED"' in await check(client, certificate, base32(certificate.credential))


@pytest.mark.parametrize(("days", "outcome"), [(3 * 366, "REVIEW_OVERDUE"), (6 * 366, "EXPIRED")])
async def test_time_alone_ends_it(
    client: Client, issued: Certificate, clock: FixedClock, days: int, outcome: str
) -> None:
    clock.advance(days=days)
    assert f'data-outcome="{outcome}"' in await check(client, issued, base32(issued.credential))


async def test_the_page_sets_no_cookie_and_runs_no_inline_script(client: Client, issued: Certificate) -> None:
    page = await client.get(f"/c/{issued.public_id}")
    assert "<script>" not in page.text
    assert "style=" not in page.text
    assert page.headers["cache-control"] == "no-store"


async def test_the_scanner_compares_the_host_first(client: Client, issued: Certificate) -> None:
    ours = qr_text("http://testserver", issued.public_id, issued.credential)
    forged = qr_text("http://testserver.evil.top", issued.public_id, issued.credential)
    for text, outcome in ((ours, "GENUINE"), (forged, "ELSEWHERE"), ("hello", "UNREADABLE")):
        page = await client.submit("/verify", {"text": text})
        assert page.status_code == 200
        assert f'data-outcome="{outcome}"' in page.text
    fragment = await client.submit("/verify", {"text": ours}, headers={"hx-request": "true"})
    assert fragment.text.lstrip().startswith("<section")


async def test_a_typed_address_gives_the_record_and_says_so(client: Client, issued: Certificate) -> None:
    page = await client.submit("/verify", {"text": f"http://testserver/c/{issued.public_id}"})
    assert 'data-outcome="ON_RECORD"' in page.text


async def test_no_certificate_is_ever_older_than_its_check(
    client: Client, issued: Certificate, clock: FixedClock
) -> None:
    first = await client.get(f"/c/{issued.public_id}")
    clock.instant += timedelta(minutes=7)
    second = await client.get(f"/c/{issued.public_id}")
    assert "20:00（北京时间）" in first.text
    assert "20:07（北京时间）" in second.text

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import httpx
import pytest

from certificates.models import RevocationGround
from certificates.revocation import revoke_certificate
from tests.makers.certificates import make_issued, make_office
from web.auth import LANGUAGE_COOKIE
from web.certificate_pages import CertificatePages

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import datetime

    from litestar import Litestar
    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.conftest import Client
    from web.keys import Keys
    from web.services import Services


@pytest.fixture
async def front(app: Litestar, services: Services) -> AsyncGenerator[httpx.AsyncClient, None]:
    """The application with the certificate pages in front, as a web process runs it."""
    transport = httpx.ASGITransport(app=cast("Any", CertificatePages(cast("Any", app), services)))
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as opened:
        yield opened


async def test_the_page_is_the_same_with_and_without_the_short_way(
    front: httpx.AsyncClient, client: Client, session: AsyncSession, keys: Keys, now: datetime
) -> None:
    certificate = await make_issued(session, keys, now=now)
    await session.commit()
    for path in (f"/c/{certificate.public_id}", f"/C/{certificate.public_id}", "/c/" + "A" * 26):
        short, long = await front.get(path), await client.get(path)
        assert short.text == long.text
        assert short.status_code == long.status_code
        assert set(long.headers) - {"set-cookie"} == set(short.headers)
        assert short.headers["content-security-policy"] == long.headers["content-security-policy"]


async def test_a_revocation_shows_on_the_very_next_request(
    front: httpx.AsyncClient, session: AsyncSession, keys: Keys, now: datetime
) -> None:
    office = await make_office(session, keys, now=now)
    certificate = await make_issued(session, keys, now=now, office=office)
    await session.commit()
    path = f"/c/{certificate.public_id}"
    for _ in range(2):
        assert 'data-outcome="ON_RECORD"' in (await front.get(path)).text
    await revoke_certificate(
        session, certificate_id=certificate.id, issuer_id=office.authority.id, actor_id=office.issuer.person.id,
        ground=RevocationGround.UNFIT, reason="体检不合格", with_ban=False, now=now,
    )  # fmt: skip
    await session.commit()
    assert 'data-outcome="REVOKED"' in (await front.get(path)).text


async def test_the_day_and_the_minute_are_those_of_the_request(
    front: httpx.AsyncClient, session: AsyncSession, keys: Keys, now: datetime, clock: FixedClock
) -> None:
    certificate = await make_issued(session, keys, now=now)
    await session.commit()
    path = f"/c/{certificate.public_id}"
    assert "2026年11月21日 20:00（北京时间）" in (await front.get(path)).text
    clock.advance(hours=3, minutes=59)
    assert "2026年11月21日 23:59（北京时间）" in (await front.get(path)).text
    clock.advance(days=2200)
    assert 'data-outcome="EXPIRED"' in (await front.get(path)).text


async def test_readers_at_once_each_get_their_own_page(
    front: httpx.AsyncClient, session: AsyncSession, keys: Keys, now: datetime
) -> None:
    issued = [await make_issued(session, keys, now=now, code=code) for code in ("SO_1_1", "SO_1_2", "SO_2_1")]
    await session.commit()
    wanted = [certificate.public_id for certificate in issued] * 5
    pages = await asyncio.gather(*(front.get(f"/c/{public_id}") for public_id in wanted))
    assert all(f'data-certificate="{key}"' in page.text for key, page in zip(wanted, pages, strict=True))


async def test_another_language_takes_the_long_way(
    front: httpx.AsyncClient, session: AsyncSession, keys: Keys, now: datetime
) -> None:
    certificate = await make_issued(session, keys, now=now)
    await session.commit()
    front.cookies.set(LANGUAGE_COOKIE, "en")
    assert "On record and in force" in (await front.get(f"/c/{certificate.public_id}")).text

"""A certificate's QR code from the printed page to the verdict, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import qrcode

from certificates.credential import qr_text
from tests.journeys.conftest import inspect
from tests.makers.certificates import make_issued

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page
    from sqlmodel.ext.asyncio.session import AsyncSession

    from certificates.models import Certificate
    from tests.journeys.conftest import Server


def issue(server: Server) -> Certificate:
    async def act(session: AsyncSession) -> Any:  # noqa: ANN401
        return await make_issued(session, server.keys, now=server.clock.now())

    certificate: Certificate = server.do(act)
    return certificate


def forge(text: str, place: int = -20) -> str:
    """The same code with one character of the signature changed."""
    other = "A" if text[place] != "A" else "B"
    return text[:place] + other + text[place + 1 :]


def test_a_scanned_code_is_genuine_and_a_forged_one_is_not(server: Server, phone: Page) -> None:
    certificate = issue(server)
    text = qr_text(server.url, certificate.public_id, certificate.credential)
    address = "http" + text[4:]
    phone.goto(address)
    phone.wait_for_selector('[data-outcome="GENUINE"]')
    inspect(phone, "certificate-genuine")
    phone.goto("about:blank")
    phone.goto(forge(address))
    phone.wait_for_selector('[data-outcome="ALTERED"]')
    inspect(phone, "certificate-altered")


def test_a_picture_of_the_code_is_read_on_the_device(server: Server, phone: Page, tmp_path: Path) -> None:
    certificate = issue(server)
    picture = tmp_path / "code.png"
    qrcode.make(qr_text(server.url, certificate.public_id, certificate.credential)).save(str(picture))
    phone.goto("/verify")
    phone.set_input_files("#scan-file", str(picture))
    phone.wait_for_selector('[data-outcome="GENUINE"]')


def test_the_verify_page_takes_text(server: Server, phone: Page, desk: Page) -> None:
    certificate = issue(server)
    text = qr_text(server.url, certificate.public_id, certificate.credential)
    for page in (phone, desk):
        page.goto("/verify")
        inspect(page, "verify")
        page.get_by_label("或粘贴扫码得到的网址").fill(text)
        page.get_by_role("button", name="核验", exact=True).click()
        page.wait_for_selector('[data-outcome="GENUINE"]')
        inspect(page, "verify-genuine")
    phone.get_by_label("或粘贴扫码得到的网址").fill(text.replace("127.0.0.1", "127.0.0.2"))
    phone.get_by_role("button", name="核验", exact=True).click()
    phone.wait_for_selector('[data-outcome="ELSEWHERE"]')
    inspect(phone, "verify-elsewhere")

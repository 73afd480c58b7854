"""A certificate's QR code from the printed page to the verdict, in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import qrcode

from certificates.credential import qr_text
from certificates.models import RevocationGround
from certificates.register.captcha import captcha_answer
from certificates.revocation import revoke_certificate
from tests.journeys.conftest import inspect, sign_in
from tests.makers.certificates import make_issued, make_office, make_passed, make_request
from tests.makers.people import PASSWORD, make_employee, make_organisation

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


def test_the_register_and_the_desks_look_finished(server: Server, phone: Page, desk: Page) -> None:
    now = server.clock.now()

    async def act(session: AsyncSession) -> Any:  # noqa: ANN401
        office = await make_office(session, server.keys, now=now)
        enterprise = await make_organisation(session, now=now)
        who = await make_employee(session, server.vault, organisation=enterprise, now=now)
        certificate = await make_issued(session, server.keys, now=now, who=who, office=office)
        gone = await make_issued(session, server.keys, now=now, office=office)
        await revoke_certificate(
            session, certificate_id=gone.id, issuer_id=office.authority.id, actor_id=office.issuer.person.id,
            ground=RevocationGround.FRAUD, reason="替考", with_ban=False, now=now,
        )  # fmt: skip
        asked = await make_request(session, server.keys, now=now)
        passed = await make_passed(session, server.keys, now=now, who=who, code="SO_1_1")
        return office, enterprise, who, certificate, asked, passed

    office, enterprise, who, certificate, asked, passed = server.do(act)
    for page in (phone, desk):
        for path, name in (
            ("/register", "register"),
            ("/register/announcements", "announcements"),
            ("/register/enterprises?q=演示", "enterprises"),
            (f"/register/enterprises/{enterprise.uscc}", "enterprise"),
        ):
            page.goto(path)
            inspect(page, name)
        page.goto("/register")
        captcha_id = page.locator('[name="captcha_id"]').get_attribute("value")
        page.get_by_label("完整号码").fill(who.number)
        page.get_by_label("姓名（全名）").fill(who.person.name)
        page.get_by_label("验证码", exact=True).fill(captcha_answer(server.vault, UUID(captcha_id)))
        page.get_by_role("button", name="查询").click()
        page.wait_for_selector("text=低压电工作业")
        inspect(page, "register-found")
        sign_in(page, who.phone, PASSWORD)
        for path, name in (
            ("/certificates", "own-certificates"),
            (f"/certificates/{certificate.id}", "own-certificate"),
            (f"/certificates/requests/{passed.id}", "certificate-request"),
        ):
            page.goto(path)
            inspect(page, name)
        page.context.clear_cookies()
        sign_in(page, office.issuer.phone, PASSWORD)
        for path, name in (
            ("/authority/certificates", "issuer-queue"),
            (f"/authority/certificates/requests/{asked.id}", "issuer-request"),
            ("/authority/certificates/issued", "issuer-issued"),
            (f"/authority/certificates/{certificate.id}", "issuer-certificate"),
        ):
            page.goto(path)
            inspect(page, name)

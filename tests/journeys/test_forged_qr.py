"""Journey (c): forged QR codes, held before the camera, opened as an address or read from a picture, deceive nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
import qrcode
from playwright.sync_api import expect

from certificates.credential import qr_text
from tests.faces import as_jpeg, camera_video
from tests.journeys.conftest import DESK, PHONE, browser_with, inspect, new_context
from tests.makers.certificates import make_issued
from tests.makers.people import make_person

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page, Playwright
    from sqlmodel.ext.asyncio.session import AsyncSession

    from certificates.models import Certificate
    from tests.journeys.conftest import Server

NAME = "欧阳电工"
NOT_GENUINE = "不真实"
# One in the key id, one in what is signed, one in the signature.
PLACES = pytest.mark.parametrize("place", [12, 60, -5])
# Hosts that look like ours to a hasty reader, or that begin or end as it does.
STRANGERS = ("anpei-verify.example", "{host}.anpei.example", "{host}@anpei.example", "anpei.example")


def issue(server: Server) -> Certificate:
    async def act(session: AsyncSession) -> Any:  # noqa: ANN401 - handed to server.do
        now = server.clock.now()
        who = await make_person(session, server.vault, now=now, name=NAME)
        return await make_issued(session, server.keys, now=now, who=who)

    certificate: Certificate = server.do(act)
    return certificate


def honest(server: Server, certificate: Certificate) -> str:
    return qr_text(server.url, certificate.public_id, certificate.credential)


def forged(server: Server, certificate: Certificate, place: int) -> str:
    """The certificate's code with one byte of its signed data changed."""
    data = bytearray(certificate.credential)
    data[place] ^= 1
    return qr_text(server.url, certificate.public_id, bytes(data))


def draw(path: Path, text: str) -> Path:
    qrcode.make(text).save(str(path))
    return path


def hold_up(path: Path, text: str) -> Path:
    """A camera that sees the code on white paper."""
    code = qrcode.QRCode(border=4)
    code.add_data(text)
    modules = np.array(code.get_matrix(), dtype=np.uint8)
    side = 460 // len(modules) * len(modules)
    still = np.full((480, 640, 3), 255, dtype=np.uint8)
    top, left = (480 - side) // 2, (640 - side) // 2
    drawn = cv2.resize((1 - modules) * 255, (side, side), interpolation=cv2.INTER_NEAREST)
    still[top : top + side, left : left + side] = drawn[:, :, None]
    return camera_video(path, as_jpeg(still, 95))


def show_picture(page: Page, picture: Path) -> None:
    page.goto("/verify")
    page.set_input_files("#scan-file", str(picture))


def expect_refused(page: Page, outcome: str) -> None:
    verdict = page.locator("#verdict")
    expect(verdict).to_have_attribute("data-outcome", outcome)
    expect(verdict.get_by_role("heading")).to_contain_text(NOT_GENUINE)
    expect(verdict).not_to_contain_text("欧")


@PLACES
def test_a_code_with_one_byte_changed_is_not_genuine(server: Server, phone: Page, tmp_path: Path, place: int) -> None:
    text = forged(server, issue(server), place)
    phone.goto(text)
    expect_refused(phone, "ALTERED")
    inspect(phone, "certificate-forged")
    show_picture(phone, draw(tmp_path / "forged.png", text))
    expect_refused(phone, "ALTERED")
    inspect(phone, "verify-forged")


def test_a_code_that_points_elsewhere_is_not_genuine_whatever_its_page_would_say(
    server: Server, phone: Page, tmp_path: Path
) -> None:
    text = honest(server, issue(server))
    host = server.url.removeprefix("http://")
    for stranger in STRANGERS:
        elsewhere = text.replace(host, stranger.format(host=host).upper())
        show_picture(phone, draw(tmp_path / "elsewhere.png", elsewhere))
        expect_refused(phone, "ELSEWHERE")
        expect(phone.locator("#verdict")).to_contain_text("anpei")
    inspect(phone, "verify-elsewhere")


def test_the_data_of_one_certificate_behind_the_number_of_another_is_not_genuine(server: Server, phone: Page) -> None:
    first, second = issue(server), issue(server)
    phone.goto(qr_text(server.url, first.public_id, second.credential))
    expect_refused(phone, "ALTERED")


def test_a_forged_code_before_the_camera_is_not_genuine(server: Server, playwright: Playwright, tmp_path: Path) -> None:
    text = forged(server, issue(server), 60)
    with browser_with(playwright, hold_up(tmp_path / "forged.mjpeg", text)) as browser:
        for size in (PHONE, DESK):
            page = new_context(browser, server, size, permissions=["camera"]).new_page()
            page.goto("/verify")
            page.get_by_role("button", name="用摄像头扫描").click()
            page.locator("#verdict").wait_for(timeout=20_000)
            expect_refused(page, "ALTERED")


def test_without_a_script_the_code_still_proves_nothing_by_itself(server: Server, phone: Page) -> None:
    text = forged(server, issue(server), 60)
    browser = phone.context.browser
    assert browser is not None
    page = new_context(browser, server, PHONE, java_script_enabled=False).new_page()
    page.goto(text)
    expect(page.locator("#verdict")).to_have_attribute("data-outcome", "ON_RECORD")
    expect(page.locator("#verdict")).to_contain_text("没有比对二维码自带的签名数据")
    page.goto("/verify")
    page.get_by_label("或粘贴扫码得到的网址").fill(text)
    page.get_by_role("button", name="核验", exact=True).click()
    expect_refused(page, "ALTERED")

"""An editor writes an item, a reviewer publishes it, and the heat map shows where the bank is thin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from playwright.sync_api import expect

from tests.journeys.conftest import inspect, sign_in
from tests.makers.items import make_bank, make_desk
from tests.makers.people import PASSWORD

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.journeys.conftest import Server


def test_an_item_is_written_by_keyboard_and_published_by_another_person(
    server: Server, desk: Page, phone: Page
) -> None:
    team = server.do(lambda session: make_desk(session, server.vault, now=server.clock.now()))
    sign_in(desk, team.editor.phone, PASSWORD)
    desk.goto("/authority/items/new?subject=GEN")
    inspect(desk, "item-new")

    desk.get_by_label("题型").select_option("TF")
    expect(desk.locator(".for-options")).to_be_hidden()
    desk.get_by_label("题型").select_option("SC")
    expect(desk.locator(".option-row")).to_have_count(5)
    expect(desk.locator('.option-row[data-letter="E"]')).to_be_hidden()
    desk.get_by_label("知识领域").select_option("3")
    desk.get_by_label("考查要点").fill("火警电话")
    desk.get_by_label("题干").fill("发现火情，应当拨打的电话是（　）。")
    for letter, text in zip("ABCD", ("110", "119", "120", "122"), strict=True):
        desk.get_by_label(f"选项 {letter} 的内容").fill(text)
    expect(desk.locator("#preview")).to_contain_text("B. 119")
    desk.locator('input[name="right"]').nth(0).check()
    desk.locator('input[name="right"]').nth(1).check()
    expect(desk.locator('input[name="right"]').nth(0)).not_to_be_checked()
    desk.get_by_label("解析").fill("119 是火警电话。")
    desk.keyboard.press("Control+s")

    expect(desk.locator("#form-error")).to_be_focused()
    expect(desk.locator(".fault-list")).to_contain_text("请填写依据")
    expect(desk.get_by_label("题干")).to_have_value("发现火情，应当拨打的电话是（　）。")
    inspect(desk, "item-faults")
    desk.get_by_label("依据").fill("《中华人民共和国消防法》第四十四条")
    desk.get_by_role("button", name="保存并提交审核").click()
    expect(desk.locator(".page-actions")).to_contain_text("待审核")

    sign_in(phone, team.reviewer.phone, PASSWORD)
    phone.goto("/authority")
    inspect(phone, "authority-home")
    phone.get_by_role("link", name="GEN-03-SC-001").click()
    inspect(phone, "item-review")
    phone.get_by_role("button", name="通过并发布").click()
    expect(phone.locator(".page-actions")).to_contain_text("已发布")


def test_the_heat_map_is_readable_on_a_phone_and_checks_changes_while_typed(server: Server, phone: Page) -> None:
    team = server.do(lambda session: make_bank(session, server.vault, now=server.clock.now()))
    sign_in(phone, team.reviewer.phone, PASSWORD)
    for path, name in (
        ("/authority/items?subject=SO_1_2", "items"),
        ("/authority/blueprints", "blueprints"),
        ("/authority/blueprints/SO_1_2", "blueprint"),
    ):
        phone.goto(path)
        inspect(phone, name)
    phone.goto("/authority/blueprints/GEN/edit")
    expect(phone.locator("#live-check")).to_contain_text("全卷 50 题，满分 100 分")
    phone.locator('input[name="count-8-MC"]').fill("1")
    expect(phone.locator("#live-check")).to_contain_text("1 格不足")
    expect(phone.locator("#have-8-MC")).to_contain_text("不足")
    inspect(phone, "blueprint-edit")
    levels = phone.locator('select[name^="level-"]')
    expect(levels).to_have_count(8)
    phone.get_by_role("button", name="法律法规与从业人员权利义务：加一个等级").click()
    expect(levels).to_have_count(9)
    expect(levels.nth(1)).to_be_focused()
    inspect(phone, "blueprint-levels")
    phone.get_by_role("button", name="保存为新版本").click()
    expect(phone.locator("#form-error")).to_contain_text("不够每卷抽 1 题")

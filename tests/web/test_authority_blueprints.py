"""The pages of blueprints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from question_bank.models import CellLevel, ItemType, McRule
from question_bank.queries import get_blueprint
from tests.makers.items import make_bank, make_desk
from tests.makers.people import PASSWORD
from web.authority.blueprint_form import form_of

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from question_bank.queries import BlueprintView
    from tests.conftest import Client
    from training.vault import Vault

PAGE = "/authority/blueprints/GEN/edit"
DRAFT = "/authority/blueprints/GEN/draft"


def typed(blueprint: BlueprintView, **changes: str) -> dict[str, str]:
    """The form of a blueprint as a browser would send it, with changes; "_" stands for "-" in their names."""
    form = form_of(blueprint)
    fields = {"based_on": form.based_on, "mc_rule": form.mc_rule.value, "target": "MEAN", **form.values}
    for row in form.rows:
        fields |= {f"area-{row.number}": str(row.area), f"level-{row.number}": row.level.value}
        fields |= {f"count-{row.number}-{kind.value}": count for kind, count in row.counts.items()}
    return fields | changes


async def test_the_heat_map_says_in_words_whether_papers_can_be_dealt(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk = await make_bank(session, vault, now=now)
    await session.commit()
    await client.sign_in(desk.editor.phone, PASSWORD)
    listed = (await client.get("/authority/blueprints")).text
    assert "可以组卷" in listed
    assert "暂无题目" in listed
    general = (await client.get("/authority/blueprints/GEN")).text
    assert "题库可以组卷，每格题量都不少于" in general
    assert "题库均值：能力值" in general
    assert "全部选对才得分" in general
    assert "审题人员估计 0 题" in general
    electric = (await client.get("/authority/blueprints/SO_1_2")).text
    assert "偏少" in electric
    assert "格够用，但还没有达到每卷题数 10 倍的目标" in electric
    assert "题库还不能组卷" in (await client.get("/authority/blueprints/PRINCIPAL")).text
    assert (await client.get("/authority/blueprints/NONE")).status_code == 404


async def test_a_reviewer_changes_the_counts_and_an_editor_does_not(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk = await make_desk(session, vault, now=now)
    await session.commit()
    await client.sign_in(desk.editor.phone, PASSWORD)
    assert (await client.get(PAGE)).status_code == 403
    assert (await client.submit(DRAFT, {})).status_code == 403
    await client.sign_in(desk.reviewer.phone, PASSWORD)
    assert "保存后成为第 2 版" in (await client.get(PAGE)).text
    changed = typed(await get_blueprint(session, "GEN"), minutes="75") | {"count-1-TF": "4", "count-1-SC": "3"}
    wrong = await client.submit(PAGE, changed | {"count-1-TF": "-4"})
    assert wrong.status_code == 422
    assert 'value="75"' in wrong.text
    assert 'value="-4"' in wrong.text
    for _ in range(2):
        assert (await client.submit(PAGE, changed)).status_code in {302, 303}
    assert "第 2 版" in (await client.get("/authority/blueprints/GEN")).text
    stale = await client.submit(PAGE, changed | {"count-1-TF": "5"})
    assert "已更新到第 2 版" in stale.text


async def test_marking_shares_and_target_are_shown_after_they_were_saved(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk = await make_bank(session, vault, now=now)
    await session.commit()
    await client.sign_in(desk.reviewer.phone, PASSWORD)
    form = (await client.get(PAGE)).text
    assert "规则表：12%" in form
    changed = typed(
        await get_blueprint(session, "GEN"), mc_rule="PARTIAL", shows_key_points="1", local_percent="0",
        exposure_percent="15", target="OWN", target_ability="0.2", target_score="42.25", target_information="7",
    )  # fmt: skip
    refused = await client.submit(PAGE, changed | {"target_score": "x"})
    assert (refused.status_code, "目标期望得分应大于 0" in refused.text) == (422, True)
    assert (await client.submit(PAGE, changed)).status_code in {302, 303}
    page = (await client.get("/authority/blueprints/GEN")).text
    assert "少选按比例得分，错选不得分" in page
    assert "指定：能力值 0.200，期望得分 42.250 题，信息量 7.000" in page
    assert page.count("本方案设定") == 2
    kept = await get_blueprint(session, "GEN")
    assert (kept.mc_rule, kept.shows_key_points, kept.overlap_percent) == (McRule.PARTIAL, True, None)
    again = (await client.get(PAGE)).text
    assert 'value="42.250"' in again


async def test_a_draft_is_checked_as_it_is_typed_and_nothing_is_kept(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk = await make_bank(session, vault, now=now)
    await session.commit()
    await client.sign_in(desk.reviewer.phone, PASSWORD)
    blueprint = await get_blueprint(session, "GEN")
    live = {"hx-request": "true", "hx-target": "live-check"}
    good = await client.submit(DRAFT, typed(blueprint), headers=live)
    assert (good.status_code, "<html" in good.text) == (200, False)
    assert "题库均值：能力值" in good.text
    assert 'hx-swap-oob="true"' in good.text
    short = await client.submit(DRAFT, typed(blueprint) | {"count-8-MC": "9"}, headers=live)
    assert "1 格不足" in short.text
    out_of_reach = typed(blueprint, target="OWN", target_ability="0", target_score="49.9", target_information="12")
    assert "所填目标达不到" in (await client.submit(DRAFT, out_of_reach, headers=live)).text
    unfilled = await client.submit(DRAFT, typed(blueprint, target="OWN"), headers=live)
    assert "目标能力值应为" in unfilled.text
    assert 'id="bank-mean"' in unfilled.text
    nonsense = await client.submit(DRAFT, typed(blueprint, pass_score="x") | {"count-1-TF": "-4"}, headers=live)
    assert (nonsense.status_code, "每格题数应为" in nonsense.text) == (200, True)
    assert (await get_blueprint(session, "GEN")).version == 1


async def test_levels_are_added_row_by_row_even_without_scripts(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    desk = await make_bank(session, vault, now=now)
    await session.commit()
    await client.sign_in(desk.reviewer.phone, PASSWORD)
    blueprint = await get_blueprint(session, "GEN")
    rows = len(form_of(blueprint).rows)
    fields = typed(blueprint)
    added = await client.submit(DRAFT, fields | {"add": "1"})
    assert f'name="count-{rows + 1}-TF"' in added.text
    fields |= {f"area-{rows + 1}": "1", f"level-{rows + 1}": "KNOW", f"count-{rows + 1}-TF": "1"}
    fields |= {f"count-{rows + 1}-SC": "0", f"count-{rows + 1}-MC": "0"}
    mixed = await client.submit(PAGE, fields)
    assert (mixed.status_code, "同一道题会被两格争用" in mixed.text) == (422, True)
    dropped = await client.submit(DRAFT, fields | {"drop": str(rows + 1)})
    assert f'name="count-{rows + 1}-TF"' not in dropped.text
    assert (await client.submit(PAGE, fields | {"count-1-TF": "0"})).status_code in {302, 303}
    kept = await get_blueprint(session, "GEN")
    assert [cell.level for cell in kept.cells if (cell.area, cell.type) == (1, ItemType.TF)] == [CellLevel.KNOW]
    page = (await client.get("/authority/blueprints/GEN")).text
    assert "等级" in page
    assert "type=TF&amp;level=KNOW" in page

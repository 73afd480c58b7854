"""Scores are reviewed and released, one is doubted, an item is corrected by two people, and everybody is told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlmodel import col, select

from exams.appeals import ask_appeal
from exams.handing_in import close_overdue
from exams.models import RegradeKind, Score
from exams.regrade_effects import try_regrade
from exams.regrading import approve_regrade, propose_regrade
from exams.rulings import ruling_of
from question_bank.models import Blueprint
from question_bank.queries import list_revisions
from tests.exams.test_regrading import revision_at
from tests.journeys.conftest import DESK, PHONE, inspect, sign_in
from tests.makers.people import PASSWORD, make_organisation, make_role
from tests.makers.receipts import KEYS
from tests.makers.scored import add_takers
from tests.makers.sittings import GRACE, Sat, answer, make_enterprise_sitting, make_sitting, right_choices
from training.models import Organisation, OrganisationKind, Role

if TYPE_CHECKING:
    from uuid import UUID

    from playwright.sync_api import Page
    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.journeys.conftest import Server
    from tests.makers.people import Known


@dataclass
class Scene:
    """A session with ten scores, an enterprise exam, and the people who act."""

    sat: Sat
    staff: Sat
    issuer: Known
    reviewer: Known
    manager: Known
    code: str
    revision_id: UUID


def prepare(server: Server) -> Scene:
    async def act(session: AsyncSession) -> Scene:
        now, vault = server.clock.now(), server.vault
        authority = await make_organisation(session, now=now, kind=OrganisationKind.AUTHORITY, name="演示市应急管理局")
        issuer = await make_role(session, vault, role=Role.ISSUER, organisation=authority, now=now, name="钱签发")
        reviewer = await make_role(
            session, vault, role=Role.QUESTION_REVIEWER, organisation=authority, now=now, name="孙审题"
        )
        sat = await make_sitting(session, vault, now=now)
        await answer(session, sat, (await right_choices(session, sat.id))[:79], now=now)
        staff = await make_enterprise_sitting(session, vault, now=now)
        choices = await right_choices(session, staff.id)
        await answer(session, staff, choices[: round(len(choices) * 0.8)], now=now)
        for blueprint in (await session.exec(select(Blueprint).where(col(Blueprint.is_current)))).all():
            blueprint.shows_key_points = True
            session.add(blueprint)
        await close_overdue(session, now=sat.entry.deadline + GRACE, countersign=KEYS.countersign)
        await add_takers(session, vault, sitting_id=sat.id, now=now, count=9)
        assert staff.exam
        firm = await session.get_one(Organisation, staff.exam.organisation_id)
        manager = await make_role(session, vault, role=Role.ENTERPRISE_MANAGER, organisation=firm, now=now)
        revision_id = await revision_at(session, sat.id, 90)
        code = (await list_revisions(session, [revision_id]))[revision_id].code
        return Scene(sat, staff, issuer, reviewer, manager, code, revision_id)

    scene: Scene = server.do(act)
    return scene


def both_sizes(page: Page, name: str) -> None:
    for size in (PHONE, DESK):
        page.set_viewport_size({"width": size["width"], "height": size["height"]})
        inspect(page, name)


def become(page: Page, known: Known) -> None:
    page.context.clear_cookies()
    sign_in(page, known.phone, PASSWORD)


def test_scores_go_from_review_to_release_and_are_corrected(server: Server, desk: Page) -> None:
    scene = prepare(server)
    desk.on("dialog", lambda dialog: dialog.accept())
    server.clock.advance(days=12)
    become(desk, scene.issuer)
    _review_and_release(desk)
    server.do(lambda session: _doubt(session, server, scene))
    desk.goto("/authority")
    both_sizes(desk, "scores-home")
    desk.goto("/authority/appeals")
    both_sizes(desk, "appeals")
    desk.locator("main td a").first.click()
    both_sizes(desk, "appeal")
    path = _propose(desk, scene)
    become(desk, scene.reviewer)
    desk.goto(path)
    both_sizes(desk, "regrade-to-approve")
    desk.get_by_role("button", name="批准并重新计分").click()
    desk.get_by_text("已重新计分").wait_for()
    both_sizes(desk, "regrade-approved")
    desk.goto("/authority/regrades")
    both_sizes(desk, "regrades")
    _see_as_candidate(desk, scene)


def _review_and_release(desk: Page) -> None:
    desk.goto("/authority/scores")
    desk.get_by_text("即将到期").wait_for()
    both_sizes(desk, "scores-to-review")
    desk.locator("main td a").first.click()
    desk.locator(".chart canvas").wait_for()
    both_sizes(desk, "scores-provisional")
    desk.get_by_role("checkbox").nth(0).check()
    desk.get_by_role("checkbox").nth(1).check()
    desk.get_by_role("button", name="只审核选中的考生").click()
    desk.get_by_text("审核中 2 人").wait_for()
    both_sizes(desk, "scores-some-under-review")
    desk.get_by_role("button", name="开始审核 8 人").click()
    desk.get_by_role("button", name="公布 10 人的成绩").wait_for()
    desk.locator("summary").filter(has_text="暂缓").last.click()
    desk.get_by_label("原因（考生可见）").last.fill("核查考场录像")
    desk.get_by_role("button", name="确认暂缓").last.click()
    both_sizes(desk, "scores-under-review")
    desk.get_by_role("button", name="公布 9 人的成绩").click()
    desk.get_by_text("没有待办的成绩").wait_for()
    both_sizes(desk, "scores-released")
    desk.get_by_role("link", name="质量分析").click()
    both_sizes(desk, "scores-report")


async def _doubt(session: AsyncSession, server: Server, scene: Scene) -> None:
    await ask_appeal(
        session, sitting_id=scene.sat.id, person_id=scene.sat.who.person.id, reason="第 90 题没有正确答案",
        now=server.clock.now(),
    )  # fmt: skip


def _propose(desk: Page, scene: Scene) -> str:
    desk.goto(f"/authority/regrades?code={scene.code}")
    desk.get_by_label("全体考生得分").check()
    desk.get_by_label("更正理由").fill("四个选项都不完整")
    desk.get_by_role("button", name="试算，不改成绩").click()
    desk.get_by_text("试算结果").wait_for()
    both_sizes(desk, "regrade-tried")
    desk.get_by_role("button", name="提出，等待他人批准").click()
    desk.get_by_text("下一步：由另一名").wait_for()
    return desk.url


def _see_as_candidate(desk: Page, scene: Scene) -> None:
    become(desk, scene.sat.who)
    desk.goto("/notices")
    desk.get_by_text("由 79 分更正为 80 分").wait_for()
    both_sizes(desk, "notices")
    desk.get_by_role("button", name="查看 成绩已更正").click()
    desk.get_by_text("建议再学").wait_for()
    both_sizes(desk, "result-corrected")
    desk.goto("/notices")
    desk.get_by_role("button", name="全部标为已读").click()
    desk.get_by_text("全部已读。").wait_for()
    both_sizes(desk, "notices-read")


def test_an_enterprise_sees_whom_a_regrade_let_fall(server: Server, desk: Page) -> None:
    scene = prepare(server)

    async def regrade(session: AsyncSession) -> None:
        now = server.clock.now()
        revision_id = await revision_at(session, scene.staff.id, 1)
        one, two = scene.issuer.person.id, scene.reviewer.person.id
        proposed = await propose_regrade(
            session, revision_id=revision_id, kind=RegradeKind.DROP, new_key="", reason="题目已不合新规", actor_id=one,
            now=now,
        )  # fmt: skip
        seen = (await try_regrade(session, revision_id=revision_id, ruling=ruling_of(proposed))).digest
        await approve_regrade(session, regrade_id=proposed.id, actor_id=two, seen=seen, certified=(), now=now)
        score = (await session.exec(select(Score).where(Score.sitting_id == scene.staff.id))).one()
        assert not score.passed

    become(desk, scene.issuer)
    revision_id = server.do(lambda session: revision_at(session, scene.staff.id, 1))
    desk.goto(f"/authority/regrades/new/{revision_id}")
    both_sizes(desk, "regrade-form")
    desk.get_by_label("删除题目，不计分").check()
    desk.get_by_role("button", name="试算，不改成绩").click()
    desk.get_by_role("heading", name="企业自办考试").wait_for()
    both_sizes(desk, "regrade-tried-staff")
    server.do(regrade)
    become(desk, scene.manager)
    desk.goto("/notices")
    desk.get_by_role("button", name="查看 本单位考试成绩有更正").click()
    desk.get_by_text("考核发证机关的成绩更正").wait_for()
    both_sizes(desk, "enterprise-exam-corrected")
    become(desk, scene.staff.who)
    desk.goto(f"/sittings/{scene.staff.id}/result")
    desk.get_by_text("题目已不合新规").wait_for()
    both_sizes(desk, "result-at-work")

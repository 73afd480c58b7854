"""A centre's pages: opening a class, attendance, closing."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.makers.classes import MadeCentre, make_centre, make_class
from tests.makers.people import PASSWORD, make_person
from training.attendance_codes import code_at
from training.calendar import CHINA
from training.class_lists import get_class_line
from training.enrolments import enrol_oneself

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.conftest import Client
    from training.vault import Vault


@pytest.fixture
async def centre(session: AsyncSession, vault: Vault, now: datetime) -> MadeCentre:
    made = await make_centre(session, vault, now=now)
    await session.commit()
    return made


def form_for(centre: MadeCentre, now: datetime, **changes: object) -> dict[str, object]:
    day = (now + timedelta(days=1)).astimezone(CHINA)
    return {
        "course_version_id": str(centre.version.id),
        "title": "网页开的班",
        "teacher_id": str(centre.teacher.person.id),
        "room": "三楼 301",
        "capacity": "20",
        "lesson_topic": ["触电急救", "安全操作", ""],
        "lesson_day": [f"{day:%Y-%m-%d}", f"{day + timedelta(days=1):%Y-%m-%d}", ""],
        "lesson_start": ["09:00", "09:00", ""],
        "lesson_end": ["12:00", "12:00", ""],
        "lesson_hours": ["4", "3.5", ""],
        "lesson_room": ["", "实训室", ""],
        **changes,
    }


async def test_a_manager_opens_a_class_and_sees_it_on_the_board(
    client: Client, centre: MadeCentre, now: datetime
) -> None:
    await client.sign_in(centre.manager.phone, PASSWORD)
    assert "还没有培训班" in (await client.get("/centre")).text
    assert "低压电工初训" in (await client.get("/centre/classes/new")).text
    answer = await client.submit("/centre/classes/new", form_for(centre, now))
    assert answer.status_code in {302, 303}, answer.text
    page = await client.get(answer.headers["location"])
    assert "触电急救" in page.text
    assert "实训室" in page.text
    assert "7.5" in page.text
    assert "网页开的班" in (await client.get("/centre")).text


async def test_what_was_typed_stays_beside_the_error(client: Client, centre: MadeCentre, now: datetime) -> None:
    await client.sign_in(centre.manager.phone, PASSWORD)
    answer = await client.submit("/centre/classes/new", form_for(centre, now, lesson_hours=["x", "4", ""]))
    assert answer.status_code == 422
    assert "学时应在" in answer.text
    assert "三楼 301" in answer.text
    assert "触电急救" in answer.text
    more = await client.submit("/centre/classes/new", form_for(centre, now, more="yes"))
    assert more.text.count('name="lesson_topic"') == 4
    assert "触电急救" in more.text


async def test_a_clash_is_told_and_may_be_accepted(
    client: Client, session: AsyncSession, centre: MadeCentre, now: datetime
) -> None:
    await client.sign_in(centre.manager.phone, PASSWORD)
    await client.submit("/centre/classes/new", form_for(centre, now))
    clash = await client.submit("/centre/classes/new", form_for(centre, now, title="第二个班"))
    assert clash.status_code == 422
    assert "教室 三楼 301 已占用" in clash.text
    assert "教师已有课" in clash.text
    accepted = await client.submit("/centre/classes/new", form_for(centre, now, title="第二个班", accepts_clash="yes"))
    assert accepted.status_code in {302, 303}
    edit = await client.get(accepted.headers["location"] + "/edit")
    assert 'value="09:00"' in edit.text
    changed = await client.submit(
        accepted.headers["location"] + "/edit",
        form_for(centre, now, title="改了名", room="四楼 401", accepts_clash="yes"),
    )
    assert "改了名" in (await client.get(changed.headers["location"])).text


async def test_people_are_enrolled_removed_and_a_full_class_says_so(
    client: Client, session: AsyncSession, vault: Vault, centre: MadeCentre, now: datetime
) -> None:
    one = await make_person(session, vault, now=now, name="钱一")
    two = await make_person(session, vault, now=now, name="孙二")
    opened, _ = await make_class(session, centre, now=now, capacity=1)
    await session.commit()
    await client.sign_in(centre.manager.phone, PASSWORD)
    path = f"/centre/classes/{opened.id}"
    wrong = await client.submit(f"{path}/learners", {"people": f"钱二 {one.phone}"})
    assert wrong.status_code == 422
    assert "第 1 行无法识别" in wrong.text
    assert f"钱二 {one.phone}" in wrong.text
    full = await client.submit(f"{path}/learners", {"people": f"钱一 {one.phone}\n孙二 {two.phone}"})
    assert "名额已满（1 人）" in full.text
    await client.submit(f"{path}/learners", {"people": f"钱一 {one.phone}"})
    page = (await client.get(path)).text
    assert one.number not in page
    found = re.search(r"learners/([0-9a-f-]{36})/remove", page)
    assert found
    await client.submit(f"{path}/learners/{found[1]}/remove")
    assert "还没有学员" in (await client.get(path)).text


async def test_a_cancelled_class_tells_its_reason_to_the_learner(
    client: Client, session: AsyncSession, vault: Vault, centre: MadeCentre, now: datetime
) -> None:
    learner = await make_person(session, vault, now=now)
    opened, _ = await make_class(session, centre, now=now)
    await enrol_oneself(session, class_id=opened.id, person_id=learner.person.id, now=now)
    await session.commit()
    await client.sign_in(centre.manager.phone, PASSWORD)
    path = f"/centre/classes/{opened.id}/cancel"
    assert (await client.submit(path, {"reason": ""})).status_code == 422
    await client.submit(path, {"reason": "教室停电检修"})
    assert "教室停电检修" in (await client.get(f"/centre/classes/{opened.id}")).text
    client.cookies.clear()
    await client.sign_in(learner.phone, PASSWORD)
    assert "教室停电检修" in (await client.get("/classes/mine")).text


async def test_a_class_is_held_from_scan_to_record(
    client: Client, session: AsyncSession, vault: Vault, centre: MadeCentre, clock: FixedClock
) -> None:
    learner = await make_person(session, vault, now=clock.now(), name="吴学员")
    absent = await make_person(session, vault, now=clock.now(), name="未到者")
    opened, lessons = await make_class(session, centre, now=clock.now())
    for each in (learner, absent):
        await enrol_oneself(session, class_id=opened.id, person_id=each.person.id, now=clock.now())
    await session.commit()
    await client.sign_in(centre.teacher.phone, PASSWORD)
    screen = f"/centre/lessons/{lessons[0].id}/screen"
    assert '<svg class="qr"' not in (await client.get(screen)).text
    clock.instant = lessons[0].starts_at
    assert '<svg class="qr"' in (await client.get(screen)).text
    assert "已到 0 / 2 人" in (await client.get(f"/centre/lessons/{lessons[0].id}/code")).text
    code = code_at(lessons[0].attendance_secret, clock.now(), seconds=60)

    client.cookies.clear()
    asked = await client.get(f"/attend/{lessons[0].id}/{code}")
    assert asked.headers["location"].startswith("/sign-in?next=/attend/")
    await client.sign_in(learner.phone, PASSWORD)
    assert "我已到课" in (await client.get(f"/attend/{lessons[0].id}/{code}")).text
    assert "签到成功" in (await client.submit(f"/attend/{lessons[0].id}/{code}")).text
    clock.advance(minutes=3)
    assert "签到码已更换" in (await client.get(f"/attend/{lessons[0].id}/{code}")).text

    client.cookies.clear()
    await client.sign_in(centre.teacher.phone, PASSWORD)
    clock.instant = lessons[1].ends_at
    sheet = await client.get(f"/centre/lessons/{lessons[1].id}")
    by_name = dict(
        re.findall(r'name="present"\s+value="([0-9a-f-]{36})"[^>]*>\s*<span class="tick-name">(\S+)', sheet.text)
    )
    enrolment = next(key for key, name in by_name.items() if name == "吴学员")
    assert "名单已保存" in (await client.submit(f"/centre/lessons/{lessons[1].id}", {"present": [enrolment]})).text

    close = f"/centre/classes/{opened.id}/close"
    assert "未到课，不计学时" in (await client.get(close)).text
    refused = await client.submit(close, {f"score-{enrolment}": "88"})
    assert "还有 1 人没有选择" in refused.text
    bad = await client.submit(close, {f"result-{enrolment}": "passed", f"score-{enrolment}": "888"})
    assert bad.status_code == 422
    assert 'value="888"' in bad.text
    done = await client.submit(close, {f"result-{enrolment}": "failed", f"score-{enrolment}": "58"})
    assert done.status_code in {302, 303}
    page = (await client.get(f"/centre/classes/{opened.id}")).text
    assert "1 名学员的学时已计入培训记录" in page
    assert "不合格，得分 58" in page

    client.cookies.clear()
    await client.sign_in(centre.manager.phone, PASSWORD)
    found = re.search(
        r"/centre/classes/[0-9a-f-]{36}/records/[0-9a-f-]{36}", (await client.get(done.headers["location"])).text
    )
    assert found
    assert "更正培训记录" in (await client.get(found[0])).text
    assert (await client.submit(found[0], {"result": "passed", "score": "", "reason": ""})).status_code == 422
    await client.submit(found[0], {"result": "passed", "score": "80", "reason": "补考合格"})
    assert "合格，得分 80" in (await client.get(done.headers["location"])).text


async def test_a_learner_enrols_and_withdraws_on_the_page(
    client: Client, session: AsyncSession, vault: Vault, centre: MadeCentre, now: datetime
) -> None:
    learner = await make_person(session, vault, now=now)
    opened, _ = await make_class(session, centre, now=now)
    await session.commit()
    assert "低压电工初训一班" in (await client.get("/classes")).text
    path = f"/classes/{opened.id}"
    assert (await client.submit(f"{path}/enrol")).headers["location"].startswith("/sign-in")
    await client.sign_in(learner.phone, PASSWORD)
    assert "课表还是空的" in (await client.get("/classes/mine")).text
    await client.submit(f"{path}/enrol")
    assert "您已报名" in (await client.get(path)).text
    assert "101 教室" in (await client.get("/classes/mine")).text
    await client.submit(f"{path}/withdraw")
    assert (await get_class_line(session, opened.id)).taken == 0


async def test_a_teacher_does_not_open_classes_and_a_learner_has_no_board(
    client: Client, session: AsyncSession, vault: Vault, centre: MadeCentre, now: datetime
) -> None:
    learner = await make_person(session, vault, now=now)
    await session.commit()
    await client.sign_in(centre.teacher.phone, PASSWORD)
    assert (await client.get("/centre/classes/new")).status_code == 403
    assert (await client.get("/centre")).status_code == 200
    client.cookies.clear()
    await client.sign_in(learner.phone, PASSWORD)
    assert (await client.get("/centre")).status_code == 403

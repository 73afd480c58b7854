"""`/sittings` and the exams on the learner's home: what can be sat, the paper, handing in, the result."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import httpx
import pytest
from sqlmodel import func, select

from exams.accommodations import Accommodations
from exams.chain import first_link, next_link
from exams.enterprise_exams import reschedule_exam
from exams.handing_in import hand_in_by_site
from exams.models import Application, Booking, ExamSession, Score, ScoreState, Sitting, SittingStatus
from exams.queries_scores import list_scores
from exams.scores import withhold_score
from exams.sittings import pause_sitting, release_device, resume_paused
from exams.voiding import void_sitting
from tests.conftest import Client
from tests.makers.exams import make_booking
from tests.makers.people import PASSWORD, Known, make_person
from tests.makers.receipts import KEYS
from tests.makers.sittings import make_checked_in, make_exam, review_and_release, right_choices
from training.models import TrainingRecord
from web.learner.sitting import outbox_key

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from datetime import datetime

    from litestar import Litestar
    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.models import EnterpriseExam
    from tests.clock import FixedClock
    from training.vault import Vault
    from web.keys import Keys


class Desk:
    """A signed-in employee with an open enterprise exam."""

    def __init__(self, exam: EnterpriseExam, who: Known) -> None:
        self.exam, self.who = exam, who
        self.start = f"/sittings/start/exam/{exam.id}"


@pytest.fixture
async def desk(client: Client, session: AsyncSession, vault: Vault, now: datetime) -> Desk:
    exam, who = await make_exam(session, vault, now=now)
    await session.commit()
    await client.sign_in(who.phone, PASSWORD)
    return Desk(exam, who)


@pytest.fixture
async def other(app: Litestar) -> AsyncGenerator[Client, None]:
    """A second browser."""
    async with Client(transport=httpx.ASGITransport(app=cast("Any", app)), base_url="http://testserver") as opened:
        yield opened


async def begin(client: Client, start: str) -> str:
    """Start; gives the path of the sitting."""
    reply = await client.submit(start)
    assert reply.status_code in {302, 303}, reply.text
    return reply.headers["location"]


def the_id(path: str) -> UUID:
    return UUID(path.rpartition("/")[2])


def goes_to(reply: httpx.Response) -> str:
    assert reply.status_code in {302, 303}, reply.text
    return reply.headers["location"]


async def test_nothing_to_sit_says_where_exams_come_from(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    who = await make_person(session, vault, now=now)
    await session.commit()
    await client.sign_in(who.phone, PASSWORD)
    page = await client.get("/sittings")
    assert page.status_code == 200
    assert "目前没有可以参加的考试" in page.text
    assert "待参加的考试" not in (await client.get("/learn")).text


async def test_an_open_exam_stands_on_the_home_and_among_the_sittings(client: Client, desk: Desk) -> None:
    for path in ("/learn", "/sittings"):
        page = await client.get(path)
        assert "年度安全考试" in page.text
        assert desk.start in page.text
    assert "还可以考 2 次" in page.text


async def test_a_begun_exam_is_gone_on_with_from_the_home(client: Client, desk: Desk) -> None:
    path = await begin(client, desk.start)
    for page in ("/learn", "/sittings"):
        text = (await client.get(page)).text
        assert "继续答题" in text
        assert f'href="{path}"' in text


@pytest.mark.parametrize(("opens", "closes", "words"), [(1, 3, "开放后可从这里进入"), (-3, -1, "考试已经截止")])
async def test_an_exam_before_or_after_its_time_says_so_and_is_not_on_the_home(
    client: Client, session: AsyncSession, desk: Desk, now: datetime, opens: int, closes: int, words: str
) -> None:
    await reschedule_exam(
        session, exam_id=desk.exam.id, organisation_id=desk.exam.organisation_id, actor_id=desk.who.person.id, now=now,
        opens_at=now + timedelta(days=opens), closes_at=now + timedelta(days=closes),
    )  # fmt: skip
    await session.commit()
    page = await client.get("/sittings")
    assert words in page.text
    assert desk.start not in page.text
    assert "待参加的考试" not in (await client.get("/learn")).text
    refused = await client.submit(desk.start)
    assert refused.status_code == 409
    assert (await session.exec(select(func.count()).select_from(Sitting))).one() == 0


async def test_the_rules_come_before_the_clock_and_the_number_stays_masked(client: Client, desk: Desk) -> None:
    page = await client.get(desk.start)
    assert page.status_code == 200
    for words in ("50 题", "60 分钟", "80 分", "信息无误，开始考试", desk.who.person.name):
        assert words in page.text
    assert desk.who.number not in page.text
    assert "才能交卷离场" not in page.text


async def test_starting_twice_opens_one_sitting(client: Client, session: AsyncSession, desk: Desk) -> None:
    path = await begin(client, desk.start)
    assert await begin(client, desk.start) == path
    assert (await session.exec(select(func.count()).select_from(Sitting))).one() == 1


async def test_the_paper_holds_no_keys_and_stays_out_of_caches(
    client: Client, session: AsyncSession, desk: Desk
) -> None:
    path = await begin(client, desk.start)
    page = await client.get(path)
    assert page.headers["cache-control"] == "no-store"
    assert page.text.count('class="item card"') == 50
    assert re.search(r'data-token="[\w.-]{20,}"', page.text)
    for secret in ("checked", "要点", "教学大纲", "解析"):
        assert secret not in page.text


async def test_an_answer_without_a_script_is_saved_and_shown(client: Client, session: AsyncSession, desk: Desk) -> None:
    path = await begin(client, desk.start)
    choices = await right_choices(session, the_id(path))
    several = next(place for place, choice in enumerate(choices, 1) if len(choice) > 1)
    reply = await client.submit(f"{path}/answers", {"position": several, "choice": list(choices[several - 1])})
    assert goes_to(reply) == f"{path}#item-{several + 1}"
    page = await client.get(path)
    assert page.text.count("checked") == len(choices[several - 1])
    assert "已答 1/50" in page.text


@pytest.mark.parametrize("form", [{"position": 0, "choice": "A"}, {"position": 51, "choice": "A"},
                                  {"position": 1, "choice": "Z"}, {"position": "x", "choice": "A"}, {}])  # fmt: skip
async def test_a_malformed_answer_is_refused(client: Client, desk: Desk, form: dict[str, object]) -> None:
    path = await begin(client, desk.start)
    reply = await client.submit(f"{path}/answers", form)
    assert reply.status_code in {400, 409, 422}
    assert "已答 0/50" in (await client.get(path)).text


async def test_another_browser_is_told_and_takes_over_only_when_asked(
    client: Client, other: Client, desk: Desk
) -> None:
    path = await begin(client, desk.start)
    await client.submit(f"{path}/answers", {"position": 1, "choice": "A"})
    await other.sign_in(desk.who.phone, PASSWORD)
    page = await other.get(path)
    assert "正在另一台设备上进行" in page.text
    assert "data-token" not in page.text
    assert 'class="item card"' not in page.text
    assert 'class="item card"' in (await client.get(path)).text
    assert goes_to(await other.submit(f"{path}/answers", {"position": 2, "choice": "A"})) == path
    assert "正在另一台设备上进行" in (await other.get(path)).text
    assert goes_to(await other.submit(f"{path}/resume")) == path
    assert "已答 1/50" in (await other.get(path)).text
    assert "正在另一台设备上进行" in (await client.get(path)).text


async def test_a_certificate_exam_moves_only_when_the_site_releases_it(
    client: Client, other: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    who, booking = await make_checked_in(session, vault, now=now)
    await session.commit()
    await client.sign_in(who.phone, PASSWORD)
    start = f"/sittings/start/booking/{booking.id}"
    assert start in (await client.get("/learn")).text
    assert "才能交卷离场" in (await client.get(start)).text
    path = await begin(client, start)
    await other.sign_in(who.phone, PASSWORD)
    refused = await other.submit(f"{path}/resume")
    assert refused.status_code == 409
    assert "请举手告知监考人员" in refused.text
    exam_session = await session.get_one(ExamSession, booking.exam_session_id)
    await release_device(
        session, sitting_id=the_id(path), site_id=exam_session.site_id, actor_id=who.person.id, reason="换机", now=now
    )  # fmt: skip
    await session.commit()
    assert "考试点已放行换机" in (await other.get(path)).text
    assert goes_to(await other.submit(f"{path}/resume")) == path


async def test_who_has_not_checked_in_cannot_start(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    booking = await make_booking(session, vault, now=now)
    who = await make_person(session, vault, now=now)
    await session.commit()
    await client.sign_in(who.phone, PASSWORD)
    start = f"/sittings/start/booking/{booking.id}"
    assert (await client.get(start)).status_code == 404
    assert (await client.submit(start)).status_code == 404


async def test_handing_in_lists_what_is_open_and_is_done_once(
    client: Client, session: AsyncSession, desk: Desk, clock: FixedClock
) -> None:
    path = await begin(client, desk.start)
    await client.submit(f"{path}/answers", {"position": 1, "choice": "A"})
    page = await client.get(f"{path}/hand-in")
    assert page.headers["cache-control"] == "no-store"
    assert "还有 49 题没有作答" in page.text
    assert f'href="{path}#item-50"' in page.text
    assert f'href="{path}#item-1"' not in page.text
    assert "剩余 60 分钟" in page.text
    assert goes_to(await client.get(f"{path}/result")) == path
    for _ in range(2):
        assert goes_to(await client.submit(f"{path}/hand-in")) == f"{path}/result"
        clock.advance(minutes=1)
    for way in ("", "/hand-in"):
        assert goes_to(await client.get(f"{path}{way}")) == f"{path}/result"
    assert (await session.exec(select(func.count()).select_from(Score))).one() == 1
    assert goes_to(await client.submit(f"{path}/answers", {"position": 2, "choice": "A"})) == path
    page = await client.get(f"{path}/result")
    assert "未合格" in page.text
    assert "没有合格也不要紧" in page.text
    assert "待审成绩" not in page.text
    assert "还可以考 1 次" in (await client.get("/sittings")).text
    assert "再考一次" in (await client.get("/learn")).text


async def test_nobody_leaves_a_certificate_exam_early(
    client: Client, session: AsyncSession, vault: Vault, now: datetime, clock: FixedClock
) -> None:
    who, booking = await make_checked_in(session, vault, now=now)
    await session.commit()
    await client.sign_in(who.phone, PASSWORD)
    path = await begin(client, f"/sittings/start/booking/{booking.id}")
    page = await client.get(f"{path}/hand-in")
    assert "之后才能交卷离场" in page.text
    assert f'action="{path}/hand-in"' not in page.text
    refused = await client.submit(f"{path}/hand-in")
    assert refused.status_code == 409
    assert "才能交卷。请再检查一遍答案" in refused.text
    clock.advance(minutes=30)
    assert f'action="{path}/hand-in"' in (await client.get(f"{path}/hand-in")).text
    assert goes_to(await client.submit(f"{path}/hand-in")) == f"{path}/result"


async def test_at_the_deadline_the_page_waits_for_answers_on_their_way_and_asking_after_the_grace_is_enough(
    client: Client, other: Client, session: AsyncSession, desk: Desk, clock: FixedClock
) -> None:
    path = await begin(client, desk.start)
    await other.sign_in(desk.who.phone, PASSWORD)
    clock.advance(minutes=60, seconds=30)
    for way in ("/result", "/hand-in"):
        assert (await client.get(f"{path}{way}", follow_redirects=True)).url.path == path
    page = await client.get(path)
    assert page.headers["cache-control"] == "no-store"
    assert "时间到，正在收卷" in page.text
    assert re.search(r'data-token="[\w.-]{20,}"', page.text)
    assert 'class="item card"' not in page.text
    elsewhere = await other.get(path)
    assert "作答的那台设备可能还在上传" in elsewhere.text
    assert 'data-token=""' in elsewhere.text
    sitting = await session.get_one(Sitting, the_id(path), populate_existing=True)
    assert sitting.status is SittingStatus.OPEN
    clock.advance(minutes=2)
    assert goes_to(await client.get(path)) == f"{path}/result"
    for _ in range(2):
        page = await client.get(f"{path}/result")
        assert page.status_code == 200
        assert "到时自动交卷" in page.text
    sitting = await session.get_one(Sitting, the_id(path), populate_existing=True)
    assert sitting.status is SittingStatus.TIMED_OUT
    assert sitting.submitted_at == sitting.deadline


async def test_without_a_script_one_hands_in_by_a_button_when_the_time_is_up(
    client: Client, session: AsyncSession, desk: Desk, clock: FixedClock
) -> None:
    path = await begin(client, desk.start)
    clock.advance(minutes=60, seconds=30)
    assert "交卷并查看成绩" in (await client.get(path)).text
    assert goes_to(await client.submit(f"{path}/hand-in")) == f"{path}/result"
    assert "到时自动交卷" in (await client.get(f"{path}/result")).text


async def test_the_page_carries_what_the_outbox_and_the_chain_need(
    client: Client, session: AsyncSession, keys: Keys, desk: Desk, now: datetime
) -> None:
    path = await begin(client, desk.start)
    page = await client.get(path)
    assert f'data-head="{first_link(the_id(path)).hex()}"' in page.text
    assert f'data-now="{int(now.timestamp() * 1000)}"' in page.text
    assert f'data-key="{outbox_key(keys.session, the_id(path))}"' in page.text
    await client.submit(f"{path}/answers", {"position": 1, "choice": "A"})
    head = next_link(first_link(the_id(path)), seq=1, position=1, choice="A", answered_at=now)
    assert f'data-head="{head.hex()}"' in (await client.get(path)).text
    state = (await client.get(f"/api/v1/sittings/{the_id(path)}")).json()
    assert (state["last_seq"], state["chain_head"]) == (1, head.hex())


def test_each_sitting_has_an_outbox_key_of_its_own() -> None:
    one, other = UUID(int=1), UUID(int=2)
    assert outbox_key(b"k" * 32, one) == outbox_key(b"k" * 32, one)
    assert len({outbox_key(b"k" * 32, one), outbox_key(b"k" * 32, other), outbox_key(b"l" * 32, one)}) == 3


async def test_after_the_end_the_device_that_held_it_still_offers_what_waits_there(
    client: Client, other: Client, desk: Desk
) -> None:
    path = await begin(client, desk.start)
    await client.submit(f"{path}/hand-in")
    assert 'id="closing"' in (await client.get(f"{path}/result")).text
    await other.sign_in(desk.who.phone, PASSWORD)
    assert 'id="closing"' not in (await other.get(f"{path}/result")).text


async def test_a_paused_exam_shows_no_questions_and_that_the_clock_stands_still(
    client: Client, session: AsyncSession, vault: Vault, now: datetime, clock: FixedClock
) -> None:
    who, booking, path = await begin_certificate_exam(client, session, vault, now)
    exam_session = await session.get_one(ExamSession, booking.exam_session_id)
    site: dict[str, Any] = {
        "sitting_id": the_id(path),
        "site_id": exam_session.site_id,
        "actor_id": who.person.id,
        "reason": "火警",
    }
    clock.advance(minutes=10)
    await pause_sitting(session, now=clock.now(), **site)
    await session.commit()
    clock.advance(minutes=20)
    page = await client.get(path)
    assert "考试已暂停" in page.text
    assert "剩余 110 分钟" in page.text
    assert 'class="item card"' not in page.text
    for way in ("hand-in", "answers"):
        assert goes_to(await client.submit(f"{path}/{way}", {"position": 1, "choice": "A"})) == path
    await resume_paused(session, now=clock.now(), **site)
    await session.commit()
    page = await client.get(path)
    assert page.text.count('class="item card"') > 0
    assert f'data-seconds="{110 * 60}"' in page.text


async def test_what_was_granted_is_told_before_the_start_and_set_on_the_page(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    who, booking = await make_checked_in(session, vault, now=now)
    granted = Accommodations(extra_percent=25, large_type=True, read_aloud=True, language="en")
    application = await session.get_one(Application, booking.application_id)
    application.accommodations = granted.stored()
    session.add(application)
    await session.commit()
    await client.sign_in(who.phone, PASSWORD)
    start = f"/sittings/start/booking/{booking.id}"
    page = await client.get(start)
    assert "25% longer" in page.text
    assert "150 minutes" in page.text
    path = await begin(client, start)
    page = await client.get(path)
    assert "Hand in" in page.text
    assert 'data-large="1" data-contrast="0" data-aloud="1"' in page.text
    assert f'data-seconds="{150 * 60}"' in page.text
    await client.submit("/language", {"language": "zh_CN", "next": path})
    assert "交卷" in (await client.get(path)).text


async def test_the_facts_that_are_recorded_are_told_before_the_start(client: Client, desk: Desk) -> None:
    page = await client.get(desk.start)
    assert "不自动判违纪" in page.text
    assert "离开全屏" not in page.text  # asked for in certificate exams only


async def test_a_pass_is_told_with_its_record(
    client: Client, session: AsyncSession, vault: Vault, desk: Desk, now: datetime
) -> None:
    path = await begin(client, desk.start)
    for position, choice in enumerate(await right_choices(session, the_id(path)), 1):
        if position <= 45:
            await client.submit(f"{path}/answers", {"position": position, "choice": list(choice)})
    await client.submit(f"{path}/hand-in")
    page = await client.get(f"{path}/result")
    assert "<strong>90</strong>" in page.text
    assert "已记入您的培训档案" in page.text
    assert (await session.exec(select(func.count()).select_from(TrainingRecord))).one() == 1
    assert "年度安全考试" in (await client.get("/learn/records")).text
    assert "待参加的考试" not in (await client.get("/learn")).text
    assert "再考一次" in (await client.get("/sittings")).text


async def begin_certificate_exam(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> tuple[Known, Booking, str]:
    who, booking = await make_checked_in(session, vault, now=now)
    await session.commit()
    await client.sign_in(who.phone, PASSWORD)
    return who, booking, await begin(client, f"/sittings/start/booking/{booking.id}")


async def test_a_certificate_score_is_provisional_then_withheld_with_a_reason_then_released(
    client: Client, session: AsyncSession, vault: Vault, now: datetime, clock: FixedClock
) -> None:
    who, booking, path = await begin_certificate_exam(client, session, vault, now)
    clock.advance(minutes=31)
    await client.submit(f"{path}/hand-in")
    page = await client.get(f"{path}/result")
    assert "这是待审成绩" in page.text
    assert "2026年12月4日" in page.text
    [line] = await list_scores(session, exam_session_id=booking.exam_session_id)
    await withhold_score(session, score_id=line.score_id, actor_id=who.person.id, reason="核查替考", now=clock.now())
    await session.commit()
    page = await client.get(f"{path}/result")
    assert "原因：核查替考" in page.text
    assert 'class="score ' not in page.text
    assert "各部分得分" not in page.text
    score = await session.get_one(Score, line.score_id, populate_existing=True)
    score.state = ScoreState.PROVISIONAL
    session.add(score)
    await review_and_release(session, exam_session_id=booking.exam_session_id, actor_id=who.person.id, now=clock.now())
    await session.commit()
    page = await client.get(f"{path}/result")
    assert "这是待审成绩" not in page.text
    assert "理论考试未合格" in page.text


async def test_a_sitting_is_nobody_elses(
    client: Client, other: Client, session: AsyncSession, vault: Vault, desk: Desk, now: datetime
) -> None:
    path = await begin(client, desk.start)
    stranger = await make_person(session, vault, now=now, name="路人")
    await session.commit()
    for way in ("", "/hand-in", "/result"):
        assert "/sign-in" in goes_to(await other.get(f"{path}{way}"))
    await other.sign_in(stranger.phone, PASSWORD)
    for address in (desk.start, path, f"{path}/hand-in", f"{path}/result"):
        assert (await other.get(address)).status_code == 404
    for address in (desk.start, f"{path}/resume", f"{path}/hand-in"):
        assert (await other.submit(address)).status_code == 404
    assert (await other.submit(f"{path}/answers", {"position": 1, "choice": "A"})).status_code == 404
    assert "年度安全考试" not in (await other.get("/sittings")).text


async def test_a_form_from_elsewhere_starts_nothing(client: Client, session: AsyncSession, desk: Desk) -> None:
    reply = await client.post(desk.start)
    assert reply.status_code == 403
    assert (await session.exec(select(func.count()).select_from(Sitting))).one() == 0


async def test_the_pages_speak_english(client: Client, desk: Desk) -> None:
    await client.submit("/language", {"language": "en", "next": "/"})
    assert "Exams to take" in (await client.get("/learn")).text
    assert "This is me, start the exam" in (await client.get(desk.start)).text
    path = await begin(client, desk.start)
    assert "All saved · 0/50 answered" in (await client.get(path)).text
    await client.submit(f"{path}/hand-in")
    assert "Points by area" in (await client.get(f"{path}/result")).text


async def test_a_sitting_that_the_site_or_the_authority_ended_says_why(
    client: Client, session: AsyncSession, vault: Vault, now: datetime, clock: FixedClock
) -> None:
    who, booking, path = await begin_certificate_exam(client, session, vault, now)
    exam_session = await session.get_one(ExamSession, booking.exam_session_id)
    await hand_in_by_site(
        session, sitting_id=the_id(path), site_id=exam_session.site_id, actor_id=who.person.id, reason="扰乱考场",
        now=clock.now(), countersign=KEYS.countersign,
    )  # fmt: skip
    await session.commit()
    page = await client.get(path, follow_redirects=True)
    assert "考试点已结束您的考试。原因：扰乱考场" in page.text


async def test_a_sitting_that_was_voided_before_it_was_marked_says_why(
    client: Client, session: AsyncSession, vault: Vault, now: datetime, clock: FixedClock
) -> None:
    who, _, path = await begin_certificate_exam(client, session, vault, now)
    await void_sitting(session, sitting_id=the_id(path), actor_id=who.person.id, reason="身份不符", now=clock.now())
    await session.commit()
    page = await client.get(path, follow_redirects=True)
    assert page.status_code == 200
    assert "这场考试已被作废。原因：身份不符" in page.text


async def test_the_first_visit_to_a_paper_of_a_hundred_questions_is_light(
    client: Client, session: AsyncSession, vault: Vault, now: datetime
) -> None:
    """Budget of design.md §6: 250 kB, all that the page asks for counted as it travels."""
    _, _, path = await begin_certificate_exam(client, session, vault, now)
    page = await client.get(path)
    assert page.headers["content-encoding"] == "gzip"
    plain = await client.get(path, headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.text.count('class="item card"') == page.text.count('class="item card"') == 100
    weight = int(page.headers["content-length"])
    assert weight < 20_000
    for address in set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)):
        file = await client.get(address)
        weight += int(file.headers["content-length"])
    assert weight < 200_000

"""Exams that are under way or coming, and applications in every state."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from exams.accommodations import Accommodations
from exams.appeals import ask_appeal
from exams.applications import refuse_application, return_application, withdraw_application
from exams.board import begin_due_sessions, note_incident
from exams.integrity import Fact, save_facts
from exams.models import ExamPart, IntegrityKind, RegradeKind, Sitting
from exams.papers import paper_items
from exams.plans import make_plan, publish_plan
from exams.practical import dispute_result
from exams.queries_scores import list_scores
from exams.regrading import propose_regrade
from exams.scheduling import cancel_session
from exams.scores import begin_review, withhold_score
from exams.seating import cancel_booking, change_booking
from question_bank.models import ItemType
from question_bank.queries import list_revisions
from seed.city.applying import Candidate, fill_in, get_accepted, hand_over
from seed.city.examining import (
    Held,
    Seat,
    answer,
    assess,
    begin,
    countersign,
    head_of,
    let_in,
    minutes,
    schedule,
    seat,
)
from seed.city.past_exams import Result, accept_all, end_session, hold_practical, hold_theory, release
from seed.city.times import at, days_ago, in_office_hours, soon, weekday
from training.calendar import add_months, china_date

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    from seed.city.state import City

_DAYS_AHEAD = 10


async def publish_plans(city: City) -> dict[str, UUID]:
    """The months around today: this one and its neighbours published, the one after still a draft."""
    today = china_date(city.now)
    first = today.replace(day=1)
    own = {"authority_id": city.places["city"], "actor_id": city.who("application_reviewer")}
    plans = {}
    async with city.work() as session:
        for months in (-1, 0, 1, 2):
            begins = add_months(first, months)
            made = min(at(weekday(begins - timedelta(days=20)), 10), city.now - timedelta(days=2 - months / 2))
            plan = await make_plan(
                session, title=f"{begins.year} 年 {begins.month} 月特种作业考试计划", starts_on=begins,
                ends_on=add_months(begins, 1) - timedelta(days=1), now=made, **own,
            )  # fmt: skip
            plans[f"{begins:%Y%m}"] = plan.id
            if months <= 1:
                await publish_plan(session, plan_id=plan.id, now=made + timedelta(hours=5), **own)
    return plans


async def hold_recent_exams(city: City, plans: Mapping[str, UUID]) -> None:
    """Results that wait: for release, for a resit, for a second signature."""
    await _fail_twice(city)
    await _wait_for_release(city, plans)
    await _wait_for_signatures(city)
    await _doubt_a_key(city)


async def _fail_twice(city: City) -> None:
    """One failed the resit too; two have failed once and may try again."""
    submitted, accepted = days_ago(city.now, 70), days_ago(city.now, 66)
    candidates = await accept_all(city, city.take_electricians(3), submitted=submitted, accepted=accepted)
    first = await hold_theory(
        city, [Result(candidate, 71 - place) for place, candidate in enumerate(candidates)],
        starts_at=days_ago(city.now, 48, 9), site="site-4",
    )  # fmt: skip
    await release(city, first, now=days_ago(city.now, 42, 16))
    again = await hold_theory(city, [Result(candidates[0], 76)], starts_at=days_ago(city.now, 30, 9), site="site-4")
    await release(city, again, now=days_ago(city.now, 24, 16))


async def _wait_for_release(city: City, plans: Mapping[str, UUID]) -> None:
    """The last batch: marked, some under review; one score is withheld, one candidate did not come."""
    day = china_date(days_ago(city.now, 4))
    candidates = await accept_all(
        city, city.take_electricians(7), submitted=days_ago(city.now, 45), accepted=days_ago(city.now, 41)
    )
    marks = (95, 88, 84, 79, 90, 66, None)
    held = await hold_theory(
        city, [Result(candidate, right) for candidate, right in zip(candidates, marks, strict=True)],
        starts_at=at(day, 9), plan_id=plans.get(f"{day:%Y%m}"),
    )  # fmt: skip
    async with city.work() as session:
        lines = await list_scores(session, exam_session_id=held.id)
        await begin_review(
            session, exam_session_id=held.id, actor_id=city.who("application_reviewer"), now=at(day, 15),
            score_ids=[line.score_id for line in lines[:3]],
        )  # fmt: skip
        await withhold_score(
            session, score_id=lines[4].score_id, actor_id=city.who("issuer"),
            reason="考场记录反映考试期间有他人进入考场，核实中（演示数据）", now=at(day, 16),
        )  # fmt: skip


async def _doubt_a_key(city: City) -> None:
    """A session released the day before yesterday: one asks for a recount, and two keys of an item are proposed."""
    candidates = await accept_all(
        city, city.take_electricians(3), submitted=days_ago(city.now, 40), accepted=days_ago(city.now, 36)
    )
    held = await hold_theory(
        city, [Result(candidate, right) for candidate, right in zip(candidates, (91, 79, 83), strict=True)],
        starts_at=days_ago(city.now, 7, 13, 30), site="site-3",
    )  # fmt: skip
    await release(city, held, now=days_ago(city.now, 2, 16))
    async with city.work() as session:
        line = next(line for line in await list_scores(session, exam_session_id=held.id) if not line.passed)
        await ask_appeal(
            session, sitting_id=line.sitting_id, person_id=candidates[1].person.id,
            reason="有一道单选题的另一个选项也符合现行标准，请复核（演示数据）", now=days_ago(city.now, 1, 9),
        )  # fmt: skip
        paper = paper_items((await session.get_one(Sitting, line.sitting_id)).paper)
        texts = await list_revisions(session, [item.revision_id for item in paper])
        doubted = next(text for text in reversed(texts.values()) if text.type is ItemType.SC)
        other = next(letter for letter in "ABCD" if letter != doubted.key)
        await propose_regrade(
            session, revision_id=doubted.id, kind=RegradeKind.ACCEPT_KEYS, new_key=f"{doubted.key}或{other}",
            reason="标准修订后两个选项都正确（演示数据）", actor_id=city.who("question_reviewer"),
            now=days_ago(city.now, 1, 15),
        )  # fmt: skip


async def _wait_for_signatures(city: City) -> None:
    """A practical test of this week: signed by both, by one, disputed, failed with a veto."""
    candidates = await accept_all(
        city, city.take_electricians(6), submitted=days_ago(city.now, 60), accepted=days_ago(city.now, 55)
    )
    theory = await hold_theory(
        city, [Result(candidate, 85 + place) for place, candidate in enumerate(candidates)],
        starts_at=days_ago(city.now, 25, 13, 30), site="site-3",
    )  # fmt: skip
    await release(city, theory, now=days_ago(city.now, 18, 16))
    held, seats = await hold_practical(city, candidates[:4], starts_at=days_ago(city.now, 2, 13, 30))
    async with city.work() as session:
        for place, taken in enumerate(seats):
            veto = "断开电源前未验电（演示数据）" if place == 1 else ""
            await assess(
                session, city, held, taken, points=(90, 84, 80, 88), veto=veto,
                now=held.starts_at + minutes(25 + place * 5),
            )  # fmt: skip
            if place < 2:  # noqa: PLR2004 - the last two wait
                await countersign(session, city, held, taken, now=held.starts_at + minutes(28 + place * 5))
        await dispute_result(
            session, booking_id=seats[3].booking_id, site_id=city.places["site-1"],
            reason="K3 的隐患少找了一处，扣分与评分表不一致（演示数据）", assessor_id=city.who("assessor_2"),
            now=held.starts_at + minutes(60),
        )  # fmt: skip
        await end_session(session, city, held)
    await _book_practical(city, candidates[4:])


async def _book_practical(city: City, candidates: list[Candidate]) -> None:
    """Practical tests of the coming days; two seats are taken."""
    today = china_date(city.now)
    async with city.work() as session:
        for days in range(1, _DAYS_AHEAD + 1):
            held = await schedule(
                session, city, site="site-1", room=3 if days % 2 else 4,
                starts_at=at(today + timedelta(days=days), 15, 30),
                part=ExamPart.PRACTICAL, now=city.now - timedelta(days=3),
            )  # fmt: skip
            if days == 1:
                await seat(session, held, candidates, now=city.now - timedelta(days=1))
        # So that a newcomer who passes the theory can go on the same day.
        await schedule(
            session, city, site="site-1", room=3, starts_at=soon(city.now) + timedelta(hours=3),
            part=ExamPart.PRACTICAL, now=city.now - timedelta(days=3),
        )  # fmt: skip


async def open_coming_sessions(city: City, plans: Mapping[str, UUID]) -> None:
    """On demand on each of the next days and in half an hour; batches of this and the next month."""
    today = china_date(city.now)
    opened = city.now - timedelta(days=3)
    on_demand = []
    async with city.work() as session:
        for days in range(1, _DAYS_AHEAD + 1):
            day = today + timedelta(days=days)
            for site, hour, minute in (("site-1", 9, 0), ("site-1", 13, 30), ("site-2", 9, 0)):
                held = await schedule(
                    session, city, site=site, room=2 if site == "site-1" else 0, starts_at=at(day, hour, minute),
                    seats=12 if site == "site-1" else 10, now=opened,
                )  # fmt: skip
                on_demand.append(held)
        for days, site in ((12, "site-1"), (14, "site-3"), (26, "site-1")):
            day = today + timedelta(days=days)
            if plan_id := plans.get(f"{day:%Y%m}"):
                await schedule(
                    session, city, site=site, room=0, starts_at=at(day, 9), now=opened, plan_id=plan_id
                )  # fmt: skip
        gone = await schedule(session, city, site="site-2", room=1, starts_at=at(today + timedelta(days=5), 13, 30),
                              now=opened)  # fmt: skip
        await cancel_session(
            session, exam_session_id=gone.id, site_id=city.places["site-2"], reason="考场线路检修（演示数据）",
            actor_id=head_of(city, "site-2"), now=city.now - timedelta(days=1),
        )  # fmt: skip
    await _fill_next_session(city)
    await _book_ahead(city, on_demand)


async def _book_ahead(city: City, on_demand: Sequence[Held]) -> None:
    """Some seats of the coming days; one candidate moves to another day, one gives the seat back."""
    candidates = await accept_all(
        city, city.take_electricians(6), submitted=days_ago(city.now, 18), accepted=days_ago(city.now, 14)
    )
    booked = city.now - timedelta(days=1, hours=5)
    async with city.work() as session:
        await seat(session, on_demand[0], candidates[:2], now=booked)
        await seat(session, on_demand[1], candidates[2:4], now=booked)
        moved, given_back = await seat(session, on_demand[6], candidates[4:], now=booked)
        await change_booking(
            session, booking_id=moved.booking_id, exam_session_id=on_demand[9].id,
            person_id=moved.candidate.person.id, now=booked + timedelta(hours=2),
        )  # fmt: skip
        await cancel_booking(
            session, booking_id=given_back.booking_id, person_id=given_back.candidate.person.id,
            now=booked + timedelta(hours=3),
        )  # fmt: skip


async def _fill_next_session(city: City) -> None:
    """The one in half an hour: the cast's ticket holder and some others have a seat."""
    people = [city.cast["ticketed"], *city.take_electricians(4)]
    candidates = await accept_all(city, people, submitted=days_ago(city.now, 20), accepted=days_ago(city.now, 16))
    async with city.work() as session:
        held = await schedule(
            session, city, site="site-1", room=2, starts_at=soon(city.now), seats=12, now=city.now - timedelta(days=3)
        )
        await seat(session, held, candidates, now=city.now - timedelta(days=1))


async def run_session(city: City, plans: Mapping[str, UUID]) -> None:
    """A session that began twenty minutes ago; at night a small one on demand."""
    starts_at = (city.now - timedelta(minutes=20)).replace(second=0, microsecond=0)
    day = china_date(starts_at)
    is_day = in_office_hours(city.now)
    people = [city.cast["present"], *city.take_electricians(14 if is_day else 4)]
    candidates = await accept_all(city, people, submitted=days_ago(city.now, 33), accepted=days_ago(city.now, 29))
    async with city.work() as session:
        held = await schedule(
            session, city, site="site-1", room=0, starts_at=starts_at, now=starts_at - timedelta(days=8),
            plan_id=plans[f"{day:%Y%m}"] if is_day else None,
        )  # fmt: skip
        seats = await seat(session, held, candidates, now=starts_at - timedelta(days=5))
        await begin_due_sessions(session, now=starts_at)
    await _fill_running(city, held, seats)


async def _fill_running(city: City, held: Held, seats: list[Seat]) -> None:
    """The first is checked in and has not begun; the last has not come; the others are answering."""
    for place, taken in enumerate(seats[:-1]):
        async with city.work() as session:
            await let_in(session, city, held, taken, now=held.starts_at - minutes(13 - place % 12))
            if place == 0:
                continue
            began = held.starts_at + minutes(0.3 + place % 4)
            entry = await begin(session, city, taken, now=began)
            upto = min(entry.total, 14 + place * 3)
            quiet = minutes(7 if place == 4 else 0.3 + place % 2)  # noqa: PLR2004 - one has been silent for a while
            await answer(
                session, city, entry, right=round(upto * (0.72 + place % 5 * 0.06)), upto=upto, now=city.now - quiet
            )
            if place == 3:  # noqa: PLR2004 - one whose screen had something to tell
                facts = [
                    Fact("demo-1", IntegrityKind.NETWORK_GAP, city.now - minutes(9), 14),
                    Fact("demo-2", IntegrityKind.TAB_HIDDEN, city.now - minutes(5), 6),
                ]
                await save_facts(
                    session, sitting_id=entry.sitting_id, token=entry.device_token, facts=facts,
                    key=city.session_key, now=city.now - minutes(4),
                )  # fmt: skip
    async with city.work() as session:
        await note_incident(
            session, booking_id=seats[2].booking_id, exam_session_id=held.id, site_id=city.places["site-1"],
            note="键盘失灵，现场更换，用时约 1 分钟；监考员在场（演示数据）", actor_id=city.who("invigilator"),
            now=city.now - minutes(6),
        )  # fmt: skip


async def leave_applications(city: City) -> None:
    """Applications in every other state, for several qualifications."""
    reviewer_id = city.who("application_reviewer")
    async with city.work() as session:
        await get_accepted(
            session, city, city.cast["ready"], submitted=days_ago(city.now, 12), accepted=days_ago(city.now, 8)
        )
        for person in city.take_electricians(2):
            await get_accepted(session, city, person, submitted=days_ago(city.now, 15), accepted=days_ago(city.now, 11))
        for person in city.take_electricians(2):
            await fill_in(session, city, person, now=days_ago(city.now, 3, 20))
        codes = ("SO_1_2", "SO_2_1", "SO_1_2", "SO_3_1", "SO_1_1", "SO_1_2", "SO_4_1", "SO_2_1")
        for place, (code, person) in enumerate(zip(codes, city.take_electricians(len(codes)), strict=True)):
            await hand_over(
                session, city, person, code=code, now=days_ago(city.now, 9 - place, 9 + place),
                wanted=Accommodations(25, large_type=True) if place == 2 else None,  # noqa: PLR2004 - one of them
            )  # fmt: skip
    async with city.work() as session:
        for firm, code in zip(city.firms[7:10], ("PRINCIPAL", "SAFETY_MANAGER", "SAFETY_MANAGER"), strict=True):
            person = firm.staff[0 if code == "PRINCIPAL" else 1].person
            await hand_over(session, city, person, code=code, now=days_ago(city.now, 4, 11))
        for points, note in (
            (("照片不是近期正面免冠照，或看不清五官",), ""),
            (("学历证明看不清或与所填学历不一致", "健康承诺需要重新签署"), "请一次补齐后重新提交"),
        ):
            person = city.take_electricians(1)[0]
            sent = await hand_over(session, city, person, now=days_ago(city.now, 7, 9))
            await return_application(
                session, application_id=sent.application_id, reviewer_id=reviewer_id, points=points, note=note,
                now=days_ago(city.now, 5, 15),
            )  # fmt: skip
        refused, withdrawn = city.take_electricians(2)
        sent = await hand_over(session, city, refused, now=days_ago(city.now, 14, 9))
        await refuse_application(
            session, application_id=sent.application_id, reviewer_id=reviewer_id,
            reason="所附学历证明经核查不是本人的（演示数据）", now=days_ago(city.now, 10, 15),
        )  # fmt: skip
        gone = await hand_over(session, city, withdrawn, now=days_ago(city.now, 13, 9))
        await withdraw_application(
            session, application_id=gone.application_id, person_id=withdrawn.id, now=days_ago(city.now, 11, 19)
        )

"""The people: a cast with one known password, and the staff of every enterprise, who cannot sign in."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from seed.city.places import DISTRICTS, INDUSTRIES, MAIN, PLANS, Industry, Plan, post_of
from seed.city.state import Firm, Worker
from seed.city.times import days_ago
from seed.people import DemoPerson, Newcomer, made_up_uscc, register_demo_people
from training.calendar import china_date
from training.models import OrganisationKind, PersonCategory, Role, Sex
from training.organisations import employ, grant_role, register_organisation

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from seed.city.state import City

# Old enough for a certificate six years ago, and not yet at the age of retirement.
_ELECTRICIANS_BORN = (1979, 1999)
_FIRST_SERIAL, _SERIALS_OF_A_FIRM = 1000, 100
_AT_ONCE = 3
_OTHERS, _OTHERS_FROM = 32, 500
_AT_MAIN = ("learner", "ready", "ticketed", "present", "holder")


@dataclass(frozen=True)
class Part:
    """One of the cast. `place` is where the role is held; without a role, nothing."""

    key: str
    shown_as: str
    name: str
    sex: Sex
    role: Role | None = None
    place: str = ""
    has_password: bool = True


_M, _F = Sex.MALE, Sex.FEMALE
CAST = (
    Part("learner", "员工（正在学习）Learner", "林晓燕", _F),
    Part("ready", "电工（已受理，可预约）Candidate", "赵建国", _M),
    Part("ticketed", "电工（有准考证）Candidate", "马志强", _M),
    Part("present", "电工（已签到，可开考）Candidate", "何俊", _M),
    Part("holder", "持证人 Holder", "孙海涛", _M),
    Part("enterprise_manager", "企业安全管理员 Enterprise", "王丽娟", _F),
    Part("centre_manager", "培训中心负责人 Centre", "周文博", _M, Role.CENTRE_MANAGER, "centre-1"),
    Part("teacher", "教师 Teacher", "郑雅琴", _F, Role.TEACHER, "centre-1"),
    Part("site_head", "考试点负责人 Site", "钱建华", _M, Role.SITE_HEAD, "site-1"),
    Part("invigilator", "监考员 Invigilator", "孙静", _F, Role.INVIGILATOR, "site-1"),
    Part("assessor_1", "考评员一 Assessor", "吴永刚", _M, Role.ASSESSOR, "site-1"),
    Part("assessor_2", "考评员二 Assessor", "冯国庆", _M, Role.ASSESSOR, "site-1"),
    Part("editor", "命题员 Question editor", "陈思雨", _F, Role.QUESTION_EDITOR, "city"),
    Part("question_reviewer", "审题员 Question reviewer", "韩磊", _M, Role.QUESTION_REVIEWER, "city"),
    Part("application_reviewer", "报名审核员 Reviewer", "许敏", _F, Role.APPLICATION_REVIEWER, "city"),
    Part("issuer", "发证员 Issuer", "唐宁", _M, Role.ISSUER, "city"),
    Part("system_admin", "系统管理员 System", "曹杰", _M, Role.SYSTEM_ADMIN, "city"),
    Part("security_admin", "安全管理员 Security", "邓洁", _F, Role.SECURITY_ADMIN, "city"),
    Part("audit_admin", "审计管理员 Audit", "沈勇", _M, Role.AUDIT_ADMIN, "city"),
    Part("teacher_2", "", "罗国庆", _M, Role.TEACHER, "centre-1", has_password=False),
    Part("centre_manager_2", "", "梁静", _F, Role.CENTRE_MANAGER, "centre-2", has_password=False),
    Part("teacher_3", "", "宋志强", _M, Role.TEACHER, "centre-2", has_password=False),
    Part("centre_manager_3", "", "谢平", _M, Role.CENTRE_MANAGER, "centre-3", has_password=False),
    Part("teacher_4", "", "韩雪", _F, Role.TEACHER, "centre-3", has_password=False),
    Part("site_head_2", "", "彭建国", _M, Role.SITE_HEAD, "site-2", has_password=False),
    Part("site_head_3", "", "曾敏", _F, Role.SITE_HEAD, "site-3", has_password=False),
    Part("site_head_4", "", "蒋鹏", _M, Role.SITE_HEAD, "site-4", has_password=False),
    Part("district_reviewer", "", "贾芳", _F, Role.APPLICATION_REVIEWER, "district", has_password=False),
)


async def settle_cast(city: City, *, now: datetime) -> None:
    """Register the cast; whoever has a role gets it."""
    chance = random.Random("cast")
    newcomers = [
        Newcomer(
            serial, chance, now, name=part.name, sex=part.sex, birth_years=(1984, 1996),
            password_hash=city.password_hash if part.has_password else None,
        )
        for serial, part in enumerate(CAST, 1)
    ]  # fmt: skip
    async with city.work() as session:
        known = await register_demo_people(session, vault=city.vault, newcomers=newcomers, now=now)
        for part, person in zip(CAST, known, strict=True):
            city.cast[part.key] = person
            if part.role is not None:
                await grant_role(
                    session, person_id=person.id, organisation_id=city.places[part.place], role=part.role,
                    granted_by=None, now=now,
                )  # fmt: skip


async def settle_enterprises(city: City, *, now: datetime) -> None:
    """Found every enterprise and take on its staff, a few enterprises at once."""
    gate = asyncio.Semaphore(_AT_ONCE)

    async def settle(number: int, plan: Plan) -> Firm:
        async with gate:
            return await _settle_one(city, number, plan, now=now)

    async with asyncio.TaskGroup() as tasks:
        made = [tasks.create_task(settle(number, plan)) for number, plan in enumerate(PLANS)]
        others = tasks.create_task(_settle_others(city, now=now))
    city.firms = [task.result() for task in made]
    electricians = [
        worker.person for firm in city.firms for worker in firm.staff
        if worker.post == "电工" and worker.person.id not in {known.id for known in city.cast.values()}
    ]  # fmt: skip
    city.electricians = electricians + others.result()
    random.Random("order").shuffle(city.electricians)


@dataclass(frozen=True)
class _Opening:
    """A post that is filled on a day, by one of the cast or by somebody new."""

    place: int
    since: datetime
    person: DemoPerson | None = None


async def _settle_one(city: City, number: int, plan: Plan, *, now: datetime) -> Firm:
    chance = random.Random(plan.name)
    industry = INDUSTRIES[plan.industry]
    openings = _openings(city, plan, industry, chance, now=now)
    async with city.work() as session:
        firm = await register_organisation(
            session,
            kind=OrganisationKind.ENTERPRISE,
            name=plan.name,
            uscc=made_up_uscc(100 + number),
            district_code=DISTRICTS[plan.district],
            address=f"{plan.district}区示例街 {number * 2 + 1} 号（虚构地址）",
            industry=industry.code,
            is_high_risk=industry.is_high_risk,
            is_demo=True,
            now=now,
        )
        serial = _FIRST_SERIAL + number * _SERIALS_OF_A_FIRM
        newcomers = [
            Newcomer(
                serial + opening.place, chance, opening.since,
                birth_years=_ELECTRICIANS_BORN if _is_electrician(industry, opening.place) else (1970, 2004),
            )
            for opening in openings
            if opening.person is None
        ]  # fmt: skip
        new = iter(await register_demo_people(session, vault=city.vault, newcomers=newcomers, now=now))
        staff = [
            await _take_on(session, firm.id, industry, opening, opening.person or next(new), chance=chance)
            for opening in openings
        ]
        manager = staff[1].person
        await grant_role(
            session, person_id=manager.id, organisation_id=firm.id, role=Role.ENTERPRISE_MANAGER, granted_by=None,
            now=now,
        )  # fmt: skip
    return Firm(firm.id, plan.name, firm.uscc, manager, staff)


def _is_electrician(industry: Industry, place: int) -> bool:
    return post_of(industry, place)[0] is PersonCategory.SPECIAL_OPERATOR


def _openings(city: City, plan: Plan, industry: Industry, chance: random.Random, *, now: datetime) -> list[_Opening]:
    """The cast works in the main enterprise: the learner in an office, the others as electricians."""
    known = [city.cast[key] for key in _AT_MAIN] if plan is MAIN else []
    openings = [
        _Opening(place, now if _is_electrician(industry, place) else days_ago(city.now, chance.randrange(20, 380)))
        for place in range(plan.staff - len(known))
    ]
    if plan is MAIN:
        openings[1] = _Opening(1, now, city.cast["enterprise_manager"])
    return openings + [_Opening(4 if place == 0 else 2, now, person) for place, person in enumerate(known)]


async def _take_on(
    session: AsyncSession,
    firm_id: UUID,
    industry: Industry,
    opening: _Opening,
    person: DemoPerson,
    *,
    chance: random.Random,
) -> Worker:
    category, post, department = post_of(industry, opening.place)
    since = china_date(opening.since) - timedelta(days=chance.randrange(0, 60))
    await employ(
        session, person_id=person.id, organisation_id=firm_id, category=category, post=post, department=department,
        started_on=since, now=opening.since,
    )  # fmt: skip
    return Worker(person, category, post, department, since)


async def _settle_others(city: City, *, now: datetime) -> list[DemoPerson]:
    """Electricians who work for themselves."""
    chance = random.Random("others")
    newcomers = [
        Newcomer(_OTHERS_FROM + number, chance, now, birth_years=_ELECTRICIANS_BORN) for number in range(_OTHERS)
    ]
    async with city.work() as session:
        return await register_demo_people(session, vault=city.vault, newcomers=newcomers, now=now)

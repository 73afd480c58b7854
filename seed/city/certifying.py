"""Certificates in every state that there is."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlmodel import select

from certificates.credential import qr_text
from certificates.issuing import register_issuer_key
from certificates.models import CancellationGround, Certificate, RevocationGround
from certificates.requests import refuse_request, request_certificate
from certificates.revocation import cancel_certificate, register_review, revoke_certificate
from seed.city.past_exams import certify, graduate
from seed.city.times import at, weekday
from training.calendar import add_years, china_date

if TYPE_CHECKING:
    from collections.abc import Coroutine, Sequence
    from datetime import date, datetime
    from uuid import UUID

    from seed.city.state import City
    from seed.people import DemoPerson

_AT_ONCE = 3


async def pin_key(city: City, *, now: datetime) -> None:
    """Register the city's signing key before the first certificate."""
    async with city.work() as session:
        await register_issuer_key(
            session, kid=city.signer.kid, public_key=city.signer.public_key, issuer_id=city.places["city"], now=now
        )


async def issue_every_state(city: City) -> None:
    """Cohorts from six years ago to last month."""
    today = china_date(city.now)
    old = add_years(today, -4) - timedelta(days=20)
    gate = asyncio.Semaphore(_AT_ONCE)

    async def in_turn(act: Coroutine[None, None, None]) -> None:
        async with gate:
            await act

    take = city.take_electricians
    cohorts = (
        _issue(city, take(3), on=add_years(today, -6) - timedelta(days=40), site="site-2"),
        _issue(city, take(3), on=add_years(today, -6) + timedelta(days=30), site="site-3", reviewed=True),
        _issue(city, take(2), on=old, site="site-4"),
        _issue(city, take(2), on=old - timedelta(days=60), site="site-4", reviewed=True),
        _issue(city, take(4), on=add_years(today, -3) + timedelta(days=28), site="site-2"),
        _issue_last_year(city, take(6), on=today - timedelta(days=400)),
        _issue(city, take(6), on=today - timedelta(days=75), site="site-3"),
        _ask_for_certificates(city, take(6)),
    )
    async with asyncio.TaskGroup() as tasks:
        for cohort in cohorts:
            tasks.create_task(in_turn(cohort))


async def _issue_last_year(city: City, people: Sequence[DemoPerson], *, on: date) -> None:
    """With the cast's holder; four of the others lose theirs."""
    candidates = await graduate(city, [city.cast["holder"], *people], by=weekday(on))
    made = await certify(city, candidates, issued=at(weekday(on), 10, 30))
    await _find_address(city, made[0])
    await _take_back(city, made[1:], on=on + timedelta(days=340))


async def _issue(
    city: City, people: Sequence[DemoPerson], *, on: date, site: str = "site-1", reviewed: bool = False
) -> None:
    on = weekday(on)
    candidates = await graduate(city, people, by=on, site=site)
    made = await certify(city, candidates, issued=at(on, 10, 30))
    if reviewed:
        await _review(city, made, on=add_years(on, 3) - timedelta(days=20))


async def _review(city: City, certificate_ids: Sequence[UUID], *, on: date) -> None:
    async with city.work() as session:
        for certificate_id in certificate_ids:
            await register_review(
                session, certificate_id=certificate_id, issuer_id=city.places["city"], actor_id=city.who("issuer"),
                now=at(on, 14),
            )  # fmt: skip


async def _find_address(city: City, certificate_id: UUID) -> None:
    async with city.work() as session:
        found = (await session.exec(select(Certificate).where(Certificate.id == certificate_id))).one()
        city.certificate_url = qr_text(city.public_url, found.public_id, found.credential)


async def _take_back(city: City, certificate_ids: Sequence[UUID], *, on: date) -> None:
    """Two revoked, one of them with a ban; one struck off at its holder's wish, one after revocation."""
    fraud, accident, own_wish, ended, *_ = certificate_ids
    own = {"issuer_id": city.places["city"], "actor_id": city.who("issuer")}
    async with city.work() as session:
        for certificate_id, ground, reason, with_ban in (
            (fraud, RevocationGround.FRAUD, "经调查，考试当日由他人冒名顶替（演示数据）", True),
            (accident, RevocationGround.ACCIDENT, "对一起触电事故负有直接责任（演示数据）", False),
            (ended, RevocationGround.UNFIT, "体检发现不适合继续从事电工作业（演示数据）", False),
        ):
            await revoke_certificate(
                session, certificate_id=certificate_id, ground=ground, reason=reason, with_ban=with_ban,
                now=at(on, 15), **own,
            )  # fmt: skip
        for certificate_id, cancelled, reason in (
            (own_wish, CancellationGround.OWN_REQUEST, "本人转岗，申请注销（演示数据）"),
            (ended, CancellationGround.REVOKED, "证书已被撤销，依法办理注销（演示数据）"),
        ):
            await cancel_certificate(
                session, certificate_id=certificate_id, ground=cancelled, reason=reason,
                now=at(on + timedelta(days=10), 11), **own,
            )  # fmt: skip


async def _ask_for_certificates(city: City, people: Sequence[DemoPerson]) -> None:
    """Passed a while ago: three wait for the issuer, one was refused, two have not asked yet."""
    today = china_date(city.now)
    candidates = await graduate(city, people, by=today - timedelta(days=4), site="site-2")
    asked: datetime = at(weekday(today - timedelta(days=3)), 9, 40)
    async with city.work() as session:
        requests = [
            await request_certificate(
                session, application_id=candidate.application_id, person_id=candidate.person.id, now=asked
            )
            for candidate in candidates[:4]
        ]
        await refuse_request(
            session, request_id=requests[3].id, actor_id=city.who("issuer"),
            reason="照片与考场留存的登记照片不一致，请持证件到考试点核对后重新申请（演示数据）",
            now=asked + timedelta(hours=6),
        )  # fmt: skip

"""The order in which the city is built: whoever needs something comes after it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from sqlmodel import select

from certificates.signing import Signer
from seed.city.bank import leave_drafts, load_content
from seed.city.certifying import issue_every_state, pin_key
from seed.city.enterprise_exams import hold_enterprise_exams
from seed.city.learning import (
    leave_learners_half_way,
    prove_trainings,
    train_main_enterprise,
    train_other_enterprises,
)
from seed.city.places import found_public_places, furnish_sites
from seed.city.present_exams import (
    hold_recent_exams,
    leave_applications,
    open_coming_sessions,
    publish_plans,
    run_session,
)
from seed.city.registers import import_registers
from seed.city.residents import CAST, settle_cast, settle_enterprises
from seed.city.state import City
from seed.city.teaching import hold_classes
from seed.city.times import days_ago
from training import audit
from training.accounts import hash_password
from training.models import AuditEntry, Person

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from sqlalchemy.ext.asyncio import async_sessionmaker
    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.receipts import Countersign
    from training.files import FileStore
    from training.vault import Vault

PASSWORD = "Anpei-demo-2026"  # noqa: S105 - of impossible people, printed for everybody who starts the demo
BEGUN, BUILT = "demo_city.begun", "demo_city.built"
_CITY = ("demo_city", "city")
# A certificate that ends after six years and is long over has an application before it.
_BEGAN_DAYS_AGO = 2500

CITY_GUIDE = (
    "员工：登录后继续学习 C02，学完测验 / Learner: go on with course C02",
    "电工（有准考证）：考前 15 分钟起由监考员账号签到 / Candidate with a ticket: check in 15 min before",
    "电工（已签到）：现在就可以开始理论考试 / Checked-in candidate: begin the theory exam now",
    "电工（已受理）：预约未来十天任一随到随考场次 / Accepted candidate: book any session",
    "企业安全管理员：看进度、派课、导入员工 / Enterprise: board, assignments, import",
    "考试点、考评员、审核员、发证员：当天的考场、评分、公布成绩、发证 / Site and authority: run today",
)


class CityStands(Exception):
    """Somebody is registered here: a demo city is only built in an empty database."""


async def build_city(
    sessions: async_sessionmaker[AsyncSession],
    *,
    vault: Vault,
    store: FileStore,
    issuer_keys: Mapping[str, Ed25519PrivateKey],
    countersign: Countersign,
    session_key: bytes,
    public_url: str,
    now: datetime,
) -> dict[str, Any]:
    """Build the demo city in an empty database, block by block.

    Gives the notes that `up` prints: one account of every role, a certificate's address, what to try.
    Raises `CityStands`.
    """
    await _begin(sessions, now=now)
    city = City(
        sessions=sessions,
        vault=vault,
        store=store,
        signer=Signer.newest(issuer_keys),
        countersign=countersign,
        session_key=session_key,
        public_url=public_url,
        now=now,
        # One hash for all: the password is no secret.
        password_hash=await hash_password(PASSWORD),
    )
    began = days_ago(now, _BEGAN_DAYS_AGO)
    await load_content(city, now=began)
    await found_public_places(city, now=began)
    await settle_cast(city, now=began)
    await furnish_sites(city, now=began)
    await pin_key(city, now=began)
    await settle_enterprises(city, now=began)
    plans = await publish_plans(city)
    # Two lanes that do not touch: while one waits for the database, the other goes on.
    async with asyncio.TaskGroup() as lanes:
        lanes.create_task(_examine(city, plans))
        lanes.create_task(_train(city))
    await open_coming_sessions(city, plans)
    await run_session(city, plans)
    async with city.work() as session:
        audit.record(session, action=BUILT, target=_CITY, actor_id=None, now=now)
    return _notes(city)


async def _examine(city: City, plans: Mapping[str, UUID]) -> None:
    await issue_every_state(city)
    await hold_recent_exams(city, plans)
    await leave_applications(city)


async def _train(city: City) -> None:
    await train_main_enterprise(city)
    await train_other_enterprises(city)
    await prove_trainings(city)
    await hold_classes(city)
    await hold_enterprise_exams(city)
    await leave_learners_half_way(city)
    await import_registers(city)
    await leave_drafts(city)


async def is_half_built(session: AsyncSession) -> bool:
    """Whether a build was begun here and never came to its end."""
    statement = select(AuditEntry.action).where(AuditEntry.target_type == _CITY[0])
    return set((await session.exec(statement)).all()) == {BEGUN}


async def _begin(sessions: async_sessionmaker[AsyncSession], *, now: datetime) -> None:
    async with sessions() as session, session.begin():
        if (await session.exec(select(Person.id).limit(1))).first() is not None:
            raise CityStands
        audit.record(session, action=BEGUN, target=_CITY, actor_id=None, now=now)


def _notes(city: City) -> dict[str, Any]:
    return {
        "accounts": [
            {"role": part.shown_as, "name": part.name, "phone": city.cast[part.key].phone, "password": PASSWORD}
            for part in CAST
            if part.has_password
        ],
        "certificate_url": city.certificate_url,
        "guide": list(CITY_GUIDE),
    }

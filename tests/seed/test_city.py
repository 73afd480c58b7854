"""The demo city stands in one go, looks alive, and is built once."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlmodel import col, func, select

from certificates.models import Certificate, CertificateKind, CertificateRequest, EnforcementRecord, SafetyLicence
from certificates.standing import get_windows, status_of
from certificates.status import CertificateStatus
from exams.models import (
    Appeal,
    AppealStatus,
    Application,
    ApplicationStatus,
    Booking,
    BookingStatus,
    ExamSession,
    PracticalResult,
    Regrade,
    RegradeStatus,
    Score,
    ScoreState,
    SessionMode,
    SessionStatus,
    Sitting,
    SittingStatus,
)
from exams.replay import replay_sitting
from question_bank.models import ItemRevision, RevisionStatus
from seed.city import CityStands, build_city, is_half_built
from tests.makers.databases import copied_database
from training.accounts import find_account, list_roles, try_sign_in
from training.calendar import china_date
from training.models import ClassStatus, Organisation, OrganisationKind, Person, Role, TrainingClass
from training.plans import AssignmentState, list_deadlines
from web.database import make_engine, make_sessions

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from typing import Any

    from sqlalchemy.ext.asyncio import async_sessionmaker
    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault
    from web.keys import Keys
    from web.storage import Store

# Three in the afternoon of a Tuesday in Beijing.
NOW = datetime(2026, 11, 24, 7, 0, 30, tzinfo=UTC)


async def _count(session: AsyncSession, column: Any) -> Counter[Any]:  # noqa: ANN401 - a column
    return Counter(dict((await session.exec(select(column, func.count()).group_by(column))).all()))


async def test_the_city_is_built_once_with_something_in_every_state(
    database_url: str, keys: Keys, store: Store
) -> None:
    async with copied_database(database_url) as url, _sessions(url) as sessions:
        notes = await _build(sessions, keys, store)
        async with sessions() as session:
            await _check_places_and_people(session)
            await _check_exams(session)
            await _check_certificates(session)
            await _check_learning(session)
            await _check_receipts(session, keys)
            await _check_accounts(session, keys.vault, notes)
            assert not await is_half_built(session)
        with pytest.raises(CityStands):
            await _build(sessions, keys, store)


@asynccontextmanager
async def _sessions(url: str) -> AsyncGenerator[async_sessionmaker[AsyncSession], None]:
    engine = make_engine(url)
    try:
        yield make_sessions(engine)
    finally:
        await engine.dispose()


async def _build(sessions: async_sessionmaker[AsyncSession], keys: Keys, store: Store) -> dict[str, Any]:
    return await build_city(
        sessions, vault=keys.vault, store=store, issuer_keys=keys.issuer, countersign=keys.countersign,
        session_key=keys.session, public_url="http://127.0.0.1:8000", now=NOW,
    )  # fmt: skip


async def _check_places_and_people(session: AsyncSession) -> None:
    kinds = await _count(session, Organisation.kind)
    assert kinds == {
        OrganisationKind.ENTERPRISE: 40, OrganisationKind.CENTRE: 3, OrganisationKind.SITE: 4,
        OrganisationKind.AUTHORITY: 2,
    }  # fmt: skip
    assert (await session.exec(select(func.count()).select_from(Person))).one() >= 780
    assert await _count(session, Person.is_demo) == {True: (await _count(session, Person.is_demo)).total()}


async def _check_exams(session: AsyncSession) -> None:
    assert set(await _count(session, Application.status)) == set(ApplicationStatus)
    assert set(await _count(session, ExamSession.status)) == set(SessionStatus)
    assert set(await _count(session, Booking.status)) == set(BookingStatus)
    assert (await _count(session, Sitting.status))[SittingStatus.OPEN] >= 10
    assert set(await _count(session, Score.state)) >= {
        ScoreState.PROVISIONAL, ScoreState.UNDER_REVIEW, ScoreState.RELEASED, ScoreState.WITHHELD
    }  # fmt: skip
    assert set(await _count(session, Appeal.status)) == {AppealStatus.OPEN}
    assert set(await _count(session, Regrade.status)) == {RegradeStatus.PROPOSED}
    assert set(await _count(session, PracticalResult.state)) >= {
        ScoreState.PROVISIONAL, ScoreState.RELEASED, ScoreState.WITHHELD
    }  # fmt: skip
    coming = select(func.count()).where(
        ExamSession.mode == SessionMode.ON_DEMAND,
        ExamSession.starts_at > NOW + timedelta(minutes=29),
        ExamSession.starts_at <= NOW + timedelta(minutes=40),
    )
    assert (await session.exec(coming)).one() == 1
    overdue = select(func.count()).where(ExamSession.status == SessionStatus.PLANNED, ExamSession.ends_at < NOW)
    assert (await session.exec(overdue)).one() == 0


async def _check_certificates(session: AsyncSession) -> None:
    today = china_date(NOW)
    windows = await get_windows(session, on=today)
    certificates = (await session.exec(select(Certificate))).all()
    states = {status_of(certificate, on=today, windows=windows) for certificate in certificates}
    assert states >= set(CertificateStatus) - {CertificateStatus.REPLACED, CertificateStatus.NOT_YET_VALID}
    assert sum(certificate.kind is CertificateKind.TRAINING_PROOF for certificate in certificates) >= 10
    assert len(await _count(session, CertificateRequest.status)) == 3
    assert (await session.exec(select(func.count()).select_from(SafetyLicence))).one() >= 8
    assert (await session.exec(select(func.count()).select_from(EnforcementRecord))).one() >= 6


async def _check_learning(session: AsyncSession) -> None:
    assert set(await _count(session, TrainingClass.status)) == set(ClassStatus)
    main = select(Organisation).where(col(Organisation.name).startswith("北京示例云图"))
    enterprise = (await session.exec(main)).one()
    counts = (await list_deadlines(session, enterprise.id, now=NOW)).counts
    assert all(counts[state] for state in AssignmentState)
    revisions = await _count(session, ItemRevision.status)
    assert revisions[RevisionStatus.PUBLISHED] >= 560
    assert revisions[RevisionStatus.DRAFT] == 3


async def _check_receipts(session: AsyncSession, keys: Keys) -> None:
    """Whoever tries `replay` or a receipt in the demo finds that it holds."""
    ended = select(Sitting).where(col(Sitting.submitted_at).is_not(None)).order_by(col(Sitting.id))
    sittings = (await session.exec(ended)).all()
    assert all(sitting.receipt_key_id == next(reversed(keys.receipt)) for sitting in sittings)
    for sitting in sittings[:: len(sittings) // 3]:
        found = await replay_sitting(session, sitting_id=sitting.id, check_signature=keys.check_receipt)
        assert found.stands, found.checks


async def _check_accounts(session: AsyncSession, vault: Vault, notes: dict[str, Any]) -> None:
    held: set[Role] = set()
    for told in notes["accounts"]:
        account = await find_account(session, vault=vault, login=told["phone"])
        assert account is not None
        assert account.password_hash
        held |= {role.role for role in await list_roles(session, account.person_id)}
    assert held == set(Role)
    told = notes["accounts"][0]
    entered = await try_sign_in(
        session, vault=vault, login=told["phone"], password=told["password"], client="", address="", now=NOW
    )
    assert isinstance(entered, str)
    assert notes["certificate_url"].startswith("HTTP://127.0.0.1:8000/C/")
    assert notes["guide"]


async def test_an_interrupted_build_is_known_as_such(database_url: str, keys: Keys) -> None:
    class Full:
        async def put(self, key: str, data: bytes) -> None:
            raise OSError(f"no space left for {len(data)} bytes of {key}")

    async with copied_database(database_url) as url, _sessions(url) as sessions:
        with pytest.raises(OSError, match="no space left"):
            await _build(sessions, keys, Full())  # type: ignore[arg-type]
        async with sessions() as session:
            assert await is_half_built(session)

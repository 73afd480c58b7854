"""A certificate through any order of issuing, renewing, reviewing, revoking, cancelling and the passing of time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from sqlmodel import select
from sqlmodel.ext.asyncio.session import AsyncSession

from certificates.errors import GroundMissing, NoReviewDue, NotRevocable
from certificates.models import CancellationGround, Certificate, RevocationGround
from certificates.register.public import check_shown
from certificates.revocation import cancel_certificate, register_review, revoke_certificate
from certificates.verdict import Outcome
from tests.makers.certificates import Office, make_issued, make_office
from tests.makers.people import Known, make_person
from training.calendar import add_years, china_date

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from web.keys import Keys

START = datetime(2026, 11, 21, 4, 0, tzinfo=UTC)


@dataclass
class Card:
    """What the model knows of one certificate."""

    issued_on: date
    reviewed: bool = False
    revoked: bool = False
    cancelled: bool = False
    replaced: bool = False

    def outcome(self, on: date) -> Outcome:
        """What anyone should be told."""
        for is_so, what in (
            (self.revoked, Outcome.REVOKED),
            (self.cancelled, Outcome.CANCELLED),
            (self.replaced, Outcome.REPLACED),
            (on >= add_years(self.issued_on, 6), Outcome.EXPIRED),
            (not self.reviewed and on >= add_years(self.issued_on, 3), Outcome.REVIEW_OVERDUE),
        ):
            if is_so:
                return what
        return Outcome.GENUINE


@dataclass
class World:
    """A transaction that is rolled back, and what acts need."""

    loop: asyncio.AbstractEventLoop
    session: AsyncSession
    keys: Keys
    cards: dict[Any, Card] = field(default_factory=dict)

    def do(self, act: Awaitable[Any]) -> Any:  # noqa: ANN401 - whatever it gives
        return self.loop.run_until_complete(act)


def make_machine(url: str, keys: Keys) -> type[RuleBasedStateMachine]:
    class LifeOfACertificate(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.loop = asyncio.new_event_loop()
            self.engine = create_async_engine(url, poolclass=NullPool)
            self.connection = self.loop.run_until_complete(self._open())
            session = AsyncSession(self.connection, join_transaction_mode="create_savepoint", expire_on_commit=False)
            self.world = World(self.loop, session, keys)
            self.now = START

        async def _open(self) -> Any:  # noqa: ANN401 - a connection
            connection = await self.engine.connect()
            await connection.begin()
            return connection

        def teardown(self) -> None:
            async def close() -> None:
                await self.world.session.close()
                await self.connection.rollback()
                await self.connection.close()
                await self.engine.dispose()

            self.loop.run_until_complete(close())
            self.loop.close()

        @initialize()
        def begin(self) -> None:
            session = self.world.session
            self.office: Office = self.world.do(make_office(session, keys, now=self.now))
            self.who: Known = self.world.do(make_person(session, keys.vault, now=self.now))
            self.latest: Certificate | None = None

        @rule()
        def issue(self) -> None:
            if self.latest is not None:
                card = self.world.cards[self.latest.id]
                card.replaced = card.replaced or not (card.revoked or card.cancelled)
            self.latest = self.world.do(
                make_issued(self.world.session, keys, now=self.now, who=self.who, office=self.office)
            )
            self.world.cards[self.latest.id] = Card(china_date(self.now))

        def _end(self, act: Callable[..., Awaitable[Any]], **more: Any) -> bool:  # noqa: ANN401
            assert self.latest is not None
            try:
                self.world.do(
                    act(
                        self.world.session,
                        certificate_id=self.latest.id,
                        issuer_id=self.office.authority.id,
                        actor_id=self.office.issuer.person.id,
                        now=self.now,
                        **more,
                    )
                )
            except (NotRevocable, GroundMissing, NoReviewDue):
                return False
            return True

        @rule(ground=st.sampled_from(list(RevocationGround)))
        def revoke(self, ground: RevocationGround) -> None:
            if self.latest is None:
                return
            card = self.world.cards[self.latest.id]
            done = self._end(revoke_certificate, ground=ground, reason="理由", with_ban=False)
            assert done == (card.revoked or not card.cancelled)
            card.revoked = card.revoked or done

        @rule(ground=st.sampled_from(list(CancellationGround)))
        def cancel(self, ground: CancellationGround) -> None:
            if self.latest is None:
                return
            card = self.world.cards[self.latest.id]
            done = self._end(cancel_certificate, ground=ground, reason="理由")
            fits = (ground is CancellationGround.REVOKED) == card.revoked
            assert done == (card.cancelled or fits)
            card.cancelled = card.cancelled or done

        @rule()
        def review(self) -> None:
            if self.latest is None:
                return
            card = self.world.cards[self.latest.id]
            left = (add_years(card.issued_on, 3) - china_date(self.now)).days - 1
            is_due = not (card.revoked or card.cancelled) and 0 <= left <= 60
            assert self._end(register_review) == (card.reviewed or is_due)
            card.reviewed = card.reviewed or is_due

        @rule(days=st.sampled_from([1, 30, 365, 3 * 365 - 30, 1000, 6 * 365]))
        def wait(self, days: int) -> None:
            self.now += timedelta(days=days)

        @invariant()
        def everyone_is_told_what_the_model_says(self) -> None:
            if not self.world.cards:
                return
            rows = self.world.do(self.world.session.exec(select(Certificate))).all()
            today = china_date(self.now)
            for row in rows:
                if row.id not in self.world.cards:
                    continue
                found = self.world.do(
                    check_shown(self.world.session, public_id=row.public_id, credential=row.credential, now=self.now)
                )
                assert found.outcome is self.world.cards[row.id].outcome(today)

        @invariant()
        def at_most_one_is_genuine(self) -> None:
            today = china_date(self.now)
            genuine = [card for card in self.world.cards.values() if card.outcome(today) is Outcome.GENUINE]
            assert len(genuine) <= 1

    return LifeOfACertificate


@pytest.mark.filterwarnings("ignore::hypothesis.errors.NonInteractiveExampleWarning")
def test_its_status_follows_from_its_story(database_url: str, keys: Keys) -> None:
    run_state_machine_as_test(
        make_machine(database_url, keys),
        settings=settings(
            max_examples=12, stateful_step_count=14, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )

"""What the builders of the city share: where to write, whom they know, and one source of chance."""

from __future__ import annotations

import random
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING
from uuid import UUID

from seed.people import DemoPerson
from training.models import PersonCategory

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from sqlalchemy.ext.asyncio import async_sessionmaker
    from sqlmodel.ext.asyncio.session import AsyncSession

    from certificates.signing import Signer
    from exams.receipts import Countersign
    from training.files import FileStore
    from training.vault import Vault


@dataclass(frozen=True)
class Worker:
    """One of an enterprise's staff."""

    person: DemoPerson
    category: PersonCategory
    post: str
    department: str
    since: date


@dataclass
class Firm:
    """An enterprise with its staff; the manager is one of them."""

    id: UUID
    name: str
    uscc: str
    manager: DemoPerson
    staff: list[Worker] = field(default_factory=list)


@dataclass(frozen=True)
class Course:
    """A published course."""

    id: UUID
    version_id: UUID
    code: str
    title: str
    class_hours: str


@dataclass
class City:
    """The city while it is being built. Every block is a transaction of its own."""

    sessions: async_sessionmaker[AsyncSession]
    vault: Vault
    store: FileStore
    signer: Signer
    countersign: Countersign
    session_key: bytes
    public_url: str
    now: datetime
    password_hash: str
    chance: random.Random = field(default_factory=lambda: random.Random(2026))
    cast: dict[str, DemoPerson] = field(default_factory=dict)
    places: dict[str, UUID] = field(default_factory=dict)
    rooms: dict[str, UUID] = field(default_factory=dict)
    firms: list[Firm] = field(default_factory=list)
    courses: dict[str, Course] = field(default_factory=dict)
    electricians: list[DemoPerson] = field(default_factory=list)
    certificate_url: str = ""

    @asynccontextmanager
    async def work(self) -> AsyncGenerator[AsyncSession, None]:
        """A session whose work is committed at the end."""
        async with self.sessions() as session, session.begin():
            yield session

    def who(self, key: str) -> UUID:
        """The id of one of the cast."""
        return self.cast[key].id

    def take_electricians(self, count: int) -> list[DemoPerson]:
        """Electricians who have not applied for anything yet."""
        taken, self.electricians = self.electricians[:count], self.electricians[count:]
        return taken

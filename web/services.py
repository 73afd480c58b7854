"""What the application is made with, handed to the handlers that ask for it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import async_sessionmaker
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.identity.matcher import Matcher
from training.files import FileStore
from training.vault import Vault
from web.clock import Clock
from web.keys import Keys
from web.settings import Settings


@dataclass(frozen=True)
class Services:
    """One per process."""

    settings: Settings
    keys: Keys
    clock: Clock
    sessions: async_sessionmaker[AsyncSession]
    store: FileStore
    matcher: Matcher | None = None

    @property
    def vault(self) -> Vault:
        """Seals and opens personal data."""
        return self.keys.vault

"""Settings from the environment; the README lists them all."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


class SettingMissing(SystemExit):
    """A setting without which the command cannot run; its text is the whole message."""


@dataclass(frozen=True)
class Settings:
    """Everything that an operator chooses outside the rule table."""

    database_url: str
    data_dir: Path
    keys_dir: Path
    public_url: str
    media_url: str
    face_engines: str = "sface,dlib"
    is_behind_tls: bool = False
    trusts_proxy: bool = False
    is_demo: bool = False
    log_format: str = "json"
    web_workers: int = 1

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> Settings:
        """Read `ANPEI_*`. Raises `SettingMissing` when no database is named."""
        data_dir = Path(environ.get("ANPEI_DATA", ".anpei")).resolve()
        database_url = environ.get("ANPEI_DATABASE_URL", "")
        if not database_url:
            raise SettingMissing(
                "ANPEI_DATABASE_URL is not set. Give the address of a PostgreSQL 15 or later, for example "
                "postgresql://anpei:secret@db.internal/anpei, or run `./anpei up` for a demo with its own database."
            )
        return cls(
            database_url=async_url(database_url),
            data_dir=data_dir,
            keys_dir=Path(environ.get("ANPEI_KEYS_DIR", data_dir / "keys")),
            public_url=environ.get("ANPEI_PUBLIC_URL", "http://127.0.0.1:8000").rstrip("/"),
            media_url=environ.get("ANPEI_MEDIA_URL", (data_dir / "media").as_uri()),
            face_engines=environ.get("ANPEI_FACE_ENGINES", "sface,dlib"),
            is_behind_tls=environ.get("ANPEI_BEHIND_TLS", "") == "1",
            trusts_proxy=environ.get("ANPEI_TRUST_PROXY", "") == "1",
            is_demo=environ.get("ANPEI_DEMO", "") == "1",
            log_format=environ.get("ANPEI_LOG_FORMAT", "json"),
            web_workers=int(environ.get("ANPEI_WEB_WORKERS", "1")),
        )


def async_url(url: str) -> str:
    """A libpq address as SQLAlchemy wants it for asyncpg."""
    scheme, _, rest = url.partition("://")
    return f"postgresql+asyncpg://{rest}" if scheme in {"postgresql", "postgres"} else url


def libpq_url(url: str) -> str:
    """The same address as asyncpg itself and libpq want it."""
    return url.replace("postgresql+asyncpg://", "postgresql://", 1)

"""`make-keys` and `reseal`: the secrets of an installation."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlmodel import SQLModel, col, select

from certificates.models import Certificate
from exams.models import Application
from training.models import Account, PersonDocument
from training.people import DOCUMENT, PHONE
from web.database import make_engine, make_sessions
from web.keys import add_field_key, load_keys, make_missing_keys
from web.settings import Settings

if TYPE_CHECKING:
    from training.vault import Vault

_BATCH = 500
# Every sealed column with the context that it is sealed for.
SEALED: tuple[tuple[type[SQLModel], str, str], ...] = (
    (PersonDocument, "number_sealed", DOCUMENT),
    (Account, "phone_sealed", PHONE),
    (Application, "health_sealed", "application.health"),
    (Certificate, "number_sealed", "certificate.number"),
)


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type private
    """Add the commands."""
    make = commands.add_parser("make-keys", help="make the secrets that are missing, mode 0600; never replaces one")
    make.add_argument("--dir", type=Path, default=Path(".anpei/keys"))
    make.add_argument("--new-field-key", action="store_true", help="add a newer key for personal data, then run reseal")
    make.set_defaults(run=_make)
    reseal = commands.add_parser("reseal", help="move all personal data to the newest field key")
    reseal.set_defaults(run=lambda _: asyncio.run(_reseal(Settings.from_environment())))


def _make(options: argparse.Namespace) -> int:
    make_missing_keys(options.dir)
    if options.new_field_key:
        print(f"Field key {add_field_key(options.dir)} added: restart every process, then run `anpei reseal`.")
    print(f"Keys are in {options.dir}: keep them secret and back them up. Without them personal data cannot be read.")
    return 0


async def _reseal(settings: Settings) -> int:
    vault = load_keys(settings.keys_dir).vault
    engine = make_engine(settings.database_url)
    sessions = make_sessions(engine)
    for table, column, context in SEALED:
        moved = 0
        last: Any = None
        while True:
            async with sessions() as session, session.begin():
                key = col(table.id)  # type: ignore[attr-defined]  # every one of these tables has an id
                statement = select(table).order_by(key).limit(_BATCH).with_for_update()
                rows = (await session.exec(statement if last is None else statement.where(key > last))).all()
                for row in rows:
                    moved += _move(row, column, vault, context)
                    last = row.id  # type: ignore[attr-defined]
            if not rows:
                break
        print(f"{table.__tablename__}.{column}: {moved} moved")
    await engine.dispose()
    return 0


def _move(row: SQLModel, column: str, vault: Vault, context: str) -> int:
    sealed = getattr(row, column)
    if sealed is None or vault.is_current(sealed):
        return 0
    setattr(row, column, vault.reseal(sealed, context=context))
    return 1

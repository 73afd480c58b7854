"""`seed`: content from files, the demo city, and candidates for load drivers."""

from __future__ import annotations

import argparse
import asyncio
import csv
from pathlib import Path
from typing import Any

from sqlmodel import select

from training.models import Person
from web.clock import SystemClock
from web.database import make_engine, make_sessions
from web.settings import Settings


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type private
    """Add the command."""
    command = commands.add_parser("seed", help="load content, the demo city or candidates for a load driver")
    command.add_argument("--courses", type=Path, metavar="DIR", help="load every course below DIR")
    command.add_argument("--items", type=Path, metavar="DIR", help="load every item file below DIR as published")
    command.add_argument("--city", action="store_true", help="build the demo city in an empty database")
    command.add_argument("--candidates", type=int, metavar="N", help="make N checked-in demo candidates")
    command.add_argument("--csv", type=Path, metavar="FILE", help="where the candidates' passwords are written")
    command.set_defaults(run=_seed)


def _seed(options: argparse.Namespace) -> int:
    settings = Settings.from_environment()
    if options.candidates and not options.csv:
        print("Name the file for the candidates' passwords with --csv FILE.")
        return 2
    if not (options.courses or options.items or options.city or options.candidates):
        print("Say what to load: --courses DIR, --items DIR, --city or --candidates N --csv FILE.")
        return 2
    return asyncio.run(_run(settings, options))


async def is_empty(settings: Settings) -> bool:
    """Whether nobody is registered yet."""
    engine = make_engine(settings.database_url)
    async with make_sessions(engine)() as session:
        first = (await session.exec(select(Person.id).limit(1))).first()
    await engine.dispose()
    return first is None


async def is_half_built(settings: Settings) -> bool:
    """Whether an earlier start was interrupted while it built the demo city."""
    from seed.city import is_half_built

    engine = make_engine(settings.database_url)
    async with make_sessions(engine)() as session:
        found = await is_half_built(session)
    await engine.dispose()
    return found


async def seed_city(settings: Settings) -> dict[str, Any]:
    """Build the demo city. Gives the notes that `up` prints: accounts and a certificate's address."""
    from seed.city import build_city
    from web.serving import make_services

    services = make_services(settings)
    return await build_city(
        services.sessions,
        vault=services.vault,
        store=services.store,
        issuer_keys=services.keys.issuer,
        countersign=services.keys.countersign,
        session_key=services.keys.session,
        public_url=settings.public_url,
        now=services.clock.now(),
    )


async def _run(settings: Settings, options: argparse.Namespace) -> int:
    from web.serving import make_services

    services = make_services(settings)
    now = SystemClock().now()
    if options.city:
        if not await is_empty(settings):
            print("The database is not empty: the demo city is only built in an empty one.")
            return 1
        await seed_city(settings)
        print("The demo city stands.")
    if options.courses:
        from seed.course_files import load_courses

        async with services.sessions() as session, session.begin():
            loaded = await load_courses(session, services.store, options.courses, now)
        print(f"{len(loaded)} courses stand.")
    if options.items:
        from seed.item_files import load_items
        from seed.people import item_author_and_reviewer

        async with services.sessions() as session, session.begin():
            author_id, reviewer_id = await item_author_and_reviewer(session, vault=services.vault, now=now)
            loaded_items = await load_items(
                session, options.items, author_id=author_id, reviewer_id=reviewer_id, now=now
            )
        print(f"{loaded_items.new} items are new, {loaded_items.changed} changed, {loaded_items.same} stand.")
    if options.candidates:
        from seed.candidates import make_candidates

        async with services.sessions() as session, session.begin():
            candidates = await make_candidates(session, services.vault, options.candidates, now)
        with options.csv.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["login", "password", "booking_id"])
            writer.writerows([c.login, c.password, c.booking_id] for c in candidates)
        options.csv.chmod(0o600)
        print(f"{len(candidates)} candidates are checked in; their passwords are in {options.csv}.")
    return 0

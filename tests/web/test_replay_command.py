"""`anpei replay`: the receipt keys where the command runs, or a plain word that they are not there."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from exams.handing_in import hand_in
from tests.makers.databases import copied_database
from tests.makers.exams import fill_bank
from tests.makers.receipts import next_acts, send
from tests.makers.sittings import make_sitting
from web.commands.replay import _replay
from web.database import make_engine, make_sessions
from web.keys import load_keys, make_missing_keys
from web.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.clock import FixedClock


async def test_a_sitting_is_proved_with_the_keys_of_the_folder_and_not_without(
    database_url: str, clock: FixedClock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "keys"
    make_missing_keys(folder)
    keys = load_keys(folder)
    async with copied_database(database_url) as url:
        engine = make_engine(url)
        async with make_sessions(engine)() as session, session.begin():
            now = clock.now()
            await fill_bank(session, keys.vault, now=now)
            sat = await make_sitting(session, keys.vault, now=now)
            await send(session, sat, await next_acts(session, sat.id, ["A", "B"], at=now), now=now)
            await hand_in(
                session, sitting_id=sat.id, person_id=sat.who.person.id, now=sat.entry.deadline,
                countersign=keys.countersign,
            )  # fmt: skip
        await engine.dispose()

        async def run(keys_dir: Path) -> tuple[int, str]:
            settings = Settings(
                database_url=url, data_dir=tmp_path, keys_dir=keys_dir, public_url="http://testserver", media_url=""
            )
            code = await _replay(settings, argparse.Namespace(sitting=sat.id))
            return code, capsys.readouterr().out

        code, said = await run(folder)
        assert (code, "Verdict: what is stored" in said) == (0, True), said
        code, said = await run(tmp_path / "nowhere")
        assert code == 1
        assert "Receipts cannot be checked." in said
        assert f"the receipt key {next(reversed(keys.receipt))} is not here" in said

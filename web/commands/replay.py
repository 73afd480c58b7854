"""`replay`: prove one sitting from what is stored of it, and its receipt with this installation's keys."""

from __future__ import annotations

import argparse
import asyncio
from typing import TYPE_CHECKING, Any
from uuid import UUID

from exams.replay import replay_sitting
from web.database import make_engine, make_sessions
from web.keys import load_keys
from web.settings import SettingMissing, Settings

if TYPE_CHECKING:
    from exams.receipts import CheckSignature
    from exams.replay import Replay


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type private
    """Add the command."""
    command = commands.add_parser(
        "replay",
        help="prove a sitting: paper, answers, chain, receipt and score again; exit code 1 if anything differs",
    )
    command.add_argument("sitting", type=UUID, metavar="SITTING", help="the sitting's id, as in its address")
    command.set_defaults(run=lambda options: asyncio.run(_replay(Settings.from_environment(), options)))


async def _replay(settings: Settings, options: argparse.Namespace) -> int:
    engine = make_engine(settings.database_url)
    try:
        async with make_sessions(engine)() as session:
            return show(
                await replay_sitting(session, sitting_id=options.sitting, check_signature=_receipt_keys(settings))
            )
    finally:
        await engine.dispose()


def _receipt_keys(settings: Settings) -> CheckSignature | None:
    """What checks receipts, if the keys are at hand where the command runs."""
    try:
        return load_keys(settings.keys_dir).check_receipt
    except SettingMissing as error:
        print(f"Receipts cannot be checked. {error}")
        return None


def show(replay: Replay) -> int:
    """Print every check and the verdict. Gives the exit code."""
    print(f"Sitting {replay.sitting_id} ({replay.status}), algorithm {replay.algorithm}, seed {replay.seed}")
    for check in replay.checks:
        print(f"  {'holds' if check.holds else 'DIFFERS':<8}{check.name}: {check.says}")
    for line in replay.late:
        print(f"    late  {line}")
    print(
        "Verdict: what is stored is what was dealt, answered, countersigned and earned."
        if replay.stands
        else "Verdict: DIFFERENT, see above."
    )
    return 0 if replay.stands else 1

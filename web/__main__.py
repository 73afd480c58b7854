"""`./anpei COMMAND`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from training.errors import AnpeiError
from web.commands import bench, checks, database, keys, processes, replay, seeding, up
from web.postgres import PostgresError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="anpei", description="Anpei (安培): online safety training, examination and certification."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in (up, checks, processes, database, seeding, keys, replay, bench):
        module.add(commands)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Run one command. Gives its exit code."""
    options = _parser().parse_args(arguments)
    try:
        code: int = options.run(options)
    except (AnpeiError, PostgresError) as error:
        print(f"anpei: {error}", file=sys.stderr)  # noqa: T201 - a command talks
        return 1
    return code


if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parent.parent)]
    sys.exit(main())

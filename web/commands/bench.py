"""`bench NAME`: measures and prints one JSON object a line."""

from __future__ import annotations

import argparse
import importlib
import json
import pkgutil
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parents[2] / "tests" / "bench"


def _names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules([str(_HERE)]))


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type private
    """Add the command."""
    command = commands.add_parser("bench", help="measure against a reference in the same run")
    command.add_argument("name", choices=_names() or None, help="what to measure")
    command.set_defaults(run=_bench)


def _bench(options: argparse.Namespace) -> int:
    module = importlib.import_module(f"tests.bench.{options.name}")
    for figure in module.run():
        print(json.dumps(figure, ensure_ascii=False), flush=True)
    return 0

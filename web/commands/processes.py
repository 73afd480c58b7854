"""`serve` and `work`: the processes of an installation."""

from __future__ import annotations

import argparse
import asyncio
import signal
from typing import Any

import uvicorn

from web.keys import load_keys
from web.settings import Settings


def add(commands: Any) -> None:  # noqa: ANN401 - argparse keeps the type private
    """Add the commands."""
    serve = commands.add_parser("serve", help="answer requests")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=8000)
    serve.set_defaults(run=_serve)
    work = commands.add_parser("work", help="run the background jobs")
    work.set_defaults(run=lambda _: asyncio.run(_work(Settings.from_environment())))


def _serve(options: argparse.Namespace) -> int:
    settings = Settings.from_environment()
    load_keys(settings.keys_dir)  # refuse before anything listens
    from web.hot_protocol import HotProtocol

    uvicorn.run(
        "web.serving:application",
        factory=True,
        http=HotProtocol,
        host=options.host,
        port=options.port,
        workers=settings.web_workers,
        access_log=False,
        log_level="warning",
        proxy_headers=settings.trusts_proxy,
        server_header=False,
        # A candidate's browser keeps its connection between two answers; a whole city connects at once.
        timeout_keep_alive=75,
        backlog=4096,
        timeout_graceful_shutdown=10,
        # A process that still loads, on a busy machine, is not dead.
        timeout_worker_healthcheck=60,
    )
    return 0


async def _work(settings: Settings) -> int:
    from web.jobs import work
    from web.observing import configure_logging
    from web.serving import make_services

    configure_logging(log_format=settings.log_format)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await work(make_services(settings), stop)
    return 0

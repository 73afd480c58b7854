"""The process that answers: settings and keys from the environment, engines and pools made once."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from exams.identity.matcher import PooledMatcher
from web.clock import SystemClock
from web.database import make_engine, make_sessions
from web.hot import make_asgi
from web.keys import load_keys
from web.observing import configure_logging
from web.services import Services
from web.settings import Settings
from web.storage import Store

if TYPE_CHECKING:
    from litestar.types import ASGIApp


def make_services(settings: Settings) -> Services:
    """Everything that a process works with."""
    engine = make_engine(settings.database_url)
    return Services(
        settings=settings,
        keys=load_keys(settings.keys_dir),
        clock=SystemClock(),
        sessions=make_sessions(engine),
        store=Store(settings.media_url),
        matcher=PooledMatcher(settings.face_engines),
    )


def application() -> ASGIApp:
    """What uvicorn runs."""
    settings = Settings.from_environment()
    configure_logging(log_format=settings.log_format)
    made = make_asgi(make_services(settings))
    _settle_memory()
    return made


def _settle_memory() -> None:
    """Leave what the process is made of out of every later collection.

    Looking through all of it stops each request for a tenth of a second, and finds nothing.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)

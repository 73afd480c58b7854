"""Trying an act whose refusal is shown beside the form that asked for it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.errors import AnpeiError, BadInput, Conflict

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from sqlmodel.ext.asyncio.session import AsyncSession


@dataclass
class Attempt:
    """How it went: `error` is what to show, or None."""

    error: AnpeiError | None = None


@asynccontextmanager
async def attempt(session: AsyncSession) -> AsyncGenerator[Attempt, None]:
    """Run the block in a savepoint: a `BadInput` or `Conflict` undoes it and is kept for the page."""
    tried = Attempt()
    try:
        async with session.begin_nested():
            yield tried
    except (BadInput, Conflict) as error:
        tried.error = error

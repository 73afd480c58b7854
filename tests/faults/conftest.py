"""One real server and database for the tests that disturb them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.makers.servers import Stage, stage

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def place() -> Iterator[Stage]:
    with stage() as made:
        made.start_web()
        yield made

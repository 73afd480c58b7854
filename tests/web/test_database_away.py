"""What is shown while the database is away or has no connection left: a sentence, and never a stranger's page."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

import pytest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

from tests.makers.people import PASSWORD, make_person

if TYPE_CHECKING:
    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.conftest import Client
    from training.vault import Vault

LOST = DBAPIError("SELECT 1", {}, Exception("gone"), connection_invalidated=True)


@pytest.fixture
async def learner(client: Client, session: AsyncSession, vault: Vault, clock: FixedClock) -> Client:
    who = await make_person(session, vault, now=clock.now())
    await session.commit()
    await client.sign_in(who.phone, PASSWORD)
    return client


def fail_with(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    async def fail(*_: object, **__: object) -> NoReturn:
        raise error

    monkeypatch.setattr("web.auth.find_viewer", fail)


@pytest.mark.parametrize("error", [NoConnectionLeft(), LOST, ConnectionRefusedError(), TimeoutError()])
async def test_a_page_says_so_and_asks_again_by_itself(
    learner: Client, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    fail_with(monkeypatch, error)
    page = await learner.get("/sittings")
    assert page.status_code == 503
    assert "请稍等几秒再试" in page.text
    assert page.headers["refresh"] == page.headers["retry-after"] == "5"


async def test_a_form_is_not_sent_again_by_itself(learner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, NoConnectionLeft())
    refused = await learner.submit("/notices/read", {})
    assert refused.status_code == 503
    assert "refresh" not in refused.headers


async def test_a_call_is_told_in_json(learner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, LOST)
    refused = await learner.get("/api/v1/me/sittings", headers={"Authorization": "Bearer x"})
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert "请稍等" in refused.json()["message"]


async def test_a_wrong_statement_is_still_an_error_of_ours(learner: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    fail_with(monkeypatch, DBAPIError("SELEC 1", {}, Exception("syntax")))
    assert (await learner.get("/sittings")).status_code == 500

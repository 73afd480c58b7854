"""The exam page as a test works it: begin, choose, look into the browser's outbox."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from playwright.sync_api import expect

from exams.answers import list_events
from exams.chain import verify_chain
from exams.models import Sitting
from tests.journeys.conftest import inspect, sign_in
from tests.makers.people import PASSWORD
from tests.makers.sittings import make_exam, right_choices

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from playwright.sync_api import Page

    from exams.models import AnswerEvent
    from tests.journeys.conftest import Server

ITEMS = 50


def begin(server: Server, page: Page) -> tuple[str, list[str], UUID, str]:
    """An invited employee signs in and starts. Gives the page's path, the right answers, the person, the login."""

    async def prepare(session):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - handed to server.do
        exam, known = await make_exam(session, server.vault, now=server.clock.now())
        return exam.id, known

    exam_id, known = server.do(prepare)
    sign_in(page, known.phone, PASSWORD)
    page.goto("/sittings")
    page.get_by_role("link", name="进入考试").click()
    inspect(page, "sitting-start")
    page.get_by_role("button", name="信息无误，开始考试").click()
    page.wait_for_url(lambda url: url.count("/") == 4 and "start" not in url)
    path = page.url.removeprefix(server.url)
    choices = server.do(lambda session: right_choices(session, the_id(path)))
    assert exam_id
    return path, choices, known.person.id, known.phone


def the_id(path: str) -> UUID:
    return UUID(path.rpartition("/")[2])


def choose(page: Page, position: int, letters: str) -> None:
    item = page.locator(f"#item-{position}")
    expect(item).to_be_visible()
    for letter in letters:
        item.locator(f"label.option:has(input[value='{letter}'])").click()


def go_to(page: Page, position: int) -> None:
    """By the palette, which is folded on a phone."""
    page.locator(f".palette-grid .mark[data-position='{position}']").evaluate("mark => mark.click()")


def expect_saved(page: Page, answered: int, *, timeout: float = 20_000) -> None:
    expect(page.locator("#save-state")).to_have_text(f"全部已保存 · 已答 {answered}/{ITEMS}", timeout=timeout)


def expect_waiting(page: Page, count: int) -> None:
    expect(page.locator("#save-state")).to_contain_text(f"{count} 条等待上传")


def end_soon(server: Server, path: str, seconds: float) -> datetime:
    """Let the time be up in a few seconds. Gives the new deadline; the page has to be loaded again."""
    deadline = server.clock.now() + timedelta(seconds=seconds)

    async def change(session: Any) -> None:  # noqa: ANN401 - handed to server.do
        sitting = await session.get_one(Sitting, the_id(path))
        sitting.deadline = deadline
        session.add(sitting)

    server.do(change)
    return deadline


def read_sitting(server: Server, path: str) -> Sitting:
    return server.do(lambda session: session.get_one(Sitting, the_id(path)))  # type: ignore[no-any-return]


def read_events(server: Server, path: str) -> Sequence[AnswerEvent]:
    """Every stored act, in order; their chain is whole."""
    events: Sequence[AnswerEvent] = server.do(lambda session: list_events(session, the_id(path)))
    chain = verify_chain(the_id(path), events)
    assert chain.broken_at is None
    assert not chain.missing
    return events


def stored_rows(page: Page) -> list[dict[str, Any]]:
    """What lies in the browser's own store."""
    rows: list[dict[str, Any]] = page.evaluate(
        """() => new Promise((resolve) => {
            const request = indexedDB.open("anpei", 1);
            request.onsuccess = () => {
                const all = request.result.transaction("acts").objectStore("acts").getAll();
                all.onsuccess = () => resolve(all.result);
            };
        })"""
    )
    return rows

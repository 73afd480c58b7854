"""A whole sitting by calls, as an outside client would drive it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.makers.people import PASSWORD
from tests.makers.sittings import make_checked_in, make_exam, right_choices
from training.accounts import choose_language

if TYPE_CHECKING:
    from uuid import UUID

    import httpx
    from sqlmodel.ext.asyncio.session import AsyncSession

    from tests.clock import FixedClock
    from tests.conftest import Client
    from tests.makers.people import Known
    from training.vault import Vault

HIDDEN = ("key", "explanation", "level", "revision", "source", "is_local")


class Caller:
    """An API client of one candidate."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.headers: dict[str, str] = {}
        self.who: Known | None = None
        self.sitting: dict[str, Any] = {}

    async def sign_in(self, who: Known) -> None:
        answer = await self.client.post("/api/v1/sign-in", json={"login": who.phone, "password": PASSWORD})
        assert answer.status_code == 200, answer.text
        self.headers = {"Authorization": f"Bearer {answer.json()['token']}"}
        self.who = who

    async def start(self, **occasion: UUID) -> httpx.Response:
        body = {key: str(value) for key, value in occasion.items()}
        answer = await self.client.post("/api/v1/sittings", json=body, headers=self.headers)
        if answer.status_code == 200:
            self.sitting = answer.json()
        return answer

    async def put(self, *acts: tuple[int, int, str], token: str = "") -> httpx.Response:
        body = {"answers": [{"seq": seq, "position": place, "choice": choice} for seq, place, choice in acts]}
        headers = {"X-Sitting-Token": token or self.sitting["device_token"]}
        return await self.client.put(f"{self.path}/answers", json=body, headers=headers)

    async def get(self, more: str = "") -> httpx.Response:
        return await self.client.get(self.path + more, headers=self.headers)

    async def hand_in(self) -> httpx.Response:
        return await self.client.post(f"{self.path}/hand-in", headers=self.headers)

    @property
    def path(self) -> str:
        return f"/api/v1/sittings/{self.sitting['sitting_id']}"


@pytest.fixture
async def caller(session: AsyncSession, vault: Vault, client: Client, clock: FixedClock) -> Caller:
    who, booking = await make_checked_in(session, vault, now=clock.now())
    await session.commit()
    caller = Caller(client)
    await caller.sign_in(who)
    assert (await caller.start(booking_id=booking.id)).status_code == 200
    return caller


def every_key(value: Any) -> set[str]:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return set(value) | {key for inner in value.values() for key in every_key(inner)}
    return {key for inner in value for key in every_key(inner)} if isinstance(value, list) else set()


async def test_a_whole_exam_by_calls(caller: Caller, session: AsyncSession, clock: FixedClock) -> None:
    paper = (await caller.get("/paper")).json()
    assert len(paper["items"]) == paper["total"] == 100
    assert paper["last_seq"] == 0
    choices = await right_choices(session, caller.sitting["sitting_id"])
    acts = [(place, place, choice) for place, choice in enumerate(choices[:85], start=1)]
    saved = (await caller.put(*acts)).json()
    assert saved["saved"] == [seq for seq, _, _ in acts]
    assert (saved["answered"], saved["total"], saved["status"]) == (85, 100, "OPEN")
    clock.advance(minutes=40)
    result = (await caller.hand_in()).json()
    assert (result["points"], result["passed"], result["state"]) == ("85.00", True, "PROVISIONAL")
    assert sum(float(area["of"]) for area in result["areas"]) == 100
    assert (await caller.hand_in()).json() == result == (await caller.get("/result")).json()


async def test_the_paper_never_leaks_what_marks_it(caller: Caller) -> None:
    assert every_key((await caller.get("/paper")).json()).isdisjoint(HIDDEN)


async def test_what_was_saved_is_there_after_a_reload(caller: Caller) -> None:
    await caller.put((1, 3, "T"), (2, 3, "F"), (3, 7, "T"))
    first_token = caller.sitting["device_token"]
    paper = (await caller.get("/paper")).json()
    assert (paper["items"][2]["answer"], paper["items"][6]["answer"], paper["last_seq"]) == ("F", "T", 3)
    again = (await caller.get()).json()
    assert (again["answered"], again["last_seq"]) == (2, 3)
    mine = (await caller.client.get("/api/v1/me/sittings", headers=caller.headers)).json()
    started = await caller.start(booking_id=mine[0]["booking_id"])
    assert started.json()["device_token"] == first_token
    assert started.json()["is_new"] is False


async def test_a_repeated_answer_is_acknowledged_and_a_changed_one_refused(caller: Caller) -> None:
    await caller.put((1, 1, "T"))
    assert (await caller.put((1, 1, "T"), (2, 2, "F"))).json()["saved"] == [1, 2]
    clash = await caller.put((2, 2, "T"), (3, 4, "T"))
    assert clash.status_code == 409
    assert (clash.json()["code"], clash.json()["saved"]) == ("NUMBER", [3])


async def test_a_wrong_token_saves_nothing(caller: Caller) -> None:
    refused = await caller.put((1, 1, "T"), token="x" * 43)
    assert refused.status_code == 401
    assert refused.json()["code"] == "TOKEN"
    assert (await caller.get()).json()["answered"] == 0


async def test_after_the_deadline_nothing_is_taken_but_what_was_saved_is_said(
    caller: Caller, clock: FixedClock
) -> None:
    await caller.put((1, 1, "T"))
    clock.advance(minutes=120)
    late = await caller.put((1, 1, "T"), (2, 2, "T"))
    assert late.status_code == 410
    assert (late.json()["saved"], late.json()["status"]) == ([1], "TIMED_OUT")
    assert (await caller.hand_in()).json()["status"] == "TIMED_OUT"


async def test_a_handed_in_sitting_takes_no_more(caller: Caller, clock: FixedClock) -> None:
    clock.advance(minutes=31)
    await caller.hand_in()
    refused = await caller.put((1, 1, "T"))
    assert refused.status_code == 410
    assert refused.json()["status"] == "HANDED_IN"


@pytest.mark.parametrize("minutes", [31, 120])
async def test_only_the_sign_in_that_holds_a_sitting_hands_it_in(
    caller: Caller, clock: FixedClock, minutes: int
) -> None:
    """Not even after the deadline can another one: answers of the one that holds it may be on their way."""
    assert caller.who is not None
    await caller.sign_in(caller.who)
    clock.advance(minutes=minutes)
    assert (await caller.hand_in()).status_code == 409
    caller.headers["X-Sitting-Token"] = caller.sitting["device_token"]
    assert (await caller.hand_in()).status_code == 200


async def test_nobody_leaves_in_the_first_half_hour(caller: Caller) -> None:
    refused = await caller.hand_in()
    assert refused.status_code == 409
    assert refused.json()["error"] == "TooEarlyToLeave"


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'{"answers": []}',
        b'{"answers": [{"seq": 0, "position": 1, "choice": "T"}]}',
        b'{"answers": [{"seq": 1, "position": 0, "choice": "T"}]}',
        b'{"answers": [{"seq": 1, "position": 1, "choice": "X"}]}',
        b'{"answers": [{"seq": 1, "position": 101, "choice": "T"}]}',
        b'{"answers": [{"seq": 99999999999, "position": 1, "choice": "T"}]}',
    ],
)
async def test_nonsense_is_refused_and_nothing_is_stored(caller: Caller, body: bytes) -> None:
    headers = {"X-Sitting-Token": caller.sitting["device_token"], "content-type": "application/json"}
    refused = await caller.client.put(f"{caller.path}/answers", content=body, headers=headers)
    assert refused.status_code in {400, 422}
    assert (await caller.get()).json()["answered"] == 0


async def test_a_second_sign_in_must_be_released_by_the_site(caller: Caller) -> None:
    mine = (await caller.client.get("/api/v1/me/sittings", headers=caller.headers)).json()
    other = Caller(caller.client)
    assert caller.who
    await other.sign_in(caller.who)
    refused = await other.start(booking_id=mine[0]["booking_id"])
    assert refused.status_code == 409
    assert refused.json()["error"] == "OnAnotherDevice"
    other.sitting = caller.sitting
    assert (await other.get("/paper")).status_code == 409
    assert (await caller.get("/paper")).status_code == 200


async def test_the_paper_of_a_certificate_exam_is_not_shown_after_the_end(caller: Caller, clock: FixedClock) -> None:
    clock.advance(minutes=31)
    await caller.hand_in()
    assert (await caller.get("/paper")).status_code == 409


async def test_an_enterprise_exam_moves_to_the_second_device(
    session: AsyncSession, vault: Vault, client: Client, clock: FixedClock
) -> None:
    exam, who = await make_exam(session, vault, now=clock.now())
    await session.commit()
    first, second = Caller(client), Caller(client)
    await first.sign_in(who)
    await second.sign_in(who)
    await first.start(enterprise_exam_id=exam.id)
    await first.put((1, 1, "T"))
    taken = (await second.start(enterprise_exam_id=exam.id)).json()
    assert (taken["took_over"], taken["sitting_id"]) == (True, first.sitting["sitting_id"])
    refused = await first.put((2, 2, "T"))
    assert (refused.status_code, refused.json()["code"]) == (409, "DEVICE")
    assert (await second.put((2, 2, "T"))).json()["answered"] == 2


async def test_a_cookie_alone_cannot_act(
    session: AsyncSession, vault: Vault, client: Client, clock: FixedClock
) -> None:
    who, booking = await make_checked_in(session, vault, now=clock.now())
    await session.commit()
    await client.sign_in(who.phone, PASSWORD)
    body = {"booking_id": str(booking.id)}
    assert (await client.post("/api/v1/sittings", json=body)).status_code == 403
    with_header = await client.post("/api/v1/sittings", json=body, headers={"X-Requested-With": "fetch"})
    assert with_header.status_code == 200


async def test_somebody_elses_sitting_does_not_exist(
    caller: Caller, session: AsyncSession, vault: Vault, clock: FixedClock
) -> None:
    _, stranger = await make_exam(session, vault, now=clock.now())
    await session.commit()
    await caller.sign_in(stranger)
    for more in ("", "/paper", "/result"):
        assert (await caller.get(more)).status_code == 404
    assert (await caller.hand_in()).status_code == 404


async def test_a_caller_is_refused_in_the_language_of_the_account(caller: Caller, session: AsyncSession) -> None:
    assert caller.who
    await choose_language(session, account_id=caller.who.account.id, language="en")
    await session.commit()
    refused = (await caller.hand_in()).json()["message"]
    assert refused.isascii()


async def test_a_call_without_a_token_is_refused(caller: Caller) -> None:
    caller.headers = {"Authorization": "Bearer nonsense"}
    assert (await caller.get()).status_code == 401
    caller.headers = {}
    assert (await caller.get()).status_code == 401


async def test_a_wrong_password_is_told_in_json(client: Client) -> None:
    refused = await client.post("/api/v1/sign-in", json={"login": "10000000000", "password": "wrong-pass-1"})
    assert refused.status_code == 422
    assert refused.json()["error"] == "SignInFailed"


async def test_the_calls_are_documented(client: Client) -> None:
    paths = (await client.get("/schema/openapi.json")).json()["paths"]
    assert {"/api/v1/sign-in", "/api/v1/sittings", "/api/v1/me/sittings"} <= set(paths)
    saving = paths["/api/v1/sittings/{sitting_id}/answers"]["put"]
    assert {"200", "401", "409", "410", "503"} <= set(saving["responses"])

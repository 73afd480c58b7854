"""The group commit against a real database: what is acknowledged is stored, and what is stored is marked."""

from __future__ import annotations

import asyncio
import base64
import random
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from sqlmodel import select

from exams.answers import AnswerAct, device_token, device_token_hash, list_events
from exams.chain import first_link, verify_chain
from exams.handing_in import close_overdue, hand_in
from exams.models import AnswerEvent, Score, Sitting, SittingStatus
from exams.sheets import get_result
from exams.sittings import Device, resume_sitting
from exams.starting import start_sitting
from seed.candidates import make_candidates
from tests.makers.databases import copied_database
from tests.makers.exams import fill_bank
from tests.makers.receipts import KEYS, link_acts
from tests.makers.sittings import GRACE, right_choices
from training.accounts import open_sign_in
from training.models import Account
from web.answer_writer import Busy, GroupWriter
from web.app import create_app
from web.database import make_engine, make_sessions
from web.hot import wrap
from web.services import Services
from web.settings import Settings, libpq_url
from web.storage import Store

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from tests.clock import FixedClock
    from web.keys import Keys

TOKEN = "X-Sitting-Token"


@dataclass
class Room:
    """A database of its own in which some candidates have begun."""

    url: str
    services: Services
    clock: FixedClock
    sittings: list[tuple[UUID, str, UUID]]

    def writer(self, **options: Any) -> GroupWriter:  # noqa: ANN401
        return GroupWriter(libpq_url(self.url), self.clock, **options)

    async def stored(self, sitting_id: UUID) -> dict[int, tuple[int, str]]:
        async with self.services.sessions() as session:
            rows = (await session.exec(select(AnswerEvent).where(AnswerEvent.sitting_id == sitting_id))).all()
            return {row.seq: (row.position, row.choice) for row in rows}


@pytest.fixture
async def room(
    database_url: str, store: Store, clock: FixedClock, keys: Keys, tmp_path: Path
) -> AsyncGenerator[Room, None]:
    async with copied_database(database_url) as url:
        engine = make_engine(url)
        sessions = make_sessions(engine)
        settings = Settings(
            database_url=url, data_dir=tmp_path, keys_dir=tmp_path, public_url="http://testserver", media_url=""
        )
        own = Services(settings=settings, keys=keys, clock=clock, sessions=sessions, store=store)
        now = clock.now()
        sittings = []
        async with sessions() as session, session.begin():
            await fill_bank(session, keys.vault, now=now)
            candidates = await make_candidates(session, keys.vault, 12, now)
            for number, candidate in enumerate(candidates):
                account = (
                    await session.exec(
                        select(Account).where(
                            Account.phone_index == keys.vault.blind(candidate.login, context="account.phone")
                        )
                    )
                ).one()
                _, sign_in = await open_sign_in(session, account_id=account.id, client="", address="", now=now)
                device = Device(sign_in.id, keys.session)
                entry = await start_sitting(
                    session, booking_id=candidate.booking_id, person_id=account.person_id, device=device, seed=number,
                    now=now,
                )  # fmt: skip
                sittings.append((entry.sitting_id, entry.device_token, account.person_id))
        yield Room(url, own, clock, sittings)
        await engine.dispose()


def client_of(app: Any) -> httpx.AsyncClient:  # noqa: ANN401 - httpx and litestar type ASGI differently
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://testserver")


@pytest.fixture
async def writer(room: Room) -> AsyncGenerator[GroupWriter, None]:
    writer = room.writer()
    writer.start()
    yield writer
    await writer.stop()


@pytest.fixture
async def client(room: Room, writer: GroupWriter) -> AsyncGenerator[httpx.AsyncClient, None]:
    async with client_of(wrap(create_app(room.services), writer, room.services)) as opened:
        yield opened


def body(*acts: tuple[int, int, str]) -> dict[str, Any]:
    return {"answers": [{"seq": seq, "position": place, "choice": choice} for seq, place, choice in acts]}


async def test_many_candidates_answer_at_once_and_every_acknowledged_answer_is_stored(
    room: Room, writer: GroupWriter
) -> None:
    async def sit(sitting_id: UUID, token: str) -> dict[int, tuple[int, str]]:
        acknowledged = {}
        for seq in range(1, 31):
            choice = random.choice(["T", "F", ""])
            act = AnswerAct(seq, random.randrange(1, 101), choice)
            found = await writer.save(sitting_id, token_hash=device_token_hash(token), acts=[act])
            assert found.saved == (seq,)
            acknowledged[seq] = (act.position, act.choice)
            latest = dict(acknowledged.values())
            assert found.answered == sum(1 for what in latest.values() if what)
        return acknowledged

    acknowledged = await asyncio.gather(*(sit(sitting_id, token) for sitting_id, token, _ in room.sittings))
    for (sitting_id, _, _), acts in zip(room.sittings, acknowledged, strict=True):
        assert await room.stored(sitting_id) == acts


async def test_replies_of_the_hot_path_and_of_the_application_are_the_same(
    room: Room, client: httpx.AsyncClient
) -> None:
    plain = client_of(create_app(room.services))
    (one, one_token, _), (two, two_token, _) = room.sittings[:2]
    unknown = uuid4()
    calls = [
        (body((1, 1, "T"), (2, 2, "F")), None),
        (body((2, 2, "F"), (3, 2, "")), None),
        (body((2, 2, "T"), (4, 9, "T")), None),
        (body((5, 101, "T"), (6, 3, "T")), None),
        (body((7, 1, "T")), "x" * 43),
    ]
    for sent, token in calls:
        hot = await client.put(f"/api/v1/sittings/{one}/answers", json=sent, headers={TOKEN: token or one_token})
        cold = await plain.put(f"/api/v1/sittings/{two}/answers", json=sent, headers={TOKEN: token or two_token})
        assert (hot.status_code, hot.json()) == (cold.status_code, cold.json())
        for name in ("content-security-policy", "x-content-type-options", "referrer-policy"):
            assert hot.headers[name] == cold.headers[name]
    lost = await client.put(f"/api/v1/sittings/{unknown}/answers", json=body((1, 1, "T")), headers={TOKEN: one_token})
    assert lost.status_code == 401
    room.clock.advance(minutes=120)
    ends = [
        (
            await caller.put(
                f"/api/v1/sittings/{sitting}/answers", json=body((1, 1, "T"), (8, 1, "F")), headers={TOKEN: token}
            )
        )
        for caller, sitting, token in ((client, one, one_token), (plain, two, two_token))
    ]
    assert [end.status_code for end in ends] == [410, 410]
    assert ends[0].json() == ends[1].json()
    assert ends[0].json()["saved"] == [1]
    await plain.aclose()


@pytest.mark.parametrize("sent", [b"{", b"null", b'{"answers":[]}', b'{"answers":[{"seq":1}]}', b"x" * 70_000])
async def test_nonsense_never_reaches_the_database(room: Room, client: httpx.AsyncClient, sent: bytes) -> None:
    sitting_id, token, _ = room.sittings[0]
    refused = await client.put(f"/api/v1/sittings/{sitting_id}/answers", content=sent, headers={TOKEN: token})
    assert refused.status_code == 422
    assert (await client.put(f"/api/v1/sittings/{sitting_id}/answers", json=body((1, 1, "T")))).status_code == 401
    assert await room.stored(sitting_id) == {}


async def test_a_device_that_was_taken_over_is_told_so(room: Room, client: httpx.AsyncClient, keys: Keys) -> None:
    sitting_id, token, person_id = room.sittings[0]
    async with room.services.sessions() as session, session.begin():
        sitting = await session.get_one(Sitting, sitting_id)
        sitting.device_token_hash = None
        session.add(sitting)
        await session.flush()
        device = Device(uuid4(), keys.session)
        entry = await resume_sitting(
            session, sitting_id=sitting_id, person_id=person_id, device=device, now=room.clock.now()
        )
    path = f"/api/v1/sittings/{sitting_id}/answers"
    refused = await client.put(path, json=body((1, 1, "T")), headers={TOKEN: token})
    assert (refused.status_code, refused.json()["code"]) == (409, "DEVICE")
    assert entry.device_token == device_token(keys.session, sitting_id, 2)
    assert (await client.put(path, json=body((1, 1, "T")), headers={TOKEN: entry.device_token})).status_code == 200


async def test_what_is_acknowledged_while_handing_in_is_marked(room: Room, writer: GroupWriter) -> None:
    """Thirty answers race against the hand-in: each is either acknowledged and marked, or neither."""
    room.clock.advance(minutes=31)
    async with room.services.sessions() as session:
        keys = {sitting_id: await right_choices(session, sitting_id) for sitting_id, _, _ in room.sittings}

    async def race(sitting_id: UUID, token: str, person_id: UUID) -> tuple[int, int]:
        async def put(place: int) -> int:
            await asyncio.sleep(random.random() * 0.02)
            act = AnswerAct(place, place, keys[sitting_id][place - 1])
            found = await writer.save(sitting_id, token_hash=device_token_hash(token), acts=[act])
            return len(found.saved)

        async def end() -> None:
            await asyncio.sleep(random.random() * 0.02)
            async with room.services.sessions() as session, session.begin():
                await hand_in(
                    session,
                    sitting_id=sitting_id,
                    person_id=person_id,
                    now=room.clock.now(),
                    countersign=KEYS.countersign,
                )
                await asyncio.sleep(0.01)

        *saved, _ = await asyncio.gather(*(put(place) for place in range(1, 31)), end())
        async with room.services.sessions() as session:
            result = await get_result(session, sitting_id=sitting_id, person_id=person_id)
        return sum(one or 0 for one in saved), int(result.points)

    outcomes = await asyncio.gather(*(race(*sitting) for sitting in room.sittings))
    assert all(acknowledged == marked for acknowledged, marked in outcomes), outcomes


async def test_everything_overdue_is_closed_while_answers_still_come(room: Room, writer: GroupWriter) -> None:
    end = room.clock.now() + timedelta(minutes=120)
    acknowledged = dict.fromkeys((sitting_id for sitting_id, _, _ in room.sittings), 0)
    async with room.services.sessions() as session:
        keys = {sitting_id: await right_choices(session, sitting_id) for sitting_id in acknowledged}

    async def answer(sitting_id: UUID, token: str) -> None:
        for place in range(1, 41):
            act = AnswerAct(place, place, keys[sitting_id][place - 1])
            found = await writer.save(sitting_id, token_hash=device_token_hash(token), acts=[act])
            acknowledged[sitting_id] += len(found.saved)

    async def close() -> None:
        await asyncio.sleep(0.05)
        room.clock.instant = end
        closed = 0
        while closed < len(room.sittings):
            async with room.services.sessions() as session, session.begin():
                closed += await close_overdue(session, now=end + GRACE, limit=5, countersign=KEYS.countersign)

    await asyncio.gather(close(), *(answer(sitting_id, token) for sitting_id, token, _ in room.sittings))
    async with room.services.sessions() as session:
        for sitting_id, count in acknowledged.items():
            score = (await session.exec(select(Score).where(Score.sitting_id == sitting_id))).one()
            assert score.points == count
            assert (await session.get_one(Sitting, sitting_id)).status is SittingStatus.TIMED_OUT


async def test_a_lost_connection_loses_nothing(room: Room, writer: GroupWriter) -> None:
    sitting_id, token, _ = room.sittings[0]
    other = await asyncpg.connect(libpq_url(room.url))
    for seq in range(1, 21):
        if seq % 5 == 0:
            await other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'anpei answers'"
            )
        act = AnswerAct(seq, seq, "T")
        found = await writer.save(sitting_id, token_hash=device_token_hash(token), acts=[act])
        assert found.saved == (seq,)
    await other.close()
    assert set(await room.stored(sitting_id)) == set(range(1, 21))


async def test_a_full_queue_pushes_back(room: Room) -> None:
    writer = room.writer(most_waiting=2)
    sitting_id, token, _ = room.sittings[0]
    saves = [
        asyncio.create_task(writer.save(sitting_id, token_hash=device_token_hash(token), acts=[AnswerAct(seq, 1, "T")]))
        for seq in (1, 2)
    ]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await writer.save(sitting_id, token_hash=device_token_hash(token), acts=[AnswerAct(3, 1, "T")])
    async with client_of(wrap(create_app(room.services), writer, room.services)) as client:
        path = f"/api/v1/sittings/{sitting_id}/answers"
        busy = await client.put(path, json=body((3, 1, "T")), headers={TOKEN: token})
    assert (busy.status_code, busy.headers["retry-after"], busy.json()["code"]) == (503, "2", "BUSY")
    writer.start()
    assert [(await save).saved for save in saves] == [(1,), (2,)]
    await writer.stop()


async def test_an_absent_database_is_a_reason_to_try_again(room: Room) -> None:
    writer = GroupWriter("postgresql://nobody@127.0.0.1:1/none", room.clock)
    writer.start()
    sitting_id, token, _ = room.sittings[0]
    with pytest.raises(Busy):
        await writer.save(sitting_id, token_hash=device_token_hash(token), acts=[AnswerAct(1, 1, "T")])
    await writer.stop()


def linked(acts: list[AnswerAct]) -> dict[str, Any]:
    """The acts as the page sends them."""
    return {
        "answers": [
            {
                "seq": act.seq,
                "position": act.position,
                "choice": act.choice,
                "at": act.answered_at.isoformat(timespec="milliseconds") if act.answered_at else "",
                "link": base64.urlsafe_b64encode(act.link or b"").rstrip(b"=").decode(),
            }
            for act in acts
        ]
    }


async def test_links_are_stored_and_a_wrong_one_loses_no_answer(room: Room, client: httpx.AsyncClient) -> None:
    sitting_id, token, _ = room.sittings[0]
    at = room.clock.now() - timedelta(seconds=1)
    acts = link_acts(first_link(sitting_id), [AnswerAct(seq, seq, "T", at) for seq in (1, 2)])
    sent = linked(acts)
    sent["answers"] += [
        {"seq": 3, "position": 3, "choice": "F", "link": "nonsense"},
        {"seq": 4, "position": 4, "choice": "F", "link": "*" * 43},
        {"seq": 5, "position": 5, "choice": "F", "link": base64.urlsafe_b64encode(b"x" * 32).rstrip(b"=").decode()},
    ]
    saved = await client.put(f"/api/v1/sittings/{sitting_id}/answers", json=sent, headers={TOKEN: token})
    assert (saved.status_code, saved.json()["saved"]) == (200, [1, 2, 3, 4, 5])
    async with room.services.sessions() as session:
        events = await list_events(session, sitting_id)
    assert [event.link for event in events] == [acts[0].link, acts[1].link, None, None, b"x" * 32]
    found = verify_chain(sitting_id, events)
    assert (found.broken_at, found.unlinked) == (5, 2)


async def test_late_answers_count_by_proof_or_are_kept_and_told(room: Room, client: httpx.AsyncClient) -> None:
    plain = client_of(create_app(room.services))
    (one, one_token, _), (two, two_token, _) = room.sittings[:2]
    end = room.clock.advance(minutes=120)
    for step, (seqs, is_linked, status, saved, kept) in enumerate(
        [
            ((1, 2), True, 200, [1, 2], []),
            ((1, 2, 4), True, 410, [1, 2], [4]),
            ((3,), False, 410, [], [3]),
            ((1, 2, 3), True, 410, [1, 2], [3]),
        ]
    ):
        if step == 3:
            room.clock.advance(minutes=3)
        replies = []
        for caller, sitting_id, token in ((client, one, one_token), (plain, two, two_token)):
            made = [AnswerAct(seq, seq, "T", end - timedelta(seconds=9)) for seq in seqs]
            acts = link_acts(first_link(sitting_id), made) if is_linked else made
            replies.append(
                await caller.put(f"/api/v1/sittings/{sitting_id}/answers", json=linked(acts), headers={TOKEN: token})
            )
        hot, cold = replies
        assert (hot.status_code, hot.json()) == (cold.status_code, cold.json())
        reply = hot.json()
        assert (hot.status_code, reply["saved"], reply.get("kept_late", [])) == (status, saved, kept)
        assert reply["status"] == "TIMED_OUT"
    assert await room.stored(one) == {1: (1, "T"), 2: (2, "T")}
    await plain.aclose()


async def test_a_pause_is_told_and_keeps_answers_in_the_browser(room: Room, client: httpx.AsyncClient) -> None:
    plain = client_of(create_app(room.services))
    sitting_id, token, _ = room.sittings[0]
    async with room.services.sessions() as session, session.begin():
        sitting = await session.get_one(Sitting, sitting_id)
        sitting.status, sitting.paused_at = SittingStatus.PAUSED, room.clock.now()
        session.add(sitting)
    path = f"/api/v1/sittings/{sitting_id}/answers"
    hot, cold = [await one.put(path, json=body((1, 1, "T")), headers={TOKEN: token}) for one in (client, plain)]
    assert (hot.status_code, hot.json()) == (cold.status_code, cold.json())
    assert (hot.status_code, hot.json()["code"], hot.json()["kept_late"]) == (423, "PAUSED", [])
    assert await room.stored(sitting_id) == {}
    await plain.aclose()


async def test_a_database_that_is_away_keeps_late_answers_waiting(
    room: Room, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting_id, token, _ = room.sittings[0]
    room.clock.advance(minutes=121)

    async def lose(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr("web.hot.save_answers", lose)
    refused = await client.put(f"/api/v1/sittings/{sitting_id}/answers", json=body((1, 1, "T")), headers={TOKEN: token})
    assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (503, "BUSY", "2")


async def test_a_stranger_does_not_reach_the_late_path(
    room: Room, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    sitting_id, _, _ = room.sittings[0]

    async def fail(*_: object, **__: object) -> None:
        raise AssertionError

    monkeypatch.setattr("web.hot.save_answers", fail)
    path = f"/api/v1/sittings/{sitting_id}/answers"
    for minutes in (0, 121):
        room.clock.advance(minutes=minutes)
        refused = await client.put(path, json=body((1, 1, "T")), headers={TOKEN: "x" * 43})
        assert (refused.status_code, refused.json()["kept_late"]) == (401, [])

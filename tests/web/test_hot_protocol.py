"""The hot path's own way through uvicorn gives what uvicorn's ordinary way gives, request by request."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from tests.web.test_answer_writer import Room, room  # noqa: F401 - the fixture
from web.app import create_app
from web.hot import wrap
from web.hot_protocol import HotProtocol
from web.observing import REQUESTS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from web.answer_writer import GroupWriter

    Reply = tuple[str, list[str], bytes]

_OWN_TO_EACH = ("x-request-id", "date")


@asynccontextmanager
async def _serve(app: Any, protocol: type[HttpToolsProtocol]) -> AsyncGenerator[int, None]:  # noqa: ANN401 - ASGI
    config = uvicorn.Config(app, http=protocol, lifespan="off", log_config=None, access_log=False, server_header=False)
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(lambda: protocol(config, state, {}), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for connection in list(state.connections):
            connection.shutdown()
        await server.wait_closed()


async def _exchange(port: int, parts: Sequence[bytes], replies: int) -> list[Reply]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0.02)
    got = [await asyncio.wait_for(_read(reader), 10) for _ in range(replies)]
    writer.close()
    await writer.wait_closed()
    return got


async def _read(reader: asyncio.StreamReader) -> Reply:
    status, *headers = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    length = next((int(line.split(":")[1]) for line in headers if line.startswith("content-length")), 0)
    body = await reader.readexactly(length)
    return status, sorted(line for line in headers if not line.startswith(_OWN_TO_EACH)), body


def _put(path: str, body: bytes, *headers: str, version: str = "1.1") -> bytes:
    lines = [f"PUT {path} HTTP/{version}", "host: t", "content-type: application/json", *headers]
    if not any(line.lower().startswith("transfer-encoding") for line in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def _acts(*acts: tuple[object, object, object]) -> bytes:
    return json.dumps({"answers": [{"seq": s, "position": p, "choice": c} for s, p, c in acts]}).encode()


def _table(path: str, token: str) -> dict[str, tuple[list[bytes], int]]:
    """Name → parts that are sent one after the other, and how many replies come."""
    own, good = f"X-Sitting-Token: {token}", _acts((1, 1, "T"))
    whole = _put(path, _acts((2, 2, "A")), own)
    long = b'{"answers":[' + b" " * 70_000 + b"]}"
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(good), good)
    return {
        "saved": ([_put(path, good, own)], 1),
        "saved again": ([_put(path, good, own)], 1),
        "many at once": ([_put(path, _acts((3, 3, "T"), (4, 4, "AC"), (5, 3, "")), own)], 1),
        "another answer under a used number": ([_put(path, _acts((1, 1, "F")), own)], 1),
        "a place that is not on the paper": ([_put(path, _acts((6, 999, "T")), own)], 1),
        "a choice that is none": ([_put(path, _acts((6, 1, "X")), own)], 1),
        "a stranger's token": ([_put(path, good, "x-sitting-token: stranger")], 1),
        "no token": ([_put(path, good)], 1),
        "no such sitting": ([_put(f"/api/v1/sittings/{uuid4()}/answers", good, own)], 1),
        "no sitting's number": ([_put(f"/api/v1/sittings/{'x' * 36}/answers", good, own)], 1),
        "not JSON": ([_put(path, b"answers", own)], 1),
        "no answers": ([_put(path, _acts(), own)], 1),
        "nothing": ([_put(path, b"", own)], 1),
        "too long": ([_put(path, long, own)], 1),
        "a refusal in English": ([_put(path, b"answers", own, "cookie: anpei_language=en")], 1),
        "in two parts": ([whole[:60], whole[60:]], 1),
        "the body byte by byte": ([whole[:-3], whole[-3:-2], whole[-2:-1], whole[-1:]], 1),
        "two on one connection": ([whole, _put(path, good, own)], 2),
        "two at once": ([whole + _put(path, good, own)], 2),
        "an ordinary call behind": ([whole + b"GET /health/live HTTP/1.1\r\nhost: t\r\n\r\n"], 2),
        "an ordinary call before": ([b"GET /health/live HTTP/1.1\r\nhost: t\r\n\r\n" + whole], 2),
        "chunked": ([_put(path, chunked, own, "transfer-encoding: chunked")], 1),
        "connection: close": ([_put(path, good, own, "connection: close")], 1),
        "HTTP/1.0": ([_put(path, good, own, version="1.0")], 1),
        "expecting to be told": ([_put(path, good, own, "expect: 100-continue")], 2),
        "with a question mark": ([_put(f"{path}?a=b", good, own)], 1),
        "not HTTP": ([b"PUT\r\n\r\n"], 1),
    }


@pytest.fixture
async def writer(room: Room) -> AsyncGenerator[GroupWriter, None]:  # noqa: F811
    made = room.writer()
    made.start()
    yield made
    await made.stop()


async def test_every_request_gets_the_same_reply_on_both_ways(room: Room, writer: GroupWriter) -> None:  # noqa: F811
    app = wrap(create_app(room.services), writer, room.services)
    sitting_id, token, _ = room.sittings[0]
    path = f"/api/v1/sittings/{sitting_id}/answers"
    async with _serve(app, HttpToolsProtocol) as ordinary, _serve(app, HotProtocol) as hot:
        for name, (parts, replies) in _table(path, token).items():
            expected = await _exchange(ordinary, parts, replies)
            assert await _exchange(hot, parts, replies) == expected, name
    assert {1, 2, 3, 4, 5} == set(await room.stored(sitting_id))


async def test_every_way_counts_its_requests(room: Room, writer: GroupWriter) -> None:  # noqa: F811
    app = wrap(create_app(room.services), writer, room.services)
    sitting_id, token, _ = room.sittings[0]
    path, own = f"/api/v1/sittings/{sitting_id}/answers", f"x-sitting-token: {token}"
    for status, body in ((200, _acts((1, 1, "T"))), (422, b"x")):
        count = REQUESTS.labels("PUT", "/api/v1/sittings/*/answers", status)._value
        async with _serve(app, HotProtocol) as hot:
            before = count.get()
            await _exchange(hot, [_put(path, body, own)], 1)
            assert count.get() == before + 1


async def test_a_client_that_is_gone_before_the_reply_disturbs_nobody(room: Room, writer: GroupWriter) -> None:  # noqa: F811
    app = wrap(create_app(room.services), writer, room.services)
    sitting_id, token, _ = room.sittings[0]
    path, own = f"/api/v1/sittings/{sitting_id}/answers", f"x-sitting-token: {token}"
    async with _serve(app, HotProtocol) as hot:
        _, hasty = await asyncio.open_connection("127.0.0.1", hot)
        hasty.write(_put(path, _acts((1, 1, "T")), own))
        await hasty.drain()
        hasty.transport.abort()
        [(status, _, _)] = await _exchange(hot, [_put(path, _acts((2, 2, "T")), own)], 1)
        assert status == "HTTP/1.1 200 OK"
    stored = await room.stored(sitting_id)
    assert 2 in stored

"""A light load driver: one raw keep-alive connection per candidate, so that it costs less than what it measures."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "


class Line(asyncio.Protocol):
    """One connection on which one request at a time is in flight."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._whole = 0
        self._reply: asyncio.Future[tuple[int, bytes, bytes]] | None = None
        self._transport: asyncio.Transport | None = None

    @classmethod
    async def open(cls, port: int, host: str = "127.0.0.1") -> Self:
        loop = asyncio.get_running_loop()
        _, line = await loop.create_connection(cls, host, port)
        return line

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._whole:
            head_end = self._buffer.find(_HEAD_END)
            if head_end < 0:
                return
            start = self._buffer.find(_LENGTH, 0, head_end) + len(_LENGTH)
            length = int(self._buffer[start : self._buffer.find(b"\r", start)]) if start >= len(_LENGTH) else 0
            self._whole = head_end + 4 + length
        if len(self._buffer) < self._whole:
            return
        head, _, body = bytes(self._buffer).partition(_HEAD_END)
        self._buffer, self._whole = bytearray(), 0
        if self._reply and not self._reply.done():
            self._reply.set_result((int(head[9:12]), head, body))

    def connection_lost(self, _: Exception | None) -> None:
        if self._reply and not self._reply.done():
            self._reply.set_exception(ConnectionResetError())

    async def call(self, request: bytes) -> tuple[int, bytes]:
        """Send a request; gives status and body."""
        status, _, body = await self.whole(request)
        return status, body

    async def whole(self, request: bytes, longest: float | None = None) -> tuple[int, bytes, bytes]:
        """Send a request; gives status, head and body. Raises `TimeoutError`."""
        assert self._transport
        self._reply = asyncio.get_running_loop().create_future()
        if self._transport.is_closing():
            raise ConnectionResetError
        self._transport.write(request)
        return await asyncio.wait_for(self._reply, longest)

    def close(self) -> None:
        if self._transport:
            self._transport.close()


def request(method: str, path: str, headers: str, body: bytes = b"") -> bytes:
    """The bytes of a request. `headers` are whole lines."""
    return (
        f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n{headers}\r\n"
    ).encode() + body


class Spans:
    """How long each call took."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def measure(self, line: Line, sent: bytes) -> tuple[int, bytes]:
        started = time.perf_counter()
        reply = await line.call(sent)
        self.seconds.append(time.perf_counter() - started)
        return reply

    def percentile(self, share: float) -> float:
        """In milliseconds."""
        return percentile(self.seconds, share) * 1000


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


@contextmanager
def own_process() -> Iterator[ProcessPoolExecutor]:
    """A process for the load driver, so that it does not wait for what measures it."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        pool.submit(int).result()
        yield pool


def figure(
    name: str, value: float, unit: str, reference: float | None = None, ratio: float | None = None
) -> dict[str, object]:
    """One line of a benchmark; without a ratio of its own it is value to reference."""
    if ratio is None and reference:
        ratio = value / reference
    rounded = [None if number is None else float(f"{number:.4g}") for number in (value, reference, ratio)]
    return {"name": name, "value": rounded[0], "unit": unit, "reference": rounded[1], "ratio": rounded[2]}

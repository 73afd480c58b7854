"""Candidates who answer, thousands in one process: plain sockets and epoll, so that the client costs next to nothing.

The client sends what the page sends (number, place, choice, time and link of the chain), reads the whole
reply and checks it. `Answering` runs in a process of its own; its CPU time is part of what it gives.
"""

from __future__ import annotations

import base64
import contextlib
import random
import select
import socket
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import psutil

from exams.chain import first_link, next_link

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.makers.servers import OpenSitting

_HEAD_END = b"\r\n\r\n"
_LENGTH = b"content-length: "
_OK = b"HTTP/1.1 200"
_CHOICES = "TFABCD"
# The server has taken in thousands of connections before anything is measured.
_SETTLING = 1.0


@dataclass
class Answering:
    """What came of it. `acknowledged` are the numbers of a sitting that the server says are saved."""

    seconds: list[float] = field(default_factory=list)
    refused: int = 0
    acknowledged: dict[str, int] = field(default_factory=dict)
    cpu: float = 0.0
    lasted: float = 0.0
    # Of the processes that were to be watched, by their names, while the answers came.
    watched: dict[str, float] = field(default_factory=dict)


class Answerer:
    """One candidate's page: makes the next request."""

    def __init__(self, sitting: OpenSitting) -> None:
        self.sitting_id = str(sitting.sitting_id)
        self._head = (
            f"PUT /api/v1/sittings/{sitting.sitting_id}/answers HTTP/1.1\r\nhost: 127.0.0.1\r\n"
            f"content-type: application/json\r\nx-sitting-token: {sitting.device_token}\r\ncontent-length: "
        ).encode()
        self._link = first_link(sitting.sitting_id)
        self.seq = 0

    def next_request(self) -> bytes:
        self.seq += 1
        position, choice, at = self.seq % 100 + 1, _CHOICES[self.seq % 6], _now()
        self._link = next_link(self._link, seq=self.seq, position=position, choice=choice, answered_at=at)
        link = base64.urlsafe_b64encode(self._link)[:-1]
        body = b'{"answers":[{"seq":%d,"position":%d,"choice":"%b","at":"%b","link":"%b"}]}' % (
            self.seq, position, choice.encode(), at.isoformat(timespec="milliseconds").encode(), link,
        )  # fmt: skip
        return b"%b%d\r\n\r\n%b" % (self._head, len(body), body)


def _now() -> datetime:
    at = datetime.fromtimestamp(time.time(), UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


class _Line:
    """A connection and who answers over it."""

    def __init__(self, port: int, answerers: Sequence[Answerer]) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self.answerers = answerers
        self.turn = 0
        self.sent_at = 0.0
        self.buffer = b""

    def send(self) -> None:
        request = self.answerers[self.turn % len(self.answerers)].next_request()
        self.sent_at = time.perf_counter()
        self.socket.sendall(request)

    def read(self, report: Answering) -> bool:
        """Take in what came; true when the reply is whole."""
        self.buffer += self.socket.recv(65536)
        head_end = self.buffer.find(_HEAD_END)
        if head_end < 0:
            return False
        start = self.buffer.find(_LENGTH) + len(_LENGTH)
        body = self.buffer[head_end + 4 :]
        if len(body) < int(self.buffer[start : self.buffer.find(b"\r", start)]):
            return False
        report.seconds.append(time.perf_counter() - self.sent_at)
        answerer = self.answerers[self.turn % len(self.answerers)]
        if self.buffer.startswith(_OK) and body.startswith(b'{"saved":[%d]' % answerer.seq):
            report.acknowledged[answerer.sitting_id] = answerer.seq
        else:
            report.refused += 1
        self.buffer, self.turn = b"", self.turn + 1
        return True


def answer_hurriedly(
    port: int, sittings: Sequence[OpenSitting], watched: Mapping[str, int], connections: int, seconds: float
) -> Answering:
    """Every connection sends the next answer as soon as the last is acknowledged."""
    answerers = [Answerer(sitting) for sitting in sittings]
    lines = [_Line(port, answerers[place::connections]) for place in range(connections)]
    time.sleep(_SETTLING)
    report, meter, started = Answering(), CpuMeter(watched), time.perf_counter()
    known, epoll = _watch(lines)
    for line in lines:
        line.send()
    waiting, end = len(lines), started + seconds
    while waiting:
        for number, _ in epoll.poll(10):
            if known[number].read(report):
                if time.perf_counter() < end:
                    known[number].send()
                else:
                    waiting -= 1
    _finish(report, lines, epoll, meter, started)
    return report


def answer_calmly(
    port: int, sittings: Sequence[OpenSitting], watched: Mapping[str, int], every: float, seconds: float
) -> Answering:
    """Each candidate has a connection and answers at a chance moment of every `every` seconds."""
    lines = [_Line(port, [Answerer(sitting)]) for sitting in sittings]
    time.sleep(_SETTLING)
    report, meter, started = Answering(), CpuMeter(watched), time.perf_counter()
    known, epoll = _watch(lines)
    chance = random.Random(1)
    phases = [chance.random() * every for _ in lines]
    due = sorted(
        (started + turn * every + phase, line.socket.fileno())
        for turn in range(round(seconds / every))
        for line, phase in zip(lines, phases, strict=True)
    )
    due.reverse()
    waiting = 0
    while due or waiting:
        pause = max(due[-1][0] - time.perf_counter(), 0) if due else 10
        for number, _ in epoll.poll(pause):
            waiting -= known[number].read(report)
        while due and due[-1][0] <= time.perf_counter():
            known[due.pop()[1]].send()
            waiting += 1
    _finish(report, lines, epoll, meter, started)
    return report


def _watch(lines: list[_Line]) -> tuple[dict[int, _Line], select.epoll]:
    epoll = select.epoll()
    for line in lines:
        epoll.register(line.socket.fileno(), select.EPOLLIN)
    return {line.socket.fileno(): line for line in lines}, epoll


def _finish(report: Answering, lines: list[_Line], epoll: select.epoll, meter: CpuMeter, started: float) -> None:
    report.lasted = time.perf_counter() - started
    report.cpu, report.watched = meter.read()
    epoll.close()
    for line in lines:
        line.socket.close()


class CpuMeter:
    """CPU seconds of this process and of others with their children, since now."""

    def __init__(self, watched: Mapping[str, int]) -> None:
        self._watched = watched
        self._own, self._others = time.process_time(), self._look()

    def read(self) -> tuple[float, dict[str, float]]:
        now = self._look()
        return time.process_time() - self._own, {name: now[name] - self._others[name] for name in now}

    def _look(self) -> dict[str, float]:
        return {name: cpu_seconds(pid) for name, pid in self._watched.items()}


def cpu_seconds(pid: int) -> float:
    """Of a process and of its children, those that have ended included."""
    total = 0.0
    for process in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total

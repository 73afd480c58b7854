"""uvicorn's connection, answering the hot path itself: no scope, no task, no second write, half the CPU of an answer.

httptools parses every request as it does for uvicorn, and web/hot.py decides and words every answer;
only the way between the two is shorter. Whatever is out of the ordinary (another request still under
way on the connection, `Expect`, an upgrade, HTTP/1.0) goes uvicorn's own way, to the same answer.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from training.errors import AnpeiError
from web.answer_writer import Busy, GroupWriter
from web.hot import LARGEST_BODY, Answer, Asked, HotPath, is_hot, read_request

if TYPE_CHECKING:
    from exams.answers import Acknowledged

_HOT_METHOD = b"PUT"
_HTTP = "1.1"


class _NoEvent:
    """Nobody waits for the parts of a body."""

    def set(self) -> None:
        """Do nothing."""


_NO_EVENT = _NoEvent()


class _HotCycle:
    """A request under way, with what uvicorn asks of its own `RequestResponseCycle`."""

    __slots__ = ("body", "disconnected", "headers", "keep_alive", "more_body", "path", "response_complete", "started")
    message_event = _NO_EVENT

    def __init__(self, path: str, headers: list[tuple[bytes, bytes]], *, keep_alive: bool) -> None:
        self.path, self.headers, self.keep_alive = path, headers, keep_alive
        self.body = b""
        self.more_body = True
        self.disconnected = self.response_complete = False
        self.started = time.perf_counter()


class HotProtocol(HttpToolsProtocol):
    """One connection."""

    def __init__(self, *arguments: Any, **more: Any) -> None:  # noqa: ANN401 - as uvicorn makes it
        super().__init__(*arguments, **more)
        self._hot = _find_hot_path(self.app) if self.limit_concurrency is None and not self.root_path else None

    def on_headers_complete(self) -> None:
        """Take the request if it is the hot path's and nothing else is under way."""
        hot = self._hot
        if hot is not None and self.parser.get_method() == _HOT_METHOD and not self.expect_100_continue:
            path = self.url.decode("latin-1")
            is_free = self.cycle is None or self.cycle.response_complete
            is_plain = self.parser.get_http_version() == _HTTP and not self.parser.should_upgrade()
            if is_free and is_plain and is_hot("PUT", path):
                self.cycle = _HotCycle(path, self.headers, keep_alive=self.parser.should_keep_alive())  # type: ignore[assignment]
                return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Collect; what is too long is refused, and need not be kept."""
        cycle: Any = self.cycle
        if type(cycle) is not _HotCycle:
            super().on_body(body)
        elif len(cycle.body) <= LARGEST_BODY:
            cycle.body += body

    def on_message_complete(self) -> None:
        """Ask."""
        cycle: Any = self.cycle
        if type(cycle) is not _HotCycle:
            super().on_message_complete()
        elif cycle.more_body:
            cycle.more_body = False
            self._ask(cycle)

    def _ask(self, cycle: _HotCycle) -> None:
        hot = self._hot
        assert hot is not None  # noqa: S101 - a hot cycle is made only then
        try:
            asked = read_request(cycle.path, cycle.headers, cycle.body)
            done = hot.writer.ask(asked.sitting_id, asked.token_hash, asked.acts)  # type: ignore[attr-defined]
        except AnpeiError as error:
            self._write(cycle, hot.refuse(error, cycle.headers))
        else:
            done.add_done_callback(partial(self._answer, hot, cycle, asked))

    def _answer(self, hot: HotPath, cycle: _HotCycle, asked: Asked, done: asyncio.Future[Acknowledged]) -> None:
        error = Busy() if done.cancelled() else done.exception()
        if error is None:
            found = done.result()
            answer = hot.accept(asked, found)
            if answer is None:
                task = self.loop.create_task(self._finish(hot, cycle, asked, found))
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)
            else:
                self._write(cycle, answer)
        else:
            # The writer raises nothing else.
            self._write(cycle, hot.refuse(error if isinstance(error, AnpeiError) else Busy(), cycle.headers))

    async def _finish(self, hot: HotPath, cycle: _HotCycle, asked: Asked, found: Acknowledged) -> None:
        try:
            answer = await hot.finish(asked, found, cycle.headers)
        except Exception as error:
            self.logger.error("Exception in the hot path\n", exc_info=error)
            answer = hot.refuse(Busy(), cycle.headers)
        self._write(cycle, answer)

    def _write(self, cycle: _HotCycle, answer: Answer) -> None:
        hot = self._hot
        assert hot is not None  # noqa: S101 - a hot cycle is made only then
        headers = hot.headers_of(answer, started=cycle.started)
        cycle.response_complete = True
        if cycle.disconnected or self.transport.is_closing():
            return
        parts = [STATUS_LINE[answer.status]]
        for name, value in (*self.server_state.default_headers, *headers):
            parts += (name, b": ", value, b"\r\n")
        parts.append(b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n")
        parts.append(answer.body)
        self.transport.write(b"".join(parts))
        if not cycle.keep_alive:
            self.transport.close()
        self.on_response_complete()


def _find_hot_path(app: Any) -> HotPath | None:  # noqa: ANN401 - any ASGI application
    """The hot path in the chain of applications, if its writer can be asked without a task."""
    while app is not None:
        if isinstance(app, HotPath):
            return app if isinstance(app.writer, GroupWriter) else None
        app = getattr(app, "app", None)
    return None

"""What every response carries and what is noted of every request: no personal data in either."""

from __future__ import annotations

import logging
import re
import time
from typing import TYPE_CHECKING
from uuid import uuid4

import structlog
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from prometheus_client import Counter, Histogram

from training import audit

if TYPE_CHECKING:
    from litestar.types import ASGIApp, Message, Receive, Scope, Send

    from web.settings import Settings

REQUESTS = Counter("anpei_http_requests_total", "Requests answered", ["method", "route", "status"])
SECONDS = Histogram("anpei_http_request_seconds", "Seconds from request to response", ["route"])

_CONTENT_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "font-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "content-security-policy": _CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "permissions-policy": "camera=(self), microphone=(), geolocation=()",
    "cross-origin-opener-policy": "same-origin",
}
_KEYS_IN_PATH = re.compile(
    r"(?<=/attend/)[^/]+/[^/]+|[0-9a-f]{8}-[0-9a-f-]{27}|(?<=/[cC]/)[^/]+|(?<=/certificates/)[A-Za-z2-7]{26}|(?<=/enterprises/)[^/]+|(?<=/invitations/)[^/]+|(?<=/t/)[^/]+"
)
log = structlog.get_logger()


def configure_logging(*, log_format: str) -> None:
    """Structured lines with the request's id; JSON unless the operator wants them readable."""
    renderer = structlog.processors.JSONRenderer() if log_format == "json" else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        cache_logger_on_first_use=True,
    )


class Observing:
    """ASGI middleware: request id, security headers, one log line and the metrics of a request."""

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Wrap one request."""
        if scope["type"] != ScopeType.HTTP:
            await self.app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = uuid4().hex
        scope.setdefault("state", {})["request_id"] = request_id
        client = scope.get("client")
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(request_id=request_id)
        audit.origin.set(audit.Origin(address=client[0] if client else "", request_id=request_id))
        status = 0

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableScopeHeaders.from_message(message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers["x-request-id"] = request_id
                if self.settings.is_behind_tls:
                    headers["strict-transport-security"] = "max-age=31536000; includeSubDomains"
            await send(message)

        try:
            await self.app(scope, receive, send_with_headers)
        finally:
            route = _KEYS_IN_PATH.sub("*", scope["path"]) if status != 404 else "unknown"  # noqa: PLR2004
            seconds = time.perf_counter() - started
            REQUESTS.labels(scope["method"], route, status).inc()
            SECONDS.labels(route).observe(seconds)
            if not scope["path"].startswith(("/static/", "/health/", "/metrics")):
                log.info("request", method=scope["method"], route=route, status=status, ms=round(seconds * 1000, 1))

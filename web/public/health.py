"""For those who watch the processes."""

from __future__ import annotations

from litestar import MediaType, Response, get
from litestar.di import NamedDependency
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from sqlalchemy import text

from web.services import Services


@get("/health/live", media_type=MediaType.TEXT, include_in_schema=False)
async def live() -> str:
    """The process answers."""
    return "ok"


@get("/health/ready", media_type=MediaType.TEXT, include_in_schema=False)
async def ready(services: NamedDependency[Services]) -> Response[str]:
    """The database answers and has its tables."""
    try:
        async with services.sessions() as session:
            connection = await session.connection()
            await connection.execute(text("SELECT 1 FROM alembic_version"))
    except Exception as error:
        return Response(f"not ready: {type(error).__name__}", status_code=503)
    return Response("ok")


@get("/metrics", include_in_schema=False)
async def metrics() -> Response[bytes]:
    """Prometheus."""
    return Response(generate_latest(), headers={"content-type": CONTENT_TYPE_LATEST})


HANDLERS = [live, ready, metrics]

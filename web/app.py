"""The web application, made from its settings, keys, clock and database."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import TYPE_CHECKING

from litestar import Litestar, Router
from litestar.config.csrf import CSRFConfig
from litestar.di import NamedDependency, Provide
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import SwaggerRenderPlugin
from litestar.template import TemplateConfig
from sqlmodel.ext.asyncio.session import AsyncSession

import web.api.routes
import web.authority.routes
import web.candidate.routes
import web.centre.routes
import web.enterprise.routes
import web.learner.routes
import web.public.routes
import web.site.routes
from web import errors, templating
from web.auth import WhoIsLooking, provide_viewer, provide_visitor
from web.observing import Observing
from web.services import Services

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from litestar.types import ControllerRouterHandler

_LARGEST_BODY = 64 * 1024 * 1024


def create_app(
    services: Services,
    *,
    on_startup: Sequence[Callable[[Litestar], object]] = (),
    on_shutdown: Sequence[Callable[[Litestar], object]] = (),
) -> Litestar:
    """The application. Tests give it their own sessions and clock."""

    # A chain: litestar gives each dependency that hangs on no other a task of its own.
    def provide_services() -> Services:
        return services

    def provide_now(services: NamedDependency[Services]) -> datetime:
        return services.clock.now()

    async def provide_session(
        services: NamedDependency[Services],
        now: NamedDependency[datetime],  # noqa: ARG001 - see above
    ) -> AsyncGenerator[AsyncSession, None]:
        # Commits after rendering and before sending; any error rolls back.
        async with services.sessions() as session, session.begin():
            yield session

    pages: list[ControllerRouterHandler] = [
        *web.public.routes.HANDLERS,
        *web.learner.routes.HANDLERS,
        *web.candidate.routes.HANDLERS,
        *web.enterprise.routes.HANDLERS,
        *web.centre.routes.HANDLERS,
        *web.site.routes.HANDLERS,
        *web.authority.routes.HANDLERS,
    ]
    # The schema documents the calls for programs, not the pages.
    handlers: list[ControllerRouterHandler] = [
        Router("/", route_handlers=pages, include_in_schema=False),
        *web.api.routes.HANDLERS,
    ]
    app = Litestar(
        route_handlers=handlers,
        dependencies={
            "session": Provide(provide_session),
            "now": Provide(provide_now, sync_to_thread=False),
            "services": Provide(provide_services, sync_to_thread=False),
            "visitor": Provide(provide_visitor, sync_to_thread=False),
            "viewer": Provide(provide_viewer, sync_to_thread=False),
        },
        csrf_config=CSRFConfig(
            secret=services.keys.session.hex(),
            cookie_name="anpei_csrf",
            cookie_samesite="lax",
            cookie_secure=services.settings.is_behind_tls,
            cookie_httponly=True,
            exclude=["^/api/", "^/health/", "^/metrics"],
        ),
        exception_handlers=errors.HANDLERS,
        template_config=TemplateConfig(instance=templating.make_engine()),
        openapi_config=OpenAPIConfig(
            title="Anpei API", version="1", path="/schema", render_plugins=[SwaggerRenderPlugin()]
        ),
        request_max_body_size=_LARGEST_BODY,
        on_startup=[*on_startup],
        on_shutdown=[*on_shutdown],
    )
    # Around the router, so that also an unknown address is answered with headers, language and viewer.
    app.asgi_handler = Observing(WhoIsLooking(app.asgi_handler, services), services.settings)
    return app

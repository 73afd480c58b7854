"""The Browser Exam Keys that an exam site or an enterprise lets in, and its configuration file."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.browser_exam_keys import add_browser_key, list_browser_keys, retire_browser_key
from exams.safe_exam_browser import config_key
from training.accounts import HeldRole, Viewer
from training.errors import AnpeiError
from training.models import Role
from web.attempts import attempt
from web.auth import acting_as
from web.safe_exam_browser import config_path, settings_of
from web.services import Services


@dataclass
class KeyForm:
    """A key as the program shows it, and what it is of."""

    key: str = ""
    label: str = ""


class BrowserKeyController(Controller):
    """One list for each audience; a subclass names its path and who may change it."""

    role: ClassVar[Role]
    back: ClassVar[str]

    @get()
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        viewer: NamedDependency[Viewer],
    ) -> Template:
        """The keys in use and how to find one."""
        return await self._page(session, services, acting_as(viewer, self.role), KeyForm())

    @post()
    async def add(
        self,
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        data: URLEncodedBody[KeyForm],
    ) -> Template | Redirect:
        """List a key."""
        held = acting_as(viewer, self.role)
        async with attempt(session) as tried:
            await add_browser_key(
                session, organisation_id=held.organisation_id, key=data.key, label=data.label,
                actor_id=viewer.person_id, now=now,
            )  # fmt: skip
        if tried.error:
            return await self._page(session, services, held, data, error=tried.error)
        return Redirect(self.path)

    @post("/{key_id:uuid}/retire")
    async def retire(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        key_id: FromPath[UUID],
    ) -> Redirect:
        """Take it off the list."""
        held = acting_as(viewer, self.role)
        await retire_browser_key(
            session, key_id=key_id, organisation_id=held.organisation_id, actor_id=viewer.person_id, now=now
        )
        return Redirect(self.path)

    async def _page(
        self,
        session: AsyncSession,
        services: Services,
        held: HeldRole,
        form: KeyForm,
        *,
        error: AnpeiError | None = None,
    ) -> Template:
        context = {
            "keys": await list_browser_keys(session, organisation_id=held.organisation_id),
            "config_key": config_key(settings_of(services, held.organisation_id)),
            "file": config_path(held.organisation_id),
            "form": form,
            "path": self.path,
            "back": self.back,
            "error": error,
        }
        return Template("site/browser_keys.html", context=context, status_code=422 if error else 200)


class SiteBrowserKeyController(BrowserKeyController):
    """`/site/browser-keys`."""

    path = "/site/browser-keys"
    role = Role.SITE_HEAD
    back = "/site/sessions"


class EnterpriseBrowserKeyController(BrowserKeyController):
    """`/enterprise/browser-keys`."""

    path = "/enterprise/browser-keys"
    role = Role.ENTERPRISE_MANAGER
    back = "/enterprise/exams"

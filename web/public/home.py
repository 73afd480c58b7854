"""The public home, and for those signed in the home of each role with what to do next."""

from __future__ import annotations

from litestar import get
from litestar.di import NamedDependency
from litestar.response import Redirect, Template

from training.accounts import Viewer
from training.models import Role

_HOMES = (
    ("/enterprise", (Role.ENTERPRISE_MANAGER,)),
    ("/centre", (Role.CENTRE_MANAGER, Role.TEACHER)),
    ("/site", (Role.SITE_HEAD, Role.INVIGILATOR, Role.ASSESSOR)),
    (
        "/authority",
        (
            Role.QUESTION_EDITOR, Role.QUESTION_REVIEWER, Role.APPLICATION_REVIEWER, Role.ISSUER,
            Role.SYSTEM_ADMIN, Role.SECURITY_ADMIN, Role.AUDIT_ADMIN,
        ),
    ),
)  # fmt: skip


def home_of(viewer: Viewer) -> str:
    """Where a signed-in person starts: the board of the chosen role, else the learner's page."""
    first = viewer.held(*Role)
    if first is None:
        return "/learn"
    return next(path for path, roles in _HOMES if first.role in roles)


@get("/")
async def home(visitor: NamedDependency[Viewer | None]) -> Template | Redirect:
    """Scan, look up, and the course catalogue; whoever is signed in goes on to their own home."""
    if visitor is not None:
        return Redirect(home_of(visitor))
    return Template("public/home.html")


HANDLERS = [home]

"""Who works at the site: the person and the one site that the pages are about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.models import Role
from web.auth import acting_as

if TYPE_CHECKING:
    from uuid import UUID

    from training.accounts import HeldRole, Viewer

RUNS_SESSIONS = (Role.SITE_HEAD, Role.INVIGILATOR)


@dataclass(frozen=True)
class Officer:
    """Somebody of a site, in the role that the page asks for."""

    person_id: UUID
    site_id: UUID
    site_name: str
    is_head: bool


def officer_of(viewer: Viewer, *roles: Role) -> Officer:
    """The viewer as an officer of the chosen site; without roles, one who runs sessions. Raises `NotAllowed`."""
    held = acting_as(viewer, *(roles or RUNS_SESSIONS))
    return Officer(
        person_id=viewer.person_id,
        site_id=held.organisation_id,
        site_name=held.organisation_name,
        is_head=_has(viewer, Role.SITE_HEAD, held),
    )


def may_run_sessions(viewer: Viewer, officer: Officer) -> bool:
    """Whether check-in and the board are for this person, too."""
    return any(held.role in RUNS_SESSIONS and held.organisation_id == officer.site_id for held in viewer.roles)


def may_assess(viewer: Viewer, officer: Officer) -> bool:
    """Whether the practical score sheets are for this person."""
    return any(held.role is Role.ASSESSOR and held.organisation_id == officer.site_id for held in viewer.roles)


def _has(viewer: Viewer, role: Role, at: HeldRole) -> bool:
    return any(held.role is role and held.organisation_id == at.organisation_id for held in viewer.roles)

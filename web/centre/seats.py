"""In which seat somebody of a training centre acts: its manager, or a teacher with the own classes only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from training.models import Role
from web.auth import acting_as

if TYPE_CHECKING:
    from training.accounts import Viewer


@dataclass(frozen=True)
class CentreSeat:
    """`teacher_id` narrows everything to one teacher's classes; a manager has None."""

    centre_id: UUID
    centre_name: str
    teacher_id: UUID | None

    @property
    def is_manager(self) -> bool:
        """Whether the whole centre is in view."""
        return self.teacher_id is None


def seat_of(viewer: Viewer) -> CentreSeat:
    """The viewer's seat in the chosen centre. Raises `NotAllowed`."""
    held = acting_as(viewer, Role.CENTRE_MANAGER, Role.TEACHER)
    manages = any(
        each.role is Role.CENTRE_MANAGER and each.organisation_id == held.organisation_id for each in viewer.roles
    )
    return CentreSeat(held.organisation_id, held.organisation_name, None if manages else viewer.person_id)

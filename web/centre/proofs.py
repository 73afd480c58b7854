"""`/centre/classes/{id}/proofs`: 培训合格证明 for those who passed a closed class."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from certificates.issuing import issue_training_proof
from certificates.queries_proofs import list_provable
from certificates.signing import Signer
from training.accounts import Viewer
from training.class_lists import get_class_line
from training.models import Role
from web.auth import acting_as
from web.services import Services


class ClassProofsController(Controller):
    """For the centre's manager."""

    path = "/centre/classes/{class_id:uuid}/proofs"

    @get("/")
    async def show(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], class_id: FromPath[UUID]
    ) -> Template:
        """Who passed, and whose proof is made."""
        held = acting_as(viewer, Role.CENTRE_MANAGER)
        line = await get_class_line(session, class_id, centre_id=held.organisation_id)
        found = await list_provable(session, issuer_id=held.organisation_id, class_id=class_id)
        return Template("centre/proofs.html", context={"line": line, "found": found})

    @post("/")
    async def issue(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        class_id: FromPath[UUID],
    ) -> Redirect:
        """Issue every proof that is missing."""
        held = acting_as(viewer, Role.CENTRE_MANAGER)
        await get_class_line(session, class_id, centre_id=held.organisation_id)
        found = await list_provable(session, issuer_id=held.organisation_id, class_id=class_id)
        for each in found.lines:
            if each.certificate_id is None:
                await issue_training_proof(
                    session, training_record_id=each.record_id, issuer_id=held.organisation_id,
                    actor_id=viewer.person_id, signer=Signer.newest(services.keys.issuer),
                    vault=services.vault, now=now,
                )  # fmt: skip
        return Redirect(f"/centre/classes/{class_id}/proofs")


HANDLERS: list[type[Controller]] = [ClassProofsController]

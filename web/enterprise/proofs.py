"""`/enterprise/proofs`: 培训合格证明 for what the enterprise's own staff learnt."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from certificates.issuing import issue_training_proof
from certificates.queries_proofs import list_provable
from certificates.signing import Signer
from training.accounts import Viewer
from training.models import Role
from web.auth import acting_as
from web.services import Services


class EnterpriseProofsController(Controller):
    """For the enterprise's manager."""

    path = "/enterprise/proofs"

    @get("/")
    async def show(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], page: FromQuery[int] = 1
    ) -> Template:
        """Passed trainings, and whose proof is made."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        found = await list_provable(session, issuer_id=held.organisation_id, page=page)
        return Template("enterprise/proofs.html", context={"found": found, "here": "/enterprise/proofs"})

    @post("/{record_id:uuid}")
    async def issue(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        record_id: FromPath[UUID],
    ) -> Redirect:
        """Issue one."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        await issue_training_proof(
            session, training_record_id=record_id, issuer_id=held.organisation_id, actor_id=viewer.person_id,
            signer=Signer.newest(services.keys.issuer), vault=services.vault, now=now,
        )  # fmt: skip
        return Redirect("/enterprise/proofs")


HANDLERS: list[type[Controller]] = [EnterpriseProofsController]

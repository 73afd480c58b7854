"""`/enterprise/…/file.xlsx`: 一人一档 of one person or of everyone, to keep or to show an inspector."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from sqlmodel.ext.asyncio.session import AsyncSession

from training import audit
from training.accounts import Viewer
from training.calendar import china_date
from training.dossier import Dossier, DossierCertificate, DossierPerson, write_dossier
from training.errors import N_
from training.models import Role
from training.records import list_records
from training.rules import get_rule
from training.staff import StaffFile, get_staff_file, list_numbers, list_staff_files
from web.auth import acting_as
from web.enterprise.holdings import list_holdings
from web.enterprise.imports import xlsx
from web.i18n.catalogue import gettext
from web.labels import label
from web.services import Services

if TYPE_CHECKING:
    from collections.abc import Sequence

_USABLE, _UNUSABLE = N_("有效"), N_("不可用")


class DossierController(Controller):
    """The files as workbooks; making one is noted in the audit log."""

    path = "/enterprise"

    @get("/staff/{person_id:uuid}/file.xlsx")
    async def of_one(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
        person_id: FromPath[UUID],
    ) -> Response[bytes]:
        """One person's file."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        file = await get_staff_file(session, held.organisation_id, person_id, now=now)
        data = await _make(session, viewer, services, now, [file])
        return xlsx(data, f"training-file-{china_date(now):%Y%m%d}-{person_id.hex[-8:]}.xlsx")

    @get("/files.xlsx")
    async def of_everyone(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        services: NamedDependency[Services],
        now: NamedDependency[datetime],
    ) -> Response[bytes]:
        """The files of the present staff."""
        held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
        data = await _make(
            session, viewer, services, now, await list_staff_files(session, held.organisation_id, now=now)
        )
        return xlsx(data, f"training-files-{china_date(now):%Y%m%d}.xlsx")


async def _make(
    session: AsyncSession, viewer: Viewer, services: Services, now: datetime, files: Sequence[StaffFile]
) -> bytes:
    held = acting_as(viewer, Role.ENTERPRISE_MANAGER)
    keys = [file.person_id for file in files]
    with_numbers = bool(await get_rule(session, "training.export.full_numbers", on=china_date(now)))
    opened = await list_numbers(session, vault=services.vault, person_ids=keys) if with_numbers else {}
    one = keys[0] if len(keys) == 1 else None
    records = await list_records(session, organisation_id=held.organisation_id, person_id=one)
    present = [file.person_id for file in files if file.ended_on is None]
    dossier = Dossier(
        organisation=held.organisation_name,
        made_at=now,
        made_by=viewer.name,
        people=[
            DossierPerson(
                person_id=file.person_id,
                name=file.name,
                id_type=file.id_type,
                number=opened[file.person_id].number if file.person_id in opened else file.number_masked,
                category=file.category,
                department=file.department,
                post=file.post,
                started_on=file.started_on,
            )
            for file in files
        ],
        records=[record for record in records if record.person_id in set(keys)],
        certificates=[
            DossierCertificate(
                person_id=holding.person_id,
                kind=label(holding.kind),
                item=holding.item,
                number=holding.number_masked,
                issuer=holding.issuer,
                valid_from=holding.valid_from,
                valid_to=holding.valid_to,
                review_due_on=holding.review_due_on,
                status=gettext(_USABLE if holding.status.is_usable else _UNUSABLE),
            )
            for holding in await list_holdings(session, present, now=now)
        ],
    )
    audit.record(
        session, action="training_file.exported", target=("organisation", held.organisation_id),
        actor_id=viewer.person_id, now=now, people=len(keys), full_numbers=with_numbers, person=one or "",
    )  # fmt: skip
    return await asyncio.to_thread(write_dossier, dossier, say=gettext, label=label)


HANDLERS = [DossierController]

"""Passed applications and issued certificates with defaults for everything, made by the domain's own operations."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from certificates.issuing import issue_certificate, issue_training_proof
from certificates.requests import request_certificate
from certificates.signing import Signer
from exams.models import Application, ApplicationStatus
from exams.qualifications import get_qualification
from tests.makers.exams import LOW_VOLTAGE
from tests.makers.people import Known, make_organisation, make_person, make_role
from tests.makers.staff import make_record
from training.calendar import china_date
from training.models import OrganisationKind, Role

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from certificates.models import Certificate, CertificateRequest
    from training.models import Organisation
    from web.keys import Keys


@dataclass(frozen=True)
class Office:
    """An authority with somebody who issues."""

    authority: Organisation
    issuer: Known


async def make_office(session: AsyncSession, keys: Keys, *, now: datetime) -> Office:
    authority = await make_organisation(session, now=now, kind=OrganisationKind.AUTHORITY, name="演示市应急管理局")
    issuer = await make_role(
        session, keys.vault, role=Role.ISSUER, organisation=authority, now=now, name="孙签发"
    )  # fmt: skip
    return Office(authority, issuer)


async def make_passed(
    session: AsyncSession, keys: Keys, *, now: datetime, who: Known | None = None, code: str = LOW_VOLTAGE
) -> Application:
    """An application whose parts are all passed and released."""
    who = who or await make_person(session, keys.vault, now=now)
    qualification = await get_qualification(session, code)
    day = china_date(now - timedelta(days=7))
    application = Application(
        person_id=who.person.id,
        qualification_code=code,
        status=ApplicationStatus.PASSED,
        created_at=now - timedelta(days=40),
        submitted_at=now - timedelta(days=40),
        theory_passed_on=day,
        practical_passed_on=day if qualification.needs_practical else None,
        theory_attempts=1,
    )
    session.add(application)
    await session.flush()
    return application


async def make_request(
    session: AsyncSession, keys: Keys, *, now: datetime, who: Known | None = None, code: str = LOW_VOLTAGE
) -> CertificateRequest:
    """A request that waits for an issuer."""
    application = await make_passed(session, keys, now=now, who=who, code=code)
    return await request_certificate(session, application_id=application.id, person_id=application.person_id, now=now)


async def make_issued(
    session: AsyncSession,
    keys: Keys,
    *,
    now: datetime,
    who: Known | None = None,
    code: str = LOW_VOLTAGE,
    office: Office | None = None,
) -> Certificate:
    """A certificate issued at `now`."""
    office = office or await make_office(session, keys, now=now)
    request = await make_request(session, keys, now=now, who=who, code=code)
    return await issue_certificate(
        session, request_id=request.id, issuer_id=office.authority.id, actor_id=office.issuer.person.id,
        signer=Signer.newest(keys.issuer), vault=keys.vault, now=now,
    )  # fmt: skip


async def make_training_proof(
    session: AsyncSession, keys: Keys, *, now: datetime, enterprise: Organisation, who: Known
) -> Certificate:
    """A proof by an employer of what was learnt on this service."""
    record = await make_record(session, person_id=who.person.id, organisation_id=enterprise.id, now=now)
    return await issue_training_proof(
        session, training_record_id=record.id, issuer_id=enterprise.id, actor_id=who.person.id,
        signer=Signer.newest(keys.issuer), vault=keys.vault, now=now,
    )  # fmt: skip

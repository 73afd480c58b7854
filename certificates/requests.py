"""The request for a certificate once every part of the exam is passed (30号令 art. 17, 18)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlmodel import col, select

from certificates.errors import Banned, NotPassed, NotYours, PartTooOld, ReasonMissing, RequestDecided
from certificates.models import CertificateRequest, CertificateRequestStatus
from exams.applications import find_ban, get_own_application
from exams.models import Application, ApplicationStatus, Qualification, QualificationKind
from exams.qualifications import get_qualification
from training import audit
from training.calendar import add_months, add_working_days, china_date
from training.errors import NotFound
from training.notices import NoticeKind, notify
from training.rules import get_number

if TYPE_CHECKING:
    from datetime import date, datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

_LONGEST_REASON = 1000
_DECIDE_RULES = {QualificationKind.MANAGER: "pm.cert.issue_wd"}
_DECIDE_RULE = "so.cert.review_wd"


async def request_certificate(
    session: AsyncSession, *, application_id: UUID, person_id: UUID, now: datetime
) -> CertificateRequest:
    """Ask for the certificate of one's own passed application; asked again it gives that request.

    After a refusal a new request may be made. Raises `NotPassed`, `PartTooOld`, `Banned`.
    """
    application = await get_own_application(session, application_id=application_id, person_id=person_id, lock=True)
    if standing := await _find_standing(session, application_id):
        return standing
    today = china_date(now)
    qualification = await get_qualification(session, application.qualification_code)
    await check_passed(session, application, qualification, on=today)
    if until := await find_ban(session, person_id=person_id, on=today):
        raise Banned(until=until.isoformat())
    days = await get_number(session, _DECIDE_RULES.get(qualification.kind, _DECIDE_RULE), on=today)
    request = CertificateRequest(
        application_id=application_id,
        person_id=person_id,
        qualification_code=qualification.code,
        submitted_at=now,
        decide_by=add_working_days(today, days),
    )
    session.add(request)
    await session.flush()
    audit.record(
        session, action="certificate.requested", target=("certificate_request", request.id), actor_id=person_id,
        now=now, qualification=qualification.code,
    )  # fmt: skip
    return request


async def check_passed(
    session: AsyncSession, application: Application, qualification: Qualification, *, on: date
) -> None:
    """Every part that the qualification needs is passed, released and not too old on a day."""
    days = _days_passed(application, qualification)
    if not has_passed(application, qualification):
        raise NotPassed
    months = await get_number(session, "so.part.valid_months", on=on)
    if any(add_months(day, months) < on for day in days if day is not None):
        raise PartTooOld(months=months)


def has_passed(application: Application, qualification: Qualification) -> bool:
    """Whether every part that the qualification needs is passed and released now."""
    return application.status is ApplicationStatus.PASSED and None not in _days_passed(application, qualification)


def _days_passed(application: Application, qualification: Qualification) -> list[date | None]:
    parts = [application.theory_passed_on]
    return [*parts, application.practical_passed_on] if qualification.needs_practical else parts


async def refuse_request(
    session: AsyncSession, *, request_id: UUID, actor_id: UUID, reason: str, now: datetime
) -> CertificateRequest:
    """Refuse with the reason, which the candidate reads. Asked again it stays refused."""
    request = await lock_request(session, request_id)
    if request.status is CertificateRequestStatus.REFUSED:
        return request
    if request.status is not CertificateRequestStatus.SUBMITTED:
        raise RequestDecided
    if request.person_id == actor_id:
        raise NotYours
    if not reason.strip():
        raise ReasonMissing(field="reason")
    request.status, request.reason = CertificateRequestStatus.REFUSED, reason.strip()[:_LONGEST_REASON]
    request.decided_at, request.decided_by = now, actor_id
    session.add(request)
    await session.flush()
    audit.record(
        session, action="certificate.refused", target=("certificate_request", request.id), actor_id=actor_id, now=now,
        was={"status": CertificateRequestStatus.SUBMITTED.value},
    )  # fmt: skip
    qualification = await get_qualification(session, request.qualification_code)
    notify(
        session, [request.person_id], NoticeKind.CERTIFICATE_REFUSED, now=now, link="/certificates",
        title=qualification.name, reason=request.reason,
    )  # fmt: skip
    return request


async def lock_request(session: AsyncSession, request_id: UUID) -> CertificateRequest:
    """The request, for a decision. Raises `NotFound`."""
    request = await session.get(CertificateRequest, request_id, with_for_update=True, populate_existing=True)
    if request is None:
        raise NotFound
    return request


async def _find_standing(session: AsyncSession, application_id: UUID) -> CertificateRequest | None:
    statement = select(CertificateRequest).where(
        CertificateRequest.application_id == application_id,
        col(CertificateRequest.status) != CertificateRequestStatus.REFUSED,
    )
    return (await session.exec(statement)).one_or_none()

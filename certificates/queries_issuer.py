"""What issuers see: the queue of requests with their evidence, and the certificates that their authority issued."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

from sqlmodel import col, func, select

from certificates.issuing import number_index
from certificates.models import (
    Certificate,
    CertificateRequest,
    CertificateRequestStatus,
)
from certificates.standing import get_windows, status_of
from certificates.status import CertificateStatus
from exams.applications import find_ban
from exams.models import (
    Application,
    Booking,
    ExamSession,
    PracticalResult,
    Qualification,
    Score,
    ScoreState,
    Sitting,
)
from training.calendar import china_date
from training.errors import NotFound
from training.models import IdType, Organisation, Person, PersonDocument, Sex
from training.people import document_index

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement
    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault

_PAGE = 50


@dataclass(frozen=True)
class RequestLine:
    """One request in the queue."""

    id: UUID
    person_name: str
    number_masked: str
    item_name: str
    status: CertificateRequestStatus
    submitted_at: datetime
    decide_by: date
    is_late: bool


@dataclass(frozen=True)
class TheoryEvidence:
    """A released score of the theory exam."""

    points: Decimal
    total: Decimal
    passed: bool
    held_at: datetime
    site_name: str
    released_at: datetime | None


@dataclass(frozen=True)
class PracticalEvidence:
    """A practical result with its two assessors."""

    score: Decimal
    vetoed: bool
    passed: bool
    first_assessor: str
    second_assessor: str
    signed_at: datetime | None


@dataclass(frozen=True)
class RequestPage:
    """Everything that a decision rests on."""

    line: RequestLine
    person_id: UUID
    id_type: IdType
    sex: Sex | None
    birth_date: date | None
    class_name: str
    application_id: UUID
    employer: str
    photo_id: UUID | None
    health_signed_at: datetime | None
    application_decided_at: datetime | None
    theory_passed_on: date | None
    practical_passed_on: date | None
    needs_practical: bool
    theory: tuple[TheoryEvidence, ...]
    practical: tuple[PracticalEvidence, ...]
    banned_until: date | None
    in_force: tuple[str, ...]
    reason: str
    certificate_id: UUID | None


@dataclass(frozen=True)
class IssuedLine:
    """One certificate of the authority."""

    id: UUID
    public_id: str
    person_name: str
    number_masked: str
    item_name: str
    valid_from: date
    valid_to: date | None
    review_due_on: date | None
    status: CertificateStatus


@dataclass(frozen=True)
class IssuedPage:
    """One certificate with its history, for who may end it."""

    line: IssuedLine
    person_id: UUID
    certificate: Certificate
    issuer_name: str
    issued_by: str


@dataclass(frozen=True)
class IssuedList:
    """A page of certificates."""

    lines: tuple[IssuedLine, ...]
    page: int
    pages: int


async def list_requests(
    session: AsyncSession, *, status: CertificateRequestStatus = CertificateRequestStatus.SUBMITTED, now: datetime
) -> list[RequestLine]:
    """The queue, the most urgent first; decided ones by the newest."""
    waiting = status is CertificateRequestStatus.SUBMITTED
    order = col(CertificateRequest.decide_by) if waiting else col(CertificateRequest.decided_at).desc()
    statement = (
        select(CertificateRequest, Person.name, PersonDocument.number_masked, Qualification.name)
        .join(Person, col(Person.id) == CertificateRequest.person_id)
        .join(PersonDocument, (col(PersonDocument.person_id) == Person.id) & col(PersonDocument.is_primary))
        .join(Qualification, col(Qualification.code) == CertificateRequest.qualification_code)
        .where(CertificateRequest.status == status)
        .order_by(order, col(CertificateRequest.id))
        .limit(200)
    )
    rows = (await session.exec(statement)).all()
    return [_line(request, name, number, item, now=now) for request, name, number, item in rows]


def _line(request: CertificateRequest, name: str, number: str, item: str, *, now: datetime) -> RequestLine:
    is_open = request.status is CertificateRequestStatus.SUBMITTED
    return RequestLine(
        id=request.id,
        person_name=name,
        number_masked=number,
        item_name=item,
        status=request.status,
        submitted_at=request.submitted_at,
        decide_by=request.decide_by,
        is_late=is_open and request.decide_by < china_date(now),
    )


async def get_request_page(session: AsyncSession, *, request_id: UUID, now: datetime) -> RequestPage:
    """One request with scores, practical results and what else bears on it. Raises `NotFound`."""
    request = await session.get(CertificateRequest, request_id)
    if request is None:
        raise NotFound
    application = await session.get_one(Application, request.application_id)
    qualification = await session.get_one(Qualification, request.qualification_code)
    statement = (
        select(Person, PersonDocument)
        .join(PersonDocument, (col(PersonDocument.person_id) == Person.id) & col(PersonDocument.is_primary))
        .where(Person.id == request.person_id)
    )
    person, document = (await session.exec(statement)).one()
    issued = select(Certificate.id).where(Certificate.request_id == request.id)
    return RequestPage(
        line=_line(request, person.name, document.number_masked, qualification.name, now=now),
        person_id=person.id,
        id_type=document.id_type,
        sex=person.sex,
        birth_date=person.birth_date,
        class_name=qualification.class_name,
        application_id=application.id,
        employer=application.employer,
        photo_id=application.photo_id or person.photo_id,
        health_signed_at=application.health_signed_at,
        application_decided_at=application.decided_at,
        theory_passed_on=application.theory_passed_on,
        practical_passed_on=application.practical_passed_on,
        needs_practical=qualification.needs_practical,
        theory=await _theory(session, application.id),
        practical=await _practical(session, application.id),
        banned_until=await find_ban(session, person_id=person.id, on=china_date(now)),
        in_force=await _in_force(session, person.id, now=now),
        reason=request.reason,
        certificate_id=(await session.exec(issued)).first(),
    )


async def _theory(session: AsyncSession, application_id: UUID) -> tuple[TheoryEvidence, ...]:
    statement = (
        select(Score, ExamSession.starts_at, Organisation.name)
        .join(Sitting, col(Sitting.id) == Score.sitting_id)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .join(ExamSession, col(ExamSession.id) == Booking.exam_session_id)
        .join(Organisation, col(Organisation.id) == ExamSession.site_id)
        .where(Booking.application_id == application_id, Score.state == ScoreState.RELEASED)
        .order_by(col(ExamSession.starts_at))
    )
    return tuple(
        TheoryEvidence(score.points, score.total, score.passed, starts_at, site, score.released_at)
        for score, starts_at, site in (await session.exec(statement)).all()
    )


async def _practical(session: AsyncSession, application_id: UUID) -> tuple[PracticalEvidence, ...]:
    statement = select(PracticalResult).where(
        PracticalResult.application_id == application_id, PracticalResult.state == ScoreState.RELEASED
    )
    rows = (await session.exec(statement)).all()
    people = {each.first_assessor_id for each in rows} | {each.second_assessor_id for each in rows}
    names = dict((await session.exec(select(Person.id, Person.name).where(col(Person.id).in_(people - {None})))).all())
    return tuple(
        PracticalEvidence(
            score=each.score,
            vetoed=each.vetoed,
            passed=each.passed,
            first_assessor=names.get(each.first_assessor_id, ""),
            second_assessor=names.get(each.second_assessor_id, "") if each.second_assessor_id else "",
            signed_at=each.second_signed_at or each.first_signed_at,
        )
        for each in rows
    )


async def _in_force(session: AsyncSession, person_id: UUID, *, now: datetime) -> tuple[str, ...]:
    today = china_date(now)
    windows = await get_windows(session, on=today)
    rows = (await session.exec(select(Certificate).where(Certificate.person_id == person_id))).all()
    return tuple(each.item_name for each in rows if status_of(each, on=today, windows=windows).is_usable)


async def list_issued(
    session: AsyncSession, *, issuer_id: UUID, vault: Vault, search: str = "", page: int = 1, now: datetime
) -> IssuedList:
    """The authority's certificates, the newest first; by holder's name, or an exact document or certificate number."""
    conditions: list[ColumnElement[bool] | bool] = [Certificate.issuer_id == issuer_id]
    if search := search.strip():
        by_document = select(PersonDocument.person_id).where(
            PersonDocument.number_index == document_index(vault, search)
        )
        conditions.append(
            col(Certificate.holder_name).contains(search, autoescape=True)
            | (col(Certificate.number_index) == number_index(vault, search))
            | col(Certificate.person_id).in_(by_document)
        )
    count = (await session.exec(select(func.count()).select_from(Certificate).where(*conditions))).one()
    pages = max(-(-count // _PAGE), 1)
    page = min(max(page, 1), pages)
    statement = (
        select(Certificate)
        .where(*conditions)
        .order_by(col(Certificate.issued_at).desc(), col(Certificate.id).desc())
        .offset((page - 1) * _PAGE)
        .limit(_PAGE)
    )
    today = china_date(now)
    windows = await get_windows(session, on=today)
    rows = (await session.exec(statement)).all()
    return IssuedList(
        tuple(_issued_line(each, status_of(each, on=today, windows=windows)) for each in rows), page, pages
    )


def _issued_line(certificate: Certificate, status: CertificateStatus) -> IssuedLine:
    return IssuedLine(
        id=certificate.id,
        public_id=certificate.public_id,
        person_name=certificate.holder_name,
        number_masked=certificate.number_masked,
        item_name=certificate.item_name,
        valid_from=certificate.valid_from,
        valid_to=certificate.valid_to,
        review_due_on=certificate.review_due_on,
        status=status,
    )


async def get_issued(session: AsyncSession, *, certificate_id: UUID, issuer_id: UUID, now: datetime) -> IssuedPage:
    """One of the issuer's own. Raises `NotFound`."""
    statement = (
        select(Certificate, Organisation.name, Person.name)
        .join(Organisation, col(Organisation.id) == Certificate.issuer_id)
        .join(Person, col(Person.id) == Certificate.issued_by)
        .where(Certificate.id == certificate_id, Certificate.issuer_id == issuer_id)
    )
    row = (await session.exec(statement)).one_or_none()
    if row is None:
        raise NotFound
    certificate, issuer_name, issued_by = row
    today = china_date(now)
    status = status_of(certificate, on=today, windows=await get_windows(session, on=today))
    return IssuedPage(_issued_line(certificate, status), certificate.person_id, certificate, issuer_name, issued_by)

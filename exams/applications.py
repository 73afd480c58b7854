"""An application's way: begun, filled in, submitted, returned or decided, withdrawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlmodel import col, func, select

from exams.attempts import is_used_up
from exams.eligibility import Facts, Finding, check_eligibility
from exams.errors import (
    BackgroundMissing,
    Incomplete,
    NotEditable,
    NotEligible,
    NotWaiting,
    NotWithdrawable,
    QualificationClosed,
    ReasonNeeded,
)
from exams.health import seal_statement
from exams.models import (
    Application,
    ApplicationStatus,
    Ban,
    Booking,
    BookingStatus,
    Qualification,
    QualificationKind,
)
from exams.qualifications import get_qualification, get_rules
from training import audit
from training.calendar import china_date
from training.errors import N_, NotFound
from training.files import keep_file
from training.models import Education, Employment, Organisation, Person, PersonCategory, TrainingRecord
from training.notices import NoticeKind, notify
from training.people import get_person
from training.rules import get_number

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import date, datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.proofs import Proof
    from training.files import FileStore
    from training.vault import Vault

EDUCATION_PROOF, TRAINING_PROOF = "EDUCATION", "TRAINING"
PROOF_KINDS = (EDUCATION_PROOF, TRAINING_PROOF)
_EDITABLE = (ApplicationStatus.DRAFT, ApplicationStatus.RETURNED)
_OPEN = (*_EDITABLE, ApplicationStatus.SUBMITTED, ApplicationStatus.ACCEPTED)
_CADRES = (PersonCategory.PRINCIPAL, PersonCategory.SAFETY_MANAGER)

# What a reviewer may find missing; the words stand in the returned application as they are.
MISSING_POINTS = (
    N_("照片不是近期正面免冠照，或看不清五官"),
    N_("学历证明看不清或与所填学历不一致"),
    N_("培训证明看不清、已过期或不是本项目的培训"),
    N_("姓名与证明材料上的姓名不一致"),
    N_("健康承诺需要重新签署"),
    N_("任职单位填写不完整"),
)


@dataclass(frozen=True)
class Background:
    """What the applicant tells in the second step."""

    education: Education | None
    employer: str
    proof_kind: str
    proof_record_id: UUID | None = None


async def find_open_application(session: AsyncSession, *, person_id: UUID, code: str) -> Application | None:
    """The person's application for a qualification that is not decided."""
    statement = select(Application).where(
        Application.person_id == person_id,
        Application.qualification_code == code,
        col(Application.status).in_(_OPEN),
    )
    return (await session.exec(statement)).one_or_none()


async def gather_facts(
    session: AsyncSession,
    *,
    person: Person,
    qualification: Qualification,
    application: Application | None,
    has_valid_certificate: bool,
    now: datetime,
) -> Facts:
    """What is known of an applicant; of the application too, if there is one."""
    today = china_date(now)
    facts = Facts(
        is_open=qualification.is_open or application is not None,
        birth_date=person.birth_date,
        sex=person.sex,
        is_cadre=await _is_cadre(session, person.id, on=today),
        education=person.education,
        banned_until=await find_ban(session, person_id=person.id, on=today),
        has_valid_certificate=has_valid_certificate,
        failed_before=await _failed_before(session, person.id, qualification.code),
    )
    if application is None:
        return facts
    has_proof = application.proof_file_id is not None
    return replace(
        facts,
        education=Education(application.education) if application.education else None,
        employer=application.employer,
        has_education_proof=application.proof_kind == EDUCATION_PROOF and has_proof,
        has_training_proof=application.proof_kind == TRAINING_PROOF
        and (has_proof or application.proof_record_id is not None),
        has_photo=application.photo_id is not None,
        has_health_statement=application.health_sealed is not None,
    )


async def list_findings(
    session: AsyncSession,
    *,
    person_id: UUID,
    qualification: Qualification,
    application: Application | None,
    has_valid_certificate: bool,
    now: datetime,
) -> list[Finding]:
    """Every condition for this person now, met or not."""
    person = await get_person(session, person_id)
    facts = await gather_facts(
        session, person=person, qualification=qualification, application=application,
        has_valid_certificate=has_valid_certificate, now=now,
    )  # fmt: skip
    today = china_date(now)
    return check_eligibility(facts, await get_rules(session, qualification, on=today), on=today)


async def start_application(
    session: AsyncSession, *, person_id: UUID, qualification_code: str, has_valid_certificate: bool, now: datetime
) -> Application:
    """Begin an application; asked again while one is open it returns that one.

    One whose exam and resit were both missed has failed, and the new one asks for retraining.

    Raises `QualificationClosed`, or `NotEligible` with the first condition that no form can mend.
    """
    qualification = await get_qualification(session, qualification_code)
    # The person's row serialises two clicks; the partial unique index proves it.
    await session.exec(select(Person.id).where(Person.id == person_id).with_for_update(key_share=True))
    found = await find_open_application(session, person_id=person_id, code=qualification_code)
    if found is not None and not await is_used_up(session, found, now=now):
        return found
    if found is not None:
        await _close_used_up(session, found, now=now)
    if not qualification.is_open:
        raise QualificationClosed(name=qualification.name)
    findings = await list_findings(
        session, person_id=person_id, qualification=qualification, application=None,
        has_valid_certificate=has_valid_certificate, now=now,
    )  # fmt: skip
    _refuse_if_hopeless(findings)
    person = await get_person(session, person_id)
    application = Application(
        person_id=person_id,
        qualification_code=qualification_code,
        education=person.education.value if person.education else "",
        employer=await _employer_name(session, person_id, on=china_date(now)),
        created_at=now,
    )
    session.add(application)
    await session.flush()
    _record(session, application, "application.started", actor_id=person_id, now=now)
    return application


async def save_background(
    session: AsyncSession, *, application_id: UUID, person_id: UUID, told: Background, now: datetime
) -> Application:
    """Keep education, employer and the kind of proof. Raises `BackgroundMissing`."""
    application = await _editable(session, application_id, person_id)
    qualification = await get_qualification(session, application.qualification_code)
    if qualification.kind is QualificationKind.SPECIAL_OPERATION:
        if told.education is None:
            raise BackgroundMissing(what=N_("学历"), field="education")
        if told.proof_kind not in PROOF_KINDS:
            raise BackgroundMissing(what=N_("证明材料的种类（学历证明或培训证明）"), field="proof_kind")
    elif not told.employer.strip():
        raise BackgroundMissing(what=N_("任职单位"), field="employer")
    record_id = told.proof_record_id if told.proof_kind == TRAINING_PROOF else None
    if record_id is not None:
        await _own_record(session, record_id, person_id)
    if application.proof_kind and application.proof_kind != told.proof_kind:
        application.proof_file_id = None  # a diploma is no training proof
    application.education = told.education.value if told.education else ""
    application.employer = told.employer.strip()[:200]
    application.proof_kind, application.proof_record_id = told.proof_kind, record_id
    session.add(application)
    await session.flush()
    _record(session, application, "application.background_told", actor_id=person_id, now=now)
    return application


async def attach_proof(
    session: AsyncSession,
    *,
    store: FileStore,
    vault: Vault,
    application_id: UUID,
    person_id: UUID,
    proof: Proof,
    now: datetime,
) -> Application:
    """Keep a checked proof, sealed, in the place of the one before."""
    application = await _editable(session, application_id, person_id)
    kept = await keep_file(
        session, store=store, vault=vault, data=proof.data, media_type=proof.media_type, purpose="application-proof",
        owner_id=person_id, now=now,
    )  # fmt: skip
    application.proof_file_id = kept.id
    session.add(application)
    await session.flush()
    return application


async def attach_photo(
    session: AsyncSession,
    *,
    store: FileStore,
    vault: Vault,
    application_id: UUID,
    person_id: UUID,
    jpeg: bytes,
    now: datetime,
) -> Application:
    """Keep a cleaned photo, sealed, in the place of the one before."""
    application = await _editable(session, application_id, person_id)
    kept = await keep_file(
        session, store=store, vault=vault, data=jpeg, media_type="image/jpeg", purpose="application-photo",
        owner_id=person_id, now=now,
    )  # fmt: skip
    application.photo_id = kept.id
    session.add(application)
    await session.flush()
    return application


async def sign_health(
    session: AsyncSession,
    *,
    vault: Vault,
    application_id: UUID,
    person_id: UUID,
    confirmed: Collection[str],
    typed_name: str,
    now: datetime,
) -> Application:
    """Sign the statement of health by typing one's name under every confirmed item."""
    application = await _editable(session, application_id, person_id)
    qualification = await get_qualification(session, application.qualification_code)
    person = await get_person(session, person_id)
    application.health_sealed = seal_statement(
        vault, so_code=qualification.so_code, confirmed=confirmed, typed_name=typed_name, name=person.name, now=now
    )
    application.health_signed_at = now
    session.add(application)
    await session.flush()
    _record(session, application, "application.health_signed", actor_id=person_id, now=now)
    return application


async def submit_application(
    session: AsyncSession, *, application_id: UUID, person_id: UUID, has_valid_certificate: bool, now: datetime
) -> Application:
    """Hand it to the authority; asked again while it waits it stays as it is.

    Raises `NotEligible`, or `Incomplete` with the number of missing points.
    """
    application = await get_own_application(session, application_id=application_id, person_id=person_id, lock=True)
    if application.status is ApplicationStatus.SUBMITTED:
        return application
    if application.status not in _EDITABLE:
        raise NotEditable
    qualification = await get_qualification(session, application.qualification_code)
    findings = await list_findings(
        session, person_id=person_id, qualification=qualification, application=application,
        has_valid_certificate=has_valid_certificate, now=now,
    )  # fmt: skip
    _refuse_if_hopeless(findings)
    if missing := [finding for finding in findings if not finding.is_met]:
        raise Incomplete(count=len(missing))
    today = china_date(now)
    was = application.status
    application.status, application.submitted_at = ApplicationStatus.SUBMITTED, now
    application.missing, application.reason = [], ""
    application.exam_by = today + timedelta(days=await get_number(session, "so.exam.arrange_days", on=today))
    session.add(application)
    await session.flush()
    _record(session, application, "application.submitted", actor_id=person_id, now=now, was=was)
    return application


async def withdraw_application(
    session: AsyncSession, *, application_id: UUID, person_id: UUID, now: datetime
) -> Application:
    """Take it back, with its seats. Raises `NotWithdrawable` once an exam was sat or a decision fell."""
    application = await get_own_application(session, application_id=application_id, person_id=person_id, lock=True)
    if application.status is ApplicationStatus.WITHDRAWN:
        return application
    statement = (
        select(Booking)
        .where(Booking.application_id == application_id, Booking.status != BookingStatus.CANCELLED)
        .with_for_update()
    )
    bookings = (await session.exec(statement)).all()
    if application.status not in _OPEN or any(booking.status is not BookingStatus.BOOKED for booking in bookings):
        raise NotWithdrawable
    for booking in bookings:
        booking.status, booking.cancelled_at = BookingStatus.CANCELLED, now
        session.add(booking)
    was, application.status = application.status, ApplicationStatus.WITHDRAWN
    session.add(application)
    await session.flush()
    _record(session, application, "application.withdrawn", actor_id=person_id, now=now, was=was)
    return application


async def accept_application(
    session: AsyncSession, *, application_id: UUID, reviewer_id: UUID, now: datetime
) -> Application:
    """Accept; the photo becomes the person's. Asked again it stays accepted."""
    application = await _waiting(session, application_id, done=ApplicationStatus.ACCEPTED)
    if application.status is ApplicationStatus.ACCEPTED:
        return application
    _decide(application, ApplicationStatus.ACCEPTED, reviewer_id, now)
    person = await get_person(session, application.person_id)
    person.photo_id = application.photo_id or person.photo_id
    if application.education:
        person.education = Education(application.education)
    session.add_all([application, person])
    await session.flush()
    _record(
        session, application, "application.accepted", actor_id=reviewer_id, now=now, was=ApplicationStatus.SUBMITTED
    )
    await _tell(session, application, NoticeKind.APPLICATION_ACCEPTED, now=now)
    return application


async def return_application(
    session: AsyncSession,
    *,
    application_id: UUID,
    reviewer_id: UUID,
    points: Sequence[str],
    note: str,
    now: datetime,
) -> Application:
    """Send it back, once, with everything that is missing (行政许可法 art. 32). Raises `ReasonNeeded`."""
    application = await _waiting(session, application_id, done=None)
    known = [point for point in MISSING_POINTS if point in points]
    if not known and not note.strip():
        raise ReasonNeeded(field="note")
    _decide(application, ApplicationStatus.RETURNED, reviewer_id, now)
    application.missing, application.reason = known, note.strip()[:1000]
    session.add(application)
    await session.flush()
    _record(
        session, application, "application.returned", actor_id=reviewer_id, now=now, was=ApplicationStatus.SUBMITTED
    )
    await _tell(session, application, NoticeKind.APPLICATION_RETURNED, now=now)
    return application


async def refuse_application(
    session: AsyncSession, *, application_id: UUID, reviewer_id: UUID, reason: str, now: datetime
) -> Application:
    """Refuse, with the reason. Asked again it stays refused."""
    application = await _waiting(session, application_id, done=ApplicationStatus.REFUSED)
    if application.status is ApplicationStatus.REFUSED:
        return application
    if not reason.strip():
        raise ReasonNeeded(field="reason")
    _decide(application, ApplicationStatus.REFUSED, reviewer_id, now)
    application.reason = reason.strip()[:1000]
    session.add(application)
    await session.flush()
    _record(session, application, "application.refused", actor_id=reviewer_id, now=now, was=ApplicationStatus.SUBMITTED)
    await _tell(session, application, NoticeKind.APPLICATION_REFUSED, now=now)
    return application


async def get_own_application(
    session: AsyncSession, *, application_id: UUID, person_id: UUID, lock: bool = False
) -> Application:
    """The application, if it is this person's. Raises `NotFound`."""
    statement = select(Application).where(Application.id == application_id, Application.person_id == person_id)
    if lock:
        statement = statement.with_for_update().execution_options(populate_existing=True)
    application = (await session.exec(statement)).one_or_none()
    if application is None:
        raise NotFound
    return application


async def find_ban(session: AsyncSession, *, person_id: UUID, on: date) -> date | None:
    """The last day of the ban in force on a day."""
    statement = select(func.max(Ban.ends_on)).where(Ban.person_id == person_id, Ban.starts_on <= on, Ban.ends_on >= on)
    return (await session.exec(statement)).one()


def _refuse_if_hopeless(findings: Sequence[Finding]) -> None:
    unmet = next((finding for finding in findings if finding.is_fixed and not finding.is_met), None)
    if unmet is not None:
        raise NotEligible(unmet.template, **unmet.params)


async def _close_used_up(session: AsyncSession, application: Application, *, now: datetime) -> None:
    was, application.status = application.status, ApplicationStatus.FAILED
    session.add(application)
    await session.flush()
    _record(session, application, "application.failed", actor_id=application.person_id, now=now, was=was)


def _decide(application: Application, status: ApplicationStatus, reviewer_id: UUID, now: datetime) -> None:
    application.status, application.decided_at, application.decided_by = status, now, reviewer_id


def _record(
    session: AsyncSession,
    application: Application,
    action: str,
    *,
    actor_id: UUID,
    now: datetime,
    was: ApplicationStatus | None = None,
) -> None:
    audit.record(
        session, action=action, target=("application", application.id), actor_id=actor_id, now=now,
        was={"status": was.value} if was else None, qualification=application.qualification_code,
    )  # fmt: skip


async def _tell(session: AsyncSession, application: Application, kind: NoticeKind, *, now: datetime) -> None:
    title = (await get_qualification(session, application.qualification_code)).name
    notify(
        session, [application.person_id], kind, now=now, link=f"/exams/applications/{application.id}", title=title,
        reason=application.reason,
    )  # fmt: skip


async def _editable(session: AsyncSession, application_id: UUID, person_id: UUID) -> Application:
    application = await get_own_application(session, application_id=application_id, person_id=person_id, lock=True)
    if application.status not in _EDITABLE:
        raise NotEditable
    return application


async def _waiting(session: AsyncSession, application_id: UUID, *, done: ApplicationStatus | None) -> Application:
    application = await session.get(Application, application_id, with_for_update=True, populate_existing=True)
    if application is None:
        raise NotFound
    if application.status not in (ApplicationStatus.SUBMITTED, done):
        raise NotWaiting
    return application


async def _own_record(session: AsyncSession, record_id: UUID, person_id: UUID) -> None:
    record = await session.get(TrainingRecord, record_id)
    if record is None or record.person_id != person_id or not record.passed:
        raise NotFound


async def _is_cadre(session: AsyncSession, person_id: UUID, *, on: date) -> bool:
    statement = select(Employment.id).where(
        Employment.person_id == person_id,
        col(Employment.category).in_(_CADRES),
        col(Employment.ended_on).is_(None) | (col(Employment.ended_on) > on),
    )
    return (await session.exec(statement)).first() is not None


async def _failed_before(session: AsyncSession, person_id: UUID, code: str) -> bool:
    statement = (
        select(Application.status)
        .where(
            Application.person_id == person_id,
            Application.qualification_code == code,
            col(Application.status).in_([ApplicationStatus.FAILED, ApplicationStatus.PASSED]),
        )
        .order_by(col(Application.created_at).desc())
    )
    return (await session.exec(statement)).first() is ApplicationStatus.FAILED


async def _employer_name(session: AsyncSession, person_id: UUID, *, on: date) -> str:
    statement = (
        select(Organisation.name)
        .join(Employment, col(Employment.organisation_id) == Organisation.id)
        .where(Employment.person_id == person_id, col(Employment.ended_on).is_(None), Employment.started_on <= on)
        .order_by(col(Employment.started_on).desc())
    )
    return (await session.exec(statement)).first() or ""

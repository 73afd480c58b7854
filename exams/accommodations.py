"""Accommodations (考试便利): what a candidate asks for, what is granted, and what a sitting is given of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from sqlmodel import select

from exams.applications import get_own_application
from exams.errors import NotEditable
from exams.models import Application, ApplicationStatus, EnterpriseExam, EnterpriseExamCandidate
from training import audit
from training.calendar import china_date
from training.errors import N_, BadInput, Conflict, NotFound
from training.rules import get_number

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault

LANGUAGES = ("", "zh", "en")
_CONTEXT = "application.accommodation_reason"
_LONGEST_REASON = 500
_EDITABLE = (ApplicationStatus.DRAFT, ApplicationStatus.RETURNED)
_GRANTABLE = (ApplicationStatus.SUBMITTED, ApplicationStatus.ACCEPTED)


class TooMuchTime(BadInput):
    """More extra time than the rule allows."""

    message = N_("延长的时间应为 0% 到 {most}%。")


class UnknownLanguage(BadInput):
    """Neither Chinese nor English."""

    message = N_("考试界面的语言应为中文或英文。")


class WishWithoutReason(BadInput):
    """Extra time is asked for with a reason, which only the reviewer reads."""

    message = N_("申请延长时间请写明原因，不超过 {most} 个字。原因加密保存，只有审核人员能看到。")


class NotGrantable(Conflict):
    """The application does not wait, or its way has ended."""

    message = N_("只有待审核或已通过审核的申请才能批准考试便利。")


@dataclass(frozen=True, slots=True)
class Accommodations:
    """What makes an exam fair for one candidate; by default nothing. `language` empty: as the candidate likes."""

    extra_percent: int = 0
    large_type: bool = False
    high_contrast: bool = False
    read_aloud: bool = False
    language: str = ""

    @classmethod
    def read(cls, stored: Mapping[str, Any] | None) -> Accommodations:
        """From a column; what is not there is not granted."""
        stored = stored or {}
        return cls(
            extra_percent=int(stored.get("extra_percent", 0)),
            large_type=bool(stored.get("large_type")),
            high_contrast=bool(stored.get("high_contrast")),
            read_aloud=bool(stored.get("read_aloud")),
            language=str(stored.get("language", "")),
        )

    def stored(self) -> dict[str, Any]:
        """For a column: only what differs from nothing."""
        return {name: value for name, value in asdict(self).items() if value}

    def __bool__(self) -> bool:
        """Whether there is anything."""
        return self != _NOTHING


_NOTHING = Accommodations()


async def wish_accommodations(
    session: AsyncSession,
    *,
    vault: Vault,
    application_id: UUID,
    person_id: UUID,
    wanted: Accommodations,
    reason: str,
    now: datetime,
) -> Application:
    """Keep what the candidate asks for, with the reason sealed; nothing wanted, nothing is kept.

    Raises `TooMuchTime`, `UnknownLanguage`, `WishWithoutReason`, `NotEditable`.
    """
    await _check(session, wanted, now=now)
    reason = reason.strip()
    if len(reason) > _LONGEST_REASON or (wanted.extra_percent and not reason):
        raise WishWithoutReason(most=_LONGEST_REASON, field="accommodation_reason")
    application = await get_own_application(session, application_id=application_id, person_id=person_id, lock=True)
    if application.status not in _EDITABLE:
        raise NotEditable
    application.accommodations_wanted = wanted.stored()
    application.accommodation_reason_sealed = vault.seal(reason, context=_CONTEXT) if wanted and reason else None
    session.add(application)
    _record(session, application.id, "application.accommodations_wished", actor_id=person_id, now=now)
    await session.flush()
    return application


def open_own_reason(vault: Vault, application: Application) -> str:
    """The reason as the applicant wrote it, for the applicant's own form."""
    sealed = application.accommodation_reason_sealed
    return vault.open(sealed, context=_CONTEXT) if sealed else ""


async def read_accommodation_reason(
    session: AsyncSession, *, vault: Vault, application_id: UUID, actor_id: UUID, now: datetime
) -> str:
    """Why accommodations are asked for: data of health, so that reading it is on record. Empty if there is none."""
    application = await session.get(Application, application_id)
    if application is None:
        raise NotFound
    if application.accommodation_reason_sealed is None:
        return ""
    _record(session, application_id, "application.accommodation_reason_read", actor_id=actor_id, now=now)
    await session.flush()
    return open_own_reason(vault, application)


async def grant_accommodations(
    session: AsyncSession, *, application_id: UUID, actor_id: UUID, granted: Accommodations, now: datetime
) -> Application:
    """Grant, change or take back what applies to sittings that begin later. The same again changes nothing.

    Raises `TooMuchTime`, `UnknownLanguage`, `NotGrantable`.
    """
    await _check(session, granted, now=now)
    application = await session.get(Application, application_id, with_for_update=True, populate_existing=True)
    if application is None:
        raise NotFound
    if application.status not in _GRANTABLE:
        raise NotGrantable
    if application.accommodations == granted.stored():
        return application
    was = Accommodations.read(application.accommodations)
    application.accommodations = granted.stored()
    session.add(application)
    _record(
        session, application_id, "application.accommodations_granted", actor_id=actor_id, now=now, was=was,
        extra_percent=granted.extra_percent,
    )  # fmt: skip
    await session.flush()
    return application


async def get_candidate_accommodations(
    session: AsyncSession, *, exam_id: UUID, organisation_id: UUID, person_id: UUID
) -> Accommodations:
    """What one of those invited to an enterprise's own exam is given. Raises `NotFound`."""
    statement = (
        select(EnterpriseExamCandidate.accommodations)
        .join(EnterpriseExam)
        .where(
            EnterpriseExam.id == exam_id,
            EnterpriseExam.organisation_id == organisation_id,
            EnterpriseExamCandidate.person_id == person_id,
        )
    )
    found = (await session.exec(statement)).one_or_none()
    if found is None:
        raise NotFound
    return Accommodations.read(found)


async def set_candidate_accommodations(
    session: AsyncSession,
    *,
    exam_id: UUID,
    organisation_id: UUID,
    person_id: UUID,
    granted: Accommodations,
    actor_id: UUID,
    now: datetime,
) -> None:
    """What an enterprise gives one of those it invited to its own exam, from the next attempt on."""
    await _check(session, granted, now=now)
    statement = (
        select(EnterpriseExamCandidate)
        .join(EnterpriseExam)
        .where(
            EnterpriseExam.id == exam_id,
            EnterpriseExam.organisation_id == organisation_id,
            EnterpriseExamCandidate.person_id == person_id,
        )
        .with_for_update(of=EnterpriseExamCandidate)
        .execution_options(populate_existing=True)
    )
    candidate = (await session.exec(statement)).one_or_none()
    if candidate is None:
        raise NotFound
    if candidate.accommodations == granted.stored():
        return
    was = Accommodations.read(candidate.accommodations)
    candidate.accommodations = granted.stored()
    session.add(candidate)
    audit.record(
        session, action="enterprise_exam.accommodations_set", target=("enterprise_exam", exam_id), actor_id=actor_id,
        now=now, was={"extra_percent": was.extra_percent}, candidate=person_id, extra_percent=granted.extra_percent,
    )  # fmt: skip
    await session.flush()


async def _check(session: AsyncSession, accommodations: Accommodations, *, now: datetime) -> None:
    most = await get_number(session, "exam.extra_time_max_percent", on=china_date(now))
    if not 0 <= accommodations.extra_percent <= most:
        raise TooMuchTime(most=most, field="extra_percent")
    if accommodations.language not in LANGUAGES:
        raise UnknownLanguage(field="language")


def _record(
    session: AsyncSession,
    application_id: UUID,
    action: str,
    *,
    actor_id: UUID,
    now: datetime,
    was: Accommodations | None = None,
    **detail: int,
) -> None:
    # The extra time is on record; type, contrast and voice would tell of a person's health.
    audit.record(
        session, action=action, target=("application", application_id), actor_id=actor_id, now=now,
        was={"extra_percent": was.extra_percent} if was is not None else None, **detail,
    )  # fmt: skip

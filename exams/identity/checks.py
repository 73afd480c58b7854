"""Identity checks on record: the photos that are compared with, each verdict, and who gave it.

Scores and words only. The picture taken at the desk is never handed to this module.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlmodel import col, select

from exams.identity.matcher import decide, get_match_rules
from exams.identity.scores import Reason
from exams.models import Application, CheckMethod, CheckVerdict, IdentityCheck
from training import audit
from training.calendar import china_date
from training.errors import N_, BadInput, NotFound
from training.files import read_file
from training.models import Person

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.identity.scores import MatchScores
    from exams.models import Booking
    from training.files import FileStore
    from training.models import Consent
    from training.vault import Vault

# What an officer may have found; the words stand on the record as they are.
SAME_PERSON = (
    N_("证件原件、登记照片与到场考生一致"),
    N_("考生未同意人脸比对；证件原件、登记照片与到场考生一致"),
    N_("外貌有变化（发型、眼镜、年龄等）；经核对证件原件与到场考生一致"),
    N_("画面或设备问题；经核对证件原件、登记照片与到场考生一致"),
)
NOT_ADMITTED = (
    N_("证件原件或登记照片与到场人员明显不符"),
    N_("未携带有效证件原件"),
    N_("证件信息与报名信息不一致"),
    N_("证件真伪无法当场确认，已报告考核发证机关"),
)
_NOTE_LENGTH = 400


class ReasonMissing(BadInput):
    """An officer's decision names what was found."""

    message = N_("请选择核验的依据。")


class NoteMissing(BadInput):
    """Against the engines' verdict, the officer says why in words."""

    message = N_("机器比对认为不是同一人。准予入场前，请写明您核对了什么、为什么确认是本人。")


@dataclass(frozen=True)
class CheckLine:
    """One check as the desk shows it. `officer_name` is empty for a check by the engines."""

    method: CheckMethod
    verdict: CheckVerdict
    engine_reasons: tuple[Reason, ...]
    reason: str
    officer_name: str
    at: datetime


async def list_photo_ids(session: AsyncSession, booking: Booking) -> list[UUID]:
    """The photos to compare with: the application's, then the person's if it is another one."""
    statement = (
        select(Application.photo_id, Person.photo_id)
        .join(Person, col(Person.id) == Application.person_id)
        .where(Application.id == booking.application_id)
    )
    found = (await session.exec(statement)).one()
    return list(dict.fromkeys(photo_id for photo_id in found if photo_id is not None))


async def read_photos(session: AsyncSession, booking: Booking, *, store: FileStore, vault: Vault) -> list[bytes]:
    """Their bytes, opened. A photo that was deleted meanwhile is left out."""
    photos = []
    for photo_id in await list_photo_ids(session, booking):
        try:
            _, data = await read_file(session, store=store, file_id=photo_id, vault=vault)
        except NotFound:
            continue
        photos.append(data)
    return photos


async def record_face_check(
    session: AsyncSession, booking: Booking, *, scores: MatchScores, consent: Consent, officer_id: UUID, now: datetime
) -> IdentityCheck:
    """Decide by the zones of the day and write it down; whoever ran the desk stands in the audit log."""
    verdict = decide(scores, await get_match_rules(session, on=china_date(now)))
    check = IdentityCheck(
        booking_id=booking.id, method=CheckMethod.FACE, verdict=verdict, consent_id=consent.id,
        scores=scores.as_dict(), at=now,
    )  # fmt: skip
    return await _keep(session, check, actor_id=officer_id, now=now)


async def record_officer_check(
    session: AsyncSession, booking: Booking, *, is_same: bool, reason: str, note: str, officer_id: UUID, now: datetime
) -> IdentityCheck:
    """An officer's own verdict. Raises `ReasonMissing`, `NoteMissing`."""
    if reason not in (SAME_PERSON if is_same else NOT_ADMITTED):
        raise ReasonMissing(field="reason")
    before = await find_last_check(session, booking.id)
    if is_same and not note.strip() and before is not None and before.verdict is CheckVerdict.REJECT:
        raise NoteMissing(field="note")
    check = IdentityCheck(
        booking_id=booking.id,
        method=CheckMethod.OFFICER,
        verdict=CheckVerdict.ACCEPT if is_same else CheckVerdict.REJECT,
        officer_id=officer_id,
        reason="。".join(part for part in (reason, note.strip()[:_NOTE_LENGTH]) if part),
        at=now,
    )
    return await _keep(session, check, actor_id=officer_id, now=now)


async def find_last_check(session: AsyncSession, booking_id: UUID) -> IdentityCheck | None:
    """The newest check of a booking."""
    statement = select(IdentityCheck).where(IdentityCheck.booking_id == booking_id)
    return (await session.exec(statement.order_by(col(IdentityCheck.at).desc(), col(IdentityCheck.id).desc()))).first()


async def list_checks(session: AsyncSession, booking_id: UUID) -> list[CheckLine]:
    """Every check of a booking, the newest first."""
    statement = (
        select(IdentityCheck, Person.name)
        .join(Person, col(Person.id) == IdentityCheck.officer_id, isouter=True)
        .where(IdentityCheck.booking_id == booking_id)
        .order_by(col(IdentityCheck.at).desc(), col(IdentityCheck.id).desc())
    )
    return [
        CheckLine(
            method=check.method,
            verdict=check.verdict,
            engine_reasons=tuple(Reason(reason) for reason in check.scores.get("reasons", ())),
            reason=check.reason,
            officer_name=name or "",
            at=check.at,
        )
        for check, name in (await session.exec(statement)).all()
    ]


async def _keep(session: AsyncSession, check: IdentityCheck, *, actor_id: UUID, now: datetime) -> IdentityCheck:
    session.add(check)
    await session.flush()
    audit.record(
        session, action="identity.checked", target=("booking", check.booking_id), actor_id=actor_id, now=now,
        check_id=check.id, method=check.method, verdict=check.verdict,
    )  # fmt: skip
    return check

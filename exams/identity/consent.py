"""The separate consent to one face comparison (人脸办法, PIPL art. 29): its wording, given and withdrawn.

It covers one exam: a consent counts only from the moment at which that exam's entry opened.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sqlmodel import col, select

from training import audit
from training.errors import N_
from training.models import Consent

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

PURPOSE = "EXAM_FACE_CHECK"
VERSION = "2026-11/1"

# The Chinese wording counts; a page in another language shows a translation of it.
TEXT = (
    N_("处理者：本考试点受考核发证机关委托核验考生身份。"),
    N_("目的和方式：仅用于本场考试的身份核验。现场拍一张照片，与您报名时提交的照片比对一次。"),
    N_("保存：现场照片只在内存中比对，比对后立即删除，不写入磁盘和数据库，不传给任何其他单位；只保存比对分值和结论。"),
    N_(
        "必要性和影响：人脸是敏感个人信息。比对可缩短核验时间；比对结果不确定或显示不是同一人时，都由工作人员核对后决定。"
    ),
    N_("自愿：您可以不同意，由工作人员核对证件原件，不影响您参加考试、座位和时间。同意后在签到完成前可随时撤回。"),
)


def text_hash() -> bytes:
    """SHA-256 of the wording that is in use, version first."""
    return hashlib.sha256("\n".join((VERSION, *TEXT)).encode()).digest()


async def find_consent(session: AsyncSession, *, person_id: UUID, since: datetime) -> Consent | None:
    """The person's consent for the exam whose entry opened at `since`, unless it was withdrawn."""
    statement = select(Consent).where(
        Consent.person_id == person_id,
        Consent.purpose == PURPOSE,
        Consent.text_hash == text_hash(),
        Consent.given_at >= since,
        col(Consent.withdrawn_at).is_(None),
    )
    return (await session.exec(statement.order_by(col(Consent.given_at).desc()))).first()


async def give_consent(
    session: AsyncSession, *, person_id: UUID, booking_id: UUID, officer_id: UUID, since: datetime, now: datetime
) -> Consent:
    """Note that the person agreed on the officer's screen; asked again it gives the same consent."""
    if found := await find_consent(session, person_id=person_id, since=since):
        return found
    consent = Consent(person_id=person_id, purpose=PURPOSE, text_version=VERSION, text_hash=text_hash(), given_at=now)
    session.add(consent)
    await session.flush()
    audit.record(
        session, action="consent.given", target=("consent", consent.id), actor_id=person_id, now=now,
        purpose=PURPOSE, version=VERSION, booking_id=booking_id, officer_id=officer_id,
    )  # fmt: skip
    return consent


async def withdraw_consent(
    session: AsyncSession, *, person_id: UUID, officer_id: UUID, since: datetime, now: datetime
) -> None:
    """Note that the person changed their mind; without a consent there is nothing to do."""
    consent = await find_consent(session, person_id=person_id, since=since)
    if consent is None:
        return
    consent.withdrawn_at = now
    session.add(consent)
    await session.flush()
    audit.record(
        session, action="consent.withdrawn", target=("consent", consent.id), actor_id=person_id, now=now,
        purpose=PURPOSE, officer_id=officer_id,
    )  # fmt: skip

"""Registering oneself: the notice of purpose, the ages, and the first password."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from training.accounts import hash_password
from training.calendar import add_years, china_date
from training.documents import parse_document
from training.errors import N_, BadInput
from training.models import Consent
from training.people import NewPerson, register_person
from training.rules import get_number

if TYPE_CHECKING:
    from datetime import date, datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault

# PIPL 17: who handles what for which purpose, how long, and how rights are used. A change needs a new version.
NOTICE_VERSION = "2026-11"
NOTICE = (
    N_("处理者：本平台的运营机关。目的：为您建立安全培训、考试和发证的个人档案。"),
    N_("收集姓名、证件类型和号码、手机号码、文化程度；证件号码和手机号码加密保存，页面只显示部分数字。"),
    N_("培训记录和证书依法提供给您的用人单位和监管部门，并按法规规定的期限保存。"),
    N_("您可以查阅、更正个人信息或注销账号；人脸等敏感信息会在使用前另行征求您的单独同意。"),
)
_ADULT = 18


class NoticeNotAccepted(BadInput):
    """The box under the notice is not ticked."""

    message = N_("请阅读个人信息告知并勾选确认后再注册。")


class BirthDateNeeded(BadInput):
    """The document does not tell the age."""

    message = N_("这种证件不含出生日期，请填写出生日期。")


class GuardianNeeded(BadInput):
    """Under eighteen one registers with the guardian's knowledge."""

    message = N_("您未满 18 周岁，请让监护人阅读告知，并勾选“监护人已知情并同意”。")


async def sign_up(
    session: AsyncSession,
    *,
    vault: Vault,
    new: NewPerson,
    password: str,
    has_read_notice: bool,
    guardian_agrees: bool,
    now: datetime,
) -> UUID:
    """A new person with an account of their own; gives the account's id.

    Raises `NoticeNotAccepted`, `BirthDateNeeded`, `GuardianNeeded`, `WeakPassword`, and what
    `register_person` raises.
    """
    if not has_read_notice:
        raise NoticeNotAccepted(field="notice")
    today = china_date(now)
    birth_date = _known_birth(new, today=today)
    youngest = await get_number(session, "register.age.min", on=today)
    is_minor = add_years(birth_date, _ADULT) > today
    if is_minor and add_years(birth_date, youngest) <= today and not guardian_agrees:
        raise GuardianNeeded(field="guardian")
    password_hash = await hash_password(password)
    person, account = await register_person(session, vault=vault, new=replace(new, birth_date=birth_date), now=now)
    account.password_hash = password_hash
    session.add(account)
    session.add(
        Consent(
            person_id=person.id,
            purpose="guardian" if is_minor else "registration",
            text_version=NOTICE_VERSION,
            text_hash=hashlib.sha256("\n".join(NOTICE).encode()).digest(),
            given_at=now,
        )
    )
    await session.flush()
    return account.id


def _known_birth(new: NewPerson, *, today: date) -> date:
    told = parse_document(new.id_type, new.number, today=today).birth_date or new.birth_date
    if told is None or told > today:
        raise BirthDateNeeded(field="birth_date")
    return told

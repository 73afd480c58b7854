"""Impossible people for the demo city: birth year 1900 in every document (domain.md §6.1)."""

from __future__ import annotations

import io
import random
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from PIL import Image, ImageDraw

from training import audit
from training.calendar import china_date
from training.documents import check_character, uscc_check_character
from training.models import Education, IdType, Person, Sex
from training.people import Draft, NewPerson, draft_person, find_person_by_document, register_person
from training.rules import get_number

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault

_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈"
    "姚卢姜崔钟谭陆汪范金石廖贾夏韦付方白邹孟熊秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔向汤"
)
_MALE = (
    "伟 强 磊 军 勇 杰 涛 明 超 刚 平 辉 鹏 华 飞 鑫 波 斌 宇 浩 凯 健 俊 帆 帅 旭 宁 龙 "
    "志强 建国 建华 文博 海涛 永刚 春生 国庆"
)
_FEMALE = (
    "芳 娜 敏 静 丽 艳 娟 霞 燕 玲 婷 雪 琳 晶 倩 颖 洁 莉 欣 梅 秀英 桂英 丽娟 玉兰 春梅 晓燕 海燕 雅琴 文静 思雨"
)
_RARE = ("欧阳建平", "司马文静", "阿卜杜拉·买买提", "赵䶮", "陈㛃", "吉尔", "张𠮷安")
_DAYS_IN_1900 = 365
_ORDERS = 499


def impossible_number(serial: int, *, sex: Sex) -> str:
    """The `serial`-th document number that no living person has; about 180,000 for each district code."""
    district, rest = divmod(serial, _DAYS_IN_1900 * _ORDERS)
    day, order = divmod(rest, _ORDERS)
    birth = date(1900, 1, 1) + timedelta(days=day)
    first_17 = f"{110101 + district}{birth:%Y%m%d}{order * 2 + (sex is Sex.MALE):03d}"
    return first_17 + check_character(first_17)


def impossible_phone(serial: int) -> str:
    """A number in the block 100…, which no operator has."""
    return f"100{serial:08d}"


def made_up_uscc(serial: int, *, department: str = "91") -> str:
    """A well-formed code whose organisation number is made up."""
    first_17 = f"{department}110105MA{serial:07d}"
    return first_17 + uscc_check_character(first_17)


def draw_name(chance: random.Random, sex: Sex) -> str:
    """A common name, now and then a compound, minority or rare-character one."""
    if chance.random() < 0.01:  # noqa: PLR2004 - one in a hundred
        return chance.choice(_RARE)
    return chance.choice(_SURNAMES) + chance.choice((_MALE if sex is Sex.MALE else _FEMALE).split())


@dataclass(frozen=True)
class DemoPerson:
    """What the city still needs to know of a person whom it made."""

    id: UUID
    name: str
    phone: str
    number: str


@dataclass(frozen=True)
class Newcomer:
    """An impossible person to register: the `serial`-th, with a plausible age and education by chance."""

    serial: int
    chance: random.Random
    since: datetime
    name: str = ""
    sex: Sex | None = None
    birth_years: tuple[int, int] = (1968, 2004)
    password_hash: str | None = None


async def register_demo_people(
    session: AsyncSession, *, vault: Vault, newcomers: Sequence[Newcomer], now: datetime
) -> list[DemoPerson]:
    """Register impossible people together, as an import of staff does. Nobody may be known yet."""
    youngest = await get_number(session, "register.age.min", on=china_date(now))
    made = [_draft(newcomer, vault=vault, youngest=youngest) for newcomer in newcomers]
    session.add_all(draft.person for _, draft in made)
    await session.flush()
    session.add_all(row for _, draft in made for row in (draft.document, draft.account))
    for newcomer, (_, draft) in zip(newcomers, made, strict=True):
        audit.record(
            session, action="person.registered", target=("person", draft.person.id), actor_id=draft.person.id,
            now=newcomer.since,
        )  # fmt: skip
    await session.flush()
    return [known for known, _ in made]


def _draft(newcomer: Newcomer, *, vault: Vault, youngest: int) -> tuple[DemoPerson, Draft]:
    chance = newcomer.chance
    sex = newcomer.sex or chance.choice((Sex.MALE, Sex.MALE, Sex.FEMALE))
    first, last = newcomer.birth_years
    number, phone = impossible_number(newcomer.serial, sex=sex), impossible_phone(newcomer.serial)
    new = NewPerson(
        name=newcomer.name or draw_name(chance, sex),
        id_type=IdType.ID_CARD,
        number=number,
        phone=phone,
        birth_date=date(first, 1, 1) + timedelta(days=chance.randrange((last - first + 1) * 365)),
        education=chance.choice(
            (Education.JUNIOR_MIDDLE, Education.SENIOR_HIGH, Education.COLLEGE, Education.BACHELOR)
        ),
        is_demo=True,
    )
    draft = draft_person(new, vault=vault, youngest=youngest, now=newcomer.since)
    draft.account.password_hash = newcomer.password_hash
    return DemoPerson(draft.person.id, draft.person.name, phone, number), draft


# Far above the city's own serials.
_AUTHOR_SERIAL, _REVIEWER_SERIAL = 900_001, 900_002


async def item_author_and_reviewer(session: AsyncSession, *, vault: Vault, now: datetime) -> tuple[UUID, UUID]:
    """The two groups under whose names shipped items stand: author and reviewer are never one."""
    found: list[UUID] = []
    for serial, name in ((_AUTHOR_SERIAL, "题库编写组"), (_REVIEWER_SERIAL, "题库审校组")):
        number = impossible_number(serial, sex=Sex.MALE)
        person: Person | None = await find_person_by_document(session, vault=vault, number=number)
        if person is None:
            new = NewPerson(name=name, id_type=IdType.ID_CARD, number=number, is_demo=True, birth_date=date(1980, 1, 1))
            person, account = await register_person(session, vault=vault, new=new, now=now)
            account.closed_at = now
            session.add(account)
        found.append(person.id)
    return found[0], found[1]


_SKINS = ("#f2d3b8", "#e8c19c", "#d9ab82")
_HAIR = ("#1d1a1a", "#2b2320", "#3a2f2a")
_SHIRTS = ("#37577d", "#5a6b7b", "#7a4b4b", "#3f6b52", "#6b5b86")


def draw_portrait(serial: int) -> bytes:
    """A drawn portrait, 295×413 JPEG: plainly nobody's face."""
    chance = random.Random(serial)
    picture = Image.new("RGB", (295, 413), "#ffffff")
    pen = ImageDraw.Draw(picture)
    skin, hair, shirt = chance.choice(_SKINS), chance.choice(_HAIR), chance.choice(_SHIRTS)
    width = chance.randrange(58, 68)
    pen.ellipse((147 - 120, 310, 147 + 120, 520), fill=shirt)
    pen.rectangle((125, 245, 170, 330), fill=skin)
    pen.polygon(((110, 318), (147, 360), (185, 318), (165, 306), (130, 306)), fill="#ffffff")
    pen.ellipse((147 - width - 8, 86, 147 + width + 8, 262), fill=hair)
    pen.ellipse((147 - width, 112, 147 + width, 282), fill=skin)
    pen.pieslice((147 - width - 4, 92, 147 + width + 4, 230), 180, 360, fill=hair)
    for eye in (118, 176):
        pen.ellipse((eye - 6, 190, eye + 6, 202), fill="#2b2b2b")
        pen.line((eye - 13, 178, eye + 13, 176), fill=hair, width=4)
    pen.line((147, 205, 143, 226, 150, 228), fill="#b98b68", width=3)
    pen.arc((124, 228, 170, 256), 20, 160, fill="#a1553f", width=4)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85)
    return out.getvalue()

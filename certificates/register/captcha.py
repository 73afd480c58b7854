"""A question that a program finds harder than a person: a picture of characters, or a sum told in words.

Both questions of a captcha follow from its id and the index key, so that nothing secret is stored or sent.
"""

from __future__ import annotations

import hmac
import io
import random
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from PIL import Image, ImageDraw, ImageFont
from sqlmodel import col, delete

from certificates.errors import WrongCaptcha
from certificates.models import Captcha
from training.calendar import china_date
from training.rules import get_number

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault

_CONTEXT = "captcha"
_CHARACTERS = "23456789ACDEFHJKMNPRTUVWXY"
_LENGTH = 5
_SIZE = (180, 60)
_WORDS = "零一二三四五六七八九十"
_A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Question:
    """What is shown: the id names the picture; `first + second - third` is the sum, in Chinese numerals."""

    id: UUID
    first: str
    second: str
    third: str


async def make_captcha(session: AsyncSession, *, vault: Vault, now: datetime) -> Question:
    """A new question, to be answered once. Its id is random, so that it tells nothing."""
    captcha = Captcha(id=uuid4(), answer_hash=b"", created_at=now)
    captcha.answer_hash = vault.blind(f"{captcha.id}:{_characters(vault, captcha.id)}", context=_CONTEXT)
    session.add(captcha)
    await session.flush()
    first, second, third = _numbers(vault, captcha.id)
    return Question(captcha.id, _WORDS[first], _WORDS[second], _WORDS[third])


async def use_captcha(session: AsyncSession, *, vault: Vault, captcha_id: UUID, answer: str, now: datetime) -> None:
    """Use it up, right or wrong. Raises `WrongCaptcha`, also when it was used before or is too old."""
    minutes = await get_number(session, "lookup.captcha_minutes", on=china_date(now))
    captcha = await session.get(Captcha, captcha_id, with_for_update=True, populate_existing=True)
    if captcha is None or captcha.used_at is not None or captcha.created_at + timedelta(minutes=minutes) < now:
        raise WrongCaptcha(field="answer")
    captcha.used_at = now
    session.add(captcha)
    await session.flush()
    first, second, third = _numbers(vault, captcha_id)
    typed = answer.strip().upper()
    right = vault.blind(f"{captcha_id}:{typed}", context=_CONTEXT)
    if not (hmac.compare_digest(right, captcha.answer_hash) or typed == str(first + second - third)):
        raise WrongCaptcha(field="answer")


async def delete_old_captchas(session: AsyncSession, *, now: datetime) -> None:
    """Forget yesterday's questions."""
    connection = await session.connection()
    await connection.execute(delete(Captcha).where(col(Captcha.created_at) < now - _A_DAY))


def captcha_answer(vault: Vault, captcha_id: UUID) -> str:
    """What the picture shows; for the picture itself and for tests."""
    return _characters(vault, captcha_id)


def draw_captcha(vault: Vault, captcha_id: UUID, font: Path) -> bytes:
    """A PNG of 180 × 60 pixels; the same for the same id. Runs for some milliseconds: call it in a thread."""
    chance = random.Random(vault.blind(str(captcha_id), context="captcha.look"))  # noqa: S311 - looks, not secrets
    picture = Image.new("L", _SIZE, 255)
    for place, character in enumerate(_characters(vault, captcha_id)):
        tile = Image.new("L", (48, 56), 0)
        letter = ImageFont.truetype(str(font), chance.randint(32, 40))
        ImageDraw.Draw(tile).text((10, 0), character, font=letter, fill=chance.randint(170, 255))
        tile = tile.rotate(chance.uniform(-28, 28), resample=Image.Resampling.BICUBIC)
        picture.paste(0, (4 + place * 33 + chance.randint(-2, 2), chance.randint(0, 8)), tile)
    pen = ImageDraw.Draw(picture)
    for _ in range(5):
        ends = [(chance.randint(0, _SIZE[0]), chance.randint(0, _SIZE[1])) for _ in range(2)]
        pen.line(ends, fill=chance.randint(60, 160), width=2)
    for _ in range(160):
        pen.point((chance.randint(0, _SIZE[0] - 1), chance.randint(0, _SIZE[1] - 1)), fill=chance.randint(0, 160))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def _characters(vault: Vault, captcha_id: UUID) -> str:
    digest = vault.blind(str(captcha_id), context="captcha.answer")
    return "".join(_CHARACTERS[byte % len(_CHARACTERS)] for byte in digest[:_LENGTH])


def _numbers(vault: Vault, captcha_id: UUID) -> tuple[int, int, int]:
    """Two numbers from one to ten, and one that does not take more than there is."""
    digest = vault.blind(str(captcha_id), context="captcha.sum")
    return digest[0] % 10 + 1, digest[1] % 10 + 1, digest[2] % 2 + 1

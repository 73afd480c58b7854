"""The personal statement of health (公告2018年第12号): its items, its wording, sealed once signed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exams.errors import HealthNotConfirmed, SignatureDiffers
from training.errors import N_
from training.names import matched_name

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from training.vault import Vault

_CONTEXT = "application.health"
VERSION = "2018-12/1"


@dataclass(frozen=True)
class HealthItem:
    """One thing that the applicant declares not to have."""

    code: str
    text: str


_GENERAL = (
    HealthItem("HEART", N_("没有器质性心脏病")),
    HealthItem("EPILEPSY", N_("没有癫痫病")),
    HealthItem("MENIERE", N_("没有美尼尔氏症（梅尼埃病）")),
    HealthItem("VERTIGO", N_("没有眩晕症")),
    HealthItem("HYSTERIA", N_("没有癔病（分离转换性障碍）")),
    HealthItem("PARKINSON", N_("没有震颤麻痹症（帕金森病）")),
    HealthItem("PSYCHOSIS", N_("没有精神病")),
    HealthItem("DEMENTIA", N_("没有痴呆症")),
    HealthItem("OTHER", N_("没有妨碍从事本项作业的其他疾病和生理缺陷")),
)
_COLOUR = HealthItem("COLOUR", N_("没有妨碍辨别导线和指示灯颜色的色盲、色弱"))
_HEIGHT = HealthItem("HEIGHT", N_("没有恐高症和影响登高的肢体残疾"))


def items_for(so_code: str) -> tuple[HealthItem, ...]:
    """The items of 30号令 art. 4, with those of the item's own outline before the last."""
    extra = {"1.": (_COLOUR,), "3.": (_HEIGHT,)}.get(so_code[:2], ())
    return (*_GENERAL[:-1], *extra, _GENERAL[-1])


def seal_statement(
    vault: Vault, *, so_code: str, confirmed: Collection[str], typed_name: str, name: str, now: datetime
) -> bytes:
    """The signed statement, sealed. Raises `HealthNotConfirmed` or `SignatureDiffers`."""
    items = items_for(so_code)
    if any(item.code not in confirmed for item in items):
        raise HealthNotConfirmed(field="confirmed")
    if matched_name(typed_name) != matched_name(name):
        raise SignatureDiffers(name=name, field="typed_name")
    statement = {
        "version": VERSION,
        "items": [[item.code, item.text] for item in items],
        "signed_name": typed_name.strip(),
        "signed_at": now.isoformat(),
    }
    return vault.seal(json.dumps(statement, ensure_ascii=False), context=_CONTEXT)


@dataclass(frozen=True)
class SignedStatement:
    """What a reviewer may read of it."""

    items: tuple[HealthItem, ...]
    signed_name: str


def open_statement(vault: Vault, sealed: bytes) -> SignedStatement:
    """Open a statement, for the applicant and the reviewer alone."""
    statement = json.loads(vault.open(sealed, context=_CONTEXT))
    return SignedStatement(tuple(HealthItem(*item) for item in statement["items"]), statement["signed_name"])

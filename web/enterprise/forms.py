"""Reading what forms send: days, members of a fixed set, and lists of keys."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID

from training.errors import N_, BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable
    from enum import StrEnum

    _Member = TypeVar("_Member", bound=StrEnum)


def read_date(typed: str, *, field: str) -> date:
    """The day of a date input. Raises `BadInput`."""
    try:
        return date.fromisoformat(typed)
    except ValueError as error:
        raise BadInput(N_("请选择日期，格式为 2026-01-05。"), field=field) from error


def read_choice(values: type[_Member], typed: str, *, field: str) -> _Member:
    """The member of a select box. Raises `BadInput`."""
    try:
        return values(typed)
    except ValueError as error:
        raise BadInput(N_("请从列表中选择一项。"), field=field) from error


def read_keys(typed: Iterable[str]) -> list[UUID]:
    """The keys of ticked boxes; anything else is passed over."""
    keys = []
    for each in typed:
        try:
            keys.append(UUID(each))
        except ValueError:
            continue
    return keys

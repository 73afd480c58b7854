"""Column types and key makers that every table of the system shares."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Any

from sqlalchemy import DateTime, Enum, MetaData
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import SQLModel
from uuid_utils.compat import uuid7

if TYPE_CHECKING:
    from uuid import UUID

SQLModel.metadata.naming_convention = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
).naming_convention

# sqlmodel types `sa_type` as a class, though it accepts an instance.
INSTANT: Any = DateTime(timezone=True)
JSON: Any = JSONB(none_as_null=True)


def new_id() -> UUID:
    """A time-ordered key (UUID version 7), so that neighbours in time are neighbours on disk."""
    return uuid7()


def one_of(values: type[enum.StrEnum]) -> Any:  # noqa: ANN401 - sqlmodel wants a class here
    """A text column that the database restricts to the members of `values`."""
    return Enum(
        values,
        native_enum=False,
        length=32,
        create_constraint=True,
        name=f"{values.__name__.lower()}_is_known",
        values_callable=lambda members: [member.value for member in members],
    )

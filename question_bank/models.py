"""Tables of items, their immutable revisions and blueprints."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, UniqueConstraint, text
from sqlmodel import Field, SQLModel

from training.columns import INSTANT, JSON, new_id, one_of


class ItemType(StrEnum):
    """题型: 判断, 单选, 多选."""

    TF = "TF"
    SC = "SC"
    MC = "MC"


class ItemLevel(StrEnum):
    """Cognitive level of the outlines: 了解, 掌握, 熟练掌握."""

    KNOW = "KNOW"
    GRASP = "GRASP"
    MASTER = "MASTER"


class RevisionStatus(StrEnum):
    """A revision's way. One published revision per item at most."""

    DRAFT = "DRAFT"
    REVIEWED = "REVIEWED"
    PUBLISHED = "PUBLISHED"
    RETIRED = "RETIRED"


class Item(SQLModel, table=True):
    """A question through all its revisions."""

    id: UUID = Field(default_factory=new_id, primary_key=True)
    code: str = Field(max_length=60, unique=True)
    subject: str = Field(max_length=40, index=True, description="the blueprint code whose bank it is in")
    created_at: datetime = Field(sa_type=INSTANT)
    created_by: UUID | None = Field(default=None, foreign_key="person.id")


class ItemRevision(SQLModel, table=True):
    """One wording of an item. Its content never changes (a trigger refuses); its status moves on.

    `options` is a list of texts (empty for TF). `key` is "T"/"F" for TF, else the letters of the
    right options in order, "A" being the first option.
    """

    __tablename__ = "item_revision"
    __table_args__ = (
        UniqueConstraint("item_id", "number"),
        Index("item_revision_one_published", "item_id", unique=True, postgresql_where=text("status = 'PUBLISHED'")),
        Index(
            "item_revision_one_open", "item_id", unique=True, postgresql_where=text("status IN ('DRAFT', 'REVIEWED')")
        ),
        CheckConstraint("reviewed_by IS NULL OR reviewed_by <> author_id", name="reviewer_is_not_the_author"),
        CheckConstraint(
            "status NOT IN ('REVIEWED', 'PUBLISHED') OR reviewed_by IS NOT NULL", name="published_after_review"
        ),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    item_id: UUID = Field(foreign_key="item.id", index=True)
    number: int
    type: ItemType = Field(sa_type=one_of(ItemType))
    area: int
    level: ItemLevel = Field(sa_type=one_of(ItemLevel))
    key_point: str = Field(max_length=200)
    is_local: bool = False
    stem: str
    options: list[str] = Field(default_factory=list, sa_type=JSON, nullable=False)
    key: str = Field(max_length=8)
    explanation: str = ""
    source: str = Field(default="", max_length=500)
    status: RevisionStatus = Field(default=RevisionStatus.DRAFT, sa_type=one_of(RevisionStatus))
    author_id: UUID = Field(foreign_key="person.id")
    created_at: datetime = Field(sa_type=INSTANT)
    submitted_at: datetime | None = Field(
        default=None, sa_type=INSTANT, description="of a DRAFT: waits for review since; None: with its author"
    )
    reviewed_by: UUID | None = Field(default=None, foreign_key="person.id")
    reviewed_at: datetime | None = Field(default=None, sa_type=INSTANT)
    published_at: datetime | None = Field(default=None, sa_type=INSTANT)
    retired_at: datetime | None = Field(default=None, sa_type=INSTANT)
    review_note: str = Field(default="", max_length=500)


class DifficultySource(StrEnum):
    """Where a difficulty comes from; a later member outranks the earlier ones."""

    PRIOR = "PRIOR"
    REVIEWERS = "REVIEWERS"
    CALIBRATED = "CALIBRATED"


class ItemDifficulty(SQLModel, table=True):
    """One estimate of a revision's difficulty in logits. Append-only: the last of the best source counts."""

    __tablename__ = "item_difficulty"
    __table_args__ = (CheckConstraint("se >= 0", name="error_is_not_negative"),)

    revision_id: UUID = Field(foreign_key="item_revision.id", primary_key=True)
    source: DifficultySource = Field(sa_type=one_of(DifficultySource), primary_key=True)
    at: datetime = Field(sa_type=INSTANT, primary_key=True)
    subject: str = Field(max_length=40, index=True, description="the item's, so that a bank's estimates count quickly")
    b: Decimal = Field(max_digits=6, decimal_places=3)
    se: Decimal = Field(max_digits=6, decimal_places=3, description="standard error of b")


class ItemEnemy(SQLModel, table=True):
    """Two items that must not meet on a paper, since one gives the other away."""

    __tablename__ = "item_enemy"
    __table_args__ = (CheckConstraint("first_id < second_id", name="enemies_stand_once"),)

    first_id: UUID = Field(foreign_key="item.id", primary_key=True)
    second_id: UUID = Field(foreign_key="item.id", primary_key=True)
    subject: str = Field(max_length=40, index=True)
    created_by: UUID = Field(foreign_key="person.id")
    created_at: datetime = Field(sa_type=INSTANT)


class ItemImport(SQLModel, table=True):
    """An uploaded item list between preview and confirmation."""

    __tablename__ = "item_import"

    id: UUID = Field(default_factory=new_id, primary_key=True)
    subject: str = Field(max_length=40)
    created_by: UUID = Field(foreign_key="person.id")
    created_at: datetime = Field(sa_type=INSTANT)
    rows: list[dict[str, Any]] = Field(sa_type=JSON, nullable=False)
    confirmed_at: datetime | None = Field(default=None, sa_type=INSTANT)


class ItemEstimate(SQLModel, table=True):
    """A reviewer's estimate of how many of a hundred borderline candidates get an item right. Append-only."""

    __tablename__ = "item_estimate"
    __table_args__ = (CheckConstraint("percent BETWEEN 1 AND 99", name="estimate_is_a_share"),)

    revision_id: UUID = Field(foreign_key="item_revision.id", primary_key=True)
    reviewer_id: UUID = Field(foreign_key="person.id", primary_key=True)
    at: datetime = Field(sa_type=INSTANT, primary_key=True)
    percent: int


class McRule(StrEnum):
    """How a multiple-choice item is marked: 全对才得分, or 少选得部分分."""

    ALL_OR_NOTHING = "ALL_OR_NOTHING"
    PARTIAL = "PARTIAL"


class CellLevel(StrEnum):
    """The level that a cell of a blueprint asks for; ANY takes all."""

    ANY = "ANY"
    KNOW = "KNOW"
    GRASP = "GRASP"
    MASTER = "MASTER"


class Blueprint(SQLModel, table=True):
    """How a paper is made up: minutes, points and the count per cell (area × type), per version."""

    __table_args__ = (
        UniqueConstraint("code", "version"),
        Index("blueprint_one_current", "code", unique=True, postgresql_where=text("is_current")),
        CheckConstraint("minutes > 0 AND pass_score > 0", name="blueprint_can_be_sat"),
        CheckConstraint("num_nulls(equate_ability, equate_score, equate_information) IN (0, 3)", name="whole_target"),
    )

    id: UUID = Field(default_factory=new_id, primary_key=True)
    code: str = Field(max_length=40)
    version: int
    name: str = Field(max_length=200)
    minutes: int
    pass_score: int
    points_per_item: int
    basis: str = Field(default="", max_length=300)
    is_current: bool = True
    created_at: datetime = Field(sa_type=INSTANT)
    equate_ability: int | None = Field(default=None, description="1/1000 logit; None: papers meet the bank's own mean")
    equate_score: int | None = Field(default=None, description="expected score there, 1/1000 item")
    equate_information: int | None = Field(default=None, description="information there, 1/1000")
    mc_rule: McRule = Field(default=McRule.ALL_OR_NOTHING, sa_type=one_of(McRule))
    shows_key_points: bool = Field(default=False, description="a released score names the key points to study again")
    local_percent: int | None = Field(default=None, description="None: the rule paper.local_percent")
    exposure_percent: int | None = Field(default=None, description="None: the rule paper.exposure.percent")
    overlap_percent: int | None = Field(default=None, description="None: the rule paper.overlap.percent")


class BlueprintCell(SQLModel, table=True):
    """How many items of one type a paper takes from one knowledge area."""

    __tablename__ = "blueprint_cell"
    __table_args__ = (CheckConstraint("count >= 0", name="count_is_not_negative"),)

    blueprint_id: UUID = Field(foreign_key="blueprint.id", primary_key=True)
    area: int = Field(primary_key=True)
    type: ItemType = Field(sa_type=one_of(ItemType), primary_key=True)
    level: CellLevel = Field(default=CellLevel.ANY, sa_type=one_of(CellLevel), primary_key=True)
    area_name: str = Field(max_length=200)
    weight_percent: int
    count: int

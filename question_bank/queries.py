"""What other packages and the pages read of the bank: pools, wordings and blueprints."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy
from sqlalchemy import bindparam, func
from sqlmodel import col, select

from question_bank.errors import UnknownBlueprint
from question_bank.models import (
    Blueprint,
    BlueprintCell,
    CellLevel,
    Item,
    ItemLevel,
    ItemRevision,
    ItemType,
    McRule,
    RevisionStatus,
)
from training.errors import NotFound
from training.prepared import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlmodel.ext.asyncio.session import AsyncSession

    from question_bank.cells import CellKey

# Revisions never change their wording, so what was read once may be kept; bounded for safety.
_KEPT_POOLS = 64
_KEPT_REVISIONS = 50_000


@dataclass(frozen=True, slots=True)
class PoolItem:
    """What drawing a paper needs to know of a published revision, and nothing more."""

    revision_id: UUID
    area: int
    type: ItemType
    level: ItemLevel
    key_point: str
    is_local: bool
    option_count: int


@dataclass(frozen=True, slots=True)
class Pool:
    """Every published revision of a subject, in the order of their ids.

    `digest` is `pool_digest` of them: what a sitting stores to prove from which bank it was drawn.
    """

    subject: str
    items: tuple[PoolItem, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class RevisionText:
    """The whole wording of a revision. `options[0]` is "A"; `key` is "T"/"F" or letters in order."""

    id: UUID
    item_id: UUID
    code: str
    subject: str
    number: int
    type: ItemType
    area: int
    level: ItemLevel
    key_point: str
    is_local: bool
    stem: str
    options: tuple[str, ...]
    key: str
    explanation: str
    source: str


@dataclass(frozen=True, slots=True)
class Cell:
    """How many items of a type a paper takes from an area, of one level or of any."""

    area: int
    area_name: str
    weight_percent: int
    type: ItemType
    count: int
    level: CellLevel = CellLevel.ANY

    @property
    def key(self) -> CellKey:
        """What tells it from the other cells of its blueprint."""
        return self.area, self.type, self.level


@dataclass(frozen=True, slots=True)
class EquatingTarget:
    """What every paper is brought to: at an ability, an expected score in items and an information; thousandths."""

    ability: int
    score: int
    information: int


@dataclass(frozen=True, slots=True)
class BlueprintView:
    """One version of a blueprint with its cells, by area, type and level.

    A percentage that is None is the rule's of the day on which a paper is dealt.
    """

    id: UUID
    code: str
    version: int
    name: str
    minutes: int
    pass_score: int
    points_per_item: int
    basis: str
    is_current: bool
    cells: tuple[Cell, ...] = field(repr=False)
    target: EquatingTarget | None = None
    mc_rule: McRule = McRule.ALL_OR_NOTHING
    shows_key_points: bool = False
    local_percent: int | None = None
    exposure_percent: int | None = None
    overlap_percent: int | None = None

    @property
    def total_items(self) -> int:
        """The number of items on a paper."""
        return sum(cell.count for cell in self.cells)

    @property
    def full_score(self) -> int:
        """The points of a paper without a mistake."""
        return self.total_items * self.points_per_item

    @property
    def areas(self) -> dict[int, str]:
        """The names of the knowledge areas by number."""
        return {cell.area: cell.area_name for cell in self.cells}


_POOL_COLUMNS: tuple[Any, ...] = (
    ItemRevision.id,
    ItemRevision.area,
    ItemRevision.type,
    ItemRevision.level,
    ItemRevision.key_point,
    ItemRevision.is_local,
)
_pools: dict[tuple[Any, ...], Pool] = {}
_revisions: dict[UUID, RevisionText] = {}
_cells: dict[UUID, tuple[Cell, ...]] = {}


def pool_digest(revision_ids: Iterable[UUID]) -> str:
    """SHA-256 (hex) over the sorted ids of revisions, 16 bytes each."""
    return hashlib.sha256(b"".join(sorted(revision_id.bytes for revision_id in revision_ids))).hexdigest()


def pool_version(subject: Any) -> Any:  # noqa: ANN401 - SQL expressions
    """An expression of what tells one state of a subject's bank from any other."""
    return (
        select(func.jsonb_build_array(func.count(), func.bit_xor(func.uuid_hash_extended(ItemRevision.id, 0))))
        .select_from(ItemRevision)
        .join(Item, col(Item.id) == ItemRevision.item_id)
        .where(col(Item.subject) == subject, col(ItemRevision.status) == RevisionStatus.PUBLISHED)
        .correlate_except(ItemRevision, Item)
        .scalar_subquery()
    )


# For a statement with the parameter `subject`.
POOL_VERSION = pool_version(bindparam("subject"))
_POOL_VERSION = select(POOL_VERSION)


async def load_pool(session: AsyncSession, subject: str, *, version: Sequence[int | None] = ()) -> Pool:
    """The published revisions of a subject (a blueprint's code); empty if there are none.

    Kept in the process under a hash of exactly the revisions that are published now, which the
    database counts in a fraction of a millisecond: never stale, on any number of processes.
    `version` is `POOL_VERSION`, from whoever has read it in this transaction.
    """
    version = version or (await run(session, _POOL_VERSION, subject=subject)).scalar_one()
    known = _pools.get((subject, *version))
    if known is not None:
        return known
    pool = await _read_pool(session, subject)
    while len(_pools) >= _KEPT_POOLS:
        _pools.pop(next(iter(_pools)))
    _pools[subject, *version] = pool
    return pool


async def _read_pool(session: AsyncSession, subject: str) -> Pool:
    # sqlmodel types `select` for four columns at most.
    statement: Any = (
        sqlalchemy.select(*(col(column) for column in _POOL_COLUMNS), func.jsonb_array_length(ItemRevision.options))
        .join(Item, col(Item.id) == ItemRevision.item_id)
        .where(col(Item.subject) == subject, col(ItemRevision.status) == RevisionStatus.PUBLISHED)
    )
    rows = (await session.exec(statement)).all()
    items = tuple(sorted((PoolItem(*row) for row in rows), key=lambda item: item.revision_id.bytes))
    return Pool(subject=subject, items=items, digest=pool_digest(item.revision_id for item in items))


async def list_revisions(session: AsyncSession, ids: Sequence[UUID]) -> dict[UUID, RevisionText]:
    """The wordings of these revisions, whatever their status. Raises `NotFound` if one is missing."""
    try:
        return {revision_id: _revisions[revision_id] for revision_id in ids}
    except KeyError:
        missing = [revision_id for revision_id in ids if revision_id not in _revisions]
    statement = (
        select(ItemRevision, Item.code, Item.subject)
        .join(Item, col(Item.id) == ItemRevision.item_id)
        .where(col(ItemRevision.id).in_(missing))
    )
    read = [_text_of(*row) for row in (await session.exec(statement)).all()]
    if len(_revisions) + len(read) > _KEPT_REVISIONS:
        _revisions.clear()
        return await list_revisions(session, ids)
    _revisions.update((text.id, text) for text in read)
    try:
        return {revision_id: _revisions[revision_id] for revision_id in ids}
    except KeyError as error:
        raise NotFound from error


def _text_of(revision: ItemRevision, code: str, subject: str) -> RevisionText:
    return RevisionText(
        id=revision.id,
        item_id=revision.item_id,
        code=code,
        subject=subject,
        number=revision.number,
        type=revision.type,
        area=revision.area,
        level=revision.level,
        key_point=revision.key_point,
        is_local=revision.is_local,
        stem=revision.stem,
        options=tuple(revision.options),
        key=revision.key,
        explanation=revision.explanation,
        source=revision.source,
    )


_COLUMNS = Blueprint.metadata.tables["blueprint"].c
_BLUEPRINT = sqlalchemy.select(*_COLUMNS).where(_COLUMNS.code == bindparam("code"), _COLUMNS.is_current)
_BLUEPRINT_VERSION = sqlalchemy.select(*_COLUMNS).where(_COLUMNS.id == bindparam("blueprint_id"))


async def find_blueprint(session: AsyncSession, code: str) -> BlueprintView | None:
    """The current version of a blueprint, or None."""
    row = (await run(session, _BLUEPRINT, code=code)).one_or_none()
    return await _view_of(session, row) if row else None


async def get_blueprint(session: AsyncSession, code: str) -> BlueprintView:
    """The current version of a blueprint. Raises `UnknownBlueprint`."""
    view = await find_blueprint(session, code)
    if view is None:
        raise UnknownBlueprint(code=code)
    return view


async def get_blueprint_version(session: AsyncSession, blueprint_id: UUID) -> BlueprintView:
    """One version, current or not: the one a paper was drawn by. Raises `NotFound`."""
    row = (await run(session, _BLUEPRINT_VERSION, blueprint_id=blueprint_id)).one_or_none()
    if row is None:
        raise NotFound
    return await _view_of(session, row)


_drawn: dict[UUID, BlueprintView] = {}


async def get_drawn_blueprint(session: AsyncSession, blueprint_id: UUID) -> BlueprintView:
    """The version that a paper was drawn by, for marking it: kept, so only what never changes of it is true."""
    if blueprint_id not in _drawn:
        _drawn[blueprint_id] = await get_blueprint_version(session, blueprint_id)
    return _drawn[blueprint_id]


async def list_blueprints(session: AsyncSession) -> list[BlueprintView]:
    """The current version of every blueprint, by code."""
    statement = select(Blueprint).where(col(Blueprint.is_current)).order_by(col(Blueprint.code))
    return [await _view_of(session, row) for row in (await session.exec(statement)).all()]


async def list_cells(session: AsyncSession, blueprint_id: UUID) -> tuple[Cell, ...]:
    """The cells of one version, by area, type (TF, SC, MC) and level; versions never change, so kept."""
    known = _cells.get(blueprint_id)
    if known is not None:
        return known
    statement = select(BlueprintCell).where(BlueprintCell.blueprint_id == blueprint_id)
    types, levels = list(ItemType), list(CellLevel)
    rows = sorted(
        (await session.exec(statement)).all(),
        key=lambda row: (row.area, types.index(row.type), levels.index(row.level)),
    )
    cells = tuple(Cell(row.area, row.area_name, row.weight_percent, row.type, row.count, row.level) for row in rows)
    if cells:
        _cells[blueprint_id] = cells
    return cells


async def _view_of(session: AsyncSession, row: Any) -> BlueprintView:  # noqa: ANN401 - a Blueprint or its columns
    return BlueprintView(
        id=row.id,
        code=row.code,
        version=row.version,
        name=row.name,
        minutes=row.minutes,
        pass_score=row.pass_score,
        points_per_item=row.points_per_item,
        basis=row.basis,
        is_current=row.is_current,
        cells=await list_cells(session, row.id),
        target=_target_of(row),
        mc_rule=McRule(row.mc_rule),
        shows_key_points=row.shows_key_points,
        local_percent=row.local_percent,
        exposure_percent=row.exposure_percent,
        overlap_percent=row.overlap_percent,
    )


def _target_of(row: Any) -> EquatingTarget | None:  # noqa: ANN401 - a Blueprint or its columns
    if row.equate_ability is None or row.equate_score is None or row.equate_information is None:
        return None
    return EquatingTarget(row.equate_ability, row.equate_score, row.equate_information)

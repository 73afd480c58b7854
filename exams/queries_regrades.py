"""Regrades as their pages show them: the item, who proposed and decided, and whom a decision let fall."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlmodel import col, select

from exams.models import Booking, Regrade, RegradeStatus, Score, ScoreRevision, Sitting
from question_bank.models import Item, ItemRevision
from question_bank.queries import list_revisions
from training.errors import NotFound
from training.models import Person

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.models import RegradeKind
    from question_bank.queries import RevisionText


@dataclass(frozen=True, slots=True)
class RegradeView:
    """A regrade with its item and the names of those who decided."""

    id: UUID
    kind: RegradeKind
    status: RegradeStatus
    new_key: str
    reason: str
    item: RevisionText
    proposed_by: UUID
    proposer: str
    proposed_at: datetime
    decider: str
    decided_at: datetime | None
    decision_note: str
    figures: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fallen:
    """A candidate whose pass a decision took away."""

    application_id: UUID
    ticket_no: str
    points: Decimal
    cut_score: Decimal


async def find_revision(session: AsyncSession, *, code: str = "", revision_id: UUID | None = None) -> RevisionText:
    """The revision itself, or an item's newest that was published. Raises `NotFound`."""
    if revision_id is None:
        statement = (
            select(ItemRevision.id)
            .join(Item, col(Item.id) == ItemRevision.item_id)
            .where(Item.code == code.strip(), col(ItemRevision.published_at).is_not(None))
            .order_by(col(ItemRevision.number).desc())
        )
        revision_id = (await session.exec(statement)).first()
    if revision_id is None:
        raise NotFound
    return (await list_revisions(session, [revision_id]))[revision_id]


async def list_regrades(session: AsyncSession, *, limit: int = 100) -> list[RegradeView]:
    """Proposals first, then the newest decisions."""
    is_decided = Regrade.status != RegradeStatus.PROPOSED
    statement = select(Regrade).order_by(is_decided, col(Regrade.proposed_at).desc()).limit(limit)  # type: ignore[arg-type]
    return [await _view(session, row) for row in (await session.exec(statement)).all()]


async def get_regrade(session: AsyncSession, regrade_id: UUID) -> RegradeView:
    """One regrade. Raises `NotFound`."""
    regrade = await session.get(Regrade, regrade_id)
    if regrade is None:
        raise NotFound
    return await _view(session, regrade)


async def list_fallen(session: AsyncSession, regrade_id: UUID) -> list[Fallen]:
    """The certificate exams that this decision turned from passed to not passed, by ticket."""
    statement = (
        select(ScoreRevision, Booking)
        .join(Score, col(Score.id) == ScoreRevision.score_id)
        .join(Sitting, col(Sitting.id) == Score.sitting_id)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .where(ScoreRevision.regrade_id == regrade_id)
        .order_by(col(Booking.ticket_no))
    )
    return [
        Fallen(
            booking.application_id,
            booking.ticket_no,
            Decimal(row.became["points"]),
            Decimal(row.became["cut_score"]),
        )
        for row, booking in (await session.exec(statement)).all()
        if row.was["passed"] and not row.became["passed"]
    ]


async def _view(session: AsyncSession, regrade: Regrade) -> RegradeView:
    items = await list_revisions(session, [regrade.revision_id])
    proposer = await session.get_one(Person, regrade.proposed_by)
    decider = await session.get_one(Person, regrade.decided_by) if regrade.decided_by else None
    return RegradeView(
        id=regrade.id,
        kind=regrade.kind,
        status=regrade.status,
        new_key=regrade.new_key,
        reason=regrade.reason,
        item=items[regrade.revision_id],
        proposed_by=regrade.proposed_by,
        proposer=proposer.name,
        proposed_at=regrade.proposed_at,
        decider=decider.name if decider else "",
        decided_at=regrade.decided_at,
        decision_note=regrade.decision_note,
        figures=regrade.figures,
    )

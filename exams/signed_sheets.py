"""The signed answer sheet of one's own sitting: what was answered, and the receipt over it; never a key or a score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlmodel import col, select

from exams.answers import list_events
from exams.late_answers import count_late
from exams.marking import last_choices
from exams.models import Sitting, SittingEvent
from exams.receipts import Receipt, paper_digest
from exams.sheets import get_result
from exams.sitting_states import SittingAct
from training.errors import N_, Conflict, NotFound
from training.people import get_masked_document, get_person

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.models import AnswerEvent

_ENDS = (SittingAct.HANDED_IN, SittingAct.TIMED_OUT, SittingAct.CLOSED_BY_SITE)


class NotCountersigned(Conflict):
    """The sitting ended before receipts were made."""

    message = N_("这场考试没有电子回执：它在启用回执之前结束。如需核对作答，请向考核发证机关申请成绩复核。")


@dataclass(frozen=True, slots=True)
class ReceiptNote:
    """What the result page says: whether there is a receipt, and how many answers came too late."""

    is_signed: bool
    late: int


@dataclass(frozen=True, slots=True)
class SignedSheet:
    """Everything that the PDF and the file show. `choices` are the letters as shown, by position."""

    receipt: Receipt
    key_id: str
    signature: bytes
    acts: tuple[AnswerEvent, ...]
    choices: dict[int, str]
    total: int
    title: str
    holder_name: str
    number_masked: str
    late: int
    printed_at: datetime
    is_specimen: bool = False


async def get_receipt_note(session: AsyncSession, *, sitting_id: UUID, person_id: UUID) -> ReceiptNote:
    """What the result page says of one's own sitting."""
    return await make_receipt_note(session, await _read_own(session, sitting_id, person_id))


async def make_receipt_note(session: AsyncSession, sitting: Any) -> ReceiptNote:  # noqa: ANN401 - a Sitting or a row of its columns
    """The same of a sitting that has been read."""
    return ReceiptNote(is_signed=sitting.receipt_signature is not None, late=await count_late(session, sitting.id))


async def get_signed_sheet(
    session: AsyncSession, *, sitting_id: UUID, person_id: UUID, now: datetime, is_demo: bool = False
) -> SignedSheet:
    """Of one's own sitting after its end. Raises `NotFound`, `NotMarkedYet` or `NotCountersigned`."""
    sitting = await _read_own(session, sitting_id, person_id)
    result = await get_result(session, sitting_id=sitting_id, person_id=person_id)
    if sitting.receipt_signature is None or sitting.receipt_key_id is None:
        raise NotCountersigned
    events = tuple(await list_events(session, sitting_id))
    choices = last_choices((event.seq, event.position, event.choice) for event in events)
    _, number_masked = await get_masked_document(session, person_id)
    return SignedSheet(
        receipt=await _receipt(session, sitting, events, answered=len(choices)),
        key_id=sitting.receipt_key_id,
        signature=sitting.receipt_signature,
        acts=events,
        choices=choices,
        total=sitting.item_count,
        title=result.title,
        holder_name=(await get_person(session, person_id)).name,
        number_masked=number_masked,
        late=await count_late(session, sitting_id),
        printed_at=now,
        is_specimen=is_demo,
    )


async def _read_own(session: AsyncSession, sitting_id: UUID, person_id: UUID) -> Sitting:
    """Read afresh: handing in writes past the ORM. Raises `NotFound`."""
    own = select(Sitting).where(Sitting.id == sitting_id, Sitting.person_id == person_id)
    sitting = (await session.exec(own.execution_options(populate_existing=True))).one_or_none()
    if sitting is None:
        raise NotFound
    return sitting


async def _receipt(session: AsyncSession, sitting: Sitting, events: Sequence[AnswerEvent], *, answered: int) -> Receipt:
    """What was signed at the end, even if the sitting was voided since."""
    kinds = select(SittingEvent.kind).where(SittingEvent.sitting_id == sitting.id, col(SittingEvent.kind).in_(_ENDS))
    return Receipt(
        sitting_id=sitting.id,
        paper=paper_digest(sitting.paper),
        head=sitting.chain_head or b"",
        events=len(events),
        answered=answered,
        status=(await session.exec(kinds)).one(),
        started_at=sitting.started_at,
        ended_at=sitting.submitted_at or sitting.deadline,
    )

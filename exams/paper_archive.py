"""Papers taken out of the archive, to be printed: after the end only, each time noted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlmodel import col, select

from exams.answers import list_events
from exams.marking import last_choices
from exams.models import Booking, ExamPlan, ExamRoom, ExamSession, Qualification, Sitting
from exams.papers import LETTERS, PaperItem, paper_items
from exams.printed_papers import KeyLine, PrintedHead, PrintedItem, PrintedKey, PrintedPaper, Provenance
from exams.sitting_states import UNDER_WAY
from question_bank.models import ItemType
from question_bank.queries import get_blueprint_version, list_revisions
from training import audit
from training.errors import N_, Conflict, NotFound
from training.models import Organisation, Person

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from question_bank.queries import BlueprintView, RevisionText


class StillSitting(Conflict):
    """Nobody reads a paper or its key while it is being answered."""

    message = N_("这名考生还没有交卷，试卷和标准答案暂不能导出。请在交卷后再试。")


async def take_paper(
    session: AsyncSession,
    *,
    exam_session_id: UUID,
    sitting_id: UUID,
    actor_id: UUID,
    now: datetime,
    is_demo: bool = False,
) -> PrintedPaper:
    """The paper of an ended sitting with what was answered. Raises `NotFound`, `StillSitting`."""
    sitting, booking = await _find_ended(session, exam_session_id, sitting_id)
    blueprint = await get_blueprint_version(session, sitting.blueprint_id)
    items = paper_items(sitting.paper)
    events = await list_events(session, sitting.id)
    paper = PrintedPaper(
        head=await print_head(session, booking, blueprint, sheet_id=sitting.id, now=now, is_demo=is_demo),
        items=await print_items(session, items, blueprint),
        provenance=Provenance(sitting.seed, sitting.algorithm, sitting.bank_digest.hex()),
        answers=last_choices((event.seq, event.position, event.choice) for event in events),
    )
    audit.record(session, action="paper.printed", target=("sitting", sitting.id), actor_id=actor_id, now=now)
    await session.flush()
    return paper


async def take_key(
    session: AsyncSession,
    *,
    exam_session_id: UUID,
    sitting_id: UUID,
    actor_id: UUID,
    now: datetime,
    is_demo: bool = False,
) -> PrintedKey:
    """The answer key of an ended sitting. Raises `NotFound`, `StillSitting`."""
    sitting, booking = await _find_ended(session, exam_session_id, sitting_id)
    blueprint = await get_blueprint_version(session, sitting.blueprint_id)
    key = PrintedKey(
        head=await print_head(session, booking, blueprint, sheet_id=sitting.id, now=now, is_demo=is_demo),
        lines=await key_lines(session, paper_items(sitting.paper), blueprint),
    )
    audit.record(session, action="paper.key_printed", target=("sitting", sitting.id), actor_id=actor_id, now=now)
    await session.flush()
    return key


async def _find_ended(session: AsyncSession, exam_session_id: UUID, sitting_id: UUID) -> tuple[Sitting, Booking]:
    statement = (
        select(Sitting, Booking)
        .join(Booking, col(Booking.id) == Sitting.booking_id)
        .where(Sitting.id == sitting_id, Booking.exam_session_id == exam_session_id)
    )
    found = (await session.exec(statement)).one_or_none()
    if found is None:
        raise NotFound
    if found[0].status in UNDER_WAY:
        raise StillSitting
    return found


async def print_head(
    session: AsyncSession, booking: Booking, blueprint: BlueprintView, *, sheet_id: UUID, now: datetime, is_demo: bool
) -> PrintedHead:
    """Whose paper it is and where it is sat."""
    statement: Any = (
        select(ExamSession, ExamRoom.name, Organisation.name, Qualification.name)
        .add_columns(col(ExamPlan.title))
        .join(ExamRoom, col(ExamRoom.id) == ExamSession.room_id)
        .join(Organisation, col(Organisation.id) == ExamSession.site_id)
        .join(Qualification, col(Qualification.code) == ExamSession.qualification_code)
        .outerjoin(ExamPlan, col(ExamPlan.id) == ExamSession.plan_id)
        .where(col(ExamSession.id) == booking.exam_session_id)
    )
    exam_session, room, site, qualification, plan = (await session.exec(statement)).one()
    person = await session.get_one(Person, booking.person_id)
    return PrintedHead(
        sheet_id=sheet_id,
        title=qualification,
        exam_name=plan or "安全生产资格考试",
        holder_name=person.name,
        ticket_no=booking.ticket_no,
        site_name=site,
        room_name=room,
        seat_no=booking.seat_no,
        starts_at=exam_session.starts_at,
        minutes=blueprint.minutes,
        full_score=blueprint.full_score,
        pass_score=blueprint.pass_score,
        printed_at=now,
        is_specimen=is_demo,
        mc_rule=blueprint.mc_rule,
    )


async def print_items(
    session: AsyncSession, paper: Sequence[PaperItem], blueprint: BlueprintView
) -> tuple[PrintedItem, ...]:
    """The questions in the candidate's order with the displayed letters, without any key."""
    texts = await list_revisions(session, [item.revision_id for item in paper])
    return tuple(
        _print_item(position, item, texts[item.revision_id], points=blueprint.points_per_item)
        for position, item in enumerate(paper, start=1)
    )


def _print_item(position: int, item: PaperItem, text: RevisionText, *, points: int) -> PrintedItem:
    options = tuple((LETTERS[place], text.options[original]) for place, original in enumerate(item.order))
    letters = "TF" if text.type is ItemType.TF else LETTERS[: len(options)]
    return PrintedItem(position, text.type, text.stem, options, letters, points)


async def key_lines(session: AsyncSession, paper: Sequence[PaperItem], blueprint: BlueprintView) -> tuple[KeyLine, ...]:
    """What is right at every position, in the letters that the candidate saw."""
    texts = await list_revisions(session, [item.revision_id for item in paper])
    lines = []
    for position, item in enumerate(paper, start=1):
        text = texts[item.revision_id]
        lines.append(
            KeyLine(
                position=position,
                key=item.displayed(text.key),
                points=blueprint.points_per_item,
                area=text.area,
                area_name=blueprint.areas.get(text.area, ""),
                item=f"{text.code} #{text.number}",
            )
        )
    return tuple(lines)

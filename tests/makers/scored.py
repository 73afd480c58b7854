"""More candidates beside one whose sitting is over, with papers, answers and scores, put straight into the tables."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from exams.models import (
    AnswerEvent,
    Application,
    ApplicationStatus,
    Booking,
    BookingStatus,
    ExamPart,
    Score,
    Sitting,
    SittingStatus,
)
from exams.papers import paper_items
from question_bank.models import ItemType
from question_bank.queries import list_revisions
from tests.makers.people import make_person

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault


async def add_takers(
    session: AsyncSession,
    vault: Vault,
    *,
    sitting_id: UUID,
    now: datetime,
    count: int = 14,
    copies: bool = False,
    rapid: bool = False,
    seed: int = 1,
) -> None:
    """They answer the same paper in 20 seconds an item.

    With `copies` the last has the answers of the one before; with `rapid` the first takes a second each.
    """
    chance = random.Random(seed)
    first = await session.get_one(Sitting, sitting_id)
    their = await session.get_one(Booking, first.booking_id)
    application = await session.get_one(Application, their.application_id)
    texts = await list_revisions(session, [item.revision_id for item in paper_items(first.paper)])
    plain = [{"revision": row["revision"], "order": sorted(row["order"])} for row in first.paper]
    letters = [
        (text.key, "TF" if text.type is ItemType.TF else "ABCD", text.type is ItemType.MC) for text in texts.values()
    ]
    hardness = [chance.uniform(0.5, 0.95) for _ in letters]
    before: list[str] = []
    for place in range(count):
        choices = []
        for (key, options, is_several), share in zip(letters, hardness, strict=True):
            wrong = [option for option in options if option != key]
            missed = "".join(sorted(chance.sample(options, 2))) if is_several else chance.choice(wrong)
            choices.append(key if chance.random() < share else missed)
        if copies and place == count - 1:
            choices = before
        before = choices
        who = await make_person(session, vault, now=now)
        own = Application(
            person_id=who.person.id, qualification_code=application.qualification_code,
            status=ApplicationStatus.ACCEPTED, created_at=now,
        )  # fmt: skip
        session.add(own)
        await session.flush()
        booking = Booking(
            exam_session_id=their.exam_session_id, application_id=own.id, person_id=who.person.id,
            part=ExamPart.THEORY, seat_no=100 + place, ticket_no=f"R{seed}-{place}", ticket_token=f"R{seed}-{place}",
            status=BookingStatus.DONE, booked_at=now,
        )  # fmt: skip
        session.add(booking)
        await session.flush()
        pace = 1 if rapid and not place else 20
        ended = first.started_at + timedelta(seconds=pace * len(choices) + 60)
        sitting = Sitting(
            booking_id=booking.id, person_id=who.person.id, blueprint_id=first.blueprint_id, seed=place,
            algorithm=first.algorithm, bank_digest=first.bank_digest, paper=plain, status=SittingStatus.HANDED_IN,
            started_at=first.started_at, deadline=first.deadline, submitted_at=ended, item_count=first.item_count,
        )  # fmt: skip
        session.add(sitting)
        await session.flush()
        right = sum(choice == key for choice, (key, _, _) in zip(choices, letters, strict=True))
        session.add(
            Score(
                sitting_id=sitting.id, points=Decimal(right), total=Decimal(100), cut_score=Decimal(80),
                passed=right >= 80, areas={}, marked_at=ended,
            )
        )  # fmt: skip
        session.add_all(
            AnswerEvent(
                sitting_id=sitting.id, seq=number, position=number, choice=choice,
                answered_at=first.started_at + timedelta(seconds=pace * number), saved_at=ended,
            )
            for number, choice in enumerate(choices, start=1)
        )  # fmt: skip
        await session.flush()

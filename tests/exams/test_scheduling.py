"""Plans, rooms and sessions."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest

from exams.errors import (
    BadPeriod,
    BadRoom,
    NoPaperPossible,
    NoPractical,
    PlanNotPublished,
    ReasonNeeded,
    RoomKnown,
    RoomTaken,
    SessionBegun,
    StartsInThePast,
    TooManySeats,
    WrongRoom,
)
from exams.models import Booking, BookingStatus, ExamPart, SessionMode, SessionStatus
from exams.plans import list_plans, make_plan, publish_plan
from exams.scheduling import NewSession, add_room, cancel_session, open_session
from tests.makers.exams import (
    LOW_VOLTAGE,
    fill_bank,
    make_booking,
    make_reviewer,
    make_room,
    make_session,
    make_site_head,
)
from tests.makers.people import make_organisation
from training.errors import NotFound
from training.models import OrganisationKind

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault


async def test_a_plan_is_published_once_and_seen_by_all(session: AsyncSession, vault: Vault, now: datetime) -> None:
    head, _ = await make_site_head(session, vault, now=now)
    authority = await make_organisation(session, now=now, kind=OrganisationKind.AUTHORITY)
    with pytest.raises(BadPeriod):
        await make_plan(
            session, authority_id=authority.id, title="十二月", starts_on=date(2026, 12, 31),
            ends_on=date(2026, 12, 1), actor_id=head.person.id, now=now,
        )  # fmt: skip
    plan, again = [
        await make_plan(
            session, authority_id=authority.id, title="十二月", starts_on=date(2026, 12, 1),
            ends_on=date(2026, 12, 31), actor_id=head.person.id, now=now,
        )
        for _ in range(2)
    ]  # fmt: skip
    assert plan.id == again.id
    assert list(await list_plans(session)) == []
    for later in (now, now + timedelta(days=1)):
        await publish_plan(session, plan_id=plan.id, authority_id=authority.id, actor_id=head.person.id, now=later)
    assert [row.published_at for row in await list_plans(session)] == [now]
    other = await make_organisation(session, now=now, kind=OrganisationKind.AUTHORITY)
    with pytest.raises(NotFound):
        await publish_plan(session, plan_id=plan.id, authority_id=other.id, actor_id=head.person.id, now=now)


async def test_a_batch_session_needs_a_published_plan_for_its_day(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    await fill_bank(session, vault, now=now)
    head, site = await make_site_head(session, vault, now=now)
    room = await make_room(session, site=site, head=head, now=now)
    reviewer = await make_reviewer(session, vault, now=now)
    authority = await make_organisation(session, now=now, kind=OrganisationKind.AUTHORITY)
    plan = await make_plan(
        session, authority_id=authority.id, title="十二月", starts_on=date(2026, 12, 1), ends_on=date(2026, 12, 31),
        actor_id=reviewer.person.id, now=now,
    )  # fmt: skip
    new = NewSession(
        LOW_VOLTAGE, ExamPart.THEORY, SessionMode.BATCH, room.id, 10, now + timedelta(days=20), plan_id=plan.id
    )
    with pytest.raises(PlanNotPublished):
        await open_session(session, site_id=site.id, new=new, actor_id=head.person.id, now=now)
    await publish_plan(session, plan_id=plan.id, authority_id=authority.id, actor_id=reviewer.person.id, now=now)
    outside = replace(new, starts_at=now + timedelta(days=60))
    with pytest.raises(PlanNotPublished):
        await open_session(session, site_id=site.id, new=outside, actor_id=head.person.id, now=now)
    opened = await open_session(session, site_id=site.id, new=new, actor_id=head.person.id, now=now)
    assert opened.ends_at - opened.starts_at == timedelta(minutes=120)


async def test_rooms_have_names_seats_and_a_purpose(session: AsyncSession, vault: Vault, now: datetime) -> None:
    head, site = await make_site_head(session, vault, now=now)
    for name, seats in (("", 10), ("一", 0), ("一", 501)):
        with pytest.raises(BadRoom):
            await add_room(
                session, site_id=site.id, name=name, seats=seats, is_practical=False, actor_id=head.person.id, now=now
            )
    room = await make_room(session, site=site, head=head, now=now, name="一", seats=10)
    assert (await make_room(session, site=site, head=head, now=now, name="一", seats=10)).id == room.id
    with pytest.raises(RoomKnown):
        await make_room(session, site=site, head=head, now=now, name="一", seats=12)
    new = NewSession(LOW_VOLTAGE, ExamPart.PRACTICAL, SessionMode.ON_DEMAND, room.id, 5, now + timedelta(days=1))
    with pytest.raises(WrongRoom):
        await open_session(session, site_id=site.id, new=new, actor_id=head.person.id, now=now)


async def test_what_cannot_be_held_is_refused(session: AsyncSession, vault: Vault, now: datetime) -> None:
    head, site = await make_site_head(session, vault, now=now)
    theory = await make_room(session, site=site, head=head, now=now, seats=10)
    practical = await make_room(session, site=site, head=head, now=now, seats=10, is_practical=True)
    new = NewSession(LOW_VOLTAGE, ExamPart.THEORY, SessionMode.ON_DEMAND, theory.id, 10, now + timedelta(days=1))

    async def attempt(changed: NewSession) -> None:
        await open_session(session, site_id=site.id, new=changed, actor_id=head.person.id, now=now)

    with pytest.raises(TooManySeats):
        await attempt(replace(new, seats=11))
    with pytest.raises(StartsInThePast):
        await attempt(replace(new, starts_at=now))
    with pytest.raises(NoPaperPossible):
        await attempt(new)
    with pytest.raises(NoPractical):
        await attempt(replace(new, qualification_code="PRINCIPAL", part=ExamPart.PRACTICAL, room_id=practical.id))
    _, stranger = await make_site_head(session, vault, now=now)
    with pytest.raises(NotFound):
        await open_session(session, site_id=stranger.id, new=new, actor_id=head.person.id, now=now)


@pytest.mark.parametrize(
    ("minutes_later", "fits"), [(0, False), (149, False), (150, True), (-150, True), (-149, False)]
)
async def test_two_sessions_keep_half_an_hour_between_them(
    session: AsyncSession, vault: Vault, now: datetime, minutes_later: int, fits: bool
) -> None:
    await fill_bank(session, vault, now=now)
    head, site = await make_site_head(session, vault, now=now)
    room = await make_room(session, site=site, head=head, now=now)
    await make_session(session, vault, now=now, room=room, head=head, seats=10)
    if fits:
        await make_session(session, vault, now=now, room=room, head=head, seats=11, in_hours=72 + minutes_later / 60)
    else:
        with pytest.raises(RoomTaken):
            await make_session(
                session, vault, now=now, room=room, head=head, seats=11, in_hours=72 + minutes_later / 60
            )


async def test_cancelling_a_session_frees_its_bookings_and_its_room(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    await fill_bank(session, vault, now=now)
    head, site = await make_site_head(session, vault, now=now)
    room = await make_room(session, site=site, head=head, now=now)
    opened = await make_session(session, vault, now=now, room=room, head=head)
    booking = await make_booking(session, vault, now=now, exam_session=opened)
    with pytest.raises(ReasonNeeded):
        await cancel_session(
            session, exam_session_id=opened.id, site_id=site.id, reason=" ", actor_id=head.person.id, now=now
        )
    for _ in range(2):
        cancelled = await cancel_session(
            session, exam_session_id=opened.id, site_id=site.id, reason="停电", actor_id=head.person.id, now=now
        )
    assert cancelled.status is SessionStatus.CANCELLED
    assert cancelled.cancel_reason == "停电"
    assert (await session.get(Booking, booking.id)).status is BookingStatus.CANCELLED  # type: ignore[union-attr]
    again = await make_session(session, vault, now=now, room=room, head=head)
    assert again.id != opened.id


async def test_a_session_with_somebody_checked_in_is_not_cancelled(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    await fill_bank(session, vault, now=now)
    head, site = await make_site_head(session, vault, now=now)
    opened = await make_session(
        session, vault, now=now, head=head, room=await make_room(session, site=site, head=head, now=now)
    )
    booking = await make_booking(session, vault, now=now, exam_session=opened)
    booking.status = BookingStatus.CHECKED_IN
    session.add(booking)
    await session.flush()
    with pytest.raises(SessionBegun):
        await cancel_session(
            session, exam_session_id=opened.id, site_id=site.id, reason="停电", actor_id=head.person.id, now=now
        )

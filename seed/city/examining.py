"""Exams as they are held: sessions, seats, identities, answers, practical marks, releases."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from exams.answers import AnswerAct, device_token_hash, list_events, save_answers
from exams.chain import next_link, verify_chain
from exams.check_in import check_in_by_officer
from exams.identity.checks import SAME_PERSON
from exams.models import ExamPart, SessionMode, Sitting
from exams.papers import LETTERS, PaperItem, paper_items
from exams.practical import TaskMark, confirm_result, enter_result
from exams.scheduling import NewSession, open_session
from exams.seating import book_seat
from exams.sittings import Device
from exams.starting import start_sitting
from question_bank.queries import list_revisions
from seed.city.applying import LOW_VOLTAGE, Candidate
from training.columns import new_id

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.models import AnswerEvent
    from exams.sittings import Entry
    from question_bank.queries import RevisionText
    from seed.city.state import City

_HEADS = {"site-1": "site_head", "site-2": "site_head_2", "site-3": "site_head_3", "site-4": "site_head_4"}
_SUBJECTS = ("K1", "K2", "K3", "K4")


@dataclass(frozen=True)
class Held:
    """A session with where and when it is held."""

    id: UUID
    site: str
    part: ExamPart
    starts_at: datetime


@dataclass(frozen=True)
class Seat:
    """A candidate's seat."""

    candidate: Candidate
    booking_id: UUID


def head_of(city: City, site: str) -> UUID:
    """Who runs a site."""
    return city.who(_HEADS[site])


async def schedule(
    session: AsyncSession,
    city: City,
    *,
    site: str,
    room: int,
    starts_at: datetime,
    now: datetime,
    part: ExamPart = ExamPart.THEORY,
    seats: int = 0,
    plan_id: UUID | None = None,
) -> Held:
    """Open a session: of a plan if one is named, else on demand."""
    new = NewSession(
        qualification_code=LOW_VOLTAGE,
        part=part,
        mode=SessionMode.BATCH if plan_id else SessionMode.ON_DEMAND,
        room_id=city.rooms[f"{site}/{room}"],
        seats=seats or (6 if part is ExamPart.PRACTICAL else 20 if site == "site-1" else 10),
        starts_at=starts_at,
        plan_id=plan_id,
    )
    opened = await open_session(session, site_id=city.places[site], new=new, actor_id=head_of(city, site), now=now)
    return Held(opened.id, site, part, starts_at)


async def seat(session: AsyncSession, held: Held, candidates: Sequence[Candidate], *, now: datetime) -> list[Seat]:
    """Book a seat for each."""
    return [
        Seat(
            candidate,
            (
                await book_seat(
                    session, exam_session_id=held.id, application_id=candidate.application_id,
                    person_id=candidate.person.id, now=now,
                )
            ).id,
        )
        for candidate in candidates
    ]  # fmt: skip


async def let_in(session: AsyncSession, city: City, held: Held, taken: Seat, *, now: datetime) -> None:
    """An officer looks at the document and lets the candidate in."""
    officer = city.who("invigilator") if held.site == "site-1" else head_of(city, held.site)
    await check_in_by_officer(
        session, booking_id=taken.booking_id, exam_session_id=held.id, site_id=city.places[held.site], is_same=True,
        reason=SAME_PERSON[0], note="", officer_id=officer, now=now,
    )  # fmt: skip


async def begin(session: AsyncSession, city: City, taken: Seat, *, now: datetime) -> Entry:
    """Open the candidate's sitting on a computer of the site."""
    return await start_sitting(
        session, booking_id=taken.booking_id, person_id=taken.candidate.person.id, device=site_device(city),
        seed=secrets.randbits(63), now=now,
    )  # fmt: skip


def site_device(city: City) -> Device:
    """A browser that nobody will open again."""
    return Device(sign_in_id=new_id(), key=city.session_key)


async def answer(
    session: AsyncSession, city: City, entry: Entry, *, right: int, upto: int, now: datetime, first: int = 1
) -> None:
    """Answer the positions from `first` to `upto`, so many of them right."""
    sitting = await session.get_one(Sitting, entry.sitting_id)
    paper = paper_items(sitting.paper)
    revisions = await list_revisions(session, [item.revision_id for item in paper])
    acts = _choose(paper, revisions, places=range(first, upto + 1), right=right, chance=city.chance)
    linked = _link(await list_events(session, sitting.id), acts, sitting.id)
    await save_answers(
        session, sitting_id=entry.sitting_id, token_hash=device_token_hash(entry.device_token), acts=linked, now=now
    )


def _link(before: Sequence[AnswerEvent], acts: Sequence[AnswerAct], sitting_id: UUID) -> list[AnswerAct]:
    """The acts with their links, as the page makes them."""
    head = verify_chain(sitting_id, before).head
    linked = []
    for act in acts:
        head = next_link(head, seq=act.seq, position=act.position, choice=act.choice, answered_at=act.answered_at)
        linked.append(replace(act, link=head))
    return linked


def _choose(
    paper: Sequence[PaperItem],
    revisions: Mapping[UUID, RevisionText],
    *,
    places: range,
    right: int,
    chance: random.Random,
) -> list[AnswerAct]:
    known = set(chance.sample(places, min(right, len(places))))
    acts = []
    for place in places:
        item = paper[place - 1]
        key = revisions[item.revision_id].key
        shown = (
            "".join(sorted(LETTERS[item.order.index(LETTERS.index(letter))] for letter in key)) if item.order else key
        )
        acts.append(AnswerAct(place, place, shown if place in known else _miss(shown, item)))
    return acts


def _miss(shown: str, item: PaperItem) -> str:
    """Another answer than the right one."""
    if not item.order:
        return "F" if shown == "T" else "T"
    if len(shown) > 1:
        return shown[:-1]
    return LETTERS[(LETTERS.index(shown) + 1) % len(item.order)]


async def assess(
    session: AsyncSession, city: City, held: Held, taken: Seat, *, points: Sequence[int], now: datetime, veto: str = ""
) -> None:
    """The first assessor enters the marks of the four subjects."""
    marks = {
        subject: TaskMark(Decimal(given), veto if subject == "K2" else "")
        for subject, given in zip(_SUBJECTS, points, strict=True)
    }
    await enter_result(
        session, booking_id=taken.booking_id, site_id=city.places[held.site], marks=marks,
        assessor_id=city.who("assessor_1"), key=city.session_key, now=now,
    )  # fmt: skip


async def countersign(session: AsyncSession, city: City, held: Held, taken: Seat, *, now: datetime) -> None:
    """The second assessor signs."""
    await confirm_result(
        session, booking_id=taken.booking_id, site_id=city.places[held.site], assessor_id=city.who("assessor_2"),
        now=now,
    )  # fmt: skip


def minutes(count: float) -> timedelta:
    """So many minutes."""
    return timedelta(minutes=count)

"""An item found wrong: tried out, decided by two people, and everything that follows in one act."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, select

from exams.handing_in import close_overdue
from exams.models import (
    AnswerEvent,
    Application,
    ApplicationStatus,
    Booking,
    RegradeKind,
    RegradeStatus,
    Score,
    ScoreRevision,
    Sitting,
)
from exams.papers import paper_items
from exams.queries_regrades import list_fallen
from exams.regrade_effects import try_regrade
from exams.regrading import (
    AlreadyDecided,
    AlreadyProposed,
    BadKey,
    BadKeys,
    FiguresMoved,
    SecondPersonNeeded,
    approve_regrade,
    checked_key,
    propose_regrade,
    refuse_regrade,
)
from exams.rulings import Ruling, ruling_of
from question_bank.models import ItemLevel, ItemType
from question_bank.queries import RevisionText, list_revisions
from tests.makers.people import make_organisation, make_person, make_role
from tests.makers.receipts import KEYS
from tests.makers.sittings import GRACE, answer, make_sitting, review_and_release, right_choices
from training.models import AuditEntry, Notice, OrganisationKind, Role

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.models import Regrade
    from tests.makers.sittings import Sat
    from training.vault import Vault


async def sit(
    session: AsyncSession, vault: Vault, *, right: int, now: datetime, release: bool = True
) -> tuple[Sat, Score, Application]:
    """A sitting with the first so many answers right; the positions from 81 on are left open."""
    sat = await make_sitting(session, vault, now=now)
    await answer(session, sat, (await right_choices(session, sat.id))[:right], now=now)
    await close_overdue(session, now=sat.entry.deadline + GRACE, countersign=KEYS.countersign)
    booking = await session.get_one(Booking, sat.booking_id)
    if release:
        await review_and_release(
            session, exam_session_id=booking.exam_session_id, actor_id=sat.who.person.id, now=sat.entry.deadline
        )
    score = (await session.exec(select(Score).where(Score.sitting_id == sat.id))).one()
    return sat, score, await session.get_one(Application, booking.application_id)


async def revision_at(session: AsyncSession, sitting_id: UUID, position: int) -> UUID:
    sitting = await session.get_one(Sitting, sitting_id)
    return paper_items(sitting.paper)[position - 1].revision_id


async def propose(
    session: AsyncSession, revision_id: UUID, kind: RegradeKind, *, actor_id: UUID, now: datetime, key: str = ""
) -> Regrade:
    return await propose_regrade(
        session, revision_id=revision_id, kind=kind, new_key=key, reason="答案有误", actor_id=actor_id, now=now
    )


async def approve(
    session: AsyncSession, regrade: Regrade, *, actor_id: UUID, now: datetime, certified: tuple[UUID, ...] = ()
) -> None:
    dry_run = await try_regrade(session, revision_id=regrade.revision_id, ruling=ruling_of(regrade))
    await approve_regrade(
        session, regrade_id=regrade.id, actor_id=actor_id, seen=dry_run.digest, certified=certified, now=now
    )


async def test_a_fail_by_one_item_rises_when_it_is_given_to_all(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat, score, application = await sit(session, vault, right=79, now=now)
    application.theory_attempts, application.status = 2, ApplicationStatus.FAILED
    session.add(application)
    other = await make_person(session, vault, now=now)
    revision_id = await revision_at(session, sat.id, 90)
    dry_run = await try_regrade(session, revision_id=revision_id, ruling=Ruling(RegradeKind.GIVE_ALL))
    (line,) = dry_run.lines
    assert (line.points, line.new_points, line.rises, dry_run.rising, dry_run.falling) == (
        Decimal(79),
        Decimal(80),
        True,
        1,
        0,
    )
    assert (dry_run.before.takers, dry_run.before.p, dry_run.before.discrimination) == (1, 0, None)
    assert score.points == 79
    regrade = await propose(session, revision_id, RegradeKind.GIVE_ALL, actor_id=sat.who.person.id, now=now)
    for _ in range(2):
        await approve(session, regrade, actor_id=other.person.id, now=sat.entry.deadline)
    assert (score.points, score.passed, score.released_at) == (Decimal(80), True, sat.entry.deadline)
    assert (application.status, application.theory_passed_on is not None) == (ApplicationStatus.ACCEPTED, True)
    (kept,) = (await session.exec(select(ScoreRevision).where(ScoreRevision.score_id == score.id))).all()
    assert (kept.regrade_id, kept.was["points"], kept.became["points"]) == (regrade.id, "79.00", "80")
    noted = select(AuditEntry.action).where(col(AuditEntry.action).in_(("regrade.approved", "score.changed")))
    assert sorted((await session.exec(noted)).all()) == ["regrade.approved", "score.changed"]


@pytest.mark.parametrize("is_certified", [False, True])
async def test_a_pass_falls_when_the_key_changes_but_never_takes_a_certificate_by_itself(
    session: AsyncSession, vault: Vault, now: datetime, is_certified: bool
) -> None:
    sat, score, application = await sit(session, vault, right=80, now=now)
    revision_id = await revision_at(session, sat.id, 1)
    item = (await list_revisions(session, [revision_id]))[revision_id]
    key = "F" if item.key == "T" else "T"
    regrade = await propose(session, revision_id, RegradeKind.CHANGE_KEY, actor_id=sat.who.person.id, now=now, key=key)
    other = await make_person(session, vault, now=now)
    certified = (application.id,) if is_certified else ()
    await approve(session, regrade, actor_id=other.person.id, now=now, certified=certified)
    assert (score.points, score.passed) == (Decimal(79), False)
    assert (application.theory_passed_on is not None) is is_certified


async def test_the_proposer_cannot_approve_and_neither_can_the_database(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat, _, _ = await sit(session, vault, right=79, now=now)
    revision_id = await revision_at(session, sat.id, 90)
    actor_id = sat.who.person.id
    regrade = await propose(session, revision_id, RegradeKind.DROP, actor_id=actor_id, now=now)
    assert (await propose(session, revision_id, RegradeKind.DROP, actor_id=actor_id, now=now)).id == regrade.id
    with pytest.raises(AlreadyProposed):
        await propose(session, revision_id, RegradeKind.GIVE_ALL, actor_id=actor_id, now=now)
    with pytest.raises(SecondPersonNeeded):
        await approve(session, regrade, actor_id=actor_id, now=now)
    regrade.status, regrade.decided_by, regrade.decided_at = RegradeStatus.APPROVED, actor_id, now
    session.add(regrade)
    with pytest.raises(IntegrityError, match="regrade_needs_two"):
        await session.flush()


async def test_what_moved_since_it_was_seen_is_looked_at_again(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat, score, _ = await sit(session, vault, right=79, now=now)
    other = await make_person(session, vault, now=now)
    revision_id = await revision_at(session, sat.id, 90)
    regrade = await propose(session, revision_id, RegradeKind.GIVE_ALL, actor_id=sat.who.person.id, now=now)
    with pytest.raises(FiguresMoved):
        await approve_regrade(session, regrade_id=regrade.id, actor_id=other.person.id, seen="", certified=(), now=now)
    assert score.points == 79
    await refuse_regrade(session, regrade_id=regrade.id, actor_id=sat.who.person.id, note="答案无误", now=now)
    with pytest.raises(AlreadyDecided):
        await approve(session, regrade, actor_id=other.person.id, now=now)


async def test_a_paper_handed_in_later_is_marked_by_the_decision(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat = await make_sitting(session, vault, now=now)
    await answer(session, sat, (await right_choices(session, sat.id))[:79], now=now)
    revision_id = await revision_at(session, sat.id, 90)
    regrade = await propose(session, revision_id, RegradeKind.DROP, actor_id=sat.who.person.id, now=now)
    other = await make_person(session, vault, now=now)
    await approve(session, regrade, actor_id=other.person.id, now=now)
    await close_overdue(session, now=sat.entry.deadline + GRACE, countersign=KEYS.countersign)
    score = (await session.exec(select(Score).where(Score.sitting_id == sat.id))).one()
    assert (score.points, score.total, score.cut_score) == (Decimal(79), Decimal(99), Decimal("79.20"))
    assert not score.passed


async def test_a_decision_that_met_a_hand_in_is_made_good_at_the_release(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat, score, _ = await sit(session, vault, right=79, now=now, release=False)
    revision_id = await revision_at(session, sat.id, 90)
    regrade = await propose(session, revision_id, RegradeKind.GIVE_ALL, actor_id=sat.who.person.id, now=now)
    other = await make_person(session, vault, now=now)
    # As if it had been approved between the hand-in's look at the decisions and its commit.
    regrade.status, regrade.decided_by, regrade.decided_at = RegradeStatus.APPROVED, other.person.id, now
    session.add(regrade)
    booking = await session.get_one(Booking, sat.booking_id)
    await review_and_release(
        session, exam_session_id=booking.exam_session_id, actor_id=other.person.id, now=sat.entry.deadline
    )
    assert (score.points, score.passed) == (Decimal(80), True)


@pytest.mark.parametrize(
    ("item_type", "typed", "key"),
    [
        (ItemType.SC, "A或C", "A|C"), (ItemType.SC, "c,a", "A|C"), (ItemType.SC, "CA", "A|C"),
        (ItemType.SC, "A or D", "A|D"), (ItemType.SC, "A | B / C", "A|B|C"), (ItemType.TF, "T|F", "F|T"),
        (ItemType.MC, "ACD 或 CA", "AC|ACD"), (ItemType.MC, "A 或 A、C", "A|AC"),
        (ItemType.SC, "A", None), (ItemType.SC, "A或A", None), (ItemType.SC, "A或E", None), (ItemType.SC, "", None),
        (ItemType.MC, "ACD", None), (ItemType.MC, "AC|CA", None), (ItemType.TF, "T|A", None),
    ],
)  # fmt: skip
def test_several_keys_are_read_however_they_are_typed(item_type: ItemType, typed: str, key: str | None) -> None:
    options = () if item_type is ItemType.TF else ("一", "二", "三", "四")
    item = replace(make_text(), type=item_type, options=options)
    if key is None:
        with pytest.raises(BadKeys):
            checked_key(item, RegradeKind.ACCEPT_KEYS, typed)
    else:
        assert checked_key(item, RegradeKind.ACCEPT_KEYS, typed) == key


def make_text() -> RevisionText:
    return RevisionText(
        id=UUID(int=1), item_id=UUID(int=1), code="T1", subject="T", number=1, type=ItemType.SC, area=1,
        level=ItemLevel.KNOW, key_point="", is_local=False, stem="", options=(), key="A", explanation="", source="",
    )  # fmt: skip


async def test_two_keys_that_earn_and_what_the_candidate_is_told(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat, score, _ = await sit(session, vault, right=79, now=now)
    other = await make_person(session, vault, now=now)
    position, wrong = await answer_wrongly(session, sat, now=now)
    revision_id = await revision_at(session, sat.id, position)
    item = (await list_revisions(session, [revision_id]))[revision_id]
    regrade = await propose(
        session, revision_id, RegradeKind.ACCEPT_KEYS, actor_id=sat.who.person.id, now=now, key=f"{item.key}或{wrong}"
    )
    dry_run = await try_regrade(session, revision_id=revision_id, ruling=ruling_of(regrade))
    assert (dry_run.rising, dry_run.after and dry_run.after.right, dry_run.before.right) == (1, 1, 0)
    for _ in range(2):
        await approve(session, regrade, actor_id=other.person.id, now=sat.entry.deadline)
    assert (score.points, score.passed) == (Decimal(80), True)
    told = select(Notice).where(Notice.person_id == sat.who.person.id, Notice.kind == "SCORE_CHANGED")
    (notice,) = (await session.exec(told)).all()
    assert notice.link == f"/sittings/{sat.id}/result"
    assert {name: notice.detail[name] for name in ("before", "points", "passed", "reason")} == {
        "before": "79.00", "points": "80", "passed": True, "reason": "答案有误",
    }  # fmt: skip


async def answer_wrongly(session: AsyncSession, sat: Sat, *, now: datetime) -> tuple[int, str]:
    """As if an SC item that was left open had been answered with a wrong option; gives its original letter."""
    sitting = await session.get_one(Sitting, sat.id)
    paper = paper_items(sitting.paper)
    texts = await list_revisions(session, [item.revision_id for item in paper])
    for position, item in enumerate(paper, start=1):
        text = texts[item.revision_id]
        if position > 80 and text.type is ItemType.SC:
            shown = next(letter for letter in "ABCD" if item.original(letter) != text.key)
            session.add(AnswerEvent(sitting_id=sat.id, seq=1000, position=position, choice=shown, saved_at=now))
            await session.flush()
            return position, item.original(shown)
    pytest.fail("no SC item stands behind position 80")


async def test_a_holder_and_the_issuers_are_told_of_a_certificate_that_a_regrade_touches(
    session: AsyncSession, vault: Vault, now: datetime
) -> None:
    sat, _, application = await sit(session, vault, right=80, now=now)
    authority = await make_organisation(session, now=now, kind=OrganisationKind.AUTHORITY)
    issuer = await make_role(session, vault, role=Role.ISSUER, organisation=authority, now=now)
    revision_id = await revision_at(session, sat.id, 1)
    item = (await list_revisions(session, [revision_id]))[revision_id]
    key = "F" if item.key == "T" else "T"
    regrade = await propose(session, revision_id, RegradeKind.CHANGE_KEY, actor_id=sat.who.person.id, now=now, key=key)
    await approve(session, regrade, actor_id=issuer.person.id, now=now, certified=(application.id,))
    told = {(notice.person_id, notice.kind) for notice in (await session.exec(select(Notice))).all()}
    assert {(sat.who.person.id, "CERTIFICATE_AFFECTED"), (issuer.person.id, "CERTIFICATES_TO_JUDGE")} <= told
    assert regrade.figures["certified"] == 1
    (fallen,) = await list_fallen(session, regrade.id)
    assert (fallen.application_id, fallen.points, fallen.cut_score) == (application.id, Decimal(79), Decimal(80))


@pytest.mark.parametrize("key", ["", "T", "A", "X"])
async def test_a_new_key_is_a_possible_and_another_one(
    session: AsyncSession, vault: Vault, now: datetime, key: str
) -> None:
    sat, _, _ = await sit(session, vault, right=79, now=now)
    revision_id = await revision_at(session, sat.id, 1)
    item = (await list_revisions(session, [revision_id]))[revision_id]
    assert item.type is ItemType.TF
    with pytest.raises(BadKey):
        checked_key(item, RegradeKind.CHANGE_KEY, item.key if key == "T" else key)

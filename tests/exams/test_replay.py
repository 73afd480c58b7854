"""A sitting is proved from what is stored of it, and tampering by whoever rules the database shows."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlmodel import select

from exams.answers import list_events
from exams.chain import verify_chain
from exams.handing_in import close_overdue, hand_in
from exams.models import Score, Sitting
from exams.papers import draw_paper
from exams.replay import Replay, replay_sitting
from question_bank.difficulty import Difficulty, record_difficulties, set_enemies
from question_bank.models import ItemRevision, RevisionStatus
from question_bank.queries import get_blueprint_version, list_revisions, load_pool
from tests.makers.items import make_bank
from tests.makers.receipts import KEY_ID, KEYS, next_acts, send
from tests.makers.sittings import Sat, answer, make_enterprise_sitting, make_sitting, right_choices
from training.errors import NotFound
from web.commands.replay import show

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault


@pytest.fixture
async def sat(session: AsyncSession, vault: Vault, now: datetime) -> Sat:
    """Of the shipped bank; 85 right answers, then the time was up."""
    await make_bank(session, vault, now=now)
    sat = await make_sitting(session, vault, now=now, seed=4711)
    at = now + timedelta(minutes=5)
    acts = await next_acts(session, sat.id, (await right_choices(session, sat.id))[:85], at=at)
    await send(session, sat, acts, now=at)
    await close_overdue(session, now=now + timedelta(hours=3), countersign=KEYS.countersign)
    return sat


async def replay(session: AsyncSession, sat: Sat) -> Replay:
    session.expire_all()
    return await replay_sitting(session, sitting_id=sat.id, check_signature=KEYS.check_receipt)


async def faults(session: AsyncSession, sat: Sat) -> list[str]:
    return [check.name for check in (await replay(session, sat)).checks if not check.holds]


async def tamper(session: AsyncSession, table: str, statement: str, **values: object) -> None:
    """As one who rules the database may: with its guards off."""
    await session.flush()
    connection = await session.connection()
    await connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
    await connection.execute(text(statement), values)
    await connection.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))


async def test_an_untouched_sitting_is_proved(
    session: AsyncSession, sat: Sat, capsys: pytest.CaptureFixture[str]
) -> None:
    found = await replay(session, sat)
    assert [check.name for check in found.checks] == [
        "paper", "answers", "chain", "hand-in", "receipt", "score", "late answers",
    ]  # fmt: skip
    assert found.algorithm == "equate-1"
    assert show(found) == 0
    said = capsys.readouterr().out
    assert "Verdict: what is stored is what was dealt, answered, countersigned and earned." in said
    assert "85 events in one chain" in said
    assert f"signed by key {KEY_ID}" in said
    assert "85 of 100, passed" in said
    assert "DIFFERS" not in said


async def test_an_open_sitting_has_no_score_yet(session: AsyncSession, vault: Vault, now: datetime) -> None:
    sat = await make_sitting(session, vault, now=now)
    assert (await replay(session, sat)).stands


async def test_an_enterprise_sitting_is_proved_too(session: AsyncSession, vault: Vault, now: datetime) -> None:
    sat = await make_enterprise_sitting(session, vault, now=now)
    await answer(session, sat, (await right_choices(session, sat.id))[:3], now=now)
    assert (await replay(session, sat)).stands


async def test_what_came_later_to_the_bank_changes_nothing(session: AsyncSession, sat: Sat, now: datetime) -> None:
    later = now + timedelta(days=1)
    sitting = await session.get_one(Sitting, sat.id)
    blueprint = await get_blueprint_version(session, sitting.blueprint_id)
    pool = await load_pool(session, blueprint.code)
    estimates = {item.revision_id: Difficulty(1500, 100) for item in pool.items}
    await record_difficulties(session, subject=blueprint.code, estimates=estimates, now=later)
    first, second = [item.revision_id for item in pool.items[:2]]
    texts = await list_revisions(session, [first, second])
    await set_enemies(
        session, item_id=texts[first].item_id, other_id=texts[second].item_id, are_enemies=True,
        actor_id=sat.who.person.id, now=later,
    )  # fmt: skip
    retired = await session.get_one(ItemRevision, pool.items[5].revision_id)
    retired.status, retired.retired_at = RevisionStatus.RETIRED, later
    session.add(retired)
    await session.flush()
    assert await faults(session, sat) == []


async def test_enemies_that_were_made_up_since_still_count(session: AsyncSession, vault: Vault, now: datetime) -> None:
    await make_bank(session, vault, now=now)
    pool = await load_pool(session, "SO_1_2")
    texts = await list_revisions(session, [item.revision_id for item in pool.items])
    pairs = list(zip(pool.items[::2], pool.items[1::2], strict=False))[:60]
    author_id = (await session.get_one(ItemRevision, pool.items[0].revision_id)).author_id
    sat: Sat | None = None
    for are_enemies, at in ((True, now), (False, now + timedelta(days=1))):
        for first, second in pairs:
            await set_enemies(
                session, item_id=texts[first.revision_id].item_id, other_id=texts[second.revision_id].item_id,
                are_enemies=are_enemies, actor_id=author_id, now=at,
            )  # fmt: skip
        sat = sat or await make_sitting(session, vault, now=now)
    assert sat
    assert await faults(session, sat) == []


async def test_a_paper_that_was_drawn_plainly_is_dealt_again(session: AsyncSession, sat: Sat) -> None:
    sitting = await session.get_one(Sitting, sat.id)
    blueprint = await get_blueprint_version(session, sitting.blueprint_id)
    paper = draw_paper((await load_pool(session, blueprint.code)).items, blueprint.cells, seed=sitting.seed)
    statement = "UPDATE sitting SET algorithm = 'draw-1', paper = CAST(:paper AS jsonb) WHERE id = :id"
    await tamper(session, "sitting", statement, paper=json.dumps(paper.stored()), id=sat.id)
    assert "paper" not in await faults(session, sat)


async def test_a_tampered_paper_shows(session: AsyncSession, sat: Sat, capsys: pytest.CaptureFixture[str]) -> None:
    sitting = await session.get_one(Sitting, sat.id)
    paper = [dict(row) for row in sitting.paper]
    paper[98], paper[99] = paper[99], paper[98]
    statement = "UPDATE sitting SET paper = CAST(:paper AS jsonb) WHERE id = :id"
    await tamper(session, "sitting", statement, paper=json.dumps(paper), id=sat.id)
    assert await faults(session, sat) == ["paper", "receipt"]
    assert show(await replay(session, sat)) == 1
    said = capsys.readouterr().out
    assert "DIFFERS paper: differs from what the seed deals at 99, 100" in said
    assert "Verdict: DIFFERENT" in said


@pytest.mark.parametrize(
    "change", ["seed = seed + 1", "bank_digest = decode('00', 'hex')", "algorithm = 'draw-1'", "item_count = 99"]
)
async def test_a_changed_provenance_shows(session: AsyncSession, sat: Sat, change: str) -> None:
    await tamper(session, "sitting", f"UPDATE sitting SET {change} WHERE id = :id", id=sat.id)  # noqa: S608
    assert "paper" in await faults(session, sat)


async def test_an_answer_slipped_in_shows(session: AsyncSession, sat: Sat, now: datetime) -> None:
    right = await right_choices(session, sat.id)
    statement = (
        "INSERT INTO answer_event (sitting_id, seq, position, choice, saved_at) VALUES (:id, 86, 86, :choice, :at)"
    )
    await tamper(session, "answer_event", statement, id=sat.id, choice=right[85], at=now + timedelta(minutes=6))
    assert await faults(session, sat) == ["hand-in", "receipt", "score"]


async def test_an_answer_after_the_end_shows_even_if_it_earns_nothing(
    session: AsyncSession, sat: Sat, now: datetime
) -> None:
    statement = "INSERT INTO answer_event (sitting_id, seq, position, choice, saved_at) VALUES (:id, 99, 86, '', :at)"
    await tamper(session, "answer_event", statement, id=sat.id, at=now + timedelta(days=1))
    assert await faults(session, sat) == ["answers", "chain", "receipt"]


async def test_an_answer_that_was_changed_shows(session: AsyncSession, sat: Sat) -> None:
    statement = "UPDATE answer_event SET choice = 'Z' WHERE sitting_id = :id AND seq = 3"
    await tamper(session, "answer_event", statement, id=sat.id)
    assert await faults(session, sat) == ["chain", "receipt", "score"]


async def test_an_answer_taken_away_shows(session: AsyncSession, sat: Sat) -> None:
    await tamper(session, "answer_event", "DELETE FROM answer_event WHERE sitting_id = :id AND seq = 85", id=sat.id)
    assert await faults(session, sat) == ["hand-in", "receipt", "score"]


async def test_answers_in_another_order_show_even_if_they_earn_the_same(session: AsyncSession, sat: Sat) -> None:
    statement = "UPDATE answer_event SET answered_at = answered_at + interval '1 s' WHERE sitting_id = :id AND seq = 9"
    await tamper(session, "answer_event", statement, id=sat.id)
    assert await faults(session, sat) == ["chain", "receipt"]


async def test_a_chain_made_anew_does_not_pass_for_the_countersigned_one(session: AsyncSession, sat: Sat) -> None:
    await tamper(session, "answer_event", "UPDATE answer_event SET link = NULL WHERE sitting_id = :id", id=sat.id)
    assert await faults(session, sat) == []
    await tamper(session, "answer_event", "UPDATE answer_event SET choice = 'Z' WHERE seq = 1", id=sat.id)
    head = verify_chain(sat.id, await list_events(session, sat.id)).head
    await tamper(session, "sitting", "UPDATE sitting SET chain_head = :head WHERE id = :id", head=head, id=sat.id)
    found = {check.name: check for check in (await replay(session, sat)).checks}
    assert not found["receipt"].holds
    assert "is not over what is stored" in found["receipt"].says


async def test_a_key_that_is_not_here_is_said_and_not_passed(session: AsyncSession, sat: Sat) -> None:
    await tamper(session, "sitting", "UPDATE sitting SET receipt_key_id = 'lost' WHERE id = :id", id=sat.id)
    found = {check.name: check for check in (await replay(session, sat)).checks}
    assert not found["receipt"].holds
    assert found["receipt"].says == "cannot be checked: the receipt key lost is not here"
    without_keys = await replay_sitting(session, sitting_id=sat.id)
    assert not without_keys.stands


async def test_an_older_receipt_key_still_counts(session: AsyncSession, vault: Vault, now: datetime) -> None:
    sat = await make_sitting(session, vault, now=now)

    def by_the_older_key(data: bytes) -> tuple[str, bytes]:
        return "older", KEYS.receipt["older"].sign(data)

    end = sat.entry.deadline
    await hand_in(session, sitting_id=sat.id, person_id=sat.who.person.id, now=end, countersign=by_the_older_key)
    assert await faults(session, sat) == []


async def test_an_end_that_was_not_countersigned_shows(session: AsyncSession, vault: Vault, now: datetime) -> None:
    sat = await make_sitting(session, vault, now=now)
    end = sat.entry.deadline
    await hand_in(session, sitting_id=sat.id, person_id=sat.who.person.id, now=end, countersign=KEYS.countersign)
    statement = "UPDATE sitting SET chain_head = NULL, receipt_signature = NULL, receipt_key_id = NULL WHERE id = :id"
    await tamper(session, "sitting", statement, id=sat.id)
    assert await faults(session, sat) == ["receipt"]


async def test_answers_of_the_grace_are_proved(session: AsyncSession, vault: Vault, now: datetime) -> None:
    sat = await make_sitting(session, vault, now=now)
    end = sat.entry.deadline
    acts = await next_acts(session, sat.id, ["A", "B", "C"], at=end - timedelta(seconds=9))
    await send(session, sat, acts[:1], now=end - timedelta(seconds=1))
    assert (await send(session, sat, acts[1:], now=end + timedelta(seconds=30))).saved == (2, 3)
    await hand_in(
        session, sitting_id=sat.id, person_id=sat.who.person.id, now=end + timedelta(seconds=31),
        countersign=KEYS.countersign,
    )  # fmt: skip
    found = {check.name: check for check in (await replay(session, sat)).checks}
    assert found["answers"].says == "3 events, all within the sitting, 2 of them in the grace, proven by their chain"
    assert await faults(session, sat) == []
    await tamper(session, "answer_event", "UPDATE answer_event SET link = NULL WHERE seq = 3", id=sat.id)
    assert await faults(session, sat) == ["answers"]


async def test_late_answers_are_told_and_change_nothing(
    session: AsyncSession, sat: Sat, now: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    late = await next_acts(session, sat.id, ["A", "B"], at=now + timedelta(hours=1), first=86)
    assert (await send(session, sat, late, now=now + timedelta(hours=4))).kept_late == (86, 87)
    found = {check.name: check for check in (await replay(session, sat)).checks}
    assert found["late answers"].says == "kept and not counted: 2 AFTER_GRACE"
    assert show(await replay(session, sat)) == 0
    told = "number 86, position 86, A, made 2026-11-21T13:00:00.000Z, arrived 2026-11-21T16:00:00.000Z: AFTER_GRACE"
    assert told in capsys.readouterr().out
    assert await faults(session, sat) == []


@pytest.mark.parametrize("change", ["points = 99", "passed = false", "cut_score = 60", "areas = '{}'"])
async def test_a_wrong_score_shows(session: AsyncSession, sat: Sat, change: str) -> None:
    await tamper(session, "score", f"UPDATE score SET {change} WHERE sitting_id = :id", id=sat.id)  # noqa: S608
    assert await faults(session, sat) == ["score"]


async def test_a_missing_score_shows(session: AsyncSession, sat: Sat) -> None:
    await session.delete((await session.exec(select(Score).where(Score.sitting_id == sat.id))).one())
    await session.flush()
    assert await faults(session, sat) == ["score"]


async def test_an_unknown_sitting_is_not_found(session: AsyncSession) -> None:
    with pytest.raises(NotFound):
        await replay_sitting(session, sitting_id=uuid4())

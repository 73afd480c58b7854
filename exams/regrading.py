"""Regrading: an item found wrong is proposed by one person, tried out, approved by another, and every score follows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from sqlmodel import select

from exams.errors import ReasonNeeded
from exams.models import Qualification, Regrade, RegradeKind, RegradeStatus, ScoreState
from exams.papers import LETTERS
from exams.regrade_effects import work_out_effects
from exams.resettling import change_score, resettle
from exams.rulings import ruling_of
from exams.staff_regrades import regrade_staff
from question_bank.models import ItemRevision, ItemType, RevisionStatus
from question_bank.queries import list_revisions
from training import audit
from training.errors import N_, BadInput, Conflict, NotFound
from training.models import Role
from training.notices import NoticeKind, notify
from training.organisations import list_holders

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.regrade_effects import Effects
    from question_bank.queries import RevisionText

_LONGEST_REASON = 500
_LONGEST_KEY = 80
_BETWEEN_LETTERS = re.compile(r"[\s,，、]+")
_BETWEEN_KEYS = re.compile(r"[|/;；\n]+|或者?|or", re.IGNORECASE)


class BadKey(BadInput):
    """The new key is none, or the old one."""

    message = N_("请填写与原答案不同的新答案：判断题填 T 或 F，单选题填一个选项字母，多选题填两个以上选项字母。")


class BadKeys(BadInput):
    """The keys that shall earn are fewer than two, or impossible ones."""

    message = N_("请填写两个以上都可得分的答案，用“或”隔开，例如：A或C；多选题如：AC或ACD。")


class AlreadyProposed(Conflict):
    """One proposal per revision at a time."""

    message = N_("这道题已有一份待批准的更正，请先处理那一份。")


class NeverSat(Conflict):
    """A draft has no answers to mark again."""

    message = N_("这一版题目没有发布过，没有需要更正的成绩。请直接修改题目。")


class SecondPersonNeeded(Conflict):
    """Two different people decide (also a constraint of the database)."""

    message = N_("更正由您提出，须由另一名有权限的人员批准。")


class AlreadyDecided(Conflict):
    """Approved or refused before."""

    message = N_("这份更正已经处理完毕，不能再次决定。")


class FiguresMoved(Conflict):
    """What was looked at is no longer what would happen."""

    message = N_("受影响的成绩在您查看之后有变化。请核对下面的最新试算结果，再决定是否批准。")


def checked_key(item: RevisionText, kind: RegradeKind, new_key: str) -> str:
    """The new key in order, several as A|C|AC; empty for the other kinds. Raises `BadKey`, `BadKeys`."""
    if kind is RegradeKind.CHANGE_KEY:
        key = _in_order(new_key)
        is_one = len(key) == 1
        if key == item.key or not _is_possible(item, key) or is_one is (item.type is ItemType.MC):
            raise BadKey(field="new_key")
        return key
    if kind is RegradeKind.ACCEPT_KEYS:
        keys = _split_keys(item, new_key)
        joined = "|".join(keys)
        if len(keys) <= 1 or len(joined) > _LONGEST_KEY or not all(_is_possible(item, key) for key in keys):
            raise BadKeys(field="new_key")
        return joined
    return ""


def _split_keys(item: RevisionText, typed: str) -> list[str]:
    parts = _BETWEEN_KEYS.split(typed)
    if item.type is not ItemType.MC:
        # One letter is a whole key, so that "A、C" and "AC" are two.
        parts = [letter for part in parts for letter in _in_order(part)]
    return sorted({key for part in parts if (key := _in_order(part))}, key=lambda key: (len(key), key))


def _in_order(typed: str) -> str:
    return "".join(sorted(set(_BETWEEN_LETTERS.sub("", typed.upper()))))


def _is_possible(item: RevisionText, key: str) -> bool:
    allowed = "TF" if item.type is ItemType.TF else LETTERS[: len(item.options)]
    return bool(key) and not set(key) - set(allowed) and (len(key) == 1 or item.type is ItemType.MC)


async def propose_regrade(
    session: AsyncSession,
    *,
    revision_id: UUID,
    kind: RegradeKind,
    new_key: str,
    reason: str,
    actor_id: UUID,
    now: datetime,
) -> Regrade:
    """Propose what shall count for a revision. Asked again in the same words it gives the same proposal."""
    item = (await list_revisions(session, [revision_id]))[revision_id]
    key, reason = checked_key(item, kind, new_key), reason.strip()
    if not reason or len(reason) > _LONGEST_REASON:
        raise ReasonNeeded(field="reason")
    statement = select(ItemRevision).where(ItemRevision.id == revision_id).with_for_update()
    revision = (await session.exec(statement)).one()
    if revision.status not in {RevisionStatus.PUBLISHED, RevisionStatus.RETIRED} or revision.published_at is None:
        raise NeverSat
    waiting = select(Regrade).where(Regrade.revision_id == revision_id, Regrade.status == RegradeStatus.PROPOSED)
    known = (await session.exec(waiting)).one_or_none()
    if known is not None:
        if (known.kind, known.new_key, known.reason, known.proposed_by) == (kind, key, reason, actor_id):
            return known
        raise AlreadyProposed
    regrade = Regrade(
        revision_id=revision_id, kind=kind, new_key=key, reason=reason, proposed_by=actor_id, proposed_at=now
    )
    session.add(regrade)
    audit.record(
        session, action="regrade.proposed", target=("regrade", regrade.id), actor_id=actor_id, now=now,
        revision_id=revision_id, kind=kind, reason=reason,
    )  # fmt: skip
    await session.flush()
    return regrade


async def approve_regrade(
    session: AsyncSession, *, regrade_id: UUID, actor_id: UUID, seen: str, certified: Collection[UUID], now: datetime
) -> Regrade:
    """Let a second person put a proposal into force: scores, applications, records and notices at once, or nothing.

    `seen` is the digest of the dry run that the approver looked at. Applications in `certified`
    have led to a certificate: their scores change, their standing stays, since taking a
    certificate back is an act of its own (行政许可法 art. 69); holders and issuers are told.
    Raises `SecondPersonNeeded`, `AlreadyDecided`, `FiguresMoved`.
    """
    regrade = await _lock_regrade(session, regrade_id)
    if regrade.status is RegradeStatus.APPROVED and regrade.decided_by == actor_id:
        return regrade
    if regrade.status is not RegradeStatus.PROPOSED:
        raise AlreadyDecided
    if regrade.proposed_by == actor_id:
        raise SecondPersonNeeded
    effects = await work_out_effects(
        session, revision_id=regrade.revision_id, ruling=ruling_of(regrade), for_update=True
    )
    if effects.dry_run.digest != seen:
        raise FiguresMoved
    regrade.status, regrade.decided_by, regrade.decided_at = RegradeStatus.APPROVED, actor_id, now
    regrade.figures = _figures(effects, certified)
    session.add(regrade)
    await session.flush()
    await _change_scores(session, regrade, effects, certified=certified, actor_id=actor_id, now=now)
    await regrade_staff(session, regrade, effects, actor_id=actor_id, now=now)
    audit.record(
        session,
        action="regrade.approved",
        target=("regrade", regrade.id),
        actor_id=actor_id,
        now=now,
        **regrade.figures,
    )
    await session.flush()
    return regrade


def _figures(effects: Effects, certified: Collection[UUID]) -> dict[str, Any]:
    dry_run = effects.dry_run
    staff = dry_run.staff_effect
    return {
        "changed": dry_run.changing, "rising": dry_run.rising, "falling": dry_run.falling, "takers": len(effects.rows),
        "certified": len({line.application_id for line in dry_run.lines if line.falls} & set(certified)),
        "staff_changed": staff.changing, "staff_rising": staff.rising, "staff_falling": staff.falling,
        "staff_takers": staff.takers,
    }  # fmt: skip


async def _change_scores(
    session: AsyncSession,
    regrade: Regrade,
    effects: Effects,
    *,
    certified: Collection[UUID],
    actor_id: UUID,
    now: datetime,
) -> None:
    """The certificate exams: marks, standing of the applications, and what their candidates are told."""
    for row in effects.rows:
        before, had_passed = row.score.points, row.score.passed
        mark = effects.marks[row.score.id]
        has_changed = change_score(session, row.score, mark, actor_id=actor_id, now=now, regrade_id=regrade.id)
        # Who has not been told a score yet is told the new one at its release.
        if not has_changed or row.score.state is not ScoreState.RELEASED:
            continue
        title = (await session.get_one(Qualification, row.application.qualification_code)).name
        person_ids, link = [row.sitting.person_id], f"/sittings/{row.sitting.id}/result"
        notify(
            session, person_ids, NoticeKind.SCORE_CHANGED, now=now, link=link, title=title, before=before,
            points=mark.points, total=mark.total, passed=mark.passed, reason=regrade.reason,
        )  # fmt: skip
        if had_passed and not mark.passed and row.application.id in certified:
            notify(session, person_ids, NoticeKind.CERTIFICATE_AFFECTED, now=now, link=link, title=title)
    await session.flush()
    for application in {row.application.id: row.application for row in effects.rows}.values():
        await resettle(session, application, is_certified=application.id in certified, now=now)
    if regrade.figures["certified"]:
        item = (await list_revisions(session, [regrade.revision_id]))[regrade.revision_id]
        notify(
            session, await list_holders(session, role=Role.ISSUER), NoticeKind.CERTIFICATES_TO_JUDGE, now=now,
            link=f"/authority/regrades/{regrade.id}", code=item.code, count=regrade.figures["certified"],
        )  # fmt: skip


async def refuse_regrade(
    session: AsyncSession, *, regrade_id: UUID, actor_id: UUID, note: str, now: datetime
) -> Regrade:
    """Turn a proposal down, or take one's own back; with a reason."""
    note = note.strip()
    if not note or len(note) > _LONGEST_REASON:
        raise ReasonNeeded(field="note")
    regrade = await _lock_regrade(session, regrade_id)
    if regrade.status is RegradeStatus.REFUSED and regrade.decided_by == actor_id:
        return regrade
    if regrade.status is not RegradeStatus.PROPOSED:
        raise AlreadyDecided
    regrade.status, regrade.decided_by, regrade.decided_at = RegradeStatus.REFUSED, actor_id, now
    regrade.decision_note = note
    session.add(regrade)
    audit.record(
        session, action="regrade.refused", target=("regrade", regrade.id), actor_id=actor_id, now=now, reason=note
    )
    await session.flush()
    return regrade


async def _lock_regrade(session: AsyncSession, regrade_id: UUID) -> Regrade:
    statement = select(Regrade).where(Regrade.id == regrade_id).with_for_update()
    regrade = (await session.exec(statement.execution_options(populate_existing=True))).one_or_none()
    if regrade is None:
        raise NotFound
    return regrade

"""`/authority/items/{id}/…`: what is said of an item without changing its words: its difficulty and its enemies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from litestar import Controller, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from question_bank.difficulty import set_enemies
from question_bank.errors import EnemyReasonMissing
from question_bank.listing import get_item
from training.accounts import Viewer
from training.errors import NotFound
from training.models import Role
from web.attempts import attempt
from web.auth import acting_as
from web.authority.items import DESK, estimate, show_item

_LONGEST_REASON = 300


@dataclass
class EstimateForm:
    """How many of a hundred borderline candidates are right."""

    revision_id: UUID
    percent: str = ""


@dataclass
class EnemyForm:
    """Another item and whether it is an enemy; `words` are those that found it."""

    other_id: UUID
    act: str
    reason: str = ""
    words: str = ""


class ItemActController(Controller):
    """Estimates and enemies of an item."""

    path = "/authority/items/{item_id:uuid}"

    @post("/estimates")
    async def judge(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        item_id: FromPath[UUID],
        data: URLEncodedBody[EstimateForm],
    ) -> Template | Redirect:
        """Keep the viewer's estimate of a revision."""
        acting_as(viewer, Role.QUESTION_REVIEWER)
        item = await get_item(session, item_id)
        if all(revision.id != data.revision_id for revision in item.revisions):
            raise NotFound
        async with attempt(session) as tried:
            await estimate(session, item, data.revision_id, data.percent, person_id=viewer.person_id, now=now)
        if tried.error:
            return await show_item(session, viewer, item_id, now=now, error=tried.error, percent=data.percent)
        return Redirect(f"/authority/items/{item_id}#difficulty-{data.revision_id}")

    @post("/enemies")
    async def change_enemies(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        item_id: FromPath[UUID],
        data: URLEncodedBody[EnemyForm],
    ) -> Template | Redirect:
        """Make another item an enemy, or part them."""
        acting_as(viewer, *DESK)
        await get_item(session, item_id)
        reason = data.reason.strip()[:_LONGEST_REASON]
        async with attempt(session) as tried:
            if not reason:
                raise EnemyReasonMissing(field="reason")
            await set_enemies(
                session, item_id=item_id, other_id=data.other_id, are_enemies=data.act == "add",
                actor_id=viewer.person_id, now=now, reason=reason,
            )  # fmt: skip
        if tried.error:
            return await show_item(session, viewer, item_id, now=now, error=tried.error, words=data.words,
                                   reason=data.reason)  # fmt: skip
        return Redirect(f"/authority/items/{item_id}#enemies")


HANDLERS = [ItemActController]

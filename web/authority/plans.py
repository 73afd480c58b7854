"""`/authority/plans`: the exam plans of the authority, drafted and published."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.plans import list_plans, make_plan, publish_plan
from training.accounts import HeldRole, Viewer
from training.errors import N_, AnpeiError, BadInput
from training.models import Role
from web.attempts import attempt
from web.auth import acting_as

_ROLES = (Role.APPLICATION_REVIEWER, Role.ISSUER)


@dataclass
class PlanForm:
    """A plan's name and days."""

    title: str = ""
    starts_on: str = ""
    ends_on: str = ""


class PlanController(Controller):
    """Plans."""

    path = "/authority/plans"

    @get()
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
    ) -> Template:
        """Every plan, the latest first."""
        return await _page(session, acting_as(viewer, *_ROLES), PlanForm())

    @post()
    async def make(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        data: URLEncodedBody[PlanForm],
    ) -> Template | Redirect:
        """Draft a plan."""
        held = acting_as(viewer, *_ROLES)
        async with attempt(session) as tried:
            await make_plan(
                session, authority_id=held.organisation_id, title=data.title,
                starts_on=_day(data.starts_on, "starts_on"), ends_on=_day(data.ends_on, "ends_on"),
                actor_id=viewer.person_id, now=now,
            )  # fmt: skip
        if tried.error:
            return await _page(session, held, data, error=tried.error)
        return Redirect("/authority/plans")

    @post("/{plan_id:uuid}/publish")
    async def publish(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        plan_id: FromPath[UUID],
    ) -> Redirect:
        """Publish it."""
        held = acting_as(viewer, *_ROLES)
        await publish_plan(
            session, plan_id=plan_id, authority_id=held.organisation_id, actor_id=viewer.person_id, now=now
        )
        return Redirect("/authority/plans")


def _day(text: str, field: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadInput(N_("请填写日期。"), field=field) from error


async def _page(session: AsyncSession, held: HeldRole, form: PlanForm, error: AnpeiError | None = None) -> Template:
    plans = await list_plans(session, authority_id=held.organisation_id)
    context = {"plans": plans, "form": form, "error": error}
    return Template("authority/plans/plans.html", context=context, status_code=422 if error else 200)


HANDLERS: list[type[Controller]] = [PlanController]

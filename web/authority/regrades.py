"""`/authority/regrades`: an item found wrong is tried out and proposed here, and approved by somebody else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.models import RegradeKind, RegradeStatus
from exams.queries_regrades import find_revision, get_regrade, list_fallen, list_regrades
from exams.regrade_effects import DryRun, try_regrade
from exams.regrading import approve_regrade, checked_key, propose_regrade, refuse_regrade
from exams.rulings import Ruling
from question_bank.queries import RevisionText
from training.accounts import Viewer
from training.errors import N_, AnpeiError, NotFound
from training.models import Role
from web.attempts import attempt
from web.auth import acting_as
from web.authority.affected import certified, find_hanging
from web.labels import choices

_ROLES = (Role.ISSUER, Role.QUESTION_REVIEWER)


class UnknownItem(NotFound):
    """No published item has this code."""

    message = N_("没有编号为“{code}”的已发布题目。请核对编号，或从题库打开这道题。")


@dataclass
class ProposalForm:
    """What shall count for a revision. `then` is "try" or "propose"."""

    kind: str = RegradeKind.GIVE_ALL.value
    new_key: str = ""
    reason: str = ""
    then: str = "try"


@dataclass
class DecisionForm:
    """An approver's decision; `seen` is the digest of the dry run on the page."""

    seen: str = ""
    note: str = ""


class RegradeController(Controller):
    """Proposals and decisions."""

    path = "/authority/regrades"

    @get()
    async def show_list(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], code: FromQuery[str] = ""
    ) -> Template | Redirect:
        """Every proposal; with a code the way to that item's form."""
        acting_as(viewer, *_ROLES)
        error: AnpeiError | None = None
        if code.strip():
            try:
                item = await find_revision(session, code=code)
            except NotFound:
                error = UnknownItem(code=code.strip())
            else:
                return Redirect(f"/authority/regrades/new/{item.id}")
        context = {"regrades": await list_regrades(session), "code": code, "error": error}
        return Template("authority/regrades/list.html", context=context, status_code=404 if error else 200)

    @get("/new/{revision_id:uuid}")
    async def show_form(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], revision_id: FromPath[UUID]
    ) -> Template:
        """The form for one revision."""
        acting_as(viewer, *_ROLES)
        item = await find_revision(session, revision_id=revision_id)
        return await _form_page(session, viewer, item, ProposalForm())

    @post("/new/{revision_id:uuid}", status_code=200)
    async def propose(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        revision_id: FromPath[UUID],
        data: URLEncodedBody[ProposalForm],
    ) -> Template | Redirect:
        """Try it out, or propose it."""
        acting_as(viewer, *_ROLES)
        item = await find_revision(session, revision_id=revision_id)
        kind = RegradeKind(data.kind) if data.kind in set(RegradeKind) else RegradeKind.GIVE_ALL
        async with attempt(session) as tried:
            if data.then == "propose":
                regrade = await propose_regrade(
                    session, revision_id=revision_id, kind=kind, new_key=data.new_key, reason=data.reason,
                    actor_id=viewer.person_id, now=now,
                )  # fmt: skip
                return Redirect(f"/authority/regrades/{regrade.id}")
            ruling = Ruling(kind, checked_key(item, kind, data.new_key))
            dry_run = await try_regrade(session, revision_id=revision_id, ruling=ruling)
        return await _form_page(
            session, viewer, item, data, dry_run=None if tried.error else dry_run, error=tried.error
        )

    @get("/{regrade_id:uuid}")
    async def show(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], regrade_id: FromPath[UUID]
    ) -> Template:
        """A proposal with what it would do now, or a decision with what it did."""
        acting_as(viewer, *_ROLES)
        return await _page(session, viewer, regrade_id)

    @post("/{regrade_id:uuid}/approve")
    async def approve(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        regrade_id: FromPath[UUID],
        data: URLEncodedBody[DecisionForm],
    ) -> Template | Redirect:
        """Put it into force."""
        acting_as(viewer, *_ROLES)
        view = await get_regrade(session, regrade_id)
        ruling = Ruling(view.kind, view.new_key)
        async with attempt(session) as tried:
            dry_run = await try_regrade(session, revision_id=view.item.id, ruling=ruling)
            hanging = await find_hanging(session, (line.application_id for line in dry_run.lines))
            await approve_regrade(
                session, regrade_id=regrade_id, actor_id=viewer.person_id, seen=data.seen,
                certified=certified(hanging), now=now,
            )  # fmt: skip
        if tried.error:
            return await _page(session, viewer, regrade_id, error=tried.error)
        return Redirect(f"/authority/regrades/{regrade_id}")

    @post("/{regrade_id:uuid}/refuse")
    async def refuse(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        regrade_id: FromPath[UUID],
        data: URLEncodedBody[DecisionForm],
    ) -> Template | Redirect:
        """Turn it down, or take it back."""
        acting_as(viewer, *_ROLES)
        async with attempt(session) as tried:
            await refuse_regrade(session, regrade_id=regrade_id, actor_id=viewer.person_id, note=data.note, now=now)
        if tried.error:
            return await _page(session, viewer, regrade_id, error=tried.error)
        return Redirect(f"/authority/regrades/{regrade_id}")


async def _form_page(
    session: AsyncSession,
    viewer: Viewer,
    item: RevisionText,
    form: ProposalForm,
    *,
    dry_run: DryRun | None = None,
    error: AnpeiError | None = None,
) -> Template:
    lines = dry_run.lines if dry_run else ()
    context = {
        "item": item,
        "form": form,
        "kinds": choices(RegradeKind),
        "dry_run": dry_run,
        "hanging": await find_hanging(session, (line.application_id for line in lines)),
        "may_issue": viewer.held(Role.ISSUER) is not None,
        "error": error,
    }
    return Template("authority/regrades/new.html", context=context, status_code=422 if error else 200)


async def _page(
    session: AsyncSession, viewer: Viewer, regrade_id: UUID, *, error: AnpeiError | None = None
) -> Template:
    view = await get_regrade(session, regrade_id)
    dry_run, fallen = None, []
    if view.status is RegradeStatus.PROPOSED:
        dry_run = await try_regrade(session, revision_id=view.item.id, ruling=Ruling(view.kind, view.new_key))
    else:
        fallen = await list_fallen(session, regrade_id)
    meant = [line.application_id for line in (dry_run.lines if dry_run else fallen)]
    context = {
        "regrade": view,
        "dry_run": dry_run,
        "fallen": fallen,
        "hanging": await find_hanging(session, meant),
        "is_own": view.proposed_by == viewer.person_id,
        "may_issue": viewer.held(Role.ISSUER) is not None,
        "error": error,
    }
    return Template("authority/regrades/show.html", context=context, status_code=422 if error else 200)


HANDLERS = [RegradeController]

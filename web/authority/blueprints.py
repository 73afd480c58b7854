"""`/authority/blueprints`: how papers are made up, and whether the bank can fill them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.paper_targets import find_target_figures
from question_bank.blueprint_changes import change_blueprint, check_draft
from question_bank.blueprints import BankHealth, CellHealth, Health, get_bank_health, judge_blueprint
from question_bank.models import CellLevel, ItemType, McRule
from question_bank.queries import BlueprintView, get_blueprint, list_blueprints
from training.accounts import Viewer
from training.errors import N_, AnpeiError
from training.models import Role
from web.attempts import attempt
from web.auth import acting_as
from web.authority.blueprint_form import (
    BlueprintForm,
    form_of,
    read_form,
    rows_of_areas,
    target_values,
    whole_number,
)
from web.authority.items import DESK
from web.i18n.catalogue import gettext

_WORDS = {
    Health.SHORT: N_("不足"),
    Health.THIN: N_("偏少"),
    Health.ENOUGH: N_("够用"),
    Health.RICH: N_("充足"),
    Health.UNUSED: N_("不抽题"),
}
_TONES = {
    Health.SHORT: "red",
    Health.THIN: "yellow",
    Health.ENOUGH: "green",
    Health.RICH: "blue",
    Health.UNUSED: "secondary",
}


def _word_of(health: Health) -> tuple[str, str]:
    return gettext(_WORDS[health]), _TONES[health]


class BlueprintController(Controller):
    """Blueprints and the bank behind them."""

    path = "/authority/blueprints"

    @get()
    async def show_list(
        self, session: NamedDependency[AsyncSession], viewer: NamedDependency[Viewer], now: NamedDependency[datetime]
    ) -> Template:
        """Every blueprint with its verdict."""
        acting_as(viewer, *DESK)
        listed = [await get_bank_health(session, found.code, now=now) for found in await list_blueprints(session)]
        listed.sort(key=lambda health: (not health.published, health.blueprint.code))
        return Template("authority/blueprints/list.html", context={"listed": listed})

    @get("/{code:str}")
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        code: FromPath[str],
    ) -> Template:
        """One blueprint: area × level × type, the need against what is published."""
        acting_as(viewer, *DESK)
        health = await get_bank_health(session, code, now=now)
        context = {
            "health": health,
            "figures": await find_target_figures(session, health.blueprint, now=now),
            "word_of": _word_of,
            "types": list(ItemType),
            "legend": list(Health),
            "may_change": viewer.held(Role.QUESTION_REVIEWER) is not None,
        }
        return Template("authority/blueprints/show.html", context=context)

    @get("/{code:str}/edit")
    async def ask(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        code: FromPath[str],
    ) -> Template:
        """Everything that a reviewer decides, to be changed."""
        acting_as(viewer, Role.QUESTION_REVIEWER)
        form = form_of(await get_blueprint(session, code))
        return Template("authority/blueprints/edit.html", context=await _draft_context(session, code, form, now=now))

    @post("/{code:str}/draft", status_code=200)
    async def check(
        self,
        request: Request,  # type: ignore[type-arg]
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        code: FromPath[str],
    ) -> Template:
        """What is typed held against the bank, with a row more (`add`) or less (`drop`) if one was asked for.

        Nothing is kept.
        """
        acting_as(viewer, Role.QUESTION_REVIEWER)
        data = await request.form()
        form = read_form(data)
        if "add" in data:
            form = form.with_row(whole_number(str(data["add"])))
        elif "drop" in data:
            form = form.without_row(whole_number(str(data["drop"])))
        context = await _draft_context(session, code, form, now=now)
        is_live = request.headers.get("hx-target") == "live-check"
        return Template("authority/blueprints/_check.html" if is_live else "authority/blueprints/edit.html",
                        context=context | {"is_live": is_live})  # fmt: skip

    @post("/{code:str}/edit")
    async def change(
        self,
        request: Request,  # type: ignore[type-arg]
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        code: FromPath[str],
    ) -> Template | Redirect:
        """Begin a new version."""
        acting_as(viewer, Role.QUESTION_REVIEWER)
        form = read_form(await request.form())
        async with attempt(session) as tried:
            await change_blueprint(
                session, code=code, based_on=whole_number(form.based_on), draft=form.draft(),
                actor_id=viewer.person_id, now=now,
            )  # fmt: skip
        if tried.error:
            context = await _draft_context(session, code, form, now=now, error=tried.error)
            return Template("authority/blueprints/edit.html", context=context, status_code=422)
        return Redirect(f"/authority/blueprints/{code}")


async def _draft_context(
    session: AsyncSession, code: str, form: BlueprintForm, *, now: datetime, error: AnpeiError | None = None
) -> dict[str, Any]:
    """The form beside what the bank says to it."""
    current = await get_blueprint(session, code)
    draft = form.draft()
    fault = error
    try:
        check_draft(draft, current)
    except AnpeiError as found:
        fault = fault or found
    wanted = draft.applied_to(current)
    health = await judge_blueprint(session, _with_empty_rows(wanted, form), now=now)
    # The bank's mean helps to mend a target that is wrong, so it is told without one.
    measured = replace(wanted, target=None) if fault else wanted
    figures = await find_target_figures(session, measured, now=now) if _is_measurable(wanted) else None
    return {
        "form": form,
        "areas": rows_of_areas(form, health),
        "seen": _seen_by_row(form, health),
        "health": health,
        "current": current,
        "figures": figures,
        "mean": target_values(figures.mean) if figures else {},
        "fault": fault,
        "error": error,
        "is_live": False,
        "word_of": _word_of,
        "types": list(ItemType),
        "levels": list(CellLevel),
        "mc_rules": list(McRule),
    }


def _is_measurable(wanted: BlueprintView) -> bool:
    return wanted.pass_score > 0 and all(cell.count >= 0 for cell in wanted.cells)


def _with_empty_rows(wanted: BlueprintView, form: BlueprintForm) -> BlueprintView:
    """The cells with those of rows that ask for nothing yet, so that the page can say what the bank has for them."""
    named, counts = {cell.area: cell for cell in wanted.cells}, {cell.key: cell.count for cell in wanted.cells}
    empty = [
        replace(named[row.area], type=kind, level=row.level, count=0)
        for row in form.rows
        for kind in ItemType
        if row.area in named
        and (row.area, kind, row.level) not in counts
        and not counts.get((row.area, kind, CellLevel.ANY))
    ]
    return replace(wanted, cells=(*wanted.cells, *dict.fromkeys(empty)))


def _seen_by_row(form: BlueprintForm, health: BankHealth) -> dict[tuple[int, ItemType], CellHealth | None]:
    """What the bank has for each field of the form."""
    seen = {each.cell.key: each for each in health.cells}
    return {(row.number, kind): seen.get((row.area, kind, row.level)) for row in form.rows for kind in ItemType}


HANDLERS = [BlueprintController]

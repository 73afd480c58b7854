"""`/authority/blueprints`: how papers are made up, and whether the bank can fill them."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from question_bank.blueprints import Health, change_blueprint, get_bank_health
from question_bank.models import ItemType
from question_bank.queries import list_blueprints
from training.accounts import Viewer
from training.errors import N_, AnpeiError
from training.models import Role
from web.attempts import attempt
from web.auth import acting_as
from web.authority.items import DESK
from web.i18n.catalogue import gettext

if TYPE_CHECKING:
    from litestar.datastructures import FormMultiDict

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
        """One blueprint: area × type, the need against what is published."""
        acting_as(viewer, *DESK)
        context = {
            "health": await get_bank_health(session, code, now=now),
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
        """The counts, to be changed."""
        acting_as(viewer, Role.QUESTION_REVIEWER)
        return await _edit_page(session, code, now=now)

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
        data = await request.form()
        async with attempt(session) as tried:
            await change_blueprint(
                session, code=code, based_on=_number(data, "based_on"), minutes=_number(data, "minutes"),
                pass_score=_number(data, "pass_score"), counts=_counts(data), actor_id=viewer.person_id, now=now,
            )  # fmt: skip
        if tried.error:
            return await _edit_page(session, code, now=now, typed=data, error=tried.error)
        return Redirect(f"/authority/blueprints/{code}")


def _number(data: FormMultiDict, name: str) -> int:
    """A whole number, or -1, which no field takes."""
    text = str(data.get(name, ""))
    return int(text) if text.isdecimal() and len(text) <= 6 else -1  # noqa: PLR2004 - more is no number of ours


def _counts(data: FormMultiDict) -> dict[tuple[int, ItemType], int]:
    """Fields named count-AREA-TYPE."""
    counts = {}
    for name in data:
        area, _, item_type = name.removeprefix("count-").partition("-")
        if name.startswith("count-") and area.isdecimal() and item_type in set(ItemType):
            counts[int(area), ItemType(item_type)] = _number(data, name)
    return counts


async def _edit_page(
    session: AsyncSession,
    code: str,
    *,
    now: datetime,
    typed: FormMultiDict | None = None,
    error: AnpeiError | None = None,
) -> Template:
    health = await get_bank_health(session, code, now=now)
    blueprint = health.blueprint
    values = {
        "based_on": str(blueprint.version),
        "minutes": str(blueprint.minutes),
        "pass_score": str(blueprint.pass_score),
        **{f"count-{cell.area}-{cell.type.value}": str(cell.count) for cell in blueprint.cells},
    }
    values |= {name: str(typed[name]) for name in typed or {} if name in values and typed}
    context = {"health": health, "types": list(ItemType), "values": values, "error": error}
    return Template("authority/blueprints/edit.html", context=context, status_code=422 if error else 200)


HANDLERS = [BlueprintController]

"""`/authority/items`: the list, the editor with preview and history, and the review of a revision."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode
from uuid import UUID

from litestar import Controller, Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, URLEncodedBody
from litestar.response import Redirect, Template
from sqlmodel.ext.asyncio.session import AsyncSession

from exams.paper_targets import get_cut_ability
from question_bank.authoring import create_item, save_revision, submit_revision
from question_bank.enemies import find_items, list_enemies
from question_bank.estimates import DifficultyPanel, get_difficulty_panel, give_estimate
from question_bank.listing import Change, ItemFilter, ItemView, RevisionView, get_item, list_items
from question_bank.models import ItemLevel, ItemRevision, ItemType, RevisionStatus
from question_bank.queries import BlueprintView, find_blueprint, get_blueprint, list_blueprints
from question_bank.review import approve_revision, publish_revision, retire_revision, return_revision
from training.accounts import Viewer
from training.errors import N_, AnpeiError, BadInput, NotFound
from training.models import Role
from web.attempts import attempt
from web.auth import acting_as
from web.authority.item_form import FIELDS, ItemForm, fill_form, read_form
from web.i18n.catalogue import gettext
from web.labels import choices, label

if TYPE_CHECKING:
    from collections.abc import Mapping

DESK = (Role.QUESTION_EDITOR, Role.QUESTION_REVIEWER)
SUBMITTED = "SUBMITTED"
_DIGITS = 3
_LONGEST_WORDS = 100
_STATUS_WORDS = {
    "DRAFT": N_("草稿"),
    SUBMITTED: N_("待审核"),
    "REVIEWED": N_("已审核，待发布"),
    "PUBLISHED": N_("已发布"),
    "RETIRED": N_("已停用"),
}
_STATUS_TONES = {"DRAFT": "secondary", SUBMITTED: "yellow", "REVIEWED": "blue", "PUBLISHED": "green", "RETIRED": "red"}


@dataclass
class ReviewForm:
    """What is to become of a revision."""

    revision_id: UUID
    act: str
    note: str = ""
    percent: str = ""


def status_of(status: RevisionStatus, *, is_submitted: bool) -> tuple[str, str]:
    """The word and the tone of a status; a submitted draft waits for review."""
    key = SUBMITTED if is_submitted else status.value
    return gettext(_STATUS_WORDS[key]), _STATUS_TONES[key]


class ItemController(Controller):
    """The bank's items."""

    path = "/authority/items"

    @get()
    async def show_list(
        self,
        *,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        subject: FromQuery[str] = "",
        area: FromQuery[str] = "",
        type: FromQuery[str] = "",  # noqa: A002 - the query's name
        level: FromQuery[str] = "",
        status: FromQuery[str] = "",
        words: FromQuery[str] = "",
        unjudged: FromQuery[str] = "",
        page: FromQuery[int] = 1,
    ) -> Template:
        """The items, filtered."""
        acting_as(viewer, *DESK)
        blueprints = await list_blueprints(session)
        may_review = viewer.held(Role.QUESTION_REVIEWER) is not None
        chosen = next((blueprint for blueprint in blueprints if blueprint.code == subject), None)
        wanted = ItemFilter(
            subject=chosen.code if chosen else "",
            area=int(area) if chosen and area.isdecimal() and int(area) in chosen.areas else None,
            type=ItemType(type) if type in set(ItemType) else None,
            level=ItemLevel(level) if level in set(ItemLevel) else None,
            status=status if status in _STATUS_WORDS else "",
            words=words[:_LONGEST_WORDS],
            unjudged_by=viewer.person_id if may_review and unjudged == "1" else None,
        )
        listed = await list_items(session, wanted, page=page)
        told = {
            "subject": wanted.subject, "area": wanted.area or "", "type": wanted.type or "",
            "level": wanted.level or "", "status": wanted.status, "words": wanted.words,
            "unjudged": "1" if wanted.unjudged_by else "",
        }  # fmt: skip
        context = {
            "listed": listed,
            "type_choices": choices(ItemType),
            "level_choices": choices(ItemLevel),
            "wanted": wanted,
            "blueprints": blueprints,
            "chosen": chosen,
            "statuses": [(code, gettext(word)) for code, word in _STATUS_WORDS.items()],
            "status_of": status_of,
            "url": "/authority/items?" + urlencode({k: v for k, v in told.items() if v}) + "&",
            "is_filtered": any(told.values()),
            "may_review": may_review,
            "may_edit": viewer.held(Role.QUESTION_EDITOR) is not None,
        }
        return Template("authority/items/list.html", context=context)

    @get("/new")
    async def ask_new(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        subject: FromQuery[str] = "",
        area: FromQuery[str] = "",
        type: FromQuery[str] = "",  # noqa: A002 - the query's name
    ) -> Template:
        """An empty editor; first the subject, since it decides the areas."""
        acting_as(viewer, Role.QUESTION_EDITOR)
        blueprint = await find_blueprint(session, subject) if subject else None
        if blueprint is None:
            blueprints = await list_blueprints(session)
            return Template("authority/items/choose.html", context={"blueprints": blueprints})
        form = ItemForm(subject=subject, area=area, type=type if type in set(ItemType) else ItemType.SC.value)
        return _editor(viewer, blueprint, form)

    @post("/new")
    async def create(
        self,
        request: Request,  # type: ignore[type-arg]
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
    ) -> Template | Redirect:
        """Keep a new item as a draft."""
        acting_as(viewer, Role.QUESTION_EDITOR)
        data = await request.form()
        form = read_form(data)
        blueprint = await get_blueprint(session, form.subject)
        async with attempt(session) as tried:
            revision = await create_item(
                session, subject=form.subject, code=form.code, content=form.content(),
                author_id=viewer.person_id, now=now,
            )  # fmt: skip
            await _submit_if_asked(session, revision, data.get("then"), viewer, now)
        if tried.error:
            return _editor(viewer, blueprint, form, error=tried.error)
        return Redirect(f"/authority/items/{revision.item_id}")

    @get("/{item_id:uuid}")
    async def show(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        item_id: FromPath[UUID],
        words: FromQuery[str] = "",
    ) -> Template:
        """One item: editor, preview, review, difficulty, enemies and history; `words` look for another enemy."""
        acting_as(viewer, *DESK)
        return await show_item(session, viewer, item_id, now=now, words=words)

    @post("/{item_id:uuid}")
    async def save(
        self,
        request: Request,  # type: ignore[type-arg]
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        item_id: FromPath[UUID],
    ) -> Template | Redirect:
        """Keep a change as a new draft revision."""
        acting_as(viewer, Role.QUESTION_EDITOR)
        data = await request.form()
        form = read_form(data)
        async with attempt(session) as tried:
            revision = await save_revision(
                session, item_id=item_id, based_on=form.based_on, content=form.content(),
                author_id=viewer.person_id, now=now,
            )  # fmt: skip
            await _submit_if_asked(session, revision, data.get("then"), viewer, now)
        if tried.error is None:
            return Redirect(f"/authority/items/{item_id}")
        return await show_item(session, viewer, item_id, now=now, typed=form, error=tried.error)

    @post("/{item_id:uuid}/review")
    async def review(
        self,
        session: NamedDependency[AsyncSession],
        viewer: NamedDependency[Viewer],
        now: NamedDependency[datetime],
        item_id: FromPath[UUID],
        data: URLEncodedBody[ReviewForm],
    ) -> Template | Redirect:
        """Submit, approve, return, publish or retire a revision of this item."""
        acting_as(viewer, Role.QUESTION_EDITOR if data.act == "submit" else Role.QUESTION_REVIEWER)
        item = await get_item(session, item_id)
        if all(revision.id != data.revision_id for revision in item.revisions):
            raise NotFound
        async with attempt(session) as tried:
            if data.percent.strip():
                await estimate(session, item, data.revision_id, data.percent, person_id=viewer.person_id, now=now)
            await _act(session, data, person_id=viewer.person_id, now=now)
        if tried.error is None:
            return Redirect(f"/authority/items/{item_id}")
        return await show_item(session, viewer, item_id, now=now, error=tried.error, note=data.note,
                               percent=data.percent)  # fmt: skip


async def estimate(
    session: AsyncSession, item: ItemView, revision_id: UUID, typed: str, *, person_id: UUID, now: datetime
) -> None:
    """Keep a reviewer's estimate, by the cut score of the item's blueprint as it stands now."""
    typed = typed.strip()
    percent = int(typed) if typed.isascii() and typed.isdecimal() and len(typed) <= _DIGITS else 0
    ability = await get_cut_ability(session, await get_blueprint(session, item.subject), now=now)
    await give_estimate(
        session, revision_id=revision_id, reviewer_id=person_id, percent=percent, cut_ability=ability, now=now
    )


async def show_item(
    session: AsyncSession,
    viewer: Viewer,
    item_id: UUID,
    *,
    now: datetime,
    typed: ItemForm | None = None,
    error: AnpeiError | None = None,
    note: str = "",
    percent: str = "",
    words: str = "",
    reason: str = "",
) -> Template:
    """The page of an item, with what was typed into any of its forms."""
    item = await get_item(session, item_id)
    form = _form_of(item)
    if typed is not None:
        # What was typed stands on the newest revision from now on, so that saving again is a choice.
        form = replace(typed, subject=item.subject, code=item.code, based_on=item.newest.number)
    words = words.strip()[:_LONGEST_WORDS]
    beside = {
        "panels": await _list_panels(session, viewer, item, now=now),
        "percent": percent,
        "enemies": await list_enemies(session, item.id),
        "words": words,
        "reason": reason,
        "found": await find_items(session, item_id=item.id, words=words),
    }
    blueprint = await get_blueprint(session, item.subject)
    return _editor(viewer, blueprint, form, item=item, error=error, note=note, beside=beside)


async def _list_panels(
    session: AsyncSession, viewer: Viewer, item: ItemView, *, now: datetime
) -> list[tuple[RevisionView, DifficultyPanel]]:
    """What the viewer may know of the difficulty of the newest revision, and of the one in use."""
    is_reviewer = viewer.held(Role.QUESTION_REVIEWER) is not None
    shown = {view.id: view for view in (item.newest, item.published) if view}
    return [
        (
            view,
            await get_difficulty_panel(
                session, await session.get_one(ItemRevision, view.id), viewer_id=viewer.person_id,
                is_reviewer=is_reviewer, now=now,
            ),
        )
        for view in shown.values()
    ]  # fmt: skip


async def _submit_if_asked(
    session: AsyncSession, revision: ItemRevision, then: object, viewer: Viewer, now: datetime
) -> None:
    if then == "submit" and revision.status is RevisionStatus.DRAFT:
        await submit_revision(session, revision_id=revision.id, actor_id=viewer.person_id, now=now)


async def _act(session: AsyncSession, data: ReviewForm, *, person_id: UUID, now: datetime) -> None:
    revision_id = data.revision_id
    match data.act:
        case "submit":
            await submit_revision(session, revision_id=revision_id, actor_id=person_id, now=now)
        case "approve" | "approve_publish":
            await approve_revision(session, revision_id=revision_id, reviewer_id=person_id, note=data.note, now=now)
            if data.act == "approve_publish":
                await publish_revision(session, revision_id=revision_id, actor_id=person_id, now=now)
        case "return":
            await return_revision(session, revision_id=revision_id, reviewer_id=person_id, note=data.note, now=now)
        case "publish":
            await publish_revision(session, revision_id=revision_id, actor_id=person_id, now=now)
        case "retire":
            await retire_revision(session, revision_id=revision_id, actor_id=person_id, reason=data.note, now=now)
        case _:
            raise BadInput(N_("请从页面上的按钮选择要进行的操作。"))


def _form_of(item: ItemView) -> ItemForm:
    newest = item.newest
    return fill_form(newest.content, subject=item.subject, code=item.code, based_on=newest.number)


def _editor(
    viewer: Viewer,
    blueprint: BlueprintView,
    form: ItemForm,
    *,
    item: ItemView | None = None,
    error: AnpeiError | None = None,
    note: str = "",
    beside: dict[str, Any] | None = None,
) -> Template:
    areas = blueprint.areas
    faults = getattr(error, "faults", ())
    context = {
        "blueprint": blueprint,
        "type_choices": choices(ItemType),
        "level_choices": choices(ItemLevel),
        "areas": [(str(number), f"{number} {name}") for number, name in areas.items()],
        "form": form,
        "item": item,
        "error": error,
        "faults": [(gettext(FIELDS.get(fault.field, "")), fault) for fault in faults],
        "wrong": {fault.field for fault in faults} | ({error.field} if isinstance(error, BadInput) else set()),
        "note": note,
        "may_edit": viewer.held(Role.QUESTION_EDITOR) is not None,
        "may_review": viewer.held(Role.QUESTION_REVIEWER) is not None,
        "is_author": item is not None and item.newest.author_id == viewer.person_id,
        "status_of": status_of,
        **(beside or {}),
        "changes_of": {seen.id: _show_changes(seen, areas) for seen in item.revisions} if item else {},
    }
    return Template("authority/items/editor.html", context=context, status_code=422 if error else 200)


def _show_changes(revision: RevisionView, areas: Mapping[int, str]) -> list[tuple[str, list[tuple[str, str]]]]:
    return [
        (gettext(FIELDS[change.field]), [(kind, _show_piece(change, piece, areas)) for kind, piece in change.pieces])
        for change in revision.changes
    ]


def _show_piece(change: Change, piece: str, areas: Mapping[int, str]) -> str:
    match change.field:
        case "type":
            return label(ItemType(piece))
        case "level":
            return label(ItemLevel(piece))
        case "area":
            return f"{piece} {areas.get(int(piece), '')}"
        case "is_local":
            return gettext(N_("是")) if piece == "1" else gettext(N_("否"))
        case "key" if piece in {"T", "F"}:
            return gettext(N_("正确")) if piece == "T" else gettext(N_("错误"))
        case _:
            return piece


HANDLERS = [ItemController]

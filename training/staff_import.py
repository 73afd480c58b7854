"""Taking on a whole staff list: checked first, shown, and then taken on all at once or not at all."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlmodel import col, delete, select

from training import audit
from training.accounts import draft_invitation
from training.calendar import china_date
from training.documents import parse_phone
from training.errors import N_, BadInput, Conflict, NotFound
from training.masking import mask_number
from training.models import (
    Account,
    Education,
    Employment,
    IdType,
    Invitation,
    Organisation,
    Person,
    PersonCategory,
    PersonDocument,
    StaffImport,
)
from training.people import Draft, NewPerson, draft_person
from training.rules import get_number
from training.staff_sheet import RawRow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from enum import StrEnum

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault

_CONTEXT = "staff_import.rows"
_LINKS_SHOWN_FOR = timedelta(hours=24)
_UNCONFIRMED_KEPT_FOR = timedelta(days=1)
_CHUNK = 1000
_BATCH = 200
_DATE = re.compile(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?")
_LOST_DIGITS = re.compile(r"\d\.\d+E\+\d+")
_LENGTHS = {"post": 100, "department": 100}


class NothingToImport(Conflict):
    """No row of the list can be taken."""

    message = N_("名单中没有可以导入的人员。请改正后重新上传。")


class ListChanged(Conflict):
    """Between the preview and the confirmation someone else took a number."""

    message = N_("预览之后有人员信息发生变化，本次没有导入任何人。请查看更新后的预览，再确认一次。")


@dataclass(frozen=True)
class Reason:
    """Why a row cannot be taken: a sentence for the catalogue, and its values."""

    template: str
    params: dict[str, Any]


@dataclass(frozen=True)
class CheckedRow:
    """A row of the list with what is to become of it. `known` is the registered person, if one."""

    raw: RawRow
    name: str
    number_masked: str
    reasons: tuple[Reason, ...]
    known: UUID | None = None
    is_employed: bool = False
    draft: Draft | None = None
    category: PersonCategory = PersonCategory.EMPLOYEE
    started_on: date | None = None

    @property
    def is_good(self) -> bool:
        """Whether the row can be taken."""
        return not self.reasons


@dataclass(frozen=True)
class Preview:
    """What an upload would do."""

    import_id: UUID
    rows: tuple[CheckedRow, ...]
    is_confirmed: bool

    @property
    def good(self) -> list[CheckedRow]:
        """The rows that would be taken."""
        return [row for row in self.rows if row.is_good]

    @property
    def bad(self) -> list[CheckedRow]:
        """The rows that would be left out."""
        return [row for row in self.rows if not row.is_good]


@dataclass(frozen=True)
class Link:
    """An invitation to hand over."""

    person_id: UUID
    name: str
    department: str
    token: str


@dataclass(frozen=True)
class Imported:
    """What a confirmed import did. `links` is empty a day later."""

    new: int
    linked: int
    links: tuple[Link, ...]


async def keep_upload(
    session: AsyncSession,
    *,
    vault: Vault,
    organisation_id: UUID,
    rows: Sequence[RawRow],
    actor_id: UUID,
    now: datetime,
) -> UUID:
    """Keep the rows of an upload, sealed, until they are confirmed; lists left lying for a day are dropped."""
    await session.exec(
        delete(StaffImport).where(
            col(StaffImport.organisation_id) == organisation_id,
            col(StaffImport.confirmed_at).is_(None),
            col(StaffImport.created_at) < now - _UNCONFIRMED_KEPT_FOR,
        )
    )
    plain = json.dumps({"rows": [[row.number, row.cells] for row in rows]}, ensure_ascii=False)
    kept = StaffImport(
        organisation_id=organisation_id,
        created_by=actor_id,
        created_at=now,
        rows_sealed=vault.seal(plain, context=_CONTEXT),
    )
    session.add(kept)
    await session.flush()
    audit.record(
        session, action="staff_import.uploaded", target=("staff_import", kept.id), actor_id=actor_id, now=now,
        rows=len(rows),
    )  # fmt: skip
    return kept.id


async def _get_own(
    session: AsyncSession, import_id: UUID, *, organisation_id: UUID, actor_id: UUID, lock: bool = False
) -> StaffImport:
    kept = await session.get(StaffImport, import_id, with_for_update=lock)
    if kept is None or kept.organisation_id != organisation_id or kept.created_by != actor_id:
        raise NotFound
    return kept


async def get_preview(
    session: AsyncSession,
    *,
    vault: Vault,
    import_id: UUID,
    organisation_id: UUID,
    actor_id: UUID,
    words: Mapping[str, StrEnum],
    now: datetime,
) -> Preview:
    """Check the kept rows against the register as it is now. Only the uploader sees them.

    `words` maps every accepted word and code of the fixed sets to its value. Raises `NotFound`.
    """
    kept = await _get_own(session, import_id, organisation_id=organisation_id, actor_id=actor_id)
    if kept.confirmed_at is not None:
        return Preview(import_id, (), is_confirmed=True)
    rows = await _check(session, kept, vault=vault, words=words, now=now)
    return Preview(import_id, rows, is_confirmed=False)


def _open(kept: StaffImport, vault: Vault) -> dict[str, Any]:
    opened: dict[str, Any] = json.loads(vault.open(kept.rows_sealed, context=_CONTEXT))
    return opened


async def _check(
    session: AsyncSession, kept: StaffImport, *, vault: Vault, words: Mapping[str, StrEnum], now: datetime
) -> tuple[CheckedRow, ...]:
    raw = [RawRow(number, cells) for number, cells in _open(kept, vault)["rows"]]
    youngest = await get_number(session, "register.age.min", on=china_date(now))
    checked = await asyncio.to_thread(_check_alone, raw, words=words, vault=vault, youngest=youngest, now=now)
    checked = _refuse_repeated(checked)
    return await _check_against_register(session, checked, organisation_id=kept.organisation_id)


def _check_alone(
    rows: Iterable[RawRow], *, words: Mapping[str, StrEnum], vault: Vault, youngest: int, now: datetime
) -> list[CheckedRow]:
    return [_check_row(row, words=words, vault=vault, youngest=youngest, now=now) for row in rows]


def _check_row(raw: RawRow, *, words: Mapping[str, StrEnum], vault: Vault, youngest: int, now: datetime) -> CheckedRow:
    """What the row itself tells, with every fault at once."""
    cell = raw.cells.get
    faults = list(_plain_faults(raw))
    chosen: dict[str, StrEnum | None] = {}
    for key, kind in (("id_type", IdType), ("education", Education), ("category", PersonCategory)):
        typed = cell(key, "")
        chosen[key] = found = words.get(typed)
        if typed and not isinstance(found, kind):
            faults.append(Reason(N_("“{typed}”不在可选范围内，请从下拉列表中选择"), {"typed": typed}))
            chosen[key] = None
    today = china_date(now)
    started_on = _read_date(cell("started_on", "")) if cell("started_on") else today
    if started_on is None:
        faults.append(Reason(N_("入职日期“{typed}”无法识别，请写成 2026-01-05"), {"typed": cell("started_on", "")}))
    draft, more = _try_draft(raw, chosen, vault=vault, youngest=youngest, now=now)
    category = chosen["category"]
    return CheckedRow(
        raw=raw,
        name=cell("name", ""),
        number_masked=draft.document.number_masked if draft else mask_number(cell("number", "")),
        reasons=(*faults, *more),
        draft=draft,
        category=category if isinstance(category, PersonCategory) else PersonCategory.EMPLOYEE,
        started_on=started_on,
    )


def _plain_faults(raw: RawRow) -> Iterator[Reason]:
    if not raw.cells.get("post"):
        yield Reason(N_("缺少岗位"), {})
    for key, longest in _LENGTHS.items():
        if len(raw.cells.get(key, "")) > longest:
            yield Reason(N_("部门或岗位超过 100 个字"), {})
    if _LOST_DIGITS.fullmatch(raw.cells.get("number", "")):
        yield Reason(N_("证件号码单元格是数字格式，后几位已丢失。请把该列设为文本后重新填写"), {})


def _try_draft(
    raw: RawRow, chosen: Mapping[str, StrEnum | None], *, vault: Vault, youngest: int, now: datetime
) -> tuple[Draft | None, list[Reason]]:
    """The rows of the person, or what is wrong with name, number and phone, each told on its own."""
    cell = raw.cells.get
    id_type, education = chosen["id_type"], chosen["education"]
    faults: list[Reason] = []
    draft = None
    # A stand-in for each part that is wrong lets the others be checked too.
    name, phone = cell("name", ""), cell("phone", "")
    if not name:
        faults.append(Reason(N_("缺少姓名"), {}))
    if not cell("number"):
        faults.append(Reason(N_("缺少证件号码"), {}))
    for _ in range(3):
        new = NewPerson(
            name=name or "某某",
            id_type=id_type if isinstance(id_type, IdType) else IdType.ID_CARD,
            number=cell("number", ""),
            phone=phone,
            education=education if isinstance(education, Education) else None,
        )
        try:
            draft = draft_person(new, vault=vault, youngest=youngest, now=now)
            break
        except BadInput as error:
            if not (
                error.field == "document_number" and (not cell("number") or _LOST_DIGITS.search(cell("number", "")))
            ):
                faults.append(Reason(error.template, error.params))
            if error.field == "name":
                name = ""
            elif error.field == "phone":
                phone = ""
            else:
                faults.extend(_phone_fault(phone))
                break
    return draft, faults


def _phone_fault(phone: str) -> Iterator[Reason]:
    if phone:
        try:
            parse_phone(phone)
        except BadInput as error:
            yield Reason(error.template, error.params)


def _read_date(typed: str) -> date | None:
    found = _DATE.fullmatch(typed)
    if not found:
        return None
    try:
        return date(*(int(part) for part in found.groups()))
    except ValueError:
        return None


def _with_reason(row: CheckedRow, reason: Reason) -> CheckedRow:
    return CheckedRow(**{**vars(row), "reasons": (*row.reasons, reason)})


def _refuse_repeated(rows: Iterable[CheckedRow]) -> list[CheckedRow]:
    """The second of two rows with one number or one phone is refused."""
    numbers: dict[bytes, int] = {}
    phones: dict[bytes, int] = {}
    checked = []
    for each in rows:
        row = each
        if row.draft:
            first = numbers.setdefault(row.draft.document.number_index, row.raw.number)
            if first != row.raw.number:
                row = _with_reason(row, Reason(N_("与第 {row} 行的证件号码重复"), {"row": first}))
            if row.draft and (index := row.draft.account.phone_index):
                first = phones.setdefault(index, row.raw.number)
                if first != row.raw.number:
                    row = _with_reason(row, Reason(N_("与第 {row} 行的手机号码重复"), {"row": first}))
        checked.append(row)
    return checked


async def _check_against_register(
    session: AsyncSession, rows: Sequence[CheckedRow], *, organisation_id: UUID
) -> tuple[CheckedRow, ...]:
    drafts = [row.draft for row in rows if row.draft]
    known = await _known_people(session, [draft.document.number_index for draft in drafts])
    phones = await _known_phones(session, [d.account.phone_index for d in drafts if d.account.phone_index])
    staff = select(Employment.person_id).where(
        Employment.organisation_id == organisation_id, col(Employment.ended_on).is_(None)
    )
    employed = set((await session.exec(staff)).all())
    return tuple(_meet_register(row, known=known, phones=phones, employed=employed) for row in rows)


def _meet_register(
    row: CheckedRow,
    *,
    known: Mapping[bytes, tuple[UUID, str]],
    phones: Mapping[bytes, UUID],
    employed: set[UUID],
) -> CheckedRow:
    if row.draft is None or not row.is_good:
        return row
    person_id, registered = known.get(row.draft.document.number_index, (None, ""))
    if person_id is not None and registered != row.draft.person.matched_name:
        return _with_reason(row, Reason(N_("该证件号码已登记，但姓名与登记的不一致"), {}))
    owner = phones.get(row.draft.account.phone_index or b"")
    if owner is not None and owner != person_id:
        return _with_reason(row, Reason(N_("手机号码已被其他账号使用"), {}))
    return CheckedRow(**{**vars(row), "known": person_id, "is_employed": person_id in employed})


async def _known_people(session: AsyncSession, indexes: Sequence[bytes]) -> dict[bytes, tuple[UUID, str]]:
    found: dict[bytes, tuple[UUID, str]] = {}
    for start in range(0, len(indexes), _CHUNK):
        statement = (
            select(PersonDocument.number_index, Person.id, Person.matched_name)
            .join(Person, col(Person.id) == PersonDocument.person_id)
            .where(col(PersonDocument.number_index).in_(indexes[start : start + _CHUNK]))
        )
        found |= {index: (key, name) for index, key, name in (await session.exec(statement)).all()}
    return found


async def _known_phones(session: AsyncSession, indexes: Sequence[bytes]) -> dict[bytes, UUID]:
    found: dict[bytes, UUID] = {}
    for start in range(0, len(indexes), _CHUNK):
        statement = select(Account.phone_index, Account.person_id).where(
            col(Account.phone_index).in_(indexes[start : start + _CHUNK])
        )
        found |= {index: key for index, key in (await session.exec(statement)).all() if index is not None}
    return found


async def confirm_import(
    session: AsyncSession,
    *,
    vault: Vault,
    import_id: UUID,
    organisation_id: UUID,
    expected: int,
    actor_id: UUID,
    words: Mapping[str, StrEnum],
    now: datetime,
) -> None:
    """Take on every good row of the preview, together. Again, it does nothing.

    `expected` is the number of good rows that the manager saw. Raises `NotFound`, `NothingToImport`,
    and `ListChanged` when another number of rows is good by now.
    """
    await session.exec(
        select(Organisation.id).where(Organisation.id == organisation_id).with_for_update(key_share=True)
    )
    kept = await _get_own(session, import_id, organisation_id=organisation_id, actor_id=actor_id, lock=True)
    if kept.confirmed_at is not None:
        return
    good = [row for row in await _check(session, kept, vault=vault, words=words, now=now) if row.is_good]
    if not good:
        raise NothingToImport
    if len(good) != expected:
        raise ListChanged
    tokens = await _take_on(session, good, organisation_id=organisation_id, actor_id=actor_id, now=now)
    new = sum(row.known is None for row in good)
    # From here on only the links are kept; what was typed is in the register now.
    result = {"new": new, "linked": len(good) - new, "links": tokens}
    kept.rows_sealed = vault.seal(json.dumps(result), context=_CONTEXT)
    kept.confirmed_at = now
    session.add(kept)
    audit.record(
        session, action="staff_import.confirmed", target=("staff_import", import_id), actor_id=actor_id, now=now,
        new=new, linked=len(good) - new,
    )  # fmt: skip


async def _take_on(
    session: AsyncSession, rows: Sequence[CheckedRow], *, organisation_id: UUID, actor_id: UUID, now: datetime
) -> list[tuple[str, str]]:
    """Write all rows, batch by batch so that others get their turn; gives (person, token) of the new ones."""
    days = await get_number(session, "invitation.days", on=china_date(now))
    held = await _open_posts(session, organisation_id)
    tokens: list[tuple[str, str]] = []
    for start in range(0, len(rows), _BATCH):
        batch = rows[start : start + _BATCH]
        new = [row.draft for row in batch if row.known is None and row.draft]
        await _register_all(session, new, actor_id=actor_id, now=now)
        for draft in new:
            token, invitation = draft_invitation(
                account_id=draft.account.id, organisation_id=organisation_id, created_by=actor_id, days=days, now=now
            )
            session.add(invitation)
            tokens.append((str(draft.person.id), token))
        _employ_all(session, batch, held=held, organisation_id=organisation_id, actor_id=actor_id, now=now)
        await session.flush()
    return tokens


async def _register_all(session: AsyncSession, new: Sequence[Draft], *, actor_id: UUID, now: datetime) -> None:
    session.add_all(draft.person for draft in new)
    await session.flush()
    session.add_all(draft.document for draft in new)
    session.add_all(draft.account for draft in new)
    await session.flush()
    for draft in new:
        for action, target in (
            ("person.registered", ("person", draft.person.id)),
            ("account.invited", ("account", draft.account.id)),
        ):
            audit.record(session, action=action, target=target, actor_id=actor_id, now=now)


def _employ_all(
    session: AsyncSession,
    rows: Sequence[CheckedRow],
    *,
    held: Mapping[UUID, Employment],
    organisation_id: UUID,
    actor_id: UUID,
    now: datetime,
) -> None:
    for row in rows:
        person_id = row.known or (row.draft.person.id if row.draft else None)
        if person_id is None or row.started_on is None:
            continue
        employment = held.get(person_id)
        was = {"category": employment.category.value, "post": employment.post} if employment else None
        if employment is None:
            employment = Employment(
                person_id=person_id,
                organisation_id=organisation_id,
                category=row.category,
                started_on=row.started_on,
            )
        employment.category = row.category
        employment.post = row.raw.cells.get("post", "")
        employment.department = row.raw.cells.get("department", "")
        session.add(employment)
        audit.record(
            session, action="employment.set", target=("employment", employment.id), actor_id=actor_id, now=now,
            was=was, category=row.category,
        )  # fmt: skip


async def _open_posts(session: AsyncSession, organisation_id: UUID) -> dict[UUID, Employment]:
    statement = (
        select(Employment)
        .where(Employment.organisation_id == organisation_id, col(Employment.ended_on).is_(None))
        .order_by(col(Employment.id))
        .with_for_update()
    )
    return {row.person_id: row for row in (await session.exec(statement)).all()}


async def find_imported(
    session: AsyncSession, *, vault: Vault, import_id: UUID, organisation_id: UUID, actor_id: UUID, now: datetime
) -> Imported | None:
    """What the import did, or None before it is confirmed. Links show for a day, and only unused ones."""
    kept = await _get_own(session, import_id, organisation_id=organisation_id, actor_id=actor_id)
    if kept.confirmed_at is None:
        return None
    result = _open(kept, vault)
    if kept.confirmed_at + _LINKS_SHOWN_FOR <= now:
        return Imported(result["new"], result["linked"], ())
    tokens = {UUID(person_id): token for person_id, token in result["links"]}
    statement = (
        select(Person.id, Person.name, Employment.department)
        .join(Employment, col(Employment.person_id) == Person.id)
        .join(Account, col(Account.person_id) == Person.id)
        .join(Invitation, col(Invitation.account_id) == Account.id)
        .where(
            Employment.organisation_id == organisation_id,
            col(Employment.ended_on).is_(None),
            col(Person.id).in_(tokens),
            Invitation.created_at == kept.confirmed_at,
            col(Invitation.used_at).is_(None),
            col(Invitation.expires_at) > now,
        )
        .order_by(col(Employment.department), col(Person.matched_name))
    )
    rows = (await session.exec(statement)).all()
    links = tuple(Link(key, name, department, tokens[key]) for key, name, department in rows)
    return Imported(result["new"], result["linked"], links)

"""An enterprise's staff: who they are, how far their training has come, joining, inviting and leaving."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING

from sqlmodel import and_, col, func, not_, or_, select, update

from training.accounts import invite
from training.calendar import china_date, start_of_day
from training.documents import Document
from training.errors import N_, BadInput, Conflict, NotFound
from training.models import (
    Account,
    Assignment,
    Education,
    Employment,
    IdType,
    Invitation,
    Person,
    PersonCategory,
    PersonDocument,
    RoleGrant,
    Sex,
    TrainingRecord,
)
from training.names import matched_name
from training.organisations import employ, end_employment
from training.people import DOCUMENT, NewPerson, document_index, find_person_by_document, register_person
from training.plans import soon_days, withdraw_open_assignments

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date, datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement
    from sqlalchemy.orm import Mapped
    from sqlmodel.ext.asyncio.session import AsyncSession
    from sqlmodel.sql.expression import Select

    from training.vault import Vault

PAGE = 50
_DIGITS_OF_A_NUMBER = 5
_NO_HOURS = Decimal(0)


class AccountState(StrEnum):
    """How far someone has come in getting in."""

    ACTIVE = "ACTIVE"
    INVITED = "INVITED"
    LAPSED = "LAPSED"


class NameDiffers(BadInput):
    """The document is registered under another name."""

    message = N_("该证件号码已登记，但姓名与登记的不一致。请对照证件核对姓名和号码。")


class NotYoursToInvite(Conflict):
    """The account has been in use, and not only through this enterprise."""

    message = N_(
        "该账号由本人自行注册或已用于其他单位，不能由本单位重设密码。请本人登录，或联系考核发证机关的安全管理员。"
    )


class CannotLeaveOneself(Conflict):
    """A manager cannot end their own employment."""

    message = N_("不能为自己办理离职。请由本单位其他安全管理员办理。")


class NoPost(BadInput):
    """The post is left empty."""

    message = N_("请填写岗位。")


@dataclass(frozen=True)
class StaffMember:
    """One line of the staff list."""

    person_id: UUID
    name: str
    number_masked: str
    phone_masked: str
    category: PersonCategory
    department: str
    post: str
    account: AccountState
    overdue: int
    open: int
    hours_this_year: Decimal


@dataclass(frozen=True)
class StaffPage:
    """One page of the staff list."""

    rows: tuple[StaffMember, ...]
    total: int
    page: int
    pages: int


@dataclass(frozen=True)
class StaffFile:
    """What an enterprise sees of one person: the head of 一人一档."""

    employment_id: UUID
    person_id: UUID
    name: str
    id_type: IdType
    number_masked: str
    phone_masked: str
    sex: Sex | None
    education: Education | None
    category: PersonCategory
    department: str
    post: str
    started_on: date
    ended_on: date | None
    account: AccountState


@dataclass(frozen=True)
class Coverage:
    """How an enterprise stands, counted in people of its present staff."""

    staff: int
    trained: int
    behind: int
    due_soon: int
    not_in: int
    unassigned: int

    @property
    def percent(self) -> int:
        """Trained of all, rounded down."""
        return 100 * self.trained // self.staff if self.staff else 0


@dataclass(frozen=True)
class Added:
    """Someone who joined. `token` is the one-time link's, or None when they can sign in already."""

    person_id: UUID
    is_new: bool
    token: str | None


def _present(organisation_id: UUID) -> ColumnElement[bool]:
    return and_(col(Employment.organisation_id) == organisation_id, col(Employment.ended_on).is_(None))


def year_begins(now: datetime) -> datetime:
    """The first instant of the year in China."""
    return start_of_day(china_date(now).replace(month=1, day=1))


def _counted(organisation_id: UUID) -> ColumnElement[bool]:
    """Records that count for the enterprise: passed, its own, and not corrected by a later one."""
    later = select(TrainingRecord.corrects_id).where(col(TrainingRecord.corrects_id).is_not(None))
    return and_(
        col(TrainingRecord.organisation_id) == organisation_id,
        col(TrainingRecord.id).not_in(later),
        col(TrainingRecord.passed),
    )


async def list_staff(
    session: AsyncSession,
    organisation_id: UUID,
    *,
    vault: Vault,
    now: datetime,
    search: str = "",
    department: str = "",
    page: int = 1,
) -> StaffPage:
    """The present staff by department and name; `search` is part of a name or a whole document number."""
    wanted = [_present(organisation_id), *_search(vault, search)]
    if department:
        wanted.append(col(Employment.department) == department)
    joined = (
        select(Person, Employment, PersonDocument, Account)
        .join(Employment, col(Employment.person_id) == Person.id)
        .join(PersonDocument, and_(col(PersonDocument.person_id) == Person.id, col(PersonDocument.is_primary)))
        .join(Account, col(Account.person_id) == Person.id)
        .where(*wanted)
    )
    total = (await session.exec(select(func.count()).select_from(joined.subquery()))).one()
    pages = max(-(-total // PAGE), 1)
    page = min(max(page, 1), pages)
    statement = (
        joined.order_by(col(Employment.department), col(Person.matched_name), col(Person.id))
        .offset((page - 1) * PAGE)
        .limit(PAGE)
    )
    rows = (await session.exec(statement)).all()
    ids = [person.id for person, *_ in rows]
    invited = await _open_invitations(session, ids, now=now)
    due = await _assignment_counts(session, organisation_id, ids, today=china_date(now))
    hours = await _hours_since(session, organisation_id, ids, since=year_begins(now))
    members = tuple(
        StaffMember(
            person_id=person.id,
            name=person.name,
            number_masked=document.number_masked,
            phone_masked=account.phone_masked,
            category=employment.category,
            department=employment.department,
            post=employment.post,
            account=_account_state(account, is_invited=person.id in invited),
            overdue=due.get(person.id, (0, 0))[0],
            open=due.get(person.id, (0, 0))[1],
            hours_this_year=hours.get(person.id, _NO_HOURS),
        )
        for person, employment, document, account in rows
    )
    return StaffPage(rows=members, total=total, page=page, pages=pages)


def _search(vault: Vault, search: str) -> list[ColumnElement[bool]]:
    search = search.strip()
    if not search:
        return []
    if sum(c.isdigit() for c in search) >= _DIGITS_OF_A_NUMBER:
        return [col(PersonDocument.number_index) == document_index(vault, search)]
    return [col(Person.matched_name).contains(matched_name(search), autoescape=True)]


def _account_state(account: Account, *, is_invited: bool) -> AccountState:
    if account.password_hash is not None:
        return AccountState.ACTIVE
    return AccountState.INVITED if is_invited else AccountState.LAPSED


async def _open_invitations(session: AsyncSession, person_ids: Sequence[UUID], *, now: datetime) -> set[UUID]:
    statement = (
        select(Account.person_id)
        .join(Invitation, col(Invitation.account_id) == Account.id)
        .where(
            col(Account.person_id).in_(person_ids), col(Invitation.used_at).is_(None), col(Invitation.expires_at) > now
        )
    )
    return set((await session.exec(statement)).all())


async def _assignment_counts(
    session: AsyncSession, organisation_id: UUID, person_ids: Sequence[UUID], *, today: date
) -> dict[UUID, tuple[int, int]]:
    statement = (
        select(
            Assignment.person_id,
            func.count().filter(col(Assignment.due_on) < today),
            func.count().filter(col(Assignment.due_on) >= today),
        )
        .where(
            Assignment.organisation_id == organisation_id,
            col(Assignment.person_id).in_(person_ids),
            col(Assignment.finished_at).is_(None),
            col(Assignment.withdrawn_at).is_(None),
        )
        .group_by(col(Assignment.person_id))
    )
    return {person_id: (overdue, later) for person_id, overdue, later in (await session.exec(statement)).all()}


async def _hours_since(
    session: AsyncSession, organisation_id: UUID, person_ids: Sequence[UUID], *, since: datetime
) -> dict[UUID, Decimal]:
    statement = (
        select(TrainingRecord.person_id, func.sum(TrainingRecord.class_hours))
        .where(
            _counted(organisation_id),
            col(TrainingRecord.person_id).in_(person_ids),
            col(TrainingRecord.ended_at) >= since,
        )
        .group_by(col(TrainingRecord.person_id))
    )
    return dict((await session.exec(statement)).all())


async def list_departments(session: AsyncSession, organisation_id: UUID) -> list[tuple[str, int]]:
    """(department, present staff), by name; people without one stand under an empty name."""
    return await _count_by(session, organisation_id, col(Employment.department))


async def list_posts(session: AsyncSession, organisation_id: UUID) -> list[tuple[str, int]]:
    """(post, present staff), by name."""
    return await _count_by(session, organisation_id, col(Employment.post))


async def _count_by(session: AsyncSession, organisation_id: UUID, column: Mapped[str]) -> list[tuple[str, int]]:
    statement = select(column, func.count()).where(_present(organisation_id)).group_by(column).order_by(column)
    return [(name, count) for name, count in (await session.exec(statement)).all()]


async def list_staff_ids(
    session: AsyncSession,
    organisation_id: UUID,
    *,
    everyone: bool = False,
    departments: Sequence[str] = (),
    posts: Sequence[str] = (),
    person_ids: Sequence[UUID] = (),
) -> Sequence[UUID]:
    """The present staff that any of these choices names."""
    statement = select(Employment.person_id).where(_present(organisation_id))
    if not everyone:
        statement = statement.where(
            or_(
                col(Employment.department).in_(departments),
                col(Employment.post).in_(posts),
                col(Employment.person_id).in_(person_ids),
            )
        )
    return (await session.exec(statement)).all()


async def list_staff_names(session: AsyncSession, organisation_id: UUID) -> list[tuple[UUID, str, str, str]]:
    """(person, name, department, post) of the present staff, to choose from."""
    statement = (
        select(Person.id, Person.name, Employment.department, Employment.post)
        .join(Employment, col(Employment.person_id) == Person.id)
        .where(_present(organisation_id))
        .order_by(col(Employment.department), col(Person.matched_name))
    )
    return [(key, name, department, post) for key, name, department, post in (await session.exec(statement)).all()]


async def get_staff_file(session: AsyncSession, organisation_id: UUID, person_id: UUID, *, now: datetime) -> StaffFile:
    """One who works or worked here. Raises `NotFound` for anyone else."""
    statement = (
        _files()
        .where(Person.id == person_id, Employment.organisation_id == organisation_id)
        .order_by(col(Employment.ended_on).desc().nulls_first(), col(Employment.started_on).desc())
        .limit(1)
    )
    files = await _read_files(session, statement, now=now)
    if not files:
        raise NotFound
    return files[0]


async def list_staff_files(session: AsyncSession, organisation_id: UUID, *, now: datetime) -> list[StaffFile]:
    """The present staff, by department and name."""
    statement = (
        _files()
        .where(_present(organisation_id))
        .order_by(col(Employment.department), col(Person.matched_name), col(Person.id))
    )
    return await _read_files(session, statement, now=now)


def _files() -> Select[Person, Employment, PersonDocument, Account]:
    return (
        select(Person, Employment, PersonDocument, Account)
        .join(Employment, col(Employment.person_id) == Person.id)
        .join(PersonDocument, and_(col(PersonDocument.person_id) == Person.id, col(PersonDocument.is_primary)))
        .join(Account, col(Account.person_id) == Person.id)
    )


async def _read_files(
    session: AsyncSession, statement: Select[Person, Employment, PersonDocument, Account], *, now: datetime
) -> list[StaffFile]:
    rows = (await session.exec(statement)).all()
    invited = await _open_invitations(session, [person.id for person, *_ in rows], now=now)
    return [
        StaffFile(
            employment_id=employment.id,
            person_id=person.id,
            name=person.name,
            id_type=document.id_type,
            number_masked=document.number_masked,
            phone_masked=account.phone_masked,
            sex=person.sex,
            education=person.education,
            category=employment.category,
            department=employment.department,
            post=employment.post,
            started_on=employment.started_on,
            ended_on=employment.ended_on,
            account=_account_state(account, is_invited=person.id in invited),
        )
        for person, employment, document, account in rows
    ]


async def get_coverage(session: AsyncSession, organisation_id: UUID, *, now: datetime) -> Coverage:
    """How many of the present staff were trained this year, are behind, or have something due soon."""
    today = china_date(now)
    due: list[ColumnElement[bool]] = [
        col(Assignment.organisation_id) == organisation_id,
        col(Assignment.person_id) == col(Employment.person_id),
        col(Assignment.finished_at).is_(None),
        col(Assignment.withdrawn_at).is_(None),
    ]
    last = today + timedelta(days=await soon_days(session, today=today))
    overdue = select(Assignment.id).where(*due, Assignment.due_on < today).exists()
    is_due_soon = select(Assignment.id).where(*due, col(Assignment.due_on).between(today, last)).exists()
    ever = (
        select(Assignment.id)
        .where(
            Assignment.organisation_id == organisation_id,
            Assignment.person_id == Employment.person_id,
            col(Assignment.withdrawn_at).is_(None),
        )
        .exists()
    )
    trained = (
        select(TrainingRecord.id)
        .where(
            _counted(organisation_id),
            TrainingRecord.person_id == Employment.person_id,
            col(TrainingRecord.ended_at) >= year_begins(now),
        )
        .exists()
    )
    not_in = (
        select(Account.id)
        .where(Account.person_id == Employment.person_id, col(Account.password_hash).is_(None))
        .exists()
    )
    counts = {}
    for name, condition in {
        "trained": trained, "behind": overdue, "due_soon": and_(is_due_soon, not_(overdue)), "not_in": not_in,
        "unassigned": and_(not_(ever), not_(trained)),
    }.items():  # fmt: skip
        statement = select(func.count()).select_from(Employment).where(_present(organisation_id), condition)
        counts[name] = (await session.exec(statement)).one()
    everyone = select(func.count()).select_from(Employment).where(_present(organisation_id))
    return Coverage(staff=(await session.exec(everyone)).one(), **counts)


async def add_staff(
    session: AsyncSession,
    *,
    vault: Vault,
    organisation_id: UUID,
    new: NewPerson,
    category: PersonCategory,
    post: str,
    department: str,
    started_on: date,
    actor_id: UUID,
    now: datetime,
) -> Added:
    """Take someone on: whoever is known by document and name is linked, anyone else registered and invited.

    Again, it changes the post. Raises what `register_person` raises, `NameDiffers` and `NoPost`.
    """
    if not post.strip():
        raise NoPost(field="post")
    known = await find_person_by_document(session, vault=vault, number=new.number)
    token = None
    if known is not None:
        if known.matched_name != matched_name(new.name):
            raise NameDiffers(field="name")
        person_id = known.id
    else:
        person, account = await register_person(session, vault=vault, new=new, now=now, actor_id=actor_id)
        person_id = person.id
        token = await invite(
            session, account_id=account.id, organisation_id=organisation_id, created_by=actor_id, now=now
        )
    await employ(
        session, person_id=person_id, organisation_id=organisation_id, category=category, post=post,
        department=department, started_on=started_on, now=now, actor_id=actor_id,
    )  # fmt: skip
    return Added(person_id=person_id, is_new=known is None, token=token)


async def invite_staff_again(
    session: AsyncSession, *, organisation_id: UUID, person_id: UUID, actor_id: UUID, now: datetime
) -> str:
    """A new one-time link for one of the present staff; earlier links stop working.

    A link sets a password and so hands the account over. An enterprise may make one only for an
    account that it invited first itself and whose owner has no post elsewhere and no role.
    Raises `NotFound`, `NotYoursToInvite`.
    """
    employed = select(Employment.id).where(_present(organisation_id), Employment.person_id == person_id)
    if (await session.exec(employed)).first() is None:
        raise NotFound
    account = (
        await session.exec(select(Account).where(Account.person_id == person_id).with_for_update())
    ).one_or_none()
    if account is None or account.closed_at is not None:
        raise NotFound
    if not await _is_only_ours(session, account, organisation_id):
        raise NotYoursToInvite
    return await renew_invitation(
        session, account_id=account.id, organisation_id=organisation_id, actor_id=actor_id, now=now
    )


async def _is_only_ours(session: AsyncSession, account: Account, organisation_id: UUID) -> bool:
    first = select(Invitation.organisation_id).where(Invitation.account_id == account.id)
    first = first.order_by(col(Invitation.created_at), col(Invitation.id)).limit(1)
    if (await session.exec(first)).first() != organisation_id:
        return False
    elsewhere = select(Employment.id).where(
        Employment.person_id == account.person_id, Employment.organisation_id != organisation_id
    )
    role = select(RoleGrant.id).where(RoleGrant.person_id == account.person_id, col(RoleGrant.withdrawn_at).is_(None))
    return (await session.exec(elsewhere)).first() is None and (await session.exec(role)).first() is None


async def renew_invitation(
    session: AsyncSession, *, account_id: UUID, organisation_id: UUID | None, actor_id: UUID, now: datetime
) -> str:
    """End the account's open links and make a new one."""
    await session.exec(
        update(Invitation)
        .where(
            col(Invitation.account_id) == account_id,
            col(Invitation.used_at).is_(None),
            col(Invitation.expires_at) > now,
        )
        .values(expires_at=now)
    )
    return await invite(session, account_id=account_id, organisation_id=organisation_id, created_by=actor_id, now=now)


async def end_staff(
    session: AsyncSession, *, organisation_id: UUID, person_id: UUID, actor_id: UUID, now: datetime
) -> None:
    """Someone leaves: the post, what was still expected and the roles here end; records stay.

    Raises `NotFound`, `CannotLeaveOneself`.
    """
    statement = (
        select(Employment)
        .where(Employment.organisation_id == organisation_id, Employment.person_id == person_id)
        .order_by(col(Employment.ended_on).desc().nulls_first())
        .with_for_update()
    )
    employment = (await session.exec(statement)).first()
    if employment is None:
        raise NotFound
    if person_id == actor_id:
        raise CannotLeaveOneself
    if employment.ended_on is not None:
        return
    await end_employment(
        session, employment_id=employment.id, organisation_id=organisation_id, actor_id=actor_id, now=now
    )
    await withdraw_open_assignments(session, person_id=person_id, organisation_id=organisation_id, now=now)
    await session.exec(
        update(RoleGrant)
        .where(
            col(RoleGrant.person_id) == person_id,
            col(RoleGrant.organisation_id) == organisation_id,
            col(RoleGrant.withdrawn_at).is_(None),
        )
        .values(withdrawn_at=now, withdrawn_by=actor_id)
    )


async def list_numbers(session: AsyncSession, *, vault: Vault, person_ids: Sequence[UUID]) -> dict[UUID, Document]:
    """Opened documents, for an export that the rule table allows; note it in the audit log."""
    statement = select(PersonDocument).where(
        col(PersonDocument.person_id).in_(person_ids), col(PersonDocument.is_primary)
    )
    return {
        row.person_id: Document(row.id_type, vault.open(row.number_sealed, context=DOCUMENT))
        for row in (await session.exec(statement)).all()
    }

"""Applications, sessions and bookings with defaults for everything, made by the domain's own operations."""

from __future__ import annotations

import io
import itertools
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from exams.applications import (
    Background,
    accept_application,
    attach_photo,
    attach_proof,
    save_background,
    sign_health,
    start_application,
    submit_application,
)
from exams.health import items_for
from exams.models import Application, Booking, ExamPart, ExamRoom, ExamSession, SessionMode
from exams.proofs import Proof
from exams.qualifications import get_qualification
from exams.scheduling import NewSession, add_room, open_session
from exams.seating import book_seat
from question_bank.models import Item, ItemLevel, ItemRevision, ItemType, RevisionStatus
from question_bank.queries import get_blueprint
from tests.makers.people import Known, make_organisation, make_person, make_role
from training.models import Education, Organisation, OrganisationKind, Role
from web.storage import Store

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.files import FileStore
    from training.vault import Vault

LOW_VOLTAGE = "SO_1_2"
PDF = b"%PDF-1.4\n%a proof\n%%EOF\n"
_numbers = itertools.count(1)
_KEYS = {ItemType.TF: "T", ItemType.SC: "A", ItemType.MC: "AB"}


def picture(*, side: int = 400, colour: str = "#aabbcc") -> bytes:
    """A plain JPEG."""
    out = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(out, "JPEG")
    return out.getvalue()


def scratch_store() -> Store:
    """A store of its own, for a test that never reads the files again."""
    return Store(Path(tempfile.mkdtemp(prefix="anpei-media-")).as_uri())


async def fill_bank(session: AsyncSession, vault: Vault, *, code: str = LOW_VOLTAGE, now: datetime) -> None:
    """Exactly as many published items as one paper of the blueprint needs."""
    author = await make_person(session, vault, now=now, name="出题人")
    reviewer = await make_person(session, vault, now=now, name="审题人")
    blueprint = await get_blueprint(session, code)
    items, revisions = [], []
    for cell in blueprint.cells:
        for _ in range(cell.count):
            item = Item(code=f"M-{next(_numbers):06d}", subject=code, created_at=now, created_by=author.person.id)
            items.append(item)
            revisions.append(
                ItemRevision(
                    item_id=item.id,
                    number=1,
                    type=cell.type,
                    area=cell.area,
                    level=ItemLevel.KNOW,
                    key_point=f"要点{len(items)}",
                    stem=f"第{len(items)}题",
                    key=_KEYS[cell.type],
                    options=[] if cell.type is ItemType.TF else ["甲", "乙", "丙", "丁"],
                    source="教学大纲",
                    status=RevisionStatus.PUBLISHED,
                    author_id=author.person.id,
                    created_at=now,
                    reviewed_by=reviewer.person.id,
                    reviewed_at=now,
                    published_at=now,
                )
            )
    session.add_all(items)
    await session.flush()
    session.add_all(revisions)
    await session.flush()


async def make_draft(
    session: AsyncSession,
    vault: Vault,
    *,
    now: datetime,
    who: Known | None = None,
    code: str = LOW_VOLTAGE,
    store: FileStore | None = None,
) -> Application:
    """An application with every step done, not yet submitted."""
    who = who or await make_person(session, vault, now=now)
    store = store or scratch_store()
    application = await start_application(
        session, person_id=who.person.id, qualification_code=code, has_valid_certificate=False, now=now
    )
    own = {"application_id": application.id, "person_id": who.person.id}
    await save_background(
        session, told=Background(Education.SENIOR_HIGH, "北京演示科技有限公司", "EDUCATION"), now=now, **own
    )
    await attach_proof(session, store=store, vault=vault, proof=Proof(PDF, "application/pdf"), now=now, **own)
    await attach_photo(session, store=store, vault=vault, jpeg=picture(), now=now, **own)
    confirmed = [item.code for item in items_for((await get_qualification(session, code)).so_code)]
    return await sign_health(session, vault=vault, confirmed=confirmed, typed_name=who.person.name, now=now, **own)


async def make_submitted(
    session: AsyncSession,
    vault: Vault,
    *,
    now: datetime,
    who: Known | None = None,
    code: str = LOW_VOLTAGE,
    store: FileStore | None = None,
) -> Application:
    """An application that waits for a reviewer."""
    draft = await make_draft(session, vault, now=now, who=who, code=code, store=store)
    return await submit_application(
        session, application_id=draft.id, person_id=draft.person_id, has_valid_certificate=False, now=now
    )


async def make_reviewer(session: AsyncSession, vault: Vault, *, now: datetime) -> Known:
    """Somebody of an authority who reviews applications."""
    authority = await make_organisation(session, now=now, kind=OrganisationKind.AUTHORITY, name="演示市应急管理局")
    return await make_role(
        session, vault, role=Role.APPLICATION_REVIEWER, organisation=authority, now=now, name="赵审核"
    )


async def make_accepted(
    session: AsyncSession,
    vault: Vault,
    *,
    now: datetime,
    who: Known | None = None,
    code: str = LOW_VOLTAGE,
    reviewer: Known | None = None,
    store: FileStore | None = None,
) -> Application:
    """An application that may book."""
    reviewer = reviewer or await make_reviewer(session, vault, now=now)
    application = await make_submitted(session, vault, now=now, who=who, code=code, store=store)
    return await accept_application(session, application_id=application.id, reviewer_id=reviewer.person.id, now=now)


async def make_site(session: AsyncSession, *, now: datetime, name: str = "演示第一考试点") -> Organisation:
    return await make_organisation(session, now=now, kind=OrganisationKind.SITE, name=name)


async def make_site_head(
    session: AsyncSession, vault: Vault, *, now: datetime, site: Organisation | None = None
) -> tuple[Known, Organisation]:
    site = site or await make_site(session, now=now)
    return await make_role(session, vault, role=Role.SITE_HEAD, organisation=site, now=now, name="钱站长"), site


async def make_room(
    session: AsyncSession,
    *,
    site: Organisation,
    head: Known,
    now: datetime,
    name: str = "",
    seats: int = 50,
    is_practical: bool = False,
) -> ExamRoom:
    return await add_room(
        session, site_id=site.id, name=name or f"第{next(_numbers)}考场", seats=seats, is_practical=is_practical,
        actor_id=head.person.id, now=now,
    )  # fmt: skip


async def make_session(
    session: AsyncSession,
    vault: Vault,
    *,
    now: datetime,
    room: ExamRoom | None = None,
    head: Known | None = None,
    part: ExamPart = ExamPart.THEORY,
    seats: int = 3,
    in_hours: float = 72,
    code: str = LOW_VOLTAGE,
) -> ExamSession:
    """An on-demand session in a room of its own. A theory session wants `fill_bank` first."""
    if room is None or head is None:
        head, site = await make_site_head(session, vault, now=now)
        room = await make_room(session, site=site, head=head, now=now, is_practical=part is ExamPart.PRACTICAL)
    new = NewSession(
        qualification_code=code, part=part, mode=SessionMode.ON_DEMAND, room_id=room.id, seats=seats,
        starts_at=now + timedelta(hours=in_hours),
    )  # fmt: skip
    return await open_session(session, site_id=room.site_id, new=new, actor_id=head.person.id, now=now)


async def make_booking(
    session: AsyncSession,
    vault: Vault,
    *,
    now: datetime,
    who: Known | None = None,
    exam_session: ExamSession | None = None,
    application: Application | None = None,
) -> Booking:
    """A seat of an accepted application. Without a session, the bank is filled and one is opened."""
    if exam_session is None:
        await fill_bank(session, vault, now=now)
        exam_session = await make_session(session, vault, now=now)
    application = application or await make_accepted(session, vault, now=now, who=who)
    return await book_seat(
        session, exam_session_id=exam_session.id, application_id=application.id, person_id=application.person_id,
        now=now,
    )  # fmt: skip

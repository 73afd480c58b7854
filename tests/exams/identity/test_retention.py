"""Enrolled photos go when nothing needs them any more."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlmodel import select

from exams.applications import accept_application, attach_photo, refuse_application, withdraw_application
from exams.identity.retention import forget_faces
from exams.models import Application, ApplicationStatus
from tests.makers.exams import make_accepted, make_draft, make_reviewer, make_submitted, picture
from training.models import Person, StoredFile

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault
    from web.storage import Store

SPAN = timedelta(days=180)


async def is_kept(session: AsyncSession, store: Store, photo_id: UUID | None) -> bool:
    photo = await session.get_one(StoredFile, photo_id, populate_existing=True)
    try:
        await store.get(photo.key)
    except FileNotFoundError:
        assert photo.deleted_at is not None
        return False
    return photo.deleted_at is None


async def test_the_photo_of_a_refused_application_goes_after_the_span(
    session: AsyncSession, vault: Vault, store: Store, now: datetime
) -> None:
    application = await make_submitted(session, vault, now=now, store=store)
    photo_id = application.photo_id
    reviewer = await make_reviewer(session, vault, now=now)
    await refuse_application(
        session, application_id=application.id, reviewer_id=reviewer.person.id, reason="年龄不符", now=now
    )
    assert await forget_faces(session, store=store, now=now + SPAN - timedelta(seconds=1)) == 0
    assert await is_kept(session, store, photo_id)
    assert await forget_faces(session, store=store, now=now + SPAN) == 1
    assert not await is_kept(session, store, photo_id)
    assert await forget_faces(session, store=store, now=now + SPAN) == 0


async def test_an_abandoned_draft_keeps_no_photo(
    session: AsyncSession, vault: Vault, store: Store, now: datetime
) -> None:
    draft = await make_draft(session, vault, now=now, store=store)
    assert await forget_faces(session, store=store, now=now + SPAN) == 1
    assert (await session.get_one(Application, draft.id, populate_existing=True)).photo_id is None


async def test_a_replaced_photo_goes_and_the_one_in_use_stays(
    session: AsyncSession, vault: Vault, store: Store, now: datetime
) -> None:
    draft = await make_draft(session, vault, now=now, store=store)
    old = draft.photo_id
    await attach_photo(
        session, store=store, vault=vault, application_id=draft.id, person_id=draft.person_id, jpeg=picture(),
        now=now,
    )  # fmt: skip
    draft.status, draft.submitted_at = ApplicationStatus.SUBMITTED, now
    session.add(draft)
    await session.flush()
    reviewer = await make_reviewer(session, vault, now=now)
    await accept_application(session, application_id=draft.id, reviewer_id=reviewer.person.id, now=now)
    assert await forget_faces(session, store=store, now=now + 3 * SPAN) == 1
    assert not await is_kept(session, store, old)
    assert await is_kept(session, store, draft.photo_id)


@pytest.mark.parametrize(
    ("status", "goes"),
    [
        (ApplicationStatus.ACCEPTED, False),
        (ApplicationStatus.PASSED, False),
        (ApplicationStatus.FAILED, True),
        (ApplicationStatus.WITHDRAWN, True),
    ],
)
async def test_the_persons_own_photo_goes_only_if_every_application_ended_without_success(
    session: AsyncSession, vault: Vault, store: Store, now: datetime, status: ApplicationStatus, goes: bool
) -> None:
    application = await make_accepted(session, vault, now=now, store=store)
    photo_id = application.photo_id
    application.status = status
    session.add(application)
    await session.flush()
    assert await forget_faces(session, store=store, now=now + SPAN) == int(goes)
    assert await is_kept(session, store, photo_id) is not goes
    person = await session.get_one(Person, application.person_id, populate_existing=True)
    assert (person.photo_id is None) is goes


async def test_what_a_certificate_shows_stays(session: AsyncSession, vault: Vault, store: Store, now: datetime) -> None:
    application = await make_accepted(session, vault, now=now, store=store)
    await withdraw_application(session, application_id=application.id, person_id=application.person_id, now=now)
    needed = select(StoredFile.id).where(StoredFile.id == application.photo_id)
    assert await forget_faces(session, store=store, now=now + SPAN, needed=needed) == 0
    assert await forget_faces(session, store=store, now=now + SPAN) == 1

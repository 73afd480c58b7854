"""Publishing a course: its text becomes an immutable version, its media go into the object store."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlmodel import col, func, select

from training import audit
from training.calendar import china_date
from training.course_text import Block, CourseText, Lesson, Module, count_characters
from training.files import keep_file
from training.models import BlockKind, Course, CourseModule, CourseStatus, CourseVersion, LessonBlock, StoredFile
from training.rules import get_number

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.files import FileStore

MEDIA = "course"


@dataclass(frozen=True)
class Media:
    """A picture or a video of a course; `seconds` is a video's length."""

    data: bytes
    media_type: str
    seconds: int = 0


async def _lock_course(session: AsyncSession, code: str, *, now: datetime) -> Course:
    statement = select(Course).where(Course.code == code).with_for_update()
    course = (await session.exec(statement)).one_or_none()
    if course is None:
        course = Course(code=code, created_at=now)
        session.add(course)
        await session.flush()
    return course


async def publish_course(
    session: AsyncSession,
    *,
    store: FileStore,
    text: CourseText,
    media: Mapping[str, Media],
    content_hash: bytes,
    now: datetime,
    actor_id: UUID | None = None,
) -> CourseVersion:
    """Publish a text as the newest version of its course and retire the one before.

    Whoever has started the old version finishes it. The same content again gives the version that stands.
    """
    course = await _lock_course(session, text.code, now=now)
    statement = select(CourseVersion).where(
        CourseVersion.course_id == course.id, CourseVersion.status == CourseStatus.PUBLISHED
    )
    standing = (await session.exec(statement)).one_or_none()
    if standing is not None and standing.content_hash == content_hash:
        return standing
    if standing is not None:
        standing.status = CourseStatus.RETIRED
        session.add(standing)
        await session.flush()
    version = await _add_version(session, course, text, content_hash, now=now)
    files = {path: await _keep(session, store, one, now=now) for path, one in media.items()}
    pace = await get_number(session, "learn.characters_per_minute", on=china_date(now))
    for module in text.modules:
        await _add_module(session, version.id, module, media=media, files=files, pace=pace)
    audit.record(
        session, action="course.published", target=("course_version", version.id), actor_id=actor_id, now=now,
        code=text.code, number=version.number,
    )  # fmt: skip
    return version


async def _add_version(
    session: AsyncSession, course: Course, text: CourseText, content_hash: bytes, *, now: datetime
) -> CourseVersion:
    statement = select(func.max(CourseVersion.number)).where(CourseVersion.course_id == course.id)
    last = (await session.exec(statement)).one() or 0
    version = CourseVersion(
        course_id=course.id,
        number=max(last + 1, text.version),
        title=text.title,
        title_en=text.title_en,
        summary=text.summary,
        class_hours=text.class_hours,
        audience=[category.value for category in text.audience],
        sources=list(text.sources),
        status=CourseStatus.PUBLISHED,
        content_hash=content_hash,
        created_at=now,
    )
    session.add(version)
    await session.flush()
    return version


async def _keep(session: AsyncSession, store: FileStore, media: Media, *, now: datetime) -> StoredFile:
    """Media that an earlier version already brought are not stored again."""
    sha256 = hashlib.sha256(media.data).digest()
    statement = select(StoredFile).where(
        StoredFile.purpose == MEDIA, StoredFile.sha256 == sha256, col(StoredFile.deleted_at).is_(None)
    )
    known = (await session.exec(statement)).first()
    return known or await keep_file(
        session, store=store, data=media.data, media_type=media.media_type, purpose=MEDIA, now=now
    )


async def _add_module(
    session: AsyncSession,
    version_id: UUID,
    module: Module,
    *,
    media: Mapping[str, Media],
    files: Mapping[str, StoredFile],
    pace: int,
) -> None:
    row = CourseModule(
        course_version_id=version_id,
        number=module.number,
        title=module.title,
        minutes=module.minutes,
        quiz=[question.as_body() for question in module.quiz],
    )
    session.add(row)
    await session.flush()
    blocks = [(number, lesson, block) for number, lesson in enumerate(module.lessons, 1) for block in lesson.blocks]
    session.add_all(
        _block(row.id, number, lesson_number, lesson, block, media=media, files=files, pace=pace)
        for number, (lesson_number, lesson, block) in enumerate(blocks, 1)
    )
    await session.flush()


def _block(
    module_id: UUID,
    number: int,
    lesson_number: int,
    lesson: Lesson,
    block: Block,
    *,
    media: Mapping[str, Media],
    files: Mapping[str, StoredFile],
    pace: int,
) -> LessonBlock:
    seconds = media[block.path].seconds if block.path else 0
    return LessonBlock(
        module_id=module_id,
        number=number,
        lesson_number=lesson_number,
        lesson_title=lesson.title,
        source=lesson.source,
        kind=block.kind,
        body=_body(block, files),
        needed_seconds=reading_seconds(block.text, pace) if block.kind is BlockKind.TEXT else seconds,
    )


def reading_seconds(markdown: str, characters_per_minute: int) -> int:
    """How long a reader of ordinary speed takes."""
    return count_characters(markdown) * 60 // characters_per_minute


def _body(block: Block, files: Mapping[str, StoredFile]) -> dict[str, Any]:
    if block.question is not None:
        return block.question.as_body()
    if block.path:
        return {"file_id": str(files[block.path].id), "text": block.text}
    return {"markdown": block.text}

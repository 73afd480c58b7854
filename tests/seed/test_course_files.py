"""Our own courses load, once; a change makes a new version."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from sqlmodel import col, func, select

from seed.course_files import COURSES, load_course, load_courses
from training.course_text import BadCourse
from training.models import BlockKind, CourseModule, CourseStatus, CourseVersion, LessonBlock

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from sqlmodel.ext.asyncio.session import AsyncSession

    from web.storage import Store


async def test_all_ten_courses_load_and_a_second_time_change_nothing(
    session: AsyncSession, store: Store, now: datetime
) -> None:
    first = await load_courses(session, store, COURSES, now)
    again = await load_courses(session, store, COURSES, now)
    assert [version.id for version in first] == [version.id for version in again]
    assert len(first) == 10
    statement = (
        select(LessonBlock)
        .join(CourseModule, col(CourseModule.id) == LessonBlock.module_id)
        .where(LessonBlock.kind == BlockKind.VIDEO)
    )
    [video] = (await session.exec(statement)).all()
    assert video.needed_seconds == 24
    videos = select(func.count()).select_from(LessonBlock).where(LessonBlock.kind == BlockKind.PICTURE)
    assert (await session.exec(videos)).one() >= 25


async def test_changed_files_make_a_new_version_and_retire_the_old(
    session: AsyncSession, store: Store, now: datetime, tmp_path: Path
) -> None:
    folder = tmp_path / "C08"
    shutil.copytree(COURSES / "C08", folder)
    first = await load_course(session, store, folder, now)
    text = (folder / "course.md").read_text("utf-8")
    (folder / "course.md").write_text(text + "\n补充一句。\n", "utf-8")
    second = await load_course(session, store, folder, now)
    await session.refresh(first)
    assert (first.number, first.status) == (1, CourseStatus.RETIRED)
    assert (second.number, second.status) == (2, CourseStatus.PUBLISHED)
    versions = (await session.exec(select(CourseVersion).where(CourseVersion.course_id == first.course_id))).all()
    assert len(versions) == 2


@pytest.mark.parametrize("acting", ["<script>alert(1)</script>", '<g onload="x()"/>', '<a href="https://x"/>'])
async def test_a_picture_that_can_act_is_refused(
    session: AsyncSession, store: Store, now: datetime, tmp_path: Path, acting: str
) -> None:
    folder = tmp_path / "C08"
    shutil.copytree(COURSES / "C08", folder)
    picture = next((folder / "media").glob("*.svg"))
    picture.write_text(picture.read_text("utf-8").replace("</svg>", acting + "</svg>"), "utf-8")
    with pytest.raises(BadCourse, match="SVG"):
        await load_course(session, store, folder, now)


async def test_a_missing_file_is_named(session: AsyncSession, store: Store, now: datetime, tmp_path: Path) -> None:
    folder = tmp_path / "C08"
    shutil.copytree(COURSES / "C08", folder)
    picture = next((folder / "media").glob("*.svg"))
    picture.unlink()
    with pytest.raises(BadCourse, match=picture.name):
        await load_course(session, store, folder, now)

"""Courses from folders: ours under `seed/courses`, and any operator's own in the same form."""

from __future__ import annotations

import asyncio
import hashlib
import io
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image, UnidentifiedImageError

from seed.course_video import make_video, read_slides, video_seconds
from training.calendar import china_date
from training.course_text import BadCourse, CourseText, Mistake, parse_course
from training.courses import Media, publish_course
from training.rules import get_number

if TYPE_CHECKING:
    from datetime import datetime

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.files import FileStore
    from training.models import CourseVersion

COURSES = Path(__file__).parent / "courses"
_FONT = Path(__file__).parent.parent / "web" / "static" / "vendor" / "fonts" / "NotoSansSC-Bold.ttf"
_MEDIA_TYPES = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
    ".webm": "video/webm",
    ".mp4": "video/mp4",
}
_LARGEST = 64 * 1024 * 1024
# A picture of ours is opened as a picture only, but anyone may open its address: nothing in it may act.
_ACTING_SVG = re.compile(
    rb"<\s*(script|foreignObject|iframe|image|use)\b|\son\w+\s*=|(href|src)\s*=\s*[\"'](?!#)|<!ENTITY", re.IGNORECASE
)


@dataclass(frozen=True)
class _Folder:
    """A course as read from the disk."""

    text: CourseText
    media: dict[str, Media]
    content_hash: bytes


def _hash(folder: Path) -> bytes:
    """Of every file that makes the course; a video that is drawn from slides counts by its slides."""
    digest = hashlib.sha256()
    paths = [*folder.glob("*.md"), *(path for path in folder.glob("media/*") if path.is_file())]
    for path in sorted(paths):
        if path.suffix == ".webm" and path.with_suffix(".toml").exists():
            continue
        digest.update(f"{path.relative_to(folder)}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.digest()


def _read_media(folder: Path, name: str) -> Media:
    """One picture or video. Raises `ValueError` with what is wrong."""
    path = folder / name
    media_type = _MEDIA_TYPES.get(path.suffix)
    if media_type is None:
        raise ValueError(f"不支持的文件类型，可用 {' '.join(_MEDIA_TYPES)}")
    slides = path.with_suffix(".toml")
    if not path.is_file() and path.suffix == ".webm" and slides.is_file():
        text = slides.read_text("utf-8")
        return Media(make_video(text, font=_FONT), media_type, sum(slide["seconds"] for slide in read_slides(text)))
    if not path.is_file():
        raise ValueError("文件不存在")
    if path.stat().st_size > _LARGEST:
        raise ValueError("文件超过 64 MB")
    data = path.read_bytes()
    if media_type.startswith("video/"):
        return Media(data, media_type, video_seconds(path))
    _check_picture(path, data)
    return Media(data, media_type)


def _check_picture(path: Path, data: bytes) -> None:
    if path.suffix == ".svg":
        if b"<svg" not in data or _ACTING_SVG.search(data):
            raise ValueError("SVG 中不能有脚本、事件或外部引用")
        return
    try:
        with Image.open(io.BytesIO(data)) as picture:
            picture.verify()
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise ValueError("不是可读的图片") from error


def _read_folder(folder: Path, *, minutes_per_hour: int) -> _Folder:
    try:
        texts = {path.name: path.read_text("utf-8") for path in folder.glob("*.md")}
    except UnicodeDecodeError as error:
        raise BadCourse([Mistake(str(folder), 0, "课程文件应为 UTF-8 编码")]) from error
    course = parse_course(texts, minutes_per_hour=minutes_per_hour)
    media, mistakes = {}, []
    for name in course.media:
        try:
            media[name] = _read_media(folder, name)
        except ValueError as error:
            mistakes.append(Mistake(name, 0, str(error)))
    if mistakes:
        raise BadCourse(mistakes)
    return _Folder(course, media, _hash(folder))


async def load_course(session: AsyncSession, store: FileStore, folder: Path, now: datetime) -> CourseVersion:
    """Publish the course in a folder; unchanged files change nothing. Raises `BadCourse`."""
    minutes = await get_number(session, "hour.minutes", on=china_date(now))
    read = await asyncio.to_thread(_read_folder, folder, minutes_per_hour=minutes)
    return await publish_course(
        session, store=store, text=read.text, media=read.media, content_hash=read.content_hash, now=now
    )


def _find_folders(root: Path) -> list[Path]:
    if (root / "course.md").is_file():
        return [root]
    return sorted(path.parent for path in root.glob("*/course.md"))


async def load_courses(session: AsyncSession, store: FileStore, root: Path, now: datetime) -> list[CourseVersion]:
    """Publish every course below `root`, or the one that `root` itself is. Raises `BadCourse`."""
    folders = await asyncio.to_thread(_find_folders, root)
    if not folders:
        raise BadCourse([Mistake(str(root), 0, "没有找到含 course.md 的课程文件夹")])
    return [await load_course(session, store, folder, now) for folder in folders]

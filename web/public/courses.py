"""The public catalogue of courses, and their pictures and videos."""

from __future__ import annotations

import re
from uuid import UUID

from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery
from litestar.response import Template
from sqlmodel.ext.asyncio.session import AsyncSession

from training.accounts import Viewer
from training.courses import MEDIA
from training.errors import NotFound
from training.files import read_file
from training.lessons import find_learning, get_course, get_learning, list_courses
from training.models import PersonCategory
from web.learner.markdown import render
from web.services import Services

_A_YEAR = "public, max-age=31536000, immutable"
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


def _known(category: str) -> PersonCategory | None:
    return PersonCategory(category) if category in set(PersonCategory) else None


class CourseController(Controller):
    """`/courses`."""

    path = "/courses"

    @get("/")
    async def catalogue(
        self,
        session: NamedDependency[AsyncSession],
        q: FromQuery[str] = "",
        audience: FromQuery[str] = "",
    ) -> Template:
        """Search by word and by who is to learn."""
        category = _known(audience)
        everything = await list_courses(session)
        found = await list_courses(session, words=q, category=category)
        offered = [one for one in PersonCategory if any(one in card.audience for card in everything)]
        context = {"courses": found, "words": q, "category": category, "offered": offered, "total": len(everything)}
        return Template("public/courses.html", context=context)

    @get("/{code:str}")
    async def show(
        self, session: NamedDependency[AsyncSession], visitor: NamedDependency[Viewer | None], code: FromPath[str]
    ) -> Template:
        """A course, and for a learner the way back into it."""
        course = await get_course(session, code)
        learning = None
        if visitor is not None and (mine := await find_learning(session, person_id=visitor.person_id, code=code)):
            learning = await get_learning(session, learning_id=mine.id, person_id=visitor.person_id)
        context = {"course": course, "summary": render(course.summary), "learning": learning}
        return Template("public/course.html", context=context)

    @get("/media/{file_id:uuid}")
    async def medium(
        self,
        request: Request,  # type: ignore[type-arg]
        session: NamedDependency[AsyncSession],
        services: NamedDependency[Services],
        file_id: FromPath[UUID],
    ) -> Response[bytes]:
        """A picture or a video of a course; a player may ask for a part of it."""
        kept, data = await read_file(session, store=services.store, file_id=file_id)
        if kept.purpose != MEDIA:
            raise NotFound
        headers = {"cache-control": _A_YEAR, "accept-ranges": "bytes"}
        part = _part(request.headers.get("range", ""), len(data))
        if part is None:
            return Response(data, media_type=kept.media_type, headers=headers)
        first, last = part
        headers["content-range"] = f"bytes {first}-{last}/{len(data)}"
        return Response(data[first : last + 1], media_type=kept.media_type, headers=headers, status_code=206)


def _part(wanted: str, size: int) -> tuple[int, int] | None:
    """First and last byte of a simple range; None for the whole, which is always a right answer."""
    found = _RANGE.fullmatch(wanted.strip())
    if not found or not size:
        return None
    first, last = found.groups()
    if not first:
        return (max(size - int(last), 0), size - 1) if last and int(last) else None
    begin, end = int(first), min(int(last) if last else size - 1, size - 1)
    return (begin, end) if begin <= end else None


HANDLERS: list[type[Controller]] = [CourseController]

"""Whether a request comes from the Safe Exam Browser where the exam needs it, and the page that helps if not.

Entering a sitting, reading its paper and handing in are guarded. The calls that save answers and tell
facts are not: they are bound to the token of the device that came in through this door, the hot path
stays free of a look-up, and an answer is never lost for want of a header.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar.response import Template

from exams.browser_exam_keys import find_needed
from exams.integrity import find_open_sitting, note_fact
from exams.models import IntegrityKind
from exams.safe_exam_browser import config_key, exam_settings, is_proven
from training.errors import N_, NotAllowed

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from litestar import Request
    from sqlmodel.ext.asyncio.session import AsyncSession

    from exams.browser_exam_keys import Needed
    from web.services import Services


class BrowserNeeded(NotAllowed):
    """The exam is sat in the Safe Exam Browser only."""

    message = N_("本场考试须使用安全考试浏览器。请用考试机上的安全考试浏览器打开考试配置文件后再进入。")


async def refuse_browser(
    request: Request,  # type: ignore[type-arg]  # litestar's own alias leaves them open
    session: AsyncSession,
    services: Services,
    *,
    person_id: UUID,
    now: datetime,
    booking_id: UUID | None = None,
    exam_id: UUID | None = None,
    sitting_id: UUID | None = None,
) -> Template | None:
    """The page to show instead when the exam needs another browser, which is noted as a fact; else None."""
    needed = await find_needed(
        session, person_id=person_id, booking_id=booking_id, exam_id=exam_id, sitting_id=sitting_id
    )
    if needed is None or is_safe(request, services, needed):
        return None
    sitting_id = sitting_id or await find_open_sitting(
        session, person_id=person_id, booking_id=booking_id, exam_id=exam_id
    )
    if sitting_id is not None:
        await note_fact(session, sitting_id=sitting_id, kind=IntegrityKind.SEB_MISSING, now=now)
    context = {
        "error": BrowserNeeded(),
        "file": config_path(needed.organisation_id),
        "link": _program_link(services.settings.public_url) + config_path(needed.organisation_id),
        "is_program": "seb" in request.headers.get("user-agent", "").lower(),
        "lists_keys": bool(needed.exam_keys),
    }
    answer = Template("learner/sitting_browser.html", context=context, status_code=403)
    answer.headers["cache-control"] = "no-store"
    return answer


async def check_browser(
    request: Request,  # type: ignore[type-arg]
    session: AsyncSession,
    services: Services,
    *,
    person_id: UUID,
    booking_id: UUID | None = None,
    exam_id: UUID | None = None,
    sitting_id: UUID | None = None,
) -> None:
    """The same for a call by a program. Raises `BrowserNeeded`."""
    needed = await find_needed(
        session, person_id=person_id, booking_id=booking_id, exam_id=exam_id, sitting_id=sitting_id
    )
    if needed is not None and not is_safe(request, services, needed):
        raise BrowserNeeded


def is_safe(request: Request, services: Services, needed: Needed) -> bool:  # type: ignore[type-arg]
    """Whether the request proves the right program with the right configuration."""
    settings = settings_of(services, needed.organisation_id)
    return is_proven(
        request.headers, urls=_asked_urls(request, services), config=config_key(settings), exam_keys=needed.exam_keys
    )


def settings_of(services: Services, organisation_id: UUID) -> dict[str, object]:
    """The configuration for the exams of an organisation."""
    return exam_settings(
        public_url=services.settings.public_url, organisation_id=organisation_id, key=services.keys.session
    )


def config_path(organisation_id: UUID) -> str:
    """Where its file is."""
    return f"/sittings/seb/{organisation_id}/anpei.seb"


def _asked_urls(request: Request, services: Services) -> list[str]:  # type: ignore[type-arg]
    """The addresses that the browser may have asked for: under the public one, and as the request names itself."""
    scope = request.scope
    path = scope["raw_path"].partition(b"?")[0].decode("latin-1")
    if query := scope["query_string"].decode("latin-1"):
        path = f"{path}?{query}"
    origins = [services.settings.public_url]
    if host := request.headers.get("host"):
        scheme, forwarded = scope["scheme"], request.headers.get("x-forwarded-host", "")
        origins.append(f"{scheme}://{host}")
        if forwarded and services.settings.trusts_proxy:
            origins.append(f"{scheme}://{forwarded.rpartition(',')[2].strip()}")
    return [origin + path for origin in dict.fromkeys(origins)]


def _program_link(public_url: str) -> str:
    """The address by which the program opens a file of ours: seb:// over http, sebs:// over https."""
    scheme, _, rest = public_url.partition("://")
    return f"{'sebs' if scheme == 'https' else 'seb'}://{rest}"

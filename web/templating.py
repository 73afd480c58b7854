"""Templates: strict, translated, with the few filters that pages need."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from litestar.plugins.jinja import JinjaTemplateEngine
from markupsafe import Markup

from training.calendar import CHINA, china_date
from training.masking import mask_name
from web.i18n.catalogue import ENGLISH, gettext, language, sentence
from web.labels import choices, label

if TYPE_CHECKING:
    from datetime import date
    from decimal import Decimal

HERE = Path(__file__).parent
STATIC = HERE / "static"


@cache
def _svg(name: str) -> str:
    text = (STATIC / "vendor" / "icons" / f"{name}.svg").read_text("utf-8")
    return text[text.index("<svg") :].replace("<svg", '<svg aria-hidden="true" focusable="false"', 1)


def icon(name: str) -> Markup:
    """A Tabler outline icon, drawn in the text's colour; words stand beside it."""
    return Markup(_svg(name))  # noqa: S704 - a file of our own build


@cache
def _version(path: str) -> str:
    return hashlib.sha256((STATIC / path).read_bytes()).hexdigest()[:10]


def static_url(path: str) -> str:
    """The address of a static file, which changes with its content."""
    return f"/static/{quote(path)}?v={_version(path)}"


def day(value: date | None) -> str:
    """2026年11月21日, or 21 Nov 2026; of an instant, the day that it is in China."""
    if value is None:
        return "—"
    if isinstance(value, datetime):
        value = china_date(value)
    if language.get() == ENGLISH:
        return f"{value.day} {value:%b %Y}"
    return f"{value.year}年{value.month}月{value.day}日"


def moment(value: datetime | None) -> str:
    """Day and time in China."""
    return "—" if value is None else f"{day(value.astimezone(CHINA))} {value.astimezone(CHINA):%H:%M}"


def clock_time(value: datetime | None) -> str:
    """The time of day in China."""
    return "—" if value is None else f"{value.astimezone(CHINA):%H:%M}"


def second(value: datetime | None) -> str:
    """Day and time in China, to the second."""
    return "—" if value is None else f"{day(value.astimezone(CHINA))} {value.astimezone(CHINA):%H:%M:%S}"


def plain(value: Decimal | float | None) -> str:
    """A number without trailing zeros."""
    return "—" if value is None else f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"


def make_engine() -> JinjaTemplateEngine:
    """The template engine of the application."""
    environment = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=select_autoescape(["html", "xml"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(
        {"_": gettext, "icon": icon, "static_url": static_url, "label": label, "choices": choices, "say": sentence,
         "current_language": language.get}
    )  # fmt: skip
    environment.filters.update(
        {
            "day": day,
            "moment": moment,
            "second": second,
            "clock_time": clock_time,
            "plain": plain,
            "mask_name": mask_name,
        }
    )
    return JinjaTemplateEngine.from_environment(environment)

"""Lesson texts as HTML: no raw HTML passes, tables scroll by themselves, headings follow the page's own."""

from __future__ import annotations

import re
from functools import lru_cache

from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from web.i18n.catalogue import gettext

# `### ` stands below the lesson's title, which is the page's h1.
_HEADINGS = {"h1": "h2", "h2": "h2", "h3": "h2", "h4": "h3"}
_MARKDOWN = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable("table").disable("image")
# A line break between Chinese characters is no space, but browsers show one.
_CHINESE_BREAK = re.compile(r"(?<=[\u3001-\u9fff\uff01-\uff5e])\n(?=[\u3001-\u9fff\uff01-\uff5e“])")


@lru_cache(maxsize=2048)
def _render(text: str, table_name: str) -> str:
    tokens = _MARKDOWN.parse(text)
    for token in tokens:
        token.tag = _HEADINGS.get(token.tag, token.tag)
        # Column alignment comes as a style attribute, which the Content-Security-Policy refuses.
        token.attrs.pop("style", None)
    html = _CHINESE_BREAK.sub("", str(_MARKDOWN.renderer.render(tokens, _MARKDOWN.options, {})))
    # Raw HTML is escaped, so these tags are the renderer's own. A region that scrolls must be
    # reachable by keyboard and have a name.
    region = f'<div class="table-scroll" role="region" tabindex="0" aria-label="{escape(table_name)}">'
    return html.replace("<table>", f'{region}<table class="table">').replace("</table>", "</table></div>")


def render(text: str) -> Markup:
    """The HTML of a Markdown text."""
    return Markup(_render(text, gettext("表格，可左右滑动")))  # noqa: S704 - the renderer escapes all raw HTML

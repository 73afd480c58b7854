"""Every text of pages and code has its English, with the same placeholders."""

from __future__ import annotations

import re
from pathlib import Path

from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from web.i18n.catalogue import HERE, english

ROOT = Path(__file__).parents[2]
_PLACEHOLDER = re.compile(r"\{[a-z_]*\}")
_HAN = re.compile("[\u4e00-\u9fff]")


def _messages() -> dict[str, str]:
    """Every marked text with the file that it was first found in."""
    found: dict[str, str] = {}
    for package in ("training", "question_bank", "exams", "certificates", "web", "seed"):
        methods = [("**.py", "python"), ("**/templates/**.html", "jinja2"), ("templates/**.html", "jinja2")]
        for name, _, message, _, _ in extract_from_dir(
            ROOT / package, methods, keywords={"_": None, "N_": None, "gettext": None}
        ):
            if isinstance(message, str):
                found.setdefault(message, f"{package}/{name}")
    return found


def test_every_text_has_its_english() -> None:
    missing = {message: place for message, place in _messages().items() if message not in english()}
    assert not missing, "\n".join(f"{place}: {message}" for message, place in missing.items())


def test_placeholders_are_the_same_in_both_languages() -> None:
    wrong = [
        message
        for message, text in english().items()
        if sorted(set(_PLACEHOLDER.findall(message))) != sorted(set(_PLACEHOLDER.findall(text)))
    ]
    assert not wrong


def test_no_template_holds_a_chinese_text_outside_the_catalogue() -> None:
    loose = []
    for path in sorted((ROOT / "web" / "templates").rglob("*.html")):
        text = re.sub(r"\{#.*?#\}", "", path.read_text("utf-8"), flags=re.DOTALL)
        text = re.sub(r"\{[{%].*?[%}]\}", "", text, flags=re.DOTALL)
        loose += [f"{path.name}: {line.strip()}" for line in text.splitlines() if _HAN.search(line)]
    assert not loose, "\n".join(loose)


def test_catalogues_are_well_formed_and_no_message_is_fuzzy() -> None:
    for path in sorted((HERE / "en").glob("*.po")):
        with path.open("rb") as file:
            catalogue = read_po(file, locale="en", abort_invalid=True)
        assert not [message.id for message in catalogue if message.fuzzy and message.id], path.name

"""What pages and logs may show of personal data (domain.md §5.6)."""

from __future__ import annotations

from training.names import MIDDLE_DOT


def mask_name(name: str) -> str:
    """Keep the surname: 张* · 张** · 阿**·***; of a Latin name the first letter of each word."""
    if MIDDLE_DOT in name:
        first, *rest = name.split(MIDDLE_DOT)
        return MIDDLE_DOT.join([first[:1] + "*" * (len(first) - 1), *("*" * len(part) for part in rest)])
    if name.isascii():
        return " ".join(word[:1] + "*" * (len(word) - 1) for word in name.split())
    return name[:1] + "*" * (len(name) - 1)


def mask_number(number: str) -> str:
    """Of a document or certificate number, the first three and last two characters."""
    if len(number) <= 6:  # noqa: PLR2004 - too short to show five characters of it
        return number[:1] + "*" * max(len(number) - 2, 0) + number[-1:]
    return number[:3] + "*" * (len(number) - 5) + number[-2:]


def mask_phone(phone: str) -> str:
    """The first three and last four digits."""
    return phone[:3] + "*" * max(len(phone) - 7, 0) + phone[-4:]

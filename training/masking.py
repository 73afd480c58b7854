"""What pages and logs may show of personal data (domain.md §5.6)."""

from __future__ import annotations

from training.names import MIDDLE_DOT

# Of a number this short, five characters would be nearly all.
_TOO_SHORT = 6


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
    if len(number) <= _TOO_SHORT:
        return number[:1] + "*" * (len(number) - 1)
    return number[:3] + "*" * (len(number) - 5) + number[-2:]


def mask_phone(phone: str) -> str:
    """The first three and last four digits."""
    return phone[:3] + "*" * max(len(phone) - 7, 0) + phone[-4:]

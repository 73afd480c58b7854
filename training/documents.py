"""Numbers of persons' documents, enterprises and phones: domain.md §6, checked as its standards say."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import date

from training.errors import N_, BadInput
from training.models import IdType, Sex

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_CHARACTERS = "10X98765432"
_PROVINCES = frozenset(
    [
        "11",
        "12",
        "13",
        "14",
        "15",
        "21",
        "22",
        "23",
        "31",
        "32",
        "33",
        "34",
        "35",
        "36",
        "37",
        "41",
        "42",
        "43",
        "44",
        "45",
        "46",
        "50",
        "51",
        "52",
        "53",
        "54",
        "61",
        "62",
        "63",
        "64",
        "65",
        "71",
        "81",
        "82",
        "83",
    ]
)
_USCC_CHARACTERS = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_OLD_LENGTH = 15
_EIGHTEEN = re.compile(r"\d{17}[\dX]")
_EARLIEST_BIRTH = date(1900, 1, 1)
_PATTERNS = {
    IdType.FPR_2017: re.compile(r"[A-Z]{3}\d{12}"),
    IdType.HKMO_PERMIT: re.compile(r"[HM]\d{8}(\d{2})?"),
    IdType.TW_PERMIT: re.compile(r"\d{8}(\d{2})?"),
    IdType.PASSPORT: re.compile(r"[A-Z0-9]{5,20}"),
    IdType.MILITARY: re.compile(r"\S{6,30}"),
}
_RESIDENCE_PREFIXES = {IdType.HKMO_RESIDENCE: ("810000", "820000"), IdType.TW_RESIDENCE: ("830000",)}


class BadDocument(BadInput):
    """A document number that cannot be right."""

    message = N_("证件号码有误：{why}。请对照证件原件核对。")


class BadUscc(BadInput):
    """A 统一社会信用代码 that cannot be right."""

    message = N_("统一社会信用代码有误：{why}。请对照营业执照核对。")


class BadPhone(BadInput):
    """Not a mobile number."""

    message = N_("手机号码应为 1 开头的 11 位数字，请核对。")


@dataclass(frozen=True)
class Document:
    """A checked document. Sex and birth date are known only where the number tells them."""

    id_type: IdType
    number: str
    birth_date: date | None = None
    sex: Sex | None = None


def check_character(first_17: str) -> str:
    """The 18th character of a GB 11643 number (MOD 11-2)."""
    return _CHECK_CHARACTERS[sum(int(d) * w for d, w in zip(first_17, _WEIGHTS, strict=True)) % 11]


def _normalise(number: str) -> str:
    return re.sub(r"[\s\-]", "", unicodedata.normalize("NFKC", number)).upper()


def _check_eighteen(number: str) -> None:
    if len(number) == _OLD_LENGTH and number.isdigit():
        raise BadDocument(why=N_("15 位旧号码已停用，请填写 18 位号码"), field="document_number")
    if not _EIGHTEEN.fullmatch(number):
        raise BadDocument(why=N_("应为 18 位，前 17 位是数字，末位是数字或 X"), field="document_number")
    if check_character(number[:17]) != number[17]:
        raise BadDocument(why=N_("校验位不符，可能有一位写错"), field="document_number")


def _birth_date(number: str, *, today: date, start: int = 6) -> date:
    text = number[start : start + 8]
    try:
        birth = date(int(text[:4]), int(text[4:6]), int(text[6:]))
    except ValueError:
        birth = None
    if birth is None or not _EARLIEST_BIRTH <= birth <= today:
        raise BadDocument(why=N_("其中的出生日期不存在"), field="document_number")
    return birth


def parse_document(id_type: IdType, number: str, *, today: date) -> Document:
    """Check a number against its document's rule (domain.md §6.1, §6.3) and read what it tells.

    Full-width digits and a lower-case x are normalised. Raises `BadDocument` with the reason.
    """
    number = _normalise(number)
    if id_type in {IdType.ID_CARD, IdType.HKMO_RESIDENCE, IdType.TW_RESIDENCE}:
        _check_eighteen(number)
        prefixes = _RESIDENCE_PREFIXES.get(id_type)
        if prefixes and number[:6] not in prefixes:
            raise BadDocument(why=N_("地址码与证件类型不符"), field="document_number")
        if number[:2] not in _PROVINCES:
            raise BadDocument(why=N_("前两位省级代码不存在"), field="document_number")
        sex = Sex.MALE if int(number[16]) % 2 else Sex.FEMALE
        return Document(id_type, number, _birth_date(number, today=today), sex)
    if id_type is IdType.FPR_2023:
        _check_eighteen(number)
        if number[0] != "9":
            raise BadDocument(why=N_("2023 版外国人永久居留身份证以 9 开头"), field="document_number")
        return Document(id_type, number, _birth_date(number, today=today))
    if not _PATTERNS[id_type].fullmatch(number):
        raise BadDocument(why=N_("格式与所选证件类型不符"), field="document_number")
    return Document(id_type, number)


def uscc_check_character(first_17: str) -> str:
    """The 18th character of a GB 32100 code."""
    total = sum(_USCC_CHARACTERS.index(c) * pow(3, i, 31) for i, c in enumerate(first_17))
    return _USCC_CHARACTERS[(31 - total % 31) % 31]


def organisation_check_character(first_8: str) -> str:
    """The check character of a GB 11714 organisation code (positions 9–16 of a USCC)."""
    rest = 11 - sum(int(c, 36) * w for c, w in zip(first_8, _ORGANISATION_WEIGHTS, strict=True)) % 11
    return {10: "X", 11: "0"}.get(rest, str(rest))


def parse_uscc(code: str) -> str:
    """Check a 统一社会信用代码 (domain.md §6.2). The inner organisation code is not enforced."""
    code = _normalise(code)
    if len(code) != 18 or any(c not in _USCC_CHARACTERS for c in code):  # noqa: PLR2004 - GB 32100
        raise BadUscc(why=N_("应为 18 位数字或大写字母，不含 I、O、S、V、Z"), field="uscc")
    if uscc_check_character(code[:17]) != code[17]:
        raise BadUscc(why=N_("校验位不符，可能有一位写错"), field="uscc")
    return code


def parse_phone(phone: str) -> str:
    """A mainland mobile number, 11 digits, an optional +86 removed."""
    digits = _normalise(phone).removeprefix("+86")
    if not re.fullmatch(r"1\d{10}", digits):
        raise BadPhone(field="phone")
    return digits

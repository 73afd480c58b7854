"""The content of an item and the rules that it must meet before it is kept."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from question_bank.errors import BadItem
from question_bank.models import ItemLevel, ItemType
from training.errors import N_, BadInput

if TYPE_CHECKING:
    from collections.abc import Collection

LETTERS = "ABCDE"
OPTION_COUNTS = {ItemType.TF: (0, 0), ItemType.SC: (4, 4), ItemType.MC: (4, 5)}
_RIGHT_AT_LEAST = 2
_LONGEST = {"key_point": 200, "stem": 2000, "explanation": 2000, "source": 500}
_LONGEST_OPTION = 500
# Options are shuffled for each candidate, so none may speak of its neighbours.
_REFERS = re.compile(
    r"(以上|上述|前述|前面|其他|其它)(选项|答案|各项|几项|[两三四]项)?(全|都|均|皆)?(部)?(是|对|正确|可以|可|不对|不是|不正确|错|错误|选)"
    r"|(选项)?[A-E]([和、与及或,]?[A-E])*(项|选项|[两三四]项|都对|均对|都正确|均正确|都不对)"
    r"|选项[A-E]([和、与及或,]?[A-E])*"
    r"|[A-E]([和、与及或,][A-E])+"
    r"|(都|全)(部)?(是|对|正确|不对|不正确|错误|选)"
)
_NOT_A_WORD = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class ItemContent:
    """Everything an item says. `options[0]` is "A"; see `ItemRevision` for `key`."""

    type: ItemType
    area: int
    level: ItemLevel
    key_point: str
    stem: str
    key: str
    options: tuple[str, ...] = ()
    explanation: str = ""
    source: str = ""
    is_local: bool = False


def clean_content(content: ItemContent) -> ItemContent:
    """The form that is stored: trimmed, NFC, empty options at the end left out, the key in order."""
    options = [_clean(option) for option in content.options]
    while options and not options[-1]:
        options.pop()
    return replace(
        content,
        key_point=_clean(content.key_point),
        stem=_clean(content.stem),
        key="".join(sorted(set(content.key.upper()) - set(" \t\r\n"))),
        options=tuple(options),
        explanation=_clean(content.explanation),
        source=_clean(content.source),
    )


def _clean(text: str) -> str:
    return unicodedata.normalize("NFC", text).replace("\r\n", "\n").strip()


def plain_text(text: str) -> str:
    """A text as it is compared: without punctuation, spaces, width and case."""
    return _NOT_A_WORD.sub("", unicodedata.normalize("NFKC", text)).casefold()


def fingerprint(content: ItemContent) -> tuple[str, tuple[str, ...]]:
    """Equal for items that ask the same, in whatever order their options stand."""
    return plain_text(content.stem), tuple(sorted(plain_text(option) for option in content.options))


def find_faults(content: ItemContent, *, areas: Collection[int]) -> list[BadInput]:
    """Every reason why this content cannot be kept; empty if it can."""
    return [*_text_faults(content, areas), *_option_faults(content), *_key_faults(content)]


def check_content(content: ItemContent, *, areas: Collection[int]) -> ItemContent:
    """The cleaned content. Raises `BadItem` with all faults."""
    content = clean_content(content)
    if faults := find_faults(content, areas=areas):
        raise BadItem(faults)
    return content


def _text_faults(content: ItemContent, areas: Collection[int]) -> list[BadInput]:
    faults = []
    if content.area not in areas:
        faults.append(BadInput(N_("所选知识领域不在该题库的组卷方案中，请重新选择。"), field="area"))
    for name, missing in (
        ("key_point", N_("请填写考查要点：同一张试卷不会出现两道要点相同的题。")),
        ("stem", N_("请填写题干。")),
        ("explanation", N_("请填写解析：说明答案为什么正确。")),
        ("source", N_("请填写依据：法规条款或标准编号。")),
    ):
        value = getattr(content, name)
        if not plain_text(value):
            faults.append(BadInput(missing, field=name))
        elif len(value) > _LONGEST[name]:
            faults.append(BadInput(N_("文字太长，最多 {longest} 字。"), field=name, longest=_LONGEST[name]))
    return faults


def _option_faults(content: ItemContent) -> list[BadInput]:
    at_least, at_most = OPTION_COUNTS[content.type]
    options = content.options
    if content.type is ItemType.TF:
        return [BadInput(N_("判断题不填选项。"), field="options")] if options else []
    faults = []
    if not at_least <= len(options) <= at_most or not all(options):
        message = N_("单选题应有 4 个选项。") if content.type is ItemType.SC else N_("多选题应有 4 或 5 个选项。")
        faults.append(BadInput(message, field="options"))
    if len({_as_compared(option) for option in options}) < len(options):
        faults.append(BadInput(N_("选项不能重复。"), field="options"))
    for letter, option in zip(LETTERS, options, strict=False):
        if _REFERS.fullmatch(_as_compared(option).upper().rstrip("。.;")):
            message = N_("选项 {letter} 引用了其他选项。考试时选项会打乱顺序，请写成完整的内容。")
            faults.append(BadInput(message, field="options", letter=letter))
        if len(option) > _LONGEST_OPTION:
            faults.append(BadInput(N_("文字太长，最多 {longest} 字。"), field="options", longest=_LONGEST_OPTION))
    return faults


def _as_compared(option: str) -> str:
    # Punctuation may be the whole difference between two options ("<30 mA" and ">30 mA").
    return "".join(unicodedata.normalize("NFKC", option).split())


def _key_faults(content: ItemContent) -> list[BadInput]:
    if content.type is ItemType.TF:
        return [] if content.key in {"T", "F"} else [BadInput(N_("请选择答案：正确或错误。"), field="key")]
    known = set(LETTERS[: len(content.options)])
    if not content.key:
        return [BadInput(N_("请选择正确答案。"), field="key")]
    if not set(content.key) <= known:
        return [BadInput(N_("答案“{key}”超出了选项的范围。"), field="key", key=content.key)]
    if content.type is ItemType.SC and len(content.key) != 1:
        return [BadInput(N_("单选题只能有一个正确答案。"), field="key")]
    if content.type is ItemType.MC and len(content.key) < _RIGHT_AT_LEAST:
        return [BadInput(N_("多选题至少有两个正确答案。"), field="key")]
    return []

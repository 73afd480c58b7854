"""Reading a course from its files: TOML front matter, Markdown lessons, questions.

A folder holds `course.md`, modules `m1.md`, `m2.md`, … and `media/`. In a module every `## ` heading opens a
lesson, the line after it names its source (`依据：`), and `# 测验` opens the quiz. The README of
`seed/courses` shows the format to authors.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar

from training.errors import N_, BadInput
from training.models import BlockKind, PersonCategory

_FENCE = "+++"
_SOURCE = "依据："
_QUIZ = "# 测验"
_PICTURE = re.compile(r"!\[(?P<alt>[^\]]+)\]\((?P<path>media/[\w.\-]+)\)")
_VIDEO = re.compile(r"!video\[(?P<alt>[^\]]+)\]\((?P<path>media/[\w.\-]+)\)")
_CODE = re.compile(r"[A-Z][A-Z0-9_]{1,39}")
_WORDS = re.compile(r"[㐀-鿿]|[A-Za-z]+|[0-9][0-9.,]*")
_TOML_LINE = re.compile(r"line (\d+)")
_OPTION_COUNTS = {"SC": (4, 4), "MC": (4, 5)}
QUIZ_AT_LEAST = 3

T = TypeVar("T")


class QuestionType(StrEnum):
    """True or false, one right answer, several right answers."""

    TF = "TF"
    SC = "SC"
    MC = "MC"


@dataclass(frozen=True)
class Mistake:
    """What is wrong in a course file, and where; line 0 is the file as a whole."""

    file: str
    line: int
    what: str

    def __str__(self) -> str:
        place = f"{self.file} 第 {self.line} 行" if self.line else self.file
        return f"{place}：{self.what}"


class BadCourse(BadInput):
    """A course that cannot be loaded; `mistakes` are all that were found."""

    message = N_("课程文件有误，没有载入：\n{mistakes}")

    def __init__(self, mistakes: list[Mistake]) -> None:
        super().__init__(mistakes="\n".join(map(str, mistakes)))
        self.mistakes = mistakes


@dataclass(frozen=True)
class Question:
    """A question of a lesson or a quiz. `key` is T or F, or letters of the options in rising order."""

    type: QuestionType
    stem: str
    options: tuple[str, ...]
    key: str
    explanation: str

    @classmethod
    def from_body(cls, body: Mapping[str, Any]) -> Question:
        """As it was stored."""
        return cls(QuestionType(body["type"]), body["stem"], tuple(body["options"]), body["key"], body["explanation"])

    def as_body(self) -> dict[str, Any]:
        """As it is stored."""
        return {
            "type": self.type.value,
            "stem": self.stem,
            "options": list(self.options),
            "key": self.key,
            "explanation": self.explanation,
        }


@dataclass(frozen=True)
class Block:
    """One block of a lesson. `text` is Markdown of a TEXT, else the words that stand for the media."""

    kind: BlockKind
    text: str = ""
    path: str = ""
    question: Question | None = None


@dataclass
class Lesson:
    """One key point with its source clause."""

    title: str
    source: str = ""
    blocks: list[Block] = field(default_factory=list)


@dataclass
class Module:
    """A module of a course."""

    number: int
    title: str
    minutes: int
    lessons: list[Lesson] = field(default_factory=list)
    quiz: list[Question] = field(default_factory=list)


@dataclass(frozen=True)
class CourseText:
    """A whole course, checked."""

    code: str
    title: str
    title_en: str
    class_hours: Decimal
    version: int
    audience: tuple[PersonCategory, ...]
    sources: tuple[str, ...]
    summary: str
    modules: tuple[Module, ...]

    @property
    def minutes(self) -> int:
        """What the modules declare together."""
        return sum(module.minutes for module in self.modules)

    @property
    def media(self) -> tuple[str, ...]:
        """The paths of every picture and video, each once."""
        paths = (block.path for module in self.modules for lesson in module.lessons for block in lesson.blocks)
        return tuple(dict.fromkeys(filter(None, paths)))


def count_characters(markdown: str) -> int:
    """What a reader reads: Chinese characters, Latin words and numbers; no marks."""
    return len(_WORDS.findall(markdown))


class _File:
    """A file being read, with the mistakes found in it."""

    def __init__(self, name: str, text: str, mistakes: list[Mistake]) -> None:
        self.name = name
        self.lines = text.splitlines()
        self.mistakes = mistakes
        self.body_starts = 0

    def wrong(self, line: int, what: str) -> None:
        """Note a mistake; lines count from 1."""
        self.mistakes.append(Mistake(self.name, line, what))

    def front_matter(self) -> dict[str, Any]:
        """The TOML between the first two `+++` lines; an empty table if it cannot be read."""
        if not self.lines or self.lines[0].strip() != _FENCE:
            self.wrong(1, "第一行应为 +++，其后写课程信息")
            return {}
        ends = next((i for i, line in enumerate(self.lines[1:], 1) if line.strip() == _FENCE), None)
        if ends is None:
            self.wrong(1, "没有找到结束课程信息的 +++")
            return {}
        self.body_starts = ends + 1
        return self.toml(self.lines[1:ends], first=2) or {}

    def toml(self, lines: list[str], *, first: int) -> dict[str, Any] | None:
        """A TOML fragment that starts on line `first`."""
        try:
            return tomllib.loads("\n".join(lines))
        except tomllib.TOMLDecodeError as error:
            found = _TOML_LINE.search(str(error))
            self.wrong(first + (int(found[1]) - 1 if found else 0), f"TOML 写法有误（{error}）")
            return None

    def take(self, table: dict[str, Any], key: str, kind: type[T], default: T) -> T:
        """A field of the front matter that must be there and of its type."""
        value = table.get(key)
        if not isinstance(value, kind) or value in ("", []):
            self.wrong(1, f"缺少 {key}，或类型不对")
            return default
        return value


def _read_question(file: _File, lines: list[str], *, first: int) -> Question | None:
    table = file.toml(lines, first=first)
    if table is None:
        return None
    mistakes = list(_question_mistakes(table))
    for what in mistakes:
        file.wrong(first, f"题目{what}")
    if mistakes:
        return None
    options = tuple(str(option).strip() for option in table.get("options", ()))
    return Question(
        QuestionType(table["type"]), table["stem"].strip(), options, table["key"], table["explanation"].strip()
    )


def _question_mistakes(table: dict[str, Any]) -> list[str]:
    missing = [name for name in ("type", "stem", "key", "explanation") if not str(table.get(name, "")).strip()]
    if missing:
        return [f"缺少 {'、'.join(missing)}"]
    if table["type"] not in set(QuestionType):
        return [f"类型 {table['type']} 不是 TF、SC、MC"]
    key, options = str(table["key"]), table.get("options", [])
    if table["type"] == QuestionType.TF:
        return ([] if key in {"T", "F"} else ["判断题的 key 应为 T 或 F"]) + (["判断题不写 options"] if options else [])
    least, most = _OPTION_COUNTS[table["type"]]
    found = []
    if not least <= len(options) <= most:
        found.append(f"应有 {least} 到 {most} 个选项")
    if len({str(option).strip() for option in options}) != len(options):
        found.append("有重复的选项")
    letters = "ABCDE"[: len(options)]
    if list(key) != sorted(set(key)) or not set(key) <= set(letters):
        found.append(f"的 key 应为 {letters[:1]}–{letters[-1:]} 中的字母，按顺序、不重复")
    if table["type"] == QuestionType.SC and len(key) != 1:
        found.append("是单选题，key 应为一个字母")
    return found


class _ModuleReader:
    """Walks through the lines of a module once."""

    def __init__(self, file: _File, module: Module) -> None:
        self.file = file
        self.module = module
        self.lesson: Lesson | None = None
        self.in_quiz = False
        self.needs_source = 0
        self.text: list[str] = []

    def close_text(self) -> None:
        """End the running paragraph block."""
        text = "\n".join(self.text).strip()
        self.text = []
        if not text:
            return
        if self.lesson is None:
            return
        self.lesson.blocks.append(Block(BlockKind.TEXT, text=text))

    def read(self) -> None:
        """The whole body."""
        at = self.file.body_starts
        while at < len(self.file.lines):
            if self.file.lines[at].strip() == "```question":
                at = self.question(at)
            else:
                self.line(at)
            at += 1
        self.close_text()
        self.check()

    def question(self, at: int) -> int:
        """A fenced question from its opening line; gives the line that closes it."""
        self.close_text()
        lines = self.file.lines
        ends = next((i for i in range(at + 1, len(lines)) if lines[i].strip() == "```"), None)
        if ends is None:
            self.file.wrong(at + 1, "题目没有以 ``` 结束")
            return len(lines)
        question = _read_question(self.file, lines[at + 1 : ends], first=at + 2)
        if question is not None and self.in_quiz:
            self.module.quiz.append(question)
        elif question is not None and self.lesson is not None:
            self.lesson.blocks.append(Block(BlockKind.QUESTION, question=question))
        return ends

    def line(self, at: int) -> None:
        """Any other line."""
        line = self.file.lines[at].rstrip()
        if line.startswith("## "):
            self.close_text()
            self.lesson = Lesson(line[3:].strip())
            self.module.lessons.append(self.lesson)
            self.in_quiz, self.needs_source = False, at + 1
        elif line == _QUIZ:
            self.close_text()
            self.lesson, self.in_quiz = None, True
        elif line.startswith("# "):
            self.file.wrong(at + 1, f"一级标题只用于“{_QUIZ}”")
        elif self.needs_source and line.strip():
            self.source(line, at)
        elif line.strip() and self.lesson is None:
            self.file.wrong(at + 1, "测验部分只能有题目" if self.in_quiz else "正文应写在“## ”标题之下")
        elif line.startswith("!"):
            self.media(line, at)
        elif self.lesson is not None:
            self.text.append(line)

    def source(self, line: str, at: int) -> None:
        """The clause on which the lesson rests."""
        self.needs_source = 0
        if not line.startswith(_SOURCE) or self.lesson is None:
            self.file.wrong(at + 1, f"“## ”标题的下一行应以“{_SOURCE}”开头，写明出处")
            return
        self.lesson.source = line.removeprefix(_SOURCE).strip()

    def media(self, line: str, at: int) -> None:
        """A picture or a video on a line of its own."""
        self.close_text()
        picture, video = _PICTURE.fullmatch(line.strip()), _VIDEO.fullmatch(line.strip())
        found = picture or video
        if found is None or self.lesson is None:
            self.file.wrong(at + 1, "图片写作 ![说明](media/文件名)，视频写作 !video[标题](media/文件名)")
            return
        kind = BlockKind.PICTURE if picture else BlockKind.VIDEO
        self.lesson.blocks.append(Block(kind, text=found["alt"], path=found["path"]))

    def check(self) -> None:
        """What a module must have."""
        if not self.module.lessons:
            self.file.wrong(0, "没有课时（“## ”标题）")
        for lesson in self.module.lessons:
            kinds = {block.kind for block in lesson.blocks}
            for kind, name in ((BlockKind.TEXT, "正文"), (BlockKind.QUESTION, "随堂题")):
                if kind not in kinds:
                    self.file.wrong(0, f"“{lesson.title}”没有{name}")
        if len(self.module.quiz) < QUIZ_AT_LEAST:
            self.file.wrong(0, f"测验至少要 {QUIZ_AT_LEAST} 题，现有 {len(self.module.quiz)} 题")


def _read_module(name: str, text: str, number: int, mistakes: list[Mistake]) -> Module:
    file = _File(name, text, mistakes)
    table = file.front_matter()
    if table and table.get("no") != number:
        file.wrong(1, f"no 应为 {number}")
    minutes = file.take(table, "minutes", int, 1) if table else 1
    if minutes < 1:
        file.wrong(1, "minutes 应为正整数")
    module = Module(number, file.take(table, "title", str, "") if table else "", minutes)
    _ModuleReader(file, module).read()
    return module


def _audience(file: _File, codes: list[Any]) -> tuple[PersonCategory, ...]:
    known = {category.value for category in PersonCategory}
    for code in codes:
        if code not in known:
            file.wrong(1, f"audience 中的 {code} 不是已知的人员类别")
    return tuple(PersonCategory(code) for code in codes if code in known)


def _class_hours(file: _File, written: str) -> Decimal:
    try:
        hours = Decimal(written)
    except InvalidOperation:
        hours = Decimal(0)
    if hours <= 0 or hours != round(hours, 1):
        file.wrong(1, "class_hours 应为正数，至多一位小数，写在引号里")
    return hours


def _module_texts(texts: Mapping[str, str], mistakes: list[Mistake]) -> list[tuple[str, str]]:
    names = sorted((name for name in texts if re.fullmatch(r"m[1-9]\d?\.md", name)), key=lambda name: int(name[1:-3]))
    if [int(name[1:-3]) for name in names] != list(range(1, len(names) + 1)) or not names:
        mistakes.append(Mistake("course.md", 0, "模块文件应从 m1.md 起连续编号"))
    return [(name, texts[name]) for name in names]


def parse_course(texts: Mapping[str, str], *, minutes_per_hour: int) -> CourseText:
    """Read a course from its Markdown files by name. Raises `BadCourse` with every mistake found."""
    mistakes: list[Mistake] = []
    if "course.md" not in texts:
        raise BadCourse([Mistake("course.md", 0, "课程文件夹里没有 course.md")])
    file = _File("course.md", texts["course.md"], mistakes)
    table = file.front_matter()
    code = file.take(table, "code", str, "")
    if code and not _CODE.fullmatch(code):
        file.wrong(1, "code 应为大写字母开头的字母、数字或下划线，如 C02")
    summary = "\n".join(file.lines[file.body_starts :]).strip()
    if not summary:
        file.wrong(0, "没有课程简介")
    course = CourseText(
        code=code,
        title=file.take(table, "title", str, ""),
        title_en=str(table.get("title_en", "")),
        class_hours=_class_hours(file, file.take(table, "class_hours", str, "")),
        version=file.take(table, "version", int, 1),
        audience=_audience(file, file.take(table, "audience", list, [])),
        sources=tuple(map(str, file.take(table, "sources", list, []))),
        summary=summary,
        modules=tuple(
            _read_module(name, text, number, mistakes)
            for number, (name, text) in enumerate(_module_texts(texts, mistakes), 1)
        ),
    )
    # Half an hour of 45 minutes is not a whole number of minutes: less than one minute may differ.
    if abs(course.minutes - course.class_hours * minutes_per_hour) >= 1:
        file.wrong(0, f"各模块 minutes 合计 {course.minutes}，应为 class_hours × {minutes_per_hour}")
    if mistakes:
        raise BadCourse(mistakes)
    return course

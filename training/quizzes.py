"""Questions of lessons and module quizzes: shuffled for each reader, marked on the server, key shown afterwards."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from training.course_text import Question, QuestionType
from training.errors import N_, BadInput

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_LETTERS = "ABCDE"
_TRUE_OR_FALSE = {"T": N_("正确"), "F": N_("错误")}


class NotAnswered(BadInput):
    """A question without an answer."""

    message = N_("还没有选择答案，请先选择再提交。")


class QuestionOpen(BadInput):
    """A quiz handed in with a gap."""

    message = N_("第 {number} 题还没有作答，请答完再提交。")


@dataclass(frozen=True)
class Choice:
    """An option where this reader sees it. `is_right` is told only after the answer."""

    letter: str
    text: str
    is_chosen: bool = False
    is_right: bool | None = None


@dataclass(frozen=True)
class Asked:
    """A question as one reader sees it. `is_right` and `explanation` are given only after the answer."""

    number: int
    type: QuestionType
    stem: str
    choices: tuple[Choice, ...]
    is_right: bool | None = None
    explanation: str = ""
    key: str = ""

    @property
    def is_answered(self) -> bool:
        """Whether an answer was given and judged."""
        return self.is_right is not None


def order_of(question: Question, seed: str) -> tuple[str, ...]:
    """The option letters in the order in which they are shown for a seed. True and false keep their places."""
    if question.type is QuestionType.TF:
        return ("T", "F")
    letters = list(_LETTERS[: len(question.options)])
    # Not a secret: the same seed must show the same order again.
    random.Random(seed).shuffle(letters)  # noqa: S311
    return tuple(letters)


def to_key(question: Question, seed: str, shown: Sequence[str]) -> str:
    """The letters that were ticked, as letters of the stored options. Raises `NotAnswered`."""
    order = order_of(question, seed)
    names = order if question.type is QuestionType.TF else tuple(_LETTERS[: len(order)])
    chosen = sorted({order[names.index(letter)] for letter in shown if letter in names})
    if not chosen or (question.type is not QuestionType.MC and len(chosen) != 1):
        raise NotAnswered
    return "".join(chosen)


def ask(question: Question, *, number: int, seed: str, answer: str = "", is_judged: bool = False) -> Asked:
    """A question for the page; the key goes out only with `is_judged`."""
    order = order_of(question, seed)
    names = order if question.type is QuestionType.TF else tuple(_LETTERS[: len(order)])
    texts = _TRUE_OR_FALSE if question.type is QuestionType.TF else dict(zip(_LETTERS, question.options, strict=False))
    choices = tuple(
        Choice(name, texts[letter], letter in answer, (letter in question.key) if is_judged else None)
        for name, letter in zip(names, order, strict=True)
    )
    if not is_judged:
        return Asked(number, question.type, question.stem, choices)
    key = "、".join(name for name, letter in zip(names, order, strict=True) if letter in question.key)
    return Asked(number, question.type, question.stem, choices, answer == question.key, question.explanation, key)


@dataclass(frozen=True)
class Marked:
    """How a quiz went. `answers` are by question number, in letters of the stored options."""

    answers: dict[str, str]
    right: int
    total: int

    @property
    def percent(self) -> int:
        """Right answers of a hundred, rounded down."""
        return self.right * 100 // self.total

    def is_passed(self, pass_percent: int) -> bool:
        """Whether it is enough; compared without rounding."""
        return self.right * 100 >= pass_percent * self.total


def quiz_seed(seed: str, number: int) -> str:
    """The seed of one question of an attempt."""
    return f"{seed}:{number}"


def mark_quiz(questions: Sequence[Question], seed: str, ticked: Mapping[int, Sequence[str]]) -> Marked:
    """Mark a quiz; every question must be answered. Raises `QuestionOpen`."""
    answers: dict[str, str] = {}
    for number, question in enumerate(questions, 1):
        try:
            answers[str(number)] = to_key(question, quiz_seed(seed, number), ticked.get(number, ()))
        except NotAnswered as error:
            raise QuestionOpen(number=number, field=f"q{number}") from error
    right = sum(answers[str(number)] == question.key for number, question in enumerate(questions, 1))
    return Marked(answers, right, len(questions))

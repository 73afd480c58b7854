"""Course files: what is accepted, and how mistakes are told."""

from __future__ import annotations

import pytest

from tests.makers.courses import course_texts
from training.course_text import BadCourse, count_characters, parse_course
from training.models import BlockKind


def mistakes_of(texts: dict[str, str]) -> list[str]:
    with pytest.raises(BadCourse) as caught:
        parse_course(texts, minutes_per_hour=45)
    return [str(mistake) for mistake in caught.value.mistakes]


def test_a_course_is_read_with_its_blocks_in_order() -> None:
    course = parse_course(course_texts(), minutes_per_hour=45)
    first, second = course.modules[0].lessons
    assert first.source == "《中华人民共和国消防法》第十六条"
    assert [block.kind for block in first.blocks] == [BlockKind.TEXT, BlockKind.PICTURE, BlockKind.QUESTION]
    assert [block.kind for block in second.blocks] == [BlockKind.TEXT, BlockKind.VIDEO, BlockKind.QUESTION]
    assert [question.key for question in course.modules[0].quiz] == ["F", "A", "ABD"]
    assert course.media == ("media/strip.svg", "media/charge.webm")


@pytest.mark.parametrize(
    ("right", "wrong", "told"),
    [
        ('key = "B"', 'key = "E"', "m1.md 第 15 行：题目的 key"),
        ('key = "ABD"', 'key = "BAD"', "按顺序"),
        ('type = "TF"', 'type = "XX"', "不是 TF、SC、MC"),
        ("依据：《中华人民共和国消防法》第十七条", "人走断电", "m1.md 第 23 行：“## ”标题的下一行"),
        ("minutes = 45", "minutes = 30", "合计 30"),
        ('stem = "人走可以不断电。"', "stem = 人走可以不断电。", "TOML 写法有误"),
        ("![插线板示意](media/strip.svg)", "![](strip.svg)", "图片写作"),
        ("no = 1", "no = 2", "no 应为 1"),
        ("# 测验", "# 考试", "一级标题"),
        ("+++\n\n## 插线板", "\n\n## 插线板", "m1.md 第 1 行：没有找到结束课程信息的 +++"),
    ],
)
def test_a_mistake_is_told_with_its_file_and_line(right: str, wrong: str, told: str) -> None:
    texts = course_texts()
    assert right in texts["m1.md"]
    texts["m1.md"] = texts["m1.md"].replace(right, wrong, 1)
    assert any(told in mistake for mistake in mistakes_of(texts)), mistakes_of(texts)


def test_every_mistake_is_told_at_once() -> None:
    texts = course_texts()
    texts["m1.md"] = texts["m1.md"].replace('key = "B"', 'key = "Z"').replace('key = "F"', 'key = "X"')
    assert len(mistakes_of(texts)) >= 3


def test_modules_are_numbered_without_gaps() -> None:
    texts = course_texts()
    texts["m3.md"] = texts["m1.md"]
    assert any("连续编号" in mistake for mistake in mistakes_of(texts))


def test_only_what_is_read_is_counted() -> None:
    assert count_characters("**打119**：| 三分钟 | --- |\n- PASS 四步") == 1 + 1 + 3 + 1 + 2

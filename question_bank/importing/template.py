"""Our own xlsx template: one sheet to fill in, one that explains it. Slow: call in a thread."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from openpyxl import Workbook
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.worksheet.datavalidation import DataValidation

from question_bank.importing.sheets import MOST_ROWS

if TYPE_CHECKING:
    from collections.abc import Mapping

HEADER = (
    "题型", "知识领域", "等级", "考查要点", "题干", "选项A", "选项B", "选项C", "选项D", "选项E", "答案", "解析", "依据",
    "北京地方内容", "互斥题",
)  # fmt: skip
_WIDTHS = (8, 28, 10, 20, 50, 22, 22, 22, 22, 22, 10, 40, 40, 12, 24)
_NOTES = (
    ("题型", "判断、单选、多选之一。"),
    ("知识领域", "领域序号或名称，见下表。"),
    ("等级", "了解、掌握、熟练掌握之一。"),
    ("考查要点", "这道题考的知识点简称。同一张试卷不会出现两道要点相同的题。"),
    ("选项", "单选填 A–D 四项，多选填四项或五项，判断不填。选项会打乱顺序，不要写“以上都对”。"),
    ("答案", "判断填“正确”或“错误”；单选填一个字母；多选填字母，如 ABD。"),
    ("解析、依据", "必填。依据写到法规条款或标准编号。"),
    ("北京地方内容", "考查北京市地方规定的填“是”，其他留空。"),
    ("互斥题", "不能与这道题出现在同一张试卷上的题：填题库中的题目编号，或本表的行号，如“第 5 行”；几道题用顿号隔开。"),
    ("导入结果", f"全部无误才会导入，导入后为草稿，提交并经他人审核后才能用于考试。一次最多 {MOST_ROWS} 题。"),
)


def make_template(*, subject: str, areas: Mapping[int, str]) -> bytes:
    """The workbook of a subject, with its areas to choose from."""
    book = Workbook()
    sheet = book.active
    sheet.title = "题目"
    sheet.append(HEADER)
    for cell, width in zip(sheet[1], _WIDTHS, strict=True):
        cell.font, cell.fill = Font(bold=True), PatternFill("solid", fgColor="E3EEFB")
        cell.alignment = Alignment(vertical="center")
        sheet.column_dimensions[cell.column_letter].width = width
    sheet.freeze_panes = "A2"
    notes = book.create_sheet("填写说明")
    notes.append(("题库", subject))
    for row in _NOTES:
        notes.append(row)
    notes.append(())
    notes.append(("领域序号", "名称"))
    first = notes.max_row + 1
    for number, name in areas.items():
        notes.append((number, name))
    notes.column_dimensions["A"].width, notes.column_dimensions["B"].width = 16, 90
    lists = {
        "A": '"判断,单选,多选"',
        "B": f"填写说明!$B${first}:$B${notes.max_row}",
        "C": '"了解,掌握,熟练掌握"',
        "N": '"是"',
    }
    for column, formula in lists.items():
        choice = DataValidation(type="list", formula1=formula, allow_blank=True)
        choice.add(f"{column}2:{column}{MOST_ROWS + 1}")
        sheet.add_data_validation(choice)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()

"""What can go wrong in the bank, as sentences for the person."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.errors import N_, BadInput, Conflict, NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence


class UnknownBlueprint(NotFound):
    """No blueprint has this code."""

    message = N_("没有代码为“{code}”的组卷方案。请从方案列表中选择。")


class BadItem(BadInput):
    """An item that cannot be kept; `faults` are all its faults, each with its field."""

    message = N_("题目有 {count} 处需要修改，请按下面的说明改正后再保存。")

    def __init__(self, faults: Sequence[BadInput]) -> None:
        super().__init__(field=faults[0].field, count=len(faults))
        self.faults = tuple(faults)


class CodeTaken(BadInput):
    """Another item has this code."""

    message = N_("题目编号“{code}”已被使用，请换一个编号。")


class DuplicateStem(BadInput):
    """Another item of the subject asks the same."""

    message = N_("题库中已有题干和选项相同的题目（{code}）。请直接修改那道题，或改写题干。")


class SelfReview(Conflict):
    """The reviewer is the author."""

    message = N_("作者不能审核自己编写的题目，请由另一位审核人员审核。")


class NotSubmitted(Conflict):
    """Only a submitted draft can be reviewed."""

    message = N_("这一版本当前不在待审核状态，可能已被处理。请刷新页面查看最新情况。")


class WrongStatus(Conflict):
    """The act does not fit the revision's status."""

    message = N_("这一版本当前的状态不能进行该操作，可能已被他人处理。请刷新页面查看最新情况。")


class EditedMeanwhile(Conflict):
    """Someone saved a newer revision since the page was opened."""

    message = N_("打开页面之后，这道题已有新的版本（第 {number} 版）。您输入的内容还在下面，请对照新版本后再保存。")


class NoteMissing(BadInput):
    """A return or an end without a reason."""

    message = N_("请写明原因，便于作者修改和日后查证。")


class EstimateWrong(BadInput):
    """An estimate that is no share of a hundred candidates."""

    message = N_("请填写 1–99 的整数：100 个刚好够格的考生中，约有多少人能答对。")


class EnemyReasonMissing(BadInput):
    """Two items made enemies, or parted, without saying why."""

    message = N_("请写明为什么这两道题不能（或可以）出现在同一张试卷上。")


class CountWrong(BadInput):
    """A number of a blueprint that makes no paper."""

    message = N_("每格题数应为 0–{most} 的整数，且全卷至少有一题。")
    minutes = N_("考试时间应为 {shortest}–{longest} 分钟。")
    pass_score = N_("合格分应大于 0，且不超过满分 {full} 分。")
    percent = N_("比例应为 {least}–100 的整数；留空则按规则表执行。")


class LevelsMixed(BadInput):
    """Two cells of one blueprint that could take the same item."""

    message = N_(
        "“{area}”的同一题型既有“不限”等级的题数，又有指定等级的题数，同一道题会被两格争用。"
        "请全部指定等级，或只用“不限”。"
    )


class TargetWrong(BadInput):
    """A target of equating that no paper can have."""

    message = N_("目标期望得分应大于 0，且小于全卷 {items} 题。")
    ability = N_("目标能力值应为 -6 到 6 之间的数（logit）。")
    information = N_("目标信息量应大于 0，且不超过 {most}（每题至多 0.25）。")


class CellTooThin(BadInput):
    """The bank could not fill a paper any more."""

    message = N_("“{area}”的题库中只有 {count} 个不同的考查要点，不够每卷抽 {need} 题。请减少题数，或先补充题目。")


class BlueprintChanged(Conflict):
    """Someone saved another version since the page was opened."""

    message = N_("打开页面之后，组卷方案已更新到第 {version} 版。请刷新页面，在新版本上修改。")

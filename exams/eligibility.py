"""Who may apply: the conditions of a qualification, each with its reason and clause (domain.md §2.2, §3.2).

Nothing here asks for a course of any provider: 行政许可法 art. 54 forbids compulsory training before
an exam. An application needs a proof of education *or* of training (30号令 art. 13).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from exams.models import QualificationKind
from training.calendar import add_months, add_years
from training.errors import N_
from training.models import Education, Sex

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

_MONTHS = 12
_HAZCHEM, _COAL = "9.", "5."


class Condition(StrEnum):
    """What is looked at, in the order in which a person is told."""

    OPEN = "OPEN"
    AGE_MIN = "AGE_MIN"
    AGE_MAX = "AGE_MAX"
    BAN = "BAN"
    NO_CERTIFICATE = "NO_CERTIFICATE"
    EDUCATION = "EDUCATION"
    EMPLOYER = "EMPLOYER"
    PROOF = "PROOF"
    RETRAINED = "RETRAINED"
    PHOTO = "PHOTO"
    HEALTH = "HEALTH"


# No form can mend these: they are shown before one starts.
FIXED = frozenset({Condition.OPEN, Condition.AGE_MIN, Condition.AGE_MAX, Condition.BAN, Condition.NO_CERTIFICATE})


@dataclass(frozen=True)
class Facts:
    """What is known of the applicant and the application. `is_cadre`: a woman in a management post."""

    is_open: bool = True
    birth_date: date | None = None
    sex: Sex | None = None
    is_cadre: bool = False
    education: Education | None = None
    employer: str = ""
    banned_until: date | None = None
    has_valid_certificate: bool = False
    has_education_proof: bool = False
    has_training_proof: bool = False
    has_photo: bool = False
    has_health_statement: bool = False
    failed_before: bool = False


@dataclass(frozen=True)
class Rules:
    """The conditions in force for one qualification on a day."""

    kind: QualificationKind
    age_min: int
    age_max: Mapping[str, Mapping[str, Any]]
    education_min: Education
    needs_higher_education: bool = False


@dataclass(frozen=True)
class Finding:
    """One condition. `template` and `params` make the sentence, in the reader's language."""

    condition: Condition
    is_met: bool
    template: str
    clause: str
    params: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.template.format(**self.params)

    @property
    def is_fixed(self) -> bool:
        """Whether nothing in the form can change it."""
        return self.condition in FIXED


_EDUCATION_WORDS = {
    Education.PRIMARY: N_("小学"),
    Education.JUNIOR_MIDDLE: N_("初中"),
    Education.SENIOR_HIGH: N_("高中或同等学历"),
    Education.COLLEGE: N_("大专"),
    Education.BACHELOR: N_("本科"),
    Education.MASTER: N_("研究生"),
}


def education_rule(so_code: str) -> str:
    """The code of the rule that gives the lowest education of a special-operation item."""
    if so_code.startswith(_HAZCHEM):
        return "so.edu.min.hazchem"
    if so_code.startswith(_COAL):
        return "so.edu.min.coal"
    return "so.edu.min"


def retirement_day(
    birth_date: date, sex: Sex | None, *, table: Mapping[str, Mapping[str, Any]], is_cadre: bool = False
) -> date:
    """The day on which somebody reaches the statutory retirement age.

    `table` is the rule so.age.max: per group a base age, the last age, the first birth month that is
    delayed, and how many birth months share one month of delay. Unknown sex counts as the later age.
    """
    group = table["MALE" if sex is not Sex.FEMALE else ("FEMALE_CADRE" if is_cadre else "FEMALE")]
    first_year, first_month = (int(part) for part in str(group["first_birth"]).split("-"))
    months = (birth_date.year - first_year) * _MONTHS + birth_date.month - first_month
    longest = (int(group["last"]) - int(group["base"])) * _MONTHS
    delay = min(months // int(group["every"]) + 1, longest) if months >= 0 else 0
    return add_months(add_years(birth_date, int(group["base"])), delay)


def check_eligibility(facts: Facts, rules: Rules, *, on: date) -> list[Finding]:
    """Every condition of the qualification, met or not, in the order of `Condition`."""
    checks: list[Callable[[Facts, Rules, date], Finding | None]] = [
        _open, _old_enough, _not_retired, _not_banned, _no_certificate, _educated, _employed, _proved, _retrained,
        _photographed, _healthy,
    ]  # fmt: skip
    return [finding for check in checks if (finding := check(facts, rules, on)) is not None]


def _is_special(rules: Rules) -> bool:
    return rules.kind is QualificationKind.SPECIAL_OPERATION


def _open(facts: Facts, _rules: Rules, _on: date) -> Finding | None:
    if facts.is_open:
        return None
    return Finding(Condition.OPEN, False, N_("本项目目前不接受报名。"), N_("行政许可法 第54条"))


def _old_enough(facts: Facts, rules: Rules, on: date) -> Finding:
    clause = N_("30号令 第4条（一）") if _is_special(rules) else N_("民法典 第18条")
    if facts.birth_date is None:
        text = N_("系统中没有您的出生日期，无法核对年龄。请联系考试点或本单位安全管理员补充。")
        return Finding(Condition.AGE_MIN, False, text, clause)
    comes_of_age = add_years(facts.birth_date, rules.age_min)
    if comes_of_age <= on:
        return Finding(Condition.AGE_MIN, True, N_("年满 {age} 周岁。"), clause, {"age": rules.age_min})
    text = N_("未满 {age} 周岁，{day} 起可以报名。")
    return Finding(Condition.AGE_MIN, False, text, clause, {"age": rules.age_min, "day": comes_of_age.isoformat()})


def _not_retired(facts: Facts, rules: Rules, on: date) -> Finding | None:
    if not _is_special(rules) or facts.birth_date is None:
        return None
    clause = N_("30号令 第4条（一）；渐进式延迟法定退休年龄的决定")
    day = retirement_day(facts.birth_date, facts.sex, table=rules.age_max, is_cadre=facts.is_cadre)
    params: dict[str, object] = {"day": day.isoformat()}
    if on < day:
        return Finding(Condition.AGE_MAX, True, N_("未超过法定退休年龄（您于 {day} 达到）。"), clause, params)
    text = N_("已于 {day} 达到法定退休年龄，不能从事特种作业。")
    return Finding(Condition.AGE_MAX, False, text, clause, params)


def _not_banned(facts: Facts, _rules: Rules, on: date) -> Finding:
    clause = N_("30号令 第30条；行政许可法 第78、79条")
    if facts.banned_until is None or facts.banned_until < on:
        return Finding(Condition.BAN, True, N_("不在禁止申请的期限内。"), clause)
    text = N_("因以往的处理决定，{day} 之前（含当日）不能申请。")
    return Finding(Condition.BAN, False, text, clause, {"day": facts.banned_until.isoformat()})


def _no_certificate(facts: Facts, _rules: Rules, _on: date) -> Finding:
    clause = N_("30号令 第19、21条")
    if facts.has_valid_certificate:
        text = N_("您已持有该项目的有效证书，不需要重新取证；到期前请办理复审或延期。")
        return Finding(Condition.NO_CERTIFICATE, False, text, clause)
    return Finding(Condition.NO_CERTIFICATE, True, N_("没有该项目的有效证书。"), clause)


def _educated(facts: Facts, rules: Rules, _on: date) -> Finding | None:
    if not _is_special(rules):
        return None
    clause = N_("30号令 第4条（四）")
    params: dict[str, object] = {"least": _EDUCATION_WORDS[rules.education_min]}
    if facts.education is None:
        return Finding(Condition.EDUCATION, False, N_("请填写学历，应为{least}及以上。"), clause, params)
    if facts.education.rank < rules.education_min.rank:
        text = N_("学历应为{least}及以上，您填写的是{own}。")
        return Finding(Condition.EDUCATION, False, text, clause, params | {"own": _EDUCATION_WORDS[facts.education]})
    return Finding(Condition.EDUCATION, True, N_("学历达到{least}及以上。"), clause, params)


def _employed(facts: Facts, rules: Rules, _on: date) -> Finding | None:
    if _is_special(rules):
        return None
    clause = N_("安全生产法 第27条")
    if facts.employer.strip():
        return Finding(Condition.EMPLOYER, True, N_("已填写任职单位。"), clause)
    return Finding(Condition.EMPLOYER, False, N_("请填写任职单位。"), clause)


def _proved(facts: Facts, rules: Rules, _on: date) -> Finding | None:
    if not _is_special(rules):
        return None
    clause = N_("30号令 第13条；行政许可法 第54条")
    if facts.has_education_proof or facts.has_training_proof:
        return Finding(Condition.PROOF, True, N_("已提供学历证明或培训证明。"), clause)
    text = N_("请提供学历证明或培训证明，两者任选其一；不要求参加指定机构的培训。")
    return Finding(Condition.PROOF, False, text, clause)


def _retrained(facts: Facts, rules: Rules, _on: date) -> Finding | None:
    if not (_is_special(rules) and facts.failed_before):
        return None
    clause = N_("30号令 第13条")
    if facts.has_training_proof:
        return Finding(Condition.RETRAINED, True, N_("补考不合格后已提供重新培训的证明。"), clause)
    text = N_("您上次申请的考试和补考都不合格，请提供重新培训的证明。")
    return Finding(Condition.RETRAINED, False, text, clause)


def _photographed(facts: Facts, _rules: Rules, _on: date) -> Finding:
    clause = N_("104号 第12条")
    if facts.has_photo:
        return Finding(Condition.PHOTO, True, N_("已上传照片。"), clause)
    return Finding(Condition.PHOTO, False, N_("请上传近期正面免冠照片。"), clause)


def _healthy(facts: Facts, rules: Rules, _on: date) -> Finding | None:
    if not _is_special(rules):
        return None
    clause = N_("30号令 第4条（二）；应急管理部公告2018年第12号")
    if facts.has_health_statement:
        return Finding(Condition.HEALTH, True, N_("已签署个人健康书面承诺。"), clause)
    return Finding(Condition.HEALTH, False, N_("请签署个人健康书面承诺。"), clause)

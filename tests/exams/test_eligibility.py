"""Conditions of an application, with vectors of the retirement decision."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exams.eligibility import Condition, Facts, Finding, Rules, check_eligibility, education_rule, retirement_day
from exams.models import QualificationKind
from training.models import Education, Sex

TABLE = next(
    row["value"]
    for row in tomllib.loads(Path("seed/rules.toml").read_text("utf-8"))["rule"]
    if row["code"] == "so.age.max"
)
RULES = Rules(
    kind=QualificationKind.SPECIAL_OPERATION, age_min=18, age_max=TABLE, education_min=Education.JUNIOR_MIDDLE
)
ON = date(2026, 11, 21)
GOOD = Facts(
    birth_date=date(1990, 5, 1), sex=Sex.MALE, education=Education.SENIOR_HIGH, employer="某公司",
    has_education_proof=True, has_photo=True, has_health_statement=True,
)  # fmt: skip


def unmet(facts: Facts, rules: Rules = RULES, on: date = ON) -> dict[Condition, Finding]:
    return {finding.condition: finding for finding in check_eligibility(facts, rules, on=on) if not finding.is_met}


# From the comparison tables of the State Council's measures: birth month → age in years and months.
@pytest.mark.parametrize(
    ("sex", "is_cadre", "birth", "years", "months"),
    [
        (Sex.MALE, False, date(1964, 12, 31), 60, 0),
        (Sex.MALE, False, date(1965, 1, 15), 60, 1),
        (Sex.MALE, False, date(1965, 4, 15), 60, 1),
        (Sex.MALE, False, date(1965, 5, 15), 60, 2),
        (Sex.MALE, False, date(1976, 8, 15), 62, 11),
        (Sex.MALE, False, date(1976, 9, 15), 63, 0),
        (Sex.MALE, False, date(2000, 1, 15), 63, 0),
        (Sex.FEMALE, True, date(1969, 12, 15), 55, 0),
        (Sex.FEMALE, True, date(1970, 1, 15), 55, 1),
        (Sex.FEMALE, True, date(1981, 9, 15), 58, 0),
        (Sex.FEMALE, False, date(1974, 12, 15), 50, 0),
        (Sex.FEMALE, False, date(1975, 1, 15), 50, 1),
        (Sex.FEMALE, False, date(1975, 3, 15), 50, 2),
        (Sex.FEMALE, False, date(1984, 10, 15), 54, 11),
        (Sex.FEMALE, False, date(1984, 11, 15), 55, 0),
    ],
)
def test_retirement_follows_the_published_table(sex: Sex, is_cadre: bool, birth: date, years: int, months: int) -> None:
    day = retirement_day(birth, sex, table=TABLE, is_cadre=is_cadre)
    assert (day.year - birth.year) * 12 + day.month - birth.month == years * 12 + months


@given(st.dates(date(1950, 1, 1), date(2010, 12, 31)), st.sampled_from(Sex), st.booleans())
def test_nobody_retires_earlier_than_those_born_before_them(birth: date, sex: Sex, is_cadre: bool) -> None:
    later = birth + timedelta(days=1)
    assert retirement_day(birth, sex, table=TABLE, is_cadre=is_cadre) <= retirement_day(
        later, sex, table=TABLE, is_cadre=is_cadre
    )


def test_a_good_application_meets_every_condition() -> None:
    assert unmet(GOOD) == {}


def test_the_eighteenth_birthday_itself_is_old_enough() -> None:
    assert Condition.AGE_MIN not in unmet(replace(GOOD, birth_date=date(2008, 11, 21)))
    young = unmet(replace(GOOD, birth_date=date(2008, 11, 22)))[Condition.AGE_MIN]
    assert "2026-11-22" in str(young)
    assert young.is_fixed


def test_the_day_of_retirement_itself_is_too_late() -> None:
    birth = date(1965, 1, 15)
    assert Condition.AGE_MAX not in unmet(replace(GOOD, birth_date=birth), on=date(2025, 2, 14))
    assert Condition.AGE_MAX in unmet(replace(GOOD, birth_date=birth), on=date(2025, 2, 15))


def test_hazardous_chemicals_and_coal_mines_ask_for_senior_high_school() -> None:
    assert education_rule("9.16") == "so.edu.min.hazchem"
    assert education_rule("5.1") == "so.edu.min.coal"
    assert education_rule("1.2") == "so.edu.min"
    higher = replace(RULES, education_min=Education.SENIOR_HIGH)
    assert Condition.EDUCATION in unmet(replace(GOOD, education=Education.JUNIOR_MIDDLE), higher)
    assert Condition.EDUCATION not in unmet(replace(GOOD, education=Education.SENIOR_HIGH), higher)


def test_either_proof_is_enough_and_no_course_is_asked_for() -> None:
    neither = replace(GOOD, has_education_proof=False)
    assert Condition.PROOF in unmet(neither)
    assert unmet(replace(neither, has_training_proof=True)) == {}
    assert unmet(GOOD) == {}


def test_after_a_failed_resit_only_new_training_helps() -> None:
    again = replace(GOOD, failed_before=True)
    assert list(unmet(again)) == [Condition.RETRAINED]
    assert unmet(replace(again, has_training_proof=True)) == {}


def test_the_last_day_of_a_ban_still_counts() -> None:
    assert Condition.BAN in unmet(replace(GOOD, banned_until=ON))
    assert Condition.BAN not in unmet(replace(GOOD, banned_until=ON - timedelta(days=1)))


def test_a_valid_certificate_and_a_closed_qualification_stop_an_application() -> None:
    assert list(unmet(replace(GOOD, has_valid_certificate=True))) == [Condition.NO_CERTIFICATE]
    assert list(unmet(replace(GOOD, is_open=False))) == [Condition.OPEN]


def test_managers_need_an_employer_and_a_photo_only() -> None:
    rules = replace(RULES, kind=QualificationKind.MANAGER)
    facts = Facts(birth_date=date(1960, 1, 1), employer="某公司", has_photo=True)
    assert unmet(facts, rules) == {}
    assert list(unmet(replace(facts, employer=" "), rules)) == [Condition.EMPLOYER]


@given(
    st.builds(
        Facts,
        birth_date=st.none() | st.dates(date(1940, 1, 1), date(2026, 1, 1)),
        sex=st.none() | st.sampled_from(Sex),
        education=st.none() | st.sampled_from(Education),
        banned_until=st.none() | st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    ),
    st.sampled_from(QualificationKind),
)
def test_every_finding_has_a_sentence_and_a_clause(facts: Facts, kind: QualificationKind) -> None:
    for finding in check_eligibility(facts, replace(RULES, kind=kind), on=ON):
        assert str(finding)
        assert "{" not in str(finding)
        assert finding.clause

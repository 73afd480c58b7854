import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exams.identity.matcher import MatchRules, MatchScores, Reason, decide, engine_names
from exams.models import CheckVerdict

ACCEPT, REFER, REJECT = CheckVerdict.ACCEPT, CheckVerdict.REFER, CheckVerdict.REJECT
RULES = MatchRules()
BOTH, ALONE = {"sface": "1", "dlib": "1"}, {"sface": "1"}

cosines = st.none() | st.floats(-1, 1) | st.just(math.nan)
distances = st.none() | st.floats(0, 2) | st.just(math.nan)
scores_of_any_kind = st.builds(
    MatchScores,
    sface_cosine=cosines,
    dlib_distance=distances,
    enrolled_cosine=cosines,
    faces_live=st.integers(0, 3),
    faces_enrolled=st.integers(0, 3),
    reasons=st.lists(st.sampled_from(Reason), max_size=2).map(tuple),
    engines=st.sampled_from([BOTH, ALONE]),
)
clean_scores = st.builds(
    MatchScores,
    sface_cosine=st.floats(-1, 1),
    dlib_distance=st.floats(0, 2),
    faces_live=st.just(1),
    faces_enrolled=st.integers(1, 3),
    engines=st.sampled_from([BOTH, ALONE]),
)


def scores(cosine: float | None, distance: float | None = None, **others: object) -> MatchScores:
    engines = ALONE if distance is None else BOTH
    base = MatchScores(cosine, distance, faces_live=1, faces_enrolled=1, engines=engines)
    return replace(base, **others)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("cosine", "distance", "verdict"),
    [
        (0.363, 0.50, ACCEPT),
        (0.90, 0.20, ACCEPT),
        (0.362, 0.50, REFER),
        (0.363, 0.51, REFER),
        (0.90, 0.70, REFER),
        (0.10, 0.45, REFER),
        (0.25, 0.60, REJECT),
        (0.26, 0.60, REFER),
        (0.25, 0.59, REFER),
        (-0.10, 0.90, REJECT),
    ],
)
def test_two_engines_decide_only_when_both_are_clear(cosine: float, distance: float, verdict: CheckVerdict) -> None:
    assert decide(scores(cosine, distance), RULES) == verdict


@pytest.mark.parametrize(
    ("cosine", "verdict"), [(0.45, ACCEPT), (0.44, REFER), (0.363, REFER), (0.16, REFER), (0.15, REJECT)]
)
def test_sface_alone_keeps_wider_zones(cosine: float, verdict: CheckVerdict) -> None:
    assert decide(scores(cosine), RULES) == verdict


@pytest.mark.parametrize("reason", Reason)
def test_any_reason_goes_to_an_officer_whatever_the_scores(reason: Reason) -> None:
    assert decide(scores(0.9, 0.2, reasons=(reason,)), RULES) == REFER
    assert decide(scores(-0.9, 1.2, reasons=(reason,)), RULES) == REFER


def test_a_second_engine_that_saw_nothing_is_not_taken_for_absent() -> None:
    assert decide(scores(0.9, None, engines=BOTH), RULES) == REFER


def test_enrolment_photos_of_two_people_go_to_an_officer() -> None:
    assert decide(scores(0.6, 0.4, enrolled_cosine=0.2, faces_enrolled=2), RULES) == REFER
    assert decide(scores(0.6, 0.4, enrolled_cosine=0.7, faces_enrolled=2), RULES) == ACCEPT


def test_rules_that_contradict_each_other_decide_nothing() -> None:
    assert decide(scores(0.5), replace(RULES, alone_accept=0.1, alone_reject=0.6)) == REFER


@given(scores_of_any_kind)
def test_nothing_is_decided_without_one_face_and_every_score(found: MatchScores) -> None:
    needed = [found.sface_cosine, found.dlib_distance if "dlib" in found.engines else 0.0]
    is_whole = found.faces_live == 1 and found.faces_enrolled > 0 and not found.reasons
    if not is_whole or any(score is None or math.isnan(score) for score in needed):
        assert decide(found, RULES) == REFER


@given(clean_scores, st.floats(0, 1), st.floats(0, 1))
def test_more_likeness_never_worsens_the_verdict(found: MatchScores, nearer: float, closer: float) -> None:
    assert found.sface_cosine is not None
    assert found.dlib_distance is not None
    liker = replace(found, sface_cosine=found.sface_cosine + nearer, dlib_distance=found.dlib_distance - closer)
    order = [REJECT, REFER, ACCEPT]
    assert order.index(decide(liker, RULES)) >= order.index(decide(found, RULES))


@given(scores_of_any_kind.filter(lambda found: not math.isnan(found.sface_cosine or 0)))
def test_the_record_holds_scores_and_words_only(found: MatchScores) -> None:
    record = found.as_dict()
    assert set(record) == set(MatchScores.__dataclass_fields__)
    assert all(isinstance(reason, str) for reason in record["reasons"])
    assert not any(isinstance(value, bytes) for value in record.values())


@pytest.mark.parametrize("setting", ["", "dlib", "sface,other", "dlib,sface,sface"])
def test_an_unknown_choice_of_engines_is_refused_with_the_choices(setting: str) -> None:
    with pytest.raises(ValueError, match='"sface,dlib" or "sface"'):
        engine_names(setting)


def test_the_choice_of_engines_may_have_spaces() -> None:
    assert engine_names("sface, dlib") == ("sface", "dlib")

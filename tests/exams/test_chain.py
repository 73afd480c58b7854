"""The chain of a sitting: the same links on every machine, and every change shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exams.answers import AnswerAct
from exams.chain import first_link, fold, milliseconds, next_link, verify_chain
from tests.makers.receipts import link_acts

# web/static/js/chain.js has to give the same (tests/journeys): for each act (seq, position, choice,
# milliseconds since 1970 or None) the link after it.
SITTING = UUID("0198f0aa-0000-7000-8000-000000000001")
FIRST = "5b8a4286e5f8323861e03033e9b45361ff339ae890b52a3072acf2738d852e71"
GOLDEN: list[tuple[int, int, str, int | None, str]] = [
    (1, 1, "A", 1795311000000, "5004fc066770d055a77a32d9b253397b958c0059295692eb38eafddbfe65542f"),
    (2, 1, "B", 1795311001234, "5053bb6ed8c7a5ecdb94c483a9d67691f8287cced3e06af2d0e8251fe3926fd7"),
    (3, 2, "ACD", 1795311002000, "7a7694932215f8bdb4c5b2af9bbe371d015a76b4ef16e89b00583103939bf343"),
    (4, 3, "T", None, "6ed8a6101e5ca0e497e7c056c81378c22575f23ac76a4a3be8092ddbf4a76346"),
    (5, 1, "", 1795311063999, "d8a16d636a8aff8f110c7353edf2c07b70f5a052445de95afd99c8b01569c476"),
    (7, 100, "F", 1795314599999, "2ee580d679c5586c6363d92bcfdc7530daadab752f7d3a8300f90e88d006164d"),
]

WHEN = datetime(2026, 11, 22, 1, 30, tzinfo=UTC)
choices = st.sampled_from(["A", "B", "ACD", "T", "F", ""])
acts_made = st.lists(
    st.tuples(st.integers(1, 100), choices, st.one_of(st.none(), st.integers(0, 7_200_000))), min_size=1, max_size=30
).map(
    lambda made: [
        AnswerAct(seq, position, choice, None if at is None else WHEN + timedelta(milliseconds=at))
        for seq, (position, choice, at) in enumerate(made, start=1)
    ]
)


def instant(at: int | None) -> datetime | None:
    return None if at is None else datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=at)


def test_the_links_are_those_that_are_written_down() -> None:
    head = first_link(SITTING)
    assert head.hex() == FIRST
    for seq, position, choice, at, link in GOLDEN:
        head = next_link(head, seq=seq, position=position, choice=choice, answered_at=instant(at))
        assert head.hex() == link
    acts = [(seq, position, choice, instant(at)) for seq, position, choice, at, _ in GOLDEN]
    assert fold(SITTING, acts) == head


@pytest.mark.parametrize(
    ("at", "whole"),
    [
        (datetime(2026, 11, 22, 1, 30, 0, 999, tzinfo=UTC), 1795311000000),
        (datetime(2026, 11, 22, 1, 30, 0, 1000, tzinfo=UTC), 1795311000001),
        (datetime(2026, 11, 22, 9, 30, 0, 999999, tzinfo=timezone(timedelta(hours=8))), 1795311000999),
    ],
)
def test_milliseconds_are_cut_off_whatever_the_time_zone(at: datetime, whole: int) -> None:
    assert milliseconds(at) == whole


@given(acts_made)
def test_linked_acts_make_one_chain_in_whatever_order_they_come(acts: list[AnswerAct]) -> None:
    linked = link_acts(first_link(SITTING), acts)
    found = verify_chain(SITTING, reversed(linked))
    assert found.holds
    assert (found.head, found.count, found.unlinked, found.missing) == (linked[-1].link, len(acts), 0, ())
    assert found.head == fold(SITTING, [(act.seq, act.position, act.choice, act.answered_at) for act in acts])


@given(acts_made, st.data())
def test_a_changed_act_breaks_the_chain_there(acts: list[AnswerAct], data: st.DataObject) -> None:
    linked = link_acts(first_link(SITTING), acts)
    place = data.draw(st.integers(0, len(acts) - 1))
    changed = data.draw(
        st.sampled_from(
            [
                replace(linked[place], position=linked[place].position + 1),
                replace(linked[place], choice="H"),
                replace(linked[place], answered_at=WHEN - timedelta(seconds=1)),
            ]
        )
    )
    found = verify_chain(SITTING, [*linked[:place], changed, *linked[place + 1 :]])
    assert (found.broken_at, found.holds) == (place + 1, False)
    assert found.head != linked[-1].link


@given(acts_made, st.data())
def test_an_act_taken_away_is_missing(acts: list[AnswerAct], data: st.DataObject) -> None:
    linked = link_acts(first_link(SITTING), acts)
    place = data.draw(st.integers(0, len(acts) - 1))
    found = verify_chain(SITTING, linked[:place] + linked[place + 1 :])
    is_last = place == len(acts) - 1
    # Nothing follows the last act: that it is gone only the countersigned count tells.
    assert found.missing == (() if is_last else (place + 1,))
    assert found.broken_at == (None if is_last else place + 2)


def test_acts_without_a_link_are_counted_and_taken_in() -> None:
    acts = [AnswerAct(seq, seq, "A", WHEN) for seq in (1, 2, 3)]
    linked = link_acts(first_link(SITTING), acts)
    found = verify_chain(SITTING, [linked[0], replace(linked[1], link=None), linked[2]])
    assert (found.holds, found.unlinked, found.head) == (True, 1, linked[2].link)


def test_a_huge_number_costs_nothing() -> None:
    found = verify_chain(SITTING, [AnswerAct(2**31 - 1, 1, "A")])
    assert (found.missing[:2], len(found.missing), found.missing_count) == ((1, 2), 100, 2**31 - 2)


def test_another_sitting_has_another_chain() -> None:
    assert first_link(SITTING) != first_link(UUID(int=1))

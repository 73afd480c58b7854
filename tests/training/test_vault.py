"""Sealed values and blind indexes."""

from __future__ import annotations

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given
from hypothesis import strategies as st

from training.vault import UnknownKey, Vault

OLD = Vault(keys={"1": b"a" * 32}, current="1", index_key=b"i" * 32)
NEW = Vault(keys={"1": b"a" * 32, "2": b"b" * 32}, current="2", index_key=b"i" * 32)


@given(st.text())
def test_what_is_sealed_opens_again(text: str) -> None:
    assert OLD.open(OLD.seal(text, context="c"), context="c") == text


def test_a_sealed_value_cannot_be_moved_to_another_column() -> None:
    with pytest.raises(InvalidTag):
        OLD.open(OLD.seal("x", context="person.document"), context="account.phone")


@given(st.binary(min_size=1, max_size=5), st.integers(0, 200))
def test_an_altered_value_does_not_open(noise: bytes, place: int) -> None:
    sealed = bytearray(OLD.seal("110105…", context="c"))
    place %= len(sealed)
    before = bytes(sealed)
    sealed[place] ^= noise[0] or 1
    if bytes(sealed) != before:
        with pytest.raises((InvalidTag, UnknownKey, UnicodeDecodeError, ValueError)):
            OLD.open(bytes(sealed), context="c")


def test_rotation_keeps_old_values_readable_and_moves_them() -> None:
    sealed = OLD.seal("x", context="c")
    assert NEW.open(sealed, context="c") == "x"
    assert not NEW.is_current(sealed)
    moved = NEW.reseal(sealed, context="c")
    assert NEW.is_current(moved)
    with pytest.raises(UnknownKey):
        OLD.open(moved, context="c")


def test_a_blind_index_is_steady_and_bound_to_its_context() -> None:
    assert OLD.blind("x", context="a") == NEW.blind("x", context="a")
    assert OLD.blind("x", context="a") != OLD.blind("x", context="b")

"""Secrets: made once, private, and refused in one sentence when missing."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from training.people import DOCUMENT
from web.keys import add_field_key, load_keys, make_missing_keys
from web.settings import SettingMissing, Settings

if TYPE_CHECKING:
    from pathlib import Path


def test_keys_are_private_and_never_replaced(tmp_path: Path) -> None:
    make_missing_keys(tmp_path / "keys")
    before = {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()}
    make_missing_keys(tmp_path / "keys")
    assert {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()} == before
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "keys").iterdir()}
    assert modes == {0o600}
    assert len(before) == 5


def test_a_newer_field_key_seals_and_the_older_still_opens(tmp_path: Path) -> None:
    make_missing_keys(tmp_path)
    sealed = load_keys(tmp_path).vault.seal("x", context=DOCUMENT)
    assert add_field_key(tmp_path) == "2"
    vault = load_keys(tmp_path).vault
    assert vault.open(sealed, context=DOCUMENT) == "x"
    assert not vault.is_current(sealed)


@pytest.mark.parametrize("missing", ["session.key", "field-index.key", "field-1.aes"])
def test_a_missing_key_is_named(tmp_path: Path, missing: str) -> None:
    make_missing_keys(tmp_path)
    (tmp_path / missing).unlink()
    with pytest.raises(SettingMissing, match=missing):
        load_keys(tmp_path)


def test_serve_refuses_to_start_without_its_secrets(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "ANPEI_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "ANPEI_DATA": str(tmp_path),
    }
    environment.pop("ANPEI_KEYS_DIR", None)
    ended = subprocess.run(
        [sys.executable, "-m", "web", "serve", "--port", "0"],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode != 0
    assert "The keys folder lacks session.key" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_database_must_be_named() -> None:
    with pytest.raises(SettingMissing, match="ANPEI_DATABASE_URL"):
        Settings.from_environment({})

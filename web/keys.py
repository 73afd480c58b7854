"""The secrets: session key, field keys, index key, issuer and receipt signing keys, as files of mode 0600."""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from training.vault import Vault
from web.settings import SettingMissing

if TYPE_CHECKING:
    from pathlib import Path

_KEY_BYTES = 32


@dataclass(frozen=True)
class Keys:
    """What signs and seals. `issuer` and `receipt` map a key id to its Ed25519 key; the last one signs.

    `issuer` signs certificates, `receipt` the answers of a sitting as they were handed in.
    """

    session: bytes
    vault: Vault
    issuer: dict[str, Ed25519PrivateKey]
    receipt: dict[str, Ed25519PrivateKey]

    def countersign(self, data: bytes) -> tuple[str, bytes]:
        """The newest receipt key's id and its signature (exams/receipts.py)."""
        key_id = next(reversed(self.receipt))
        return key_id, self.receipt[key_id].sign(data)

    def check_receipt(self, key_id: str, data: bytes, signature: bytes) -> bool | None:
        """Whether a receipt key of ours made the signature; None if we have no such key."""
        if key_id not in self.receipt:
            return None
        try:
            self.receipt[key_id].public_key().verify(signature, data)
        except InvalidSignature:
            return False
        return True


def _write(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)


def make_missing_keys(folder: Path) -> None:
    """Make every key that is not there yet; never replaces one."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("session.key", "field-index.key"):
        if not (folder / name).exists():
            _write(folder / name, secrets.token_hex(_KEY_BYTES).encode())
    if not list(folder.glob("field-*.aes")):
        _write(folder / "field-1.aes", secrets.token_hex(_KEY_BYTES).encode())
    for use in ("issuer", "receipt"):
        if not list(folder.glob(f"{use}-*.pem")):
            pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            _write(folder / f"{use}-{secrets.token_hex(4)}.pem", pem)


def add_field_key(folder: Path) -> str:
    """Add a newer field key, which seals from the next start on. Gives its id."""
    number = max((int(path.stem.removeprefix("field-")) for path in folder.glob("field-*.aes")), default=0) + 1
    _write(folder / f"field-{number}.aes", secrets.token_hex(_KEY_BYTES).encode())
    return str(number)


def _secret(path: Path) -> bytes:
    key = bytes.fromhex(path.read_text("ascii").strip())
    if len(key) != _KEY_BYTES:
        raise SettingMissing(f"The key file {path.name} must hold 64 hexadecimal digits.")
    return key


def load_keys(folder: Path) -> Keys:
    """Read the keys. Raises `SettingMissing` with one clear sentence when any is not there."""
    fields = sorted(folder.glob("field-*.aes"), key=lambda path: int(path.stem.removeprefix("field-")))
    missing = [name for name in ("session.key", "field-index.key") if not (folder / name).exists()]
    missing += [] if fields else ["field-1.aes"]
    missing += [f"{use}-<id>.pem" for use in ("issuer", "receipt") if not list(folder.glob(f"{use}-*.pem"))]
    if missing:
        raise SettingMissing(
            f"The keys folder lacks {', '.join(missing)}: set ANPEI_KEYS_DIR to a folder that holds them, "
            "or make them once with `./anpei make-keys`, keep them secret and back them up."
        )
    vault = Vault(
        keys={path.stem.removeprefix("field-"): _secret(path) for path in fields},
        current=fields[-1].stem.removeprefix("field-"),
        index_key=_secret(folder / "field-index.key"),
    )
    return Keys(
        session=_secret(folder / "session.key"),
        vault=vault,
        issuer=_signing_keys(folder, "issuer"),
        receipt=_signing_keys(folder, "receipt"),
    )


def _signing_keys(folder: Path, use: str) -> dict[str, Ed25519PrivateKey]:
    """By id, the oldest first."""
    found: dict[str, Ed25519PrivateKey] = {}
    for path in sorted(folder.glob(f"{use}-*.pem"), key=lambda path: path.stat().st_mtime):
        key = load_pem_private_key(path.read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise SettingMissing(f"The {use} key {path.name} is not an Ed25519 key.")
        found[path.stem.removeprefix(f"{use}-")] = key
    return found

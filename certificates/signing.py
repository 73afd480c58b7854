"""Issuer keys: which key signs, and how its public half is kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Signer:
    """A private key with the id (`kid`) under which `issuer_key` holds its public half."""

    kid: str
    key: Ed25519PrivateKey

    @classmethod
    def newest(cls, keys: Mapping[str, Ed25519PrivateKey]) -> Signer:
        """The last of the keys, in the order in which they were made; the others only verify."""
        kid, key = list(keys.items())[-1]
        return cls(kid, key)

    @property
    def public_key(self) -> bytes:
        """32 raw bytes, as stored in `issuer_key`."""
        return export_public_key(self.key.public_key())


def export_public_key(key: Ed25519PublicKey) -> bytes:
    """32 raw bytes (RFC 8032)."""
    return key.public_bytes_raw()


def import_public_key(raw: bytes) -> Ed25519PublicKey:
    """From 32 raw bytes; ValueError for any other length."""
    return Ed25519PublicKey.from_public_bytes(raw)

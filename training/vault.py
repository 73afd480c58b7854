"""Sealing of personal data: AES-256-GCM with key ids, and keyed blind indexes for exact look-up."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from collections.abc import Mapping

_NONCE_BYTES = 12


class UnknownKey(LookupError):
    """A sealed value names a key that the keyring no longer holds."""


class Vault:
    """Seals, opens and indexes values.

    `keys` maps a key id (1–40 ASCII characters) to 32 bytes; `current` names the one that seals.
    Older keys stay in the ring until `reseal` has moved every value to the current one.
    `index_key` keys the blind indexes; it does not rotate, since an index cannot be opened.
    A sealed value is: one byte with the length of the key id, the key id, a nonce of 12 bytes,
    the ciphertext with its tag. `context` (e.g. "person.document") is authenticated with it, so
    that a value cannot be moved to another column.
    """

    def __init__(self, *, keys: Mapping[str, bytes], current: str, index_key: bytes) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        if current not in self._ciphers:
            raise UnknownKey(current)
        self._current = current
        self._index_key = index_key

    def seal_bytes(self, plain: bytes, *, context: str) -> bytes:
        """Seal bytes for one context."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        key_id = self._current.encode("ascii")
        sealed = self._ciphers[self._current].encrypt(nonce, plain, context.encode())
        return bytes([len(key_id)]) + key_id + nonce + sealed

    def open_bytes(self, sealed: bytes, *, context: str) -> bytes:
        """Open what `seal_bytes` made. Raises `UnknownKey`, or `InvalidTag` if it was altered."""
        length = sealed[0]
        key_id = sealed[1 : 1 + length].decode("ascii")
        if key_id not in self._ciphers:
            raise UnknownKey(key_id)
        rest = sealed[1 + length :]
        return self._ciphers[key_id].decrypt(rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], context.encode())

    def seal(self, plain: str, *, context: str) -> bytes:
        """Seal a text for one context."""
        return self.seal_bytes(plain.encode(), context=context)

    def open(self, sealed: bytes, *, context: str) -> str:
        """Open a sealed text."""
        return self.open_bytes(sealed, context=context).decode()

    def is_current(self, sealed: bytes) -> bool:
        """Whether the value is sealed with the current key; if not, `reseal` it."""
        length = sealed[0]
        return sealed[1 : 1 + length].decode("ascii") == self._current

    def reseal(self, sealed: bytes, *, context: str) -> bytes:
        """The same value under the current key."""
        return self.seal_bytes(self.open_bytes(sealed, context=context), context=context)

    def blind(self, value: str, *, context: str) -> bytes:
        """A keyed index (HMAC-SHA-256, 32 bytes) that finds an exact value without telling it."""
        return hmac.new(self._index_key, f"{context}\x00{value}".encode(), hashlib.sha256).digest()

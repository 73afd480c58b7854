"""The object store: a local folder or S3, through obstore."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

import obstore
from obstore.store import LocalStore, from_url

if TYPE_CHECKING:
    from obstore.store import ObjectStore


class Store:
    """A `training.files.FileStore` over obstore."""

    def __init__(self, url: str) -> None:
        parsed = urlparse(url)
        if parsed.scheme == "file":
            folder = Path(unquote(parsed.path))
            folder.mkdir(parents=True, exist_ok=True)
            self._store: ObjectStore = LocalStore(folder)
        else:
            self._store = from_url(url)

    async def put(self, key: str, data: bytes) -> None:
        """Write, replacing."""
        await obstore.put_async(self._store, key, data)

    async def get(self, key: str) -> bytes:
        """Read; raises FileNotFoundError."""
        result = await obstore.get_async(self._store, key)
        return bytes(await result.bytes_async())

    async def delete(self, key: str) -> None:
        """Remove if there."""
        try:
            await obstore.delete_async(self._store, key)
        except FileNotFoundError:
            return

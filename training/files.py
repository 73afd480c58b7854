"""Uploads and generated files: bytes in an object store, their facts in the database."""

from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING, Protocol

from PIL import Image, ImageOps, UnidentifiedImageError

from training.columns import new_id
from training.errors import N_, BadInput, NotFound
from training.models import StoredFile

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from sqlmodel.ext.asyncio.session import AsyncSession

    from training.vault import Vault

_CONTEXT = "stored_file"
PHOTO_BYTES_AT_MOST = 8 * 1024 * 1024
_PHOTO_SIDES = (120, 6000)
_STORED_SIDE = 1200


class BadPhoto(BadInput):
    """Not a usable picture."""

    message = N_("照片无法使用：{why}。请上传 JPG 或 PNG 格式的正面免冠照片（不超过 8 MB）。")


class FileStore(Protocol):
    """Where bytes are kept; the web layer gives one over a folder or S3."""

    async def put(self, key: str, data: bytes) -> None:
        """Write, replacing."""

    async def get(self, key: str) -> bytes:
        """Read; raises FileNotFoundError."""

    async def delete(self, key: str) -> None:
        """Remove if there."""


def clean_photo(data: bytes) -> bytes:
    """A JPEG without metadata, upright, at most 1200 pixels a side. Judged by content, not by name.

    Runs for tens of milliseconds: call it in a thread. Raises `BadPhoto`.
    """
    if len(data) > PHOTO_BYTES_AT_MOST:
        raise BadPhoto(why=N_("文件太大"), field="photo")
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG", "PNG"]) as opened:
            if not all(_PHOTO_SIDES[0] <= side <= _PHOTO_SIDES[1] for side in opened.size):
                raise BadPhoto(why=N_("边长应在 120 到 6000 像素之间"), field="photo")
            picture = ImageOps.exif_transpose(opened).convert("RGB")
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise BadPhoto(why=N_("文件不是 JPG 或 PNG 图片，或已损坏"), field="photo") from error
    picture.thumbnail((_STORED_SIDE, _STORED_SIDE))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=88)
    return out.getvalue()


async def keep_file(
    session: AsyncSession,
    *,
    store: FileStore,
    data: bytes,
    media_type: str,
    purpose: str,
    now: datetime,
    owner_id: UUID | None = None,
    vault: Vault | None = None,
) -> StoredFile:
    """Store bytes (sealed when a vault is given) and their row."""
    file_id = new_id()
    kept = StoredFile(
        id=file_id,
        key=f"{purpose}/{file_id}",
        media_type=media_type,
        size=len(data),
        sha256=hashlib.sha256(data).digest(),
        is_sealed=vault is not None,
        purpose=purpose,
        owner_id=owner_id,
        created_at=now,
    )
    await store.put(kept.key, vault.seal_bytes(data, context=_CONTEXT) if vault else data)
    session.add(kept)
    await session.flush()
    return kept


async def read_file(
    session: AsyncSession, *, store: FileStore, file_id: UUID, vault: Vault | None = None
) -> tuple[StoredFile, bytes]:
    """The row and the (opened) bytes. Raises `NotFound`."""
    kept = await session.get(StoredFile, file_id)
    if kept is None or kept.deleted_at is not None:
        raise NotFound
    try:
        data = await store.get(kept.key)
    except FileNotFoundError as error:
        raise NotFound from error
    if kept.is_sealed:
        if vault is None:
            raise NotFound
        data = vault.open_bytes(data, context=_CONTEXT)
    return kept, data


async def delete_file(session: AsyncSession, *, store: FileStore, file_id: UUID, now: datetime) -> None:
    """Remove the bytes; the row stays as the trace of what was there."""
    kept = await session.get(StoredFile, file_id)
    if kept is not None and kept.deleted_at is None:
        kept.deleted_at = now
        session.add(kept)
        await store.delete(kept.key)

"""Uploads that prove education or training, judged by their content."""

from __future__ import annotations

import io
from dataclasses import dataclass

from PIL import Image, UnidentifiedImageError

from exams.errors import BadProof
from training.errors import N_

BYTES_AT_MOST = 8 * 1024 * 1024
_PDF_HEAD_WITHIN, _PDF_END_WITHIN = 1024, 2048
_SIDE_AT_MOST = 12_000


@dataclass(frozen=True)
class Proof:
    """A checked upload."""

    data: bytes
    media_type: str


def check_proof(data: bytes) -> Proof:
    """A PDF, or a picture rewritten as JPEG without metadata. Runs long: call it in a thread.

    Raises `BadProof` with the reason.
    """
    if not data:
        raise BadProof(why=N_("没有选择文件"), field="proof")
    if len(data) > BYTES_AT_MOST:
        raise BadProof(why=N_("文件太大"), field="proof")
    if b"%PDF-" in data[:_PDF_HEAD_WITHIN]:
        if b"%%EOF" not in data[-_PDF_END_WITHIN:]:
            raise BadProof(why=N_("PDF 文件不完整"), field="proof")
        return Proof(data, "application/pdf")
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG", "PNG"]) as opened:
            if max(opened.size) > _SIDE_AT_MOST:
                raise BadProof(why=N_("图片尺寸太大"), field="proof")
            picture = opened.convert("RGB")
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise BadProof(why=N_("内容不是 PDF、JPG 或 PNG"), field="proof") from error
    picture.thumbnail((2400, 2400))
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=85)
    return Proof(out.getvalue(), "image/jpeg")

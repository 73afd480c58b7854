"""Picture bytes to pixels, in memory only."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# A larger picture gives the engines no more to see: both scale a face to at most 150 pixels.
LONGEST_SIDE = 1280


class UnreadablePictureError(Exception):
    """The bytes are no whole JPEG or PNG, or unfold to an absurd size."""


def read_picture(data: bytes) -> NDArray[np.uint8]:
    """Upright RGB pixels (height, width, 3), scaled down to 1280 on the longer side.

    Transparency is laid on white, as an ID photo's background. Raises `UnreadablePictureError`.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as opened:
                opened.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))  # a JPEG unfolds at once to a smaller size
                picture = ImageOps.exif_transpose(opened)
                picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnreadablePictureError from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:  # what Pillow raises for damaged files
        raise UnreadablePictureError from error
    if picture.has_transparency_data:
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture.convert("RGBA"))
    return np.ascontiguousarray(picture.convert("RGB"), dtype=np.uint8)
